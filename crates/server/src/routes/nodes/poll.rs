//! `POST /v1/nodes/me/poll`: heartbeat and request for work in one, held open until there is something.

use crate::{app::App, auth::Call, error::ApiError, limits::WAIT_MS, orders};
use axum::{Json, extract::State, http::StatusCode};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tatau_api::{Poll, PollAnswer};
use tatau_engine::{Event, Reply};
use tatau_model::{Address, AttemptId, AttemptState, AuditId, AuditState, NodeSettings};
use tokio::time::{Instant, timeout_at};

/// While a poll is held open its node counts as heard from; told to the market this often.
const HEARTBEAT: Duration = Duration::from_secs(5);
const MOST_CARDS: usize = 128;
const MOST_AUDITS: u16 = 64;
const MOST_HELD: usize = 1_024;

pub(crate) async fn poll(State(app): State<Arc<App>>, call: Call) -> Result<Json<PollAnswer>, ApiError> {
    let known = call.node(&app).await?;
    let node = known.id;
    let mut poll: Poll = call.json()?;
    check(&poll)?;
    let heard = poll.heard.min(known.settings.revision);
    if heard != known.heard {
        app.writer.event(Event::Heard { node, revision: heard }).await?;
    }
    poll.audits = poll.audits.min(MOST_AUDITS);
    let until = Instant::now() + Duration::from_millis(poll.wait_ms.min(WAIT_MS));
    let mut leases = app.wakes.providers();
    let mut audits = app.wakes.validators();
    let mut stopping = app.stopping.clone();
    let mut first = true;
    loop {
        // Subscribed first, look second, sleep last.
        leases.mark_unchanged();
        audits.mark_unchanged();
        app.writer.event(Event::Seen { node }).await?;
        let (answer, spoilt) = look(&app, node, &poll, first).await?;
        first = false;
        // Where something was given back the node hears at once, and asks again at its own pace: woken by what it gave back,
        // this loop would turn without rest.
        if answer != PollAnswer::default() || spoilt || Instant::now() >= until {
            return Ok(Json(answer));
        }
        let next = until.min(Instant::now() + HEARTBEAT);
        let woken = timeout_at(next, async {
            tokio::select! {
                _ = leases.changed() => false,
                _ = audits.changed(), if poll.audits > 0 || !poll.auditing.is_empty() => false,
                _ = stopping.wait_for(|stop| *stop) => true,
            }
        });
        if matches!(woken.await, Ok(true)) {
            return Ok(Json(answer));
        }
    }
}

fn check(poll: &Poll) -> Result<(), ApiError> {
    let held = poll.running.len().max(poll.auditing.len()).max(poll.warm.len());
    if poll.cards.len() > MOST_CARDS || held > MOST_HELD {
        return Err(ApiError::invalid("a poll names at most 128 cards and 1,024 leases, audits or jobs"));
    }
    Ok(())
}

/// What the node holds according to the state.
struct Held {
    leases: BTreeSet<AttemptId>,
    /// Leases, and receipts whose delivery is awaited.
    going: BTreeSet<AttemptId>,
    audits: BTreeSet<AuditId>,
    /// What its owner said that it has not heard of.
    settings: Option<NodeSettings>,
}

async fn held(app: &App, node: Address, poll: &Poll) -> Result<Held, ApiError> {
    let (running, heard) = (poll.running.clone(), poll.heard);
    let noted = app.handed.of(node);
    let mut asked = noted.clone();
    asked.extend(&poll.auditing);
    let held = app
        .writer
        .read(move |state| {
            let leases: BTreeSet<_> = state.leases_of(&node).collect();
            let going = running.into_iter().filter(|id| {
                state.attempt(*id).is_some_and(|a| {
                    a.node == node && matches!(a.state, AttemptState::Leased | AttemptState::Committed)
                })
            });
            let going = going.collect();
            let audits = asked.into_iter().filter(|id| {
                state.audit(*id).is_some_and(|a| {
                    a.node == Some(node) && matches!(a.state, AuditState::Assigned | AuditState::Committed)
                })
            });
            let audits = audits.collect();
            let settings = state.node(&node).map(|n| &n.settings).filter(|s| s.revision > heard).cloned();
            Held { leases, going, audits, settings }
        })
        .await?;
    app.handed.forget(node, noted.difference(&held.audits).copied());
    Ok(held)
}

