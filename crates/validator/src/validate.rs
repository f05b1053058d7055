//! Starts a validator and keeps it polling until it is told to stop.

use crate::{
    Entry, ValidateOptions, ValidatorEvent,
    courier::{Letter, carry},
    desk::{CardOutlet, Desk},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tatau_api::{PollAnswer, RegisterNode};
use tatau_client::{Client, ClientError, Credentials, Patience};
use tatau_model::Card;
use tatau_worker::{
    Assignment, Backoff, Membership, MembershipError, NodeError, NodeEvent, Outbox, OutboxError, Platform,
    Role, Started, Stop, StopSignal, start_node, told, unwelcome, work_line, worth_waiting,
};
use tokio::{sync::mpsc, task::JoinSet};

/// The platform is told that the node stops, within this.
const DRAIN_LIMIT: Duration = Duration::from_secs(3);
/// An empty answer that came sooner than this was not waited for.
const HASTE: Duration = Duration::from_secs(1);

/// Why a validator cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ValidateError {
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

impl From<MembershipError> for ValidateError {
    fn from(error: MembershipError) -> Self {
        Self::Node(error.into())
    }
}

/// Validates until `stop` says otherwise. A platform that is away is waited for; a signed commitment is never thrown away for it.
pub async fn validate(options: ValidateOptions, stop: StopSignal) -> Result<(), ValidateError> {
    let membership = Membership::open(&options.node.data_dir, &mut rand::rng())?;
    let client = Client::new(&options.server, Credentials::Key(membership.key.clone()))?;
    validate_on(client.with_patience(Patience::NONE), membership, options, stop).await
}

/// As [`validate`], on a platform of the caller's choice.
pub async fn validate_on<P: Platform>(
    platform: P,
    membership: Membership,
    options: ValidateOptions,
    mut stop: StopSignal,
) -> Result<(), ValidateError> {
    let role = Role {
        ask_per_reference_hour: options.ask_per_reference_hour,
        provides: false,
        validates: true,
        ..Role::default()
    };
    let on = Arc::clone(&options.on);
    let tell = move |event| on(translate(event));
    let started = match start_node(platform, membership, &options.node, role, &tell, stop.clone()).await {
        Err(NodeError::Stopped) => return Ok(()),
        other => other?,
    };
    let (outbox, kept) = Outbox::open(&options.node.data_dir.join("outbox"))?;
    let (letters, mail) = mpsc::unbounded_channel();
    let key = started.membership.key.clone();
    let desk = Arc::new(Desk::new(key, started.domain.clone(), outbox, letters, Arc::clone(&options.on)));
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
    options.on.as_ref()(ValidatorEvent::Stopped { revealed: desk.revealed.load(Ordering::Relaxed), kept });
    drop(membership);
    ended
}

fn translate(event: NodeEvent) -> ValidatorEvent {
    match event {
        NodeEvent::Provisioning { environment, stage } => ValidatorEvent::Provisioning { environment, stage },
        NodeEvent::Waiting { reason } => ValidatorEvent::Waiting { reason },
        NodeEvent::Warning { sentence } => ValidatorEvent::Warning { sentence },
        NodeEvent::Registered { node } => ValidatorEvent::Registered { node },
    }
}

/// Finished audits of an earlier run go first.
fn send_kept(desk: &Desk, kept: Vec<(String, Entry)>) {
    for (_, entry) in kept {
        desk.promised(entry.commit.audit);
        desk.send(Letter::Finished(Box::new(entry)));
    }
}

type Lines = BTreeMap<u16, mpsc::UnboundedSender<Assignment>>;

/// The one conversation with the platform: heartbeat, new audits, audits taken back. Ends when the node was told to finish and
/// nothing is left to do.
async fn attend<P: Platform>(
    platform: &P,
    desk: &Desk,
    lines: &Lines,
    registration: &RegisterNode,
    mut stop: StopSignal,
) -> Result<(), ValidateError> {
    let mut backoff = Backoff::default();
    let mut drained = false;
    loop {
        let finishing = *stop.borrow() >= Stop::Finish;
        if finishing && !drained {
            drained = true;
            let told = tokio::time::timeout(DRAIN_LIMIT, platform.drain(true)).await;
            if !matches!(told, Ok(Ok(_))) {
                tracing::debug!("the platform was not told that this node stops");
            }
        }
        if finishing && !desk.busy() && desk.under_way.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        let poll = desk.poll(lines.len(), !finishing);
        let began = Instant::now();
        let answer = tokio::select! {
            biased;
            () = told(&mut stop, Stop::Finish), if !finishing => continue,
            // What the platform may have answered to the old poll it says again.
            () = desk.changed.notified() => continue,
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
                take(desk, lines, &registration.cards, answer);
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

fn take(desk: &Desk, lines: &Lines, cards: &[Card], answer: PollAnswer) {
    desk.stop(&answer.stop_audits);
    let own = |number: &u16| Some((*number, cards.get(usize::from(*number))?.clone()));
    let cards: Vec<(u16, Card)> = lines.keys().filter_map(own).collect();
    for order in answer.audits {
        let Some((card, cancelled)) = desk.take(&order, &cards) else { continue };
        let holder = order.audit.to_string();
        if let Some(line) = lines.get(&card) {
            // A closed line means that the node stops; the audit is handed out again then.
            let _ = line.send(Assignment { holder, order: order.order, cancelled });
        }
    }
}
