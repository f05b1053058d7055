//! Whole task lifecycles a second through the engine and SQLite (synchronous FULL), signatures checked:
//! lease → signed receipt → delivery → epoch → audit taken, committed (signed), revealed, judged → paid → settled.
//!
//! Receipts are signed beforehand (that is the providers' work). Signatures are checked on one thread, decisions and commits
//! run on another, as in the server. Prints one JSON line. Arguments: `[rounds] [batch]`.

use std::{sync::mpsc, time::Instant};
use tatau_engine::{Config, Event, NewJob, Reply, State, step};
use tatau_evidence::{SigningKey, typed};
use tatau_model::{
    Address, Amount, AttemptId, AuditId, BlobId, Card, CardKind, Change, Digest, JobKind, Measurement,
    Millis, Node, Offer, OutputFile, Receipt, RenderSpec, Strategy, audit::PartMeasurement,
};
use tatau_store::Store;
use tatau_workload::{trace, units};

const CARDS: u16 = 64;
const PROVIDERS: usize = 16;
const VALIDATORS: usize = 3;

type Any<T> = Result<T, Box<dyn std::error::Error>>;

struct Market {
    state: State,
    store: Store,
    rng: rand_chacha::ChaCha20Rng,
    now: Millis,
    batch: usize,
    waiting: Vec<Change>,
    events: usize,
    lifecycle_events: u64,
    commits: u64,
}

impl Market {
    /// Decides and applies; commits when the batch is full.
    fn event(&mut self, event: Event) -> Any<Reply> {
        let outcome = step(&self.state, event, self.now, &mut self.rng)?;
        for change in &outcome.changes {
            self.state.apply(change)?;
        }
        self.waiting.extend(outcome.changes);
        self.events += 1;
        self.lifecycle_events += 1;
        if self.events >= self.batch {
            self.commit()?;
        }
        Ok(outcome.reply)
    }

    fn commit(&mut self) -> Any<()> {
        if !self.waiting.is_empty() {
            self.store.commit(&self.waiting)?;
            self.commits += 1;
        }
        self.waiting.clear();
        self.events = 0;
        Ok(())
    }
}

fn key(n: usize) -> Any<SigningKey> {
    let mut bytes = [7u8; 32];
    bytes[24..].copy_from_slice(&(n as u64 + 1).to_be_bytes());
    Ok(SigningKey::from_bytes(bytes)?)
}

fn main() -> Any<()> {
    let argument =
        |n: usize, default: usize| std::env::args().nth(n).map_or(Ok(default), |a| a.parse::<usize>());
    let (rounds, batch) = (argument(1, 8)?, argument(2, 1_000)?);
    let folder = tempfile::tempdir()?;
    let config = Config {
        same_block_allowed: true,
        earn_in_accepted: 1,
        earn_in_stake: Amount(1),
        starter_credit: Amount::tatau(1_000_000),
        audit_float: Amount::tatau(1_000_000),
        ..Config::local()
    };
    let mut market = Market {
        state: State::new(config),
        store: Store::open(folder.path().join("bench.sqlite"))?,
        rng: rand::SeedableRng::seed_from_u64(1),
        now: Millis(1),
        batch,
        waiting: Vec::new(),
        events: 0,
        lifecycle_events: 0,
        commits: 0,
    };
    let providers: Vec<SigningKey> = (0..PROVIDERS).map(key).collect::<Any<_>>()?;
    let validators: Vec<SigningKey> = (0..VALIDATORS).map(|n| key(1_000 + n)).collect::<Any<_>>()?;
    for (n, signer) in providers.iter().chain(&validators).enumerate() {
        register(&mut market, signer.address(), n, n < PROVIDERS)?;
    }
    place_cards(&mut market);
    submit(&mut market, (rounds + 1) * PROVIDERS * usize::from(CARDS) * 2)?;
    market.commit()?;
    round(&mut market, &providers, &validators)?; // warm-up, and everybody's earn-in
    (market.lifecycle_events, market.commits) = (0, 0);
    let mut done = 0;
    let mut seconds = 0.0;
    for _ in 0..rounds {
        let (count, took) = round(&mut market, &providers, &validators)?;
        done += count;
        seconds += took;
    }
    let problems = tatau_engine::sanity_check(&market.state);
    let books = market.store.audit_books()?;
    assert!(problems.is_empty() && books.problems.is_empty(), "{problems:?} {:?}", books.problems);
    println!(
        "{{\"bench\":\"lifecycles\",\"n\":{done},\"batch\":{batch},\"seconds\":{seconds:.3},\"per_second\":{:.0},\"events_per_lifecycle\":{:.1},\"commits\":{}}}",
        done as f64 / seconds,
        market.lifecycle_events as f64 / done as f64,
        market.commits
    );
    Ok(())
}