/// What there is for the node; and true where some of it could not be handed out and was given back.
async fn look(app: &App, node: Address, poll: &Poll, first: bool) -> Result<(PollAnswer, bool), ApiError> {
    let held = held(app, node, poll).await?;
    let mut answer = PollAnswer {
        stop: poll.running.iter().filter(|id| !held.going.contains(id)).copied().collect(),
        stop_audits: poll.auditing.iter().filter(|id| !held.audits.contains(id)).copied().collect(),
        settings: held.settings,
        ..PollAnswer::default()
    };
    // Handed out before, but the node does not know of it: that answer was lost.
    let mut leases: Vec<AttemptId> =
        held.leases.iter().filter(|id| !poll.running.contains(id)).copied().collect();
    let mut audits: Vec<AuditId> =
        held.audits.iter().filter(|id| !poll.auditing.contains(id)).copied().collect();
    if !poll.cards.is_empty() {
        let asked = Event::Lease { node, cards: poll.cards.clone(), warm: poll.warm.clone() };
        match app.writer.event(asked).await {
            Ok(Reply::Leases(new)) => leases.extend(new),
            Ok(_) => {}
            Err(error) if first && leases.is_empty() => return Err(error),
            Err(error) => tracing::debug!(%node, sentence = error.sentence, "no lease"),
        }
    }
    if poll.audits > 0 {
        let asked = Event::TakeAudits { node, max: poll.audits, warm: poll.warm.clone() };
        match app.writer.event(asked).await {
            Ok(Reply::Audits(new)) => audits.extend(new),
            Ok(_) => {}
            Err(error) if first && leases.is_empty() && audits.is_empty() => return Err(error),
            Err(error) => tracing::debug!(%node, sentence = error.sentence, "no audit"),
        }
    }
    app.handed.note(node, audits.iter().copied());
    leases.sort_unstable();
    leases.dedup();
    audits.sort_unstable();
    audits.dedup();
    let mut spoilt = false;
    for id in leases {
        match orders::lease(app, id).await {
            Ok(lease) => answer.leases.extend(lease),
            Err(error) => {
                let (code, sentence) = server_fault();
                let back = Event::FailAttempt { node, attempt: id, code, sentence };
                spoilt |= give_back(app, &id, &error, back).await;
            }
        }
    }
    for id in audits {
        match orders::audit(app, id).await {
            Ok(audit) => answer.audits.extend(audit),
            Err(error) => {
                let (code, sentence) = server_fault();
                let back = Event::FailAudit { node, audit: id, code, sentence };
                spoilt |= give_back(app, &id, &error, back).await;
            }
        }
    }
    Ok((answer, spoilt))
}

/// Nobody's fault but the platform's.
fn server_fault() -> (String, String) {
    ("returned".into(), "the platform could not put the order together".into())
}

/// One order that cannot be read spoils no other: it is logged and given back. A server that is only busy keeps it, and hands it
/// out at the next poll. True where it was given back.
async fn give_back(app: &App, id: &impl std::fmt::Display, error: &ApiError, back: Event) -> bool {
    if error.status == StatusCode::SERVICE_UNAVAILABLE {
        tracing::warn!(%id, sentence = error.sentence, "an order waits for the next poll");
        return false;
    }
    tracing::error!(%id, sentence = error.sentence, "an order could not be put together; it is given back");
    if let Err(error) = app.writer.event(back).await {
        tracing::warn!(%id, sentence = error.sentence, "it could not be given back; it is tried again at the next poll");
    }
    true
}
