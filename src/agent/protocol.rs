//! What is said on the agent's socket, version 1 (gitseal-protocol(7), section THE AGENT).
//!
//! A request is one JSON object with one member, the verb; a response likewise. Strict both ways: a verb or a member that
//! this version does not know is an error and never skipped, for what one side meant as a restriction the other would
//! then not enforce (CVE-2026-39832). No message has a place for a private key.

use std::fmt;

use base64ct::{Base64, Encoding as _};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

use crate::crypto::digest::{hex, unhex};
use crate::trust::InstanceName;

/// The version that both sides must speak.
pub const VERSION: u32 = 1;
/// How many payloads one request may have signed: as many as answers of 16 KiB fit into a frame.
pub const MAX_BATCH: usize = 64;

/// What a client asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// The first request of every connection.
    Hello(Hello),
    /// Signatures.
    Sign(Sign),
    /// A credential, in exchange for a token.
    Login(Login),
    /// What is held.
    List(Nothing),
    /// Fewer credentials.
    Forget(Forget),
    /// Silence until the passphrase is given again.
    Lock(Unlocking),
    /// An end of it.
    Unlock(Unlocking),
    /// What was signed lately.
    Log(Nothing),
    /// The agent's end.
    Quit(Nothing),
}

/// A request without members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Which version the client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// [`VERSION`].
    pub version: u32,
}

/// Whose credential is meant. What is left out is the agent's to choose, if there is no choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// An instance that the agent's user has defined.
    pub instance: InstanceName,
    /// A digest of the client's settings that decide what an instance is. The agent's own settings must have the same:
    /// else the two would mean different services by one name.
    pub settings: Hex32,
    /// Who vouches, as the token or the certificate names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The audience that the token was issued for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Who signs: an e-mail address, or the subject of a workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// A request for signatures of git objects.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    /// By whom.
    pub scope: Scope,
    /// The major version of the log's interface, where the user has chosen one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rekor_version: Option<u32>,
    /// What: 1 to [`MAX_BATCH`] payloads.
    pub payloads: Vec<SignedPayload>,
    /// What for, as the client says.
    pub context: Context,
}

/// One payload. The agent makes the signed attributes from it: there is no way to have bytes of one's choice signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignedPayload {
    /// The payload's SHA-256 digest; the log entry comes with the signature.
    Digest(Hex32),
    /// The payload of a commit or tag itself; the log entry, about the object's id, is left in the log alone.
    Object(Bytes),
}

/// Longest directory of a [`Context`], in bytes: what systems call PATH_MAX. A thousand of them are remembered.
pub const MAX_REPOSITORY_LEN: usize = 4096;

/// What is signed where; shown to the agent's user and nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// What is signed.
    pub kind: Kind,
    /// The repository's directory, if there is one; at most [`MAX_REPOSITORY_LEN`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
}

/// What is signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A commit.
    Commit,
    /// An annotated tag.
    Tag,
    /// A push certificate.
    Push,
    /// Anything else that git may want signed.
    #[default]
    Other,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Commit => "commit",
            Kind::Tag => "tag",
            Kind::Push => "push",
            Kind::Other => "other",
        })
    }
}

/// A token to exchange for a credential.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// For signing where, and as whom.
    pub scope: Scope,
    /// The token. It is used once and not kept.
    pub token: Secret,
}

/// Which credentials to wipe.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forget {
    /// Those of this instance alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceName>,
    /// Those of this identity alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// A passphrase that locks or unlocks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unlocking {
    /// 1 to [`MAX_PASSPHRASE_LEN`] bytes.
    pub passphrase: Secret,
}

/// Longest passphrase, in bytes: nobody types a longer one.
pub const MAX_PASSPHRASE_LEN: usize = 1024;

/// What the agent answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// To `hello`.
    Hello(Greeting),
    /// To `sign`: one signature for each payload, in their order.
    Signed(Vec<Signature>),
    /// To `login`: the new credential.
    Credential(Held),
    /// To `list`.
    Held(State),
    /// To `log`: the last signatures, oldest first.
    Log(Vec<Logged>),
    /// To `forget`: how many credentials there were.
    Forgotten(u64),
    /// To `lock`, `unlock` and `quit`.
    Done(Nothing),
    /// To anything.
    Error(Complaint),
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Greeting {
    /// [`VERSION`].
    pub version: u32,
    /// The program and its version.
    pub agent: String,
    /// Its process.
    pub pid: u32,
}

/// A finished signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The armour to hand to git.
    pub armour: String,
    /// The signing time in it.
    pub signing_time: Timestamp,
    /// The indices of its log entries.
    pub log_indices: Vec<u64>,
}

/// The agent's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Its process.
    pub pid: u32,
    /// Since when it runs.
    pub started: Timestamp,
    /// What it could not do to keep keys to itself; empty is good.
    pub weaknesses: Vec<String>,
    /// The credentials, the one that expires first before the others.
    pub credentials: Vec<Held>,
}

