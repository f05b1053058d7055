//! Ctrl-C, heard from the first step of a command to its last.

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

    /// Returns when Ctrl-C was pressed, since [`Stop::listen`] or the last return.
    pub async fn asked(&mut self) {
        self.0.recv().await;
    }
}
