//! Starts a provider and keeps it polling until it is told to stop.

use crate::{
    AgentEvent, Entry, ProvideOptions,
    attend::Attendance,
    courier::{Letter, carry},
    desk::Desk,
    outlet::CardOutlet,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};
use tatau_client::{Client, ClientError, Credentials, Patience};
use tatau_worker::{
    Membership, MembershipError, NodeError, NodeEvent, Outbox, OutboxError, Platform, Role, Started, Stop,
    StopSignal, start_node, told, work_line,
};
use tokio::{sync::mpsc, task::JoinSet};

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
    let mut control = options.control.clone();
    let wishes = control.wishes.borrow_and_update().clone();
    let role = Role {
        ask_per_reference_hour: wishes.ask,
        provides: true,
        validates: false,
        blocked: wishes.blocked,
        refused: wishes.refused,
    };
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
        options.node.data_dir.join("pictures"),
        Arc::clone(&options.on),
    ));
    send_kept(&desk, kept);
    let Started { platform, inputs, benches, registration, membership, graphics, .. } = started;
    (options.on)(AgentEvent::Ready { cards: benches.iter().map(|(card, _)| *card).collect(), graphics });
    let mut tasks = JoinSet::new();
    let mut lines = BTreeMap::new();
    for (card, bench) in benches {
        let (line, assignments) = mpsc::unbounded_channel();
        let outlet = Arc::new(CardOutlet { desk: Arc::clone(&desk), card });
        tasks.spawn(work_line(bench, Arc::clone(&inputs), assignments, outlet, stop.clone()));
        lines.insert(card, line);
    }
    let courier = tokio::spawn(carry(platform.clone(), Arc::clone(&desk), mail));
    let attendance = Attendance {
        platform: &platform,
        desk: &desk,
        lines: &lines,
        control,
        registration,
        draining: false,
    };
    let attend = attendance.run(stop.clone());
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
