//! git's push certificate: what `git push --signed` signs (git: send-pack.c, `generate_push_cert`; gitprotocol-pack(5)).
//!
//! ```text
//! certificate version 0.1
//! pusher NAME <MAIL> SECONDS ZONE
//! pushee URL
//! nonce NONCE
//! push-option TEXT
//!
//! OLD NEW REF
//! -----BEGIN SIGNED MESSAGE-----
//! ```
//!
//! git finds the signature by its last opening line and reads headers leniently. Here they stand once each and in git's
//! order, and everything before the signature is what was signed. Nothing is believed: whether the signature holds, the
//! nonce is fresh and the updates are those of this push is for [`audit`](crate::audit) to find out.

use super::git::{Armour, signature_at};
use super::ref_update::{RefUpdate, RefUpdateError};

/// No certificate is longer, in bytes: one line of 150 bytes for each of a hundred thousand refs.
pub const MAX_CERTIFICATE_LEN: usize = 16 * 1024 * 1024;
/// No push has more options: people type them.
const MAX_OPTIONS: usize = 1024;
/// No header line is longer, in bytes: git's packet lines end before.
const MAX_HEADER_LEN: usize = 65_536;

/// A push certificate, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushCertificate {
    /// Who pushes, as the client says: the signing key's name or the committer, with a time by the client's clock.
    pub pusher: String,
    /// Where to, by the client's word: the address without its password.
    pub pushee: Option<String>,
    /// What the server gave the client to sign.
    pub nonce: Option<String>,
    /// What the client told the hooks.
    pub options: Vec<String>,
    /// What moves.
    pub updates: Vec<RefUpdate>,
    /// What was signed.
    pub payload: Vec<u8>,
    /// The signature.
    pub signature: Armour,
}

/// Why bytes are no push certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PushCertificateError {
    /// Longer than [`MAX_CERTIFICATE_LEN`], with more than `MAX_OPTIONS` options, or with too long a line.
    #[error("the push certificate is too large")]
    TooLarge,
    /// A zero byte.
    #[error("the push certificate contains a zero byte")]
    ZeroByte,
    /// Not the version that there is.
    #[error("this is no push certificate of version 0.1")]
    Version,
    /// A header that is unknown, is missing, stands twice or in the wrong place, or is no text.
    #[error("the header {0:?} of the push certificate is malformed or out of place")]
    Header(String),
    /// No empty line after the headers.
    #[error("the headers of the push certificate do not end")]
    Unfinished,
    /// A line of updates.
    #[error("the push certificate: {0}")]
    Update(#[from] RefUpdateError),
    /// It covers nothing.
    #[error("the push certificate lists no ref")]
    Empty,
    /// Nobody signed it.
    #[error("the push certificate is not signed")]
    Unsigned,
}

impl PushCertificate {
    /// Take the blob apart that git names in `GIT_PUSH_CERT`.
    ///
    /// # Errors
    /// [`PushCertificateError`] when it is not as git writes it.
    pub fn parse(raw: &[u8]) -> Result<Self, PushCertificateError> {
        if raw.len() > MAX_CERTIFICATE_LEN {
            return Err(PushCertificateError::TooLarge);
        }
        if raw.contains(&0) {
            return Err(PushCertificateError::ZeroByte);
        }
        let at = signature_at(raw, 0);
        let (payload, signature) = raw.split_at(at);
        let rest = payload.strip_prefix(b"certificate version 0.1\n").ok_or(PushCertificateError::Version)?;
        let end = rest.windows(2).position(|pair| pair == b"\n\n").ok_or(PushCertificateError::Unfinished)?;
        let mut headers = Headers::new(&rest[..end])?;
        let pusher = headers.take("pusher").ok_or_else(|| headers.complaint("pusher"))?;
        let pushee = headers.take("pushee");
        let nonce = headers.take("nonce");
        let mut options = Vec::new();
        while let Some(option) = headers.take("push-option") {
            if options.len() == MAX_OPTIONS {
                return Err(PushCertificateError::TooLarge);
            }
            options.push(option);
        }
        headers.end()?;
        let updates = RefUpdate::parse_lines(&rest[end + 2..])?;
        if updates.is_empty() {
            return Err(PushCertificateError::Empty);
        }
        if signature.is_empty() {
            return Err(PushCertificateError::Unsigned);
        }
        let signature = Armour::of(signature.to_vec());
        Ok(PushCertificate { pusher, pushee, nonce, options, updates, payload: payload.to_vec(), signature })
    }
}

/// Header lines, taken from the front.
struct Headers<'a> {
    lines: std::iter::Peekable<std::str::Split<'a, char>>,
}

impl<'a> Headers<'a> {
    fn new(text: &'a [u8]) -> Result<Self, PushCertificateError> {
        let text = std::str::from_utf8(text).map_err(|_| PushCertificateError::Header("(not UTF-8)".into()))?;
        if text.split('\n').any(|line| line.len() > MAX_HEADER_LEN) {
            return Err(PushCertificateError::TooLarge);
        }
        Ok(Headers { lines: text.split('\n').peekable() })
    }

    /// The value of the next line, if that is a `name` with a value.
    fn take(&mut self, name: &str) -> Option<String> {
        let value = |line: &&str| line.strip_prefix(name).and_then(|rest| rest.strip_prefix(' ')).is_some_and(is_value);
        let line = self.lines.next_if(value)?;
        Some(line[name.len() + 1..].to_owned())
    }

