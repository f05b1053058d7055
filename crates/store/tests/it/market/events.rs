//! What can happen in the small market, each with all its changes.

use super::{Event, Market};
use rand::{Rng, RngExt, seq::IteratorRandom};
use tatau_model::{
    Account, AccountKey, Address, Amount, Attempt, AttemptId, AttemptState, Audit, AuditId, AuditState,
    AuditWork, BlobId, Card, CardKind, Change, Digest, EntryKind, Epoch, EpochId, Failure, Job, JobId,
    JobKind, JobState, Measurement, Node, NodeSettings, Offer, OutputFile, Preview, Purpose, Receipt, Rect,
    RenderSpec, Strategy, Task, TaskId, TaskState, Verdict, Work,
};

const PRICE: Amount = Amount(1_000_000);
const PAY: Amount = Amount(900_000);
const FEE: Amount = Amount(50_000);
const RESERVED: Amount = Amount(500_000);
const STAKE: Amount = Amount(1_000_000_000_000);
const CREDIT: Amount = Amount(2_000_000_000_000);

fn owner(n: usize) -> Address {
    let mut bytes = [0; 20];
    bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
    Address(bytes)
}

fn purse(owner: Address, purpose: Purpose) -> AccountKey {
    AccountKey::Owner(owner, purpose)
}

impl Market {
    pub(super) fn open_account(event: &mut Event<'_>, n: usize) {
        let id = owner(n);
        let stake = purse(id, Purpose::StakeFree);
        event.changes.push(Change::Account(Account::new(id, event.at)));
        event.pay(
            EntryKind::Credit { owner: id },
            &[(AccountKey::Outside, AccountKey::available(id), CREDIT), (AccountKey::Outside, stake, STAKE)],
        );
        let card = Card {
            kind: CardKind::Gpu,
            name: "card".into(),
            memory_mib: 11_264,
            threads: 1,
            devices: vec![],
            score_milli: Some(7),
        };
        event.changes.push(Change::Node(Box::new(Node {
            id: owner(n + 1_000),
            owner: id,
            name: "rig \u{2603} 'one'".into(),
            cards: vec![card],
            offer: Offer {
                ask_per_reference_hour: Amount(5),
                environments: vec!["blender-5.0".into()],
                provides: true,
                validates: true,
                ..Offer::default()
            },
            block: "192.0.2".into(),
            version: "0.1.0".into(),
            registered: event.at,
            draining: false,
            settings: NodeSettings::default(),
            heard: 0,
        })));
    }

    pub(super) fn submit(&self, event: &mut Event<'_>, rng: &mut impl Rng) {
        let (id, frames) = (JobId(self.last.0 + 1), rng.random_range(1..8_u64));
        let buyer = *self.accounts.keys().choose(rng).unwrap();
        let cap = Amount(PRICE.0 * 3 * frames as i64);
        event.pay(
            EntryKind::Escrow { job: id },
            &[(AccountKey::available(buyer), purse(buyer, Purpose::Escrow(id)), cap)],
        );
        let spec = RenderSpec {
            frames: (1..=frames as i32).collect(),
            width: 640,
            height: 360,
            samples: 64,
            fps: (24, 1),
            video: true,
            layered: None,
            preview: Preview::None,
            tiles: None,
            device: tatau_model::Device::Cpu,
        };
        event.changes.push(Change::Job(Box::new(Job {
            id,
            owner: buyer,
            name: "a \"job\"; DROP TABLE jobs".into(),
            kind: JobKind::Render(spec),
            state: JobState::Running,
            inputs: Some(BlobId([1; 32])),
            bundle: Some(BlobId([2; 32])),
            scene: "scene.blend".into(),
            environment: "blender-5.0".into(),
            class: None,
            strategy: Strategy::Balanced,
            machines: tatau_model::Machines::default(),
            priority: 0,
            memory_mib: 0,
            deadline: None,
            cap,
            spent: Amount::ZERO,
            reference_ms: 900,
            created: event.at,
            ended: None,
            request_key: format!("request-{id}"),
        })));
        for n in 1..=frames {
            event.changes.push(Change::Task(Box::new(Task {
                id: TaskId(self.last.1 + n),
                job: id,
                work: Work::Render { frame: n as i32, tile: None },
                state: TaskState::Ready,
                attempts: 0,
                current: None,
                excluded: vec![],
                failures: vec![],
                since: event.at,
            })));
        }
    }

