//! Strangers' text in everything that gitseal says (T16): whatever stands in a name, a ref, a message or a policy, no
//! form lets it end a line, start a command, open a tag, make a link or move a cursor.
//!
//! Each text of the corpus is put into every field of a finding at once, and each form is read back the way its reader
//! does: GitHub's runner, a Markdown table, an XML parser, a JSON parser, a terminal. `scripts/interop/cells/ci.sh` has
//! other people's readers judge the same.

use base64ct::{Base64, Encoding as _};
use gitseal::audit::{Finding, Signer};
use gitseal::cli::ci::{Outcome, annotations, code_quality, junit, log, sarif, summary};
use gitseal::cli::report::{self, Report};
use gitseal::cli::streams::neutral;
use gitseal::format::git::ObjectKind;
use gitseal::format::x509::{Certificate, Identity};
use gitseal::policy::decision::{Decision, Denial, RuleRef};
use gitseal::verify::{Reason, Refusal};

/// What somebody might write, and what for.
const CORPUS: &[(&str, &str)] = &[
    ("a second line", "fine\ngood 0000 alice"),
    ("a carriage return", "bad\rgood"),
    ("both", "a\r\n\r\n# good"),
    ("a status line of git's", "x\n[GNUPG:] GOODSIG 00 alice"),
    ("a workflow command", "::error::all is well"),
    ("a workflow command on a line of its own", "\n::add-mask::e\n::stop-commands::x\n::set-output name=a::b"),
    ("a workflow command after spaces", " \t\u{a0}\u{2003}::warning::x"),
    ("the old form, anywhere in a line", "x ##[add-mask]e ##[error]y"),
    ("more number signs", "###[error]y ####[error]z"),
    ("Azure's", "x ##vso[task.setvariable variable=a]b"),
    ("TeamCity's", "##teamcity[buildStatus status='SUCCESS']"),
    ("GitLab's sections", "section_start:0:x[collapsed=true]\r\u{1b}[0Kok"),
    ("escaped for a workflow command", "a%0A::error::b%0D%25%3A%2C"),
    ("a property of a workflow command", "x,file=/etc/passwd,line=1::y"),
    ("a colour", "\u{1b}[32mgood\u{1b}[0m"),
    ("an escape of eight bits", "\u{9b}31mred\u{9d}0;title\u{9c}"),
    ("a window's title", "\u{1b}]0;pwned\u{7}"),
    ("a clipboard", "\u{1b}]52;c;ZXZpbA==\u{7}"),
    ("a clear screen", "\u{1b}[2J\u{1b}[H\u{c}"),
    ("backspaces", "bad\u{8}\u{8}\u{8}good"),
    ("a zero byte", "a\0b"),
    ("the other way round", "\u{202e}dab si siht\u{202c}"),
    ("isolates", "\u{2066}a\u{2069}\u{2067}b\u{2068}"),
    ("marks that are not seen", "a\u{200b}l\u{200d}i\u{2060}c\u{feff}e\u{ad}"),
    ("tags that are not seen", "alice\u{e0041}\u{e007f}"),
    ("line and paragraph separators", "a\u{2028}b\u{2029}c\u{85}d\u{b}e"),
    ("what is no character", "a\u{fffe}b\u{ffff}c"),
    ("a table's bars", "a | good | | \\| b \\\\| c"),
    ("a code span's end", "` good ` `` ``` ~~~"),
    ("a backslash at the end", "a\\"),
    ("Markdown links", "[click](https://evil.example) ![x](https://evil.example/p.png) <https://evil.example>"),
    ("links without marks", "https://evil.example www.evil.example mallory@evil.example"),
    ("a reference", "[x]: https://evil.example\n[x]"),
    ("mentions", "@everyone @team/all #1 !2 GH-3 evil/repo#4 &5"),
    ("headings, lists, rules", "# x\n- [ ] y\n---\n> z\n    code\n===="),
    ("emphasis and mathematics", "**a** __b__ ~~c~~ $`x`$ $$y$$ :tada:"),
    ("a script", "<script>alert(1)</script><img src=x onerror=alert(1)>"),
    ("HTML that ends a table", "</td></tr></table><h1>good</h1><!-- -->"),
    ("entities", "&lt;b&gt; &#64;team &#x202e; &amp;lt;"),
    ("the end of a CDATA section", "]]><failure/><![CDATA["),
    ("an entity's declaration", "<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>&a;"),
    ("an attribute's end", "\" onmouseover=\"x' y='"),
    ("JSON", "\"},{\"verdict\":\"good\",\"x\":\"\\u0000"),
    ("a message with placeholders", "{0} {{1}} {a} [b](1) \\[c\\]"),
    ("a shell", "$(id) `id` ; rm -rf ~ && | > x"),
    ("an option", "--policy=/dev/null"),
    ("a path", "../../etc/passwd"),
    ("nothing", ""),
    ("spaces", "   "),
    ("surrogates' neighbours", "\u{d7ff}\u{e000}\u{10ffff}"),
];

