//! Work that is cut off: an agent that is killed, a client that goes away, and what each finds afterwards.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::{Bed, Ended, is_alive, kill, said, until};
use crate::lab::{gitseal, run};

/// How late the log answers: long enough to be cut off in the middle on a loaded machine.
const SLOW: &str = "slow@rekor=3";
const DELAY: Duration = Duration::from_secs(3);
/// When a signature is surely waiting for the log, and not yet there.
const MIDDLE: Duration = Duration::from_millis(1200);

fn repository(bed: &Bed) -> PathBuf {
    let repository = bed.lab.home().join("demo");
    let git = |arguments: &[&str]| {
        let mut git = bed.lab.command("git");
        git.args(arguments);
        assert!(run(git).status.success());
    };
    git(&["init", "-q", "demo"]);
    git(&["config", "--global", "gpg.format", "x509"]);
    git(&["config", "--global", "gpg.x509.program", "gitseal"]);
    repository
}

fn commit(bed: &Bed) -> Command {
    let mut git = bed.command("git");
    git.args(["-C", "demo", "commit", "-q", "-S", "--allow-empty", "-m", "x"]);
    git
}

fn head(bed: &Bed) -> Output {
    let mut git = bed.command("git");
    git.args(["-C", "demo", "rev-list", "--count", "--all"]);
    run(git)
}

#[test]
fn an_agent_killed_in_mid_signature_leaves_nothing_half_made() {
    let bed = Bed::new();
    let repository = repository(&bed);
    bed.signs();
    let pid = bed.pid();
    bed.faults(&[SLOW]);
    let mut git = commit(&bed);
    let mut waiting = Ended(git.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    std::thread::sleep(MIDDLE);
    assert!(waiting.0.try_wait().unwrap().is_none(), "git still waits");
    kill("KILL", pid);
    assert!(!waiting.0.wait().unwrap().success(), "git has an error");
    assert_eq!(said(&head(&bed)).trim(), "0");
    let files: Vec<_> =
        std::fs::read_dir(repository.join(".git")).unwrap().flatten().map(|file| file.file_name()).collect();
    assert!(!files.iter().any(|name| name.to_string_lossy().ends_with(".lock")), "{files:?}");

    // The same for gitseal alone, with its words.
    bed.faults(&[]);
    bed.signs();
    let next = bed.pid();
    assert_ne!(next, pid);
    bed.faults(&[SLOW]);
    let mut command = bed.signer(bed.command(gitseal()));
    let signing = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(MIDDLE);
    kill("KILL", next);
    let output = signing.wait_with_output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{}", said(&output));
    assert!(!said(&output).contains("SIG_CREATED"), "{}", said(&output));
    assert!(said(&output).contains("gitseal: error: the agent ended in the middle of its work"), "{}", said(&output));

    // What the killed one has left, its sockets, is in nobody's way.
    assert!(bed.socket().exists());
    bed.faults(&[]);
    let output = run(commit(&bed));
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&head(&bed)).trim(), "1");
    assert_ne!(bed.pid(), next);
    assert!(!said(&output).contains("without the agent"));
}

#[test]
fn a_client_that_goes_away_takes_its_request_back() {
    let bed = Bed::new();
    bed.signs();
    let (pid, signed) = (bed.pid(), bed.log_len());
    bed.faults(&[SLOW]);
    let spawn = || {
        let mut command = bed.signer(bed.command(gitseal()));
        Ended(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    };
    let (mut stays, mut leaves) = (spawn(), spawn());
    std::thread::sleep(MIDDLE);
    // Ctrl-C.
    kill("INT", leaves.0.id());
    assert!(!leaves.0.wait().unwrap().success());
    assert!(stays.0.wait().unwrap().success());
    std::thread::sleep(DELAY / 3);
    bed.faults(&[]);
    assert_eq!((bed.pid(), bed.log_len()), (pid, signed + 1), "the one that stayed has its signature");
}

#[test]
fn forgetting_ends_what_is_being_signed() {
    let bed = Bed::new();
    bed.signs();
    bed.faults(&[SLOW]);
    let mut command = bed.signer(bed.command_of_nobody(gitseal()));
    let signing = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(MIDDLE);
    let began = Instant::now();
    kill("USR1", bed.pid());
    let output = signing.wait_with_output().unwrap();
    assert!(began.elapsed() < DELAY - MIDDLE, "at once");
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(said(&output).contains("the credential was forgotten while it was signing"), "{}", said(&output));
    bed.faults(&[]);
    bed.signs();
}

#[test]
fn signals_and_idleness_end_it_and_remove_its_sockets() {
    let bed = Bed::new();
    for signal in ["TERM", "INT"] {
        let pid = bed.start();
        kill(signal, pid);
        until(signal, || !is_alive(pid));
        assert!(!bed.socket().exists() && !bed.forward_socket().exists(), "{signal}");
    }
    assert!(bed.gitseal(&["agent", "start", "--linger", "1"]).status.success());
    let pid = bed.pid();
    until("it has nothing to do", || !is_alive(pid));
    assert!(!bed.socket().exists() && !bed.forward_socket().exists());
    // One that holds something stays.
    assert!(bed.gitseal(&["agent", "start", "--linger", "1"]).status.success());
    bed.signs();
    let pid = bed.pid();
    std::thread::sleep(Duration::from_millis(2500));
    assert!(is_alive(pid));
    bed.signs();
    assert_eq!(bed.pid(), pid);
}
