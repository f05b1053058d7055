//! `POST /v1/receipts`: a batch of signed receipts; one answer each, in order.

use crate::{app::App, auth::Call, error::ApiError, limits::RECEIPTS_AT_ONCE};
use axum::{Json, extract::State};
use std::{collections::HashSet, sync::Arc};
use tatau_api::{ErrorBody, ReceiptCommit};
use tatau_engine::Event;
use tatau_evidence::typed;
use tatau_model::{Address, Attempt};

pub(crate) async fn commit(
    State(app): State<Arc<App>>,
    call: Call,
) -> Result<Json<Vec<Option<ErrorBody>>>, ApiError> {
    let node = call.node(&app).await?.id;
    let receipts: Vec<ReceiptCommit> = call.json()?;
    if receipts.len() > RECEIPTS_AT_ONCE {
        return Err(ApiError::too_large("at most 1,000 receipts at once; send them in parts"));
    }
    let ids: Vec<_> = receipts.iter().map(|r| r.attempt).collect();
    let asked = ids.clone();
    let attempts =
        app.writer.read(move |s| asked.iter().map(|id| s.attempt(*id).cloned()).collect::<Vec<_>>());
    let attempts: Vec<Option<Attempt>> = attempts.await?;
    let mut seen = HashSet::new();
    let mut answers: Vec<Option<ErrorBody>> = vec![None; receipts.len()];
    let mut events = Vec::new();
    let mut places = Vec::new();
    for (place, (commit, attempt)) in receipts.into_iter().zip(attempts).enumerate() {
        if !seen.insert(commit.attempt) {
            let twice = format!("{} is named twice in this batch; send one receipt for it", commit.attempt);
            answers[place] = Some(ApiError::invalid(twice).body());
            continue;
        }
        match check(node, attempt.as_ref(), &commit) {
            Ok(()) => {
                events.push(Event::CommitReceipt { node, attempt: commit.attempt, receipt: commit.receipt });
                places.push(place);
            }
            Err(error) => answers[place] = Some(error.body()),
        }
    }
    for (place, answer) in places.into_iter().zip(app.writer.events(events).await?) {
        if answer.is_ok() {
            app.owed.note(node, [ids[place]]);
        }
        answers[place] = answer.err().map(|refusal| ApiError::from(refusal).body());
    }
    Ok(Json(answers))
}

/// The signature binds the receipt to this lease and this node.
fn check(node: Address, attempt: Option<&Attempt>, commit: &ReceiptCommit) -> Result<(), ApiError> {
    let id = commit.attempt;
    let attempt = attempt.ok_or_else(|| {
        ApiError::conflict(format!("the lease of {id} is over; its task went to another provider"))
    })?;
    if attempt.node != node {
        return Err(ApiError::forbidden(format!("{id} is not a lease of this node")));
    }
    let domain = typed::Domain::default();
    typed::check_receipt(&domain, id, attempt.task, attempt.job, node, &commit.receipt)
        .map_err(|e| ApiError::invalid(e.to_string()))
}
