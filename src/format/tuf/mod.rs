//! TUF metadata (The Update Framework specification 1.0, section 4): the four roles, their keys, and who may say what.
//!
//! Bytes to values; what the values are worth is judged by [`trust::tuf`](crate::trust::tuf). Names of roles and targets
//! are data: [`quote`] makes of them what may stand in an address or a file name.

pub mod authority;
pub mod delegation;
pub mod fields;
pub mod json;
pub mod key;
pub mod metadata;
pub mod pattern;

pub use authority::Authority;
pub use delegation::Delegation;
pub use fields::MetadataError;
pub use key::Key;
pub use metadata::{Metadata, Role};
pub use pattern::PathPattern;

use std::fmt::Write as _;

/// A name as one segment of a path: everything but letters, digits and `-._~` is percent-encoded (RFC 3986 section 2.1).
#[must_use]
pub fn quote(name: &str) -> String {
    name.bytes().fold(String::with_capacity(name.len()), |mut quoted, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            quoted.push(byte.into());
        } else {
            let _ = write!(quoted, "%{byte:02X}");
        }
        quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment() {
        for (name, want) in [
            ("trusted_root.json", "trusted_root.json"),
            ("../../etc/passwd", "..%2F..%2Fetc%2Fpasswd"),
            ("a b?c#d%e", "a%20b%3Fc%23d%25e"),
            ("é\0", "%C3%A9%00"),
        ] {
            assert_eq!(quote(name), want);
        }
    }
}
