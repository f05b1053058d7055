//! `POST /v1/nodes`: a node key that an owner delegated to, or gave a join code, joins; or joins again.

use crate::{
    app::App,
    auth::{Call, block_of},
    error::ApiError,
    joins,
};
use axum::{Json, extract::State};
use std::sync::Arc;
use tatau_api::RegisterNode;
use tatau_engine::{Event, Proof};
use tatau_evidence::typed::{Delegation, Domain};
use tatau_model::{Address, Clock, Millis, Node, NodeSettings, SystemClock};

pub(crate) async fn register(State(app): State<Arc<App>>, call: Call) -> Result<Json<Node>, ApiError> {
    let id = call.key()?;
    let body: RegisterNode = call.json()?;
    let now = SystemClock.now();
    if body.version.len() > 100 {
        return Err(ApiError::invalid("a version has at most 100 bytes"));
    }
    let is_account = app.writer.read(move |s| s.account(&id).is_some()).await?;
    if is_account {
        return Err(ApiError::conflict("this key is an account's owner key; make a node key"));
    }
    let (owner, proof) = right(&app, id, &body, now).await?;
    if owner == id {
        return Err(ApiError::invalid("a node needs a key of its own, other than its owner's"));
    }
    let node = Node {
        id,
        owner,
        name: body.name,
        cards: body.cards,
        offer: body.offer,
        block: block_of(call.peer),
        version: body.version,
        registered: now,
        draining: false,
        settings: NodeSettings::default(),
        heard: 0,
    };
    app.writer.event(Event::RegisterNode { node, proof }).await?;
    call.node(&app).await.map(Json)
}

/// Whose node it will be, and by what right.
async fn right(
    app: &App,
    id: Address,
    body: &RegisterNode,
    now: Millis,
) -> Result<(Address, Proof), ApiError> {
    if let Some(code) = &body.join {
        let hash = joins::digest(code);
        let used = app.writer.keep(move |store| store.use_join_code(&hash, id, now)).await?;
        let owner = used.map_err(|e| ApiError::internal(&e))?.ok_or_else(|| {
            ApiError::forbidden(
                "this join code is unknown, over or used up; make a new one on the fleet page",
            )
        })?;
        return Ok((owner, Proof::Join));
    }
    if body.delegation.is_empty() {
        return Ok((body.owner, Proof::Known));
    }
    let delegation = Delegation { owner: body.owner, node: id, expires: body.delegation_expires };
    let signature = body
        .delegation
        .parse()
        .map_err(|_| ApiError::invalid("the delegation's signature cannot be read"))?;
    delegation
        .check(&Domain::default(), &signature)
        .map_err(|e| ApiError::forbidden(format!("the delegation does not count: {e}")))?;
    if !delegation.counts_at(now) {
        return Err(ApiError::forbidden("the delegation has expired; sign a new one with the owner key"));
    }
    Ok((body.owner, Proof::Delegation))
}
