//! The page that a login ends with: one document, nothing loaded from anywhere, and a policy (Content Security Policy
//! level 3) under which nothing could be.
//!
//! It is shown after the code has been redeemed and the token checked, so what it says is true. It names the person to
//! the browser that brought this login's state, and to nobody else.

use std::time::Duration;

use base64ct::{Base64, Encoding as _};

use super::Granted;
use super::error::OidcError;
use crate::crypto::sha256;
use crate::service::id_token::TokenSubject;

const DOCUMENT: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const CHECK: &str = "M35 49l9 9 18-20";
const CROSS: &str = "M38 38l20 20M58 38L38 58";
const QUESTION: &str = "M41 41a7.5 7.5 0 1 1 11 6.6c-2.6 1.5-4 3-4 5.4M48 61v.2";
/// Whole numbers around a circle, so that the drawing needs no arithmetic in the browser.
const BUMPS: u32 = 14;

/// A page.
#[derive(Debug)]
pub struct Page {
    kind: &'static str,
    title: &'static str,
    mark: &'static str,
    who: String,
    next: &'static str,
    closes: Option<Duration>,
}

impl Page {
    /// How the login ended; where it went well, the window closes after `closes`, if that is given.
    #[must_use]
    pub fn of(outcome: &Result<Granted, OidcError>, closes: Option<Duration>) -> Self {
        match outcome {
            Ok(granted) => Page {
                kind: "done",
                title: "You are logged in",
                mark: CHECK,
                who: match granted.id_token.subject() {
                    // A long address breaks where it has two parts.
                    TokenSubject::Email(email) => format!("as <b>{}</b>", escaped(email).replace('@', "<wbr>@")),
                    // The name that a provider has for somebody, which nobody would know themselves by.
                    TokenSubject::Subject(_) => String::new(),
                },
                next: "gitseal goes on in the terminal.",
                closes,
            },
            Err(error) => Page {
                kind: "failed",
                title: "You are not logged in",
                mark: CROSS,
                who: escaped(&sentence(&error.to_string())),
                next: "Nothing has been signed. The terminal says what to do next.",
                closes: None,
            },
        }
    }

    /// For requests that are not of this login.
    pub(super) fn foreign() -> Self {
        Page {
            kind: "foreign",
            title: "Not the login that is waiting",
            mark: QUESTION,
            who: String::new(),
            next: "This address takes one answer, to the login that gitseal has just begun. Begin again from the terminal.",
            closes: None,
        }
    }

    /// The document.
    pub(super) fn html(&self) -> String {
        let script = self.script().map(|script| format!("<script>{script}</script>\n")).unwrap_or_default();
        let close = match self.closes {
            Some(time) => format!("This window closes by itself in {} seconds.", time.as_secs()),
            None => "You can close this window.".to_owned(),
        };
        [
            ("{{STYLE}}", STYLE),
            ("{{KIND}}", self.kind),
            ("{{TITLE}}", self.title),
            ("{{EDGE}}", &edge()),
            ("{{MARK}}", self.mark),
            ("{{NEXT}}", self.next),
            ("{{CLOSE}}", &close),
            ("{{SCRIPT}}", &script),
            // Last: what a stranger may have written is looked at by no later step.
            ("{{WHO}}", &self.who),
        ]
        .iter()
        .fold(DOCUMENT.to_owned(), |document, (name, value)| document.replace(name, value))
    }

    /// Its policy: this style, this script, and nothing else from anywhere.
    pub(super) fn policy(&self) -> String {
        let source = |text: &str| format!("'sha256-{}'", Base64::encode_string(&sha256(text.as_bytes())));
        let script = self.script().map_or("'none'".to_owned(), |script| source(&script));
        format!(
            "default-src 'none'; style-src {}; script-src {script}; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
            source(STYLE)
        )
    }

    /// Counts down and closes. A browser closes only what a program has opened; elsewhere the window says what it can.
    fn script(&self) -> Option<String> {
        let seconds = self.closes?.as_secs();
        Some(format!(
            "let left={seconds};const say=document.getElementById('close');const tick=()=>{{\
             if(left<=0){{window.close();say.textContent='You can close this window.';return}}\
             say.textContent='This window closes by itself in '+left+(left===1?' second.':' seconds.');left-=1;\
             setTimeout(tick,1000)}};tick();"
        ))
    }
}

/// The edge of a drop of wax that was pressed: bumps around a circle.
fn edge() -> String {
    let point = |step: u32, radius: f64| {
        let angle = f64::from(step) * std::f64::consts::PI / f64::from(BUMPS);
        (48.0 + radius * angle.cos(), 48.0 + radius * angle.sin())
    };
    let (x, y) = point(0, 39.0);
    let mut path = format!("M{x:.1} {y:.1}");
    for bump in 0..BUMPS {
        let (over, (x, y)) = (point(2 * bump + 1, 50.0), point(2 * bump + 2, 39.0));
        path.push_str(&format!("Q{:.1} {:.1} {x:.1} {y:.1}", over.0, over.1));
    }
    path + "Z"
}

/// An error as a sentence of its own.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// Text in HTML (the HTML standard, section 13.1.4): nothing in it is markup.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Invisible in every browser, or turning the text around.
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => safe.push('\u{fffd}'),
            control if control.is_control() => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_says_is_text_and_not_markup() {
        let error = OidcError::refused("<script>alert(1)</script>", Some("\"'&\u{202e}{{CLOSE}}"));
        let page = Page::of(&Err(error), None);
        let html = page.html();
        assert!(!html.contains("<script") && html.contains("&lt;script&gt;alert(1)"));
        assert!(html.contains("&quot;&#39;&amp;\u{fffd}{{CLOSE}}"));
        assert!(page.policy().contains("script-src 'none'"));
    }

    #[test]
    fn a_page_is_filled_in_and_loads_nothing() {
        let closing = Page { closes: Some(Duration::from_secs(6)), ..Page::foreign() };
        for page in [Page::foreign(), closing] {
            let html = page.html();
            assert!(!html.contains("{{"), "{html}");
            for outside in ["http:", "https:", "src=", "url(", "@import", "href="] {
                assert!(!html.contains(outside), "{outside}");
            }
        }
    }

    #[test]
    fn it_closes_itself_only_where_that_is_wanted() {
        let closing = Page { closes: Some(Duration::from_secs(6)), ..Page::foreign() };
        assert!(closing.html().contains("window.close()") && closing.html().contains("in 6 seconds"));
        assert!(closing.policy().contains("script-src 'sha256-"));
        assert!(!Page::foreign().html().contains("script>"));
    }
}
