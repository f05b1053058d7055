//! What an audit re-computes of a task.

use tatau_evidence::Draw;
use tatau_model::{AuditWork, Digest, Job, JobKind, Rect, RenderSpec, Work};

/// The purpose under which crops are drawn from a challenge.
const DRAW_LABEL: &str = "crops";
/// The comparator takes no more crops at once.
pub const MAX_CROPS: u32 = 64;

/// Size of the benchmark's frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BenchmarkSpec {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Cycles samples a pixel.
    pub samples: u32,
}

/// The benchmark that places every card.
pub const BENCHMARK: BenchmarkSpec = BenchmarkSpec { width: 256, height: 256, samples: 48 };

/// Frames, tiles and the benchmark: `crops` crops (1 to 64) of `crop_ppm` of the area each, drawn from the challenge, so that anyone
/// who knows it gets the same; everything else is run again whole. Crops of a tile count from the tile's corner.
pub fn audit_work(work: &Work, job: &Job, challenge: &Digest, crops: u32, crop_ppm: u32) -> AuditWork {
    match frame_size(work, job).filter(|_| !matches!(work, Work::Stitch { .. })) {
        None => AuditWork::Rerun,
        Some((width, height)) => {
            let count = crops.clamp(1, MAX_CROPS);
            AuditWork::Crops { crops: Draw::new(challenge, DRAW_LABEL).crops(width, height, count, crop_ppm) }
        }
    }
}

/// Width and height of the raw frame or tile that the task makes, if it makes one.
pub fn frame_size(work: &Work, job: &Job) -> Option<(u32, u32)> {
    match (work, &job.kind) {
        (Work::Render { tile: Some(tile), .. }, JobKind::Render(spec)) => {
            tile_rect(spec, *tile).map(|rect| (rect.w, rect.h))
        }
        (Work::Render { .. } | Work::Stitch { .. }, JobKind::Render(spec)) => Some((spec.width, spec.height)),
        (Work::Benchmark, _) => Some((BENCHMARK.width, BENCHMARK.height)),
        _ => None,
    }
}

/// Where a tile of the job's frames lies.
pub fn tile_rect(spec: &RenderSpec, tile: u16) -> Option<Rect> {
    spec.tiles?.tile(tile, spec.width, spec.height)
}

/// Channels of the raw frames of a job.
pub fn channels(job: &Job) -> u32 {
    match &job.kind {
        JobKind::Render(spec) => spec.channels(),
        _ => RenderSpec::PLAIN_CHANNELS,
    }
}

#[cfg(test)]
#[path = "tests/audit.rs"]
mod tests;