    pub(super) fn lease(&self, event: &mut Event<'_>, rng: &mut impl Rng) {
        let ready = |t: &&Task| t.state == TaskState::Ready && !self.jobs[&t.job].state.is_ended();
        let Some(task) = self.tasks.values().filter(ready).choose(rng) else { return };
        let node = self.nodes.values().choose(rng).unwrap();
        let (id, job) = (AttemptId(self.last.2 + 1), &self.jobs[&task.job]);
        let escrow = purse(job.owner, Purpose::Escrow(job.id));
        if event.money.balance(&escrow) < PRICE {
            return;
        }
        event.pay(
            EntryKind::Hold { attempt: id },
            &[
                (escrow, purse(job.owner, Purpose::Held(job.id)), PRICE),
                (purse(node.owner, Purpose::StakeFree), purse(node.owner, Purpose::StakeReserved), RESERVED),
            ],
        );
        let mut task = task.clone();
        (task.state, task.current, task.attempts) = (TaskState::Leased, Some(id), task.attempts + 1);
        event.changes.push(Change::Task(Box::new(task.clone())));
        event.changes.push(Change::Attempt(Box::new(Attempt {
            id,
            task: task.id,
            job: task.job,
            node: node.id,
            provider: node.owner,
            card: 0,
            state: AttemptState::Leased,
            price: PRICE,
            reserved: RESERVED,
            pay: Amount::ZERO,
            leased: event.at,
            due: event.at.plus(60_000),
            committed: None,
            receipt: None,
            outputs: vec![],
            epoch: None,
            challenge: None,
            newcomer: false,
            dispute_until: None,
            copy_of: None,
        })));
        event.changes.push(Change::Seen { node: node.id, at: event.at });
    }

    /// A receipt, its outputs, its epoch and its audit, all in one event; sometimes the lease is lost instead.
    pub(super) fn receipt(&self, event: &mut Event<'_>, rng: &mut impl Rng) {
        let leased = |a: &&Attempt| a.state == AttemptState::Leased;
        let Some(attempt) = self.attempts.values().filter(leased).choose(rng) else { return };
        let (mut attempt, mut task) = (attempt.clone(), self.tasks[&attempt.task].clone());
        if rng.random_ratio(1, 5) {
            let code = ["expired", "returned", "cancelled"].into_iter().choose(rng).unwrap();
            attempt.state = AttemptState::Void { code: code.into(), sentence: "it ran out".into() };
            if code == "cancelled" {
                self.pay_at_once(event, &mut attempt);
            }
            return self.give_back(event, attempt, task);
        }
        let epoch = EpochId(self.last_epoch.as_ref().map_or(0, |e| e.id.0) + 1);
        let receipt = Receipt {
            manifest_root: Digest(rng.random()),
            trace_root: Digest(rng.random()),
            units: 640 * 360 * 64,
            claimed_ms: 812,
            energy_j: 12,
            signature: "ab".repeat(65),
        };
        let digest = tatau_evidence::receipt_digest(
            &tatau_evidence::Domain::default(),
            attempt.id,
            attempt.task,
            attempt.job,
            attempt.node,
            &receipt,
        );
        event.changes.push(Change::Epoch(Epoch {
            id: epoch,
            receipts_root: tatau_evidence::receipts_root(&[digest]),
            receipts: 1,
            beacon: Digest(rng.random()),
            closed: event.at,
        }));
        attempt.receipt = Some(receipt);
        attempt.committed = Some(event.at);
        attempt.state = AttemptState::Committed;
        event.changes.push(Change::Attempt(Box::new(attempt.clone())));
        attempt.state = AttemptState::Delivered;
        attempt.epoch = Some(epoch);
        attempt.challenge = Some(Digest(rng.random()));
        attempt.outputs = ["frame_0001.exr", "frame_0001.tiles", "result.json"]
            .map(|name| OutputFile { name: name.into(), blob: BlobId(rng.random()), bytes: 4_000_000 })
            .to_vec();
        task.state = TaskState::Auditing;
        event.changes.push(Change::Task(Box::new(task)));
        event.changes.push(Change::Audit(Box::new(Audit {
            id: AuditId(self.last.3 + 1),
            attempt: attempt.id,
            task: attempt.task,
            job: attempt.job,
            work: AuditWork::Crops { crops: vec![Rect { x: 1, y: 2, w: 45, h: 25 }] },
            state: AuditState::Open,
            node: None,
            validator: None,
            excluded: vec![],
            created: event.at,
            due: event.at,
            commitment: None,
            files: vec![],
            work_ms: 0,
            measurement: None,
            agrees_with: vec![],
            fee: Amount::ZERO,
        })));
        event.changes.push(Change::Attempt(Box::new(attempt)));
    }

