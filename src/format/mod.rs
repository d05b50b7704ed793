//! Bytes to values and back, strictly: one file a format, each naming the document it follows.
//!
//! Parsers here accept one spelling where a document allows one, bound every size and count by a named constant, and
//! say which rule was broken. They believe nothing: a parsed value is a claim until [`verify`](crate::verify) has
//! judged it. ASN.1 crates may be named here and in `crypto`, and nowhere else.

mod asn1;
pub mod checkpoint;
pub mod experimental;
pub mod log_entry;
pub mod logged_body;
pub mod merkle;
pub mod timestamp;
pub mod timestamp_token;
pub mod tle;
