//! An inspection's report: what a stranger's runtime says of a stranger's scene, read with limits, and what follows.

use crate::{frames, trace, units};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tatau_model::{Layered, Preview, RenderSpec};

/// Most files that a report lists.
pub const MAX_FILES: usize = 4_096;
/// Most frames of a video: more do not fit into one request.
pub const MAX_VIDEO_FRAMES: usize = 20_000;
/// Most reference milliseconds of one frame: 24 hours of a GTX 1080 Ti.
pub const MAX_REFERENCE_MS: u64 = 24 * 3_600_000;
/// More than any machine has, MiB.
const MAX_MEMORY_MIB: u64 = 1 << 24;
/// Needs for memory are rounded up to this, MiB: jobs of like needs share what is known of the market.
const MEMORY_STEP_MIB: u64 = 256;
/// Most view layers and cameras that a report names.
const MAX_NAMED: usize = 64;
const MAX_TOLD: usize = 256;
const MAX_TEXT_BYTES: usize = 4_096;
const MAX_PIXELS: u64 = 1 << 28;
const MAX_SAMPLES: u32 = 65_536;
/// Sentences of a refusal that are shown at once.
const SHOWN: usize = 3;

/// Why a report is refused, or why the scene cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// Not what an inspection writes.
    #[error("the inspection's report {0}; inspect the scene again")]
    Malformed(&'static str),
    /// The scene's own fault, in the buyer's words.
    #[error("{0}")]
    Refused(String),
    /// Outside files are not there.
    #[error("{count} files of the scene are missing, first '{first}'; add them and inspect again")]
    Missing {
        /// How many.
        count: usize,
        /// One of them, where it has to lie.
        first: String,
    },
    /// No cost is known.
    #[error("the inspection did not measure the scene's cost; inspect it again")]
    NoProbe,
    /// Too much for one job.
    #[error("{0}")]
    TooMuch(&'static str),
}

/// A frame rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Numerator.
    pub num: u32,
    /// Denominator.
    pub den: u32,
}

/// One outside file of the scene.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SceneFile {
    /// image, library, sequence, movie, font, sound, cache, volume, ies, other.
    pub kind: String,
    /// As the scene stores it.
    pub path: String,
    /// Where it has to lie, relative to the scene's folder, with `/` and `..`; a stranger's text, check before use.
    pub resolved: String,
    /// Was it absolute on the buyer's machine?
    #[serde(default)]
    pub absolute: bool,
    /// `resolved` of the library that refers to it; `None` is the scene.
    pub from: Option<String>,
    /// Was it there?
    pub found: bool,
    /// Its size, if it was.
    pub bytes: Option<u64>,
}

/// A refusal or a warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// For programs.
    pub code: String,
    /// For people.
    pub sentence: String,
}

/// What the inspecting machine measured of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Opening the scene, ms.
    pub load_ms: f64,
    /// One whole frame on that machine, ms.
    pub frame_ms: f64,
    /// Its picture there, ms; denoising and compositing are in it.
    #[serde(default)]
    pub finish_ms: Option<f64>,
    /// The most memory that Blender held while it opened the scene and rendered small frames, MiB.
    #[serde(default)]
    pub memory_mib: Option<u64>,
}

/// Width and height, pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// What a viewer must know to show pictures all around.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Panorama {
    /// `equirectangular`, `fisheye_equisolid`, …
    pub kind: String,
    /// Equirectangular and the whole sphere.
    pub full: bool,
    /// How two eyes share the picture: `top_bottom`, `side_by_side`, `anaglyph`, `interlace`.
    #[serde(default)]
    pub stereo: Option<String>,
}

/// The report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version that opened it.
    pub blender: String,
    /// Version that saved it.
    pub saved_by: String,
    /// `CYCLES`, …
    pub engine: String,
    /// Name of the scene inside the file.
    pub scene: String,
    /// Is there a camera?
    pub camera: bool,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Samples a pixel; `None` for another engine.
    pub samples: Option<u32>,
    /// Frames per second.
    pub fps: Rate,
    /// First frame.
    pub frame_start: i32,
    /// Last frame.
    pub frame_end: i32,
    /// Step.
    pub frame_step: i32,
    /// Is denoising on?
    pub denoise: bool,
    /// Is adaptive sampling on?
    pub adaptive: bool,
    /// Does the compositor change the picture?
    #[serde(default)]
    pub compositor: bool,
    /// View layers that are rendered.
    #[serde(default)]
    pub layers: Vec<String>,
    /// Cameras that the animation is seen through.
    #[serde(default)]
    pub cameras: Vec<String>,
    /// Channels of a raw frame, known where a frame was probed.
    #[serde(default)]
    pub channels: Option<u32>,
    /// Size of a finished picture; two eyes may lie beside each other in it.
    #[serde(default)]
    pub picture: Option<Size>,
    /// How two eyes share the picture, where there are two.
    #[serde(default)]
    pub stereo: Option<String>,
    /// Set where every picture is a panorama.
    #[serde(default)]
    pub panorama: Option<Panorama>,
    /// Outside files.
    pub files: Vec<SceneFile>,
    /// How many there are, also beyond the list.
    pub files_total: u64,
    /// Why it cannot be rendered.
    pub refusals: Vec<Told>,
    /// What the buyer should know.
    pub warnings: Vec<Told>,
    /// The cost, where it was measured.
    pub probe: Option<Probe>,
}

