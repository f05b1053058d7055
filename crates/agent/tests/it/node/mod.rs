//! An agent that runs against a platform in memory.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses its part, and fails where it cannot go on

use crate::support::{Fake, options};
use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tatau_agent::{AgentEvent, ProvideError, ProvideOptions, provide_on};
use tatau_worker::{Membership, Stop};
use tokio::{sync::watch, task::JoinHandle};

pub struct Node {
    pub stop: watch::Sender<Stop>,
    running: JoinHandle<Result<(), ProvideError>>,
    events: Arc<Mutex<Vec<AgentEvent>>>,
    pub address: tatau_model::Address,
}

impl Node {
    pub fn start(fake: &Fake, root: &Path) -> Self {
        Self::start_with(fake, root, |_| {})
    }

    pub fn start_with(fake: &Fake, root: &Path, change: impl FnOnce(&mut ProvideOptions)) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let mut options = ProvideOptions::new("http://nowhere".into(), options(root, "agent-session"));
        let heard = Arc::clone(&events);
        options.on = Arc::new(move |event| heard.lock().unwrap().push(event));
        change(&mut options);
        let membership = Membership::open(&options.node.data_dir, &mut rand::rng()).unwrap();
        let address = membership.key.address();
        let (stop, signal) = watch::channel(Stop::Run);
        let running = tokio::spawn(provide_on(fake.clone(), membership, options, signal));
        Self { stop, running, events, address }
    }

    pub async fn end(self, stop: Stop) -> Vec<AgentEvent> {
        self.stop.send_replace(stop);
        let ended = tokio::time::timeout(Duration::from_secs(30), self.running).await;
        ended.expect("it stops").unwrap().unwrap();
        self.events.lock().unwrap().clone()
    }

    pub fn heard(&self, is: impl Fn(&AgentEvent) -> bool) -> usize {
        self.events.lock().unwrap().iter().filter(|e| is(e)).count()
    }

    /// Waits until something like it was heard.
    pub async fn until(&self, what: &str, is: impl Fn(&AgentEvent) -> bool) {
        let waiting = async {
            while self.heard(&is) == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let heard = tokio::time::timeout(Duration::from_secs(30), waiting).await;
        assert!(heard.is_ok(), "never: {what}; {:?}", self.events.lock().unwrap());
    }
}
