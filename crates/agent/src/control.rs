//! What the agent's loop hears from outside while it runs: which cards may work, what to offer, whom to quiet before work begins.

use crate::{decide::Ruling, idle_command::IdleRunner, options::DEFAULT_ASK};
use std::{collections::BTreeMap, sync::Arc};
use tatau_model::{Address, Amount};
use tokio::sync::watch;

/// What goes into the offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wishes {
    /// Price of one hour of a GTX 1080 Ti's worth of work.
    pub ask: Amount,
    /// Buyers whose work is not taken.
    pub blocked: Vec<Address>,
    /// Kinds of work that are not taken.
    pub refused: Vec<String>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self { ask: DEFAULT_ASK, blocked: Vec::new(), refused: Vec::new() }
    }
}

/// Ears of the loop. The default hears nothing: every card may work, at the default price.
#[derive(Debug, Clone)]
pub struct Control {
    /// What each card may do; one that is not named may work.
    pub rulings: watch::Receiver<BTreeMap<u16, Ruling>>,
    /// What to offer.
    pub wishes: watch::Receiver<Wishes>,
    /// The owner's command, ended before work begins.
    pub idle: Option<Arc<IdleRunner>>,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            rulings: watch::channel(BTreeMap::new()).1,
            wishes: watch::channel(Wishes::default()).1,
            idle: None,
        }
    }
}

impl Control {
    /// Nothing but a price.
    pub fn asking(ask: Amount) -> Self {
        Self { wishes: watch::channel(Wishes { ask, ..Wishes::default() }).1, ..Self::default() }
    }
}

/// The next change; never, where nobody can make one any more.
pub(crate) async fn changed<T>(heard: &mut watch::Receiver<T>) {
    if heard.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
