//! `tatau logs`.

use crate::{context::Context, exit::Ended, job, out};
use serde_json::json;
use tatau_api::TaskView;
use tatau_model::{JobId, TaskId, Work};

/// Prints the log of a task: what its program printed, at the latest try.
///
/// Without a task: of those that failed or had more than one try, or of the only one.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  tatau logs job-12
  tatau logs job-12 --frame 7
  tatau logs job-12 task-40")]
pub struct Logs {
    /// The job, such as job-12.
    job: JobId,
    /// The task, such as task-40.
    task: Option<TaskId>,
    /// The task that renders this frame, or those that render its tiles.
    #[arg(long, conflicts_with = "task", allow_hyphen_values = true)]
    frame: Option<i32>,
}

pub async fn run(options: &Logs, context: &Context) -> anyhow::Result<()> {
    let client = context.client()?;
    let view = job::whole(&client, options.job).await?;
    let chosen: Vec<&TaskView> = match (options.task, options.frame) {
        (Some(id), _) => view.tasks.iter().filter(|task| task.id == id).collect(),
        (None, Some(frame)) => view
            .tasks
            .iter()
            .filter(|task| matches!(task.work, Work::Render { frame: of, .. } if of == frame))
            .collect(),
        (None, None) if view.tasks.len() == 1 => view.tasks.iter().collect(),
        (None, None) => {
            view.tasks.iter().filter(|task| task.state == "failed" || task.attempts > 1).collect()
        }
    };
    if chosen.is_empty() {
        let job = options.job;
        return Err(Ended::usage(format!("{job} has no such task, or none that failed"))
            .hint(format!("`tatau job {job}` lists its tasks; name one: tatau logs {job} TASK"))
            .into());
    }
    for task in chosen {
        let log = match client.task_log(options.job, task.id).await {
            Ok(log) => log,
            Err(e) if e.code() == Some("not_found") => String::new(),
            Err(e) => return Err(e.into()),
        };
        if context.json() {
            out::json(&json!({"task": task.id, "what": task.work.label(), "state": task.state, "log": log}));
        } else {
            let text = if log.is_empty() { "(no log yet)".to_owned() } else { out::clean(log.trim_end()) };
            out::line(&format!(
                "== {} {} ({})\n{text}",
                task.id,
                task.work.label(),
                out::clean_line(&task.state)
            ));
        }
    }
    Ok(())
}
