//! What becomes of a card's work: signed and sent, failed, or given back.

use crate::{AgentEvent, courier::Letter, desk::Desk};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tatau_api::FailReport;
use tatau_model::{AttemptId, JobId};
use tatau_worker::{Fault, OutboxError, Outlet, Ran};

pub(crate) fn disk(e: &OutboxError) -> Fault {
    Fault::new("disk", e.to_string())
}

/// One card's way back to the desk.
pub(crate) struct CardOutlet {
    pub desk: Arc<Desk>,
    pub card: u16,
}

/// The lease that a holder's name stands for; the names are made from leases here, so it is there.
fn attempt_of(holder: &str) -> AttemptId {
    holder.parse().unwrap_or_default()
}

impl Outlet for CardOutlet {
    fn begin(&self, holder: &str) -> Result<PathBuf, Fault> {
        let folder = self.desk.outbox.begin(holder).map_err(|e| disk(&e))?;
        self.desk.begins(self.card, attempt_of(holder));
        Ok(folder)
    }

    fn progress(&self, holder: &str, percent: f32) {
        self.desk.tell(AgentEvent::Progress { attempt: attempt_of(holder), percent });
    }

    fn waiting(&self, reason: &str) {
        self.desk.away(reason);
    }

    fn warm(&self, jobs: Vec<JobId>) {
        self.desk.warm(self.card, jobs);
    }

    async fn finished(&self, holder: &str, ran: Ran, folder: PathBuf) {
        let attempt = attempt_of(holder);
        self.desk.ends(self.card, attempt, Some(Duration::from_millis(ran.wall_ms)));
        // Taken back at the last moment: nothing is promised.
        let Some(lease) = self.desk.lease(attempt) else { return self.returned(holder, true) };
        match self.desk.sign(&lease, &ran, folder).await {
            Ok(entry) => {
                self.desk.tell(AgentEvent::Ran { attempt });
                self.desk.send(Letter::Receipt { entry: Box::new(entry), wall_ms: Some(ran.wall_ms) });
                self.desk.close(attempt);
            }
            Err(fault) => self.failed(holder, fault.with_log(ran.log)),
        }
    }

    fn failed(&self, holder: &str, fault: Fault) {
        let attempt = attempt_of(holder);
        self.desk.ends(self.card, attempt, None);
        self.discard(holder);
        self.desk.tell(AgentEvent::Failed {
            attempt,
            code: fault.code.clone(),
            sentence: fault.sentence.clone(),
        });
        self.desk.send(Letter::Failed { attempt, report: fault.report() });
        self.desk.close(attempt);
    }

    fn returned(&self, holder: &str, cancelled: bool) {
        let attempt = attempt_of(holder);
        self.desk.ends(self.card, attempt, None);
        self.discard(holder);
        let given_up = self.desk.given_up(attempt);
        if cancelled && given_up.is_none() {
            let sentence = "the platform took it back".into();
            self.desk.tell(AgentEvent::Lost { attempt, sentence });
            return self.desk.release(attempt);
        }
        self.desk.tell(AgentEvent::Returned { attempt });
        let report = FailReport {
            code: "returned".into(),
            sentence: given_up.unwrap_or_else(|| "the provider stopped before it had begun".into()),
            log: String::new(),
        };
        self.desk.send(Letter::Failed { attempt, report });
        self.desk.close(attempt);
    }
}

impl CardOutlet {
    fn discard(&self, holder: &str) {
        if let Err(error) = self.desk.outbox.remove(holder) {
            tracing::warn!(%error, "outputs of a task that failed stay until the next start");
        }
    }
}
