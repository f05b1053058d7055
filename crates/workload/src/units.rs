//! What work weighs: units for receipts, milliseconds of a GTX 1080 Ti (score 1000) for prices and deadlines.
//!
//! One core of a server is score 40 (`tatau_model::card::CLASSES`), so a second on a core is 40 reference milliseconds.

use crate::audit::{self, BENCHMARK};
use tatau_model::{Amount, AmountError, AuditWork, Job, JobKind, RenderSpec, Work};

/// Milliseconds in an hour.
const HOUR_MS: u64 = 3_600_000;
/// Score of one core, GTX 1080 Ti = 1000.
const CORE_SCORE_MILLI: u64 = 40;

/// An inspection with its probe: 15 s on one core. Measured: 1.4 s for the demo scene; the rest is room for scenes that load
/// slowly, because the price is fixed before anyone knows the scene.
pub const INSPECT_REFERENCE_MS: u64 = on_a_core(15_000);
/// The benchmark (256 x 256, 48 samples): 7 s on one core of the machine that defines score 40. Measured there: 6.5 to 6.9 s
/// of CPU, about 1.4 s + 0.11 s a sample.
pub const BENCHMARK_REFERENCE_MS: u64 = on_a_core(7_000);
/// What an audit costs beside its pixels, on one core. Measured: 0.1 s for two crops of the demo scene, and a share of its load.
pub const AUDIT_OVERHEAD_REFERENCE_MS: u64 = on_a_core(500);
/// A picture, whatever its size: starting the task, fetching and hashing (seed).
const FINISH_BASE_MS: u64 = 200;
/// A picture of the reference size on top of that. Measured: 0.03 to 0.09 s.
const FINISH_PIXELS_MS: u64 = 60;
/// Joining tiles, whatever their size: starting the task, fetching and hashing (seed).
const STITCH_BASE_MS: u64 = 300;
/// A million values (pixels times channels) of joined tiles on one core, milliseconds: unpacking, hashing, packing.
const STITCH_MEGAVALUE_MS: u64 = 400;
/// Pixels that are rendered around a tile and thrown away, as the runtime does where pixels depend on their neighbours.
const TILE_MARGIN_PX: u32 = 16;
/// The reference size, 480 x 270 pixels.
const FINISH_PIXELS: u64 = 480 * 270;
/// A video, whatever its length: starting the task, fetching and hashing (seed).
const VIDEO_BASE_MS: u64 = 1_000;
/// A million pixels of video on one core, milliseconds: decoding the picture and x264 at crf 18. Measured: 45 for 24 equal
/// pictures of the demo scene; moving pictures cost more (seed).
const VIDEO_MEGAPIXEL_MS: u64 = 150;

/// Reference milliseconds of `ms` on one core.
const fn on_a_core(ms: u64) -> u64 {
    ms * CORE_SCORE_MILLI / 1_000
}

/// Work units of the task, as a receipt must claim them: pixel-samples of a frame (and of the benchmark), 1 otherwise.
pub fn units(work: &Work, job: &Job) -> u64 {
    let product = |w: u32, h: u32, samples: u32| {
        u64::from(w).saturating_mul(u64::from(h)).saturating_mul(u64::from(samples))
    };
    match (work, &job.kind) {
        (Work::Render { .. }, JobKind::Render(spec)) => {
            let (width, height) = audit::frame_size(work, job).unwrap_or((spec.width, spec.height));
            product(width, height, spec.samples)
        }
        (Work::Stitch { .. }, JobKind::Render(spec)) => product(spec.width, spec.height, 1),
        (Work::Benchmark, _) => product(BENCHMARK.width, BENCHMARK.height, BENCHMARK.samples),
        _ => 1,
    }
}

/// Reference milliseconds of the whole task, at least 1: from the inspection's probe for frames, a simple model for other
/// work.
pub fn reference_ms(work: &Work, job: &Job) -> u64 {
    let ms = match (work, &job.kind) {
        (Work::Render { tile: Some(tile), .. }, JobKind::Render(spec)) => {
            tile_reference_ms(spec, *tile, job.reference_ms)
        }
        (Work::Render { .. } | Work::Task { .. }, _) => job.reference_ms,
        (Work::Stitch { .. }, JobKind::Render(spec)) => stitch_reference_ms(spec),
        (Work::Stitch { .. }, _) => on_a_core(STITCH_BASE_MS),
        (Work::Inspect, _) => INSPECT_REFERENCE_MS,
        (Work::Benchmark, _) => BENCHMARK_REFERENCE_MS,
        (Work::Finish { .. }, JobKind::Render(spec)) => picture_reference_ms(spec),
        (Work::Finish { .. }, _) => on_a_core(FINISH_BASE_MS),
        (Work::Video, JobKind::Render(spec)) => {
            let (width, height) = spec.picture();
            video_reference_ms(spec.frames.len() as u64, width, height)
        }
        (Work::Video, _) => on_a_core(VIDEO_BASE_MS),
    };
    ms.max(1)
}

