//! Starts a provider and keeps it polling until it is told to stop.

use crate::{
    AgentEvent, Entry, ProvideOptions,
    courier::{Letter, carry},
    desk::{CardOutlet, Desk},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tatau_api::PollAnswer;
use tatau_client::{Client, ClientError, Credentials, Patience};
use tatau_worker::{
    Assignment, Backoff, Membership, MembershipError, NodeError, NodeEvent, Outbox, OutboxError, Platform,
    Role, Started, Stop, StopSignal, start_node, told, unwelcome, work_line, worth_waiting,
};
use tokio::{sync::mpsc, task::JoinSet};

/// The platform is told that the node stops, within this.
const DRAIN_LIMIT: Duration = Duration::from_secs(3);
/// An empty answer that came sooner than this was not waited for.
const HASTE: Duration = Duration::from_secs(1);

/// Why a provider cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ProvideError {
    /// It could not start.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// Its journal.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The platform does not want it (any more).
    #[error("the platform refuses this node: {0}")]
    Platform(#[from] ClientError),
}

impl From<MembershipError> for ProvideError {
    fn from(error: MembershipError) -> Self {
        Self::Node(error.into())
    }
}

/// Provides until `stop` says otherwise. A platform that is away is waited for; finished work is never thrown away for it.
pub async fn provide(options: ProvideOptions, stop: StopSignal) -> Result<(), ProvideError> {
    let membership = Membership::open(&options.node.data_dir, &mut rand::rng())?;
    let client = Client::new(&options.server, Credentials::Key(membership.key.clone()))?;
    provide_on(client.with_patience(Patience::NONE), membership, options, stop).await
}

/// As [`provide`], on a platform of the caller's choice.
pub async fn provide_on<P: Platform>(
    platform: P,
    membership: Membership,
    options: ProvideOptions,
    mut stop: StopSignal,
) -> Result<(), ProvideError> {
    let role =
        Role { ask_per_reference_hour: options.ask_per_reference_hour, provides: true, validates: false };
    let on = Arc::clone(&options.on);
    let tell = move |event| on(translate(event));
    let started = start_node(platform, membership, &options.node, role, &tell, stop.clone()).await;
    let started = match started {
        Err(NodeError::Stopped) => return Ok(()),
        other => other?,
    };
    let (outbox, kept) = Outbox::open(&options.node.data_dir.join("outbox"))?;
    let (letters, mail) = mpsc::unbounded_channel();
    let desk = Arc::new(Desk::new(
        started.membership.key.clone(),
        started.domain.clone(),
        outbox,
        letters,
        Arc::clone(&options.outputs),
        Arc::clone(&options.on),
    ));
    send_kept(&desk, kept);
    let Started { platform, inputs, benches, registration, membership, .. } = started;
    let mut tasks = JoinSet::new();
    let mut lines = BTreeMap::new();
    for (card, bench) in benches {
        let (line, assignments) = mpsc::unbounded_channel();
        let outlet = Arc::new(CardOutlet { desk: Arc::clone(&desk), card });
        tasks.spawn(work_line(bench, Arc::clone(&inputs), assignments, outlet, stop.clone()));
        lines.insert(card, line);
    }
    let courier = tokio::spawn(carry(platform.clone(), Arc::clone(&desk), mail));
    let attend = attend(&platform, &desk, &lines, &registration, stop.clone());
    let ended = tokio::select! {
        biased;
        () = told(&mut stop, Stop::Now) => Ok(()),
        ended = attend => ended,
    };
    courier.abort();
    // Closed lines end by themselves, their sessions with them.
    drop(lines);
    if ended.is_err() || *stop.borrow() >= Stop::Now {
        tasks.abort_all();
    }
    while tasks.join_next().await.is_some() {}
    // What lies on the disk counts: a promise may have been kept a moment before it was sent.
    let kept = desk.outbox.count().unwrap_or_else(|error| {
        tracing::warn!(%error, "what is kept could not be counted");
        desk.under_way.load(Ordering::Acquire)
    });
    options.on.as_ref()(AgentEvent::Stopped { delivered: desk.delivered.load(Ordering::Relaxed), kept });
    drop(membership);
    ended
}

fn translate(event: NodeEvent) -> AgentEvent {
    match event {
        NodeEvent::Provisioning { environment, stage } => AgentEvent::Provisioning { environment, stage },
        NodeEvent::Waiting { reason } => AgentEvent::Waiting { reason },
        NodeEvent::Warning { sentence } => AgentEvent::Warning { sentence },
        NodeEvent::Registered { node } => AgentEvent::Registered { node },
    }
}

/// Finished work of an earlier run goes first; of it, what the platform already waits for.
fn send_kept(desk: &Desk, mut kept: Vec<(String, Entry)>) {
    kept.sort_by_key(|(_, entry)| !entry.committed);
    for (_, entry) in kept {
        if !entry.committed {
            desk.promised(entry.attempt);
        }
        desk.send(Letter::Receipt { entry: Box::new(entry), wall_ms: None });
    }
}

type Lines = BTreeMap<u16, mpsc::UnboundedSender<Assignment>>;

/// The one conversation with the platform: heartbeat, new leases, leases taken back. Ends when the node was told to finish and
/// nothing is left to do.
async fn attend<P: Platform>(
    platform: &P,
    desk: &Desk,
    lines: &Lines,
    registration: &tatau_api::RegisterNode,
    mut stop: StopSignal,
) -> Result<(), ProvideError> {
    let cards: Vec<u16> = lines.keys().copied().collect();
    let mut backoff = Backoff::default();
    let mut drained = false;
    loop {
        let finishing = *stop.borrow() >= Stop::Finish;
        if finishing && !drained {
            // Leases that cross this word on their way are given back when they arrive.
            drained = true;
            let told = tokio::time::timeout(DRAIN_LIMIT, platform.drain(true)).await;
            if !matches!(told, Ok(Ok(_))) {
                tracing::debug!("the platform was not told that this node stops");
            }
        }
        if finishing && !desk.busy() && desk.under_way.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        let (poll, later) = desk.poll(&cards, !finishing);
        let began = Instant::now();
        let answer = tokio::select! {
            biased;
            () = told(&mut stop, Stop::Finish), if !finishing => continue,
            // What the platform may have answered to the old poll it says again.
            () = desk.changed.notified() => continue,
            () = until(later) => continue,
            answer = platform.poll(&poll) => answer,
        };
        match answer {
            Ok(answer) => {
                desk.answered();
                if answer == PollAnswer::default() && began.elapsed() < HASTE {
                    // A platform that does not hold polls open is asked less often.
                    backoff.wait().await;
                } else {
                    backoff.reset();
                }
                take(desk, lines, answer);
            }
            Err(error) if matches!(error.status(), Some(401 | 404)) => {
                // A platform that lost this node learns of it again; a refusal of that is the last word.
                desk.away(&error.to_string());
                backoff.wait().await;
                match platform.register_node(registration).await {
                    Err(error) if !worth_waiting(&error) || error.status() == Some(401) => {
                        return Err(error.into());
                    }
                    _ => {}
                }
            }
            Err(error) if !unwelcome(&error) => {
                desk.away(&error.to_string());
                tokio::select! {
                    () = backoff.wait() => {}
                    () = told(&mut stop, Stop::Finish), if !finishing => {}
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// That moment; never, where there is none.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

fn take(desk: &Desk, lines: &Lines, answer: PollAnswer) {
    desk.stop(&answer.stop);
    for lease in answer.leases {
        let Some(cancelled) = desk.take(&lease) else { continue };
        let assignment = Assignment { holder: lease.attempt.to_string(), order: lease.order, cancelled };
        let line = lines.get(&lease.card);
        if line.is_none_or(|line| line.send(assignment).is_err()) {
            let report = tatau_api::FailReport {
                code: "no_card".into(),
                sentence: format!("card {} of this node takes no work", lease.card),
                log: String::new(),
            };
            desk.send(Letter::Failed { attempt: lease.attempt, report });
        }
    }
}
