//! One lease on every place of every card, all the way to settlement.
//!
//! Nodes speak at the same time, as over HTTP; what the parties do themselves (sign, wait for a window) is not timed.

use crate::crowd::{Any, Crowd, Size, file};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tatau_engine::{Event, Reply, State};
use tatau_evidence::{Signature, SigningKey, manifest_root, typed};
use tatau_model::{
    Address, AttemptId, AuditId, Digest, JobId, Measurement, OutputFile, Receipt, TaskId,
    audit::PartMeasurement,
};
use tatau_server::bench::{Market, Unanswered};
use tatau_workload::{trace, units};
use tokio::task::JoinSet;

/// Audits in one answer, as in the server.
const AUDITS: u16 = 64;

/// What one round, or several, came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Round {
    pub n: usize,
    pub seconds: f64,
    pub events: usize,
    pub audits: usize,
}

impl Round {
    pub fn add(&mut self, other: &Self) {
        self.n += other.n;
        self.seconds += other.seconds;
        self.events += other.events;
        self.audits += other.audits;
    }
}

pub struct Bench {
    market: Market,
    crowd: Arc<Crowd>,
    size: Size,
    batch: usize,
}

/// A lease, and what its receipt says.
#[derive(Debug, Clone)]
pub struct Signed {
    pub attempt: AttemptId,
    pub receipt: Receipt,
    pub files: Vec<OutputFile>,
}

type Leased = HashMap<Address, Vec<AttemptId>>;

impl Bench {
    pub fn new(market: Market, crowd: Crowd, size: Size, batch: usize) -> Self {
        Self { market, crowd: Arc::new(crowd), size, batch }
    }

    /// What is ready first: frames, or the pictures of the frames that were accepted.
    pub async fn round(&mut self) -> Any<Round> {
        let mut round = Round::default();
        let counts = self.market.read(|state| state.counts(JobId(1))).await?;
        let pictures = counts.accepted - 2 * counts.finishes;
        let most = if pictures > 0 { pictures } else { self.size.round() };
        let started = Instant::now();
        let leased = self.lease(most).await?;
        round.seconds += started.elapsed().as_secs_f64();
        round.n = leased.values().map(Vec::len).sum();
        round.events += most;

        let signed = self.sign(&leased).await?;
        let started = Instant::now();
        self.deliver(signed).await?;
        self.tell(vec![Event::CloseEpoch { beacon: Digest([5; 32]) }]).await?;
        round.seconds += started.elapsed().as_secs_f64();
        round.events += 2 * round.n + 1;

        self.audit(&mut round).await?;

        // The dispute window.
        tokio::time::sleep(Duration::from_millis(3)).await;
        let ticks = vec![Event::Tick; round.n / 1_000 + 1];
        round.events += ticks.len();
        let started = Instant::now();
        self.tell(ticks).await?;
        round.seconds += started.elapsed().as_secs_f64();
        Ok(round)
    }

    async fn tell(&self, events: Vec<Event>) -> Any<Vec<Reply>> {
        Ok(tell(&self.market, events, self.batch).await?)
    }

    /// As agents poll: one lease at a time. At most so many, so that frames and pictures do not mix.
    async fn lease(&self, most: usize) -> Any<Leased> {
        let mut nodes = JoinSet::new();
        let each = most.div_ceil(self.crowd.providers.len());
        for (n, signer) in self.crowd.providers.iter().enumerate() {
            let (market, batch, node) = (self.market.clone(), self.batch, signer.address());
            let cards = (0..self.size.cards).cycle().take(each.min(most.saturating_sub(n * each)));
            let events = cards.map(|card| Event::Lease { node, cards: vec![card], warm: vec![] });
            let events: Vec<Event> = events.collect();
            nodes.spawn(async move {
                let replies = tell(&market, events, batch).await?;
                let ids = replies.into_iter().filter_map(|reply| match reply {
                    Reply::Leases(ids) => Some(ids),
                    _ => None,
                });
                Ok::<_, Unanswered>((node, ids.flatten().collect()))
            });
        }
        let mut leased = Leased::new();
        while let Some(node) = nodes.join_next().await {
            let (node, ids) = node??;
            leased.insert(node, ids);
        }
        Ok(leased)
    }

