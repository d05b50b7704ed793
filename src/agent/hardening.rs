//! What a process can do to keep its memory to itself: no core dumps, no debugger of the same user.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

/// Shut what can be shut, and name what could not be: a system that offers less is no reason not to sign.
#[must_use]
pub fn harden() -> Vec<String> {
    let steps: [(&str, io::Result<()>); 2] = [
        ("core dumps are not forbidden", no_core_dumps()),
        ("other programs of yours can read its memory", not_dumpable()),
    ];
    let failed = steps.into_iter().filter_map(|(what, step)| step.err().map(|error| format!("{what}: {error}")));
    failed.collect()
}

fn no_core_dumps() -> io::Result<()> {
    Ok(setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?)
}

/// ptrace, /proc/PID/mem and core dumps are then root's alone (prctl PR_SET_DUMPABLE).
#[cfg(target_os = "linux")]
fn not_dumpable() -> io::Result<()> {
    Ok(rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?)
}

/// Other systems have their own ways, and do not let programs of one user trace each other unasked.
#[cfg(not(target_os = "linux"))]
fn not_dumpable() -> io::Result<()> {
    Ok(())
}
