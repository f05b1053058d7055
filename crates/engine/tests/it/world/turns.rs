//! What everybody does in a moment.

use super::{Character, Provider, Validator, World, file};
use rand::RngExt;
use std::collections::HashSet;
use tatau_engine::{Event, Reply, Terms};
use tatau_model::{
    Address, Amount, AttemptId, AuditId, AuditState, Digest, Measurement, OutputFile, Receipt,
    audit::PartMeasurement,
};
use tatau_workload::{trace, units};

impl World {
    /// Two honest providers and so many validators, with every card measured.
    pub fn measured(seed: u64, validators: usize) -> Self {
        let mut world = Self::new(seed);
        world.populate(&[Character::Honest, Character::Honest], validators);
        while world.state.nodes().any(|node| node.cards.iter().any(|card| card.score_milli.is_none())) {
            world.work_and_wait();
        }
        world
    }

    /// A moment passes; everybody does their part.
    pub fn work_and_wait(&mut self) {
        self.providers_work();
        for index in 0..self.validators.len() {
            self.validator_turn(index);
        }
        self.must(Event::Tick);
    }

    /// A moment passes, and no validator is there.
    pub fn providers_work(&mut self) {
        self.now = self.now.plus(self.rng.random_range(100..1_500));
        for index in 0..self.providers.len() {
            self.provider_turn(index);
        }
        if self.state.has_unsealed_receipts() {
            let beacon = Digest(self.rng.random());
            self.must(Event::CloseEpoch { beacon });
        }
    }

    /// A validator takes audits, at most so many; and its owner.
    pub fn take_audits(&mut self, validator: usize, max: u16) -> (Address, Address, Vec<AuditId>) {
        let Validator { node, owner, .. } = self.validators[validator];
        match self.must(Event::TakeAudits { node, max, warm: vec![] }) {
            Reply::Audits(ids) => (node, owner, ids),
            other => panic!("{other:?}"),
        }
    }

    /// Nobody does anything for so long; the platform's clock goes on.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now.plus(ms);
        while self.now < end {
            self.now = self.now.plus(5_000);
            self.must(Event::Tick);
        }
    }

    /// What a buyer may think of.
    pub(super) fn any_terms(&mut self) -> Terms {
        Terms {
            cap: self.rng.random_bool(0.5).then(|| Amount(self.rng.random_range(0..6_000_000_000))),
            priority: self.rng.random_bool(0.5).then(|| self.rng.random()),
            deadline: self.rng.random_bool(0.5).then(|| self.now.plus(self.rng.random_range(0..90_000))),
        }
    }

    pub fn audit_faults(&self, owner: Address) -> u64 {
        self.state.account(&owner).expect("an account").audit_faults
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
            self.check_audit(node, id);
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
}
