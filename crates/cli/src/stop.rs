//! Ctrl-C, heard from the first step of a command to its last.

use crate::exit::Ended;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// One ear for the whole command: what is pressed between two steps is heard at the next. (A new
/// `ctrl_c()` for each step would hear nothing between them, and the key would do nothing at all.)
pub struct Stop(Signal);

impl Stop {
    /// # Errors
    /// The system refuses to have the signal handled.
    pub fn listen() -> std::io::Result<Stop> {
        Ok(Stop(signal(SignalKind::interrupt())?))
    }

    /// What `work` comes to, or `ended` where Ctrl-C is pressed before.
    pub async fn unless<T>(
        &mut self,
        ended: fn() -> Ended,
        work: impl Future<Output = T>,
    ) -> Result<T, Ended> {
        tokio::select! {
            done = work => Ok(done),
            () = self.asked() => Err(ended()),
        }
    }

    /// Returns when Ctrl-C was pressed, since [`Stop::listen`] or the last return.
    pub async fn asked(&mut self) {
        self.0.recv().await;
    }
}
