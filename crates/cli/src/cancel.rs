//! `tatau cancel`.

use crate::{context::Context, out, shown};
use tatau_model::JobId;

/// Stops a job. What was accepted stays yours and paid, what runs is paid for its share, the rest of the escrow comes back.
#[derive(Debug, clap::Args)]
pub struct Cancel {
    /// The job, such as job-12.
    job: JobId,
}

pub async fn run(options: &Cancel, context: &Context) -> anyhow::Result<()> {
    let view = context.client()?.cancel_job(options.job).await?;
    if context.json() {
        out::json(&view);
    } else {
        out::say(&shown::brief(&view.job, (view.frames_done, view.frames_total)));
    }
    Ok(())
}
