//! Frames: four bytes of length, most significant first, and so many bytes of JSON (gitseal-protocol(7)).

use std::io;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use zeroize::Zeroizing;

/// Longest frame, in bytes: 64 signatures of 16 KiB, or a commit of half a megabyte. One that announces more is not read.
pub const MAX_FRAME_LEN: usize = 1 << 20;
/// How long the rest of a frame may take once it has begun. Nobody types them.
pub const FRAME_TIME: Duration = Duration::from_secs(5);

/// Why there is no frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The other side has closed the connection between two frames.
    #[error("the connection was closed")]
    Closed,
    /// Longer than [`MAX_FRAME_LEN`], or empty.
    #[error("a frame of {0} bytes; 1 to {MAX_FRAME_LEN} are allowed")]
    Length(usize),
    /// Begun, and not ended in time or before the connection was closed.
    #[error("a frame was begun and not ended")]
    Unfinished,
    /// Not the JSON that is expected.
    #[error("a frame that means nothing: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The socket.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// `message` as a frame. It may carry a token, so it is wiped after use and no half-grown copy is left behind.
///
/// # Errors
/// [`FrameError::Length`] when it would be longer than anybody reads.
pub fn encode(message: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, FrameError> {
    let mut count = Counter(0);
    serde_json::to_writer(&mut count, message)?;
    let length = count.0;
    if length > MAX_FRAME_LEN {
        return Err(FrameError::Length(length));
    }
    let mut frame = Zeroizing::new(Vec::with_capacity(4 + length));
    frame.extend_from_slice(&u32::try_from(length).expect("a megabyte").to_be_bytes());
    serde_json::to_writer(&mut *frame, message)?;
    Ok(frame)
}

/// The message in `body`.
///
/// # Errors
/// [`FrameError::Malformed`] when it is none.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    Ok(serde_json::from_slice(body)?)
}

/// The length that `header` announces.
///
/// # Errors
/// [`FrameError::Length`] when nobody may send so much.
pub fn length(header: [u8; 4]) -> Result<usize, FrameError> {
    let length = u32::from_be_bytes(header) as usize;
    if (1..=MAX_FRAME_LEN).contains(&length) { Ok(length) } else { Err(FrameError::Length(length)) }
}

/// Wait for a frame to begin for as long as it takes, and read it; the caller bounds the waiting.
///
/// # Errors
/// [`FrameError`]: there is none, or it is too long or too slow.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Zeroizing<Vec<u8>>, FrameError> {
    let mut header = [0; 4];
    if stream.read(&mut header[..1]).await? == 0 {
        return Err(FrameError::Closed);
    }
    let rest = async {
        stream.read_exact(&mut header[1..]).await?;
        let mut body = Zeroizing::new(vec![0; length(header)?]);
        stream.read_exact(&mut body).await?;
        Ok(body)
    };
    match tokio::time::timeout(FRAME_TIME, rest).await {
        Ok(Err(FrameError::Io(error))) if error.kind() == io::ErrorKind::UnexpectedEof => Err(FrameError::Unfinished),
        Ok(body) => body,
        Err(_) => Err(FrameError::Unfinished),
    }
}

/// Send `message`.
///
/// # Errors
/// [`FrameError`]: it is too long, or the other side does not take it in time.
pub async fn write(stream: &mut (impl AsyncWrite + Unpin), message: &impl Serialize) -> Result<(), FrameError> {
    let frame = encode(message)?;
    match tokio::time::timeout(FRAME_TIME, stream.write_all(&frame)).await {
        Ok(written) => Ok(written?),
        Err(_) => Err(FrameError::Unfinished),
    }
}

/// Counts what is written to it.
struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::protocol::{Hello, Request};

    #[tokio::test]
    async fn frames_follow_each_other() {
        let mut bytes = encode(&Request::Hello(Hello { version: 1 })).unwrap().to_vec();
        assert_eq!(bytes, b"\0\0\0\x17{\"hello\":{\"version\":1}}");
        bytes.extend_from_slice(b"\0\0\0\x02{}");
        let mut stream = &bytes[..];
        assert!(decode::<Request>(&read(&mut stream).await.unwrap()).is_ok());
        assert_eq!(**read(&mut stream).await.unwrap(), *b"{}");
        assert!(matches!(read(&mut stream).await, Err(FrameError::Closed)));
    }

    #[tokio::test]
    async fn lengths_are_bounded_and_ends_must_come() {
        let mut longest = u32::try_from(MAX_FRAME_LEN).unwrap().to_be_bytes().to_vec();
        longest.resize(4 + MAX_FRAME_LEN, b' ');
        assert_eq!(read(&mut &longest[..]).await.unwrap().len(), MAX_FRAME_LEN);
        for bad in [&b"\0\0\0\0"[..], b"\0\x10\0\x01{}", b"\xff\xff\xff\xff"] {
            assert!(matches!(read(&mut &bad[..]).await, Err(FrameError::Length(_))), "{bad:?}");
        }
        for cut in [&b"\0"[..], b"\0\0\0\x02", b"\0\0\0\x02{"] {
            assert!(matches!(read(&mut &cut[..]).await, Err(FrameError::Unfinished)), "{cut:?}");
        }
        assert!(matches!(encode(&" ".repeat(MAX_FRAME_LEN)), Err(FrameError::Length(_))));
    }
}