    async fn sign(&self, leased: &Leased) -> Any<Vec<(Address, Vec<Signed>)>> {
        let mut all = Vec::new();
        for signer in &self.crowd.providers {
            let ids = leased.get(&signer.address()).cloned().unwrap_or_default();
            let claims = self.market.read(move |state| {
                ids.iter().map(|id| claim(state, *id)).collect::<Result<Vec<_>, &'static str>>()
            });
            let signed = claims.await??.into_iter().map(|claim| claim.sign(signer)).collect();
            all.push((signer.address(), signed));
        }
        Ok(all)
    }

    /// Receipts in batches, then deliveries; signatures and manifests are checked as the routes do.
    async fn deliver(&self, signed: Vec<(Address, Vec<Signed>)>) -> Any<()> {
        let mut nodes = JoinSet::new();
        for (node, all) in signed {
            let (market, batch) = (self.market.clone(), self.batch);
            nodes.spawn(async move {
                let domain = typed::Domain::default();
                for part in all.chunks(batch) {
                    let ids: Vec<AttemptId> = part.iter().map(|s| s.attempt).collect();
                    let known = market
                        .read(move |s| ids.iter().map(|id| s.attempt(*id).cloned()).collect::<Vec<_>>())
                        .await?;
                    let mut events = Vec::with_capacity(part.len());
                    for (signed, attempt) in part.iter().zip(known) {
                        let (id, receipt) = (signed.attempt, signed.receipt.clone());
                        let fits = attempt.is_some_and(|a| {
                            typed::check_receipt(&domain, id, a.task, a.job, node, &receipt).is_ok()
                        });
                        if fits {
                            events.push(Event::CommitReceipt { node, attempt: id, receipt });
                        }
                    }
                    tell(&market, events, batch).await?;
                    let delivered =
                        part.iter().filter(|s| manifest_root(&s.files) == s.receipt.manifest_root);
                    let events = delivered
                        .map(|s| Event::Deliver { node, attempt: s.attempt, files: s.files.clone() })
                        .collect();
                    tell(&market, events, batch).await?;
                }
                Ok::<_, Unanswered>(())
            });
        }
        while let Some(node) = nodes.join_next().await {
            node??;
        }
        Ok(())
    }

    /// All open audits: taken, committed with a checked signature, revealed, judged.
    async fn audit(&self, round: &mut Round) -> Any<()> {
        let domain = typed::Domain::default();
        let files = [file("crop_0.f32".into()), file("result.json".into())];
        loop {
            let started = Instant::now();
            let (taken, asked) = self.take().await?;
            round.events += asked;
            round.seconds += started.elapsed().as_secs_f64();
            let n: usize = taken.iter().map(Vec::len).sum();
            if n == 0 {
                return Ok(());
            }
            round.audits += n;
            round.events += 3 * n;
            let signed: Vec<(Address, Vec<Commitment>)> = self
                .crowd
                .validators
                .iter()
                .zip(taken)
                .map(|(signer, ids)| {
                    let node = signer.address();
                    let sign = |id| {
                        let claim = typed::AuditCommitment::to_files(id, node, &files);
                        let signature = claim.sign(&domain, signer);
                        Commitment { audit: id, claim, signature }
                    };
                    (node, ids.into_iter().map(sign).collect())
                })
                .collect();
            let started = Instant::now();
            self.reveal(signed, &files).await?;
            round.seconds += started.elapsed().as_secs_f64();
        }
    }

