//! A small world around the engine: providers and validators of several characters, a fake clock, one seeded generator.

#![allow(dead_code, reason = "each test uses a part")]

mod checks;
mod stored;
mod turns;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::HashSet;
use tatau_engine::{Config, Event, NewJob, NodeChange, Proof, Refusal, Reply, State, sanity_check, step};
use tatau_model::{
    Address, Amount, AttemptId, AttemptState, AuditId, BlobId, Card, CardKind, Change, Device, Digest, Grid,
    JobId, JobKind, JobState, Millis, Node, NodeSettings, Offer, OutputFile, Preview, Receipt, RenderSpec,
    Strategy,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Character {
    Honest,
    /// Every result is wrong.
    Cheat,
    /// Returns, fails, vanishes and repeats itself at random.
    Flaky,
    /// Signs receipts and then says nothing.
    Silent,
}

struct Provider {
    node: Address,
    owner: Address,
    character: Character,
    work: Vec<(AttemptId, Millis)>,
    vanished: bool,
}

struct Validator {
    node: Address,
    owner: Address,
    liar: bool,
}

pub struct World {
    pub state: State,
    pub now: Millis,
    pub finished_jobs: usize,
    pub seed: u64,
    rng: ChaCha8Rng,
    providers: Vec<Provider>,
    validators: Vec<Validator>,
    buyer: Address,
    wrong: HashSet<AttemptId>,
    stored: stored::Stored,
    requests: u64,
}

fn address(kind: u8, n: usize) -> Address {
    let mut bytes = [kind; 20];
    bytes[19] = n as u8;
    Address(bytes)
}

impl World {
    pub fn new(seed: u64) -> Self {
        let config = Config { same_block_allowed: false, ..Config::local() };
        let mut world = Self {
            state: State::new(config),
            now: Millis(1_000_000),
            finished_jobs: 0,
            seed,
            rng: ChaCha8Rng::seed_from_u64(seed),
            providers: Vec::new(),
            validators: Vec::new(),
            buyer: address(9, 0),
            wrong: HashSet::new(),
            stored: stored::Stored::default(),
            requests: 0,
        };
        world.must(Event::OpenAccount { owner: world.buyer });
        world
    }

    /// One node with one card for every character, and validators of their own accounts and blocks.
    pub fn populate(&mut self, characters: &[Character], validators: usize) {
        for (n, character) in characters.iter().enumerate() {
            let (node, owner) = (address(1, n), address(2, n));
            self.register(node, owner, n, true);
            self.providers.push(Provider {
                node,
                owner,
                character: *character,
                work: Vec::new(),
                vanished: false,
            });
        }
        for n in 0..validators {
            let (node, owner) = (address(3, n), address(4, n));
            self.register(node, owner, 100 + n, false);
            self.must(Event::Stake { owner, amount: Amount::tatau(10) });
            self.validators.push(Validator { node, owner, liar: false });
        }
    }

    fn register(&mut self, id: Address, owner: Address, block: usize, provides: bool) {
        let card = Card {
            kind: CardKind::Cpu,
            name: "slot".into(),
            memory_mib: 4_096,
            threads: 2,
            devices: vec![],
            score_milli: Some(999_999),
        };
        let node = Node {
            id,
            owner,
            name: format!("node {block}"),
            cards: if provides { vec![card] } else { vec![] },
            offer: Offer {
                ask_per_reference_hour: Amount(1_000_000_000 + self.rng.random_range(0..100_000_000)),
                environments: vec!["blender-5.0".into()],
                provides,
                validates: !provides,
                ..Offer::default()
            },
            block: format!("10.0.{block}.0/24"),
            version: "0.1.0".into(),
            registered: self.now,
            draining: false,
            settings: NodeSettings::default(),
            heard: 0,
        };
        self.must(Event::RegisterNode { node, proof: Proof::Delegation });
    }

    pub fn owner_of(&self, character: Character) -> Address {
        self.providers.iter().find(|p| p.character == character).map(|p| p.owner).expect("such a provider")
    }

    pub fn buyer(&self) -> Address {
        self.buyer
    }

    /// Nodes that provide, each with its owner.
    pub fn providers(&self) -> Vec<(Address, Address)> {
        self.providers.iter().map(|p| (p.node, p.owner)).collect()
    }

    pub fn validator_owner(&self, index: usize) -> Address {
        self.validators[index].owner
    }

    pub fn make_liar(&mut self, validator: usize) {
        self.validators[validator].liar = true;
    }

    pub fn stake(&mut self, owner: Address, whole: i64) {
        self.must(Event::Stake { owner, amount: Amount::tatau(whole) });
    }

    pub fn submit_render(&mut self, frames: i32) -> Option<JobId> {
        self.submit(frames, Preview::None)
    }

    /// A job that may want to be looked at before all of it is made.
    pub fn submit(&mut self, frames: i32, preview: Preview) -> Option<JobId> {
        let job = self.order(frames, preview);
        self.place(job)
    }

    /// What `submit` orders.
    pub fn order(&mut self, frames: i32, preview: Preview) -> NewJob {
        self.requests += 1;
        let spec = RenderSpec {
            frames: (1..=frames).collect(),
            width: 480,
            height: 270,
            samples: 64,
            fps: (24, 1),
            video: true,
            layered: None,
            preview,
            // Every other job is rendered in tiles.
            tiles: self.requests.is_multiple_of(2).then_some(Grid { columns: 2, rows: 1 }),
            device: Device::Cpu,
        };
        NewJob {
            owner: self.buyer,
            name: "shot".into(),
            kind: JobKind::Render(spec),
            inputs: Some(BlobId([1; 32])),
            bundle: Some(BlobId([2; 32])),
            scene: "scene.blend".into(),
            environment: "blender-5.0".into(),
            class: None,
            strategy: Strategy::Fastest,
            machines: tatau_model::Machines::default(),
            cap: Amount::tatau(5),
            reference_ms: 120,
            request_key: format!("request-{}", self.requests),
            memory_mib: 0,
            known: Vec::new(),
        }
    }

    pub fn place(&mut self, job: NewJob) -> Option<JobId> {
        match self.try_event(Event::SubmitJob(job)) {
            Ok(Reply::Job(id)) => Some(id),
            Ok(other) => panic!("seed {}: {other:?}", self.seed),
            Err(_) => None,
        }
    }

    pub fn cancel(&mut self, job: JobId) {
        let _ = self.try_event(Event::CancelJob { job, by: self.buyer });
    }

    pub fn must(&mut self, event: Event) -> Reply {
        let text = format!("{event:?}");
        self.try_event(event).unwrap_or_else(|e| panic!("seed {}: {text} was refused: {e}", self.seed))
    }

    /// Steps, applies, remembers what a store would keep, and walks every invariant.
    pub fn try_event(&mut self, event: Event) -> Result<Reply, Refusal> {
        let text = format!("{event:?}");
        let outcome = step(&self.state, event, self.now, &mut self.rng)?;
        for change in &outcome.changes {
            self.state.apply(change).unwrap_or_else(|e| panic!("seed {}: {text}: {e}", self.seed));
            self.stored.keep(change);
            if let Change::Job(job) = change {
                let render = matches!(job.kind, JobKind::Render(_));
                self.finished_jobs += usize::from(render && job.state == JobState::Finished);
            }
        }
        self.state.remember(outcome.asks);
        let problems = sanity_check(&self.state);
        assert!(problems.is_empty(), "seed {} after {text}: {problems:#?}", self.seed);
        if let Reply::Leases(given) = &outcome.reply {
            for id in given {
                self.check_taken(*id);
            }
        }
        Ok(outcome.reply)
    }

    /// A provider changes what it takes, and from whom.
    pub fn change_offer(&mut self, provider: usize, blocks: bool, refused: &[&str]) {
        let node = self.providers[provider].node;
        let mut offer = self.state.node(&node).expect("its node").offer.clone();
        offer.blocked = if blocks { vec![self.buyer] } else { vec![] };
        offer.refused = refused.iter().map(|kind| (*kind).to_owned()).collect();
        self.must(Event::SetOffer { node, offer, cards: None });
    }

    pub fn leases_of(&self, provider: usize) -> usize {
        self.providers[provider].work.len()
    }

    /// Any party does anything, sensible or not.
    pub fn random_step(&mut self) {
        self.now = self.now.plus(self.rng.random_range(0..3_000));
        match self.rng.random_range(0..100) {
            0..50 => self.work_and_wait(),
            50..60 => self.nonsense(),
            60..63 => {
                let owner = self.providers[self.rng.random_range(0..self.providers.len())].owner;
                let amount = Amount(self.rng.random_range(-5..2_000_000_000));
                let event = if self.rng.random() {
                    Event::Stake { owner, amount }
                } else {
                    Event::Unstake { owner, amount }
                };
                let _ = self.try_event(event);
            }
            63..64 => {
                if let Some(job) = self.state.jobs().map(|j| j.id).last() {
                    self.cancel(job);
                }
            }
            64..66 => {
                let paused = self.state.jobs().find(|j| j.state.name() == "paused").map(|j| j.id);
                if let Some(job) = paused {
                    let _ = self.try_event(Event::ResumeJob { job, by: self.buyer, more: Amount(1_000_000) });
                }
            }
            66..68 => {
                self.submit_render(2);
            }
            68..69 => {
                let provider = self.rng.random_range(0..self.providers.len());
                let blocks = self.rng.random_ratio(1, 4);
                let choices: [&[&str]; 4] = [&[], &["finish"], &["render", "video"], &["no_such_kind"]];
                let refused = choices[self.rng.random_range(0..4)];
                self.change_offer(provider, blocks, refused);
            }
            69..70 => {
                self.submit(5, Preview::Waiting);
                let job = JobId(self.rng.random_range(0..8));
                let _ = self.try_event(Event::PauseJob { job, by: self.buyer });
                let terms = self.any_terms();
                let _ = self.try_event(Event::EditJob { job, by: self.buyer, terms });
            }
            70..73 => self.owners_word(),
            73..76 => {
                // A long silence of everybody.
                self.now = self.now.plus(120_000);
                self.must(Event::Tick);
            }
            _ => {
                self.must(Event::Tick);
            }
        }
    }

    /// Messages that fit nobody's turn: other nodes' leases, repeated receipts, judgements from nowhere.
    fn nonsense(&mut self) {
        let attempt = AttemptId(self.rng.random_range(0..60));
        let audit = AuditId(self.rng.random_range(0..60));
        let node = if self.rng.random() {
            self.providers[self.rng.random_range(0..self.providers.len())].node
        } else {
            self.validators[self.rng.random_range(0..self.validators.len())].node
        };
        let receipt = Receipt {
            manifest_root: Digest([1; 32]),
            trace_root: Digest([self.rng.random(); 32]),
            units: 480 * 270 * 64,
            claimed_ms: self.rng.random(),
            energy_j: 0,
            signature: String::new(),
        };
        let event = match self.rng.random_range(0..8) {
            0 => Event::CommitReceipt { node, attempt, receipt },
            1 => Event::Deliver { node, attempt, files: vec![] },
            2 => Event::FailAttempt { node, attempt, code: "crashed".into(), sentence: "no".into() },
            3 => Event::CommitAudit { node, audit, commitment: Digest([3; 32]) },
            4 => Event::RevealAudit { node, audit, files: vec![file("result.json")], work_ms: 1 },
            5 => Event::FailAudit { node, audit, code: "no".into(), sentence: "no".into() },
            6 => Event::Lease { node, cards: vec![0, 0, 1, 77], warm: vec![JobId(1)] },
            _ => Event::CancelJob { job: JobId(self.rng.random_range(0..5)), by: node },
        };
        if let (Event::CommitReceipt { .. }, Some(a)) = (&event, self.state.attempt(attempt))
            && a.node == node
            && a.state == AttemptState::Leased
        {
            // A receipt without the work behind it.
            self.wrong.insert(attempt);
        }
        let _ = self.try_event(event);
    }

    /// Characters put away: from now on everybody works as they should.
    pub fn everybody_behaves(&mut self) {
        for provider in &mut self.providers {
            provider.character = Character::Honest;
            provider.vanished = false;
        }
        self.validators.iter_mut().for_each(|v| v.liar = false);
        (0..self.providers.len()).for_each(|provider| self.change_offer(provider, false, &[]));
        for (node, by) in self.nodes_with_owners() {
            let change =
                NodeChange { draining: Some(false), floor: Some(Amount::ZERO), ..NodeChange::default() };
            self.must(Event::SetNode { node, by, change });
        }
    }

    fn nodes_with_owners(&self) -> Vec<(Address, Address)> {
        let providers = self.providers.iter().map(|p| (p.node, p.owner));
        providers.chain(self.validators.iter().map(|v| (v.node, v.owner))).collect()
    }

    /// An owner, or somebody who is none, changes a machine; the machine hears of it or not.
    fn owners_word(&mut self) {
        let all = self.nodes_with_owners();
        let (node, owner) = all[self.rng.random_range(0..all.len())];
        let by = if self.rng.random_ratio(1, 5) { self.buyer } else { owner };
        let change = NodeChange {
            label: self.rng.random::<bool>().then(|| "rig".into()),
            floor: self.rng.random::<bool>().then(|| Amount(self.rng.random_range(-1..2_000_000_000))),
            draining: self.rng.random::<bool>().then(|| self.rng.random()),
            remove: false,
        };
        let _ = self.try_event(Event::SetNode { node, by, change });
        if self.rng.random() {
            let revision = self.rng.random_range(0..5);
            self.must(Event::Heard { node, revision });
        }
    }
}

fn file(name: &str) -> OutputFile {
    OutputFile { name: name.to_owned(), blob: BlobId([4; 32]), bytes: 10 }
}
