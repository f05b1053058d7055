//! `GET /account`.

use super::{
    DONE,
    money::{Due, Money, due},
};
use crate::{
    app::App,
    error::ApiError,
    notices::settings,
    pages::{Area, Member, PageError, capital, frame, html},
    session::Session,
};
use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use std::sync::Arc;
use tatau_model::{Account, Amount, Millis};
use tatau_store::TokenHash;
use tatau_ui::{Frame, Notice, Tone, words};

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    done: String,
}

/// What the page says at its top.
pub(super) enum Said {
    Nothing,
    Done(&'static str),
    Refusal(ApiError),
    /// A new token, shown once.
    Token {
        name: String,
        token: String,
    },
}

struct JobLine {
    href: String,
    name: String,
    amount: String,
}

struct TokenLine {
    id: String,
    name: String,
    made: String,
}

struct BrowserLine {
    this: bool,
    since: String,
}

#[derive(Template)]
#[template(path = "pages/account.html")]
struct Page {
    frame: Frame,
    address: String,
    /// Name for signing in; empty where there is none.
    name: String,
    limited: bool,
    barred: bool,
    available: String,
    in_jobs: String,
    jobs: Vec<JobLine>,
    more_jobs: usize,
    stake: String,
    stake_free: String,
    stake_reserved: String,
    unbonding: String,
    unbonding_due: Option<Due>,
    pending: String,
    pending_due: Option<Due>,
    /// What is missing of earn-in; empty where nothing is.
    earn_in: String,
    tokens: Vec<TokenLine>,
    new_token: Option<(String, String)>,
    browsers: Vec<BrowserLine>,
    unbond_time: String,
    /// Addresses of accounts that are trusted with scenes.
    trusts: Vec<String>,
    notify: tatau_api::Notify,
    /// What makes an account trusted by everybody.
    line: String,
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Query(asked): Query<Asked>,
    member: Member,
) -> Result<Response, PageError> {
    let said =
        DONE.iter().find(|(what, _)| *what == asked.done).map_or(Said::Nothing, |(_, text)| Said::Done(text));
    page(&app, &member.session, said).await
}

/// The page, with what it says.
pub(super) async fn page(app: &App, session: &Session, said: Said) -> Result<Response, PageError> {
    let owner =
        session.owner.ok_or_else(|| ApiError::forbidden("the operator has no account; sign in with one"))?;
    let balances = app.archive.balances_of(owner).await?;
    let money = Money::of(owner, &balances).map_err(|e| ApiError::internal(&e))?;
    let (listed, more_jobs) = money.largest_jobs();
    let ids: Vec<_> = listed.iter().map(|(job, _)| *job).collect();
    let (account, pending, unbonding, names) = app
        .writer
        .read(move |state| {
            let pending: Vec<(Millis, Amount)> =
                state.disputes_of(&owner).filter_map(|a| Some((a.dispute_until?, a.pay))).collect();
            let unbonding: Vec<(Millis, Amount)> = state.unbonding_of(owner).collect();
            let names: Vec<Option<String>> =
                ids.iter().map(|id| Some(state.job(*id)?.name.clone())).collect();
            (state.account(&owner).cloned(), pending, unbonding, names)
        })
        .await?;
    let account = account.ok_or_else(|| ApiError::not_found("this account is not on record"))?;
    let jobs = listed.into_iter().zip(names).map(|((job, amount), name)| JobLine {
        href: format!("/jobs/{job}"),
        name: name.unwrap_or_else(|| job.to_string()),
        amount: words::money(amount),
    });
    let stake = money.stake().map_err(|e| ApiError::internal(&e))?;
    let (notice, new_token, status) = match said {
        Said::Nothing => (None, None, StatusCode::OK),
        Said::Done(text) => (Some(Notice { tone: Tone::Good, text: text.to_owned() }), None, StatusCode::OK),
        Said::Refusal(e) => (Some(Notice { tone: Tone::Bad, text: capital(&e.sentence) }), None, e.status),
        Said::Token { name, token } => (None, Some((name, token)), StatusCode::OK),
    };
    let mut frame = frame(app, Some(session), Area::Account).await?;
    frame.notice = notice;
    let page = Page {
        frame,
        address: owner.to_string(),
        name: app.archive.password_of(owner).await?.map(|p| p.name).unwrap_or_default(),
        limited: session.limited,
        barred: account.barred,
        available: words::money(money.available),
        in_jobs: words::money(money.in_jobs),
        jobs: jobs.collect(),
        more_jobs,
        stake: words::money(stake),
        stake_free: words::money(money.stake_free),
        stake_reserved: words::money(money.stake_reserved),
        unbonding: if money.unbonding.is_positive() { words::money(money.unbonding) } else { String::new() },
        unbonding_due: due(unbonding),
        pending: words::money(money.pending),
        pending_due: due(pending),
        earn_in: earn_in(app, &account, stake),
        tokens: tokens(app, session).await?,
        new_token,
        browsers: browsers(app, session).await?,
        unbond_time: words::duration(app.config.unbond_ms),
        notify: settings::show(app, owner).await?,
        trusts: account.trusts.iter().map(ToString::to_string).collect(),
        line: format!(
            "{} accepted tasks, no wrong result and {} TATAU of stake",
            app.config.trusted_accepted, app.config.trusted_stake
        ),
    };
    Ok((status, html(&page)?).into_response())
}

/// Only for whoever provides: what is missing until work is audited lightly.
fn earn_in(app: &App, account: &Account, stake: Amount) -> String {
    let config = &app.config;
    if account.established || account.barred || (account.accepted == 0 && !stake.is_positive()) {
        return String::new();
    }
    let mut missing = Vec::new();
    if stake < config.earn_in_stake {
        missing.push(format!(
            "{} of stake ({} so far)",
            words::money(config.earn_in_stake),
            words::money(stake)
        ));
    }
    if account.accepted < config.earn_in_accepted {
        missing.push(format!("{} accepted tasks ({} so far)", config.earn_in_accepted, account.accepted));
    }
    missing.join(" and ")
}

async fn tokens(app: &App, session: &Session) -> Result<Vec<TokenLine>, ApiError> {
    let Some(owner) = session.owner else { return Ok(Vec::new()) };
    let line = |token: tatau_store::TokenRecord| TokenLine {
        id: id(&token.hash),
        name: token.name,
        made: words::utc(token.created),
    };
    Ok(app.archive.tokens_of(owner).await?.into_iter().map(line).collect())
}

async fn browsers(app: &App, session: &Session) -> Result<Vec<BrowserLine>, ApiError> {
    let Some(owner) = session.owner else { return Ok(Vec::new()) };
    let line = |(hash, since)| BrowserLine { this: hash == session.hash, since: words::utc(since) };
    Ok(app.archive.sessions_of(owner).await?.into_iter().map(line).collect())
}

/// A digest as forms name it.
pub(super) fn id(hash: &TokenHash) -> String {
    blake3::Hash::from_bytes(*hash).to_hex().to_string()
}
