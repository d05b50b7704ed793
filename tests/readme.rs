//! The README is played: its first command prints what stands under it, and its sessions go as they are shown.

use crate::script::{self, Step};
use std::process::Command;

const README: &str = include_str!("../README.md");

/// The fenced `console` blocks, as steps of sessions.
fn blocks() -> Vec<Vec<Step>> {
    let mut blocks = Vec::new();
    let mut rest = README;
    while let Some((_, after)) = rest.split_once("```console\n") {
        let (block, after) = after.split_once("\n```").expect("a fence closes");
        blocks.push(script::parse(block).0);
        rest = after;
    }
    blocks
}

#[test]
fn the_first_command_signs_and_verifies_a_commit() {
    let first = blocks().remove(0).remove(0);
    assert_eq!(first.command, ["scripts/try"]);
    let output = Command::new("scripts/try").current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    script::assert_printed(&first, &told);
}

#[test]
fn the_second_command_is_the_one_that_ci_runs() {
    let second = &blocks()[0][1];
    assert_eq!(second.command, ["scripts/test"]);
    assert!(include_str!("../.ci/run").contains("\nscripts/test "));
}

#[test]
fn the_sessions_go_as_they_are_shown() {
    for block in blocks().into_iter().skip(1) {
        script::play_elsewhere(block);
    }
}
