//! How a long frame is cut.

use crate::Rect;
use serde::{Deserialize, Serialize};

/// How a frame is cut into tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    /// Tiles beside each other.
    pub columns: u16,
    /// Tiles above each other.
    pub rows: u16,
}

impl Grid {
    /// Tiles begin at multiples of so many pixels, so that the hashed tiles of a trace never lie across two of them.
    pub const STEP_PX: u32 = 64;

    /// How many tiles.
    pub fn count(self) -> u16 {
        self.columns.saturating_mul(self.rows)
    }

    /// Tile `index` (row by row from the top left) of a frame of that size, pixels; none where the grid has no such tile or the frame
    /// is too small for it.
    pub fn tile(self, index: u16, width: u32, height: u32) -> Option<Rect> {
        let (column, row) = (index.checked_rem(self.columns)?, index / self.columns);
        let edge = |at: u16, of: u16, length: u32| {
            let exact = u64::from(length) * u64::from(at) / u64::from(of.max(1));
            let step = u64::from(Self::STEP_PX);
            if at >= of { length } else { (exact / step * step) as u32 }
        };
        let (x, right) = (edge(column, self.columns, width), edge(column + 1, self.columns, width));
        let (y, bottom) = (edge(row, self.rows, height), edge(row + 1, self.rows, height));
        (row < self.rows && x < right && y < bottom).then(|| Rect { x, y, w: right - x, h: bottom - y })
    }
}

impl std::fmt::Display for Grid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.columns, self.rows)
    }
}
