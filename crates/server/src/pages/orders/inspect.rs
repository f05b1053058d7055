//! The inspection of what was dropped: the same files are inspected, and paid for, once.

use crate::{
    app::App,
    error::ApiError,
    routes::{jobs::submit, platform::show::INSPECTION_CAP, uploads},
};
use std::{collections::BTreeMap, io::Read};
use tatau_api::SubmitJob;
use tatau_blobs::{Manifest, ManifestFile};
use tatau_model::{Address, Amount, Device, JobId, JobState, Machines, Strategy, Who};
use tatau_workload::blend;

/// How often an inspection that ended without a report is asked for anew.
const MOST_TRIES: u32 = 8;
/// Longest name of a scene among people, characters.
const NAME_CHARS: usize = 80;

/// Keeps the manifest of these files and has the scene among them inspected.
pub(super) async fn inspect(
    app: &App,
    owner: Address,
    name: &str,
    scene: &str,
    files: Vec<ManifestFile>,
    who: Who,
) -> Result<JobId, ApiError> {
    let manifest = Manifest::new(files).map_err(|e| ApiError::invalid(e.to_string()))?;
    let json = manifest.to_json().map_err(|e| ApiError::invalid(e.to_string()))?;
    let stored = app.blobs.run(move |store| store.put_bytes(&json)).await;
    let inputs = stored.map_err(|e| uploads::refused(&e))?;
    let environment = environment(app, &manifest, scene).await?;
    for attempt in 0..MOST_TRIES {
        let circle = if who.is_any() { String::new() } else { format!(" {}", who.name()) };
        let key =
            blake3::hash(format!("inspect {environment} {inputs} {scene} {attempt}{circle}").as_bytes());
        let request = SubmitJob {
            name: format!("inspection of {}", clean(name, scene)),
            template: None,
            parameters: BTreeMap::new(),
            inputs,
            scene: scene.to_owned(),
            environment: environment.to_owned(),
            inspection: None,
            frames: String::new(),
            video: false,
            preview: false,
            class: None,
            device: Device::Cpu,
            strategy: Strategy::Fastest,
            fresh: false,
            tiles: String::new(),
            program: None,
            machines: Machines { who, own_first_ms: 0 },
            cap: if who == Who::Own { Amount::ZERO } else { INSPECTION_CAP },
            request_key: key.to_hex().to_string(),
        };
        let id = submit::place(app, owner, request).await?;
        let over = |state: JobState| matches!(state, JobState::Cancelled | JobState::Failed { .. });
        if !app.archive.job(id).await?.is_some_and(|job| over(job.state)) {
            return Ok(id);
        }
    }
    Err(ApiError::conflict(format!(
        "{MOST_TRIES} inspections of this scene ended without a report; \"My jobs\" says why, change that in the scene and drop it again"
    )))
}

/// Told by the first bytes of the scene; one that is not here is for the order's own checks to refuse.
async fn environment(app: &App, manifest: &Manifest, scene: &str) -> Result<&'static str, ApiError> {
    let Some(blob) = manifest.file(scene).map(|file| file.blob) else { return Ok(blend::environment(b"")) };
    let head = app.blobs.run(move |store| {
        let mut head = Vec::new();
        if let Some(file) = store.open_blob(&blob)? {
            file.take(blend::HEAD_BYTES as u64).read_to_end(&mut head).map_err(|source| {
                tatau_blobs::BlobError::Io { path: store.path(&blob), doing: "read", source }
            })?;
        }
        Ok(head)
    });
    Ok(blend::environment(&head.await.map_err(|e| ApiError::internal(&e))?))
}

/// What people call the scene: as given, or the name of its file.
pub(super) fn clean(name: &str, scene: &str) -> String {
    let plain = |text: &str| -> String {
        text.chars().filter(|c| !c.is_control()).take(NAME_CHARS).collect::<String>().trim().to_owned()
    };
    let given = plain(name);
    if !given.is_empty() {
        return given;
    }
    let file = scene.rsplit('/').next().unwrap_or(scene);
    let stem = plain(file.strip_suffix(".blend").unwrap_or(file));
    if stem.is_empty() { "scene".into() } else { stem }
}

/// The name of an inspection's scene, as it was given.
pub(crate) fn name_of(job: &str) -> &str {
    job.strip_prefix("inspection of ").unwrap_or(job)
}
