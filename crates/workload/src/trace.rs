//! What a task delivers: the names and sizes of its files, and the trace beside a raw frame.
//!
//! A trace (`.tiles`) is `TTIL1\0`, then width, height, tile edge (64) and channels as u32 little endian, then for each
//! tile, row by row from the top left, the SHA-256 of its float32 pixels.

use tatau_evidence::merkle::{TILE_PX, manifest_root, tile_count, trace_root};
use tatau_model::{Digest, Job, JobKind, OutputFile, RenderSpec, Work};

const MAGIC: &[u8] = b"TTIL1\0";
const HEADER_BYTES: usize = MAGIC.len() + 16;
const HASH_BYTES: usize = 32;
/// Longest edge of a frame, pixels; the runtime renders no larger ones.
pub const MAX_EDGE_PX: u32 = 16_384;
/// Most channels of a raw frame; the runtime renders no more.
pub const MAX_CHANNELS: u32 = 128;
/// Largest trace: 256 x 256 tiles.
pub const MAX_TRACE_BYTES: u64 = HEADER_BYTES as u64 + 256 * 256 * HASH_BYTES as u64;
/// Largest `result.json`.
pub const MAX_RESULT_BYTES: u64 = 1 << 20;
/// Largest raw frame, picture or crop file.
pub const MAX_FRAME_BYTES: u64 = 4 << 30;
/// Largest video.
pub const MAX_VIDEO_BYTES: u64 = 64 << 30;
/// Most files of a bundle's task.
pub const MAX_TASK_FILES: usize = 128;
/// Room for headers and for pixels that do not compress.
const SLACK_BYTES: u64 = 1 << 20;
/// Every task's report.
pub const RESULT: &str = "result.json";
/// The encoded video.
pub const VIDEO: &str = "video.mp4";

/// Why a trace or a delivery is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TraceError(String);

/// A parsed trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tiles {
    /// Frame width, pixels.
    pub width: u32,
    /// Frame height, pixels.
    pub height: u32,
    /// Channels of the raw frame.
    pub channels: u32,
    /// SHA-256 of each tile, row by row.
    pub hashes: Vec<[u8; 32]>,
}

impl Tiles {
    /// Parses a `.tiles` file; exact to the byte.
    pub fn parse(bytes: &[u8]) -> Result<Self, TraceError> {
        let bad = |what: &str| {
            TraceError(format!("the trace is {what}; deliver the .tiles file that belongs to the frame"))
        };
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| bad("no TTIL1 file"))?;
        let (numbers, rest) = rest.split_at_checked(16).ok_or_else(|| bad("cut off"))?;
        let mut values = [0u32; 4];
        for (value, raw) in values.iter_mut().zip(numbers.chunks_exact(4)) {
            *value = u32::from_le_bytes(raw.try_into().map_err(|_| bad("cut off"))?);
        }
        let [width, height, tile, channels] = values;
        let edges = 1..=MAX_EDGE_PX;
        if tile != TILE_PX
            || !edges.contains(&width)
            || !edges.contains(&height)
            || !(1..=MAX_CHANNELS).contains(&channels)
        {
            return Err(bad("of an impossible shape"));
        }
        if rest.len() as u64 != tile_count(width, height) * HASH_BYTES as u64 {
            return Err(bad("not as long as its frame's tiles"));
        }
        let (hashes, _) = rest.as_chunks::<HASH_BYTES>();
        Ok(Self { width, height, channels, hashes: hashes.to_vec() })
    }

    /// The Merkle root that a receipt signs.
    pub fn root(&self) -> Result<Digest, TraceError> {
        trace_root(self.width, self.height, self.channels, &self.hashes)
            .map_err(|e| TraceError(e.to_string()))
    }
}

