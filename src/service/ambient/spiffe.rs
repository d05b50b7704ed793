//! SPIFFE: an agent on this machine knows what runs on it and gives each workload a JWT (SPIFFE Workload API section 6,
//! FetchJWTSVID; SPIFFE Workload Endpoint for where it is and how it is spoken to).
//!
//! One call of one method, with two small messages in protobuf's wire format. The crate `spiffe` would do it too, with
//! tonic, prost and 40 more crates; what is here needs HTTP/2 from reqwest, which is three.

use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::{AmbientError, MAX_ANSWER_LEN, Platform, Surroundings};
use crate::net::grpc::{Call, GrpcError};
use crate::service::id_token::MAX_TOKEN_LEN;

/// Where the socket is.
const SOCKET: &str = "SPIFFE_ENDPOINT_SOCKET";
/// Where SPIRE's agent has it unless it is told otherwise, and where cosign and gitsign look.
const DEFAULT_SOCKET: &str = "/tmp/spire-agent/public/api.sock";
/// The method, and the metadata without which an agent must refuse (a browser could not send it).
const METHOD: &str = "/SpiffeWorkloadAPI/FetchJWTSVID";
const SECURITY_HEADER: (&str, &str) = ("workload.spiffe.io", "true");
/// An agent on this machine either knows us or does not; its server may have to be asked.
const ASKING_TIME: Duration = Duration::from_secs(10);
/// A workload has one identity, or a few; the first is the default one.
const MAX_SVIDS: usize = 16;

/// The fields of the messages.
const REQUEST_AUDIENCE: u64 = 1;
const RESPONSE_SVIDS: u64 = 1;
const SVID_TOKEN: u64 = 2;

const HERE: Platform = Platform::Spiffe;

/// An agent.
pub(super) struct WorkloadApi {
    socket: PathBuf,
}

/// The usual socket lies where every user of this machine may make one, and then decide as whom we sign: it counts when
/// root or we have made it. One that is named is the namer's choice.
pub(super) fn is_here(around: Surroundings<'_>) -> bool {
    around.get(SOCKET).is_some() || (around.trusted_socket)(Path::new(DEFAULT_SOCKET))
}

impl WorkloadApi {
    pub(super) fn new(around: Surroundings<'_>) -> Result<Self, AmbientError> {
        let Some(address) = around.get(SOCKET) else {
            return if (around.trusted_socket)(Path::new(DEFAULT_SOCKET)) {
                Ok(WorkloadApi { socket: DEFAULT_SOCKET.into() })
            } else {
                let lines = format!("set it to the agent's socket; {DEFAULT_SOCKET} counts if root or you made it");
                Err(AmbientError::missing(HERE, SOCKET, lines))
            };
        };
        // `unix:/x` and `unix:///x` are the specification's spellings; the path alone is cosign's.
        let path = address.strip_prefix("unix://").or_else(|| address.strip_prefix("unix:")).unwrap_or(&address);
        if !path.starts_with('/') || path.contains(['?', '#']) {
            return Err(AmbientError::variable(HERE, SOCKET, "names no unix socket by its whole path"));
        }
        Ok(WorkloadApi { socket: path.into() })
    }

    pub(super) async fn fetch(&self, audience: &str) -> Result<Zeroizing<String>, AmbientError> {
        let mut message = Vec::new();
        put_bytes(&mut message, REQUEST_AUDIENCE, audience.as_bytes());
        let call = Call {
            socket: &self.socket,
            method: METHOD,
            metadata: SECURITY_HEADER,
            message: &message,
            max_answer: MAX_SVIDS * MAX_ANSWER_LEN,
            within: ASKING_TIME,
        };
        let answer = call.make().await.map_err(|source| AmbientError::NoAgent { platform: HERE, source })?;
        let answer = Zeroizing::new(answer);
        default_token(&answer).ok_or(AmbientError::NoAgent {
            platform: HERE,
            source: GrpcError::Answer("with something else than a JWT-SVID"),
        })
    }
}

/// The token of the first SVID in a JWTSVIDResponse.
fn default_token(response: &[u8]) -> Option<Zeroizing<String>> {
    let svid = field(response, RESPONSE_SVIDS)?;
    let token = std::str::from_utf8(field(svid, SVID_TOKEN)?).ok()?;
    (!token.is_empty() && token.len() <= MAX_TOKEN_LEN).then(|| Zeroizing::new(token.to_owned()))
}

/// The first field of that number that holds bytes; `None` too if the message is malformed anywhere.
fn field(message: &[u8], wanted: u64) -> Option<&[u8]> {
    let mut found = None;
    let mut rest = message;
    while !rest.is_empty() {
        let tag = take_varint(&mut rest)?;
        let content = match tag & 7 {
            0 => {
                take_varint(&mut rest)?;
                None
            }
            1 => take(&mut rest, 8).map(|_| None)?,
            2 => {
                let length = usize::try_from(take_varint(&mut rest)?).ok()?;
                Some(take(&mut rest, length)?)
            }
            5 => take(&mut rest, 4).map(|_| None)?,
            _ => return None,
        };
        if tag >> 3 == wanted {
            found = found.or(Some(content?));
        }
    }
    found
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

/// A number of up to 64 bits, 7 to a byte, the lowest first.
fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return None;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn put_bytes(message: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    put_varint(message, number << 3 | 2);
    put_varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

fn put_varint(message: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        message.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As an agent writes it: identity, token, hint.
    fn svid(token: &str) -> Vec<u8> {
        let mut svid = Vec::new();
        put_bytes(&mut svid, 1, b"spiffe://example.org/build");
        put_bytes(&mut svid, SVID_TOKEN, token.as_bytes());
        put_bytes(&mut svid, 3, b"internal");
        svid
    }

    fn response(tokens: &[&str]) -> Vec<u8> {
        let mut response = Vec::new();
        for token in tokens {
            put_bytes(&mut response, RESPONSE_SVIDS, &svid(token));
        }
        response
    }

    #[test]
    fn the_first_identity_is_the_default_one() {
        assert_eq!(default_token(&response(&["a.b.c", "d.e.f"])).unwrap().as_str(), "a.b.c");
        let long = "x".repeat(300);
        assert_eq!(default_token(&response(&[&long])).unwrap().as_str(), long);
        // Fields that a later version may have are passed over.
        let later = [&[0x58, 0x96, 0x01, 0x61, 1, 2, 3, 4, 5, 6, 7, 8, 0x65, 1, 2, 3, 4], &response(&["a.b.c"])[..]];
        assert_eq!(default_token(&later.concat()).unwrap().as_str(), "a.b.c");
    }

    #[test]
    fn what_is_no_answer_gives_no_token() {
        let good = response(&["a.b.c"]);
        for length in 0..good.len() {
            assert!(default_token(&good[..length]).is_none(), "{length} bytes");
        }
        let not_text = [0x0a, 0x03, 0x12, 0x01, 0xff];
        let endless_number = [0xff; 11];
        let length_of_everything = [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        let group = [0x0b, 0x0c];
        let number_for_bytes = [0x08, 0x01];
        let bad: [&[u8]; 7] = [
            b"",
            &not_text,
            &endless_number,
            &length_of_everything,
            &group,
            &number_for_bytes,
            &[&good[..], &group].concat(),
        ];
        for bytes in bad {
            assert!(default_token(bytes).is_none(), "{bytes:x?}");
        }
        assert!(default_token(&response(&[""])).is_none());
        assert!(default_token(&response(&[&"x".repeat(MAX_TOKEN_LEN + 1)])).is_none());
    }
}
