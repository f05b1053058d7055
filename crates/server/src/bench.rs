//! The writer as the server runs it, within reach of benchmarks. Nothing of the product uses this.

use crate::{
    error::ApiError,
    wakes::Wakes,
    writer::{Writer, WriterError},
};
use std::sync::Arc;
use tatau_engine::{Event, Refusal, Reply, State};
use tatau_store::Store;
use tokio::sync::oneshot;

/// A market without HTTP: events in, durable answers out. Cheap to clone.
#[derive(Clone)]
pub struct Market {
    writer: Writer,
}

/// How the market's threads ended.
pub type Ended = oneshot::Receiver<Result<(), WriterError>>;

/// The writer stopped or is busy; its own sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unanswered(String);

impl From<ApiError> for Unanswered {
    fn from(error: ApiError) -> Self {
        Self(error.sentence)
    }
}

impl Market {
    /// Starts the writer's threads on a state that the store holds already.
    pub fn start(state: State, store: Store) -> std::io::Result<(Self, Ended)> {
        // No comparator listens: what it should judge is judged by the benchmark.
        let (wakes, _) = Wakes::new();
        let (writer, ended) = Writer::start(state, store, Arc::new(wakes))?;
        Ok((Self { writer }, ended))
    }

    /// Several events in order; answered after their commit.
    pub async fn events(&self, events: Vec<Event>) -> Result<Vec<Result<Reply, Refusal>>, Unanswered> {
        Ok(self.writer.events(events).await?)
    }

    /// Looks at the state between two events.
    pub async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Result<T, Unanswered> {
        Ok(self.writer.read(look).await?)
    }

    /// Commits what is queued and ends the threads.
    pub async fn stop(&self) {
        self.writer.stop().await;
    }
}
