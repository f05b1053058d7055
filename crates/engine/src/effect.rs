//! What the server does after a commit. Every effect is a hint that is safe to repeat or to lose:
//! what must happen is visible in the state, and start-up performs it again.

use tatau_model::{AttemptId, AuditId, JobId};

/// One effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// There may be work to lease.
    WakeProviders,
    /// There may be audits to take.
    WakeValidators,
    /// Something about the job changed: its followers look again.
    WakeJob(JobId),
    /// A node's lease ended from outside (cancelled, expired): tell it to stop.
    StopAttempt(AttemptId),
    /// Compare this revealed audit with its claim.
    Judge(AuditId),
}
