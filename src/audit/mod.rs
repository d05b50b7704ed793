//! Find what is signed, verify each, hold it against policy, and say it in one [`Finding`].

pub mod finding;
pub mod object;
pub mod range;
pub mod recompute;

pub use finding::{Clock, Finding, SignedAt, Signer};
pub use object::Judge;
pub use range::{Judged, judge_all};
