//! `GET /jobs/{id}/files/{name}`: an accepted result, to its owner's browser. `GET /jobs/{id}/thumbs/{frame}`: a small picture of one.

use super::thumb;
use crate::{
    app::App,
    error::ApiError,
    pages::{Member, PageError},
    routes::blobs::get::send,
    view,
};
use axum::{
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use std::sync::Arc;
use tatau_model::{BlobId, JobId, JobKind, OutputFile};
use tatau_ui::headers::FILE_POLICY;
use tatau_workload::trace;

/// A picture's address names its contents: it may be kept for ever, by this browser alone.
const KEPT: &str = "private, max-age=31536000, immutable";

/// A result that a buyer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A frame as everybody can look at it.
    Picture,
    /// A frame as it was rendered.
    Raw,
    /// All pictures, moving.
    Video,
}

/// By the name that the platform gave it. `None`: a report or a trace, which are the platform's own.
pub(super) fn kind(name: &str) -> Option<Kind> {
    let (stem, kind) = name.rsplit_once('.')?;
    // Of tiles the buyer gets the frame that is joined from them.
    if stem.contains("_tile_") {
        return None;
    }
    match kind {
        "png" => Some(Kind::Picture),
        "exr" => Some(Kind::Raw),
        "mp4" => Some(Kind::Video),
        _ => None,
    }
}

impl Kind {
    fn content_type(self) -> &'static str {
        match self {
            Self::Picture => "image/png",
            Self::Raw => "image/x-exr",
            Self::Video => "video/mp4",
        }
    }
}

/// The part of a picture's address that changes with its contents.
pub(super) fn mark(blob: &BlobId) -> String {
    blob.to_string().chars().take(12).collect()
}

/// An accepted result of the owner's job.
async fn find(
    app: &Arc<App>,
    id: JobId,
    owner: tatau_model::Address,
    name: &str,
) -> Result<(Kind, OutputFile), ApiError> {
    let job = view::own_job(app, id, owner).await?;
    let absent = || ApiError::not_found(format!("{id} has no result of that name yet"));
    let kind = kind(name).filter(|_| matches!(job.kind, JobKind::Render(_))).ok_or_else(absent)?;
    let watched = app.boards.of(app, job).await?;
    let board = watched.board.lock().await;
    let found = board.files().find(|file| file.name == name).cloned();
    Ok((kind, found.ok_or_else(absent)?))
}

pub(crate) async fn file(
    State(app): State<Arc<App>>,
    Path((id, name)): Path<(String, String)>,
    headers: HeaderMap,
    member: Member,
) -> Result<Response, PageError> {
    let id: JobId = crate::routes::id(&id)?;
    let (kind, found) = find(&app, id, member.owner, &name).await?;
    // The platform's own names: letters, digits, dots, lines.
    let disposition = match kind {
        Kind::Picture | Kind::Video => "inline".to_owned(),
        Kind::Raw => format!("attachment; filename=\"{id}-{}\"", found.name),
    };
    let mut answer = send(&app, found.blob, &headers, kind.content_type(), &disposition).await?;
    guard(answer.headers_mut());
    Ok(answer)
}

pub(crate) async fn thumb(
    State(app): State<Arc<App>>,
    Path((id, frame)): Path<(String, String)>,
    member: Member,
) -> Result<Response, PageError> {
    let id: JobId = crate::routes::id(&id)?;
    let frame: i32 = frame.parse().map_err(|_| ApiError::not_found("there is no such frame"))?;
    let name = format!("{}.png", trace::frame_name(frame));
    let (_, found) = find(&app, id, member.owner, &name).await?;
    let bytes = thumb::of(&app, &found).await?;
    let mut answer = ([(header::CONTENT_TYPE, thumb::CONTENT_TYPE)], bytes).into_response();
    guard(answer.headers_mut());
    Ok(answer)
}

/// Whatever a stranger's file holds, nothing of it runs, and the browser takes it for nothing else.
fn guard(headers: &mut axum::http::HeaderMap) {
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, FILE_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, KEPT),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_results_have_a_kind() {
        assert_eq!(kind("frame_0001.png"), Some(Kind::Picture));
        assert_eq!(kind("frame_0001.exr"), Some(Kind::Raw));
        assert_eq!(kind("video.mp4").map(Kind::content_type), Some("video/mp4"));
        for other in ["result.json", "frame_0001.tiles", "png", "x.html", "x.svg", "x.PNG", ""] {
            assert_eq!(kind(other), None, "{other}");
        }
    }
}
