//! Message digests (FIPS 180-4): one algorithm enum, one value type, and a streaming hasher.
//!
//! SHA-1 is here for git object names and for naming certificates in status lines; no signature may use it.

use std::fmt;

use aws_lc_rs::digest as backend;

/// A hash function. `Sha1` names git objects and certificates; it never supports a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HashAlgorithm {
    /// SHA-1, 20 bytes.
    Sha1,
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-384, 48 bytes.
    Sha384,
    /// SHA-512, 64 bytes.
    Sha512,
}

impl HashAlgorithm {
    /// Digest `message` in one call.
    #[must_use]
    pub fn digest(self, message: &[u8]) -> Digest {
        let mut hasher = Hasher::new(self);
        hasher.update(message);
        hasher.finish()
    }

    /// The length of a digest in bytes.
    #[must_use]
    pub fn output_len(self) -> usize {
        match self {
            HashAlgorithm::Sha1 => 20,
            HashAlgorithm::Sha256 => 32,
            HashAlgorithm::Sha384 => 48,
            HashAlgorithm::Sha512 => 64,
        }
    }

    fn backend(self) -> &'static backend::Algorithm {
        match self {
            HashAlgorithm::Sha1 => &backend::SHA1_FOR_LEGACY_USE_ONLY,
            HashAlgorithm::Sha256 => &backend::SHA256,
            HashAlgorithm::Sha384 => &backend::SHA384,
            HashAlgorithm::Sha512 => &backend::SHA512,
        }
    }
}

/// The output of a [`HashAlgorithm`]; compares and prints as lower-case hexadecimal.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Digest {
    algorithm: HashAlgorithm,
    bytes: Vec<u8>,
}

impl Digest {
    /// A digest received from elsewhere; `None` when `bytes` has not the length of `algorithm`.
    #[must_use]
    pub fn from_bytes(algorithm: HashAlgorithm, bytes: &[u8]) -> Option<Self> {
        (bytes.len() == algorithm.output_len()).then(|| Digest { algorithm, bytes: bytes.to_vec() })
    }

    /// The function that made it.
    #[must_use]
    pub fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// The raw bytes, [`HashAlgorithm::output_len`] of them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Lower-case hexadecimal.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex(&self.bytes)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}:{}", self.algorithm, self.to_hex())
    }
}

/// A digest in the making, for input that does not fit in memory or arrives in parts.
pub struct Hasher {
    algorithm: HashAlgorithm,
    context: backend::Context,
}

impl Hasher {
    /// Start a digest.
    #[must_use]
    pub fn new(algorithm: HashAlgorithm) -> Self {
        Hasher { algorithm, context: backend::Context::new(algorithm.backend()) }
    }

    /// Add `part` to the message.
    pub fn update(&mut self, part: &[u8]) {
        self.context.update(part);
    }

    /// End the message.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest { algorithm: self.algorithm, bytes: self.context.finish().as_ref().to_vec() }
    }
}

/// SHA-256 of `message`.
#[must_use]
pub fn sha256(message: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(backend::digest(&backend::SHA256, message).as_ref());
    out
}

/// Lower-case hexadecimal of `bytes`.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes that lower-case hexadecimal `text` spells; `None` for any other spelling.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let nibble = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_abc_are_those_of_fips_180() {
        assert_eq!(HashAlgorithm::Sha1.digest(b"abc").to_hex(), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(hex(&sha256(b"abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        for algorithm in [HashAlgorithm::Sha384, HashAlgorithm::Sha512] {
            assert_eq!(algorithm.digest(b"abc").as_bytes().len(), algorithm.output_len());
        }
    }

    #[test]
    fn hexadecimal_has_one_spelling() {
        assert_eq!(unhex("00ff"), Some(vec![0, 255]));
        for bad in ["0", "0F", "zz", "0x00", " 00"] {
            assert_eq!(unhex(bad), None, "{bad}");
        }
    }
}
