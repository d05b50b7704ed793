//! Find what is signed, verify each, hold it against policy, and say it in one [`Finding`].

pub mod authority;
pub mod finding;
pub mod foreign;
pub mod history;
pub mod keys;
pub mod object;
pub mod push;
pub mod range;
pub mod receipts;
pub mod recompute;
pub mod trust_root;

pub use authority::{Authority, AuthorityError, Basis, Left, Terms};
pub use finding::{Clock, Finding, ForeignSigner, SignedAt, Signer};
pub use foreign::ForeignKeys;
pub use history::{History, HistoryError};
pub use keys::Keys;
pub use object::Judge;
pub use range::{Judged, judge_all};
pub use receipts::{Grounds, Receipts};
pub use trust_root::{Source, TrustRoot};
