//! Where the agent lives and what it lives with: sockets that somebody has laid there, other users, several starters at
//! once, a socket that is handed over, and what it takes along from whoever starts it.

use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::memory::Nobody;
use super::{Bed, Ended, Talk, hello, is_root, said, skip, until};
use crate::lab::{gitseal, run};

#[test]
fn what_lies_where_a_socket_belongs_is_refused_and_left_alone_fail() {
    let bed = Bed::new();
    let agent = bed.directory();
    std::fs::create_dir(&agent).unwrap();
    std::fs::set_permissions(&agent, std::fs::Permissions::from_mode(0o700)).unwrap();
    let refused = |why: &str| {
        let output = bed.gitseal(&["agent", "start"]);
        assert!(!output.status.success(), "{}", said(&output));
        assert!(said(&output).contains(why), "{}", said(&output));
    };
    for name in ["agent.sock", "forward.sock"] {
        let socket = agent.join(name);
        std::fs::write(&socket, "mine").unwrap();
        refused(&format!("{name} is not a socket"));
        assert_eq!(std::fs::read(&socket).unwrap(), b"mine");
        std::fs::remove_file(&socket).unwrap();

        let elsewhere = bed.lab.temp().join(name);
        let _listening = UnixListener::bind(&elsewhere).unwrap();
        symlink(&elsewhere, &socket).unwrap();
        refused(&format!("{name} is not a socket"));
        assert!(elsewhere.exists() && socket.is_symlink());
        std::fs::remove_file(&socket).unwrap();
    }
    std::fs::remove_file(agent.join("lock")).unwrap();
    symlink(bed.lab.temp().join("target"), agent.join("lock")).unwrap();
    refused("lock");
    std::fs::remove_file(agent.join("lock")).unwrap();
    assert!(!bed.lab.temp().join("target").exists());
    // The twin: a socket that a dead agent has left.
    drop(UnixListener::bind(bed.socket()).unwrap());
    bed.start();
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!([mode(agent), mode(bed.socket()), mode(bed.forward_socket())], [0o700, 0o600, 0o600]);
}

#[test]
fn a_directory_that_is_opened_later_is_refused_by_clients() {
    let bed = Bed::new();
    bed.start();
    std::fs::set_permissions(bed.directory(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let output = bed.gitseal(&["agent", "status"]);
    assert!(said(&output).contains("is open to others (mode 777)"), "{}", said(&output));
    std::fs::set_permissions(bed.directory(), std::fs::Permissions::from_mode(0o700)).unwrap();
    assert!(bed.gitseal(&["agent", "status"]).status.success());
}

#[test]
fn agents_and_clients_of_different_users_do_not_speak() {
    if !is_root() || Command::new("setpriv").arg("--version").output().is_err() {
        return skip("being another user takes root and setpriv");
    }
    let nobody = Nobody::new();
    let started = nobody.shell("\"$GITSEAL\" agent start; \"$GITSEAL\" agent status");
    assert!(started.contains("the agent holds nothing"), "{started}");
    let [socket, forward] = ["agent.sock", "forward.sock"].map(|name| nobody.home().join("agent").join(name));
    // Everything open: only who asks decides. Even root is somebody else, for nobody's keys are not root's.
    for path in [&nobody.home().join("agent"), &socket, &forward] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    for socket in [&socket, &forward] {
        let mut talk = Talk::to(socket);
        let _ = std::io::Write::write_all(&mut talk.0, &super::frame(hello().to_string().as_bytes()));
        assert_eq!(talk.hear(), None);
    }

    // The other way round: root's gitseal gives nothing to nobody's agent.
    let bed = Bed::new();
    let signs = || {
        let mut command = bed.command(gitseal());
        command.env("GITSEAL_AGENT_SOCK", &socket).env("GITSEAL_AGENT", "require");
        run(bed.signer(command))
    };
    let output = signs();
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(said(&output).contains("belongs to somebody else (uid 65534)"), "{}", said(&output));
    // Even if the file is root's, the one that listens is not.
    std::os::unix::fs::chown(&socket, Some(0), Some(0)).unwrap();
    let output = signs();
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(said(&output).contains("is run by somebody else"), "{}", said(&output));
    std::os::unix::fs::chown(&socket, Some(Nobody::UID), None).unwrap();
    std::fs::set_permissions(nobody.home().join("agent"), std::fs::Permissions::from_mode(0o700)).unwrap();
    assert!(nobody.shell("\"$GITSEAL\" agent status").contains("the agent holds nothing"));
    // And a directory of somebody else is no place for an agent.
    let mut command = bed.command_of_nobody(gitseal());
    command.args(["agent", "start"]).env("GITSEAL_AGENT_DIR", nobody.home().join("agent"));
    let output = run(command);
    assert!(said(&output).contains("belongs to somebody else (uid 65534)"), "{}", said(&output));
}

/// The processes that are agents in the bed's directory.
fn agents(bed: &Bed) -> BTreeSet<u32> {
    let here = format!("GITSEAL_AGENT_DIR={}", bed.directory().display());
    let is_one = |pid: &u32| {
        let read = |file| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let has = |bytes: Vec<u8>, word: &str| bytes.split(|byte| *byte == 0).any(|part| part == word.as_bytes());
        has(read("environ"), &here) && has(read("cmdline"), "--detached")
    };
    let names = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.file_name());
    names.filter_map(|name| name.to_str()?.parse().ok()).filter(is_one).collect()
}

#[test]
fn eight_starters_get_one_agent_and_one_certificate() {
    let bed = Bed::new();
    // Slow enough that all are there before the first has a certificate.
    bed.faults(&["slow@fulcio=1"]);
    let outputs: Vec<_> = std::thread::scope(|scope| {
        let signing: Vec<_> = (0..8).map(|_| scope.spawn(|| bed.sign())).collect();
        signing.into_iter().map(|one| one.join().unwrap()).collect()
    });
    bed.faults(&[]);
    let mut certificates = BTreeSet::new();
    for output in &outputs {
        assert!(output.status.success(), "{}", said(output));
        assert!(!said(output).contains("without the agent"), "{}", said(output));
        certificates.insert(bed.verifies(&output.stdout).to_pem());
    }
    assert_eq!(certificates.len(), 1);
    assert_eq!(agents(&bed).into_iter().collect::<Vec<_>>(), [bed.pid()]);
    assert_eq!(bed.log_len(), 8);
    // Somebody who logs in later gets a new one.
    assert!(bed.gitseal(&["agent", "forget"]).status.success());
    assert!(!certificates.contains(&bed.signs().to_pem()));
}

#[test]
fn it_takes_nothing_along_but_what_it_needs() {
    let bed = Bed::new();
    // git gives its status pipe as any number; a reader waits until nobody holds the other end.
    let script = bed.lab.temp().join("script");
    let text = "for fd in 5 23; do eval \"exec $fd>&-\"; eval \"{ gitseal --status-fd=$fd -bsau x $fd>&1 >/dev/null; } \" <payload | cat; done";
    std::fs::write(&script, text).unwrap();
    let mut command = bed.command("bash");
    command.arg(&script).env("AWS_SECRET_ACCESS_KEY", "s3cret");
    let began = Instant::now();
    let output = run(command);
    assert!(began.elapsed() < Duration::from_secs(50), "the agent lives on and holds the pipe");
    assert_eq!(said(&output).matches("SIG_CREATED").count(), 2, "{}", said(&output));

    let pid = bed.pid();
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    let environment = String::from_utf8_lossy(&environment);
    assert!(environment.contains("GITSEAL_TRUSTED_ROOT="), "settings come along");
    for secret in ["ID_TOKEN", "eyJ", "s3cret", &bed.token] {
        assert!(!environment.contains(secret), "{environment}");
    }
    let command_line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(!String::from_utf8_lossy(&command_line).contains("eyJ"));
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        let target = std::fs::read_link(entry.path()).unwrap_or_default();
        assert!(!target.to_string_lossy().starts_with("pipe:"), "{} is {}", entry.path().display(), target.display());
    }
    assert_eq!(std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), std::path::Path::new("/"));
    assert_eq!(std::fs::read_link(format!("/proc/{pid}/fd/1")).unwrap(), std::path::Path::new("/dev/null"));
}

