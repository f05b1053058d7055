//! One inspection: a small job of its own, and its report.

use crate::{Event, Scene, SubmitError, Watch, upload::Inputs};
use std::{collections::BTreeMap, time::Duration};
use tatau_api::{JobView, SubmitJob};
use tatau_client::Client;
use tatau_model::{Amount, Device, Job, JobId, JobState, Machines, OutputFile, Strategy, Who, Work};
use tatau_workload::{inspection::Report, trace};

/// Longest wait for a change.
const WAIT_MS: u64 = 10_000;
/// How often an inspection that ended without a report is asked for anew.
const MOST_TRIES: u32 = 8;
/// An inspection that nobody takes is given up.
const PATIENCE: Duration = Duration::from_hours(1);

/// Inspects the inputs, or finds the report of an earlier inspection of the same ones.
pub(crate) async fn inspect(
    client: &Client,
    scene: &Scene,
    inputs: &Inputs,
    cap: Amount,
    who: Who,
    round: u32,
    watch: &mut dyn Watch,
) -> Result<(JobId, Report), SubmitError> {
    let name = scene.stem();
    for attempt in 0..MOST_TRIES {
        let asked = client.submit_job(&order(scene, inputs, cap, who, attempt)).await?;
        // An earlier run's: it is over, and stays so.
        if matches!(asked.job.state, JobState::Cancelled | JobState::Failed { .. }) {
            continue;
        }
        watch.tell(Event::Inspecting { job: asked.job.id, round, files: inputs.files });
        let file = finished(client, asked.job.id, watch).await?;
        return Ok((asked.job.id, report(client, asked.job.id, &file).await?));
    }
    Err(SubmitError::Scene(vec![format!(
        "{MOST_TRIES} inspections of {} ended without a report (`tatau jobs` lists them, with their reasons); change what they complain of, save it again and retry.",
        sentence(name)
    )]))
}

/// The same inputs ask with the same key, so that a second run pays for no second inspection.
fn order(scene: &Scene, inputs: &Inputs, cap: Amount, who: Who, attempt: u32) -> SubmitJob {
    let (name, environment) = (scene.stem(), scene.environment);
    let circle = if who.is_any() { String::new() } else { format!(" {}", who.name()) };
    let key = blake3::hash(
        format!("inspect {environment} {} {} {attempt}{circle}", inputs.manifest, inputs.scene).as_bytes(),
    );
    SubmitJob {
        name: format!("inspection of {}", name.chars().take(80).collect::<String>()),
        template: None,
        parameters: BTreeMap::new(),
        inputs: inputs.manifest,
        scene: inputs.scene.clone(),
        environment: environment.into(),
        inspection: None,
        frames: String::new(),
        video: false,
        preview: false,
        class: None,
        device: Device::Cpu,
        strategy: Strategy::Fastest,
        fresh: false,
        tiles: String::new(),
        program: None,
        machines: Machines { who, own_first_ms: 0 },
        cap: if who == Who::Own { Amount::ZERO } else { cap },
        request_key: key.to_hex().to_string(),
    }
}

/// Waits for the report's file.
async fn finished(client: &Client, job: JobId, watch: &mut dyn Watch) -> Result<OutputFile, SubmitError> {
    let start = tokio::time::Instant::now();
    let mut after = 0;
    let mut quiet = 0;
    loop {
        let view = client.job(job, after, WAIT_MS).await?;
        after = after.max(view.change);
        if let Some(file) = result_of(&view) {
            return Ok(file);
        }
        match &view.job.state {
            JobState::Paused { reason } => {
                let reason = reason.clone();
                give_back(client, &view.job).await;
                return Err(SubmitError::Scene(vec![sentence(&reason)]));
            }
            JobState::Failed { reason } => return Err(SubmitError::Scene(vec![sentence(reason)])),
            JobState::Cancelled => {
                return Err(SubmitError::Job { job, what: "was cancelled before it had a report".into() });
            }
            JobState::Finished if view.tasks.is_empty() => {
                return Err(SubmitError::Job {
                    job,
                    what: "is finished, yet has no report; inspect again later".into(),
                });
            }
            JobState::Running | JobState::Finished => {}
        }
        quiet = if view.tasks.is_empty() { quiet + 1 } else { 0 };
        if quiet > 0 {
            watch.tell(Event::Waiting { job, reason: "no machine has finished the inspection yet".into() });
        }
        if start.elapsed() > PATIENCE {
            give_back(client, &view.job).await;
            return Err(SubmitError::Job {
                job,
                what: "found no machine within an hour; try again when providers are online".into(),
            });
        }
    }
}

/// Follows an inspection until its audits agreed with the report.
pub(crate) async fn verified(client: &Client, job: JobId, watch: &mut dyn Watch) -> Result<(), SubmitError> {
    let start = tokio::time::Instant::now();
    let mut after = 0;
    loop {
        let view = client.job(job, after, if after == 0 { 0 } else { WAIT_MS }).await?;
        after = after.max(view.change);
        match &view.job.state {
            JobState::Finished => return Ok(()),
            JobState::Paused { reason } | JobState::Failed { reason } => {
                return Err(SubmitError::Scene(vec![sentence(reason)]));
            }
            JobState::Cancelled => {
                return Err(SubmitError::Job { job, what: "was cancelled before it was checked".into() });
            }
            JobState::Running if start.elapsed() > PATIENCE => {
                return Err(SubmitError::Job {
                    job,
                    what: "was not checked within an hour; try again when validators are online".into(),
                });
            }
            JobState::Running => {
                watch.tell(Event::Waiting { job, reason: "validators check the inspection".into() });
            }
        }
    }
}

/// The escrow of an inspection that will not finish goes back; where that fails it is shown by `jobs`.
async fn give_back(client: &Client, job: &Job) {
    let _ = client.cancel_job(job.id).await;
}

fn result_of(view: &JobView) -> Option<OutputFile> {
    let task = view.tasks.iter().find(|task| task.work == Work::Inspect)?;
    task.outputs.iter().find(|file| file.name == trace::RESULT).cloned()
}

async fn report(client: &Client, job: JobId, file: &OutputFile) -> Result<Report, SubmitError> {
    let granted = client.grants(&job.to_string(), &[file.blob]).await?;
    let url = granted
        .urls
        .first()
        .ok_or_else(|| SubmitError::Malformed("the server granted nothing; try again".into()))?;
    let bytes = client.download_bytes(url, file.blob, trace::MAX_RESULT_BYTES).await?;
    Report::parse(&bytes).map_err(|e| SubmitError::Malformed(e.to_string()))
}

/// A stranger's words, harmless on a terminal.
pub(crate) fn sentence(text: &str) -> String {
    text.chars().take(500).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
