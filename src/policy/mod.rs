//! Who may sign: what the verifier's side expects, held against what verification has proved.
//!
//! Policy cannot be asked about the unverified: it takes identities out of [`Verified`](crate::verify::Verified) and
//! of S/MIME chains that hold, and nothing else.

pub mod changes;
pub mod compare;
pub mod decide;
pub mod decision;
pub mod file;
pub mod fixture;
pub mod identity;
pub mod lint;
pub mod made;
pub mod refs;
pub mod rules;
pub mod write;

pub use decision::{Allowed, Decision, Denial, RuleRef};
pub use file::{Fault, PolicyFileError};
pub use identity::{Expectation, ExpectedIdentities, PolicyError};
pub use rules::{Policy, Principal, PrincipalKey, Right, Rule};
