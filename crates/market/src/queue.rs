//! In which order the jobs of one queue are asked for work.

use std::{cmp::Reverse, collections::BTreeMap};
use tatau_model::{Address, Millis};

/// Every owner's places in the queue stay that owner's; within them the higher priority comes first, then who came first. So nobody
/// gets ahead of others by a number. `of`: owner and priority; `None` keeps its place.
pub fn by_priority<T: Copy>(queue: &mut [T], of: impl Fn(&T) -> Option<(Address, i8)>) {
    let mut owners: BTreeMap<Address, Vec<(usize, i8)>> = BTreeMap::new();
    for (place, item) in queue.iter().enumerate() {
        if let Some((owner, priority)) = of(item) {
            owners.entry(owner).or_default().push((place, priority));
        }
    }
    for places in owners.into_values() {
        if places.iter().all(|(_, priority)| Some(*priority) == places.first().map(|(_, p)| *p)) {
            continue;
        }
        let mut sorted = places.clone();
        sorted.sort_by_key(|(place, priority)| (Reverse(*priority), *place));
        let items: Vec<Option<T>> = sorted.iter().map(|(place, _)| queue.get(*place).copied()).collect();
        for ((place, _), item) in places.iter().zip(items) {
            if let (Some(slot), Some(item)) = (queue.get_mut(*place), item) {
                *slot = item;
            }
        }
    }
}

/// Will a job be done by its deadline, if the rest takes as long for each task as what is done? Before the first is done: until then.
pub fn in_time(created: Millis, deadline: Millis, now: Millis, done: usize, total: usize) -> bool {
    let (done, left) = (done as u64, total.saturating_sub(done) as u64);
    let rest = now.since(created).saturating_mul(left).checked_div(done).unwrap_or(0);
    left == 0 || now.plus(rest) <= deadline
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_keep_their_places_and_fill_them_as_they_like() {
        let (a, b) = (Address([1; 20]), Address([2; 20]));
        let mut queue = [
            ("a1", Some((a, 0))),
            ("b1", Some((b, 0))),
            ("x", None),
            ("a2", Some((a, 7))),
            ("b2", Some((b, -3))),
            ("a3", Some((a, 7))),
        ];
        by_priority(&mut queue, |(_, of)| *of);
        assert_eq!(queue.map(|(name, _)| name), ["a2", "b1", "x", "a3", "b2", "a1"]);
        let mut same = [("a1", Some((a, 5))), ("a2", Some((a, 5)))];
        by_priority(&mut same, |(_, of)| *of);
        assert_eq!(same.map(|(name, _)| name), ["a1", "a2"]);
    }

    #[test]
    fn the_pace_so_far_says_whether_a_deadline_is_met() {
        let told = |now, done| in_time(Millis(100), Millis(1_100), Millis(now), done, 10);
        assert!(told(1_100, 0) && !told(1_101, 0), "nothing is known before the first");
        assert!(told(200, 1) && !told(202, 1), "a tenth in a tenth of the time");
        assert!(told(9_000, 10), "what is done is not late any more");
    }
}
