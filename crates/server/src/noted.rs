//! Hints about who holds what, for questions that the state has no index for. The state decides; a lost hint costs a wait.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};
use tatau_model::Address;

/// Numbers noted for each node.
pub(crate) struct Noted<T>(Mutex<HashMap<Address, BTreeSet<T>>>);

impl<T> Default for Noted<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Ord + Copy> Noted<T> {
    /// Notes these for the node.
    pub(crate) fn note(&self, node: Address, these: impl IntoIterator<Item = T>) {
        let mut these = these.into_iter().peekable();
        if these.peek().is_some() {
            self.map().entry(node).or_default().extend(these);
        }
    }

    /// What was noted for the node.
    pub(crate) fn of(&self, node: Address) -> BTreeSet<T> {
        self.map().get(&node).cloned().unwrap_or_default()
    }

    /// Forgets these: the node does not hold them any more.
    pub(crate) fn forget(&self, node: Address, gone: impl IntoIterator<Item = T>) {
        let mut map = self.map();
        let Some(noted) = map.get_mut(&node) else { return };
        for number in gone {
            noted.remove(&number);
        }
        if noted.is_empty() {
            map.remove(&node);
        }
    }

    fn map(&self) -> MutexGuard<'_, HashMap<Address, BTreeSet<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
