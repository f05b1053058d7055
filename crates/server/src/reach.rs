//! Which blobs a job's owner, a lease's node or an audit's node may read.

use crate::{app::App, error::ApiError, orders, view};
use std::collections::HashSet;
use tatau_blobs::{Manifest, manifest::MAX_BYTES};
use tatau_model::{Address, AttemptId, AttemptState, AuditId, AuditState, BlobId, JobId, JobKind, Order};

/// A set of blobs.
pub(crate) struct Reach(HashSet<BlobId>);

impl Reach {
    pub(crate) fn covers(&self, blob: &BlobId) -> bool {
        self.0.contains(blob)
    }

    /// A manifest and the blobs it names.
    async fn add_inputs(&mut self, app: &App, inputs: BlobId) -> Result<(), ApiError> {
        self.0.insert(inputs);
        let manifest = manifest(app, inputs).await?;
        self.0.extend(manifest.files().iter().map(|f| f.blob));
        Ok(())
    }
}

/// A manifest from the blob store.
pub(crate) async fn manifest(app: &App, id: BlobId) -> Result<Manifest, ApiError> {
    let read = app.blobs.run(move |store| store.read(&id, MAX_BYTES)).await;
    let json = read
        .map_err(|e| ApiError::internal(&e))?
        .ok_or_else(|| ApiError::conflict(format!("the manifest {id} is not here; upload it first")))?;
    let parsed = tokio::task::spawn_blocking(move || Manifest::parse(&json)).await;
    parsed.map_err(|e| ApiError::internal(&e))?.map_err(|e| ApiError::invalid(e.to_string()))
}

/// Inputs, bundle and accepted outputs.
pub(crate) async fn of_job(app: &App, id: JobId, owner: Address) -> Result<Reach, ApiError> {
    let job = view::own_job(app, id, owner).await?;
    let mut reach = Reach(job.bundle.into_iter().collect());
    if let Some(inputs) = job.inputs {
        // After retention took the inputs of a job that is over there is nothing to read of them.
        let here = app.blobs.run(move |store| store.contains(&inputs)).await;
        if !job.state.is_ended() || here.map_err(|e| ApiError::internal(&e))? {
            reach.add_inputs(app, inputs).await?;
        }
    }
    let outputs = match job.kind {
        // A report waits for no audit: its buyer goes on at once.
        JobKind::Inspect => app.archive.delivered_outputs(id).await?,
        _ => app.archive.accepted_outputs(id).await?,
    };
    reach.0.extend(outputs.into_iter().map(|f| f.blob));
    Ok(reach)
}

/// What the lease's order names.
pub(crate) async fn of_attempt(app: &App, id: AttemptId, node: Address) -> Result<Reach, ApiError> {
    let holds = app.writer.read(move |s| {
        s.attempt(id).is_some_and(|a| {
            a.node == node && matches!(a.state, AttemptState::Leased | AttemptState::Committed)
        })
    });
    if !holds.await? {
        return Err(ApiError::forbidden(format!("{id} is not a lease of this node (any more)")));
    }
    let lease = orders::lease(app, id).await?;
    let lease =
        lease.ok_or_else(|| ApiError::forbidden(format!("{id} is not a lease of this node (any more)")))?;
    of_order(app, &lease.order).await
}

/// What the audit's order names: never the claim.
pub(crate) async fn of_audit(app: &App, id: AuditId, node: Address) -> Result<Reach, ApiError> {
    let holds = app.writer.read(move |s| {
        s.audit(id).is_some_and(|a| {
            a.node == Some(node) && matches!(a.state, AuditState::Assigned | AuditState::Committed)
        })
    });
    if !holds.await? {
        return Err(ApiError::forbidden(format!("{id} is not assigned to this node (any more)")));
    }
    let audit = orders::audit(app, id).await?;
    let audit =
        audit.ok_or_else(|| ApiError::forbidden(format!("{id} is not assigned to this node (any more)")))?;
    of_order(app, &audit.order).await
}

async fn of_order(app: &App, order: &Order) -> Result<Reach, ApiError> {
    let mut reach = Reach(order.files.iter().map(|f| f.blob).collect());
    if let Some(inputs) = order.session.inputs {
        reach.add_inputs(app, inputs).await?;
    }
    Ok(reach)
}
