//! `POST /fleet/set`, `POST /fleet/machine/{id}`: what an owner wants of machines. The market holds to it at once; each machine
//! hears of it at its next poll.

use super::{
    list::{self, Said},
    machine,
};
use crate::{
    app::App,
    error::ApiError,
    pages::{PageError, Posted},
};
use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use std::sync::Arc;
use tatau_engine::{Event, NodeChange};
use tatau_model::{Address, Amount};
use tatau_ui::words;

/// Machines that are set at once.
const MOST: usize = 1_000;

/// What was done, as the page's address names it and as the page then says it.
pub(super) const DONE: &[(&str, &str)] = &[
    ("code-removed", "No more machines join by that code. Those that did stay."),
    ("removed", "The machine is out of your fleet. It gets no more work; what it earned stays yours."),
    ("set", "Set. The machine hears of it within seconds."),
];

#[derive(Deserialize)]
struct Many {
    #[serde(default)]
    node: Vec<String>,
    what: String,
    #[serde(default)]
    floor: String,
    #[serde(default)]
    find: String,
}

pub(crate) async fn many(State(app): State<Arc<App>>, posted: Posted) -> Result<Response, PageError> {
    let owner = posted.owner()?;
    let fields: Many = posted.form()?;
    let said = match apply(&app, owner, &fields).await {
        Ok(text) => Said::Good(text),
        Err(error) if error.status.is_server_error() => return Err(error.into()),
        Err(error) => Said::Refusal(error),
    };
    list::page(&app, &posted.session, &posted.headers, &fields.find, said).await
}

async fn apply(app: &App, owner: Address, fields: &Many) -> Result<String, ApiError> {
    let (change, done) = match fields.what.as_str() {
        "drain" => (
            NodeChange { draining: Some(true), ..NodeChange::default() },
            "finish what they run and then pause",
        ),
        "resume" => (NodeChange { draining: Some(false), ..NodeChange::default() }, "take work again"),
        "floor" => (
            NodeChange { floor: Some(amount(&fields.floor)?), ..NodeChange::default() },
            "hold to the new least price",
        ),
        _ => return Err(ApiError::bad_request("the page sent something else than its buttons; reload it")),
    };
    if fields.node.is_empty() {
        return Err(ApiError::invalid("tick the machines first that this is for"));
    }
    if fields.node.len() > MOST {
        return Err(ApiError::invalid(format!("at most {MOST} machines are set at once")));
    }
    let mut events = Vec::with_capacity(fields.node.len());
    for id in &fields.node {
        let node: Address =
            id.parse().map_err(|_| ApiError::bad_request("this is no machine; reload the page"))?;
        events.push(Event::SetNode { node, by: owner, change: change.clone() });
    }
    let answers = app.writer.events(events).await?;
    let set = answers.iter().filter(|answer| answer.is_ok()).count();
    if let Some(refusal) = answers.into_iter().find_map(Result::err) {
        let sentence =
            format!("{} were set; then: {}", words::count(set as u64, "machine"), refusal.sentence);
        return Err(ApiError { sentence, ..refusal.into() });
    }
    Ok(format!("{} will {done}.", words::count(set as u64, "machine")))
}

/// A price as people write it; nothing lifts it.
fn amount(text: &str) -> Result<Amount, ApiError> {
    let text = text.trim().replace(',', ".");
    if text.is_empty() {
        return Ok(Amount::ZERO);
    }
    text.parse().map_err(|_| {
        ApiError::invalid("that is no price; write TATAU an hour, such as 0.8, or nothing for none")
    })
}

#[derive(Deserialize)]
struct One {
    what: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    floor: String,
}

pub(crate) async fn one(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    let owner = posted.owner()?;
    let node: Address = id.parse().map_err(|_| ApiError::not_found("there is no such machine"))?;
    let fields: One = posted.form()?;
    let set = async {
        let change = match fields.what.as_str() {
            "name" => NodeChange { label: Some(fields.label.trim().to_owned()), ..NodeChange::default() },
            "floor" => NodeChange { floor: Some(amount(&fields.floor)?), ..NodeChange::default() },
            "drain" => NodeChange { draining: Some(true), ..NodeChange::default() },
            "resume" => NodeChange { draining: Some(false), ..NodeChange::default() },
            "remove" => NodeChange { remove: true, ..NodeChange::default() },
            _ => {
                return Err(ApiError::bad_request(
                    "the page sent something else than its buttons; reload it",
                ));
            }
        };
        app.writer.event(Event::SetNode { node, by: owner, change }).await
    };
    match set.await {
        Ok(_) if fields.what == "remove" => Ok(Redirect::to("/fleet?done=removed").into_response()),
        Ok(_) => Ok(Redirect::to(&format!("/fleet/machine/{node}?done=set")).into_response()),
        Err(error) if error.status.is_server_error() => Err(error.into()),
        Err(error) => machine::page(&app, &posted.session, &posted.headers, node, Said::Refusal(error)).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_read_as_people_write_them() {
        assert_eq!(amount(" 0,8 ").unwrap(), Amount(800_000_000));
        assert_eq!(amount("").unwrap(), Amount::ZERO);
        assert!(amount("cheap").is_err());
    }
}