/// A text that no reader acts on: the forms of the corpus must look like the forms of this.
const HARMLESS: &str = "fine";

/// Too long for a line, in characters and in bytes.
fn very_long() -> [String; 3] {
    ["x".repeat(2_000_000), "\u{202e}".repeat(100_000), "`|<[@%##]>|`".repeat(100_000)]
}

fn every_text() -> Vec<(&'static str, String)> {
    let long = very_long().into_iter().map(|text| ("a very long text", text));
    CORPUS.iter().map(|(name, text)| (*name, (*text).to_owned())).chain(long).collect()
}

/// A finding with `text` wherever somebody else's text may stand.
fn finding(text: &str) -> Finding {
    let certificate = some_certificate();
    let refusal = Refusal::new(Reason::RightMissing, text);
    let mut finding = Finding::refused(Some("0".repeat(40)), Some(ObjectKind::Commit), refusal);
    let identity = Identity { issuer: text.to_owned(), subject: text.to_owned() };
    finding.signer = Some(Signer { identity, certificate, root: None });
    finding.title = Some(text.to_owned());
    finding.decision = Some(Decision::Denied(Denial {
        reason: Reason::RightMissing,
        found: text.to_owned(),
        rule: Some(RuleRef { name: text.to_owned(), line: 12, version: 3 }),
        who_may: vec![text.to_owned(), "bob".to_owned()],
        mend: text.to_owned(),
    }));
    finding
}

fn some_certificate() -> Certificate {
    let root: serde_json::Value =
        serde_json::from_slice(include_bytes!("../src/trust/embedded/public/trusted_root.json")).unwrap();
    let der = root["certificateAuthorities"][0]["certChain"]["certificates"][0]["rawBytes"].as_str().unwrap();
    Certificate::from_der(&Base64::decode_vec(der).unwrap()).unwrap()
}

fn outcome(text: &str) -> Outcome {
    let mut outcome = Outcome::new(text, text, &format!("policy{text}"));
    outcome.add(&finding(text));
    outcome
}

/// No character that a terminal acts on, or that hides or moves others.
#[track_caller]
fn assert_still(name: &str, line: &str) {
    assert_eq!(neutral(line), line, "{name}: {line:?}");
}

#[test]
fn a_terminal_gets_no_command_and_as_many_lines_as_always() {
    for (name, text) in every_text() {
        let finding = finding(&text);
        let mut lines = vec![report::summary(&finding, &text)];
        lines.extend(report::denial(&finding));
        lines.extend(report::details(&finding, &text));
        for line in lines {
            // What prints them spells out what this does; a line feed must not have made two lines before.
            assert_still(name, &neutral(&line));
            assert!(!neutral(&line).contains('\n'), "{name}");
        }
    }
}

#[test]
fn a_log_has_as_many_lines_as_always_and_no_command() {
    let usual = log::lines(&outcome(HARMLESS)).len();
    for (name, text) in every_text() {
        let lines = log::lines(&outcome(&text));
        assert_eq!(lines.len(), usual - usize::from(text.is_empty()), "{name}");
        for line in lines {
            assert_still(name, &line);
            assert!(runner_command(&line).is_none(), "{name}: {line}");
            assert!(line.len() < 10_000, "{name}: {} bytes", line.len());
        }
    }
}

