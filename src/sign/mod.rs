//! Sign, check, then hand out: makes signatures with their evidence, and judges each with our own verifier before
//! anybody else gets it.

pub mod error;
mod evidence;
pub mod git;
mod signed_object;

pub use error::SignError;
pub use evidence::all;
pub use git::{GitSigner, Payload, Signed};
