//! Bytes packed on their way, for clients on slow lines that ask for it: a file as a zlib stream, a chunk out of one.

use axum::body::Bytes;
use flate2::{Compress, Compression, FlushCompress, Status, read::ZlibDecoder};
use futures_util::{Stream, stream};
use std::{
    io::{self, Read as _},
    sync::Arc,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    sync::Semaphore,
};

/// Bytes of a file that are packed at once.
const PIECE: usize = 256 << 10;
/// Largest share of its size that a sample has to reach.
const WORTH_PERCENT: usize = 90;

/// The processor's share of it: pieces that are packed at the same moment.
#[derive(Debug, Clone)]
pub(crate) struct Packer(Arc<Semaphore>);

impl Default for Packer {
    /// Half the processors, one at least.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new((processors / 2).max(1))))
    }
}

/// A file being packed.
struct Running<R> {
    packer: Packer,
    source: R,
    state: Compress,
    ended: bool,
}

impl Packer {
    /// Does this get smaller?
    pub(crate) async fn is_worth_it(&self, sample: Vec<u8>) -> io::Result<bool> {
        let len = sample.len();
        let (packed, _) =
            self.pack(Compress::new(Compression::fast(), true), sample, FlushCompress::Finish).await?;
        Ok(packed.len() * 100 <= len * WORTH_PERCENT)
    }

    /// What `source` gives, as one zlib stream.
    pub(crate) fn packed<R: AsyncRead + Unpin + Send>(
        self,
        source: R,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send {
        let state = Compress::new(Compression::fast(), true);
        let running = Running { packer: self, source, state, ended: false };
        stream::try_unfold(running, async |mut running| {
            while !running.ended {
                let mut piece = Vec::with_capacity(PIECE);
                (&mut running.source).take(PIECE as u64).read_to_end(&mut piece).await?;
                running.ended = piece.len() < PIECE;
                let flush = if running.ended { FlushCompress::Finish } else { FlushCompress::None };
                let (packed, state) = running.packer.pack(running.state, piece, flush).await?;
                running.state = state;
                if !packed.is_empty() {
                    return Ok(Some((Bytes::from(packed), running)));
                }
            }
            Ok(None)
        })
    }

    /// One piece, away from the async threads.
    async fn pack(
        &self,
        mut state: Compress,
        piece: Vec<u8>,
        flush: FlushCompress,
    ) -> io::Result<(Vec<u8>, Compress)> {
        let permit = Arc::clone(&self.0).acquire_owned().await.map_err(io::Error::other)?;
        let packing = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let (mut out, mut rest) = (Vec::with_capacity(PIECE / 2), &piece[..]);
            loop {
                out.reserve(PIECE / 2);
                let before = (state.total_in(), out.len());
                let status = state.compress_vec(rest, &mut out, flush).map_err(io::Error::other)?;
                let read = usize::try_from(state.total_in() - before.0).unwrap_or(usize::MAX);
                rest = rest.get(read..).unwrap_or_default();
                let has_room = out.len() < out.capacity();
                let done = match flush {
                    FlushCompress::Finish => status == Status::StreamEnd,
                    _ => rest.is_empty() && has_room,
                };
                if done {
                    return Ok((out, state));
                }
                if read == 0 && out.len() == before.1 && has_room {
                    return Err(io::Error::other("packing stands still"));
                }
            }
        });
        packing.await.map_err(io::Error::other)?
    }
}

/// The chunk in a zlib stream; `None` where it is no whole stream or holds more than `most` bytes.
pub(crate) async fn unpacked(packed: Bytes, most: usize) -> Option<Bytes> {
    let unpacking = tokio::task::spawn_blocking(move || {
        let mut unpacker = ZlibDecoder::new(&packed[..]);
        let mut out = Vec::new();
        unpacker.by_ref().take(most as u64 + 1).read_to_end(&mut out).ok()?;
        // The stream's end is read only when something is asked for behind it.
        let whole = out.len() <= most && unpacker.total_in() == packed.len() as u64;
        whole.then_some(out)
    });
    unpacking.await.ok()?.map(Bytes::from)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use futures_util::TryStreamExt as _;

    async fn packed(data: &[u8]) -> Vec<u8> {
        let pieces: Vec<Bytes> = Packer::default().packed(data).try_collect().await.unwrap();
        pieces.concat()
    }

    #[tokio::test]
    async fn a_file_is_packed_and_comes_out_again() {
        let text: Vec<u8> = (0..1_000_000u32).map(|i| (i / 100) as u8).collect();
        let mut noise = vec![0; 1_000_000];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        for data in [&text[..], &noise, &text[..PIECE], &text[..1], &[]] {
            let stream = packed(data).await;
            assert_eq!(unpacked(stream.clone().into(), data.len()).await.as_deref(), Some(data));
            let torn = stream[..stream.len() - 1].to_vec();
            assert_eq!(unpacked(torn.into(), data.len()).await, None);
            assert_eq!(unpacked([&stream[..], b"x"].concat().into(), data.len()).await, None);
        }
        assert!(packed(&text).await.len() < 50_000);
        assert!(Packer::default().is_worth_it(text).await.unwrap());
        assert!(!Packer::default().is_worth_it(noise).await.unwrap());
    }

    #[tokio::test]
    async fn a_bomb_is_left_before_it_is_large() {
        let bomb = packed(&vec![0; 64 << 20]).await;
        assert!(bomb.len() < 1 << 20);
        assert_eq!(unpacked(bomb.into(), 8 << 20).await, None);
    }
}
