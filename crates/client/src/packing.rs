//! Bytes packed on their way, where the line is slow and they get smaller: uncompressed scenes, caches and logs do, pictures
//! and films do not.

use bytes::Bytes;
use flate2::{Compression, Decompress, FlushDecompress, Status, write::ZlibEncoder};
use futures_util::{StreamExt as _, stream::BoxStream};
use std::{io::Write as _, time::Duration};
use tatau_api::{PACKED, PACKED_HEADER};

/// A line that carries fewer bytes a second is worth the processor's time.
const SLOW_LINE: f64 = 12e6;
/// After a chunk that did not get smaller so many are sent as they are.
const SKIP: u32 = 8;
/// Largest share of its size that packing has to reach.
const WORTH_PERCENT: usize = 90;
/// Bytes unpacked at once.
const OUT: usize = 256 << 10;

/// Whether the next chunk of an upload is to be packed.
#[derive(Debug, Default)]
pub(crate) struct Packing {
    slow: bool,
    skip: u32,
}

impl Packing {
    /// So many bytes took so long on their way.
    pub(crate) fn learn(&mut self, bytes: usize, took: Duration) {
        self.slow = (bytes as f64) < SLOW_LINE * took.as_secs_f64();
    }

    /// Should the next chunk be tried?
    pub(crate) fn next(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.slow
    }

    /// The chunk packed, away from the async threads; as it is, and `false`, where that is hardly smaller.
    pub(crate) async fn try_on(&mut self, chunk: Bytes) -> (Bytes, bool) {
        let bytes = chunk.clone();
        if let Ok(Some(packed)) = tokio::task::spawn_blocking(move || pack(&bytes)).await {
            (packed, true)
        } else {
            self.skip = SKIP;
            (chunk, false)
        }
    }
}

/// The bytes as a zlib stream, where that is smaller by a tenth or more.
fn pack(bytes: &[u8]) -> Option<Bytes> {
    let mut packer = ZlibEncoder::new(Vec::with_capacity(bytes.len() / 2), Compression::fast());
    packer.write_all(bytes).ok()?;
    let packed = packer.finish().ok()?;
    (packed.len() * 100 <= bytes.len() * WORTH_PERCENT).then(|| packed.into())
}

/// It is no zlib stream, or more than one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Broken;

/// Unpacks a stream piece by piece.
struct Unpacker {
    state: Decompress,
    ended: bool,
}

impl Unpacker {
    fn new() -> Self {
        Self { state: Decompress::new(true), ended: false }
    }

    /// The next piece of what is in `packed`, at most 256 KiB, so that a bomb is seen before it is large; `None` where all of
    /// `packed` was used. `packed` loses what was read.
    ///
    /// # Errors
    /// [`Broken`].
    fn next(&mut self, packed: &mut &[u8]) -> Result<Option<Bytes>, Broken> {
        let mut out = Vec::with_capacity(OUT);
        while !self.ended {
            let before = self.state.total_in();
            let status =
                self.state.decompress_vec(packed, &mut out, FlushDecompress::None).map_err(|_| Broken)?;
            let read = usize::try_from(self.state.total_in() - before).unwrap_or(usize::MAX);
            *packed = packed.get(read..).unwrap_or_default();
            self.ended = status == Status::StreamEnd;
            if !out.is_empty() {
                return Ok(Some(out.into()));
            }
            if packed.is_empty() {
                return Ok(None);
            }
            if read == 0 {
                return Err(Broken);
            }
        }
        if packed.is_empty() { Ok(None) } else { Err(Broken) }
    }

    /// Did the stream come to its end?
    fn ended(&self) -> bool {
        self.ended
    }
}

/// Is a line slow that carried so many bytes in so long? `None` where that is too little to tell.
pub(crate) fn is_slow(bytes: u64, took: Duration) -> Option<bool> {
    const LOOK: Duration = Duration::from_secs(1);
    const ENOUGH: u64 = 1 << 20;
    (took >= LOOK || bytes >= ENOUGH).then_some((bytes as f64) < SLOW_LINE * took.as_secs_f64())
}

