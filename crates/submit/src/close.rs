//! Closing the asset set: the scene goes up alone, the inspection names what it misses, that goes up, until nothing is missing.

use crate::{
    AssetSet, Event, Lack, Missing, Scene, SubmitError, Wanted, Watch,
    inspect::{inspect, sentence},
    upload::{Hashed, upload},
};
use std::path::PathBuf;
use tatau_client::Client;
use tatau_model::{BlobId, JobId, Who};
use tatau_workload::inspection::{Report, SceneFile};

/// Most inspections; each may find files in libraries that the one before brought.
pub const MAX_ROUNDS: u32 = 8;

/// A closed set on the server.
#[derive(Debug, Clone)]
pub struct Closed {
    /// The last inspection; quotes and the job refer to it.
    pub inspection: JobId,
    /// Its report.
    pub report: Report,
    /// Manifest of the inputs.
    pub inputs: BlobId,
    /// The scene's path in them.
    pub scene: String,
    /// The environment that it was inspected in, and is rendered in.
    pub environment: &'static str,
    /// Files.
    pub files: usize,
    /// Their sizes together, bytes.
    pub bytes: u64,
    /// Their paths in the inputs and on this disk.
    pub placed: Vec<(String, PathBuf)>,
}

/// Uploads the scene with everything it needs, inspecting it as often as that takes (at most [`MAX_ROUNDS`]).
/// Each inspection costs at most the platform's inspection cap. `allowed`: folders where files may lie too. `who`: whose machines may
/// open it.
pub async fn close(
    client: &Client,
    scene: &Scene,
    allowed: &[PathBuf],
    who: Who,
    watch: &mut dyn Watch,
) -> Result<Closed, SubmitError> {
    let platform = client.platform().await?;
    let mut set = AssetSet::alone(scene, allowed)?;
    let mut hashed = Hashed::default();
    for round in 1..=MAX_ROUNDS {
        let inputs = upload(client, &set, &mut hashed, platform.max_blob_bytes, watch).await?;
        let (inspection, report) =
            inspect(client, scene, &inputs, platform.inspection_cap, who, round, watch).await?;
        if !report.refusals.is_empty() {
            return Err(SubmitError::Scene(
                report.refusals.iter().map(|told| sentence(&told.sentence)).collect(),
            ));
        }
        let wanted: Vec<&SceneFile> = report.missing().collect();
        if wanted.is_empty() {
            watch.tell(Event::Closed { files: inputs.files, bytes: inputs.bytes });
            return Ok(Closed {
                inspection,
                inputs: inputs.manifest,
                scene: inputs.scene,
                environment: scene.environment,
                files: inputs.files,
                bytes: inputs.bytes,
                placed: set.files(),
                report,
            });
        }
        let (more, missing) = take_all(&mut set, &wanted, watch);
        if !missing.is_empty() {
            return Err(SubmitError::Missing(missing));
        }
        if !more {
            return Err(SubmitError::Malformed(format!(
                "{inspection} misses files, yet names none; inspect again"
            )));
        }
    }
    Err(SubmitError::Malformed(format!(
        "after {MAX_ROUNDS} inspections files are still found missing; pack the scene's files into it (File, External Data) and try again"
    )))
}

/// Takes in what can be had: is another inspection worth it, and what is missing for good?
fn take_all(set: &mut AssetSet, wanted: &[&SceneFile], watch: &mut dyn Watch) -> (bool, Vec<Missing>) {
    let (mut more, mut missing) = (false, Vec::new());
    let mut seen = std::collections::HashSet::new();
    for file in wanted {
        if !seen.insert(&file.resolved) {
            continue;
        }
        let wish = Wanted {
            kind: sentence(&file.kind),
            path: sentence(&file.path),
            resolved: file.resolved.clone(),
        };
        match set.take(&wish) {
            Ok(outside) => {
                more = true;
                if let Some((path, placed)) = outside {
                    watch.tell(Event::Outside { path, placed });
                }
            }
            Err(Lack::Deeper) => more = true,
            Err(Lack::Missing(reason)) => {
                let lack = Missing { kind: wish.kind, path: wish.path, reason };
                watch.tell(Event::Missing(lack.clone()));
                missing.push(lack);
            }
        }
    }
    (more, missing)
}