/// The trace root of a finished task: that of its `.tiles` file (asked for by name) for frames and the benchmark; the root
/// over its files for other work, which has no trace of its own.
pub fn task_root(
    work: &Work,
    files: &[OutputFile],
    read: &dyn Fn(&str) -> Option<Vec<u8>>,
) -> Result<Digest, TraceError> {
    let Some(name) = trace_file(work) else { return Ok(manifest_root(files)) };
    let bytes =
        read(&name).ok_or_else(|| TraceError(format!("{name} is missing; deliver it with the frame")))?;
    Tiles::parse(&bytes)?.root()
}

/// Stem of a frame's files: `frame_0001`, with a minus before negative numbers' digits (`frame_-001`).
pub fn frame_name(frame: i32) -> String {
    format!("frame_{frame:04}")
}

/// Name of the task's raw frame, or of its tile (`frame_0001_tile_00.exr`), if it makes one; the benchmark is frame 1.
pub fn raw_file(work: &Work) -> Option<String> {
    stem(work).map(|stem| stem + ".exr")
}

/// Name of the task's trace, if it has one.
pub fn trace_file(work: &Work) -> Option<String> {
    stem(work).map(|stem| stem + ".tiles")
}

fn stem(work: &Work) -> Option<String> {
    match work {
        Work::Render { frame, tile: None } | Work::Stitch { frame } => Some(frame_name(*frame)),
        Work::Render { frame, tile: Some(tile) } => Some(format!("{}_tile_{tile:02}", frame_name(*frame))),
        Work::Benchmark => Some(frame_name(1)),
        Work::Inspect | Work::Finish { .. } | Work::Video | Work::Task { .. } => None,
    }
}

/// Names of the files that the task delivers, no more and no fewer. Of a bundle's tasks nobody knows them beforehand: none.
pub fn expected_files(work: &Work) -> Vec<String> {
    let mut names: Vec<String> = match work {
        Work::Inspect => Vec::new(),
        Work::Render { .. } | Work::Stitch { .. } | Work::Benchmark => {
            raw_file(work).into_iter().chain(trace_file(work)).collect()
        }
        Work::Finish { frame } => vec![frame_name(*frame) + ".png"],
        Work::Video => vec![VIDEO.to_owned()],
        Work::Task { .. } => return Vec::new(),
    };
    names.push(RESULT.to_owned());
    names
}

/// Are these exactly the task's files, each of a possible size? The sentence says what is wrong.
pub fn check_outputs(work: &Work, files: &[OutputFile]) -> Result<(), TraceError> {
    check_each(work, files, |name| most_bytes(name, None))
}

/// As [`check_outputs`], with limits that follow from the job's own frame size and count.
pub fn check_sizes(work: &Work, job: &Job, files: &[OutputFile]) -> Result<(), TraceError> {
    let area = |(w, h): (u32, u32)| u64::from(w) * u64::from(h);
    let shape = match (work, &job.kind) {
        (_, JobKind::Render(spec)) => Shape {
            pixels: area(crate::audit::frame_size(work, job).unwrap_or((spec.width, spec.height))),
            channels: spec.channels(),
            picture: area(spec.picture()),
            frames: spec.frames.len() as u64,
        },
        _ => Shape::plain(crate::audit::frame_size(work, job).map_or(0, area)),
    };
    check_each(work, files, |name| most_bytes(name, Some(&shape)))
}

/// As [`check_outputs`], where a frame's trace is known but not its job: what a node asks before it promises anything.
pub fn check_frame(work: &Work, tiles: &Tiles, files: &[OutputFile]) -> Result<(), TraceError> {
    let pixels = u64::from(tiles.width) * u64::from(tiles.height);
    let shape = Shape { channels: tiles.channels, ..Shape::plain(pixels) };
    check_each(work, files, |name| most_bytes(name, Some(&shape)))
}

/// What bounds the sizes of a job's files.
struct Shape {
    pixels: u64,
    channels: u32,
    picture: u64,
    frames: u64,
}

