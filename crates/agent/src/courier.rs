//! Brings finished work to the platform: receipts first, then the outputs, while the next task runs.
//!
//! A receipt goes out only when a place for its delivery is free: from then on the delivery's deadline runs, and on a slow line
//! a promise that has to queue behind others would be broken.
//!
//! Nothing is given up because the platform is away. A refusal is final: it is told, and the work is forgotten.

use crate::{AgentEvent, Entry, desk::Desk};
use std::{collections::VecDeque, sync::Arc, sync::atomic::Ordering};
use tatau_api::{Delivered, FailReport, ReceiptCommit};
use tatau_client::ClientError;
use tatau_model::AttemptId;
use tatau_worker::{Backoff, Platform, worth_waiting};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

/// Receipts in one request.
const BATCH: usize = 256;
/// Deliveries at one time, and so receipts whose delivery is owed.
pub(crate) const DELIVERIES: usize = 3;
/// Codes of a refused receipt that another try may change.
const PASSING: [&str; 3] = ["unavailable", "too_many", "internal"];

/// Something for the platform.
pub(crate) enum Letter {
    /// A signed receipt, and how long its task took where that is known.
    Receipt {
        /// As it is kept on disk.
        entry: Box<Entry>,
        /// Milliseconds.
        wall_ms: Option<u64>,
    },
    /// A lease that ends without one.
    Failed {
        /// Which.
        attempt: AttemptId,
        /// Why.
        report: FailReport,
    },
}

/// Works until the desk is gone. Dropping the future ends deliveries at once; they are repeated from disk.
pub(crate) async fn carry<P: Platform>(
    platform: P,
    desk: Arc<Desk>,
    mut letters: mpsc::UnboundedReceiver<Letter>,
) {
    let mut deliveries = JoinSet::new();
    let places = Arc::new(Semaphore::new(DELIVERIES));
    let mut receipts: VecDeque<(Box<Entry>, Option<u64>)> = VecDeque::new();
    let mut reports: VecDeque<(AttemptId, FailReport)> = VecDeque::new();
    let mut backoff = Backoff::default();
    loop {
        while deliveries.try_join_next().is_some() {}
        let free = places.available_permits();
        if (receipts.is_empty() || free == 0) && reports.is_empty() {
            tokio::select! {
                letter = letters.recv() => match letter {
                    Some(letter) => sort(letter, &mut receipts, &mut reports),
                    None => return,
                },
                Some(_) = deliveries.join_next() => {}
            }
            continue;
        }
        while let Ok(letter) = letters.try_recv() {
            sort(letter, &mut receipts, &mut reports);
        }
        let told = match commit(&platform, &desk, &mut receipts, free.min(BATCH)).await {
            Ok(committed) => {
                for entry in committed {
                    let (platform, desk) = (platform.clone(), Arc::clone(&desk));
                    // Free: nobody else takes one.
                    let place = Arc::clone(&places).acquire_owned().await;
                    deliveries.spawn(async move {
                        let _place = place;
                        deliver(&platform, &desk, &entry).await;
                        desk.sent();
                    });
                }
                report(&platform, &desk, &mut reports).await
            }
            Err(error) => Err(error),
        };
        match told {
            Ok(()) => backoff.reset(),
            Err(reason) => {
                desk.away(&reason);
                backoff.wait().await;
            }
        }
    }
}

fn sort(
    letter: Letter,
    receipts: &mut VecDeque<(Box<Entry>, Option<u64>)>,
    reports: &mut VecDeque<(AttemptId, FailReport)>,
) {
    match letter {
        Letter::Receipt { entry, wall_ms } => receipts.push_back((entry, wall_ms)),
        Letter::Failed { attempt, report } => reports.push_back((attempt, report)),
    }
}

