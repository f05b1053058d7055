//! Uploads: forgets those that stand still, and knows whose bytes the market waits for.

use crate::{app::App, error::ApiError, noted::Noted};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tatau_blobs::Standing;
use tatau_engine::State;
use tatau_model::{Address, AttemptId, AttemptState, AuditState};

const EVERY: Duration = Duration::from_mins(5);
/// An upload that nobody added to for so long is forgotten; whoever brings it begins anew.
const STALE: Duration = Duration::from_hours(1);

/// Until the server stops.
pub(crate) async fn run(app: Arc<App>) {
    let mut stopping = app.stopping.clone();
    loop {
        match app.blobs.run(|store| store.drop_stale_uploads(SystemTime::now(), STALE)).await {
            Ok(0) => {}
            Ok(dropped) => tracing::info!(dropped, "uploads that stood still were forgotten"),
            Err(error) => tracing::warn!(%error, "stale uploads stay for now"),
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
    }
}

/// Receipts of a recovered market whose files are awaited.
pub(crate) fn owed(state: &State) -> Noted<AttemptId> {
    let owed = Noted::default();
    let tasks = state.jobs().flat_map(|job| state.tasks_of(job.id));
    for attempt in tasks.filter_map(|task| state.attempt(task.current?)) {
        if attempt.state == AttemptState::Committed {
            owed.note(attempt.node, [attempt.id]);
        }
    }
    owed
}

/// Does the market wait for this uploader's bytes?
pub(crate) async fn standing(app: &App, by: Address) -> Result<Standing, ApiError> {
    let (audits, receipts) = (app.handed.of(by), app.owed.of(by));
    let noted = receipts.clone();
    let (owes, open) = app
        .writer
        .read(move |state| {
            let open = |id: &AttemptId| {
                state.attempt(*id).is_some_and(|a| a.node == by && a.state == AttemptState::Committed)
            };
            let audits = audits.into_iter().any(|id| {
                state.audit(id).is_some_and(|a| {
                    a.node == Some(by) && matches!(a.state, AuditState::Assigned | AuditState::Committed)
                })
            });
            let receipts: Vec<AttemptId> = receipts.into_iter().filter(open).collect();
            (audits || !receipts.is_empty() || state.leases_of(&by).next().is_some(), receipts)
        })
        .await?;
    app.owed.forget(by, noted.into_iter().filter(|id| !open.contains(id)));
    Ok(if owes { Standing::Owing } else { Standing::Stranger })
}
