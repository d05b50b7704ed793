//! Sessions: `script/*.txt` says what a person types and what they see, and this plays it with real git in the sandbox.
//!
//! ```text
//! # Prose, after an empty line.
//!
//! $ git commit -q -S -m one
//! $ git log -1 --format='%G? %GS'
//! G alice@example.com
//! $ git verify-commit HEAD~1
//! error: [..]
//! ...
//! ? 1
//! ```
//!
//! `$` is a command, and `> ` at the start of a line continues it; all commands of a file share one bash. Under it stands
//! what it prints, stdout and stderr together: `[..]` matches anything within a line, `...` any number of lines. `? 1` is
//! the exit status where it is not 0. What differs from run to run is replaced before comparing (see [`settle`]).
//!
//! `GITSEAL_BLESS=1 cargo test script` rewrites what did not match; read the difference before committing it.

use crate::lab::{Lab, gitseal, run};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// One test for each file; a file that is not named here fails `every_session_is_played`.
macro_rules! sessions {
    ($($name:ident)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];
        $(#[test] fn $name() { play(stringify!($name)); })*
    };
}

sessions! {
    agent
    agent_fail
    ci
    ci_fail
    ci_github
    ci_github_fail
    ci_platforms
    ci_platforms_fail
    ci_policy
    commit
    commit_fail
    doctor
    doctor_git_fail
    doctor_instance_fail
    doctor_settings_fail
    doctor_signing_fail
    exit_codes
    foreign_fail
    hostile_identity_fail
    login
    hook_install
    hook_certificates
    hook_identity
    hook_pre_push
    hook_update
    hook_push
    identity
    identity_expected
    identity_expected_fail
    identity_fail
    init
    instance
    instance_fail
    instance_files
    match_committer
    match_committer_fail
    login_browser
    login_device
    login_fail
    merge
    merge_fail
    online
    operators
    operators_fail
    policy_commit
    policy_diff
    policy_diff_fail
    policy_explain
    policy_explain_fail
    policy_init
    policy_init_fail
    policy_lint
    policy_lint_fail
    policy_test
    policy_test_fail
    protocol
    push
    push_fail
    rekor_v2
    runner
    settings_fail
    sha256
    show
    show_bundle
    smime
    strict_fail
    tag
    tag_fail
    token_ci_fail
    token_fail
    token_platforms
    trust_export
    trust_fail
    trust_level
    trust_show
    trust_update
    trust_update_fail
    tuf_mirror
    verify_json
    version
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/script")
}

#[test]
fn every_session_is_played() {
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let stem = name.strip_suffix(".txt").unwrap_or_else(|| panic!("{name} is not a session"));
        assert!(NAMES.contains(&stem), "tests/script.rs does not play {name}");
    }
}

/// A command, what stands above it (prose, empty lines), and what it should print.
struct Step {
    prose: String,
    command: Vec<String>,
    output: Vec<String>,
    status: i32,
}

/// What a command did print.
#[derive(PartialEq)]
struct Outcome {
    output: Vec<String>,
    status: i32,
}

fn parse(text: &str) -> (Vec<Step>, String) {
    let mut steps = Vec::<Step>::new();
    let mut prose = String::new();
    let mut in_output = false;
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        if let Some(command) = line.strip_prefix("$ ") {
            let prose = std::mem::take(&mut prose);
            steps.push(Step { prose, command: vec![command.into()], output: Vec::new(), status: 0 });
            in_output = true;
        } else if !in_output || (line.is_empty() && ends_output(&lines[at..])) {
            in_output = false;
            writeln!(prose, "{line}").unwrap();
        } else {
            let step = steps.last_mut().expect("output follows a command");
            match (line.strip_prefix("> "), line.strip_prefix("? ")) {
                (Some(more), _) if step.output.is_empty() => step.command.push(more.into()),
                (_, Some(status)) => step.status = status.parse().expect("a number after `? `"),
                _ => step.output.push((*line).into()),
            }
        }
    }
    (steps, prose)
}

/// An empty line ends the output if prose, a command or the end of the file follows.
fn ends_output(rest: &[&str]) -> bool {
    rest.iter().find(|line| !line.is_empty()).is_none_or(|line| line.starts_with("$ ") || line.starts_with("# "))
}

