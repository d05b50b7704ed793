//! gitseal signs git commits, tags and pushes without keys to keep, and judges what others signed, offline.
//!
//! The library is an hourglass. Everything signed becomes one plain value, [`entity::SignedEntity`]; everything judged
//! is that value, by the one [`verify::Verifier`]; policy sees only what verification has proved. A module may import
//! from lower floors and from its own folder:
//!
//! ```text
//!  7  cli
//!  6  agent
//!  5  sign        audit
//!  4  credential  policy
//!  3  verify      service     sandbox
//!  2  trust       entity      repo
//!  1  format
//!  0  crypto      net
//! ```
//!
//! Two rules decide most questions: time is an argument, and the world is read in `cli`.

pub mod agent;
pub mod audit;
pub mod cli;
pub mod credential;
pub mod crypto;
pub mod entity;
pub mod format;
pub mod net;
pub mod policy;
pub mod repo;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod service;
pub mod sign;
pub mod trust;
pub mod verify;
