//! Every number of the market's rules. Defaults are explained in docs/economics.md.

use serde::{Deserialize, Serialize};
use tatau_model::Amount;

/// The rules of one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Platform fee, ppm of a posted price.
    pub fee_ppm: u64,
    /// Audit pay: cost plus this, ppm.
    pub audit_margin_ppm: u64,
    /// Stake reserved an attempt, times its pay.
    pub stake_factor: u64,
    /// A newcomer is established once its stake reaches this …
    pub earn_in_stake: Amount,
    /// … and this many attempts were accepted.
    pub earn_in_accepted: u64,
    /// Dispute window of accepted work, ms.
    pub dispute_ms: u64,
    /// Unbonding time, ms; longer than the dispute window.
    pub unbond_ms: u64,
    /// A silent node loses its leases after this, ms.
    pub node_silence_ms: u64,
    /// A lease lasts this factor times the expected time …
    pub lease_factor: u64,
    /// … plus this, ms.
    pub lease_grace_ms: u64,
    /// Outputs are due this long after the receipt, ms.
    pub delivery_ms: u64,
    /// An assigned audit returns to the queue after this, ms.
    pub audit_ms: u64,
    /// A delivered result without a verdict is given up after this, ms: nobody is paid, nobody slashed, all money returns.
    pub verdict_ms: u64,
    /// Audits that one node may hold at once.
    pub audits_per_node: usize,
    /// Jobs not ended that one owner may have.
    pub jobs_per_owner: usize,
    /// Nodes that one owner may have.
    pub nodes_per_owner: usize,
    /// Crops an audit.
    pub crops: u32,
    /// Area of a crop, ppm of the frame.
    pub crop_ppm: u32,
    /// Audit share of finishing and inspection work of established providers, ppm.
    pub rerun_ppm: u64,
    /// Audits of one attempt before it is called inconclusive.
    pub max_audits: u32,
    /// Attempts at one task before the job pauses.
    pub max_attempts: u32,
    /// Leases a card may hold at once (one runs, one is prefetched).
    pub leases_per_card: u32,
    /// Starter credit of a new account (local servers only; zero elsewhere).
    pub starter_credit: Amount,
    /// The operator's float for audits, put up when the platform first starts.
    pub audit_float: Amount,
    /// Lifts the rule that validators and providers sit in different network blocks (local servers only).
    pub same_block_allowed: bool,
    /// Of slashed money: burned, ppm (at least half); insurance gets `insurance_ppm`, the provers the rest.
    pub burn_ppm: u64,
    /// Of slashed money: to insurance, ppm.
    pub insurance_ppm: u64,
    /// Free stake that a validator needs.
    pub validator_stake: Amount,
    /// Least price of any lease.
    pub least_price: Amount,
    /// Accepted tasks, without a stake fault, that make an account trusted by everybody…
    pub trusted_accepted: u64,
    /// …together with so much stake.
    pub trusted_stake: Amount,
}

impl Default for Config {
    fn default() -> Self {
        let minute = 60_000;
        let hour = 60 * minute;
        Self {
            fee_ppm: 50_000,
            audit_margin_ppm: 200_000,
            stake_factor: 10,
            earn_in_stake: Amount::tatau(1),
            earn_in_accepted: 10,
            dispute_ms: 24 * hour,
            unbond_ms: 7 * 24 * hour,
            node_silence_ms: 45_000,
            lease_factor: 8,
            lease_grace_ms: 3 * minute,
            delivery_ms: 10 * minute,
            audit_ms: 5 * minute,
            verdict_ms: 3 * 24 * hour,
            audits_per_node: 64,
            jobs_per_owner: 200,
            nodes_per_owner: 1_000,
            crops: 6,
            crop_ppm: 1_600,
            rerun_ppm: 200_000,
            max_audits: 5,
            max_attempts: 5,
            leases_per_card: 2,
            starter_credit: Amount::ZERO,
            audit_float: Amount::ZERO,
            same_block_allowed: false,
            burn_ppm: 500_000,
            insurance_ppm: 250_000,
            validator_stake: Amount::tatau(1),
            least_price: Amount(1_000),
            trusted_accepted: 1_000,
            trusted_stake: Amount::tatau(100),
        }
    }
}

impl Config {
    /// A server on one's own machine: starter credit, a float for audits, short windows, one network block.
    pub fn local() -> Self {
        Self {
            dispute_ms: 20_000,
            unbond_ms: 60_000,
            node_silence_ms: 20_000,
            lease_grace_ms: 90_000,
            delivery_ms: 60_000,
            audit_ms: 90_000,
            earn_in_stake: Amount(200_000),
            earn_in_accepted: 3,
            starter_credit: Amount::tatau(100),
            audit_float: Amount::tatau(100),
            same_block_allowed: true,
            ..Self::default()
        }
    }
}