    fn complaint(&mut self, missing: &str) -> PushCertificateError {
        let next = self.lines.peek().and_then(|line| line.split(' ').next());
        PushCertificateError::Header(next.unwrap_or(missing).to_owned())
    }

    fn end(&mut self) -> Result<(), PushCertificateError> {
        if self.lines.peek().is_some() { Err(self.complaint("")) } else { Ok(()) }
    }
}

/// A carriage return at the end would be dropped by some readers and kept by others.
fn is_value(text: &str) -> bool {
    !text.is_empty() && !text.ends_with('\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "certificate version 0.1\npusher Ann <ann@example.com> 1700000000 +0000\n";
    const SIGNATURE: &str = "-----BEGIN SIGNED MESSAGE-----\nAA==\n-----END SIGNED MESSAGE-----\n";

    fn update() -> String {
        format!("{} {} refs/heads/main\n", "0".repeat(40), "1".repeat(40))
    }

    fn certificate(headers: &str) -> String {
        format!("{HEAD}{headers}\n{}{SIGNATURE}", update())
    }

    #[test]
    fn what_git_writes_is_read() {
        let text = certificate("pushee file:///srv/x.git\nnonce 17-ab\npush-option ci.skip\npush-option a b\n");
        let parsed = PushCertificate::parse(text.as_bytes()).unwrap();
        assert_eq!(parsed.pusher, "Ann <ann@example.com> 1700000000 +0000");
        assert_eq!(parsed.pushee.as_deref(), Some("file:///srv/x.git"));
        assert_eq!(parsed.nonce.as_deref(), Some("17-ab"));
        assert_eq!(parsed.options, ["ci.skip", "a b"]);
        assert_eq!(parsed.updates[0].reference, "refs/heads/main");
        assert_eq!(parsed.signature, Armour::Cms(SIGNATURE.into()));
        assert_eq!(parsed.payload, text.as_bytes()[..text.len() - SIGNATURE.len()]);
        let bare = PushCertificate::parse(certificate("").as_bytes()).unwrap();
        assert_eq!((bare.pushee, bare.nonce, bare.options), (None, None, Vec::new()));
    }

    /// The signature of other formats is told apart, and the last opening line is where it begins.
    #[test]
    fn the_signature_is_where_git_finds_it() {
        let text = certificate("").replace(SIGNATURE, "-----BEGIN SSH SIGNATURE-----\nx\n");
        let parsed = PushCertificate::parse(text.as_bytes()).unwrap();
        assert!(matches!(parsed.signature, Armour::Other(_)));
        // An earlier one is then no update.
        let twice = format!("{}{SIGNATURE}", certificate(""));
        assert!(matches!(PushCertificate::parse(twice.as_bytes()), Err(PushCertificateError::Update(_))));
    }

    #[test]
    fn what_git_would_not_write_fail() {
        use PushCertificateError::{Empty, Header, TooLarge, Unfinished, Unsigned, Update, Version, ZeroByte};
        let parse = |text: &str| PushCertificate::parse(text.as_bytes()).unwrap_err();
        let good = certificate("nonce n\n");
        for (headers, name) in [
            ("nonce a\nnonce b\n", "nonce"),
            ("nonce a\npushee b\n", "pushee"),
            ("push-option a\nnonce b\n", "nonce"),
            ("pusher Eve <eve@example.com> 1 +0000\n", "pusher"),
            ("nonce \n", "nonce"),
            ("nonce a\r\n", "nonce"),
            ("x y\n", "x"),
            ("pushee\n", "pushee"),
        ] {
            assert_eq!(parse(&certificate(headers)), Header(name.into()), "{headers:?}");
        }
        assert_eq!(parse(&good.replace("0.1", "0.2")), Version);
        assert_eq!(parse(""), Version);
        assert_eq!(parse(&good.replace("pusher", "pusheR")), Header("pusheR".into()));
        assert_eq!(parse(&good.replace(&format!("\n\n{}", update()), "\n")), Unfinished);
        assert_eq!(parse(&good.replace(&update(), "")), Empty);
        assert_eq!(parse(&good.replace(SIGNATURE, "")), Unsigned);
        assert_eq!(parse(&good.replace("Ann", "A\0n")), ZeroByte);
        assert!(matches!(parse(&good.replace(&update(), "x\n")), Update(_)));
        assert!(matches!(parse(&good.replace(&update(), &update().repeat(2))), Update(RefUpdateError::Twice(2))));
        assert_eq!(parse(&certificate(&"push-option a\n".repeat(MAX_OPTIONS + 1))), TooLarge);
        assert_eq!(parse(&certificate(&format!("push-option {}\n", "a".repeat(MAX_HEADER_LEN)))), TooLarge);
        assert_eq!(parse(&" ".repeat(MAX_CERTIFICATE_LEN + 1)), TooLarge);
    }

    #[test]
    fn a_certificate_cut_anywhere_is_none() {
        let text = certificate("pushee p\nnonce n\n");
        let whole = PushCertificate::parse(text.as_bytes()).unwrap();
        for end in 0..text.len() {
            if let Ok(part) = PushCertificate::parse(&text.as_bytes()[..end]) {
                // Only the signature may be cut, and then it is another one.
                assert_ne!(part.signature, whole.signature, "{end}");
            }
        }
    }
}