/// `gitseal agent start --foreground`, given these sockets as systemd gives them.
fn activated(bed: &Bed, sockets: &[&std::path::Path]) -> Ended {
    let mut command = bed.command_of_nobody("systemd-socket-activate");
    for socket in sockets {
        command.arg("--listen").arg(socket);
    }
    let names = std::iter::once("HOME").chain(bed.sandbox.variables().iter().map(|variable| variable.name));
    command.args(names.map(|name| format!("--setenv={name}")));
    command.arg(gitseal()).args(["agent", "start", "--foreground", "--linger", "1"]);
    let log = std::fs::File::create(bed.lab.temp().join("activated")).unwrap();
    Ended(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap())
}

#[test]
fn a_socket_that_is_handed_over_is_used_if_it_is_the_one_that_clients_look_for() {
    if Command::new("systemd-socket-activate").arg("--version").output().is_err() {
        return skip("handing a socket over takes systemd-socket-activate");
    }
    let bed = Bed::new();
    let words = || std::fs::read_to_string(bed.lab.temp().join("activated")).unwrap();
    std::fs::create_dir(bed.directory()).unwrap();
    std::fs::set_permissions(bed.directory(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut running = activated(&bed, &[&bed.socket()]);
    until("it listens for the agent", || bed.socket().exists());
    bed.signs();
    assert_eq!(bed.pid(), running.0.id());
    assert!(agents(&bed).is_empty(), "nobody else was started");
    assert!(bed.forward_socket().exists());
    assert!(bed.gitseal(&["agent", "stop"]).status.success());
    assert!(running.0.wait().unwrap().success(), "{}", words());
    // It belongs to who handed it over, and who listens on it still.
    assert!(bed.socket().exists() && !bed.forward_socket().exists());
    std::fs::remove_file(bed.socket()).unwrap();

    let foreign = bed.lab.temp().join("foreign.sock");
    for (sockets, why) in [
        (vec![foreign.as_path()], "and clients look for"),
        (vec![foreign.as_path(), &bed.socket()], "2 sockets were handed over; the agent takes one"),
    ] {
        let mut refusing = activated(&bed, &sockets);
        until("it listens", || sockets.iter().all(|socket| socket.exists()));
        let _first = std::os::unix::net::UnixStream::connect(&foreign).unwrap();
        assert!(!refusing.0.wait().unwrap().success());
        assert!(words().contains(why), "{}", words());
        sockets.iter().for_each(|socket| std::fs::remove_file(socket).unwrap());
    }
    // Nobody answers on a socket: gitseal starts an agent of its own.
    let mut status = bed.command_of_nobody(gitseal());
    status.args(["agent", "status"]).stdout(Stdio::null());
    assert_eq!(status.status().unwrap().code(), Some(3));
}

#[test]
fn an_agent_that_nobody_can_find_any_more_ends() {
    let bed = Bed::new();
    bed.signs();
    let lost = bed.pid();
    std::fs::remove_dir_all(bed.directory()).unwrap();
    until("it ends", || !agents(&bed).contains(&lost));
    bed.signs();
    assert_ne!(bed.pid(), lost);
}
