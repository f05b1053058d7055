//! Commits, changes and task lifecycles a second at several batch sizes: `cargo run --example store-bench [SECONDS] [FOLDER]`.
//!
//! One lifecycle is what a frame costs the store: three writes of its attempt, three of its task, one of its audit, a
//! meter, an account, and four journal entries (hold, post, audit fee, settle) of two to five legs. Events of many
//! lifecycles are interleaved as providers would: a batch holds the same stage of many frames, so that condensing
//! a batch does not hide writes that a real market makes.

use std::time::{Duration, Instant};
use tatau_ledger::{Books, Overlay};
use tatau_model::{
    Account, AccountKey, Address, Amount, Attempt, AttemptId, AttemptState, Audit, AuditId, AuditState,
    AuditWork, BlobId, Change, Digest, EntryKind, Job, JobId, JobKind, JobState, Measurement, Millis, Node,
    NodeSettings, Offer, OutputFile, Preview, Purpose, Receipt, Rect, RenderSpec, Strategy, Task, TaskId,
    TaskState, Verdict, Work,
};
use tatau_store::Store;

type Failure = Box<dyn std::error::Error>;

const OWNERS: u64 = 200;
const PRICE: Amount = Amount(1_000_000);
const RESERVED: Amount = Amount(9_000_000);

fn address(n: u64) -> Address {
    let mut bytes = [0x5a; 20];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    Address(bytes)
}

fn purse(owner: Address, purpose: Purpose) -> AccountKey {
    AccountKey::Owner(owner, purpose)
}

struct Bench {
    books: Books,
    now: i64,
    lives: Vec<Life>,
    begun: u64,
    done: u64,
}

/// One frame under way.
struct Life {
    stage: u8,
    task: Task,
    attempt: Attempt,
    audit: Audit,
}

impl Bench {
    fn pay(
        &mut self,
        changes: &mut Vec<Change>,
        kind: EntryKind,
        moves: &[(AccountKey, AccountKey, Amount)],
    ) -> Result<(), Failure> {
        if let Some(entry) = Overlay::new(&self.books).draft(Millis(self.now), kind, moves)? {
            self.books.apply(&entry)?;
            changes.push(Change::Entry(entry));
        }
        Ok(())
    }

    /// Accounts with money and stake, a node each, one job that all frames belong to.
    fn open(&mut self) -> Result<Vec<Change>, Failure> {
        let mut changes = Vec::new();
        for n in 0..OWNERS {
            let owner = address(n);
            changes.push(Change::Account(Account::new(owner, Millis(0))));
            changes.push(Change::Node(Box::new(Node {
                id: address(n + 1_000_000),
                owner,
                name: format!("node {n}"),
                cards: vec![],
                offer: Offer {
                    ask_per_reference_hour: Amount(1),
                    environments: vec![],
                    provides: true,
                    validates: true,
                    ..Offer::default()
                },
                block: "192.0.2".into(),
                version: "0.1.0".into(),
                registered: Millis(0),
                draining: false,
                settings: NodeSettings::default(),
                heard: 0,
            })));
            let stake = purse(owner, Purpose::StakeFree);
            let much = Amount(1_000_000_000_000_000);
            self.pay(&mut changes, EntryKind::Credit { owner }, &[(AccountKey::Outside, stake, much)])?;
        }
        let (buyer, job) = (address(0), JobId(1));
        let cap = Amount(1_000_000_000_000_000_000);
        let escrow = purse(buyer, Purpose::Escrow(job));
        self.pay(&mut changes, EntryKind::Escrow { job }, &[(AccountKey::Outside, escrow, cap)])?;
        let spec = RenderSpec {
            frames: vec![1],
            width: 1,
            height: 1,
            samples: 1,
            fps: (24, 1),
            video: false,
            layered: None,
            preview: Preview::None,
            tiles: None,
            device: tatau_model::Device::Cpu,
        };
        changes.push(Change::Job(Box::new(Job {
            id: job,
            owner: buyer,
            name: "bench".into(),
            kind: JobKind::Render(spec),
            state: JobState::Running,
            inputs: None,
            bundle: None,
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
            reference_ms: 1,
            created: Millis(0),
            ended: None,
            request_key: "bench".into(),
        })));
        Ok(changes)
    }

