//! Large bodies that are held in memory at once: so many of one peer, so many in all.
//!
//! A body is held whole until its signature was checked, so nobody can be asked for a name first.

use crate::{error::ApiError, limits::ByPeer};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tower_governor::key_extractor::KeyExtractor as _;

/// Of one peer.
const EACH: usize = 32;
/// Of all peers; 2 GiB where all are chunks of the largest size.
const ALL: usize = 256;

type Peer = (IpAddr, u16);

/// Who has how many.
#[derive(Debug, Default)]
pub(crate) struct Bodies(Mutex<HashMap<Peer, usize>>);

/// One that is counted until it is dropped.
#[derive(Debug)]
struct Held {
    bodies: Arc<Bodies>,
    peer: Peer,
}

impl Bodies {
    fn hold(self: Arc<Self>, peer: Peer) -> Result<Held, ApiError> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.get(&peer).is_some_and(|n| *n >= EACH) {
            return Err(ApiError::too_many(format!(
                "{EACH} uploads from your address are under way; wait for one of them to end"
            )));
        }
        if open.values().sum::<usize>() >= ALL {
            return Err(ApiError::unavailable(
                "as many uploads are under way as this server takes at once; try again in a moment",
            ));
        }
        *open.entry(peer).or_default() += 1;
        drop(open);
        Ok(Held { bodies: self, peer })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut open = self.bodies.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(n) = open.get_mut(&self.peer) {
            *n -= 1;
            if *n == 0 {
                open.remove(&self.peer);
            }
        }
    }
}

/// Counts the request's body for as long as it is answered.
pub(crate) async fn count(State(bodies): State<Arc<Bodies>>, request: Request, next: Next) -> Response {
    let held = match ByPeer.extract(&request) {
        Ok(peer) => bodies.hold(peer),
        Err(error) => Err(ApiError::internal(&error)),
    };
    match held {
        Ok(_held) => next.run(request).await,
        Err(refused) => refused.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_counted_for_each_peer_and_for_all_until_they_end() {
        let bodies = Arc::new(Bodies::default());
        let hold = |peer: u16| Arc::clone(&bodies).hold(([10, 0, 0, 1].into(), peer));
        let mut held: Vec<_> = (0..EACH).map(|_| hold(1).unwrap()).collect();
        assert_eq!(hold(1).unwrap_err().status, 429);
        held.pop();
        held.push(hold(1).unwrap());
        for n in 0..ALL - EACH {
            held.push(hold(2 + u16::try_from(n / EACH).unwrap()).unwrap());
        }
        assert_eq!(hold(500).unwrap_err().status, 503);
        drop(held);
        assert!(bodies.0.lock().unwrap().is_empty());
    }
}