    /// The lease ends without pay.
    pub(super) fn give_back(&self, event: &mut Event<'_>, mut attempt: Attempt, mut task: Task) {
        let buyer = self.jobs[&attempt.job].owner;
        let (held, escrow) = (Purpose::Held(attempt.job), Purpose::Escrow(attempt.job));
        event.pay(
            EntryKind::Release { attempt: attempt.id },
            &[
                (purse(buyer, held), purse(buyer, escrow), attempt.price),
                (
                    purse(attempt.provider, Purpose::StakeReserved),
                    purse(attempt.provider, Purpose::StakeFree),
                    attempt.reserved,
                ),
            ],
        );
        attempt.reserved = Amount::ZERO;
        (task.state, task.current) = (TaskState::Ready, None);
        task.failures.push(Failure {
            provider: attempt.provider,
            attempt: attempt.id,
            code: "expired".into(),
            sentence: "it ran out".into(),
            owed: Amount(1),
        });
        event.changes.push(Change::Task(Box::new(task)));
        event.changes.push(Change::CloseAttempt(attempt.id));
        // The engine closes last; the store must take either order.
        let last = event.changes.len() - 1;
        event.changes.insert(last, Change::Attempt(Box::new(attempt)));
    }

    pub(super) fn verdict(&self, event: &mut Event<'_>, rng: &mut impl Rng) {
        let delivered = |a: &&Attempt| a.state == AttemptState::Delivered;
        let Some(attempt) = self.attempts.values().filter(delivered).choose(rng) else { return };
        let (mut attempt, mut task) = (attempt.clone(), self.tasks[&attempt.task].clone());
        let mut audit = self.audits.values().find(|a| a.attempt == attempt.id).unwrap().clone();
        let node = self.nodes.values().choose(rng).unwrap();
        let pass = rng.random_ratio(9, 10);
        audit.node = Some(node.id);
        audit.validator = Some(node.owner);
        audit.commitment = Some(Digest(rng.random()));
        audit.measurement = Some(Measurement { fault: None, sentence: "equal".into(), parts: vec![] });
        let verdict = if pass { Verdict::Pass } else { Verdict::Fail };
        audit.state = AuditState::Judged { verdict };
        audit.fee = Amount(40_000);
        if event.money.balance(&AccountKey::Fees) >= audit.fee {
            let to = AccountKey::available(node.owner);
            event.pay(EntryKind::AuditFee { audit: audit.id }, &[(AccountKey::Fees, to, audit.fee)]);
        }
        event.changes.push(Change::Audit(Box::new(audit)));
        if !pass {
            return self.slash(event, attempt, task);
        }
        let job = &self.jobs[&attempt.job];
        let held = purse(job.owner, Purpose::Held(job.id));
        event.pay(
            EntryKind::Post { attempt: attempt.id },
            &[
                (held, purse(attempt.provider, Purpose::Pending), PAY),
                (held, AccountKey::Fees, FEE),
                (held, purse(job.owner, Purpose::Escrow(job.id)), Amount(PRICE.0 - PAY.0 - FEE.0)),
            ],
        );
        event.changes.push(Change::JobMeter {
            job: job.id,
            spent: Amount(job.spent.0 + PAY.0 + FEE.0),
            reference_ms: job.reference_ms + 1,
        });
        attempt.state = AttemptState::Accepted;
        attempt.pay = PAY;
        attempt.dispute_until = Some(event.at.plus(100));
        task.state = TaskState::Accepted;
        let mut account = self.accounts[&attempt.provider].clone();
        account.accepted += 1;
        event.changes.push(Change::Account(account));
        event.changes.push(Change::Task(Box::new(task)));
        event.changes.push(Change::Attempt(Box::new(attempt)));
    }

