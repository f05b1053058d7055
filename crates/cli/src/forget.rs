//! `tatau forget`.

use crate::{context::Context, out};
use tatau_model::JobId;

/// Has the server remove the files of a job that is over, before their time: scene, results, all of it.
///
/// What you saved, the job's record and your statement stay. Files that another job of yours uses stay for that one.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example:
  tatau sync job-12 frames && tatau forget job-12")]
pub struct Forget {
    /// The job, such as job-12.
    job: JobId,
}

pub async fn run(options: &Forget, context: &Context) -> anyhow::Result<()> {
    let view = context.client()?.forget_job(options.job).await?;
    if context.json() {
        out::json(&view);
    } else {
        let job = options.job;
        out::say(&format!("the files of {job} are removed from the server within a day; its record stays"));
    }
    Ok(())
}
