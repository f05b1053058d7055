//! Who takes part: keys, and a market that knows them, with measured cards and one large job.

use std::path::Path;
use tatau_engine::{Config, Event, NewJob, State, step};
use tatau_evidence::SigningKey;
use tatau_model::{
    Address, Amount, BlobId, Card, CardKind, Change, Clock, JobKind, Machines, Millis, Node, NodeSettings,
    Offer, OutputFile, Preview, RenderSpec, Strategy, SystemClock,
};
use tatau_store::Store;

pub type Any<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const VALIDATORS: usize = 16;
/// What every file of the benchmark holds.
pub const CONTENT: &[u8] = b"lifecycles";

/// Nodes, cards each, leases a card at one time.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub providers: usize,
    pub cards: u16,
    pub leases: u32,
}

impl Size {
    /// Tasks of one round: every place of every card.
    pub fn round(&self) -> usize {
        self.providers * usize::from(self.cards) * self.leases as usize
    }
}

pub struct Crowd {
    pub providers: Vec<SigningKey>,
    pub validators: Vec<SigningKey>,
}

pub fn config(size: &Size) -> Config {
    Config {
        same_block_allowed: true,
        earn_in_accepted: 1,
        earn_in_stake: Amount(1),
        starter_credit: Amount::tatau(1_000_000),
        audit_float: Amount::tatau(1_000_000),
        // Pictures are spared, frames never are.
        rerun_ppm: 0,
        leases_per_card: size.leases,
        // A round's audits are signed between two timed parts: all of them are held at once.
        audits_per_node: size.round(),
        dispute_ms: 1,
        ..Config::local()
    }
}

fn key(n: usize) -> Any<SigningKey> {
    let mut bytes = [7u8; 32];
    bytes[24..].copy_from_slice(&(n as u64 + 1).to_be_bytes());
    Ok(SigningKey::from_bytes(bytes)?)
}

pub fn file(name: String) -> OutputFile {
    OutputFile { name, blob: BlobId(*blake3::hash(CONTENT).as_bytes()), bytes: CONTENT.len() as u64 }
}

impl Crowd {
    pub fn new(size: &Size) -> Any<Self> {
        Ok(Self {
            providers: (0..size.providers).map(key).collect::<Any<_>>()?,
            validators: (0..VALIDATORS).map(|n| key(1_000 + n)).collect::<Any<_>>()?,
        })
    }

    /// A new market in this file, with everybody in it and a job of so many frames.
    pub fn open(&self, path: &Path, size: &Size, frames: usize) -> Any<(State, Store)> {
        let mut founding = Founding {
            state: State::new(config(size)),
            store: Store::open(path)?,
            rng: rand::SeedableRng::seed_from_u64(1),
            now: SystemClock.now(),
        };
        for (n, signer) in self.providers.iter().chain(&self.validators).enumerate() {
            founding.join(signer.address(), n, if n < self.providers.len() { size.cards } else { 0 })?;
        }
        founding.submit(frames)?;
        Ok((founding.state, founding.store))
    }
}

struct Founding {
    state: State,
    store: Store,
    rng: rand_chacha::ChaCha20Rng,
    now: Millis,
}

impl Founding {
    fn event(&mut self, event: Event) -> Any<()> {
        let changes = step(&self.state, event, self.now, &mut self.rng)?.changes;
        self.keep(&changes)
    }

    fn keep(&mut self, changes: &[Change]) -> Any<()> {
        for change in changes {
            self.state.apply(change)?;
        }
        Ok(self.store.commit(changes)?)
    }

    /// A node past earn-in, whose cards have the score that verified benchmarks would give them.
    fn join(&mut self, id: Address, n: usize, cards: u16) -> Any<()> {
        let mut owner = id;
        owner.0[0] ^= 0xff;
        self.event(Event::OpenAccount { owner })?;
        let card = Card {
            kind: CardKind::Cpu,
            name: "slot".into(),
            memory_mib: 4_096,
            threads: 1,
            devices: vec![],
            score_milli: Some(1_000),
        };
        let node = Node {
            id,
            owner,
            name: format!("node {n}"),
            cards: vec![card; usize::from(cards)],
            offer: Offer {
                ask_per_reference_hour: Amount::tatau(1),
                environments: vec!["blender-5.0".into()],
                provides: cards > 0,
                validates: cards == 0,
                ..Offer::default()
            },
            block: format!("10.0.{n}.0/24"),
            version: "bench".into(),
            registered: self.now,
            draining: false,
            settings: NodeSettings::default(),
            heard: 0,
        };
        self.keep(&[Change::Node(Box::new(node)), Change::Seen { node: id, at: self.now }])?;
        self.event(Event::Stake { owner, amount: Amount::tatau(100_000) })?;
        let mut account = self.state.account(&owner).cloned().ok_or("an account is missing")?;
        (account.accepted, account.established) = (1, true);
        self.keep(&[Change::Account(account)])
    }

    fn submit(&mut self, frames: usize) -> Any<()> {
        let spec = RenderSpec {
            frames: (1..=i32::try_from(frames)?).collect(),
            width: 1_920,
            height: 1_080,
            samples: 128,
            fps: (24, 1),
            video: false,
            layered: None,
            preview: Preview::None,
            tiles: None,
            device: tatau_model::Device::Cpu,
        };
        self.event(Event::SubmitJob(NewJob {
            owner: Address([9; 20]),
            name: "bench".into(),
            kind: JobKind::Render(spec),
            inputs: Some(BlobId([1; 32])),
            bundle: None,
            scene: "scene.blend".into(),
            environment: "blender-5.0".into(),
            class: None,
            strategy: Strategy::Fastest,
            machines: Machines::default(),
            cap: Amount::tatau(900_000),
            reference_ms: 1_000,
            request_key: "bench".into(),
            memory_mib: 0,
            known: Vec::new(),
        }))
    }
}
