//! Jobs as their buyer submits and follows them.

use crate::{Client, ClientError, send::Call};
use tatau_api::{EditJob, JobView, Quote, QuoteRequest, ResumeJob, SubmitJob, TasksQuoteRequest};
use tatau_model::{Amount, Job, JobId, TaskId};

impl Client {
    /// `POST /v1/jobs`. Repeating it with the same request key gives the same job.
    pub async fn submit_job(&self, job: &SubmitJob) -> Result<JobView, ClientError> {
        self.json(Call::post("/v1/jobs", job)?).await
    }

    /// `GET /v1/jobs?limit=N`: newest first.
    pub async fn jobs(&self, limit: u32) -> Result<Vec<Job>, ClientError> {
        self.json(Call::get(format!("/v1/jobs?limit={limit}"))).await
    }

    /// `GET /v1/jobs/{id}`: the job, and its tasks changed since `after` (0: all). Waits up to `wait_ms` (25,000) for a
    /// change after `after`; pass `JobView::change` next time.
    pub async fn job(&self, job: JobId, after: u64, wait_ms: u64) -> Result<JobView, ClientError> {
        self.json(Call::get(format!("/v1/jobs/{job}?after={after}&wait_ms={wait_ms}")).waiting(wait_ms)).await
    }

    /// `GET /v1/jobs/{id}/tasks/{task}/log`: log of the task's latest attempt; escape it before showing it.
    pub async fn task_log(&self, job: JobId, task: TaskId) -> Result<String, ClientError> {
        let bytes = self.bytes(Call::get(format!("/v1/jobs/{job}/tasks/{task}/log"))).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// `POST /v1/jobs/{id}/cancel`: accepted work stays, the rest of the escrow comes back.
    pub async fn cancel_job(&self, job: JobId) -> Result<JobView, ClientError> {
        self.json(Call::post(format!("/v1/jobs/{job}/cancel"), &serde_json::json!({}))?).await
    }

    /// `POST /v1/jobs/{id}/forget`: its files go before their time.
    pub async fn forget_job(&self, job: JobId) -> Result<JobView, ClientError> {
        self.json(Call::post(format!("/v1/jobs/{job}/forget"), &serde_json::json!({}))?).await
    }

    /// `POST /v1/jobs/{id}/pause`: no new leases; what runs is finished.
    pub async fn pause_job(&self, job: JobId) -> Result<JobView, ClientError> {
        self.json(Call::post(format!("/v1/jobs/{job}/pause"), &serde_json::json!({}))?).await
    }

    /// `POST /v1/jobs/{id}/edit`.
    pub async fn edit_job(&self, job: JobId, edit: EditJob) -> Result<JobView, ClientError> {
        self.json(Call::post(format!("/v1/jobs/{job}/edit"), &edit)?).await
    }

    /// `POST /v1/jobs/{id}/resume`, with `more` money for its cap (may be zero). Not repeated on its own.
    pub async fn resume_job(&self, job: JobId, more: Amount) -> Result<JobView, ClientError> {
        self.json(Call::post(format!("/v1/jobs/{job}/resume"), &ResumeJob { more })?.once()).await
    }

    /// `POST /v1/quotes`.
    pub async fn quote(&self, request: &QuoteRequest) -> Result<Quote, ClientError> {
        self.json(Call::post("/v1/quotes", request)?).await
    }

    /// `POST /v1/quotes/tasks`.
    pub async fn quote_tasks(&self, request: &TasksQuoteRequest) -> Result<Quote, ClientError> {
        self.json(Call::post("/v1/quotes/tasks", request)?).await
    }
}
