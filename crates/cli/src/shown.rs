//! Jobs and tasks in words.

use crate::out;
use tatau_api::{JobView, TaskView};
use tatau_model::{Job, JobKind, JobState};

/// `inspection`, `24 frames`, …
pub fn kind(job: &Job) -> String {
    match &job.kind {
        JobKind::Inspect => "inspection".into(),
        JobKind::Benchmark { card, .. } => format!("benchmark of card {card}"),
        JobKind::Bundle(spec) => crate::deliver::plural(spec.tasks(), "task"),
        JobKind::Render(spec) => {
            let frames = crate::deliver::plural(spec.frames.len(), "frame");
            if spec.video { format!("{frames} and a video") } else { frames }
        }
    }
}

/// What is counted of it.
fn pieces(job: &Job) -> &'static str {
    if matches!(job.kind, JobKind::Bundle(_)) { "tasks" } else { "frames" }
}

/// One line: where it stands and what it cost.
pub fn brief(job: &Job, (done, total): (u32, u32)) -> String {
    format!(
        "{} is {}: {done} of {total} {}, {} of at most {} TATAU spent",
        job.id,
        job.state.name(),
        pieces(job),
        job.spent,
        job.cap
    )
}

/// The job for a person.
pub fn job(view: &JobView) -> String {
    let job = &view.job;
    let mut lines = vec![
        format!("{}  {}  ({})", job.id, out::clean_line(&job.name), kind(job)),
        format!("state    {}", state(job)),
        format!("{:<8} {} of {} accepted", pieces(&view.job), view.frames_done, view.frames_total),
        format!("spent    {} of at most {} TATAU", job.spent, job.cap),
        format!("created  {} UTC", out::time(job.created)),
    ];
    if let Some(ended) = job.ended {
        lines.push(format!("ended    {} UTC", out::time(ended)));
    }
    if let Some(eta) = view.eta {
        lines.push(format!("left     about {}", out::until(eta)));
    }
    lines.push(String::new());
    lines.push(tasks(&view.tasks));
    for task in &view.tasks {
        for text in &task.story {
            lines.push(format!("{} {}: {}", task.id, task.work.label(), out::clean_line(text)));
        }
    }
    lines.join("\n")
}

fn state(job: &Job) -> String {
    match &job.state {
        JobState::Paused { reason } | JobState::Failed { reason } => {
            format!("{}: {}", job.state.name(), out::clean_line(reason))
        }
        state => state.name().to_owned(),
    }
}

fn tasks(tasks: &[TaskView]) -> String {
    let rows: Vec<Vec<String>> = tasks
        .iter()
        .map(|task| {
            vec![
                task.id.to_string(),
                task.work.label(),
                out::clean_line(&task.state),
                task.attempts.to_string(),
                task.paid.to_string(),
            ]
        })
        .collect();
    out::table(&["task", "what", "state", "attempts", "paid"], &[3, 4], &rows)
}
