//! `tatau job`.

use crate::{context::Context, out, shown};
use tatau_api::JobView;
use tatau_client::Client;
use tatau_model::JobId;

/// Answers of one view; each has up to a thousand tasks.
const MOST_PAGES: u32 = 1_000;

/// Shows one job: where it stands, what it cost, its tasks, and what happened to them.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example:
  tatau job job-12")]
pub struct ShowJob {
    /// The job, such as job-12.
    job: JobId,
}

pub async fn run(options: &ShowJob, context: &Context) -> anyhow::Result<()> {
    let view = whole(&context.client()?, options.job).await?;
    if context.json() {
        out::json(&view);
    } else {
        out::line(&shown::job(&view));
    }
    Ok(())
}

/// The job with all its tasks, in their order.
pub async fn whole(client: &Client, job: JobId) -> anyhow::Result<JobView> {
    let mut view = client.job(job, 0, 0).await?;
    for _ in 0..MOST_PAGES {
        let more = client.job(job, view.change, 0).await?;
        if more.tasks.is_empty() {
            break;
        }
        let known: std::collections::HashSet<_> = more.tasks.iter().map(|task| task.id).collect();
        view.tasks.retain(|task| !known.contains(&task.id));
        view.tasks.extend(more.tasks);
        view = JobView { tasks: view.tasks, ..JobView { tasks: Vec::new(), ..more } };
    }
    view.tasks.sort_by_key(|task| task.id);
    Ok(view)
}
