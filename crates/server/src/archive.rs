//! Reads of what is durable, off the async threads. A read that fails is an error, never an empty answer.

use crate::{error::ApiError, writer::Writer};
use std::{collections::HashMap, sync::Arc};
use tatau_api::{BalanceLine, Books};
use tatau_evidence::Domain;
use tatau_model::{
    AccountKey, Address, Amount, Attempt, AttemptId, AttemptState, Audit, BlobId, Clock, Digest, Epoch,
    EpochId, Job, JobId, Millis, OutputFile, SystemClock, Task, TaskId,
};
use tatau_store::{
    InUse, JoinCode, Notice, NotifyRecord, OwnerEarned, PasswordRecord, Reader, Sample, SessionRecord,
    StatementRow, StoreError, TokenHash, TokenRecord, Verified,
};
use tokio::sync::Semaphore;

/// Reads at once; more wait.
const READS: usize = 32;
/// Beyond this many changed tasks their history is read by job, not task by task.
const MANY: usize = 32;

/// Tasks with their attempts and the audits of those.
pub(crate) struct History {
    pub task: Task,
    pub changed: u64,
    pub attempts: Vec<Attempt>,
    pub audits: Vec<Audit>,
}

/// The store's readers.
#[derive(Clone)]
pub(crate) struct Archive {
    reader: Reader,
    reads: Arc<Semaphore>,
}