/// Reference milliseconds of a tile of a frame that takes `frame_ms`: its share of the area, with its margin.
pub fn tile_reference_ms(spec: &RenderSpec, tile: u16, frame_ms: u64) -> u64 {
    let Some(rect) = spec.tiles.and_then(|grid| grid.tile(tile, spec.width, spec.height)) else {
        return frame_ms;
    };
    let edge = |length: u32, most: u32| u128::from(length.saturating_add(2 * TILE_MARGIN_PX).min(most));
    let area = edge(rect.w, spec.width) * edge(rect.h, spec.height);
    let whole = (u128::from(spec.width) * u128::from(spec.height)).max(1);
    u64::try_from((u128::from(frame_ms) * area).div_ceil(whole)).unwrap_or(u64::MAX).max(1)
}

/// Reference milliseconds of joining a frame's tiles.
pub fn stitch_reference_ms(spec: &RenderSpec) -> u64 {
    let values = u64::from(spec.width) * u64::from(spec.height) * u64::from(spec.channels());
    let ms = u128::from(values) * u128::from(STITCH_MEGAVALUE_MS) / 1_000_000 + u128::from(STITCH_BASE_MS);
    u64::try_from(ms * u128::from(CORE_SCORE_MILLI) / 1_000).unwrap_or(u64::MAX).max(1)
}

/// Reference milliseconds of each lease that a frame of the job needs before its picture: itself, or its tiles and their joining.
pub fn frame_parts(spec: &RenderSpec, frame_ms: u64) -> Vec<u64> {
    let Some(grid) = spec.tiles else { return vec![frame_ms.max(1)] };
    let tiles = (0..grid.count()).map(|tile| tile_reference_ms(spec, tile, frame_ms));
    tiles.chain([stitch_reference_ms(spec)]).collect()
}

/// Reference milliseconds of one picture of the job: as probed where it is denoised or composited.
pub fn picture_reference_ms(spec: &RenderSpec) -> u64 {
    spec.layered
        .map_or_else(|| finish_reference_ms(spec.width, spec.height), |layered| layered.finish_reference_ms)
        .max(1)
}

/// Reference milliseconds of one picture of that size that needs its view transform alone.
pub fn finish_reference_ms(width: u32, height: u32) -> u64 {
    let pixels = u64::from(width) * u64::from(height);
    on_a_core(FINISH_BASE_MS.saturating_add(pixels.saturating_mul(FINISH_PIXELS_MS) / FINISH_PIXELS)).max(1)
}

/// Reference milliseconds of a video of so many frames of that size.
pub fn video_reference_ms(frames: u64, width: u32, height: u32) -> u64 {
    let pixels = (u64::from(width) * u64::from(height)).saturating_mul(frames);
    let ms = u128::from(pixels) * u128::from(VIDEO_MEGAPIXEL_MS) / 1_000_000 + u128::from(VIDEO_BASE_MS);
    u64::try_from(ms * u128::from(CORE_SCORE_MILLI) / 1_000).unwrap_or(u64::MAX).max(1)
}

/// Reference milliseconds of an audit: the share of the frame that its crops cover plus the overhead, or the whole task.
pub fn audit_reference_ms(part: &AuditWork, work: &Work, job: &Job) -> u64 {
    let whole = reference_ms(work, job);
    let AuditWork::Crops { crops } = part else { return whole };
    let (width, height) = audit::frame_size(work, job).unwrap_or((BENCHMARK.width, BENCHMARK.height));
    let frame = (u128::from(width) * u128::from(height)).max(1);
    let pixels: u128 = crops.iter().map(|c| u128::from(c.w) * u128::from(c.h)).sum();
    let share = u128::from(whole).saturating_mul(pixels) / frame;
    u64::try_from(share).unwrap_or(u64::MAX).saturating_add(AUDIT_OVERHEAD_REFERENCE_MS)
}

/// Price of so much work at that ask: `ask × reference_ms ÷ 3,600,000`, rounded up, at least 1 nano-TATAU.
pub fn price(ask_per_reference_hour: Amount, reference_ms: u64) -> Result<Amount, AmountError> {
    let down = ask_per_reference_hour.scale(reference_ms, HOUR_MS)?;
    let exact = i128::from(ask_per_reference_hour.0) * i128::from(reference_ms) % i128::from(HOUR_MS) == 0;
    let up = if exact { down } else { down.add(Amount(1))? };
    Ok(up.max(Amount(1)))
}

#[cfg(test)]
#[path = "tests/units.rs"]
mod tests;