    /// The next stage of the oldest frame under way, or of a new one while few are.
    fn step(&mut self, under_way: usize) -> Result<Vec<Change>, Failure> {
        self.now += 1;
        let mut changes = Vec::with_capacity(8);
        let mut life = if self.lives.len() < under_way {
            self.begun += 1;
            new_life(self.begun)
        } else {
            // The least advanced first: every frame of a wave passes a stage before the wave passes the next.
            let next =
                (0..self.lives.len()).min_by_key(|i| self.lives[*i].stage).ok_or("nothing is under way")?;
            self.lives.swap_remove(next)
        };
        self.advance(&mut life, &mut changes)?;
        if life.stage < 5 {
            self.lives.push(life);
        } else {
            self.done += 1;
        }
        Ok(changes)
    }

    fn advance(&mut self, life: &mut Life, changes: &mut Vec<Change>) -> Result<(), Failure> {
        let (buyer, job) = (address(0), life.task.job);
        let (provider, attempt) = (life.attempt.provider, life.attempt.id);
        let stake = |p| purse(provider, p);
        let held = purse(buyer, Purpose::Held(job));
        life.stage += 1;
        match life.stage {
            1 => {
                let moves = [
                    (purse(buyer, Purpose::Escrow(job)), held, PRICE),
                    (stake(Purpose::StakeFree), stake(Purpose::StakeReserved), RESERVED),
                ];
                self.pay(changes, EntryKind::Hold { attempt }, &moves)?;
                life.task.state = TaskState::Leased;
                life.task.current = Some(attempt);
                changes.push(Change::Task(Box::new(life.task.clone())));
            }
            2 => {
                life.attempt.state = AttemptState::Committed;
                life.attempt.receipt = Some(Receipt {
                    manifest_root: Digest([3; 32]),
                    trace_root: Digest([4; 32]),
                    units: 1,
                    claimed_ms: 1,
                    energy_j: 1,
                    signature: "ab".repeat(65),
                });
                life.task.state = TaskState::Auditing;
                changes.push(Change::Task(Box::new(life.task.clone())));
            }
            3 => {
                life.attempt.state = AttemptState::Delivered;
                life.attempt.outputs = vec![output("frame_0001.exr"), output("result.json")];
                changes.push(Change::Audit(Box::new(life.audit.clone())));
            }
            4 => {
                let validator = address((life.attempt.id.0 + 1) % OWNERS);
                let fee = Amount(30_000);
                let moves = [
                    (held, stake(Purpose::Pending), Amount(900_000)),
                    (held, AccountKey::Fees, Amount(50_000)),
                    (held, purse(buyer, Purpose::Escrow(job)), Amount(50_000)),
                ];
                self.pay(changes, EntryKind::Post { attempt }, &moves)?;
                let to = AccountKey::available(validator);
                self.pay(
                    changes,
                    EntryKind::AuditFee { audit: life.audit.id },
                    &[(AccountKey::Fees, to, fee)],
                )?;
                life.audit.state = AuditState::Judged { verdict: Verdict::Pass };
                life.audit.validator = Some(validator);
                life.attempt.state = AttemptState::Accepted;
                life.attempt.pay = Amount(900_000);
                life.attempt.dispute_until = Some(Millis(self.now));
                life.task.state = TaskState::Accepted;
                let mut account = Account::new(provider, Millis(0));
                account.accepted = self.done;
                changes.push(Change::Account(account));
                let spent = Amount(self.done as i64 * 950_000);
                changes.push(Change::JobMeter { job, spent, reference_ms: self.done });
                changes.push(Change::Task(Box::new(life.task.clone())));
                changes.push(Change::Audit(Box::new(life.audit.clone())));
            }
            _ => {
                let moves = [
                    (stake(Purpose::Pending), AccountKey::available(provider), Amount(900_000)),
                    (stake(Purpose::StakeReserved), stake(Purpose::StakeFree), RESERVED),
                ];
                self.pay(changes, EntryKind::Settle { attempt }, &moves)?;
                life.attempt.reserved = Amount::ZERO;
                life.attempt.dispute_until = None;
                changes.push(Change::CloseAttempt(attempt));
            }
        }
        let last = changes.len();
        let at = if life.stage == 5 { last - 1 } else { last };
        changes.insert(at, Change::Attempt(Box::new(life.attempt.clone())));
        Ok(())
    }
}