    /// What every validator got, in their order, and how often they asked.
    async fn take(&self) -> Any<(Vec<Vec<AuditId>>, usize)> {
        let mut nodes = JoinSet::new();
        for (n, signer) in self.crowd.validators.iter().enumerate() {
            let (market, node) = (self.market.clone(), signer.address());
            nodes.spawn(async move {
                let (mut all, mut asked) = (Vec::new(), 0);
                loop {
                    let event = Event::TakeAudits { node, max: AUDITS, warm: vec![] };
                    asked += 1;
                    match tell(&market, vec![event], 1).await?.pop() {
                        Some(Reply::Audits(ids)) if !ids.is_empty() => all.extend(ids),
                        _ => return Ok::<_, Unanswered>((n, all, asked)),
                    }
                }
            });
        }
        let mut taken = vec![Vec::new(); self.crowd.validators.len()];
        let mut asked = 0;
        while let Some(node) = nodes.join_next().await {
            let (n, all, times) = node??;
            taken[n] = all;
            asked += times;
        }
        Ok((taken, asked))
    }

    async fn reveal(&self, signed: Vec<(Address, Vec<Commitment>)>, files: &[OutputFile]) -> Any<()> {
        let mut nodes = JoinSet::new();
        for (node, all) in signed {
            let (market, batch, files) = (self.market.clone(), self.batch, files.to_vec());
            nodes.spawn(async move {
                let domain = typed::Domain::default();
                for part in all.chunks(batch.div_ceil(3)) {
                    let mut events = Vec::with_capacity(3 * part.len());
                    for Commitment { audit, claim, signature } in part {
                        if claim.check(&domain, signature).is_err() {
                            continue;
                        }
                        let (audit, commitment) = (*audit, claim.files_root);
                        events.push(Event::CommitAudit { node, audit, commitment });
                        events.push(Event::RevealAudit { node, audit, files: files.clone(), work_ms: 50 });
                        events.push(Event::Judge { audit, measurement: equal(), agrees_with: vec![] });
                    }
                    tell(&market, events, batch).await?;
                }
                Ok::<_, Unanswered>(())
            });
        }
        while let Some(node) = nodes.join_next().await {
            node??;
        }
        Ok(())
    }
}

struct Commitment {
    audit: AuditId,
    claim: typed::AuditCommitment,
    signature: Signature,
}

/// What the comparator finds of an honest frame: two crops, every pixel equal.
fn equal() -> Measurement {
    let part = PartMeasurement {
        pixels: 600,
        equal_ppm: 1_000_000,
        over_1e3_ppm: 0,
        over_1e2_ppm: 0,
        rel_l1_ppm: 0,
    };
    Measurement { fault: None, sentence: String::new(), parts: vec![part, part] }
}

/// In parts of `batch`, each answered before the next.
async fn tell(market: &Market, events: Vec<Event>, batch: usize) -> Result<Vec<Reply>, Unanswered> {
    let mut replies = Vec::with_capacity(events.len());
    let mut events = events.into_iter().peekable();
    while events.peek().is_some() {
        for reply in market.events(events.by_ref().take(batch).collect()).await? {
            // A benchmark that is refused would measure refusals.
            replies.push(reply.unwrap_or_else(|refusal| panic!("refused: {refusal}")));
        }
    }
    Ok(replies)
}

/// What a receipt of this lease says.
struct Claim {
    attempt: AttemptId,
    task: TaskId,
    job: JobId,
    units: u64,
    files: Vec<OutputFile>,
}

fn claim(state: &State, id: AttemptId) -> Result<Claim, &'static str> {
    let attempt = state.attempt(id).ok_or("a lease is missing")?;
    let task = state.task(attempt.task).ok_or("a task is missing")?;
    let job = state.job(attempt.job).ok_or("a job is missing")?;
    let files = trace::expected_files(&task.work).into_iter().map(file).collect();
    Ok(Claim { attempt: id, task: task.id, job: job.id, units: units::units(&task.work, job), files })
}

impl Claim {
    fn sign(self, signer: &SigningKey) -> Signed {
        let Self { attempt, task, job, units, files } = self;
        let mut receipt = Receipt {
            manifest_root: manifest_root(&files),
            trace_root: Digest([2; 32]),
            units,
            claimed_ms: 1_000,
            energy_j: 0,
            signature: String::new(),
        };
        typed::sign_receipt(&typed::Domain::default(), signer, attempt, task, job, &mut receipt);
        Signed { attempt, receipt, files }
    }
}
