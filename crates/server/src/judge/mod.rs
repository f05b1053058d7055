//! The comparator: opens claims and re-computations inside a sandbox, measures how far they are apart, and tells the
//! market. It gives no verdict and never fills one in.
//!
//! Without its environment it waits; a session that breaks is opened again; a comparison that fails three times on its own
//! account is reported as no measurement at all, which is inconclusive, never a pass. A judgement that the market refuses
//! goes to the back of the queue, and after some refusals waits for the next start: it never holds up the others.

mod desk;
mod layout;
mod queue;

pub use desk::JudgeOptions;

use crate::{app::App, error::ApiError};
use axum::http::StatusCode;
use desk::{Desk, DeskError};
use queue::{MOST_REFUSALS, Next, PutBack, Queue};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tatau_audit::verdict;
use tatau_engine::Event;
use tatau_model::{Attempt, Audit, AuditId, AuditState, Job, Measurement, OutputFile, Task, Verdict, Work};
use tatau_workload::{
    judge::{
        JudgeError, agree_request, compare_files, compare_inspections, judge_request, parse_measurement,
    },
    trace,
};
use tokio::sync::mpsc;

/// Tries of one comparison.
const TRIES: u32 = 3;
/// Before a comparator that cannot start is tried again.
const PAUSE: Duration = Duration::from_secs(5);
/// Before the market is asked again for what was revealed.
const SHORT_PAUSE: Duration = Duration::from_millis(500);

/// Everything about one revealed audit.
struct Case {
    audit: Audit,
    attempt: Attempt,
    task: Task,
    job: Job,
    /// Other audits of the attempt that have revealed.
    others: Vec<Audit>,
}

/// Why an audit was not judged.
enum Later {
    /// The comparator cannot work now; every audit waits.
    Wait(String),
    /// The market does not answer now.
    Busy(String),
    /// Something of this audit cannot be read.
    Broken(String),
    /// The market does not take this judgement.
    Refused(String),
}

impl Later {
    /// The market's answer to a judgement: too busy to decide, or decided against it.
    fn refused(error: ApiError) -> Self {
        if error.status == StatusCode::SERVICE_UNAVAILABLE {
            Self::Busy(error.sentence)
        } else {
            Self::Refused(error.sentence)
        }
    }
}

/// Until the server stops. `None` where no comparator was configured: audits wait.
pub(crate) async fn run(
    app: Arc<App>,
    options: Option<JudgeOptions>,
    mut work: mpsc::UnboundedReceiver<AuditId>,
    folder: std::path::PathBuf,
) {
    let Some(options) = options else {
        tracing::warn!("no comparator is configured; audits wait for one");
        app.watch.absent();
        return;
    };
    let mut stopping = app.stopping.clone();
    let mut desk = Desk::new(options, folder);
    let mut queue = Queue::default();
    tokio::select! {
        () = revealed_before(&app, &mut queue) => {}
        _ = stopping.wait_for(|stop| *stop) => return,
    }
    loop {
        while let Ok(more) = work.try_recv() {
            queue.push(more);
        }
        let next = match queue.next(Instant::now()) {
            Next::Audit(next) => next,
            nothing => {
                tokio::select! {
                    more = work.recv() => match more {
                        Some(more) => queue.push(more),
                        None => break,
                    },
                    () = due(nothing) => {}
                    _ = stopping.wait_for(|stop| *stop) => break,
                }
                continue;
            }
        };
        let judged = tokio::select! {
            judged = judge(&app, &mut desk, next, queue.unreadable(next)) => judged,
            _ = stopping.wait_for(|stop| *stop) => break,
        };
        let Err(later) = judged else {
            queue.done(next);
            continue;
        };
        match &later {
            Later::Wait(sentence) => app.watch.away(sentence),
            Later::Busy(_) => {}
            Later::Broken(sentence) | Later::Refused(sentence) => app.watch.fault(sentence),
        }
        if let Some(pause) = put_back(&mut queue, next, later) {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stopping.wait_for(|stop| *stop) => break,
            }
        }
    }
    desk.close().await;
}

/// What was revealed before the server started; asked for until there is an answer.
async fn revealed_before(app: &App, queue: &mut Queue) {
    loop {
        match app.writer.read(|s| s.revealed_audits().collect::<Vec<_>>()).await {
            Ok(mut audits) => {
                audits.sort_unstable();
                return audits.into_iter().for_each(|audit| queue.push(audit));
            }
            Err(error) => {
                tracing::warn!(sentence = error.sentence, "audits of the last run wait to be found");
            }
        }
        tokio::time::sleep(SHORT_PAUSE).await;
    }
}

