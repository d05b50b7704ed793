//! The README is played: its first command prints what stands under it, and its sessions go as they are shown.

use crate::script;
use std::process::Command;

const README: &str = include_str!("../README.md");

/// The fenced blocks of one kind.
fn blocks(kind: &str) -> Vec<&'static str> {
    let fence = format!("\n```{kind}\n");
    README.split(&fence).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
}

#[test]
fn the_first_command_signs_and_verifies_a_commit() {
    assert!(blocks("sh")[0].starts_with("scripts/try "));
    let output = Command::new("scripts/try").current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let told = told.replace(env!("CARGO_MANIFEST_DIR"), "~/gitseal");
    script::assert_printed(blocks("text")[0], told.trim_start());
}

#[test]
fn the_second_command_is_the_one_that_ci_runs() {
    assert!(blocks("sh")[0].contains("\nscripts/test "));
    assert!(include_str!("../.ci/run").contains("\nscripts/test "));
}

#[test]
fn the_sessions_go_as_they_are_shown() {
    script::play_elsewhere(&blocks("console").join("\n\n"));
}
