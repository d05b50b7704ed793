//! The one test binary: modules here, sessions for people under `script/`, other people's vectors under `vectors/`.
//!
//! Low-level cases live beside the code they test; what is here sees gitseal from outside.

#![allow(clippy::unwrap_used, missing_docs)]

mod agent;
mod architecture;
mod conformance;
mod corpus;
mod disclosure;
mod doctor;
mod embedded_entries;
mod faults;
mod forge;
mod forge_merges;
mod injection;
mod judge;
mod lab;
mod mutation;
mod oidc;
mod readme;
mod robust;
mod sandbox;
mod script;
mod sign;
mod splice;
mod terminal;
mod times;
mod tuf;
mod verifier;
mod wycheproof;

/// With `autotests = false` a file that nobody names would never run.
#[test]
fn every_file_in_tests_is_a_module_of_this_binary() {
    let main = include_str!("main.rs");
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_module = path.extension().is_some_and(|ext| ext == "rs") || path.join("mod.rs").exists();
        if is_module && name != "main" {
            assert!(main.lines().any(|line| line == format!("mod {name};")), "tests/main.rs does not name {name}");
        }
    }
}