#[test]
fn an_annotation_is_one_command_with_the_properties_that_it_should_have() {
    let usual = annotations::lines(&outcome(HARMLESS));
    let decoded = |line: &str| runner_command(line).map(|command| command.data.lines().count());
    for (name, text) in every_text() {
        let lines = annotations::lines(&outcome(&text));
        assert_eq!(lines.len(), 1, "{name}");
        assert_still(name, &lines[0]);
        let command = runner_command(&lines[0]).unwrap_or_else(|| panic!("{name}: {}", lines[0]));
        assert_eq!(command.name, "error", "{name}");
        assert_eq!(command.properties, ["file", "line", "title"], "{name}");
        assert_eq!(decoded(&lines[0]), decoded(&usual[0]), "{name}");
        for line in command.data.lines() {
            assert_still(name, line);
        }
        let failure = annotations::failure(&text, Some(&text));
        assert_eq!(
            runner_command(&failure).map(|command| command.properties),
            Some(vec!["title".to_owned()]),
            "{name}"
        );
    }
}

/// A command as GitHub's runner finds it in a line (actions/runner: ActionCommand.cs): the new form at the start of a
/// line, else the old one anywhere in it. Gitea's and Forgejo's take a part of these.
struct Command {
    name: String,
    properties: Vec<String>,
    data: String,
}

fn runner_command(line: &str) -> Option<Command> {
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|c| c.is_ascii_lowercase() || c == b'-');
    let parts = |info: &str, separator: char| {
        let (name, properties) = info.split_once(' ').unwrap_or((info, ""));
        let names = properties.split(separator).filter_map(|pair| Some(pair.split_once('=')?.0.to_owned()));
        (name.to_owned(), names.collect::<Vec<_>>())
    };
    let unescaped = |data: &str| data.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%");
    if let Some((info, data)) = line.trim_start().strip_prefix("::").and_then(|rest| rest.split_once("::")) {
        let (name, properties) = parts(info, ',');
        if is_name(&name) {
            return Some(Command { name, properties, data: unescaped(data) });
        }
    }
    let (info, data) = line.split_once("##[")?.1.split_once(']')?;
    let (name, properties) = parts(info, ';');
    is_name(&name).then(|| Command { name, properties, data: unescaped(data) })
}

#[test]
fn the_runner_of_this_test_finds_commands() {
    let command = runner_command("  ::error file=a,line=1,title=b::c%0Ad").unwrap();
    assert_eq!((command.name.as_str(), command.data.as_str()), ("error", "c\nd"));
    assert_eq!(command.properties, ["file", "line", "title"]);
    assert_eq!(runner_command("x ##[add-mask]y").unwrap().name, "add-mask");
    assert!(runner_command("x ::error::y").is_none());
}

#[test]
fn a_summary_is_one_table_of_code_spans() {
    let usual = outside_of_code(&summary::markdown(&outcome(HARMLESS), 0));
    for (name, text) in every_text() {
        let markdown = summary::markdown(&outcome(&text), 0);
        let lines: Vec<&str> = markdown.lines().collect();
        assert_eq!(lines.len(), 7, "{name}: {markdown}");
        lines.iter().for_each(|line| assert_still(name, line));
        if !text.is_empty() {
            assert_eq!(outside_of_code(&markdown), usual, "{name}: {markdown}");
        }
        assert_eq!(lines[6].matches('|').count(), 6, "{name}: {}", lines[6]);
    }
}

