//! `tatau pause`.

use crate::{context::Context, out, shown};
use tatau_model::JobId;

/// Pauses a job: nothing new starts, what runs is finished and paid. `tatau resume` goes on.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example:
  tatau pause job-12")]
pub struct Pause {
    /// The job, such as job-12.
    job: JobId,
}

pub async fn run(options: &Pause, context: &Context) -> anyhow::Result<()> {
    let view = context.client()?.pause_job(options.job).await?;
    if context.json() {
        out::json(&view);
    } else {
        out::say(&shown::brief(&view.job, (view.frames_done, view.frames_total)));
        out::say(&format!("`tatau resume {}` goes on", view.job.id));
    }
    Ok(())
}
