//! `POST /v1/grants`: addresses for blobs of one's job, lease or audit.

use crate::{app::App, auth::Call, error::ApiError, reach};
use axum::{Json, extract::State};
use std::sync::Arc;
use tatau_api::{GrantRequest, Granted};
use tatau_blobs::Operation;
use tatau_model::{AttemptId, AuditId, BlobId, Clock, JobId, SystemClock};

/// A grant counts this long, ms.
const GRANT_MS: u64 = 3_600_000;
const MOST_BLOBS: usize = 1_000;

pub(crate) async fn open(State(app): State<Arc<App>>, call: Call) -> Result<Json<Granted>, ApiError> {
    let request: GrantRequest = call.json()?;
    if request.blobs.len() > MOST_BLOBS {
        return Err(ApiError::invalid("at most 1,000 blobs at once; ask in parts"));
    }
    let reach = match holder(&request.holder)? {
        Holder::Job(job) => reach::of_job(&app, job, call.account(&app).await?).await?,
        Holder::Attempt(attempt) => reach::of_attempt(&app, attempt, call.node(&app).await?.id).await?,
        Holder::Audit(audit) => reach::of_audit(&app, audit, call.node(&app).await?.id).await?,
    };
    let expires = SystemClock.now().plus(GRANT_MS);
    let mut urls = Vec::with_capacity(request.blobs.len());
    for blob in &request.blobs {
        urls.push(url(&app, &reach, blob, &request.holder, expires)?);
    }
    Ok(Json(Granted { urls, expires }))
}

fn url(
    app: &App,
    reach: &reach::Reach,
    blob: &BlobId,
    holder: &str,
    expires: tatau_model::Millis,
) -> Result<String, ApiError> {
    if !reach.covers(blob) {
        return Err(ApiError::forbidden(format!("blob {blob} does not belong to {holder}")));
    }
    let query = app.grants.grant(Operation::Get, blob, app.blobs.limits().max_blob_bytes, expires);
    Ok(format!("/v1/blobs/{blob}?{query}"))
}

enum Holder {
    Job(JobId),
    Attempt(AttemptId),
    Audit(AuditId),
}

fn holder(text: &str) -> Result<Holder, ApiError> {
    if text.starts_with("job-") {
        crate::routes::id(text).map(Holder::Job)
    } else if text.starts_with("attempt-") {
        crate::routes::id(text).map(Holder::Attempt)
    } else if text.starts_with("audit-") {
        crate::routes::id(text).map(Holder::Audit)
    } else {
        Err(ApiError::bad_request("the holder is job-N, attempt-N or audit-N"))
    }
}