/// Until then; for ever, where nothing is paused.
async fn due(next: Next) {
    match next {
        Next::Wait(due) => tokio::time::sleep_until(due.into()).await,
        Next::Audit(_) | Next::Empty => std::future::pending().await,
    }
}

/// Back into the queue; how long every audit has to wait, where it is not this one's own trouble.
fn put_back(queue: &mut Queue, audit: AuditId, later: Later) -> Option<Duration> {
    let (why, sentence) = match later {
        Later::Wait(sentence) => {
            tracing::warn!(%audit, sentence, "audits wait for the comparator");
            queue.again(audit);
            return Some(PAUSE);
        }
        Later::Busy(sentence) => (PutBack::Busy, sentence),
        Later::Broken(sentence) => (PutBack::Unreadable, sentence),
        Later::Refused(sentence) => (PutBack::Refused, sentence),
    };
    if queue.put_back(audit, why, Instant::now()) {
        tracing::warn!(%audit, ?why, sentence, "an audit could not be judged; it is tried again");
    } else {
        tracing::error!(
            %audit, sentence,
            "the market refused this judgement {MOST_REFUSALS} times; the audit is left until the server is started again"
        );
    }
    None
}

/// Measures and tells the market. What failed `failed` times already is told as no measurement.
async fn judge(app: &App, desk: &mut Desk, id: AuditId, failed: u32) -> Result<(), Later> {
    let Some(case) = case(app, id).await? else { return Ok(()) };
    let mut agrees_with = Vec::new();
    let measurement = if failed >= TRIES {
        unmeasured("its files cannot be read")
    } else {
        let measurement = measure(app, desk, &case).await?;
        // Agreement among validators matters only where one of them contradicts the claim.
        if verdict(&case.task.work, &case.audit.work, &measurement) != Verdict::Pass {
            for other in &case.others {
                if other.work == case.audit.work && agree(app, desk, &case, other).await? {
                    agrees_with.push(other.id);
                }
            }
        }
        measurement
    };
    app.watch.compared();
    tracing::info!(
        audit = %id, attempt = %case.attempt.id, work = case.task.work.label(), fault = ?measurement.fault,
        sentence = measurement.sentence, parts = measurement.parts.len(), agrees = agrees_with.len(), "an audit was measured"
    );
    let event = Event::Judge { audit: id, measurement, agrees_with };
    app.writer.event(event).await.map(drop).map_err(Later::refused)
}

async fn case(app: &App, id: AuditId) -> Result<Option<Case>, Later> {
    let look = move |state: &tatau_engine::State| {
        let audit = state.audit(id).filter(|a| a.state == AuditState::Revealed)?.clone();
        let attempt = state.attempt(audit.attempt)?.clone();
        let task = state.task(audit.task)?.clone();
        let job = state.job(audit.job)?.clone();
        let revealed = |a: &&Audit| {
            a.id != id
                && matches!(a.state, AuditState::Revealed | AuditState::Judged { .. })
                && !a.files.is_empty()
        };
        let others = state.audits_of(attempt.id).filter(revealed).cloned().collect();
        Some(Case { audit, attempt, task, job, others })
    };
    app.writer.read(look).await.map_err(|e| Later::Busy(e.sentence))
}

/// The distance of the claim from this validator's re-computation.
async fn measure(app: &App, desk: &mut Desk, case: &Case) -> Result<Measurement, Later> {
    if let Some(fault) = trace_fault(app, case).await? {
        return Ok(fault);
    }
    let work = &case.task.work;
    if matches!(work, Work::Inspect) {
        let claim = report(app, &case.attempt.outputs).await?;
        let mine = report(app, &case.audit.files).await?;
        return Ok(match (claim, mine) {
            (None, _) => malformed("bad_file", "the claim has no report"),
            (_, None) => malformed("validator_file", "the validator revealed no report"),
            (Some(claim), Some(mine)) => compare_inspections(&claim, &mine),
        });
    }
    if matches!(work, Work::Task { .. }) {
        return Ok(compare_files(&case.attempt.outputs, &case.audit.files));
    }
    let name = format!("{}-claim", case.audit.id);
    let sides = [("claim", &case.attempt.outputs[..]), ("mine", &case.audit.files[..])];
    compare(app, desk, case, &name, sides, |a, b| judge_request(work, &case.audit.work, &case.job, a, b))
        .await
}