fn register(market: &mut Market, id: Address, n: usize, provides: bool) -> Any<()> {
    let mut owner = id;
    owner.0[0] ^= 0xff;
    let card =
        Card { kind: CardKind::Cpu, name: "slot".into(), memory_mib: 4_096, threads: 1, score_milli: None };
    let node = Node {
        id,
        owner,
        name: format!("node {n}"),
        cards: if provides { vec![card; usize::from(CARDS)] } else { vec![] },
        offer: Offer {
            ask_per_reference_hour: Amount::tatau(1),
            environments: vec!["blender-5.0".into()],
            provides,
            validates: !provides,
        },
        block: format!("10.0.{n}.0/24"),
        version: "bench".into(),
        registered: Millis(0),
        draining: false,
    };
    market.event(Event::RegisterNode { node })?;
    market.event(Event::Stake { owner, amount: Amount::tatau(100_000) })?;
    Ok(())
}

/// Scores as verified benchmarks would set them; the benchmark jobs themselves stay open and untouched.
fn place_cards(market: &mut Market) {
    let nodes: Vec<Node> = market.state.nodes().cloned().collect();
    for mut node in nodes {
        node.cards.iter_mut().for_each(|c| c.score_milli = Some(1_000));
        let change = Change::Node(Box::new(node));
        if market.state.apply(&change).is_ok() {
            market.waiting.push(change);
        }
    }
}

fn submit(market: &mut Market, frames: usize) -> Any<()> {
    let owner = Address([9; 20]);
    let spec = RenderSpec {
        frames: (1..=frames as i32).collect(),
        width: 1_920,
        height: 1_080,
        samples: 128,
        fps: (24, 1),
        video: false,
    };
    market.event(Event::SubmitJob(NewJob {
        owner,
        name: "bench".into(),
        kind: JobKind::Render(spec),
        inputs: Some(BlobId([1; 32])),
        bundle: None,
        scene: "scene.blend".into(),
        environment: "blender-5.0".into(),
        class: None,
        strategy: Strategy::Fastest,
        cap: Amount::tatau(900_000),
        reference_ms: 1_000,
        request_key: "bench".into(),
    }))?;
    Ok(())
}

/// One lease on every card's every place, all the way to settlement. Seconds without the providers' and validators' signing.
fn round(market: &mut Market, providers: &[SigningKey], validators: &[SigningKey]) -> Any<(usize, f64)> {
    let mut seconds = 0.0;
    let started = Instant::now();
    let mut leased: Vec<(usize, AttemptId)> = Vec::new();
    for (n, signer) in providers.iter().enumerate() {
        let node = signer.address();
        for card in 0..CARDS {
            // As agents poll: one card at a time, the running and the prefetched lease.
            if let Reply::Leases(ids) =
                market.event(Event::Lease { node, cards: vec![card, card], warm: vec![] })?
            {
                leased.extend(ids.into_iter().map(|id| (n, id)));
            }
        }
    }
    market.commit()?;
    seconds += started.elapsed().as_secs_f64();

    let receipts = sign(market, providers, &leased)?;
    let started = Instant::now();
    let domain = typed::Domain::default();
    std::thread::scope(|scope| -> Any<()> {
        let (checked, ready) = mpsc::sync_channel(4_096);
        scope.spawn(move || {
            for (node, attempt, task, job, receipt) in receipts {
                if typed::check_receipt(&domain, attempt, task, job, node, &receipt).is_ok() {
                    let _ = checked.send(Event::CommitReceipt { node, attempt, receipt });
                }
            }
        });
        for event in ready {
            market.event(event)?;
        }
        Ok(())
    })?;
    for (n, attempt) in &leased {
        let Some(task) = market.state.attempt(*attempt).and_then(|a| market.state.task(a.task)) else {
            continue;
        };
        let files = trace::expected_files(&task.work).into_iter().map(file).collect();
        market.event(Event::Deliver { node: providers[*n].address(), attempt: *attempt, files })?;
    }
    market.event(Event::CloseEpoch { beacon: Digest([5; 32]) })?;
    market.commit()?;
    seconds += started.elapsed().as_secs_f64();
    seconds += audit(market, validators)?;

    let started = Instant::now();
    market.now = market.now.plus(market.state.config.dispute_ms + 1);
    for signer in providers.iter().chain(validators) {
        market.event(Event::Seen { node: signer.address() })?;
    }
    for _ in 0..=leased.len() / 1_000 {
        market.event(Event::Tick)?;
    }
    market.commit()?;
    seconds += started.elapsed().as_secs_f64();
    Ok((leased.len(), seconds))
}

