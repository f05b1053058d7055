//! `tatau sync`.

use crate::{context::Context, deliver, stop::Stop, told::Told};
use std::path::PathBuf;
use tatau_model::JobId;
use tatau_submit::Target;

/// Brings a job's results into a folder as they are accepted; goes on where it was interrupted.
///
/// Files that are there and right are kept, others are fetched, verified and put in place whole. A file that
/// did not come from the job is never replaced. Ctrl-C leaves the job running.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example:
  tatau sync job-12 frames")]
pub struct Sync {
    /// The job, such as job-12.
    job: JobId,
    /// Folder for the results; made if it is not there.
    dir: PathBuf,
}

pub async fn run(options: Sync, context: &Context) -> anyhow::Result<()> {
    let mut stop = Stop::listen()?;
    let mut target = Target::open(&options.dir)?;
    let client = context.client()?;
    deliver::save(&client, options.job, &mut target, Told::new(context.json()), &mut stop, context).await
}