/// The bytes of an answer, unpacked where they came packed.
pub(crate) struct Pieces {
    stream: BoxStream<'static, reqwest::Result<Bytes>>,
    unpacker: Option<Unpacker>,
    /// Bytes that the line carried.
    pub(crate) received: u64,
    /// What was received and not yet unpacked.
    rest: Bytes,
}

impl Pieces {
    pub(crate) fn of(response: reqwest::Response) -> Self {
        let packed = response.headers().get(PACKED_HEADER).is_some_and(|how| how == PACKED);
        Self {
            stream: response.bytes_stream().boxed(),
            unpacker: packed.then(Unpacker::new),
            received: 0,
            rest: Bytes::new(),
        }
    }

    /// The next piece, never empty.
    ///
    /// # Errors
    /// The line's own, or none where what came is no zlib stream.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, Option<reqwest::Error>>> {
        loop {
            if let Some(unpacker) = &mut self.unpacker {
                let mut packed = &self.rest[..];
                let piece = unpacker.next(&mut packed);
                self.rest = self.rest.slice(self.rest.len() - packed.len()..);
                match piece {
                    Ok(Some(piece)) => return Some(Ok(piece)),
                    Ok(None) => {}
                    Err(Broken) => return Some(Err(None)),
                }
            }
            let received = self.stream.next().await;
            self.received +=
                received.as_ref().map_or(0, |r| r.as_ref().map_or(0, |bytes| bytes.len() as u64));
            match (received, &self.unpacker) {
                (Some(Ok(received)), Some(_)) => self.rest = received,
                (Some(Ok(received)), None) if !received.is_empty() => return Some(Ok(received)),
                (Some(Ok(_)), None) => {}
                (Some(Err(error)), _) => return Some(Err(Some(error))),
                (None, Some(unpacker)) if !unpacker.ended() => return Some(Err(None)),
                (None, _) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(packed: &[u8], step: usize) -> Option<Vec<u8>> {
        let (mut unpacker, mut all) = (Unpacker::new(), Vec::new());
        for mut piece in packed.chunks(step) {
            while let Some(bytes) = unpacker.next(&mut piece).ok()? {
                assert!(bytes.len() <= OUT);
                all.extend_from_slice(&bytes);
            }
            assert!(piece.is_empty());
        }
        unpacker.ended().then_some(all)
    }

    #[test]
    fn what_was_packed_comes_out_again_however_it_is_cut() {
        let text: Vec<u8> = (0..3_000_000u32).map(|i| (i / 1_000) as u8).collect();
        let packed = pack(&text).unwrap();
        for step in [1, 7, 1_000, packed.len()] {
            assert!(unpack(&packed, step).as_deref() == Some(&text[..]), "by {step}");
        }
        assert_eq!(unpack(&packed[..packed.len() - 1], 100), None, "cut");
        assert_eq!(unpack(&[&packed[..], b"more"].concat(), 1 << 20), None, "more than one stream");
        assert_eq!(unpack(b"no stream at all", 100), None);
        assert_eq!(pack(&noise()), None);
    }

    fn noise() -> Vec<u8> {
        let mut noise = vec![0; 1 << 20];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        noise
    }

    #[tokio::test]
    async fn a_fast_line_and_what_does_not_get_smaller_are_left_alone() {
        let mut packing = Packing::default();
        assert!(!packing.next(), "nothing is known of the line");
        packing.learn(4 << 20, Duration::from_millis(20));
        assert!(!packing.next());
        packing.learn(4 << 20, Duration::from_secs(3));
        assert!(packing.next());
        let noise = Bytes::from(noise());
        assert_eq!(packing.try_on(noise.clone()).await, (noise, false));
        assert_eq!((0..9).map(|_| packing.next()).filter(|next| *next).count(), 1);
    }
}
