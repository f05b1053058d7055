//! `GET /new`: a place to drop a scene. `POST /new`: its files are here; inspect it.

use super::{MOST_FILES, inspect::inspect, place};
use crate::{
    app::App,
    auth::Call,
    error::ApiError,
    pages::{Area, Member, PageError, frame, html},
    routes::platform::show::INSPECTION_CAP,
};
use askama::Template;
use axum::{Json, extract::State, response::Html};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tatau_blobs::ManifestFile;
use tatau_model::{BlobId, Who};
use tatau_ui::Frame;
use tatau_workload::{bundle_files, frames};

#[derive(Template)]
#[template(path = "pages/orders/new.html")]
struct New {
    frame: Frame,
    cap: String,
    most_bytes: u64,
}

pub(crate) async fn show(State(app): State<Arc<App>>, member: Member) -> Result<Html<String>, PageError> {
    let frame = frame(&app, Some(&member.session), Area::Jobs).await?;
    let most_bytes = app.blobs.limits().max_blob_bytes;
    html(&New { frame, cap: tatau_ui::words::money(INSPECTION_CAP), most_bytes })
}

/// One file that was uploaded.
#[derive(Debug, Deserialize)]
pub(super) struct Dropped {
    /// Its name in what was dropped, with `/`.
    path: String,
    blob: BlobId,
    bytes: u64,
}

#[derive(Debug, Deserialize)]
struct Drop {
    #[serde(default)]
    name: String,
    scene: String,
    files: Vec<Dropped>,
    #[serde(default)]
    bundle: Option<Bundle>,
    /// Whose machines may see it.
    #[serde(default)]
    who: Who,
}

/// Texts of a bundle folder.
#[derive(Debug, Deserialize)]
struct Bundle {
    template: String,
    values: Option<String>,
    terms: Option<String>,
}

/// Where the page goes on.
#[derive(Debug, Serialize)]
pub(crate) struct Made {
    pub order: String,
}

pub(crate) async fn make(State(app): State<Arc<App>>, call: Call) -> Result<Json<Made>, ApiError> {
    let owner = call.account(&app).await?;
    let Drop { name, scene, files, bundle, who } = call.json()?;
    if files.len() > MOST_FILES {
        return Err(ApiError::invalid(format!(
            "at most {MOST_FILES} files go up at once; drop the scene alone, then only what it misses is asked for"
        )));
    }
    let asked = bundle.as_ref().map(wishes).transpose()?;
    let files = files.into_iter().map(|file| ManifestFile {
        path: place::dropped(&file.path),
        blob: file.blob,
        bytes: file.bytes,
    });
    let id = inspect(&app, owner, &name, &place::dropped(&scene), files.collect(), who).await?;
    let wishes = asked.map_or_else(String::new, |query| format!("?{query}"));
    Ok(Json(Made { order: format!("/orders/{id}{wishes}") }))
}

/// What a bundle asks for, as the order page's query.
fn wishes(bundle: &Bundle) -> Result<String, ApiError> {
    let asked = bundle_files::read(&bundle.template, bundle.values.as_deref(), bundle.terms.as_deref());
    let asked = asked.map_err(|e| ApiError::invalid(e.sentence))?;
    let wish = super::quote::Wish {
        frames: frames::format(&asked.frames),
        video: asked.video,
        class: asked.class.unwrap_or_default(),
        device: asked.device.map(|device| device.name().to_owned()).unwrap_or_default(),
        strategy: Some(asked.strategy),
        cap: asked.cap.map(|cap| cap.to_string()).unwrap_or_default(),
        ..super::quote::Wish::default()
    };
    serde_html_form::to_string(&wish).map_err(|e| ApiError::internal(&e))
}