/// A credential that is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// Whose it is, by its certificate.
    pub identity: String,
    /// Who vouches, by its certificate.
    pub issuer: String,
    /// For which instance.
    pub instance: InstanceName,
    /// The audience that its token was for.
    pub client_id: String,
    /// When the agent will forget it: a little before the certificate is over.
    pub expires: Timestamp,
    /// How often it has signed.
    pub signatures: u64,
}

/// One signature that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logged {
    /// When.
    pub time: Timestamp,
    /// As whom.
    pub identity: String,
    /// For which instance.
    pub instance: InstanceName,
    /// The payload's SHA-256 digest.
    pub digest: Hex32,
    /// What for, as the client said.
    pub context: Context,
    /// Its entries in the transparency log.
    pub log_indices: Vec<u64>,
    /// Whether the request came through the forwarded socket.
    pub forwarded: bool,
}

/// Why there is nothing better to answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Complaint {
    /// What a program can act on.
    pub code: Code,
    /// What happened, for people.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Complaint {
    /// A complaint.
    pub fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Complaint { code, message: message.into(), hint: hint.into() }
    }

    /// The instance is not among those that the forwarded socket signs for. Whether there is such an instance is not
    /// said.
    #[must_use]
    pub fn not_forwarded(instance: &InstanceName) -> Self {
        let problem = format!("the forwarded socket does not sign for the instance '{instance}'");
        let allow = format!("on the agent's machine: git config --global --add gitseal.forwardInstance {instance}");
        Complaint::new(Code::Forbidden, problem, allow)
    }
}

/// Kinds of complaints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// Not a request of this version, or not its turn. The connection ends.
    Malformed,
    /// Another version is spoken. The connection ends.
    Version,
    /// Too many clients, or too many signatures at once.
    Busy,
    /// No credential for this scope: send a token.
    NoCredential,
    /// Several credentials for this scope: say whose.
    Ambiguous,
    /// The agent's settings mean something else by this instance than the client's.
    OtherSettings,
    /// Not through this socket.
    Forbidden,
    /// Unlock it first.
    Locked,
    /// It is not locked.
    NotLocked,
    /// The wrong passphrase.
    Passphrase,
    /// The credential was forgotten while it was signing.
    Forgotten,
    /// The instance cannot be used.
    Instance,
    /// The token gives no credential.
    Login,
    /// There is no signature.
    Sign,
}

/// 32 bytes as 64 digits, lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hex32(pub [u8; 32]);

impl fmt::Display for Hex32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl Serialize for Hex32 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Hex32 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes: Option<[u8; 32]> = unhex(&text).and_then(|bytes| bytes.try_into().ok());
        match bytes {
            // One spelling: upper case is another's.
            Some(bytes) if hex(&bytes) == text => Ok(Hex32(bytes)),
            _ => Err(de::Error::custom("not 64 hexadecimal digits in lower case")),
        }
    }
}

/// Bytes as base64 (RFC 4648 section 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Base64::encode_string(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Base64::decode_vec(&text).map(Bytes).map_err(|_| de::Error::custom("not base64"))
    }
}

/// A token or a passphrase on its way: shown nowhere, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A secret.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Secret(Zeroizing::new(text.to_owned()))
    }

    /// The secret itself, for the one use that it is there for.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Secret(Zeroizing::new(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPE: &str =
        r#"{"instance":"public","settings":"00000000000000000000000000000000000000000000000000000000000000aa"}"#;

    fn read(text: &str) -> Result<Request, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn what_this_version_does_not_know_is_an_error() {
        let sign =
            |more: &str| format!(r#"{{"sign":{{"scope":{SCOPE},"payloads":[],"context":{{"kind":"commit"}}{more}}}}}"#);
        assert!(read(&sign("")).is_ok());
        assert!(read(r#"{"list":{}}"#).is_ok());
        for text in [
            &sign(r#","confirm":true"#),
            r#"{"list":{"all":true}}"#,
            r#"{"export":{}}"#,
            r#"{"list":{},"quit":{}}"#,
            r#""list""#,
            r#"{"list":null}"#,
            r#"{"hello":{"version":1,"version":1}}"#,
            r#"{"hello":{"version":-1}}"#,
            r#"{"hello":{}}"#,
            "{}",
            "",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_digest_has_one_spelling() {
        let digest = |text: &str| serde_json::from_str::<Hex32>(&format!("{text:?}"));
        assert!(digest(&"0a".repeat(32)).is_ok());
        for text in ["0A".repeat(32), "0a".repeat(31), "0a".repeat(33), "zz".repeat(32)] {
            assert!(digest(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn secrets_say_nothing() {
        let login = format!(r#"{{"login":{{"scope":{SCOPE},"token":"eyJ"}}}}"#);
        let said = format!("{:?}", read(&login).unwrap());
        assert!(said.contains("redacted") && !said.contains("eyJ"), "{said}");
    }
}
