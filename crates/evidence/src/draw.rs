//! Draws from a challenge: anyone repeats them and gets the same.

use crate::hash::keccak_of;
use tatau_model::{Digest, Rect};

/// One whole, in parts per million.
const MILLION: u64 = 1_000_000;

/// Crops are at least this many pixels wide and high, where the frame is.
pub const MIN_CROP_PX: u32 = 16;

/// The most crops of one draw.
pub const MAX_CROPS: u32 = 1024;

/// An endless, deterministic stream of uniform draws.
#[derive(Debug, Clone)]
pub struct Draw {
    key: Digest,
    blocks: u64,
    block: Digest,
    /// Bytes of `block` that are used up.
    used: usize,
}

impl Draw {
    /// The stream of `challenge` for the purpose `label`; other labels give independent streams.
    pub fn new(challenge: &Digest, label: &str) -> Self {
        let key = keccak_of(&[b"tatau-draw", &challenge.0, label.as_bytes()]);
        Self { key, blocks: 0, block: Digest([0; 32]), used: 32 }
    }

    fn next_u64(&mut self) -> u64 {
        if self.used == 32 {
            self.block = keccak_of(&[&self.key.0, &self.blocks.to_be_bytes()]);
            self.blocks += 1;
            self.used = 0;
        }
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.block.0[self.used..self.used + 8]);
        self.used += 8;
        u64::from_be_bytes(bytes)
    }

    /// Uniform over `0..n`, without the bias of a plain remainder; 0 where `n` is 0 or 1 (use [`Self::pick`] where
    /// there may be nothing to choose from).
    pub fn below(&mut self, n: u64) -> u64 {
        if n <= 1 {
            return 0;
        }
        // The largest multiple of n that fits; values from there on are drawn again (fewer than half are).
        let limit = u64::MAX - (u64::MAX % n + 1) % n;
        loop {
            let value = self.next_u64();
            if value <= limit {
                return value % n;
            }
        }
    }

    /// One of `items`, each with the same chance; `None` of none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len() as u64) as usize)
    }

    /// An index, each with a chance in proportion to its weight (such as stake); `None` where no weight is above 0
    /// or their sum does not fit.
    pub fn weighted(&mut self, weights: &[u64]) -> Option<usize> {
        let total = weights.iter().try_fold(0u64, |sum, w| sum.checked_add(*w))?;
        if total == 0 {
            return None;
        }
        let mut left = self.below(total);
        for (index, weight) in weights.iter().enumerate() {
            if left < *weight {
                return Some(index);
            }
            left -= weight;
        }
        None
    }

    /// True with a chance of `ppm` in a million.
    pub fn happens(&mut self, ppm: u32) -> bool {
        self.below(MILLION) < u64::from(ppm)
    }

    /// `count` crops (at most 1,024) of a frame, each of about `share_ppm` of its area and of its shape, at least
    /// 16 x 16 pixels or the frame's own edge. None of an empty frame.
    ///
    /// A crop is thrown with its corner anywhere from which it would touch the frame, then moved inside: thus every
    /// pixel, in the corners too, is covered with a chance of at least `w·h ÷ ((W+w-1)(H+h-1))`. Throwing it only where
    /// it fits would leave borders that are hardly ever looked at.
    pub fn crops(&mut self, width: u32, height: u32, count: u32, share_ppm: u32) -> Vec<Rect> {
        if width == 0 || height == 0 {
            return Vec::new();
        }
        let (w, h) = crop_size(width, height, share_ppm);
        let mut throw = |edge: u32, frame: u32| {
            let thrown = self.below(u64::from(frame) + u64::from(edge) - 1);
            thrown.saturating_sub(u64::from(edge) - 1).min(u64::from(frame - edge)) as u32
        };
        (0..count.min(MAX_CROPS)).map(|_| Rect { x: throw(w, width), y: throw(h, height), w, h }).collect()
    }
}

/// Width and height of a crop of `share_ppm` of the frame, pixels; integers only, so that all machines agree.
fn crop_size(width: u32, height: u32, share_ppm: u32) -> (u32, u32) {
    let share = u128::from(share_ppm.min(1_000_000));
    let clamp =
        |edge: u128, frame: u32| (edge.min(u128::from(frame)) as u32).clamp(MIN_CROP_PX.min(frame), frame);
    let area = share * u128::from(width) * u128::from(height) / u128::from(MILLION);
    // The shorter edge first: where it hits its minimum, the longer one gives way.
    let short = width.min(height);
    let long = width.max(height);
    let short_edge =
        clamp((u128::from(short) * u128::from(short) * share / u128::from(MILLION)).isqrt(), short);
    let long_edge = clamp(area / u128::from(short_edge), long);
    if width <= height { (short_edge, long_edge) } else { (long_edge, short_edge) }
}