impl Report {
    /// Reads a report, with limits.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReportError> {
        if bytes.len() as u64 > trace::MAX_RESULT_BYTES {
            return Err(ReportError::Malformed("is longer than a mebibyte"));
        }
        let report: Self = serde_json::from_slice(bytes)
            .map_err(|_| ReportError::Malformed("is not the JSON it should be"))?;
        report.check()?;
        Ok(report)
    }

    fn check(&self) -> Result<(), ReportError> {
        let told = self.refusals.iter().chain(&self.warnings);
        if self.files.len() > MAX_FILES
            || self.refusals.len() > MAX_TOLD
            || self.warnings.len() > MAX_TOLD + MAX_FILES
        {
            return Err(ReportError::Malformed("lists too much"));
        }
        if self.layers.len() > MAX_NAMED || self.cameras.len() > MAX_NAMED {
            return Err(ReportError::Malformed("names too many layers or cameras"));
        }
        if self.files_total < self.files.len() as u64 {
            return Err(ReportError::Malformed("contradicts itself in its number of files"));
        }
        let mut texts = vec![&self.blender, &self.saved_by, &self.engine, &self.scene];
        texts.extend(self.layers.iter().chain(&self.cameras).chain(&self.stereo));
        texts.extend(self.panorama.iter().flat_map(|p| [&p.kind].into_iter().chain(&p.stereo)));
        texts.extend(told.flat_map(|t| [&t.code, &t.sentence]));
        texts.extend(self.files.iter().flat_map(|f| [&f.kind, &f.path, &f.resolved]));
        texts.extend(self.files.iter().filter_map(|f| f.from.as_ref()));
        if texts.iter().any(|text| text.len() > MAX_TEXT_BYTES) {
            return Err(ReportError::Malformed("has a text that is too long"));
        }
        let pixels = u64::from(self.width) * u64::from(self.height);
        let edge = |px: u32| (1..=trace::MAX_EDGE_PX * 8).contains(&px);
        if !edge(self.width) || !edge(self.height) || pixels == 0 {
            return Err(ReportError::Malformed("has an impossible frame size"));
        }
        if self.channels.is_some_and(|n| !(1..=trace::MAX_CHANNELS).contains(&n)) {
            return Err(ReportError::Malformed("has an impossible number of channels"));
        }
        let fits = |size: Size| {
            let times = |part: u32, whole: u32| part == whole || Some(part) == whole.checked_mul(2);
            times(size.width, self.width) && times(size.height, self.height)
        };
        if self.picture.is_some_and(|size| !fits(size)) {
            return Err(ReportError::Malformed("has an impossible picture size"));
        }
        let frame = |n: i32| (-frames::MAX_FRAME - 1..=frames::MAX_FRAME + 1).contains(&n);
        if !frame(self.frame_start) || !frame(self.frame_end) {
            return Err(ReportError::Malformed("has an impossible frame number"));
        }
        let time = |ms: f64| ms.is_finite() && ms >= 0.0;
        let probed = |p: &Probe| time(p.load_ms) && time(p.frame_ms) && p.finish_ms.is_none_or(time);
        if self.probe.as_ref().and_then(|p| p.memory_mib).is_some_and(|mib| mib > MAX_MEMORY_MIB) {
            return Err(ReportError::Malformed("measured more memory than machines have"));
        }
        if !self.probe.as_ref().is_none_or(probed) {
            return Err(ReportError::Malformed("has a time that is none"));
        }
        Ok(())
    }

    /// Why the scene cannot be rendered, in the buyer's words; `None` where nothing speaks against it but missing files.
    pub fn refusal(&self) -> Option<String> {
        let said: Vec<&str> = self.refusals.iter().take(SHOWN).map(|t| t.sentence.as_str()).collect();
        let rest = self.refusals.len().saturating_sub(SHOWN);
        let more = if rest > 0 { format!(" ({rest} more reasons)") } else { String::new() };
        (!said.is_empty()).then(|| clean(&(said.join(" ") + &more)))
    }

    /// Outside files that were not there; the set is closed when there are none.
    pub fn missing(&self) -> impl Iterator<Item = &SceneFile> {
        self.files.iter().filter(|file| !file.found)
    }

    /// The scene's own frame range.
    pub fn frames(&self) -> Vec<i32> {
        let step = usize::try_from(self.frame_step).unwrap_or(1).max(1);
        (self.frame_start..=self.frame_end).step_by(step).take(frames::MAX_FRAMES).collect()
    }
}

fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// The report as a value without what the machine measured of itself, for comparison; refuses what is no report.
pub fn comparable(bytes: &[u8]) -> Result<Value, ReportError> {
    Report::parse(bytes)?;
    let mut value: Value =
        serde_json::from_slice(bytes).map_err(|_| ReportError::Malformed("is not the JSON it should be"))?;
    if let Some(fields) = value.as_object_mut() {
        fields.remove("probe");
    }
    Ok(value)
}

