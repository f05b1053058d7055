//! `POST /v1/nodes`: a node key that an owner delegated to joins, or joins again.

use crate::{
    app::App,
    auth::{Call, block_of},
    error::ApiError,
};
use axum::{Json, extract::State};
use std::sync::Arc;
use tatau_api::RegisterNode;
use tatau_engine::Event;
use tatau_evidence::typed::{Delegation, Domain};
use tatau_model::{Clock, Node, SystemClock};

pub(crate) async fn register(State(app): State<Arc<App>>, call: Call) -> Result<Json<Node>, ApiError> {
    let id = call.key()?;
    let body: RegisterNode = call.json()?;
    let now = SystemClock.now();
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
    if body.owner == id {
        return Err(ApiError::invalid("a node needs a key of its own, other than its owner's"));
    }
    if body.version.len() > 100 {
        return Err(ApiError::invalid("a version has at most 100 bytes"));
    }
    let is_account = app.writer.read(move |s| s.account(&id).is_some()).await?;
    if is_account {
        return Err(ApiError::conflict("this key is an account's owner key; make a node key"));
    }
    let node = Node {
        id,
        owner: body.owner,
        name: body.name,
        cards: body.cards,
        offer: body.offer,
        block: block_of(call.peer),
        version: body.version,
        registered: now,
        draining: false,
    };
    app.writer.event(Event::RegisterNode { node }).await?;
    call.node(&app).await.map(Json)
}