/// Do two validators agree? What cannot be measured is no agreement.
async fn agree(app: &App, desk: &mut Desk, case: &Case, other: &Audit) -> Result<bool, Later> {
    let (work, part) = (&case.task.work, &case.audit.work);
    let measurement = if matches!(work, Work::Inspect) {
        match (report(app, &case.audit.files).await?, report(app, &other.files).await?) {
            (Some(a), Some(b)) => compare_inspections(&a, &b),
            _ => return Ok(false),
        }
    } else if matches!(work, Work::Task { .. }) {
        compare_files(&case.audit.files, &other.files)
    } else {
        let name = format!("{}-{}", case.audit.id, other.id);
        let sides = [("a", &case.audit.files[..]), ("b", &other.files[..])];
        compare(app, desk, case, &name, sides, |a, b| agree_request(work, part, &case.job, a, b)).await?
    };
    Ok(verdict(work, part, &measurement) == Verdict::Pass)
}

type Placed = (String, String);

async fn compare(
    app: &App,
    desk: &mut Desk,
    case: &Case,
    name: &str,
    sides: [(&str, &[OutputFile]); 2],
    ask: impl Fn(&[Placed], &[Placed]) -> Result<String, JudgeError>,
) -> Result<Measurement, Later> {
    let mut last = String::new();
    for _ in 0..TRIES {
        let laid = layout::lay_out(&app.blobs, desk.inputs(), name, sides).await.map_err(Later::Broken)?;
        let [claim, mine] = &laid.placed;
        let question = match ask(claim, mine) {
            Ok(question) => question,
            // The engine admits only whole claims; what is missing is the validator's.
            Err(JudgeError::Missing(file)) => {
                return Ok(malformed("validator_file", &format!("{file} was not revealed")));
            }
            Err(error) => return Ok(unmeasured(&error.to_string())),
        };
        match desk.ask(name, &question).await {
            Ok(answer) => match parse_measurement(&question, &case.audit.work, &answer) {
                Ok(measurement) => return Ok(measurement),
                Err(error) => last = error.to_string(),
            },
            Err(DeskError::Unavailable(sentence)) => return Err(Later::Wait(sentence)),
            Err(DeskError::Failed(sentence)) => last = sentence,
        }
        tracing::warn!(audit = %case.audit.id, last, "a comparison failed");
    }
    Ok(unmeasured(&last))
}

/// Anyone can repeat this check: the tiles delivered have to be the tiles signed.
async fn trace_fault(app: &App, case: &Case) -> Result<Option<Measurement>, Later> {
    let Some(name) = trace::trace_file(&case.task.work) else { return Ok(None) };
    let Some(receipt) = &case.attempt.receipt else {
        return Err(Later::Broken(format!("{} has no receipt on record", case.attempt.id)));
    };
    let Some(file) = case.attempt.outputs.iter().find(|f| f.name == name) else {
        return Ok(Some(malformed("bad_file", &format!("{name} was not delivered"))));
    };
    let id = file.blob;
    let bytes = app.blobs.run(move |store| store.read(&id, trace::MAX_TRACE_BYTES)).await;
    let bytes = bytes.map_err(|e| Later::Broken(e.to_string()))?;
    let bytes = bytes.ok_or_else(|| Later::Broken(format!("blob {id} is gone")))?;
    Ok(match trace::Tiles::parse(&bytes).and_then(|tiles| tiles.root()) {
        Err(error) => Some(malformed("bad_file", &error.to_string())),
        Ok(root) if root != receipt.trace_root => Some(malformed(
            "tiles_mismatch",
            "the delivered tiles are not the ones the receipt was signed for",
        )),
        Ok(_) => None,
    })
}

async fn report(app: &App, files: &[OutputFile]) -> Result<Option<Vec<u8>>, Later> {
    let Some(file) = files.iter().find(|f| f.name == trace::RESULT) else { return Ok(None) };
    if file.bytes > trace::MAX_RESULT_BYTES {
        return Ok(None);
    }
    let id = file.blob;
    let read = app.blobs.run(move |store| store.read(&id, trace::MAX_RESULT_BYTES)).await;
    let read = read.map_err(|e| Later::Broken(e.to_string()))?;
    read.ok_or_else(|| Later::Broken(format!("blob {id} is gone"))).map(Some)
}

fn malformed(code: &str, sentence: &str) -> Measurement {
    Measurement { fault: Some(code.to_owned()), sentence: sentence.to_owned(), parts: Vec::new() }
}

/// No reading: neither for nor against the claim.
fn unmeasured(why: &str) -> Measurement {
    let sentence = format!("the comparison failed {TRIES} times: {why}").chars().take(300).collect();
    Measurement { fault: Some("comparator_failed".into()), sentence, parts: Vec::new() }
}
