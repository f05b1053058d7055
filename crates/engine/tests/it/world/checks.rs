//! What must be so whenever work is handed out, and what tests ask of cards.

use super::World;
use tatau_engine::Event;
use tatau_model::{Address, AttemptId, AuditId, Card, Device, JobId};

impl World {
    /// A node has other cards from now on.
    pub fn set_cards(&mut self, node: Address, cards: Vec<Card>) {
        let offer = self.state.node(&node).expect("a node").offer.clone();
        self.must(Event::SetOffer { node, offer, cards: Some(cards) });
    }

    pub fn validator(&self, index: usize) -> Address {
        self.validators[index].node
    }

    /// Failures of a job's tasks: who, and with which code.
    pub fn failures(&self, job: JobId) -> impl Iterator<Item = (Address, &str)> {
        let failures = self.state.tasks_of(job).flat_map(|task| &task.failures);
        failures.map(|failure| (failure.provider, failure.code.as_str()))
    }

    /// Nobody is given what its offer does not take, no card what it cannot do.
    pub(super) fn check_taken(&self, id: AttemptId) {
        let attempt = self.state.attempt(id).expect("a lease just given");
        let offer = &self.state.node(&attempt.node).expect("its node").offer;
        let (task, job) = (self.state.task(attempt.task), self.state.job(attempt.job));
        let (work, buyer) = (&task.expect("its task").work, job.expect("its job").owner);
        assert!(offer.takes(&buyer, work), "seed {}: {id} is {} of {buyer}", self.seed, work.label());
        let card = &self.state.node(&attempt.node).expect("its node").cards[usize::from(attempt.card)];
        let device = if work.is_on_device() { job.expect("its job").device() } else { Device::Cpu };
        assert!(card.renders_on(device), "seed {}: {id} is {} on {card:?}", self.seed, work.label());
    }

    /// Nobody checks what its cards cannot render.
    pub(super) fn check_audit(&self, node: Address, id: AuditId) {
        let audit = self.state.audit(id).expect("an audit just taken");
        let (task, job) = (self.state.task(audit.task).expect("its task"), self.state.job(audit.job));
        let device = job.expect("its job").device();
        let able = self.state.node(&node).expect("its node").cards.iter().any(|card| card.renders_on(device));
        let free = device.is_cpu() || !task.work.is_on_device();
        assert!(free || able, "seed {}: {id} of {} by {node}", self.seed, task.work.label());
    }
}