fn output(name: &str) -> OutputFile {
    OutputFile { name: name.into(), blob: BlobId([7; 32]), bytes: 4_000_000 }
}

fn new_life(n: u64) -> Life {
    let (task, attempt, job) = (TaskId(n), AttemptId(n), JobId(1));
    let provider = n % OWNERS;
    Life {
        stage: 0,
        task: Task {
            id: task,
            job,
            work: Work::Render { frame: 1, tile: None },
            state: TaskState::Ready,
            attempts: 1,
            current: None,
            excluded: vec![],
            failures: vec![],
            since: Millis(0),
        },
        attempt: Attempt {
            id: attempt,
            task,
            job,
            node: address(provider + 1_000_000),
            provider: address(provider),
            card: 0,
            state: AttemptState::Leased,
            price: PRICE,
            reserved: RESERVED,
            pay: Amount::ZERO,
            leased: Millis(0),
            due: Millis(0),
            committed: None,
            receipt: None,
            outputs: vec![],
            epoch: None,
            challenge: None,
            newcomer: false,
            dispute_until: None,
            copy_of: None,
        },
        audit: Audit {
            id: AuditId(n),
            attempt,
            task,
            job,
            work: AuditWork::Crops { crops: vec![Rect { x: 0, y: 0, w: 45, h: 25 }; 2] },
            state: AuditState::Open,
            node: None,
            validator: None,
            excluded: vec![],
            created: Millis(0),
            due: Millis(0),
            commitment: Some(Digest([9; 32])),
            files: vec![],
            work_ms: 1,
            measurement: Some(Measurement { fault: None, sentence: "equal".into(), parts: vec![] }),
            agrees_with: vec![],
            fee: Amount(30_000),
        },
    }
}

/// Bytes of the folder's files.
fn size(folder: &std::path::Path) -> std::io::Result<u64> {
    std::fs::read_dir(folder)?.map(|file| Ok(file?.metadata()?.len())).sum()
}

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let seconds: f64 = args.next().map_or(Ok(5.0), |s| s.parse())?;
    let base = args.next().map_or_else(std::env::temp_dir, Into::into);
    println!("SQLite WAL, synchronous FULL, in {}; {seconds} s each", base.display());
    println!("batch (events)  commits/s  lifecycles/s  changes/s  store busy  bytes a lifecycle");
    for batch in [1_usize, 100, 1_000, 5_000] {
        let folder = base.join(format!("tatau-store-bench-{}-{batch}", std::process::id()));
        std::fs::create_dir(&folder)?;
        let mut store = Store::open(folder.join("tatau.db"))?;
        let mut bench = Bench { books: Books::default(), now: 0, lives: Vec::new(), begun: 0, done: 0 };
        store.commit(&bench.open()?)?;
        // As many frames under way as a batch has events: a batch rarely sees the same frame twice.
        let (mut commits, mut changes, mut busy) = (0_u64, 0_u64, Duration::ZERO);
        while busy.as_secs_f64() < seconds {
            let mut all = Vec::new();
            for _ in 0..batch {
                all.extend(bench.step(batch)?);
            }
            let started = Instant::now();
            store.commit(&all)?;
            busy += started.elapsed();
            commits += 1;
            changes += all.len() as u64;
        }
        let each = |n: u64| n as f64 / busy.as_secs_f64();
        let mut problems = store.audit_books()?.problems;
        problems.truncate(3);
        let bytes = size(&folder)? / bench.done.max(1);
        println!(
            "{batch:14}  {:9.0}  {:12.0}  {:9.0}  {:8.1} s  {bytes:17}",
            each(commits),
            each(bench.done),
            each(changes),
            busy.as_secs_f64()
        );
        if !problems.is_empty() {
            return Err(format!("the books do not balance: {problems:?}").into());
        }
        drop(store);
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(())
}