/// Sends what waits, at most `most` of it; what was taken is to be delivered next. What another try may change stays in the queue.
async fn commit(
    platform: &impl Platform,
    desk: &Desk,
    receipts: &mut VecDeque<(Box<Entry>, Option<u64>)>,
    most: usize,
) -> Result<Vec<Entry>, String> {
    let mut committed = Vec::new();
    let waiting = receipts.len().min(most);
    if waiting == 0 {
        return Ok(committed);
    }
    // Receipts of an earlier run that the platform acknowledged go straight to delivery.
    let batch: Vec<ReceiptCommit> = receipts
        .iter()
        .take(waiting)
        .filter(|(entry, _)| !entry.committed)
        .map(|(entry, _)| ReceiptCommit { attempt: entry.attempt, receipt: entry.receipt.clone() })
        .collect();
    let answers = if batch.is_empty() {
        Vec::new()
    } else {
        match platform.commit_receipts(&batch).await {
            Ok(answers) if answers.len() == batch.len() => answers,
            Ok(_) => return Err("the platform answered another number of receipts".into()),
            Err(error) if worth_waiting(&error) => return Err(error.to_string()),
            // The request itself was refused: each receipt alone might not be, but nothing says which.
            Err(error) => {
                let ClientError::Refused { body, .. } = error else { return Err(error.to_string()) };
                vec![Some(body); batch.len()]
            }
        }
    };
    desk.answered();
    let mut answers = answers.into_iter();
    let mut put_off = None;
    for (mut entry, wall_ms) in receipts.drain(..waiting).collect::<Vec<_>>() {
        let attempt = entry.attempt;
        let answer = if entry.committed { None } else { answers.next().flatten() };
        match answer {
            None => {
                if !entry.committed {
                    entry.committed = true;
                    if let Err(error) = desk.outbox.keep(&attempt.to_string(), &entry) {
                        // Only a repetition of the receipt is at stake.
                        tracing::warn!(%error, "a receipt's acknowledgement was not kept");
                    }
                    desk.tell(AgentEvent::Committed { attempt, wall_ms: wall_ms.unwrap_or_default() });
                }
                desk.release(attempt);
                committed.push(*entry);
            }
            Some(no) if PASSING.contains(&no.code.as_str()) => {
                put_off = Some(no.sentence);
                receipts.push_back((entry, wall_ms));
            }
            Some(no) => {
                lose(desk, attempt, no.sentence);
                desk.release(attempt);
                desk.sent();
            }
        }
    }
    if let Some(reason) = put_off.filter(|_| committed.is_empty()) {
        return Err(reason);
    }
    Ok(committed)
}

async fn report(
    platform: &impl Platform,
    desk: &Desk,
    reports: &mut VecDeque<(AttemptId, FailReport)>,
) -> Result<(), String> {
    while let Some((attempt, told)) = reports.front() {
        match platform.attempt_failed(*attempt, told).await {
            Err(error) if worth_waiting(&error) => return Err(error.to_string()),
            // Refused: the platform ended the lease before.
            Ok(()) | Err(_) => {
                desk.answered();
                desk.release(*attempt);
                desk.sent();
                reports.pop_front();
            }
        }
    }
    Ok(())
}

/// Uploads every file and says so, however long it takes.
async fn deliver(platform: &impl Platform, desk: &Desk, entry: &Entry) {
    let mut backoff = Backoff::default();
    loop {
        match try_deliver(platform, desk, entry).await {
            Ok(()) => {
                desk.answered();
                forget(desk, entry.attempt);
                desk.delivered.fetch_add(1, Ordering::Relaxed);
                return desk.tell(AgentEvent::Delivered { attempt: entry.attempt });
            }
            Err(error) if worth_waiting(&error) => {
                desk.away(&error.to_string());
                backoff.wait().await;
            }
            Err(error) => return lose(desk, entry.attempt, error.to_string()),
        }
    }
}

async fn try_deliver(platform: &impl Platform, desk: &Desk, entry: &Entry) -> Result<(), ClientError> {
    let folder = desk.outbox.files(&entry.attempt.to_string());
    for file in &entry.files {
        platform.upload(&folder.join(&file.name), file.blob, file.bytes).await?;
    }
    platform.delivered(entry.attempt, &Delivered { files: entry.files.clone(), log: entry.log.clone() }).await
}

fn lose(desk: &Desk, attempt: AttemptId, sentence: String) {
    forget(desk, attempt);
    desk.tell(AgentEvent::Lost { attempt, sentence });
}

fn forget(desk: &Desk, attempt: AttemptId) {
    if let Err(error) = desk.outbox.remove(&attempt.to_string()) {
        tracing::warn!(%error, "delivered outputs stay until the next start");
    }
}
