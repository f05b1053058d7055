//! Brings finished audits to the platform: commitment, then files, then the reveal. Each audit waits for nobody else's.
//!
//! Nothing is given up because the platform is away. A refusal is final: it is told, and the audit is forgotten.

use crate::{Entry, ValidatorEvent, desk::Desk};
use std::sync::{Arc, atomic::Ordering};
use tatau_api::FailReport;
use tatau_client::ClientError;
use tatau_model::AuditId;
use tatau_worker::{Backoff, Platform, worth_waiting};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

/// Audits under way at one time.
const PLACES: usize = 4;

/// Something for the platform.
pub(crate) enum Letter {
    /// A finished audit, as it is kept on disk.
    Finished(Box<Entry>),
    /// An audit that yields nothing.
    Failed {
        /// Which.
        audit: AuditId,
        /// Why.
        report: FailReport,
    },
}

/// Works until the desk is gone. Dropping the future ends what is under way at once; it is repeated from disk.
pub(crate) async fn carry<P: Platform>(
    platform: P,
    desk: Arc<Desk>,
    mut letters: mpsc::UnboundedReceiver<Letter>,
) {
    let places = Arc::new(Semaphore::new(PLACES));
    let mut under_way = JoinSet::new();
    loop {
        let letter = tokio::select! {
            letter = letters.recv() => letter,
            Some(_) = under_way.join_next() => continue,
        };
        let Some(letter) = letter else { return };
        let (platform, desk, places) = (platform.clone(), Arc::clone(&desk), Arc::clone(&places));
        under_way.spawn(async move {
            let _place = places.acquire().await;
            let audit = match letter {
                Letter::Finished(mut entry) => {
                    finished(&platform, &desk, &mut entry).await;
                    entry.commit.audit
                }
                Letter::Failed { audit, report } => {
                    // Refused: the platform ended the audit before.
                    let _ = patiently(&desk, || platform.audit_failed(audit, &report)).await;
                    audit
                }
            };
            desk.release(audit);
            desk.sent();
        });
    }
}

async fn finished(platform: &impl Platform, desk: &Desk, entry: &mut Entry) {
    let audit = entry.commit.audit;
    let told = send(platform, desk, entry).await;
    if let Err(error) = desk.outbox.remove(&audit.to_string()) {
        tracing::warn!(%error, "the files of an audit stay until the next start");
    }
    match told {
        Ok(()) => {
            desk.revealed.fetch_add(1, Ordering::Relaxed);
            desk.tell(ValidatorEvent::Revealed { audit });
        }
        Err(error) => desk.tell(ValidatorEvent::Lost { audit, sentence: error.to_string() }),
    }
}

async fn send(platform: &impl Platform, desk: &Desk, entry: &mut Entry) -> Result<(), ClientError> {
    let audit = entry.commit.audit;
    if !entry.committed {
        patiently(desk, || platform.audit_commit(&entry.commit)).await?;
        entry.committed = true;
        if let Err(error) = desk.outbox.keep(&audit.to_string(), entry) {
            // Only a repetition of the commitment is at stake.
            tracing::warn!(%error, "a commitment's acknowledgement was not kept");
        }
        desk.tell(ValidatorEvent::Committed { audit, work_ms: entry.reveal.work_ms });
    }
    let folder = desk.outbox.files(&audit.to_string());
    for file in &entry.reveal.files {
        let path = folder.join(&file.name);
        patiently(desk, || platform.upload(&path, file.blob, file.bytes)).await?;
    }
    patiently(desk, || platform.audit_reveal(audit, &entry.reveal)).await
}

/// Asks until the platform says yes or no.
async fn patiently<F: Future<Output = Result<(), ClientError>>>(
    desk: &Desk,
    ask: impl Fn() -> F,
) -> Result<(), ClientError> {
    let mut backoff = Backoff::default();
    loop {
        match ask().await {
            Err(error) if worth_waiting(&error) => {
                desk.away(&error.to_string());
                backoff.wait().await;
            }
            told => {
                desk.answered();
                return told;
            }
        }
    }
}
