//! Waiting: for a platform that does not answer, and for the word to stop.

use rand::RngExt;
use std::time::Duration;
use tatau_client::ClientError;
use tokio::sync::watch;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(10);

/// How far a node is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Stop {
    /// Go on.
    #[default]
    Run,
    /// Take nothing new, give back what was not begun, finish and deliver the rest.
    Finish,
    /// End everything; finished work is kept on disk and delivered at the next start.
    Now,
}

/// Where a node hears that it is to stop. If its sender is gone the last word stands.
pub type StopSignal = watch::Receiver<Stop>;

/// Returns once the word is at least `stop`.
pub async fn told(signal: &mut StopSignal, stop: Stop) {
    if signal.wait_for(|word| *word >= stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Pauses that double from 200 ms to 10 s, with jitter, so that a restarted server is not met by all nodes at once.
#[derive(Debug, Default)]
pub struct Backoff {
    tries: u32,
}

impl Backoff {
    /// Waits once, longer each time.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.pause()).await;
    }

    fn pause(&mut self) -> Duration {
        let full = FIRST.saturating_mul(1 << self.tries.min(16)).min(LONGEST);
        self.tries = self.tries.saturating_add(1);
        full.mul_f64(rand::rng().random_range(0.5..1.0))
    }

    /// It worked: the next pause is short again.
    pub fn reset(&mut self) {
        self.tries = 0;
    }
}

/// Nobody answered, or not in a way that says no: worth asking again.
pub fn worth_waiting(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable(_) | ClientError::Malformed(_) => true,
        // 426: this program is too old; what it has finished waits for the newer one.
        ClientError::Refused { status, .. } => matches!(status, 401 | 408 | 425 | 426 | 429 | 500..=599),
        ClientError::File(_) => false,
    }
}

/// Does a refused poll mean that this node has no business here? Everything else may pass: stake that is still missing, a
/// platform that is busy or of another mind a moment later.
pub fn unwelcome(error: &ClientError) -> bool {
    matches!(error.status(), Some(400 | 403 | 405 | 413 | 422))
}