impl Archive {
    pub(crate) fn new(reader: Reader) -> Self {
        Self { reader, reads: Arc::new(Semaphore::new(READS)) }
    }

    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let permit = Arc::clone(&self.reads).acquire_owned().await.map_err(|e| ApiError::internal(&e))?;
        let reader = self.reader.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let seen = look(&reader);
            drop(permit);
            seen
        });
        looked.await.map_err(|e| ApiError::internal(&e))?.map_err(|e| ApiError::internal(&e))
    }

    pub(crate) async fn job(&self, id: JobId) -> Result<Option<Job>, ApiError> {
        self.look(move |r| r.job(id)).await
    }

    /// The job that this request made, also one that has ended.
    pub(crate) async fn job_of_request(&self, owner: Address, key: String) -> Result<Option<Job>, ApiError> {
        self.look(move |r| r.job_of_request(owner, &key)).await
    }

    /// What an owner bought or had inspected, newest first, older than `before`.
    pub(crate) async fn buyers_jobs(
        &self,
        owner: Address,
        before: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<Job>, ApiError> {
        self.look(move |r| r.buyers_jobs(owner, before, limit)).await
    }

    /// What was found about these inputs.
    pub(crate) async fn inspection_of(
        &self,
        owner: Address,
        inputs: BlobId,
    ) -> Result<Option<Job>, ApiError> {
        self.look(move |r| r.inspection_of(owner, inputs)).await
    }

    /// Render jobs on these inputs, newest first.
    pub(crate) async fn renders_of(
        &self,
        owner: Address,
        inputs: BlobId,
        limit: usize,
    ) -> Result<Vec<Job>, ApiError> {
        self.look(move |r| r.renders_of(owner, inputs, limit)).await
    }

    pub(crate) async fn attempts_of_job(&self, job: JobId) -> Result<Vec<Attempt>, ApiError> {
        self.look(move |r| r.attempts_of_job(job)).await
    }

    /// Newest first.
    pub(crate) async fn jobs_of(&self, owner: Address, limit: usize) -> Result<Vec<Job>, ApiError> {
        self.look(move |r| r.jobs_of(owner, limit)).await
    }

    pub(crate) async fn tasks_of(&self, job: JobId) -> Result<Vec<Task>, ApiError> {
        self.look(move |r| Ok(r.tasks_of(job, 0)?.into_iter().map(|t| t.task).collect())).await
    }

    /// Tasks changed since `after`, each with what happened to it.
    pub(crate) async fn history(&self, job: JobId, after: u64) -> Result<Vec<History>, ApiError> {
        self.look(move |r| {
            let changed = r.tasks_of(job, after)?;
            let mut attempts: HashMap<TaskId, Vec<Attempt>> = HashMap::new();
            let mut audits: HashMap<AttemptId, Vec<Audit>> = HashMap::new();
            if changed.len() > MANY {
                for attempt in r.attempts_of_job(job)? {
                    attempts.entry(attempt.task).or_default().push(attempt);
                }
                for audit in r.audits_of_job(job)? {
                    audits.entry(audit.attempt).or_default().push(audit);
                }
            } else {
                for task in &changed {
                    let tried = r.attempts_of_task(task.task.id)?;
                    for attempt in &tried {
                        audits.insert(attempt.id, r.audits_of_attempt(attempt.id)?);
                    }
                    attempts.insert(task.task.id, tried);
                }
            }
            let one = |t: tatau_store::ChangedTask| {
                let attempts = attempts.remove(&t.task.id).unwrap_or_default();
                let audits = attempts.iter().flat_map(|a| audits.remove(&a.id).unwrap_or_default()).collect();
                History { task: t.task, changed: t.changed, attempts, audits }
            };
            Ok(changed.into_iter().map(one).collect())
        })
        .await
    }

    /// These tasks with what happened to them, in the order given; what is not on record is left out.
    pub(crate) async fn histories(&self, tasks: Vec<TaskId>) -> Result<Vec<History>, ApiError> {
        self.look(move |r| {
            let mut found = Vec::new();
            for id in tasks {
                let Some(task) = r.task(id)? else { continue };
                let attempts = r.attempts_of_task(id)?;
                let mut audits = Vec::new();
                for attempt in &attempts {
                    audits.extend(r.audits_of_attempt(attempt.id)?);
                }
                found.push(History { task, changed: 0, attempts, audits });
            }
            Ok(found)
        })
        .await
    }

    pub(crate) async fn attempts_of_task(&self, task: TaskId) -> Result<Vec<Attempt>, ApiError> {
        self.look(move |r| r.attempts_of_task(task)).await
    }

    /// These attempts; all of them are on record.
    pub(crate) async fn attempts(&self, ids: Vec<AttemptId>) -> Result<Vec<Attempt>, ApiError> {
        let wanted = ids.len();
        let found =
            self.look(move |r| ids.into_iter().map(|id| r.attempt(id)).collect::<Result<Vec<_>, _>>());
        let found: Vec<Attempt> = found.await?.into_iter().flatten().collect();
        if found.len() == wanted {
            Ok(found)
        } else {
            Err(ApiError::internal(&"an accepted attempt is not on record"))
        }
    }

    /// Files of the job's accepted attempts.
    pub(crate) async fn accepted_outputs(&self, job: JobId) -> Result<Vec<OutputFile>, ApiError> {
        let attempts = self.look(move |r| r.attempts_of_job(job)).await?;
        let accepted = attempts.into_iter().filter(|a| a.state == AttemptState::Accepted);
        Ok(accepted.flat_map(|a| a.outputs).collect())
    }

    /// What the job's inspection delivered may be read before it is accepted.
    pub(crate) async fn delivered_outputs(&self, job: JobId) -> Result<Vec<OutputFile>, ApiError> {
        let attempts = self.look(move |r| r.attempts_of_job(job)).await?;
        let here = |a: &Attempt| matches!(a.state, AttemptState::Delivered | AttemptState::Accepted);
        Ok(attempts.into_iter().filter(here).flat_map(|a| a.outputs).collect())
    }

    /// Blobs of jobs that are open or ended at or after that moment.
    pub(crate) async fn blobs_in_use(&self, ended_since: Millis) -> Result<InUse, ApiError> {
        self.look(move |r| r.blobs_in_use(ended_since)).await
    }

    /// Did its owner want its files gone?
    pub(crate) async fn is_forgotten(&self, job: JobId) -> Result<bool, ApiError> {
        self.look(move |r| r.is_forgotten(job)).await
    }

    pub(crate) async fn log(&self, attempt: AttemptId) -> Result<Option<String>, ApiError> {
        self.look(move |r| r.log(attempt)).await
    }

    pub(crate) async fn balances_of(&self, owner: Address) -> Result<Vec<(AccountKey, Amount)>, ApiError> {
        self.look(move |r| r.balances_of(owner)).await
    }

    pub(crate) async fn statement(
        &self,
        owner: Address,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StatementRow>, ApiError> {
        self.look(move |r| r.statement(owner, after, limit)).await
    }

    pub(crate) async fn earned(
        &self,
        owner: Address,
        node: Option<Address>,
        day: Millis,
        month: Millis,
    ) -> Result<Option<OwnerEarned>, ApiError> {
        self.look(move |r| r.earned(owner, node, day, month)).await
    }

    /// The latest movements before that entry, newest first.
    pub(crate) async fn statement_before(
        &self,
        owner: Address,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<StatementRow>, ApiError> {
        self.look(move |r| r.statement_before(owner, before, limit)).await
    }

    pub(crate) async fn epochs(&self, after: EpochId, limit: usize) -> Result<Vec<Epoch>, ApiError> {
        self.look(move |r| r.epochs(after.0, limit)).await
    }

    pub(crate) async fn receipts_of_epoch(&self, epoch: EpochId) -> Result<Vec<Digest>, ApiError> {
        let receipts = self.look(move |r| r.receipts_of_epoch(epoch, &Domain::default())).await?;
        Ok(receipts.into_iter().map(|(_, digest)| digest).collect())
    }

    pub(crate) async fn token_owner(&self, hash: TokenHash) -> Result<Option<Address>, ApiError> {
        Ok(self.look(move |r| r.token(&hash)).await?.map(|token| token.owner))
    }

    pub(crate) async fn tokens_of(&self, owner: Address) -> Result<Vec<TokenRecord>, ApiError> {
        self.look(move |r| r.tokens_of(owner)).await
    }

    pub(crate) async fn notify_of(&self, owner: Address) -> Result<NotifyRecord, ApiError> {
        self.look(move |r| r.notify_of(owner)).await
    }

    pub(crate) async fn notices_due(&self, now: Millis, limit: usize) -> Result<Vec<Notice>, ApiError> {
        self.look(move |r| r.notices_due(now, limit)).await
    }

    pub(crate) async fn password_by_name(&self, name: String) -> Result<Option<PasswordRecord>, ApiError> {
        self.look(move |r| r.password_by_name(&name)).await
    }

    pub(crate) async fn password_of(&self, owner: Address) -> Result<Option<PasswordRecord>, ApiError> {
        self.look(move |r| r.password_of(owner)).await
    }

    /// Browsers that are signed in to an account: digest and when.
    pub(crate) async fn sessions_of(&self, owner: Address) -> Result<Vec<(TokenHash, Millis)>, ApiError> {
        self.look(move |r| r.sessions_of(owner, SystemClock.now())).await
    }

    pub(crate) async fn join_codes_of(&self, owner: Address) -> Result<Vec<JoinCode>, ApiError> {
        self.look(move |r| r.join_codes_of(owner, SystemClock.now())).await
    }

    pub(crate) async fn samples(&self, since: Millis) -> Result<Vec<Sample>, ApiError> {
        self.look(move |r| r.samples(since)).await
    }

    pub(crate) async fn sample_before(&self, at: Millis) -> Result<Option<Sample>, ApiError> {
        self.look(move |r| r.sample_before(at)).await
    }

    pub(crate) async fn verified_since(&self, entry: u64) -> Result<(Verified, u64), ApiError> {
        self.look(move |r| r.verified_since(entry)).await
    }

    pub(crate) async fn setting(&self, key: &'static str) -> Result<Option<String>, ApiError> {
        self.look(move |r| r.setting(key)).await
    }

    pub(crate) async fn session(&self, hash: TokenHash) -> Result<Option<SessionRecord>, ApiError> {
        self.look(move |r| r.session(&hash)).await
    }

    pub(crate) async fn books(&self) -> Result<Books, ApiError> {
        let report = self.look(Reader::audit_books).await?;
        let balanced = report.balanced();
        let line = |(key, amount): (AccountKey, Amount)| BalanceLine { account: key.to_string(), amount };
        Ok(Books {
            balanced,
            sum: report.sum,
            entries: report.entries,
            accounts: report.accounts.into_iter().map(line).collect(),
            problems: report.problems,
        })
    }
}

/// Keeps the hash of a new token.
pub(crate) async fn keep_token(
    writer: &Writer,
    hash: TokenHash,
    owner: Address,
    name: String,
) -> Result<(), ApiError> {
    let token = TokenRecord { hash, owner, name, created: SystemClock.now() };
    writer.keep(move |store| store.put_token(&token)).await?.map_err(|e| refused(&e))
}

/// Keeps a log. One that cannot be kept is no reason to refuse the work.
pub(crate) async fn keep_log(writer: &Writer, attempt: AttemptId, text: String) -> Result<(), ApiError> {
    if let Err(error) = writer.keep(move |store| store.put_log(attempt, &text)).await? {
        tracing::warn!(%attempt, %error, "a log was not kept");
    }
    Ok(())
}

pub(crate) fn refused(error: &StoreError) -> ApiError {
    match error {
        StoreError::Refused(sentence) => ApiError::conflict(sentence.clone()),
        other => ApiError::internal(other),
    }
}
