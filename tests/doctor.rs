//! `gitseal doctor` and the network: without `--online` it opens no socket and needs none, with it a dead network is a
//! finding and not a wait. What it finds and how that is mended is played in `script/doctor*.txt`.

use crate::lab::{Lab, gitseal, run};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A home in which git signs with gitseal, as somebody who is expected.
fn set_up() -> Lab {
    let lab = Lab::new();
    let mut init = lab.command(gitseal());
    init.args(["init", "--global"]);
    assert!(run(init).status.success());
    for (key, value) in [("certificateIdentity", "alice@example.com"), ("certificateOidcIssuer", "https://i.example")] {
        let mut command = lab.command("git");
        command.args(["config", "--global", &format!("gitseal.{key}"), value]);
        assert!(run(command).status.success());
    }
    lab
}

/// Whether a program is here and does this; a test that needs it says when it is not.
fn can(program: &str, arguments: &[&str]) -> bool {
    let tried = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let can = tried.is_ok_and(|status| status.success());
    if !can {
        eprintln!("SKIPPED: `{program} {}` does not work here", arguments.join(" "));
    }
    can
}

#[test]
fn unasked_it_opens_no_socket() {
    if !can("strace", &["-f", "true"]) {
        return;
    }
    let lab = set_up();
    let trace = lab.temp().join("trace");
    let sockets = |arguments: &[&str]| {
        let mut command = lab.command("strace");
        command.args(["-f", "-qq", "-e", "trace=network", "-e", "signal=none", "-o"]).arg(&trace);
        let output = run({
            command.arg(gitseal()).args(arguments);
            command
        });
        (String::from_utf8_lossy(&output.stdout).into_owned(), std::fs::read_to_string(&trace).unwrap())
    };
    let (said, calls) = sockets(&["doctor"]);
    assert!(said.ends_with("no fault found\n"), "{said}");
    assert_eq!(calls, "");

    // git left to itself asks the name service for this machine's domain when it knows no address.
    let mut unset = lab.command("git");
    unset.args(["config", "--global", "--unset", "user.email"]);
    assert!(run(unset).status.success());
    let (said, calls) = sockets(&["doctor", "--json"]);
    assert!(said.contains("email-missing") && !calls.contains("AF_INET"), "{said}{calls}");

    // The same look sees them when they are there.
    let (_, calls) = sockets(&["doctor", "--online"]);
    assert!(calls.contains("AF_INET"), "{calls}");
}

#[test]
fn it_works_where_there_is_no_network() {
    if !can("unshare", &["-rn", "true"]) {
        return;
    }
    let lab = set_up();
    let alone = |arguments: &[&str]| {
        let mut command = lab.command("unshare");
        command.arg("-rn").arg(gitseal()).args(arguments);
        let output = run(command);
        (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code())
    };
    let (said, status) = alone(&["doctor"]);
    assert!(said.ends_with("no fault found\n") && status == Some(0), "{said}");

    let started = Instant::now();
    let (said, status) = alone(&["doctor", "--online", "--json"]);
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    let services = report["services"].as_array().unwrap();
    assert!(services.len() >= 4, "{said}");
    assert!(services.iter().all(|service| service["reached"] == false && service["error"].is_string()), "{said}");
    let found = report["findings"].as_array().unwrap();
    assert_eq!(found.iter().filter(|finding| finding["id"] == "service-unreachable").count(), services.len());
    assert_eq!(status, Some(1));
}

#[test]
fn colour_is_for_terminals() {
    if !can("script", &["-qec", "true", "/dev/null"]) {
        return;
    }
    let lab = Lab::new();
    let on_a_terminal = |variable: &str, value: &str| {
        let mut command = lab.command("script");
        command.args(["-qec", "gitseal doctor", "/dev/null"]).env(variable, value);
        String::from_utf8_lossy(&run(command).stdout).into_owned()
    };
    let mut piped = lab.command(gitseal());
    piped.arg("doctor");
    let piped = String::from_utf8_lossy(&run(piped).stdout).into_owned();
    assert!(piped.contains("\nerror: gpg.format is not set") && !piped.contains('\x1b'), "{piped}");
    let coloured = on_a_terminal("TERM", "xterm");
    assert!(coloured.contains("\x1b[31merror:\x1b[m gpg.format is not set"), "{coloured}");
    assert!(!on_a_terminal("NO_COLOR", "1").contains('\x1b'));
}
