//! `POST /orders/{id}/files`: files that the inspection missed were uploaded; inspect the whole again.

use super::{
    MOST_FILES,
    inspect::{inspect, name_of},
    new::Made,
    place,
    state::{Missing, Stage, look, missing},
};
use crate::{app::App, auth::Call, error::ApiError, reach};
use axum::{
    Json,
    extract::{Path, State},
};
use serde::Deserialize;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use tatau_blobs::ManifestFile;
use tatau_model::{BlobId, JobId};

#[derive(Debug, Deserialize)]
struct Added {
    files: Vec<AddedFile>,
}

/// One file that was missing.
#[derive(Debug, Deserialize)]
struct AddedFile {
    /// As the inspection names it.
    resolved: String,
    blob: BlobId,
    bytes: u64,
}

pub(crate) async fn add(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    call: Call,
) -> Result<Json<Made>, ApiError> {
    let owner = call.account(&app).await?;
    let id: JobId = crate::routes::id(&id)?;
    let Added { files } = call.json()?;
    if files.is_empty() || files.len() > MOST_FILES {
        return Err(ApiError::invalid(format!("1 to {MOST_FILES} files are added at once")));
    }
    let (job, stage) = look(&app, id, owner).await?;
    let Stage::Found(found) = stage else {
        return Err(ApiError::conflict(format!("{id} has found nothing yet; wait for it")));
    };
    let wished = missing(&found);
    let wished: HashSet<&str> = wished.iter().map(Missing::resolved).collect();
    let inputs = job.inputs.ok_or_else(|| ApiError::internal(&format!("{id} has no inputs")))?;
    let before = reach::manifest(&app, inputs).await?;
    let mut all: HashMap<String, ManifestFile> =
        before.files().iter().map(|file| (file.path.clone(), file.clone())).collect();
    for AddedFile { resolved, blob, bytes } in files {
        if !wished.contains(&resolved[..]) {
            return Err(ApiError::invalid(
                "the scene does not miss this file; drop only what the page asks for",
            ));
        }
        let path = place::wanted(&job.scene, &resolved).map_err(ApiError::invalid)?;
        all.insert(path.clone(), ManifestFile { path, blob, bytes });
    }
    let name = name_of(&job.name).to_owned();
    let next = inspect(&app, owner, &name, &job.scene, all.into_values().collect(), job.machines.who).await?;
    Ok(Json(Made { order: format!("/orders/{next}") }))
}