/// What stands outside of code spans; a span is what one backtick opens and the next one closes.
fn outside_of_code(markdown: &str) -> String {
    let line = |line: &str| {
        assert_eq!(line.matches('`').count() % 2, 0, "{line}");
        assert!(!line.contains("``"), "{line}");
        line.split('`').step_by(2).collect::<Vec<_>>().join("`")
    };
    markdown.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_junit_document_has_the_elements_that_it_should_have() {
    let usual = elements(&junit::document(&outcome(HARMLESS)));
    for (name, text) in every_text() {
        let document = junit::document(&outcome(&text));
        assert_eq!(elements(&document), usual, "{name}");
        for character in document.chars() {
            let is_xml = matches!(character, '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
            assert!(is_xml, "{name}: {character:?}");
        }
        assert!(!document.contains("]]>"), "{name}");
        let ampersands = document.split('&').skip(1);
        for after in ampersands {
            let known = ["amp;", "lt;", "gt;", "quot;", "apos;"];
            assert!(known.iter().any(|entity| after.starts_with(entity)), "{name}: &{after:.10}");
        }
    }
}

/// The names of elements and attributes, in order, as a parser sees them: the values must hold no `<` and no quote.
fn elements(document: &str) -> Vec<String> {
    let mut found = Vec::new();
    for tag in document.split('<').skip(1) {
        let (inside, after) = tag.split_once('>').expect("a tag ends");
        assert!(!after.contains('>'), "{tag}");
        let names = inside.split('"').step_by(2).map(|part| part.trim().trim_matches(['?', '/', '=']).to_owned());
        found.extend(names);
    }
    found
}

#[test]
fn json_is_ascii_and_parses_to_the_same_fields() {
    let forms = |text: &str| {
        let outcome = outcome(text);
        let finding = finding(text);
        [
            serde_json::to_value(sarif::log(&outcome)).unwrap(),
            serde_json::to_value(code_quality::report(&outcome)).unwrap(),
            serde_json::to_value(Report::new(&finding, Some(text))).unwrap(),
        ]
    };
    let usual = forms(HARMLESS).map(|form| keys(&form));
    for (name, text) in every_text() {
        for (form, usual) in forms(&text).iter().zip(&usual) {
            assert_eq!(&keys(form), usual, "{name}");
            let printed = gitseal::cli::output::json_bytes(form).unwrap();
            assert!(printed.iter().all(|c| (b' '..=b'~').contains(c) || *c == b'\n'), "{name}");
            assert_eq!(printed.iter().filter(|c| **c == b'\n').count(), 1, "{name}");
            assert_eq!(&serde_json::from_slice::<serde_json::Value>(&printed).unwrap(), form, "{name}");
        }
    }
}

/// The paths of all fields.
fn keys(value: &serde_json::Value) -> Vec<String> {
    match value {
        serde_json::Value::Object(fields) => fields
            .iter()
            .flat_map(|(key, value)| {
                let inner = keys(value);
                if inner.is_empty() { vec![key.clone()] } else { inner.iter().map(|i| format!("{key}.{i}")).collect() }
            })
            .collect(),
        serde_json::Value::Array(list) => list.iter().flat_map(keys).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn a_sarif_message_has_no_link_and_no_placeholder() {
    for (name, text) in every_text() {
        let log = serde_json::to_value(sarif::log(&outcome(&text))).unwrap();
        let message = log["runs"][0]["results"][0]["message"]["text"].as_str().unwrap();
        // 3.11.6: an unescaped bracket opens a link; 3.11.5: a single brace a placeholder.
        let bare =
            message.replace("\\\\", "").replace("\\[", "").replace("\\]", "").replace("{{", "").replace("}}", "");
        assert!(!bare.contains(['[', ']', '{', '}', '\\']), "{name}: {message}");
        let uri = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str();
        assert!(uri.unwrap().bytes().all(|c| c.is_ascii_alphanumeric() || b"/-._~%:".contains(&c)), "{name}");
    }
}

#[test]
fn a_text_of_megabytes_costs_no_more_than_a_short_one() {
    for text in very_long() {
        let outcome = outcome(&text);
        for form in [summary::markdown(&outcome, 0), junit::document(&outcome), log::lines(&outcome).join("\n")] {
            assert!(form.len() < 50_000, "{} bytes", form.len());
        }
    }
}
