//! A P-256 key pair that lives in memory for one certificate and is wiped when dropped (FIPS 186-5).
//!
//! It has no serialisation: a key that cannot be written cannot be leaked to disk, argv or a log line. It lies on a page
//! of its own that is not swapped out, and what making it and signing with it leave on the stack is overwritten.

use std::fmt;

use p256::ecdsa::{Signature, SigningKey, signature::RandomizedSigner as _};
use p256::elliptic_curve::Generate as _;
use p256::elliptic_curve::common::getrandom::{SysRng, rand_core::UnwrapErr};
use spki::EncodePublicKey as _;

use super::locked_page::{LockedPage, wipe_stack};
use super::public_key::{PublicKey, SignatureScheme};

/// Something that signs with a private key it does not give away.
pub trait Keypair {
    /// The public half.
    fn public_key(&self) -> &PublicKey;
    /// How [`Keypair::sign`] signs.
    fn scheme(&self) -> SignatureScheme;
    /// Sign `message` (not its digest); each time anew, with another signature.
    fn sign(&self, message: &[u8]) -> Vec<u8>;
}

/// An ephemeral P-256 key pair; signs as ECDSA with SHA-256, ASN.1 encoded.
pub struct EphemeralKey {
    secret: LockedPage<SigningKey>,
    public: PublicKey,
}

impl EphemeralKey {
    /// Make a new key pair from the operating system's randomness.
    ///
    /// # Panics
    /// When the operating system has no randomness to give.
    #[must_use]
    pub fn generate() -> Self {
        // SigningKey wipes itself on drop.
        let secret = LockedPage::new(SigningKey::generate);
        let spki = secret.get().verifying_key().to_public_key_der().expect("a P-256 point has an encoding");
        let public = PublicKey::from_spki_der(spki.as_bytes()).expect("a P-256 key is supported");
        EphemeralKey { secret, public }
    }

    /// Whether the system keeps the key out of swap space; it need not ([`mlock`](https://pubs.opengroup.org/onlinepubs/9799919799/functions/mlock.html)).
    #[must_use]
    pub fn is_locked_into_memory(&self) -> bool {
        self.secret.is_locked()
    }
}

impl Keypair for EphemeralKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::EcdsaSha256
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature = sign(self.secret.get(), message);
        wipe_stack();
        signature.to_der().as_bytes().to_vec()
    }
}

/// The nonce is RFC 6979's with randomness added (section 3.6): two signatures of the same bytes differ, so that a log
/// takes the second for an entry of its own. Rekor v2 would refuse it and could not be asked for the first.
///
/// It is a call of its own, so that all it leaves lies below its caller, where the stack is wiped.
#[inline(never)]
fn sign(secret: &SigningKey, message: &[u8]) -> Signature {
    secret.sign_with_rng(&mut UnwrapErr(SysRng), message)
}

impl fmt::Debug for EphemeralKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EphemeralKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_signs_its_public_key_accepts() {
        let key = EphemeralKey::generate();
        let signature = key.sign(b"message");
        assert!(key.public_key().verify(key.scheme(), b"message", &signature).is_ok());
        assert!(key.public_key().verify(key.scheme(), b"another", &signature).is_err());
    }

    #[test]
    fn no_two_signatures_are_the_same() {
        let key = EphemeralKey::generate();
        let (one, two) = (key.sign(b"message"), key.sign(b"message"));
        assert_ne!(one, two);
        assert!(key.public_key().verify(key.scheme(), b"message", &two).is_ok());
    }

    #[test]
    fn its_debug_form_tells_nothing() {
        assert_eq!(format!("{:?}", EphemeralKey::generate()), "EphemeralKey(redacted)");
    }
}