/// What is frozen when the job is paid; refuses scenes that cannot be rendered, and sets that are not closed. `score` is that of
/// the card that probed, in thousandths.
pub fn render_spec(
    report: &Report,
    frames: &[i32],
    video: bool,
    score: u64,
) -> Result<RenderSpec, ReportError> {
    if let Some(sentence) = report.refusal() {
        return Err(ReportError::Refused(sentence));
    }
    if let Some(first) = report.missing().next() {
        return Err(ReportError::Missing { count: report.missing().count(), first: clean(&first.resolved) });
    }
    let samples = report.samples.filter(|n| (1..=MAX_SAMPLES).contains(n));
    let Some(samples) = samples.filter(|_| report.camera) else {
        return Err(ReportError::Malformed("has no samples or no camera, yet no refusal"));
    };
    let size = |px: u32| px <= trace::MAX_EDGE_PX;
    if !size(report.width)
        || !size(report.height)
        || u64::from(report.width) * u64::from(report.height) > MAX_PIXELS
    {
        return Err(ReportError::TooMuch(
            "the frame is larger than 16,384 pixels a side or 268 million in all; render it smaller",
        ));
    }
    if !(1..=1_000_000).contains(&report.fps.num) || !(1..=1_000_000).contains(&report.fps.den) {
        return Err(ReportError::Malformed("has an impossible frame rate"));
    }
    if frames.is_empty() || frames.len() > frames::MAX_FRAMES {
        return Err(ReportError::TooMuch("a job has 1 to 100,000 frames; choose fewer"));
    }
    if video && frames.len() > MAX_VIDEO_FRAMES {
        return Err(ReportError::TooMuch(
            "a video has at most 20,000 frames; leave it out or choose fewer frames",
        ));
    }
    Ok(RenderSpec {
        frames: frames.to_vec(),
        width: report.width,
        height: report.height,
        samples,
        fps: (report.fps.num, report.fps.den),
        video,
        layered: layered(report, score)?,
        preview: Preview::None,
        tiles: None,
        device: tatau_model::Device::Cpu,
    })
}

/// How the scene's frames go beyond plain pictures; what the probe did not measure costs what a plain picture does.
fn layered(report: &Report, score: u64) -> Result<Option<Layered>, ReportError> {
    let channels = report.channels.unwrap_or(RenderSpec::PLAIN_CHANNELS);
    let picture = report.picture.map_or((report.width, report.height), |size| (size.width, size.height));
    let plain = channels == RenderSpec::PLAIN_CHANNELS && picture == (report.width, report.height);
    if plain && !report.denoise && !report.compositor {
        return Ok(None);
    }
    let least = units::finish_reference_ms(picture.0, picture.1);
    let probed = report.probe.as_ref().and_then(|probe| probe.finish_ms);
    let measured = probed.map_or(Ok(0), |ms| on_the_reference_card(ms, score))?;
    Ok(Some(Layered { channels, picture, finish_reference_ms: measured.max(least) }))
}

/// Reference milliseconds of one frame: the probe's estimate × the score of the card that probed ÷ 1000, at least 1.
pub fn reference_ms(report: &Report, probe_score_milli: u64) -> Result<u64, ReportError> {
    let probe = report.probe.as_ref().ok_or(ReportError::NoProbe)?;
    if probe.frame_ms <= 0.0 {
        return Err(ReportError::Malformed("measured no time at all"));
    }
    on_the_reference_card(probe.frame_ms, probe_score_milli).map(|ms| ms.max(1))
}

/// Memory that a card must have for a frame, MiB: what the probe held and a quarter more, and the whole frame's own buffers (three of
/// four bytes a value: Blender's passes, the file's, the compositor's), up to whole [`MEMORY_STEP_MIB`]. 0 where nothing was measured.
pub fn memory_mib(report: &Report, spec: &RenderSpec) -> u64 {
    let Some(held) = report.probe.as_ref().and_then(|probe| probe.memory_mib) else { return 0 };
    let values = |(width, height): (u32, u32), channels: u32| {
        u64::from(width).saturating_mul(u64::from(height)).saturating_mul(u64::from(channels))
    };
    let frame = values((spec.width, spec.height), spec.channels())
        .max(values(spec.picture(), RenderSpec::PLAIN_CHANNELS));
    let buffers = frame.saturating_mul(3 * 4) >> 20;
    (held.saturating_mul(5) / 4).saturating_add(buffers).next_multiple_of(MEMORY_STEP_MIB)
}

fn on_the_reference_card(ms: f64, score_milli: u64) -> Result<u64, ReportError> {
    let ms = ms * score_milli.max(1) as f64 / 1_000.0;
    if ms > MAX_REFERENCE_MS as f64 {
        return Err(ReportError::TooMuch(
            "one frame would take more than a day of a GTX 1080 Ti; lower its size or its samples",
        ));
    }
    Ok(ms.ceil() as u64)
}

#[cfg(test)]
#[path = "tests/inspection.rs"]
pub(crate) mod tests;