type Signed = (Address, AttemptId, tatau_model::TaskId, tatau_model::JobId, Receipt);

fn sign(market: &Market, providers: &[SigningKey], leased: &[(usize, AttemptId)]) -> Any<Vec<Signed>> {
    let domain = typed::Domain::default();
    let mut receipts = Vec::with_capacity(leased.len());
    for (n, id) in leased {
        let attempt = market.state.attempt(*id).ok_or("a lease is missing")?;
        let task = market.state.task(attempt.task).ok_or("a task is missing")?;
        let job = market.state.job(attempt.job).ok_or("a job is missing")?;
        let mut receipt = Receipt {
            manifest_root: Digest([1; 32]),
            trace_root: Digest([2; 32]),
            units: units::units(&task.work, job),
            claimed_ms: 1_000,
            energy_j: 0,
            signature: String::new(),
        };
        typed::sign_receipt(&domain, &providers[*n], *id, attempt.task, attempt.job, &mut receipt);
        receipts.push((providers[*n].address(), *id, attempt.task, attempt.job, receipt));
    }
    Ok(receipts)
}

/// All open audits: taken, committed with a checked signature, revealed, judged.
fn audit(market: &mut Market, validators: &[SigningKey]) -> Any<f64> {
    let domain = typed::Domain::default();
    let part = PartMeasurement {
        pixels: 600,
        equal_ppm: 1_000_000,
        over_1e3_ppm: 0,
        over_1e2_ppm: 0,
        rel_l1_ppm: 0,
    };
    let mut seconds = 0.0;
    loop {
        let mut taken: Vec<(usize, AuditId)> = Vec::new();
        let started = Instant::now();
        for (n, signer) in validators.iter().enumerate() {
            let event = Event::TakeAudits { node: signer.address(), max: 1_000, warm: vec![] };
            if let Reply::Audits(ids) = market.event(event)? {
                taken.extend(ids.into_iter().map(|id| (n, id)));
            }
        }
        seconds += started.elapsed().as_secs_f64();
        if taken.is_empty() {
            return Ok(seconds);
        }
        let files = [file("crop_0.f32".into()), file("result.json".into())];
        let signed: Vec<_> = taken
            .iter()
            .map(|(n, id)| {
                let node = validators[*n].address();
                let claim = typed::AuditCommitment::to_files(*id, node, &files);
                let signature = claim.sign(&domain, &validators[*n]);
                (node, *id, claim, signature)
            })
            .collect();
        let started = Instant::now();
        let measurement = Measurement { fault: None, sentence: String::new(), parts: vec![part, part] };
        std::thread::scope(|scope| -> Any<()> {
            let (checked, ready) = mpsc::sync_channel(4_096);
            let domain = &domain;
            scope.spawn(move || {
                for (node, audit, claim, signature) in signed {
                    if claim.check(domain, &signature).is_ok() {
                        let _ = checked.send((node, audit, claim.files_root));
                    }
                }
            });
            for (node, audit, commitment) in ready {
                market.event(Event::CommitAudit { node, audit, commitment })?;
                market.event(Event::RevealAudit { node, audit, files: files.to_vec(), work_ms: 50 })?;
                market.event(Event::Judge {
                    audit,
                    measurement: measurement.clone(),
                    agrees_with: vec![],
                })?;
            }
            market.commit()
        })?;
        seconds += started.elapsed().as_secs_f64();
    }
}

fn file(name: String) -> OutputFile {
    OutputFile { name, blob: BlobId([4; 32]), bytes: 10 }
}
