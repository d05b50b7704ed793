//! What opens a page: `gitseal.urlOpener`, `BROWSER`, or the system's own opener.
//!
//! The crates for this start browsers by many ways more, some of them with our streams. Here a program is started with
//! none of them (a word on standard output would end up in the signature), in a process group of its own (Ctrl-C at our
//! wait must not end the browser), never through a shell, and it is never waited for.

use std::ffi::OsString;
use std::process::{Command, ExitStatus, Stdio};

use tokio::sync::oneshot;

use super::error::LoginError;
use crate::net::Url;

/// What stands for the address in `urlOpener`, as gitsign's templates have it.
const PLACEHOLDERS: [&str; 2] = ["{{.URL}}", "{{ .URL }}"];
/// What stands for it in `BROWSER`.
const BROWSER_PLACEHOLDER: &str = "%s";

/// Commands that open a page, the best first.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opener {
    commands: Vec<Vec<Word>>,
}

/// A word of a command: text, with the address between the parts.
type Word = Vec<String>;

impl Opener {
    /// The opener that there is, if there is one.
    pub(super) fn find(
        setting: Option<&str>,
        environment: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Self>, LoginError> {
        if let Some(template) = setting {
            return Ok(Some(Opener { commands: vec![command(template)?] }));
        }
        if let Some(browser) = environment("BROWSER").and_then(|value| value.into_string().ok()) {
            let commands: Vec<_> = browser.split(':').filter_map(browser_command).collect();
            if !commands.is_empty() {
                return Ok(Some(Opener { commands }));
            }
        }
        let system = system_opener(environment).map(|words| {
            let mut command: Vec<Word> = words.iter().map(|word| vec![(*word).to_owned()]).collect();
            command.push(vec![String::new(); 2]);
            Opener { commands: vec![command] }
        });
        Ok(system)
    }

    /// Open `url`. How the program ends is told later: a browser that is new stays as long as its windows.
    pub(super) fn open(&self, url: &Url) -> Result<oneshot::Receiver<ExitStatus>, LoginError> {
        let mut failed = None;
        for command in &self.commands {
            let words: Vec<String> = command.iter().map(|word| word.join(url.as_str())).collect();
            match start(&words) {
                Ok(ended) => return Ok(ended),
                Err(source) => failed = Some(LoginError::Open { program: words[0].clone(), source }),
            }
        }
        Err(failed.expect("an opener has a command"))
    }
}

fn start(words: &[String]) -> std::io::Result<oneshot::Receiver<ExitStatus>> {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn()?;
    let (sender, ended) = oneshot::channel();
    // Lives as long as the browser or as we do, whichever is shorter.
    std::thread::spawn(move || child.wait().map(|status| sender.send(status)));
    Ok(ended)
}

/// A `urlOpener`: words with quotes around some, no escapes, no shell.
fn command(template: &str) -> Result<Vec<Word>, LoginError> {
    if template.contains(['\n', '\r', '\0']) {
        return Err(LoginError::Opener("has more than one line"));
    }
    // Spaces inside the placeholder separate no words.
    let template = PLACEHOLDERS.iter().fold(template.to_owned(), |text, name| text.replace(name, PLACEHOLDERS[0]));
    let words = split(&template).ok_or(LoginError::Opener("has a quote that does not end"))?;
    let command: Vec<Word> =
        words.iter().map(|word| word.split(PLACEHOLDERS[0]).map(str::to_owned).collect()).collect();
    match command.iter().position(|word| word.len() > 1) {
        None => Err(LoginError::Opener("says nowhere where the address goes")),
        // The address would be the program.
        Some(0) => Err(LoginError::Opener("has the address in the place of a program")),
        Some(_) => Ok(command),
    }
}

/// One of the commands in `BROWSER`: the address goes where `%s` stands, else to the end.
fn browser_command(text: &str) -> Option<Vec<Word>> {
    let words = split(text).filter(|words| !words.is_empty() && !words[0].contains(BROWSER_PLACEHOLDER))?;
    let mut command: Vec<Word> =
        words.iter().map(|word| word.split(BROWSER_PLACEHOLDER).map(str::to_owned).collect()).collect();
    if command.iter().all(|word| word.len() == 1) {
        command.push(vec![String::new(); 2]);
    }
    Some(command)
}

/// The system's own opener, where there is somebody to look at what it opens.
fn system_opener(environment: &dyn Fn(&str) -> Option<OsString>) -> Option<&'static [&'static str]> {
    let is_set = |name| environment(name).is_some();
    if cfg!(windows) {
        Some(&["rundll32", "url.dll,FileProtocolHandler"])
    } else if cfg!(target_os = "macos") {
        // Over ssh it would open on the screen of somebody else.
        (!is_set("SSH_CONNECTION")).then_some(&["open"])
    } else if is_set("DISPLAY") || is_set("WAYLAND_DISPLAY") {
        let path = environment("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join("xdg-open").is_file()).then_some(&["xdg-open"])
    } else {
        None
    }
}

/// The words of a command line: spaces separate, quotes of either kind hold together. `None` if a quote does not end.
fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in text.chars() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://i.example/auth?a=b&c=%20d;e$(f)";

    fn opened(setting: Option<&str>, browser: Option<&str>) -> Vec<Vec<String>> {
        let environment = |name: &str| browser.filter(|_| name == "BROWSER").map(OsString::from);
        let opener = Opener::find(setting, &environment).unwrap().unwrap();
        opener.commands.iter().map(|command| command.iter().map(|word| word.join(URL)).collect()).collect()
    }

    #[test]
    fn the_address_is_one_word_for_no_shell() {
        assert_eq!(opened(Some("open {{.URL}}"), None), [["open", URL]]);
        let quoted = r#""/opt/my browser/run" --profile='a "b"' --url={{ .URL }}"#;
        let want = ["/opt/my browser/run".to_owned(), "--profile=a \"b\"".to_owned(), format!("--url={URL}")];
        assert_eq!(opened(Some(quoted), None), [want]);
        assert_eq!(opened(None, Some("firefox -P %s:w3m")), [vec!["firefox", "-P", URL], vec!["w3m", URL]]);
    }

    #[test]
    fn an_opener_that_opens_nothing_is_refused() {
        for bad in ["firefox", "", "fire'fox {{.URL}}", "{{.URL}}", "a {{.URL}}\nb", "a {{.Url}}"] {
            assert!(matches!(Opener::find(Some(bad), &|_| None), Err(LoginError::Opener(_))), "{bad}");
        }
        assert_eq!(Opener::find(None, &|name| (name == "BROWSER").then(|| "::'".into())).unwrap(), None);
    }

    #[test]
    #[cfg(all(unix, not(target_os = "macos")))]
    fn without_a_screen_there_is_no_browser() {
        let path = |name: &str| (name == "PATH").then(|| OsString::from("/nowhere"));
        assert_eq!(Opener::find(None, &path).unwrap(), None);
        let without = |name: &str| if name == "DISPLAY" { Some(":0".into()) } else { path(name) };
        assert_eq!(Opener::find(None, &without).unwrap(), None);
    }
}
