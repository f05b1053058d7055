//! `POST /orders/{id}/pay`: the cap moves to escrow and the job starts. However often it is asked for, once.

use super::{
    inspect::name_of,
    place,
    quote::{Wish, asked, available, chosen_frames, machines, pick},
    state::{Stage, look},
};
use crate::{
    app::App,
    error::ApiError,
    pages::{PageError, Posted, go, refused},
    routes::{jobs::submit, quotes::make},
    work::Inspected,
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use std::sync::Arc;
use tatau_api::SubmitJob;
use tatau_model::{Address, Amount, JobId, JobState, Who};
use tatau_workload::{frames, template};

/// How many jobs of the same frames one inspection may lead to.
const MOST_JOBS: u32 = 1_000;
/// Longest name of a job, characters.
const NAME_CHARS: usize = 48;

pub(crate) async fn pay(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    match buy(&app, &id, &posted).await {
        Ok(place) => Ok(go(&posted.headers, &place)),
        Err(error) => refused(error, &posted.headers),
    }
}

/// The address of the job.
async fn buy(app: &App, id: &str, posted: &Posted) -> Result<String, ApiError> {
    let owner = posted.owner()?;
    let id: JobId = crate::routes::id(id)?;
    let wish: Wish = posted.form()?;
    let (_, stage) = look(app, id, owner).await?;
    let Stage::Found(found) = stage else {
        return Err(ApiError::conflict("the scene has not been looked at yet; wait for it"));
    };
    let frames = chosen_frames(&found, &wish)?;
    let key = |again: u32| request_key(id, &frames, &wish, again);
    for again in wish.again..wish.again.saturating_add(MOST_JOBS) {
        let known = app.archive.job_of_request(owner, key(again)).await?;
        match known.map(|job| (job.id, job.state)) {
            // It is over without what was wanted: a new one is meant.
            Some((_, JobState::Cancelled | JobState::Failed { .. })) => {}
            Some((job, _)) => return Ok(format!("/jobs/{job}?known={id}&again={}", again + 1)),
            None => {
                let order = order(app, &found, &frames, &wish, key(again)).await?;
                let cap = order.cap;
                return match submit::place(app, owner, order).await {
                    Ok(job) => Ok(format!("/jobs/{job}")),
                    Err(error) if error.code == "too_little" => Err(short(app, owner, cap, error).await),
                    Err(error) => Err(error),
                };
            }
        }
    }
    Err(ApiError::conflict("this scene was ordered too often; drop it again to start afresh"))
}

/// The same inspection, frames, device and count give the same key, and the same key the same job: two tabs pay once.
fn request_key(inspection: JobId, frames: &[i32], wish: &Wish, again: u32) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("Tatau 1 request key of a page's render job");
    // Processors are not named, as they never were.
    let device = Some(wish.device())
        .filter(|device| !device.is_cpu())
        .map_or(String::new(), |d| format!(" {}", d.name()));
    let what = format!("{inspection} {} {} {again}{device}", frames::format(frames), wish.video);
    hasher.update(what.as_bytes());
    hasher.finalize().to_hex().to_string()
}

async fn order(
    app: &App,
    found: &Inspected,
    frames: &[i32],
    wish: &Wish,
    request_key: String,
) -> Result<SubmitJob, ApiError> {
    let who = found.job.machines.who;
    let quote = make::quote(app, found, frames, asked(found, wish)).await?;
    let (row, cap) = pick(&quote, wish).ok_or_else(|| {
        ApiError::conflict(
            "no machine is on offer now; nothing was paid, try again when providers are online",
        )
    })?;
    // What the form shows is what is set aside, also where the market has moved since.
    let cap = match wish.cap.trim() {
        _ if who == Who::Own => Amount::ZERO,
        "" => cap,
        given => given.parse::<Amount>().ok().filter(|cap| cap.is_positive()).ok_or_else(|| {
            ApiError::invalid("the most it may cost must be an amount above zero, such as 12.5")
        })?,
    };
    let job = &found.job;
    let name = name_of(&job.name);
    let invalid = |e: template::BundleError| ApiError::invalid(e.sentence);
    let bundle = template::render_bundle(name, place::shown(&job.scene), frames).map_err(invalid)?;
    let name: String = name.chars().take(NAME_CHARS).collect();
    Ok(SubmitJob {
        name: if name.is_empty() { "render".into() } else { name },
        template: Some(bundle.template().to_owned()),
        parameters: bundle.parameters().clone(),
        inputs: job.inputs.ok_or_else(|| ApiError::internal(&format!("{} has no inputs", job.id)))?,
        scene: job.scene.clone(),
        environment: job.environment.clone(),
        inspection: Some(job.id),
        frames: frames::format(frames),
        video: wish.video,
        preview: wish.preview,
        class: Some(row.class),
        device: wish.device(),
        strategy: row.strategy,
        machines: machines(who, wish)?,
        cap,
        fresh: wish.again > 0,
        tiles: String::new(),
        program: None,
        request_key,
    })
}

/// Too little money, in one sentence with how much is missing.
async fn short(app: &App, owner: Address, cap: Amount, error: ApiError) -> ApiError {
    let missing = available(app, owner).await.and_then(|has| {
        let missing = cap.sub(has).map_err(|e| ApiError::invalid(e.to_string()))?;
        Ok(format!(
            "{missing} TATAU are missing: this order puts {cap} TATAU aside, and your account has {has}; lower the budget or render fewer frames"
        ))
    });
    missing.map_or(error.clone(), |sentence| ApiError { sentence, ..error })
}
