//! Frames between the agent and the runner: two little-endian `u32` lengths (header, body), a JSON header, raw bytes.
//!
//! Both ends refuse a frame over the limits before reading it. Only [`FromRunner::Chunk`] has a body.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest header in bytes: a template of 256 KiB in JSON escapes fits.
pub const HEADER_BYTES: usize = 2 * 1024 * 1024;
/// Longest body in bytes.
pub const BODY_BYTES: usize = 256 * 1024;
/// Longest line of a log in bytes; the rest of the line is cut.
pub const LINE_BYTES: usize = 4096;

/// What the agent tells the runner.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToRunner {
    /// First frame: what to run.
    Start {
        /// The job template.
        template: String,
        /// Job parameter values.
        parameters: BTreeMap<String, String>,
        /// The step.
        step: String,
        /// Most output files of one task.
        output_files: u32,
        /// Most output bytes of one task.
        output_bytes: u64,
        /// Most log bytes of one task, and of the start.
        log_bytes: u64,
    },
    /// Run one task.
    Task {
        /// Its parameter values.
        parameters: BTreeMap<String, String>,
        /// A folder below `/in/files` whose files it finds in `/work/out`.
        #[serde(default)]
        before: Option<String>,
        /// Seconds until it is killed.
        seconds: u64,
    },
    /// Exit the environments and end.
    Close,
}

/// What the runner tells the agent.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromRunner {
    /// First frame: the runner is there and waits.
    Hello,
    /// The environments are entered.
    Ready,
    /// The session cannot start.
    Refused {
        /// Why, in one sentence.
        sentence: String,
    },
    /// A line of output, at most [`LINE_BYTES`] long.
    Log(String),
    /// An output file follows in chunks that add up to `bytes`.
    File {
        /// Name relative to `/work/out`.
        name: String,
        /// Length in bytes.
        bytes: u64,
    },
    /// A piece of the last announced file, in the frame's body.
    Chunk,
    /// The task has ended, all its outputs are sent.
    Done(TaskEnd),
    /// The environments are exited.
    Closed,
}

/// How a task ended, as the runner saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskEnd {
    /// Exit status zero and the outputs sent whole.
    Success,
    /// It failed.
    Failed {
        /// What is known of the exit, one sentence.
        sentence: String,
    },
    /// Killed at its time limit.
    TimedOut,
    /// More or larger outputs than allowed.
    OutputTooLarge {
        /// Which limit.
        sentence: String,
    },
    /// Something in the outputs that is no plain file.
    OutputRefused {
        /// What.
        sentence: String,
    },
}

fn bad(sentence: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, sentence)
}

fn lengths(head: [u8; 8]) -> io::Result<(usize, usize)> {
    let both = u64::from_le_bytes(head);
    let (header, body) = (both as u32 as usize, (both >> 32) as usize);
    if header > HEADER_BYTES || body > BODY_BYTES {
        return Err(bad(format!("a frame of {header} + {body} bytes is over the limit")));
    }
    Ok((header, body))
}

fn encode<T: Serialize>(message: &T, body: &[u8]) -> io::Result<Vec<u8>> {
    let header = serde_json::to_vec(message).map_err(|e| bad(e.to_string()))?;
    if header.len() > HEADER_BYTES || body.len() > BODY_BYTES {
        return Err(bad(format!("a frame of {} + {} bytes is over the limit", header.len(), body.len())));
    }
    let mut frame = Vec::with_capacity(8 + header.len() + body.len());
    frame.extend_from_slice(&(header.len() as u32).to_le_bytes());
    frame.extend_from_slice(&(body.len() as u32).to_le_bytes());
    frame.extend_from_slice(&header);
    frame.extend_from_slice(body);
    Ok(frame)
}

fn decode<T: DeserializeOwned>(header: &[u8]) -> io::Result<T> {
    serde_json::from_slice(header).map_err(|e| bad(format!("a frame that cannot be read: {e}")))
}

/// Writes one frame, blocking.
pub fn write<T: Serialize>(to: &mut impl Write, message: &T, body: &[u8]) -> io::Result<()> {
    to.write_all(&encode(message, body)?)?;
    to.flush()
}

/// Reads one frame, blocking; `None` at a clean end.
pub fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<(T, Vec<u8>)>> {
    let mut head = [0; 8];
    match from.read(&mut head[..1])? {
        0 => return Ok(None),
        _ => from.read_exact(&mut head[1..])?,
    }
    let (header, body) = lengths(head)?;
    let mut bytes = vec![0; header + body];
    from.read_exact(&mut bytes)?;
    let rest = bytes.split_off(header);
    Ok(Some((decode(&bytes)?, rest)))
}

/// Writes one frame.
pub async fn send<T: Serialize>(to: &mut (impl AsyncWrite + Unpin), message: &T) -> io::Result<()> {
    to.write_all(&encode(message, &[])?).await?;
    to.flush().await
}

/// Reads one frame; `None` at a clean end. Not safe to cancel: use it under a deadline that ends the session.
pub async fn receive<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<(T, Vec<u8>)>> {
    let mut head = [0; 8];
    if from.read(&mut head[..1]).await? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut head[1..]).await?;
    let (header, body) = lengths(head)?;
    let mut bytes = vec![0; header + body];
    from.read_exact(&mut bytes).await?;
    let rest = bytes.split_off(header);
    Ok(Some((decode(&bytes)?, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_survives_the_pipe() {
        let mut pipe = Vec::new();
        write(&mut pipe, &FromRunner::Chunk, b"abc").unwrap();
        let (message, body) = read::<FromRunner>(&mut pipe.as_slice()).unwrap().unwrap();
        assert!(matches!(message, FromRunner::Chunk));
        assert_eq!(body, b"abc");
        assert!(read::<FromRunner>(&mut [].as_slice()).unwrap().is_none());
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_before_it_is_read() {
        let mut pipe = u32::MAX.to_le_bytes().to_vec();
        pipe.extend_from_slice(&0_u32.to_le_bytes());
        assert_eq!(read::<FromRunner>(&mut pipe.as_slice()).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(write(&mut Vec::new(), &FromRunner::Chunk, &vec![0; BODY_BYTES + 1]).is_err());
    }

    #[test]
    fn a_frame_cut_short_is_an_error_and_no_clean_end() {
        let mut pipe = Vec::new();
        write(&mut pipe, &FromRunner::Ready, &[]).unwrap();
        for cut in 1..pipe.len() {
            assert!(read::<FromRunner>(&mut &pipe[..cut]).is_err(), "cut at {cut}");
        }
    }
}
