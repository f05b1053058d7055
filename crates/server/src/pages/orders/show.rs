//! `GET /orders/{id}`: what an inspection found, what is missing, what it costs.

use super::{
    inspect::name_of,
    place,
    quote::{Prices, Wish, prices},
    state::{Missing, Stage, look, missing},
    words,
};
use crate::{
    app::App,
    error::ApiError,
    pages::{Area, Member, PageError, capital, frame, html},
    reach,
    work::Inspected,
};
use askama::Template;
use axum::{
    extract::{Path, RawQuery, State},
    response::{Html, IntoResponse, Redirect, Response},
};
use std::sync::Arc;
use tatau_model::{Device, Job, JobId, JobKind, Who};
use tatau_ui::Frame;
use tatau_workload::frames;

/// Files of the inputs that are listed; of more the number is told.
const SHOWN_FILES: usize = 500;
/// What takes the place of the word about the check once it is done.
pub(super) const CHECKED: &str = r#"<p id="checked" class="soft" data-checked="true" role="status">The report was checked by others and stands.</p>"#;

#[derive(Template)]
#[template(path = "pages/orders/show.html")]
struct Order {
    frame: Frame,
    id: JobId,
    name: String,
    /// What the page shows, as the live stream names it.
    stage: &'static str,
    online: usize,
    /// Why there is nothing.
    over: Option<String>,
    found: Option<Found>,
}

struct Found {
    engine: String,
    size: String,
    samples: String,
    /// What Blender held for it.
    memory: Option<String>,
    range: String,
    rate: String,
    saved_by: String,
    /// What else is special about its pictures.
    special: Vec<String>,
    /// What can render it: name, words, whether it is chosen.
    devices: Vec<(&'static str, &'static str, bool)>,
    files: Vec<(String, String)>,
    files_total: usize,
    bytes: String,
    refusals: Vec<String>,
    warnings: Vec<String>,
    missing: Vec<Missing>,
    /// The scene's path in what was dropped.
    scene: String,
    checked: bool,
    who: Who,
    /// The owner has machines: they may come first.
    has_machines: bool,
    wish: Wish,
    prices: Option<Prices>,
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    member: Member,
) -> Result<Response, PageError> {
    let id: JobId = crate::routes::id(&id)?;
    let job = crate::view::own_job(&app, id, member.owner).await?;
    if job.kind != JobKind::Inspect {
        return Ok(Redirect::to(&format!("/jobs/{id}")).into_response());
    }
    let (job, stage) = look(&app, id, member.owner).await?;
    let frame = frame(&app, Some(&member.session), Area::Jobs).await?;
    let word = stage.word(&job);
    let mut page = Order {
        frame,
        id,
        name: name_of(&job.name).to_owned(),
        stage: word,
        online: 0,
        over: None,
        found: None,
    };
    match stage {
        Stage::Waiting { online } => page.online = online,
        Stage::Over(reason) => page.over = Some(capital(&reason)),
        Stage::Found(found) => {
            let wish = defaults(Wish::read(query.as_deref())?, query.is_none(), &found);
            page.found = Some(described(&app, &job, &found, wish, member.owner).await?);
        }
    }
    let page: Html<String> = html(&page)?;
    Ok(page.into_response())
}

/// What the form says at first.
fn defaults(mut wish: Wish, fresh: bool, found: &Inspected) -> Wish {
    if wish.frames.trim().is_empty() {
        wish.frames = frames::format(&found.report.frames());
    }
    if fresh {
        wish.video = found.report.frames().len() > 1;
    }
    wish
}

async fn described(
    app: &App,
    job: &Job,
    found: &Inspected,
    wish: Wish,
    owner: tatau_model::Address,
) -> Result<Found, ApiError> {
    let report = &found.report;
    let inputs = job.inputs.ok_or_else(|| ApiError::internal(&format!("{} has no inputs", job.id)))?;
    let manifest = reach::manifest(app, inputs).await?;
    let listed = manifest.files().iter().take(SHOWN_FILES);
    let files = listed.map(|f| (place::shown(&f.path).to_owned(), tatau_ui::words::bytes(f.bytes))).collect();
    let missing = missing(found);
    let good = missing.is_empty() && report.refusals.is_empty();
    let prices = if good { Some(prices(app, found, &wish, owner).await?) } else { None };
    let has_machines =
        app.writer.read(move |s| s.nodes().any(|n| n.owner == owner && n.offer.provides)).await?;
    let own = report.frames();
    let range = match own.len() {
        0 => "none".into(),
        n => format!("{} ({})", frames::format(&own), tatau_ui::words::count(n as u64, "frame")),
    };
    Ok(Found {
        engine: words::engine(&report.engine),
        size: format!("{} × {} pixels", report.width, report.height),
        memory: report.probe.as_ref().and_then(|p| p.memory_mib).map(|mib| tatau_ui::words::bytes(mib << 20)),
        samples: report.samples.map_or_else(|| "–".into(), |n| n.to_string()),
        range,
        rate: format!("{} a second", f64::from(report.fps.num) / f64::from(report.fps.den.max(1))),
        saved_by: report.saved_by.clone(),
        special: words::special(report),
        devices: Device::ALL.map(|d| (d.name(), words::device(d), d == wish.device())).into(),
        files,
        files_total: manifest.files().len(),
        bytes: tatau_ui::words::bytes(manifest.total_bytes()),
        refusals: report.refusals.iter().map(|told| told.sentence.clone()).collect(),
        warnings: report.warnings.iter().map(|told| told.sentence.clone()).collect(),
        missing,
        scene: place::shown(&job.scene).to_owned(),
        checked: job.state == tatau_model::JobState::Finished,
        who: job.machines.who,
        has_machines,
        wish,
        prices,
    })
}
