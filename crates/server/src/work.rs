//! What the server asks the workload: environments, reports of inspections, render jobs from bundles.

use crate::{app::App, error::ApiError, view};
use std::collections::BTreeMap;
use tatau_model::{Address, Attempt, AttemptState, BlobId, Job, JobId, JobKind, JobState, RenderSpec};
use tatau_sandbox::bundle::{BundleLimits, parse_template};
use tatau_workload::{
    inspection::{self, Report, ReportError},
    runtime, template, trace,
};

/// Most pixels of a frame: what a validator's crops and the comparator's pictures are limited to (8,192 x 8,192).
const MOST_PIXELS: u64 = 1 << 26;
/// Most values (pixels times channels) of a raw frame: what fits into a file that a task may deliver, 4 bytes each.
const MOST_VALUES: u64 = 1_000_000_000;

/// Environments that jobs may name.
pub(crate) fn environments() -> Vec<String> {
    runtime::ENVIRONMENTS.iter().map(|e| e.name.to_owned()).collect()
}

/// A finished inspection: what it looked at, and what it found.
pub(crate) struct Inspected {
    pub job: Job,
    pub report: Report,
    /// Speed of the card that probed, GTX 1080 Ti = 1000.
    pub score_milli: u64,
}

impl Inspected {
    /// Reference milliseconds a frame, from the probe.
    pub(crate) fn reference_ms(&self) -> Result<u64, ApiError> {
        inspection::reference_ms(&self.report, self.score_milli)
            .map_err(|e| ApiError::conflict(e.to_string()))
    }

    /// The job's frozen values; refused scenes and open sets have none, and the sentence is for their buyer.
    pub(crate) fn spec(&self, frames: &[i32], video: bool) -> Result<RenderSpec, ApiError> {
        let spec = inspection::render_spec(&self.report, frames, video, self.score_milli);
        let spec = spec.map_err(|e| match e {
            ReportError::Missing { .. } => ApiError::conflict(e.to_string()),
            _ => ApiError::invalid(e.to_string()),
        })?;
        check_frame_size(&spec)?;
        Ok(spec)
    }
}

/// Nothing is rendered that could not be checked afterwards.
fn check_frame_size(spec: &RenderSpec) -> Result<(), ApiError> {
    let area = |(w, h): (u32, u32)| u64::from(w) * u64::from(h);
    let (width, height) = spec.picture();
    if area((width, height)).max(area((spec.width, spec.height))) > MOST_PIXELS {
        return Err(ApiError::invalid(format!(
            "frames of {width} x {height} pixels are too large to be checked; at most {MOST_PIXELS} pixels (8192 x 8192) are \
             possible, so lower the resolution"
        )));
    }
    let channels = u64::from(spec.channels());
    if area((spec.width, spec.height)).saturating_mul(channels) > MOST_VALUES {
        return Err(ApiError::invalid(format!(
            "frames of {} x {} pixels with {channels} channels are too large to be delivered; lower the resolution, or \
             switch off passes and view layers",
            spec.width, spec.height
        )));
    }
    Ok(())
}

/// Reads an inspection's report: its delivered result, as soon as it is delivered.
pub(crate) async fn inspected(app: &App, id: JobId, owner: Address) -> Result<Inspected, ApiError> {
    let job = view::own_job(app, id, owner).await?;
    if job.kind != JobKind::Inspect {
        return Err(ApiError::invalid(format!("{id} is no inspection; inspect the scene first")));
    }
    if let JobState::Failed { reason } = &job.state {
        return Err(ApiError::conflict(format!("the inspection failed: {reason}")));
    }
    let found = report(app, job).await?;
    found.ok_or_else(|| ApiError::conflict(format!("{id} is not done yet; follow it and try again")))
}

/// What an inspection found, once that was delivered.
pub(crate) async fn report(app: &App, job: Job) -> Result<Option<Inspected>, ApiError> {
    let Some(attempt) = delivered(app, job.id).await? else { return Ok(None) };
    let file = attempt.outputs.iter().find(|f| f.name == trace::RESULT);
    let file = file.ok_or_else(|| ApiError::internal(&format!("{} delivered no report", attempt.id)))?.blob;
    let read = app.blobs.run(move |store| store.read(&file, trace::MAX_RESULT_BYTES)).await;
    let json = read.map_err(|e| ApiError::internal(&e))?.ok_or_else(|| {
        ApiError::conflict("the files of this inspection are not kept any more; inspect the scene again")
    })?;
    let report = Report::parse(&json).map_err(|e| ApiError::conflict(e.to_string()))?;
    let (node, card) = (attempt.node, usize::from(attempt.card));
    let score = app.writer.read(move |s| {
        let card = s.node(&node)?.cards.get(card)?;
        card.score_milli.or_else(|| card.class().map(|c| c.score_milli))
    });
    let score_milli = score
        .await?
        .ok_or_else(|| ApiError::conflict("the machine that inspected is gone; inspect the scene again"))?;
    Ok(Some(Inspected { job, report, score_milli }))
}

