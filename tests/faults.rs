//! Every fault of the sandbox during `git commit -S`: no commit, one error and one hint, in time, and nothing left.
//!
//! The same faults meet the library in `sign.rs`; here they meet the whole program under git.

use crate::lab::{ALICE, Lab, gitseal, run};
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Signing gives up after a minute (`service::session::SIGNING_TIME`); the rest is for git and a busy machine.
const BOUND: Duration = Duration::from_secs(80);

/// Those that wait cost no processor, so many may run at once.
const THREADS: usize = 8;

/// Which log the session signs with, which fault it meets, and what the error says of it.
const FATAL: &[(&str, &str, &str)] = &[
    ("1", "5xx@fulcio", "503"),
    ("1", "429@fulcio", "429"),
    ("1", "cut-connection@fulcio", "certificate authority"),
    ("1", "slow@fulcio=600", "certificate authority"),
    ("1", "wrong-key@fulcio", "certificate"),
    ("1", "5xx@rekor", "503"),
    ("1", "429@rekor", "429"),
    ("1", "cut-connection@rekor", "log"),
    ("1", "slow@rekor=600", "log"),
    ("1", "wrong-key@rekor", "log"),
    ("1", "stale-checkpoint@rekor", "checkpoint"),
    ("1", "split-view@rekor", "checkpoint"),
    ("2", "5xx@rekor", "503"),
    ("2", "cut-connection@rekor", "log"),
    ("2", "slow@rekor=600", "log"),
    ("2", "wrong-key@rekor", "checkpoint"),
    ("2", "stale-checkpoint@rekor", "checkpoint"),
    ("2", "split-view@rekor", "checkpoint"),
    ("2", "5xx@tsa", "503"),
    ("2", "429@tsa", "429"),
    ("2", "cut-connection@tsa", "timestamp"),
    ("2", "slow@tsa=600", "timestamp"),
    ("2", "wrong-key@tsa", "stamp"),
];

/// Faults that pass, if one asks again or waits a little.
const PASSING: &[(&str, &str)] = &[
    ("1", "5xx@fulcio*2"),
    ("1", "cut-connection@fulcio*1"),
    ("1", "429@rekor*1"),
    ("1", "cut-connection@rekor*1"),
    ("1", "slow@rekor=1*1"),
    ("2", "5xx@tsa*2"),
    ("2", "cut-connection@tsa*1"),
    ("2", "5xx@rekor*1"),
];

/// `git commit -S`, and what there is afterwards. The signer is called through a script that keeps what it said, since
/// git before 2.40 does not pass it on.
const SESSION: &str = r#"
cat >~/signer <<'EOF' && chmod +x ~/signer
#!/bin/sh
gitseal "$@" 2>~/said; status=$?; cat ~/said >&2; exit $status
EOF
git config --global gpg.format x509; git config --global gpg.x509.program ~/signer
git init -q ~/demo; cd ~/demo
git commit -q -S --allow-empty -m no >/dev/null 2>&1; echo "status $?"
echo "commits $(git cat-file --batch-all-objects --batch-check='%(objecttype)' | grep -c commit)"
echo "left $(ls -A "$TMPDIR" | wc -l)"
git verify-commit --raw HEAD 2>&1 | grep -c GOODSIG
cat ~/said
"#;

/// What the session printed, and how long it took.
fn meet(version: &str, fault: &str) -> (String, Duration) {
    let lab = Lab::new();
    let script = lab.home().join("session");
    std::fs::write(&script, SESSION).unwrap();
    let mut command = lab.command(gitseal());
    command.args(["sandbox", "run", "--identity", ALICE, "--rekor-version", version, "--fault", fault, "--dir"]);
    command.arg(lab.sandbox()).arg("--").arg("bash").arg(script);
    let started = Instant::now();
    let output = run(command);
    (String::from_utf8_lossy(&output.stdout).into_owned(), started.elapsed())
}

/// What is wrong with the answer to a fault that does not pass.
fn judge_fatal(told: &str, names: &str, took: Duration) -> Vec<&'static str> {
    let said: Vec<&str> = told.lines().skip(4).collect();
    let count = |start: &str| said.iter().filter(|line| line.starts_with(start)).count();
    let error = said.iter().find(|line| line.starts_with("gitseal: error: ")).unwrap_or(&"");
    let checks = [
        (told.starts_with("status 128\ncommits 0\nleft 0\n0\n"), "a commit was made, or something is left"),
        (count("gitseal: error: ") == 1, "there is not one error line"),
        (count("gitseal: hint: ") == 1, "there is not one hint line"),
        (error.to_lowercase().contains(names), "the error does not name the cause"),
        (!told.contains("SIG_CREATED"), "SIG_CREATED without a signature"),
        (took < BOUND, "it took too long"),
    ];
    checks.into_iter().filter_map(|(holds, what)| (!holds).then_some(what)).collect()
}

/// Meets all the faults, some at a time; `judge` says what is wrong with each answer.
fn meet_all(faults: &[(&str, &str)], judge: impl Fn(usize, &str, Duration) -> Vec<&'static str> + Sync) {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(String::new()));
    let work = || {
        while let Some((number, (version, fault))) = {
            let number = next.fetch_add(1, Ordering::Relaxed);
            faults.get(number).map(|fault| (number, fault))
        } {
            let (told, took) = meet(version, fault);
            let found = judge(number, &told, took);
            println!("rekor v{version} {fault}: {} ms", took.as_millis());
            if !found.is_empty() {
                let mut wrong = wrong.lock().unwrap();
                writeln!(wrong, "rekor v{version} {fault}: {}\n{told}", found.join(", ")).unwrap();
            }
        }
    };
    std::thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(work))));
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn a_fault_while_signing_makes_no_commit_fail() {
    let faults: Vec<_> = FATAL.iter().map(|(version, fault, _)| (*version, *fault)).collect();
    meet_all(&faults, |number, told, took| judge_fatal(told, FATAL[number].2, took));
}

#[test]
fn a_fault_that_passes_is_waited_for() {
    meet_all(PASSING, |_, told, took| {
        let good = told.starts_with("status 0\ncommits 1\nleft 0\n1\n") && took < BOUND;
        if good { Vec::new() } else { vec!["no good commit was made"] }
    });
}
