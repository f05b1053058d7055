//! The reader's time zone: the page's script leaves it in a cookie, so that "today" begins at their midnight.

use crate::calendar;
use axum::http::{HeaderMap, header};
use tatau_model::{Clock, Millis, SystemClock};

const COOKIE: &str = "tatau_utc";

/// Begin of the reader's day and month; of UTC's where the zone is not known.
pub(super) fn begins(headers: &HeaderMap) -> (Millis, Millis) {
    let now = SystemClock.now();
    let told = minutes(headers).and_then(|minutes| calendar::begins(now, minutes));
    told.or_else(|| calendar::begins(now, 0)).unwrap_or((now, now))
}

fn minutes(headers: &HeaderMap) -> Option<i64> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then(|| value.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_read_and_nonsense_is_utc() {
        let with = |line: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, line.parse().unwrap());
            headers
        };
        assert_eq!(minutes(&with("a=1; tatau_utc=-300")), Some(-300));
        assert_eq!(minutes(&with("tatau_utc=x")), None);
        let utc = begins(&HeaderMap::new());
        assert_eq!(begins(&with("tatau_utc=7")), utc);
        assert_eq!((begins(&with("tatau_utc=60")).0.0 - utc.0.0).rem_euclid(3_600_000), 0);
    }
}
