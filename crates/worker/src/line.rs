//! One card's line of work: inputs of the next task are fetched while one runs, and work on an open scene goes first.

use crate::{
    Backoff, Bench, Fault, Inputs, InputsError, Platform, Prepared, Ran, Stop, StopSignal, TaskEvent, memory,
    told, worth_waiting,
};
use std::{collections::VecDeque, future::Future, path::PathBuf, sync::Arc, time::Duration};
use tatau_model::{JobId, Order};
use tokio::sync::{mpsc, watch};

/// Tasks whose inputs lie ready.
const READY: usize = 4;
/// How often a task may be passed over for one whose scene is open.
const MOST_PASSES: u32 = 8;
/// Between looks for idle sessions.
const SWEEP: Duration = Duration::from_secs(15);

/// A piece of work for one card.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// `attempt-N` or `audit-N`.
    pub holder: String,
    /// The work.
    pub order: Order,
    /// Turns true when the platform takes it back.
    pub cancelled: watch::Receiver<bool>,
}

/// Where a line's work goes. The calls come in the order of the methods; exactly one of the last three ends an assignment.
pub trait Outlet: Send + Sync + 'static {
    /// A new, empty folder for the outputs.
    fn begin(&self, holder: &str) -> Result<PathBuf, Fault>;
    /// Percent done.
    fn progress(&self, holder: &str, percent: f32);
    /// The platform does not answer.
    fn waiting(&self, reason: &str);
    /// Jobs whose session is open now.
    fn warm(&self, jobs: Vec<JobId>);
    /// It ran; what it left lies in the folder.
    fn finished(&self, holder: &str, ran: Ran, folder: PathBuf) -> impl Future<Output = ()> + Send;
    /// It did not work out.
    fn failed(&self, holder: &str, fault: Fault);
    /// It was not begun because the node stops, or was taken back by the platform (`cancelled`).
    fn returned(&self, holder: &str, cancelled: bool);
}

/// Works until `assignments` is closed and everything in it has ended, or until [`Stop::Now`].
pub async fn work_line<P: Platform, O: Outlet>(
    mut bench: Bench,
    inputs: Arc<Inputs<P>>,
    assignments: mpsc::UnboundedReceiver<Assignment>,
    outlet: Arc<O>,
    stop: StopSignal,
) {
    let (ready, mut prepared) = mpsc::channel(READY);
    let fetching = fetch(inputs, assignments, Arc::clone(&outlet), ready, stop.clone());
    let mut now = stop.clone();
    let running = run(&mut bench, &mut prepared, &*outlet, stop);
    tokio::select! {
        biased;
        () = told(&mut now, Stop::Now) => return,
        ((), ()) = async { tokio::join!(fetching, running) } => {}
    }
    bench.close().await;
}

struct Ready {
    assignment: Assignment,
    task: Prepared,
    passes: u32,
}

async fn fetch<P: Platform, O: Outlet>(
    inputs: Arc<Inputs<P>>,
    mut assignments: mpsc::UnboundedReceiver<Assignment>,
    outlet: Arc<O>,
    ready: mpsc::Sender<Ready>,
    mut stop: StopSignal,
) {
    while let Some(mut assignment) = assignments.recv().await {
        let holder = assignment.holder.clone();
        let order = assignment.order.clone();
        let prepared = tokio::select! {
            biased;
            () = told(&mut stop, Stop::Finish) => { outlet.returned(&holder, false); continue }
            () = cancelled(&mut assignment.cancelled) => { outlet.returned(&holder, true); continue }
            prepared = prepare(&inputs, &holder, &order, &*outlet) => prepared,
        };
        match prepared {
            Ok(task) => {
                // The other end outlives this one.
                let _ = ready.send(Ready { assignment, task, passes: 0 }).await;
            }
            Err(fault) => outlet.failed(&holder, fault),
        }
    }
}

async fn prepare<P: Platform>(
    inputs: &Inputs<P>,
    holder: &str,
    order: &Order,
    outlet: &impl Outlet,
) -> Result<Prepared, Fault> {
    let mut backoff = Backoff::default();
    loop {
        match inputs.prepare(holder, order).await {
            Ok(prepared) => return Ok(prepared),
            Err(InputsError::Fault(fault)) => return Err(fault),
            Err(InputsError::Platform(error)) if worth_waiting(&error) => {
                outlet.waiting(&error.to_string());
                backoff.wait().await;
            }
            Err(InputsError::Platform(error)) => {
                return Err(Fault::new("bad_inputs", format!("the inputs could not be fetched: {error}")));
            }
        }
    }
}

async fn cancelled(signal: &mut watch::Receiver<bool>) {
    if signal.wait_for(|is| *is).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn run(
    bench: &mut Bench,
    prepared: &mut mpsc::Receiver<Ready>,
    outlet: &impl Outlet,
    stop: StopSignal,
) {
    let mut waiting: VecDeque<Ready> = VecDeque::new();
    let mut sweep = tokio::time::interval(SWEEP);
    sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut worked = false;
    loop {
        while let Ok(ready) = prepared.try_recv() {
            waiting.push_back(ready);
        }
        if waiting.is_empty() {
            tokio::select! {
                ready = prepared.recv() => match ready {
                    Some(ready) => waiting.push_back(ready),
                    None => return,
                },
                _ = sweep.tick() => {
                    bench.sweep();
                    let open = warm(bench);
                    // Nothing is open any more: what the work needed goes as well.
                    if open.is_empty() && std::mem::take(&mut worked) {
                        memory::give_back();
                    }
                    outlet.warm(open);
                }
            }
            continue;
        }
        let Some(mut next) = choose(bench, &mut waiting) else { continue };
        let holder = next.assignment.holder.clone();
        if *next.assignment.cancelled.borrow() || *stop.borrow() >= Stop::Finish {
            let cancelled = *next.assignment.cancelled.borrow();
            drop(next);
            outlet.returned(&holder, cancelled);
            continue;
        }
        let folder = match outlet.begin(&holder) {
            Ok(folder) => folder,
            Err(fault) => {
                outlet.failed(&holder, fault);
                continue;
            }
        };
        worked = true;
        let mut hear = |event: TaskEvent| {
            if let TaskEvent::Progress(percent) = event {
                outlet.progress(&holder, percent);
            }
        };
        let ran = tokio::select! {
            biased;
            () = cancelled(&mut next.assignment.cancelled) => None,
            ran = bench.run(&next.task, &folder, &mut hear) => Some(ran),
        };
        // Its own inputs go before the platform hears of its end.
        drop(next);
        outlet.warm(warm(bench));
        match ran {
            None => outlet.returned(&holder, true),
            Some(Ok(ran)) => outlet.finished(&holder, ran, folder).await,
            Some(Err(fault)) => outlet.failed(&holder, fault),
        }
    }
}

fn warm(bench: &Bench) -> Vec<JobId> {
    let mut jobs: Vec<JobId> = bench.warm().map(|key| key.job).collect();
    jobs.sort_unstable();
    jobs.dedup();
    jobs
}

/// The oldest task, unless another one's session is open and the oldest was not passed over too often.
fn choose(bench: &Bench, waiting: &mut VecDeque<Ready>) -> Option<Ready> {
    let open = |ready: &Ready| bench.warm().any(|key| key == ready.task.room.key());
    let at = match waiting.front() {
        Some(first) if first.passes >= MOST_PASSES => 0,
        _ => waiting.iter().position(open).unwrap_or(0),
    };
    for passed in waiting.iter_mut().take(at) {
        passed.passes += 1;
    }
    waiting.remove(at)
}
