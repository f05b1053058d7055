//! A small world around the engine: providers and validators of several characters, a fake clock, one seeded generator.

#![allow(dead_code, reason = "each test uses a part")]

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, HashMap, HashSet};
use tatau_engine::{Config, Counters, Event, NewJob, Refusal, Reply, State, sanity_check, step};
use tatau_ledger::Books;
use tatau_model::{
    AccountKey, Address, Amount, AttemptId, AttemptState, AuditId, AuditState, BlobId, Card, CardKind,
    Change, Digest, JobId, JobKind, JobState, Measurement, Millis, Node, Offer, OutputFile, Receipt,
    RenderSpec, Strategy, TaskState, audit::PartMeasurement,
};
use tatau_workload::{trace, units};

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
    seed: u64,
    rng: ChaCha8Rng,
    providers: Vec<Provider>,
    validators: Vec<Validator>,
    buyer: Address,
    wrong: HashSet<AttemptId>,
    stored: Stored,
    requests: u64,
}

/// What a store would hold: the open records, by number.
#[derive(Default)]
struct Stored {
    records: BTreeMap<String, Change>,
    balances: HashMap<AccountKey, Amount>,
    last_entry: u64,
    epoch: Option<tatau_model::Epoch>,
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
            stored: Stored::default(),
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
            },
            block: format!("10.0.{block}.0/24"),
            version: "0.1.0".into(),
            registered: self.now,
            draining: false,
        };
        self.must(Event::RegisterNode { node });
    }

    pub fn owner_of(&self, character: Character) -> Address {
        self.providers.iter().find(|p| p.character == character).map(|p| p.owner).expect("such a provider")
    }

    pub fn make_liar(&mut self, validator: usize) {
        self.validators[validator].liar = true;
    }

    pub fn stake(&mut self, owner: Address, whole: i64) {
        self.must(Event::Stake { owner, amount: Amount::tatau(whole) });
    }

    pub fn submit_render(&mut self, frames: i32) -> Option<JobId> {
        self.requests += 1;
        let spec = RenderSpec {
            frames: (1..=frames).collect(),
            width: 480,
            height: 270,
            samples: 64,
            fps: (24, 1),
            video: true,
        };
        let job = NewJob {
            owner: self.buyer,
            name: "shot".into(),
            kind: JobKind::Render(spec),
            inputs: Some(BlobId([1; 32])),
            bundle: Some(BlobId([2; 32])),
            scene: "scene.blend".into(),
            environment: "blender-5.0".into(),
            class: None,
            strategy: Strategy::Fastest,
            cap: Amount::tatau(5),
            reference_ms: 120,
            request_key: format!("request-{}", self.requests),
        };
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
        let problems = sanity_check(&self.state);
        assert!(problems.is_empty(), "seed {} after {text}: {problems:#?}", self.seed);
        Ok(outcome.reply)
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
            66..70 => {
                self.submit_render(2);
            }
            70..75 => {
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
    }

    /// A moment passes; everybody does their part.
    pub fn work_and_wait(&mut self) {
        self.now = self.now.plus(self.rng.random_range(100..1_500));
        for index in 0..self.providers.len() {
            self.provider_turn(index);
        }
        if self.state.has_unsealed_receipts() {
            let beacon = Digest(self.rng.random());
            self.must(Event::CloseEpoch { beacon });
        }
        for index in 0..self.validators.len() {
            self.validator_turn(index);
        }
        self.must(Event::Tick);
    }

    fn provider_turn(&mut self, index: usize) {
        let Provider { node, character, vanished, .. } = self.providers[index];
        if vanished {
            self.providers[index].vanished = self.rng.random_ratio(29, 30);
            return;
        }
        self.must(Event::Seen { node });
        // Forget work that was taken away; adopt leases that somebody's nonsense fetched for us.
        let leased: Vec<AttemptId> = self.state.leases_of(&node).collect();
        self.providers[index].work.retain(|(id, _)| leased.contains(id));
        for id in leased {
            if !self.providers[index].work.iter().any(|(known, _)| *known == id) {
                let ends = self.now.plus(self.rng.random_range(500..6_000));
                self.providers[index].work.push((id, ends));
            }
        }
        if let Ok(Reply::Leases(ids)) = self.try_event(Event::Lease { node, cards: vec![0], warm: vec![] }) {
            for id in ids {
                let ends = self.now.plus(self.rng.random_range(500..6_000));
                self.providers[index].work.push((id, ends));
            }
        }
        let now = self.now;
        let done: Vec<AttemptId> =
            self.providers[index].work.iter().filter(|(_, ends)| *ends <= now).map(|(id, _)| *id).collect();
        for id in done {
            self.providers[index].work.retain(|(known, _)| *known != id);
            self.conclude(index, id, character);
        }
    }

    fn conclude(&mut self, index: usize, id: AttemptId, character: Character) {
        let node = self.providers[index].node;
        if character == Character::Flaky {
            match self.rng.random_range(0..6) {
                0 => {
                    self.providers[index].vanished = true;
                    return;
                }
                1 => {
                    let code = ["returned", "crashed", "timed_out"][self.rng.random_range(0..3)].to_owned();
                    self.must(Event::FailAttempt { node, attempt: id, code, sentence: "it broke".into() });
                    return;
                }
                _ => {}
            }
        }
        let Some(attempt) = self.state.attempt(id).cloned() else { return };
        let (Some(task), Some(job)) = (self.state.task(attempt.task), self.state.job(attempt.job)) else {
            return;
        };
        let (work, units) = (task.work.clone(), units::units(&task.work, job));
        if character == Character::Cheat && !matches!(work, tatau_model::Work::Benchmark) {
            self.wrong.insert(id);
        }
        let receipt = Receipt {
            manifest_root: Digest(self.rng.random()),
            trace_root: Digest(self.rng.random()),
            units,
            claimed_ms: self.now.since(attempt.leased),
            energy_j: 0,
            signature: String::new(),
        };
        self.must(Event::CommitReceipt { node, attempt: id, receipt: receipt.clone() });
        if character == Character::Silent && !matches!(work, tatau_model::Work::Benchmark) {
            return;
        }
        let files: Vec<OutputFile> = trace::expected_files(&work).iter().map(|n| file(n)).collect();
        self.must(Event::Deliver { node, attempt: id, files: files.clone() });
        if character == Character::Flaky {
            // Everything twice changes nothing.
            self.must(Event::CommitReceipt { node, attempt: id, receipt });
            self.must(Event::Deliver { node, attempt: id, files });
        }
    }

    fn validator_turn(&mut self, index: usize) {
        let Validator { node, liar, .. } = self.validators[index];
        let Ok(Reply::Audits(ids)) = self.try_event(Event::TakeAudits { node, max: 4, warm: vec![] }) else {
            return;
        };
        for id in ids {
            if self.rng.random_ratio(1, 20) {
                self.must(Event::FailAudit { node, audit: id, code: "no".into(), sentence: "no".into() });
                continue;
            }
            let commitment = Digest(self.rng.random());
            self.must(Event::CommitAudit { node, audit: id, commitment });
            let files = vec![file("crop_0.f32"), file("result.json")];
            self.must(Event::RevealAudit { node, audit: id, files, work_ms: 20 });
            self.judge(id, liar);
        }
    }

    /// The comparator: honest re-computations agree with each other and with honest claims; a liar's agree with nothing.
    fn judge(&mut self, id: AuditId, liar: bool) {
        let Some(audit) = self.state.audit(id).cloned() else { return };
        let differs = liar || self.wrong.contains(&audit.attempt);
        let over = if differs { 900_000 } else { 0 };
        let part = PartMeasurement {
            pixels: 600,
            equal_ppm: 1_000_000 - over,
            over_1e3_ppm: over,
            over_1e2_ppm: over,
            rel_l1_ppm: over,
        };
        let liars: HashSet<Address> = self.validators.iter().filter(|v| v.liar).map(|v| v.owner).collect();
        let agrees_with = self
            .state
            .audits_of(audit.attempt)
            .filter(|o| {
                o.id != id && !liar && matches!(o.state, AuditState::Judged { .. } | AuditState::Revealed)
            })
            .filter(|o| o.validator.is_some_and(|v| !liars.contains(&v)))
            .map(|o| o.id)
            .collect();
        let measurement = Measurement { fault: None, sentence: String::new(), parts: vec![part, part] };
        self.must(Event::Judge { audit: id, measurement, agrees_with });
    }

    /// A recovery from what a store would hold gives the same open records, balances and queues.
    pub fn check_recovery(&mut self) {
        let stored = &self.stored;
        let books = Books::load(stored.balances.clone(), stored.last_entry).expect("conserved");
        let config = self.state.config.clone();
        let recovered = State::recover(
            config,
            books,
            stored.epoch.clone(),
            stored.records.values().cloned(),
            Counters::default(),
            self.now,
        )
        .expect("recovers");
        assert_eq!(recovered.books, self.state.books, "seed {}", self.seed);
        assert!(sanity_check(&recovered).is_empty());
        let view = |s: &State| {
            let mut jobs: Vec<_> = s.jobs().cloned().collect();
            jobs.sort_by_key(|j| j.id);
            let tasks: Vec<_> =
                jobs.iter().flat_map(|j| s.tasks_of(j.id).cloned().collect::<Vec<_>>()).collect();
            let attempts: Vec<_> =
                tasks.iter().filter_map(|t| t.current.and_then(|a| s.attempt(a)).cloned()).collect();
            let audits: Vec<_> =
                attempts.iter().flat_map(|a| s.audits_of(a.id).cloned().collect::<Vec<_>>()).collect();
            let ready: Vec<_> = tasks.iter().filter(|t| t.state == TaskState::Ready).map(|t| t.id).collect();
            (jobs, tasks, attempts, audits, ready)
        };
        assert_eq!(view(&recovered), view(&self.state), "seed {}", self.seed);
    }
}

