//! `tatau resume`.

use crate::{context::Context, exit::Ended, out, shown};
use tatau_model::{Amount, JobId};

/// Goes on with a paused job.
///
/// A job pauses when its cap is reached, when a task fails the same way on two providers, when you pause it, or when the frames of its
/// preview are ready: resuming approves them. `--more` raises the cap.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example:
  tatau resume job-12 --more 2.5")]
pub struct Resume {
    /// The job, such as job-12.
    job: JobId,
    /// Added to the cap and moved to escrow, TATAU.
    #[arg(long, default_value = "0", value_name = "AMOUNT", allow_hyphen_values = true)]
    more: Amount,
}

pub async fn run(options: &Resume, context: &Context) -> anyhow::Result<()> {
    if options.more < Amount::ZERO {
        return Err(Ended::usage("--more cannot be negative").into());
    }
    let view = context.client()?.resume_job(options.job, options.more).await?;
    if context.json() {
        out::json(&view);
    } else {
        out::say(&shown::brief(&view.job, (view.frames_done, view.frames_total)));
        out::say(&format!("`tatau sync {} DIR` brings its frames in", view.job.id));
    }
    Ok(())
}
