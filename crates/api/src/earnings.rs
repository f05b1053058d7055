//! What a node earned: the ledger's own numbers.

use serde::{Deserialize, Serialize};
use tatau_model::{Address, Amount, Millis};

/// Since the begin of the caller's day, of its month, and ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Spans {
    /// Since midnight, nano-TATAU.
    #[schema(value_type = i64)]
    pub today: Amount,
    /// Since the first of the month.
    #[schema(value_type = i64)]
    pub month: Amount,
    /// Ever.
    #[schema(value_type = i64)]
    pub all: Amount,
}

/// Earnings of a card, or of cards together. `earned.all` is `paid.all`, `pending` and `forfeited`, to the last nano.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Earned {
    /// For accepted work, by the time of its acceptance; and for work that its buyer cut short.
    pub earned: Spans,
    /// Of it, paid out, by the time of that. During earn-in it is paid into the stake.
    pub paid: Spans,
    /// Of it, waiting for the dispute window.
    #[schema(value_type = i64)]
    pub pending: Amount,
    /// Of it, taken by a slash before it was paid out.
    #[schema(value_type = i64)]
    pub forfeited: Amount,
    /// Stake and unsettled pay taken for wrong or undelivered work.
    #[schema(value_type = i64)]
    pub slashed: Amount,
    /// Tasks accepted.
    pub accepted: u64,
    /// Tasks rejected.
    pub rejected: u64,
    /// Leases lost before a receipt by this side's doing.
    pub lost: u64,
}

/// One card.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CardEarnings {
    /// Its number on the node.
    pub card: u16,
    /// What it earned.
    #[serde(flatten)]
    pub earned: Earned,
}

/// What all cards of an account ever earned, nano-TATAU. `earned` is `paid`, `pending` and `forfeited`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Totals {
    /// For accepted work.
    #[schema(value_type = i64)]
    pub earned: Amount,
    /// Of it, paid out.
    #[schema(value_type = i64)]
    pub paid: Amount,
    /// Of it, waiting for the dispute window: the account's balance of that name.
    #[schema(value_type = i64)]
    pub pending: Amount,
    /// Of it, taken before it was paid out.
    #[schema(value_type = i64)]
    pub forfeited: Amount,
    /// Stake and unsettled pay taken.
    #[schema(value_type = i64)]
    pub slashed: Amount,
}

/// How far a newcomer is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EarnIn {
    /// It is complete: stake and record suffice.
    pub complete: bool,
    /// Stake so far, nano-TATAU.
    #[schema(value_type = i64)]
    pub stake: Amount,
    /// Stake at which it is complete.
    #[schema(value_type = i64)]
    pub stake_needed: Amount,
    /// Tasks accepted so far.
    pub accepted: u64,
    /// Tasks after which it is complete.
    pub accepted_needed: u64,
    /// Stake faults; three bar an account.
    pub faults: u64,
    /// No more work is given to this account.
    pub barred: bool,
}

/// `GET /v1/nodes/me/earnings?utc_offset_minutes=N`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Earnings {
    /// The account that is paid.
    #[schema(value_type = String)]
    pub owner: Address,
    /// Begin of the caller's day.
    #[schema(value_type = i64)]
    pub day: Millis,
    /// Begin of its month.
    #[schema(value_type = i64)]
    pub month: Millis,
    /// This node's cards that have ended a lease.
    pub cards: Vec<CardEarnings>,
    /// They together.
    pub node: Earned,
    /// All nodes of the account together.
    pub account: Totals,
    /// How far earn-in is.
    pub earn_in: EarnIn,
}