    pub(super) fn settle(&self, event: &mut Event<'_>, rng: &mut impl Rng) {
        let due = |a: &&Attempt| a.dispute_until.is_some_and(|t| t <= event.at);
        let Some(attempt) = self.attempts.values().filter(due).choose(rng) else { return };
        let mut attempt = attempt.clone();
        let stake = |p| purse(attempt.provider, p);
        event.pay(
            EntryKind::Settle { attempt: attempt.id },
            &[
                (stake(Purpose::Pending), AccountKey::available(attempt.provider), attempt.pay),
                (stake(Purpose::StakeReserved), stake(Purpose::StakeFree), attempt.reserved),
            ],
        );
        attempt.dispute_until = None;
        attempt.reserved = Amount::ZERO;
        event.changes.push(Change::Attempt(Box::new(attempt)));
    }

    pub(super) fn unbond(&self, event: &mut Event<'_>, rng: &mut impl Rng) {
        if let Some(due) = self.unbonding.iter().find(|u| u.at <= event.at) {
            let from = purse(due.owner, Purpose::StakeUnbonding);
            let to = AccountKey::available(due.owner);
            event.pay(EntryKind::Unbonded { owner: due.owner }, &[(from, to, due.amount)]);
            event.changes.push(Change::Unbonded { owner: due.owner, at: due.at });
            return;
        }
        let owner = *self.accounts.keys().choose(rng).unwrap();
        let amount = Amount(rng.random_range(1..1_000));
        let (from, to) = (purse(owner, Purpose::StakeFree), purse(owner, Purpose::StakeUnbonding));
        event.pay(EntryKind::Unbond { owner }, &[(from, to, amount)]);
        event.changes.push(Change::Unbonding { owner, amount, at: event.at.plus(50) });
    }

    pub(super) fn close_job(&self, event: &mut Event<'_>, rng: &mut impl Rng) {
        let done = |j: &&Job| {
            self.tasks.values().filter(|t| t.job == j.id).all(|t| t.state.is_ended())
                && self.attempts.values().filter(|a| a.job == j.id).all(|a| !a.is_open())
        };
        let Some(job) = self.jobs.values().filter(done).choose(rng) else { return };
        let mut job = job.clone();
        if !job.state.is_ended() {
            let escrow = purse(job.owner, Purpose::Escrow(job.id));
            let rest = event.money.balance(&escrow);
            event.pay(EntryKind::Refund { job: job.id }, &[(escrow, AccountKey::available(job.owner), rest)]);
            (job.state, job.ended) = (JobState::Finished, Some(event.at));
            event.changes.push(Change::Job(Box::new(job)));
            return;
        }
        for attempt in self.attempts.values().filter(|a| a.job == job.id) {
            event.changes.push(Change::CloseAttempt(attempt.id));
        }
        event.changes.push(Change::CloseJob(job.id));
    }
}