/// The latest attempt whose files are here and not refused.
async fn delivered(app: &App, job: JobId) -> Result<Option<Attempt>, ApiError> {
    for task in app.archive.tasks_of(job).await? {
        let attempts = app.archive.attempts_of_task(task.id).await?;
        let good = |a: &&Attempt| matches!(a.state, AttemptState::Delivered | AttemptState::Accepted);
        if let Some(found) = attempts.iter().rev().find(good) {
            return Ok(Some(found.clone()));
        }
    }
    Ok(None)
}

/// A render bundle that passed every check.
pub(crate) struct Checked {
    /// Canonical JSON, the job's bundle blob.
    pub json: Vec<u8>,
    pub scene: String,
    pub frames: Vec<i32>,
}

/// Parses the template with limits, then compares it with what the platform renders.
pub(crate) async fn check_bundle(
    template: String,
    parameters: BTreeMap<String, String>,
) -> Result<Checked, ApiError> {
    let checked = tokio::task::spawn_blocking(move || {
        let invalid = |sentence: String| ApiError::invalid(sentence);
        parse_template(&template, &BundleLimits::default()).map_err(|e| invalid(e.sentence))?;
        let asked = template::check_render_bundle(&template, &parameters).map_err(|e| invalid(e.sentence))?;
        // Written anew: what is kept is what was understood.
        let bundle = template::render_bundle(&asked.name, &asked.scene, &asked.frames)
            .map_err(|e| invalid(e.sentence))?;
        let json = bundle.to_json().map_err(|e| invalid(e.sentence))?;
        Ok(Checked { json, scene: asked.scene, frames: asked.frames })
    });
    checked.await.map_err(|e| ApiError::internal(&e))?
}

/// Is every file of the inputs here, and the scene, if there is one, among them?
pub(crate) async fn check_inputs(app: &App, inputs: BlobId, scene: &str) -> Result<(), ApiError> {
    // Bundles of other programs have no scene.
    if !scene.is_empty() {
        tatau_blobs::check_path(scene).map_err(|e| ApiError::invalid(e.to_string()))?;
    }
    let manifest = crate::reach::manifest(app, inputs).await?;
    if !scene.is_empty() && manifest.file(scene).is_none() {
        return Err(ApiError::invalid("the scene is not among the input files; name its path inside them"));
    }
    let missing = app.blobs.run(move |store| {
        let mut missing = Vec::new();
        store.touch(&inputs)?;
        for file in manifest.files() {
            if store.size(&file.blob)? == Some(file.bytes) {
                // Wanted from now on: no collection takes it while the job is being made.
                store.touch(&file.blob)?;
                continue;
            }
            missing.push(file.path.clone());
            if missing.len() > 5 {
                break;
            }
        }
        Ok(missing)
    });
    let missing = missing.await.map_err(|e| ApiError::internal(&e))?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(ApiError::conflict(format!(
        "input files have not arrived: {}; upload them first",
        missing.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tatau_model::{Layered, Preview};

    #[test]
    fn frames_that_the_comparator_could_not_hold_are_refused() {
        let of = |width, height, channels| {
            let layered = Layered { channels, picture: (width, height), finish_reference_ms: 1 };
            let spec = RenderSpec {
                frames: vec![1],
                width,
                height,
                samples: 1,
                fps: (24, 1),
                video: false,
                layered: Some(layered),
                preview: Preview::None,
                tiles: None,
                device: tatau_model::Device::Cpu,
            };
            check_frame_size(&spec).is_ok()
        };
        for (width, height, fits) in
            [(1, 1, true), (8_192, 8_192, true), (16_384, 4_096, true), (8_193, 8_192, false)]
        {
            assert_eq!(of(width, height, 4), fits, "{width} x {height}");
        }
        assert!(!of(u32::MAX, u32::MAX, u32::MAX));
        assert!(of(8_192, 4_096, 22), "a panorama for two eyes, denoised");
        assert!(!of(8_192, 4_096, 45), "and with every pass");
    }
}
