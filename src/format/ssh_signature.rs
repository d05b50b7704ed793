//! The armour of an SSH signature (OpenSSH: PROTOCOL.sshsig), read as far as its key: whether the signature holds is for
//! `ssh-keygen` to say.

use base64ct::{Base64, Encoding as _};

const BEGIN: &[u8] = b"-----BEGIN SSH SIGNATURE-----\n";
const END: &[u8] = b"-----END SSH SIGNATURE-----\n";
const MAGIC: &[u8] = b"SSHSIG";
/// `ssh-keygen` folds at 70 columns, others at 64 or 76.
const MAX_COLUMNS: usize = 76;
/// An RSA key of 16384 bits and its signature take 6 KiB.
const MAX_LEN: usize = 32 * 1024;

/// What an SSH signature says of itself. Nothing of it is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshSignature {
    /// The key, as `authorized_keys` and policies spell it: its type, and its bytes in base64.
    pub key: String,
    /// What the signature is for; git's are for `git`.
    pub namespace: String,
}

/// Why a text is no SSH signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SshSignatureError {
    /// The armour is not one that `ssh-keygen` reads, or has a second spelling.
    #[error("the armour of the SSH signature is malformed")]
    Armour,
    /// The bytes in it are no signature.
    #[error("the SSH signature is malformed")]
    Malformed,
    /// The signature was made by a certificate, not by a plain key.
    #[error("the SSH signature is by a certificate, which a policy cannot list")]
    Certificate,
}

impl SshSignature {
    /// Read the armour of a signature.
    ///
    /// # Errors
    /// [`SshSignatureError`] for whatever `ssh-keygen -Y sign` does not write.
    pub fn parse(armour: &[u8]) -> Result<Self, SshSignatureError> {
        let blob = decode(armour).ok_or(SshSignatureError::Armour)?;
        let mut fields = Fields(blob.strip_prefix(MAGIC).ok_or(SshSignatureError::Malformed)?);
        let parsed = (|| {
            let version = fields.number()?;
            let key = fields.string()?;
            let namespace = fields.string()?;
            let (_reserved, _hash, _signature) = (fields.string()?, fields.string()?, fields.string()?);
            (version == 1 && fields.0.is_empty()).then_some((key, namespace))
        })();
        let (key, namespace) = parsed.ok_or(SshSignatureError::Malformed)?;
        let kind = Fields(key).string().and_then(|kind| std::str::from_utf8(kind).ok());
        let kind = kind.ok_or(SshSignatureError::Malformed)?;
        // It goes into a file of keys, one a line.
        if kind.is_empty() || !kind.bytes().all(|c| c.is_ascii_alphanumeric() || b"-@._".contains(&c)) {
            return Err(SshSignatureError::Malformed);
        }
        if kind.contains("-cert-") {
            return Err(SshSignatureError::Certificate);
        }
        let namespace = std::str::from_utf8(namespace).map_err(|_| SshSignatureError::Malformed)?.to_owned();
        Ok(SshSignature { key: format!("{kind} {}", Base64::encode_string(key)), namespace })
    }
}

/// The bytes in the armour: lines of one width, the last at most as wide.
fn decode(armour: &[u8]) -> Option<Vec<u8>> {
    let body = armour.strip_prefix(BEGIN)?.strip_suffix(END)?;
    if body.len() > MAX_LEN {
        return None;
    }
    let lines: Vec<&[u8]> = body.strip_suffix(b"\n")?.split(|c| *c == b'\n').collect();
    let (last, full) = lines.split_last()?;
    let width = full.first().unwrap_or(last).len();
    if width > MAX_COLUMNS || last.len() > width || full.iter().any(|line| line.len() != width) {
        return None;
    }
    Base64::decode_vec(std::str::from_utf8(&lines.concat()).ok()?).ok()
}

/// The fields of SSH's wire format (RFC 4251 section 5).
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*number))
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.number()? as usize;
        let (string, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(bytes: &[u8]) -> Vec<u8> {
        [&(bytes.len() as u32).to_be_bytes(), bytes].concat()
    }

    fn armoured(blob: &[u8], width: usize) -> String {
        let body = Base64::encode_string(blob);
        let lines: Vec<&str> = (0..body.len()).step_by(width).map(|at| &body[at..body.len().min(at + width)]).collect();
        format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", lines.join("\n"))
    }

    fn blob(kind: &str, namespace: &str) -> Vec<u8> {
        let key = [string(kind.as_bytes()), string(&[7; 32])].concat();
        let fields = [string(&key), string(namespace.as_bytes()), string(b""), string(b"sha512"), string(&[1; 83])];
        [b"SSHSIG\0\0\0\x01".as_slice(), &fields.concat()].concat()
    }

    #[test]
    fn the_key_is_spelled_as_policies_spell_it() {
        for width in [64, 70, 76] {
            let signature = SshSignature::parse(armoured(&blob("ssh-ed25519", "git"), width).as_bytes()).unwrap();
            assert_eq!(
                signature.key,
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH"
            );
            assert_eq!(signature.namespace, "git");
        }
    }

    #[test]
    fn what_ssh_keygen_does_not_write_is_refused_fail() {
        let good = armoured(&blob("ssh-ed25519", "git"), 70);
        let armours = [
            good.replace('\n', "\r\n"),
            good.trim_end().to_owned(),
            format!("{good}\n"),
            good.replacen("AAAA", "AA\nAA", 1),
            good.replacen("AAAA", "AA!A", 1),
            armoured(&blob("ssh-ed25519", "git"), 80),
            String::new(),
        ];
        for text in armours {
            assert_eq!(SshSignature::parse(text.as_bytes()), Err(SshSignatureError::Armour), "{text}");
        }
        let mut trailing = blob("ssh-ed25519", "git");
        trailing.push(0);
        let cut = blob("ssh-ed25519", "git");
        let version = blob("ssh-ed25519", "git").iter().enumerate().map(|(at, b)| b + u8::from(at == 9)).collect();
        for bytes in [trailing, cut[..cut.len() - 1].to_vec(), version, blob("ssh\nx", "git"), blob("", "git"), vec![]]
        {
            let refused = SshSignature::parse(armoured(&bytes, 70).as_bytes());
            assert!(refused.is_err(), "{refused:?}");
        }
        let certificate = armoured(&blob("ssh-ed25519-cert-v01@openssh.com", "git"), 70);
        assert_eq!(SshSignature::parse(certificate.as_bytes()), Err(SshSignatureError::Certificate));
    }
}