impl Shape {
    fn plain(pixels: u64) -> Self {
        Self { pixels, channels: RenderSpec::PLAIN_CHANNELS, picture: pixels, frames: 1 }
    }
}

fn check_each(work: &Work, files: &[OutputFile], most: impl Fn(&str) -> u64) -> Result<(), TraceError> {
    if matches!(work, Work::Task { .. }) {
        return check_unknown(work, files);
    }
    let mut left = expected_files(work);
    let label = work.label();
    for file in files {
        let Some(at) = left.iter().position(|name| *name == file.name) else {
            let name: String = file.name.chars().filter(|c| !c.is_control()).take(128).collect();
            return Err(TraceError(format!(
                "the {label} delivers no file {name:?}, or not twice; leave it out"
            )));
        };
        left.swap_remove(at);
        let most = most(&file.name);
        if file.bytes == 0 || file.bytes > most {
            return Err(TraceError(format!(
                "{} of the {label} has {} bytes; between 1 and {most} are possible",
                file.name, file.bytes
            )));
        }
    }
    match left.first() {
        None => Ok(()),
        Some(name) => Err(TraceError(format!("the {label} lacks {name}; deliver it too"))),
    }
}

/// Files whose names nobody knows beforehand: some, plain, each once, none too large.
fn check_unknown(work: &Work, files: &[OutputFile]) -> Result<(), TraceError> {
    let label = work.label();
    if files.is_empty() || files.len() > MAX_TASK_FILES {
        return Err(TraceError(format!(
            "the {label} left {} files; 1 to {MAX_TASK_FILES} are possible",
            files.len()
        )));
    }
    let mut seen = std::collections::HashSet::new();
    for file in files {
        let shown = || file.name.chars().filter(|c| !c.is_control()).take(128).collect::<String>();
        if file.bytes > MAX_FRAME_BYTES || !seen.insert(&file.name) {
            return Err(TraceError(format!("{} of the {label} is too large, or there twice", shown())));
        }
        if !is_output_name(&file.name) {
            return Err(TraceError(format!(
                "{} of the {label} cannot be called so; {OUTPUT_NAMES}",
                shown()
            )));
        }
    }
    Ok(())
}

/// What names [`is_output_name`] knows.
pub const OUTPUT_NAMES: &str =
    "names are made of A-Z a-z 0-9 . _ - and do not begin with a dot, in at most four folders";

/// Can an output be called so? Plain names, joined by slashes, as deep as the sandbox hands files out. Nodes ask before they promise
/// anything, the platform before it takes it.
pub fn is_output_name(name: &str) -> bool {
    const DEEP: usize = 5;
    let plain = |part: &str| {
        (1..=128).contains(&part.len())
            && !part.starts_with('.')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    name.split('/').count() <= DEEP && name.split('/').all(plain)
}

/// Most bytes a file of that name can have; with the shape of the job's frames a tighter bound: a float32 a channel for raw
/// frames, 16-bit RGBA for pictures, uncompressed 4:2:0 for video, and a byte a pixel for what does not compress.
fn most_bytes(name: &str, shape: Option<&Shape>) -> u64 {
    let bound = |pixels: &dyn Fn(&Shape) -> u64, most: u64| {
        shape.map_or(most, |shape| pixels(shape).saturating_add(SLACK_BYTES).min(most))
    };
    match name.rsplit_once('.').map(|(_, kind)| kind) {
        Some("exr") => bound(&|s| s.pixels.saturating_mul(u64::from(s.channels) * 4 + 1), MAX_FRAME_BYTES),
        Some("png") => bound(&|s| s.picture.saturating_mul(9), MAX_FRAME_BYTES),
        Some("mp4") => bound(&|s| s.picture.saturating_mul(2).saturating_mul(s.frames), MAX_VIDEO_BYTES),
        Some("tiles") => MAX_TRACE_BYTES,
        _ => MAX_RESULT_BYTES,
    }
}

#[cfg(test)]
#[path = "tests/trace.rs"]
mod tests;