fn play(name: &str) {
    let path = folder().join(format!("{name}.txt"));
    let (mut steps, tail) = parse(&std::fs::read_to_string(&path).unwrap());
    let wrong = compare(&mut steps);
    if wrong.is_empty() {
        return;
    }
    if std::env::var_os("GITSEAL_BLESS").is_some() {
        std::fs::write(&path, render(&steps) + &tail).unwrap();
        return;
    }
    panic!("\n{name}.txt differs\n\n{wrong}");
}

/// Plays a session that stands elsewhere, such as in the README: there it shows real values, so both sides are settled.
pub(crate) fn play_elsewhere(text: &str) {
    let (mut steps, _) = parse(text);
    let settle = Settle::default();
    for step in &mut steps {
        step.output = settle.lines(&step.output.join("\n"));
    }
    let wrong = compare(&mut steps);
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// Compares what stands somewhere with what was printed.
#[track_caller]
pub(crate) fn assert_printed(expected: &str, printed: &str) {
    let settle = Settle::default();
    let (expected, printed) = (settle.lines(expected), settle.lines(printed));
    assert!(
        lines_match(&expected, &printed),
        "\nexpected\n{}\n\nprinted\n{}\n",
        expected.join("\n"),
        printed.join("\n")
    );
}

/// Performs the steps; tells the differences, and puts what was printed in the place of what was expected.
fn compare(steps: &mut [Step]) -> String {
    let mut wrong = String::new();
    let outcomes = perform(steps);
    for (step, outcome) in steps.iter_mut().zip(outcomes) {
        if step.status != outcome.status || !lines_match(&step.output, &outcome.output) {
            writeln!(wrong, "{}", difference(step, &outcome)).unwrap();
            step.output = outcome.output;
            step.status = outcome.status;
        }
    }
    wrong
}

/// Runs all the commands in one bash and collects what each printed.
fn perform(steps: &[Step]) -> Vec<Outcome> {
    let lab = Lab::new();
    let folder = lab.temp().parent().unwrap().join("steps");
    std::fs::create_dir(&folder).unwrap();
    let at = |kind: &str, number: usize| folder.join(format!("{kind}.{number}"));
    let mut script = String::from("enable -n exit\n");
    for (number, step) in steps.iter().enumerate() {
        std::fs::write(at("command", number), step.command.join("\n") + "\n").unwrap();
        let [command, output, status] = ["command", "output", "status"].map(|kind| at(kind, number));
        writeln!(
            script,
            ". {} >{} 2>&1 </dev/null; echo $? >{}",
            command.display(),
            output.display(),
            status.display()
        )
        .unwrap();
    }
    let path = folder.join("script");
    std::fs::write(&path, script).unwrap();
    let ended = run(lab.in_sandbox(&path));
    let settle = Settle::of(&lab);
    let outcome = |number| {
        let status = std::fs::read_to_string(at("status", number)).ok()?.trim().parse().ok()?;
        let output = std::fs::read(at("output", number)).ok()?;
        Some(Outcome { output: settle.lines(&String::from_utf8_lossy(&output)), status })
    };
    (0..steps.len())
        .map(|number| {
            outcome(number).unwrap_or_else(|| {
                let said = String::from_utf8_lossy(&ended.stderr);
                panic!("`{}` was not run to its end: {}\n{said}", steps[number].command.join("\n"), ended.status)
            })
        })
        .collect()
}

/// Replaces what differs from run to run.
struct Settle {
    folders: Vec<(String, &'static str)>,
    patterns: Vec<(regex::Regex, &'static str)>,
}

impl Default for Settle {
    fn default() -> Self {
        let pattern = |text: &str, name| (regex::Regex::new(text).unwrap(), name);
        let patterns = vec![
            pattern(r"127\.0\.0\.1:[0-9]+", "127.0.0.1:PORT"),
            pattern(r"\b[0-9a-f]{64}\b", "HEX64"),
            pattern(r"\b[0-9a-fA-F]{40}\b", "HEX40"),
            pattern(r"\b[0-9a-f]{12}\b", "HEX12"),
            pattern(r"\b20[0-9-]{8}T[0-9:]{8}(\.[0-9]+)?Z", "TIME"),
            pattern(r"\b20[0-9]{2}-[01][0-9]-[0-3][0-9]", "DATE"),
            pattern(r"\b[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]+)?\b", "TIME"),
            pattern(r"\b[12][0-9]{9}\b", "UNIXTIME"),
            // How long a credential lives yet.
            pattern(r"\b[0-9] m [0-9]{1,2} s\b", "M:SS"),
        ];
        Self { folders: Vec::new(), patterns }
    }
}

impl Settle {
    fn of(lab: &Lab) -> Self {
        let show = |path: PathBuf| path.display().to_string();
        let built = gitseal().parent().unwrap().to_owned();
        let folders = vec![
            (show(lab.home()), "~"),
            (show(lab.sandbox()), "SANDBOX"),
            (show(lab.temp()), "TMP"),
            (show(built), "BUILT"),
        ];
        Self { folders, ..Self::default() }
    }

    fn lines(&self, text: &str) -> Vec<String> {
        let mut text = text.to_owned();
        for (path, name) in &self.folders {
            text = text.replace(path, name);
        }
        for (pattern, name) in &self.patterns {
            text = pattern.replace_all(&text, *name).into_owned();
        }
        let mut lines: Vec<String> = text.lines().map(visible).collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }
}

/// A control character is shown as its escape: a session file is plain text, and a raw one must not hide in it.
fn visible(line: &str) -> String {
    line.chars().map(|c| if c.is_control() && c != '\t' { c.escape_default().to_string() } else { c.into() }).collect()
}

fn lines_match(expected: &[String], actual: &[String]) -> bool {
    match expected.split_first() {
        None => actual.is_empty(),
        Some((line, rest)) if line == "..." => (0..=actual.len()).any(|skip| lines_match(rest, &actual[skip..])),
        Some((line, rest)) => {
            actual.first().is_some_and(|first| line_matches(line, first)) && lines_match(rest, &actual[1..])
        }
    }
}

fn line_matches(expected: &str, actual: &str) -> bool {
    match expected.split_once("[..]") {
        None => expected == actual,
        Some((start, rest)) => actual.strip_prefix(start).is_some_and(|tail| {
            (0..=tail.len()).filter(|&at| tail.is_char_boundary(at)).any(|at| line_matches(rest, &tail[at..]))
        }),
    }
}

fn difference(step: &Step, outcome: &Outcome) -> String {
    let mut text = format!("$ {}\n", step.command.join("\n> "));
    for line in &step.output {
        writeln!(text, "  expected  {line}").unwrap();
    }
    for line in &outcome.output {
        writeln!(text, "  printed   {line}").unwrap();
    }
    if step.status != outcome.status {
        writeln!(text, "  expected status {}, got {}", step.status, outcome.status).unwrap();
    }
    text
}

fn render(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        writeln!(text, "{}$ {}", step.prose, step.command.join("\n> ")).unwrap();
        for line in &step.output {
            writeln!(text, "{line}").unwrap();
        }
        if step.status != 0 {
            writeln!(text, "? {}", step.status).unwrap();
        }
    }
    text
}

#[test]
fn wildcards_match_within_a_line_and_across_lines() {
    assert!(line_matches("a [..] c", "a b c") && line_matches("[..]", ""));
    assert!(!line_matches("a [..] c", "a b d"));
    let lines = |text: &str| text.lines().map(String::from).collect::<Vec<_>>();
    assert!(lines_match(&lines("a\n...\nd"), &lines("a\nb\nc\nd")));
    assert!(lines_match(&lines("...\nd"), &lines("d")));
    assert!(!lines_match(&lines("a\n..."), &lines("b")));
    assert!(!lines_match(&[], &lines("b")));
}

#[test]
fn a_session_is_read_back_as_it_was_written() {
    let text = "# A title\n\n$ one\nout\n\nmore\n? 2\n\n# Prose\n$ two \\\n>   three\n\n# End\n";
    let (steps, tail) = parse(text);
    assert_eq!(render(&steps) + &tail, text);
    assert_eq!(steps[0].output, ["out", "", "more"]);
    assert_eq!((steps[0].status, steps[1].command.len()), (2, 2));
}
