//! Wrong passwords are few: tries are counted by name and by address, right ones are taken off again.

use crate::error::ApiError;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};
use tatau_model::{Clock, Millis, SystemClock};

/// Tries are counted over this time, ms: 15 minutes.
const WINDOW_MS: u64 = 900_000;
/// Wrong passwords: of one name, from one address (IPv6: /64), and from this machine, which is everybody behind a proxy on it.
const PASSWORDS: [u32; 3] = [10, 40, 1_000];
/// New accounts; they have no name yet.
const SIGN_UPS: [u32; 3] = [u32::MAX, 10, 200];
/// Names and addresses that are remembered at once.
const MOST: usize = 100_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Name(String),
    Peer(IpAddr),
}

/// Everybody's tries. They live in memory: a restart forgives.
#[derive(Debug)]
pub(crate) struct Tries {
    most: [u32; 3],
    seen: Mutex<HashMap<Key, (u32, Millis)>>,
}

/// One try that counts as wrong until it is said to be right.
pub(crate) struct Try<'a> {
    tries: &'a Tries,
    keys: [Key; 2],
}

impl Tries {
    /// For passwords.
    pub(crate) fn passwords() -> Self {
        Self { most: PASSWORDS, seen: Mutex::default() }
    }

    /// For new accounts.
    pub(crate) fn sign_ups() -> Self {
        Self { most: SIGN_UPS, seen: Mutex::default() }
    }

    /// Counts a try; an error where there were too many.
    pub(crate) fn begin(&self, name: &str, peer: IpAddr) -> Result<Try<'_>, ApiError> {
        self.begin_at(name, peer, SystemClock.now())
    }

    fn begin_at(&self, name: &str, peer: IpAddr, now: Millis) -> Result<Try<'_>, ApiError> {
        let [by_name, by_peer, by_neighbour] = self.most;
        let by_peer = if peer.is_loopback() { by_neighbour } else { by_peer };
        let keys = [Key::Name(name.to_owned()), Key::Peer(network(peer))];
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() + keys.len() > MOST {
            seen.retain(|_, (_, since)| now.since(*since) < WINDOW_MS);
            if seen.len() + keys.len() > MOST {
                return Err(ApiError::unavailable(
                    "very many people sign in just now; try again in a few minutes",
                ));
            }
        }
        for (key, most) in keys.iter().zip([by_name, by_peer]) {
            let Some((count, since)) = seen.get(key) else { continue };
            let passed = now.since(*since);
            if *count >= most && passed < WINDOW_MS {
                let minutes = (WINDOW_MS - passed).div_ceil(60_000);
                let whose = if matches!(key, Key::Name(_)) { "for this name" } else { "from your address" };
                return Err(ApiError::too_many(format!(
                    "too many tries {whose}; wait {}, or sign in with `tatau open`",
                    tatau_ui::words::count(minutes, "minute")
                )));
            }
        }
        for key in &keys {
            let (count, since) = seen.entry(key.clone()).or_insert((0, now));
            if now.since(*since) >= WINDOW_MS {
                (*count, *since) = (0, now);
            }
            *count += 1;
        }
        drop(seen);
        Ok(Try { tries: self, keys })
    }
}

impl Try<'_> {
    /// It was right: the name starts anew, the address gets this one back.
    pub(crate) fn right(self) {
        let mut seen = self.tries.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let [name, peer] = &self.keys;
        seen.remove(name);
        if let Some((count, _)) = seen.get_mut(peer) {
            *count = count.saturating_sub(1);
        }
    }
}

/// Whoever has an IPv6 address has its whole /64.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => IpAddr::V6((u128::from(ip) & !u128::from(u64::MAX)).into()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn far(n: u8) -> IpAddr {
        IpAddr::from([203, 0, 113, n])
    }

    #[test]
    fn a_name_is_tried_ten_times_in_a_while_from_wherever() {
        let tries = Tries::passwords();
        for n in 0..10 {
            assert!(tries.begin_at("ana", far(n), Millis(0)).is_ok());
        }
        let refused = tries.begin_at("ana", far(77), Millis(1)).err().unwrap();
        assert!(
            refused.sentence.contains("15 minutes") && refused.sentence.contains("tatau open"),
            "{refused:?}"
        );
        assert!(tries.begin_at("ben", far(77), Millis(1)).is_ok());
        assert!(tries.begin_at("ana", far(77), Millis(900_000)).is_ok(), "the window is over");
    }

    #[test]
    fn an_address_tries_many_names_only_so_often_and_right_ones_are_free() {
        let tries = Tries::passwords();
        for n in 0..200 {
            tries.begin_at(&format!("right{n}"), far(1), Millis(0)).unwrap().right();
        }
        for n in 0..40 {
            assert!(tries.begin_at(&format!("wrong{n}"), far(1), Millis(0)).is_ok(), "{n}");
        }
        assert!(tries.begin_at("another", far(1), Millis(0)).is_err());
        assert!(tries.begin_at("another", far(2), Millis(0)).is_ok());
        let home: IpAddr = "2001:db8::1".parse().unwrap();
        let same: IpAddr = "2001:db8::ffff".parse().unwrap();
        assert_eq!(network(home), network(same));
        assert_eq!(network("::ffff:203.0.113.1".parse().unwrap()), far(1));
    }

    #[test]
    fn a_right_password_forgives_the_wrong_ones_before_it() {
        let tries = Tries::passwords();
        for _ in 0..9 {
            drop(tries.begin_at("ana", far(1), Millis(0)));
        }
        tries.begin_at("ana", far(1), Millis(0)).unwrap().right();
        assert!(tries.begin_at("ana", far(1), Millis(0)).is_ok());
    }
}
