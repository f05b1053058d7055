//! `GET /v1/nodes/me/earnings?utc_offset_minutes=N`.

use crate::{app::App, auth::Call, calendar, error::ApiError};
use axum::{
    Json,
    extract::{Query, State},
};
use serde::Deserialize;
use std::sync::Arc;
use tatau_api::{CardEarnings, EarnIn, Earned, Earnings, Spans, Totals};
use tatau_model::{Amount, AmountError, Clock, SystemClock};
use tatau_store::CardEarned;

#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    utc_offset_minutes: i64,
}

pub(crate) async fn earnings(
    State(app): State<Arc<App>>,
    Query(asked): Query<Asked>,
    call: Call,
) -> Result<Json<Earnings>, ApiError> {
    let node = call.node(&app).await?;
    let begins = calendar::begins(SystemClock.now(), asked.utc_offset_minutes);
    let (day, month) = begins.ok_or_else(|| {
        ApiError::invalid("utc_offset_minutes is a time zone's: quarters of an hour, at most 14 hours")
    })?;
    let found = app.archive.earned(node.owner, Some(node.id), day, month).await?;
    let found = found.ok_or_else(|| ApiError::not_found(format!("{} has no account", node.owner)))?;
    let cards = found.cards.iter().map(|card| CardEarnings { card: card.card, earned: of(card) }).collect();
    let (account, totals) = (&found.account, found.totals);
    Ok(Json(Earnings {
        owner: node.owner,
        day,
        month,
        cards,
        node: sum(&found.cards).map_err(|e| ApiError::internal(&e))?,
        account: Totals {
            earned: totals.earned,
            paid: totals.paid,
            pending: totals.pending,
            forfeited: totals.forfeited,
            slashed: totals.slashed,
        },
        earn_in: EarnIn {
            complete: account.established,
            stake: found.stake,
            stake_needed: app.config.earn_in_stake,
            accepted: account.accepted,
            accepted_needed: app.config.earn_in_accepted,
            faults: account.stake_faults,
            barred: account.barred,
        },
    }))
}

fn of(card: &CardEarned) -> Earned {
    let spans = |s: tatau_store::Spans| Spans { today: s.today, month: s.month, all: s.all };
    Earned {
        earned: spans(card.earned),
        paid: spans(card.paid),
        pending: card.pending,
        forfeited: card.forfeited,
        slashed: card.slashed,
        accepted: card.accepted,
        rejected: card.rejected,
        lost: card.lost,
    }
}

fn sum(cards: &[CardEarned]) -> Result<Earned, AmountError> {
    let mut total = Earned::default();
    let add = |to: &mut Amount, more: Amount| to.add(more).map(|sum| *to = sum);
    for card in cards.iter().map(of) {
        for (to, more) in [(&mut total.earned, card.earned), (&mut total.paid, card.paid)] {
            add(&mut to.today, more.today)?;
            add(&mut to.month, more.month)?;
            add(&mut to.all, more.all)?;
        }
        add(&mut total.pending, card.pending)?;
        add(&mut total.forfeited, card.forfeited)?;
        add(&mut total.slashed, card.slashed)?;
        total.accepted += card.accepted;
        total.rejected += card.rejected;
        total.lost += card.lost;
    }
    Ok(total)
}
