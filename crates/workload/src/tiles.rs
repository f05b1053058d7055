//! Whether frames are cut into tiles, and how: a task should last minutes, not hours, so that several machines make one frame and little
//! is lost when one of them vanishes.

use std::str::FromStr;
use tatau_model::Grid;

/// A frame that takes longer than this on the market's middle card is cut, ms.
const LONG_MS: u64 = 10 * 60_000;
/// How long a tile of it should take there, ms.
const TILE_MS: u64 = 5 * 60_000;
/// Most tiles of a frame.
pub const MAX_TILES: u16 = 64;
/// Most tiles of a job.
pub const MAX_JOB_TILES: usize = 20_000;
/// Least edge of a tile, pixels: smaller ones would be mostly margin.
const LEAST_EDGE_PX: u32 = 128;

/// What the buyer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wish {
    /// Tiles where a frame takes long.
    #[default]
    Auto,
    /// Whole frames.
    Off,
    /// This grid.
    Grid(Grid),
}

/// Why frames cannot be cut so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TilesError {
    /// Not the form that it has.
    #[error("tiles are 'auto', 'off', or columns and rows such as 4x2")]
    Form,
    /// Too many, or too small.
    #[error(
        "frames of {0} x {1} pixels cannot be cut into {2} tiles: {MAX_TILES} a frame are possible, {MAX_JOB_TILES} a job, each at least \
         {LEAST_EDGE_PX} pixels wide and high; choose fewer"
    )]
    TooMany(u32, u32, Grid),
}

impl FromStr for Wish {
    type Err = TilesError;

    fn from_str(text: &str) -> Result<Self, TilesError> {
        match text {
            "" | "auto" => Ok(Self::Auto),
            "off" | "1x1" => Ok(Self::Off),
            _ => {
                let number = |text: &str| text.parse::<u16>().ok().filter(|n| *n > 0).ok_or(TilesError::Form);
                let (columns, rows) = text.split_once('x').ok_or(TilesError::Form)?;
                Ok(Self::Grid(Grid { columns: number(columns)?, rows: number(rows)? }))
            }
        }
    }
}

impl std::fmt::Display for Wish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Off => f.write_str("off"),
            Self::Grid(grid) => grid.fmt(f),
        }
    }
}

/// What the jobs' frames are, as far as tiles matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frames {
    /// How many.
    pub count: usize,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Reference milliseconds of one.
    pub reference_ms: u64,
}

/// The grid that `wish` means on a market whose middle card has `score_milli` (GTX 1080 Ti = 1000); `None` is whole frames.
pub fn grid(wish: Wish, frames: Frames, score_milli: u64) -> Result<Option<Grid>, TilesError> {
    match wish {
        Wish::Off => Ok(None),
        Wish::Grid(grid) if fits(grid, frames) => Ok(Some(grid)),
        Wish::Grid(grid) => Err(TilesError::TooMany(frames.width, frames.height, grid)),
        Wish::Auto => {
            let ms = frames.reference_ms.saturating_mul(1_000) / score_milli.max(1);
            if ms <= LONG_MS {
                return Ok(None);
            }
            Ok((2..=ms.div_ceil(TILE_MS).min(u64::from(MAX_TILES)) as u16)
                .rev()
                .map(|count| near_square(count, frames))
                .find(|grid| grid.count() > 1 && fits(*grid, frames)))
        }
    }
}

/// Columns and rows of about `count` tiles that are as near to squares as they come, never more than [`MAX_TILES`].
fn near_square(count: u16, frames: Frames) -> Grid {
    let count = u64::from(count);
    let (width, height) = (u64::from(frames.width.max(1)), u64::from(frames.height.max(1)));
    let columns = (count * width / height).isqrt().clamp(1, count);
    Grid { columns: columns as u16, rows: (count / columns).max(1) as u16 }
}

fn fits(grid: Grid, frames: Frames) -> bool {
    let wide = |index| grid.tile(index, frames.width, frames.height);
    grid.count() <= MAX_TILES
        && usize::from(grid.count()).saturating_mul(frames.count) <= MAX_JOB_TILES
        && u32::from(grid.columns) * u32::from(grid.rows) == u32::from(grid.count())
        && (0..grid.count()).all(|i| wide(i).is_some_and(|t| t.w >= LEAST_EDGE_PX && t.h >= LEAST_EDGE_PX))
}

#[cfg(test)]
#[path = "tests/tiles.rs"]
mod tests;
