//! `tatau jobs`.

use crate::{context::Context, out, shown};

/// Lists your jobs, newest first.
#[derive(Debug, clap::Args)]
pub struct Jobs {
    /// How many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    limit: u32,
}

pub async fn run(options: &Jobs, context: &Context) -> anyhow::Result<()> {
    let jobs = context.account().await?.jobs(options.limit).await?;
    if context.json() {
        out::json(&jobs);
        return Ok(());
    }
    if jobs.is_empty() {
        out::say("You have no jobs yet; `tatau render scene.blend --out frames` makes one.");
        return Ok(());
    }
    let rows: Vec<Vec<String>> = jobs
        .iter()
        .map(|job| {
            vec![
                job.id.to_string(),
                job.state.name().into(),
                shown::kind(job),
                job.spent.to_string(),
                job.cap.to_string(),
                out::time(job.created),
                out::clean_line(&job.name),
            ]
        })
        .collect();
    out::line(&out::table(
        &["job", "state", "what", "spent", "at most", "created (UTC)", "name"],
        &[3, 4],
        &rows,
    ));
    Ok(())
}