impl Stored {
    fn keep(&mut self, change: &Change) {
        let key = match change {
            Change::Account(a) => format!("account {}", a.owner),
            Change::Node(n) => format!("node {}", n.id),
            Change::Job(j) => format!("job {}", j.id.0),
            Change::Task(t) => format!("task {}", t.id.0),
            Change::Attempt(a) => format!("attempt {}", a.id.0),
            Change::Audit(a) => format!("audit {}", a.id.0),
            Change::Unbonding { owner, at, .. } => format!("unbonding {owner} {}", at.0),
            Change::Unbonded { owner, at } => {
                self.records.remove(&format!("unbonding {owner} {}", at.0));
                return;
            }
            Change::JobMeter { job, spent, reference_ms } => {
                if let Some(Change::Job(kept)) = self.records.get_mut(&format!("job {}", job.0)) {
                    kept.spent = *spent;
                    kept.reference_ms = *reference_ms;
                }
                return;
            }
            Change::Epoch(epoch) => {
                self.epoch = Some(epoch.clone());
                return;
            }
            Change::Entry(entry) => {
                self.last_entry = entry.id;
                for leg in &entry.legs {
                    let balance = self.balances.entry(leg.account).or_default();
                    *balance = balance.add(leg.amount).expect("fits");
                }
                return;
            }
            Change::CloseAttempt(id) => {
                self.records.remove(&format!("attempt {}", id.0));
                self.records.retain(|_, r| !matches!(r, Change::Audit(a) if a.attempt == *id));
                return;
            }
            Change::CloseJob(id) => {
                self.records.remove(&format!("job {}", id.0));
                self.records.retain(|_, r| !matches!(r, Change::Task(t) if t.job == *id));
                return;
            }
            Change::Seen { .. } => return,
        };
        self.records.insert(key, change.clone());
    }
}

fn file(name: &str) -> OutputFile {
    OutputFile { name: name.to_owned(), blob: BlobId([4; 32]), bytes: 10 }
}
