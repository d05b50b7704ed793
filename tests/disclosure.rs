//! The question before an identity becomes public, put on a real terminal by a signer that git calls.
//!
//! The signer is a shell script: this test binary asks, as the interactive login does, and only then gitseal signs.

use gitseal::cli::committer::Committer;
use gitseal::cli::disclosure::{Assent, acknowledge};
use gitseal::cli::instance::services;
use gitseal::cli::signatory::Signatory;
use gitseal::cli::streams::Streams;
use gitseal::cli::world::World;

use crate::lab::{Lab, run};
use crate::terminal::{Person, own_program};

const QUESTION: &str = "Make this public? [y/N] ";

/// Ask, as `ASSENT` says, for the person whose token is in the environment.
#[test]
#[ignore = "the asking side of the tests below, started by them"]
fn child() {
    let mut streams = Streams::terminal();
    let world = World::read(&mut streams).unwrap();
    let instance = services::instance(&world.settings).unwrap();
    let mut signatory = Signatory::of(&world.settings, &Committer::Anybody).unwrap();
    let token = signatory.token(&mut streams).unwrap();
    let assent = if std::env::var_os("ASSENT").is_some() { Assent::Given } else { Assent::Ask };
    let issuer = token.issuers().next().unwrap();
    let asked = acknowledge(&world.settings, token.subject(), issuer, &instance, assent, &mut streams);
    if let Err(error) = asked {
        std::process::exit(error.report(&mut streams) as i32);
    }
}

/// A lab whose git signs with the script, and shell text that runs there in the sandbox.
fn guarded(lab: &Lab, text: &str) -> String {
    let signer = lab.temp().join("signer");
    // What the asking side says goes to the terminal, or to stderr; the test harness around it speaks on stdout.
    let script = format!("#!/bin/bash\n{} >/dev/null || exit\nexec gitseal \"$@\"\n", own_program("disclosure::child"));
    std::fs::write(&signer, script).unwrap();
    format!(
        "set -e; export GITSEAL_AGENT=off; chmod +x '{signer}'; git config --global gpg.format x509
         git config --global gpg.x509.program '{signer}'; git init -q demo; cd demo\n{text}",
        signer = signer.display()
    )
}

/// The certificates and log entries that the sandbox was asked for.
fn requests(lab: &Lab) -> usize {
    let log = std::fs::read_to_string(lab.requests()).unwrap();
    log.lines().filter(|line| line.contains(" POST ")).count()
}

fn acknowledged(lab: &Lab) -> String {
    let mut git = lab.command("git");
    git.args(["config", "--global", "--get-all", "gitseal.acknowledged"]);
    String::from_utf8(run(git).stdout).unwrap()
}

#[test]
fn a_no_makes_nothing() {
    let lab = Lab::new();
    let text = "git commit -q -S --allow-empty -m x || echo \"git: $?\"; git rev-parse -q --verify HEAD || echo none";
    let mut person = Person::in_sandbox(&lab, &guarded(&lab, text));
    person.sees(QUESTION);
    person.types(b"n\n");
    let (screen, _) = person.leaves();
    assert!(screen.contains("you did not agree that alice@example.com becomes public"), "{screen}");
    assert!(screen.contains("git: 128") && screen.contains("none"), "{screen}");
    assert_eq!((requests(&lab), acknowledged(&lab)), (0, String::new()));
}

#[test]
fn a_yes_is_remembered() {
    let lab = Lab::new();
    let commit = "git commit -q -S --allow-empty -m x";
    let text = format!("git config --global --add gitseal.acknowledged bob@example.com\n{commit}; {commit}; {commit}");
    let mut person = Person::in_sandbox(&lab, &guarded(&lab, &text));
    person.sees(QUESTION);
    person.types(b"yes\n");
    let (screen, status) = person.leaves();
    assert!(status.success(), "{screen}");
    assert_eq!(screen.matches(QUESTION).count(), 1, "{screen}");
    let base = std::fs::read_to_string(lab.sandbox().join("env")).unwrap();
    let base = base.split("GITSEAL_SANDBOX_URL=").nth(1).unwrap().split("http://").nth(1).unwrap();
    let host = base.split(['\'', '\n', '"']).next().unwrap();
    for part in ["sign as alice@example.com", &format!("http://{host}/oidc vouches"), &format!("log at {host}")] {
        assert!(screen.contains(part), "{part}: {screen}");
    }
    assert_eq!(requests(&lab), 6, "a certificate and an entry for each commit");
    assert_eq!(acknowledged(&lab), format!("bob@example.com\nalice@example.com in {host}\n"));
}

#[test]
fn ctrl_c_at_the_question_makes_nothing() {
    let lab = Lab::new();
    let mut person = Person::in_sandbox(&lab, &guarded(&lab, "git commit -q -S --allow-empty -m x"));
    person.sees(QUESTION);
    person.types(b"\x03");
    let (screen, status) = person.leaves();
    assert!(!status.success(), "{screen}");
    assert_eq!((requests(&lab), acknowledged(&lab)), (0, String::new()));
    let git = lab.home().join("demo/.git");
    assert!(!git.join("refs/heads/main").exists() && !git.join("index.lock").exists());
}

#[test]
fn without_a_terminal_the_error_tells_the_command_that_agrees() {
    let lab = Lab::new();
    let sign = "export ASSENT; echo x | \"$(git config gpg.x509.program)\" -bsau x";
    let said = lab.shell(&guarded(&lab, &format!("unset ASSENT; ({sign}) 2>&1 >/dev/null || true")));
    let hint = "gitseal: hint: if that is as you want it: ";
    let command = said.lines().find_map(|line| line.strip_prefix(hint)).unwrap_or_else(|| panic!("no hint: {said}"));
    assert!(said.contains("there is no terminal to ask you on"), "{said}");
    assert_eq!(requests(&lab), 0);
    assert!(command.starts_with("git config --global --add gitseal.acknowledged 'alice@example.com in 127.0.0.1:"));
    lab.shell(&format!("cd demo; export GITSEAL_AGENT=off; {command}; git commit -q -S --allow-empty -m x"));
    assert_eq!(requests(&lab), 2);
}

#[test]
fn assent_on_the_command_line_is_kept_and_needs_no_terminal() {
    let lab = Lab::new();
    lab.shell(&guarded(&lab, "ASSENT=1 git commit -q -S --allow-empty -m x; git commit -q -S --allow-empty -m y"));
    assert_eq!(requests(&lab), 4);
    assert!(acknowledged(&lab).starts_with("alice@example.com in 127.0.0.1:"));
}

#[test]
fn an_answer_that_cannot_be_kept_is_still_an_answer() {
    let lab = Lab::new();
    // git's own lock: somebody else is writing the file.
    let text = "touch ~/.gitconfig.lock; git commit -q -S --allow-empty -m x; rm ~/.gitconfig.lock; git rev-parse HEAD";
    let mut person = Person::in_sandbox(&lab, &guarded(&lab, text));
    person.sees(QUESTION);
    person.types(b"y\n");
    let (screen, status) = person.leaves();
    assert!(status.success(), "{screen}");
    assert!(screen.contains("your answer could not be kept"), "{screen}");
    assert_eq!((requests(&lab), acknowledged(&lab)), (2, String::new()));
}
