//! Times of the week, by the machine's own clock and zone.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{collections::BTreeSet, fmt, str::FromStr};

const DAY: u32 = 24 * 60;
const WEEK: u32 = 7 * DAY;

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Day {
    /// The week, from Monday.
    pub const ALL: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];

    /// Three letters, for forms.
    pub fn short(self) -> &'static str {
        ["mon", "tue", "wed", "thu", "fri", "sat", "sun"][self as usize]
    }

    /// The whole name.
    pub fn name(self) -> &'static str {
        ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"][self as usize]
    }
}

/// A minute of the day, `00:00` to `24:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Minute(pub u32);

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl FromStr for Minute {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (hour, minute) = text.split_once(':')?;
            let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
            let all = hour.checked_mul(60)?.checked_add(minute)?;
            (minute < 60 && all <= DAY).then_some(Self(all))
        };
        read().ok_or_else(|| {
            format!(
                "'{}' is no time of day; write for example 22:30",
                text.chars().take(20).collect::<String>()
            )
        })
    }
}

impl Serialize for Minute {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Minute {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}

/// From a minute to another, on some days. One that ends before it begins ends on the next day; equal ends are the whole day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// On which days it begins.
    pub days: BTreeSet<Day>,
    /// Begin.
    pub from: Minute,
    /// End.
    pub to: Minute,
}

/// A moment of the week on the machine's own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// The day.
    pub day: Day,
    /// Minute of the day.
    pub minute: Minute,
}

impl LocalTime {
    fn of_week(self) -> u32 {
        self.day as u32 * DAY + self.minute.0
    }
}

impl Hours {
    fn length(&self) -> u32 {
        let (from, to) = (self.from.0 % DAY, self.to.0);
        let length = if to > from { to - from } else { to + DAY - from };
        length.min(DAY)
    }

    fn holds(&self, now: LocalTime) -> bool {
        self.days.iter().any(|day| {
            let begin = *day as u32 * DAY + self.from.0 % DAY;
            (now.of_week() + WEEK - begin) % WEEK < self.length()
        })
    }
}

/// Is it one of these hours? Always, where none are named.
pub fn open_at(hours: &[Hours], now: LocalTime) -> bool {
    hours.is_empty() || hours.iter().any(|h| h.holds(now))
}

/// The next begin of one of them.
pub fn next_begin(hours: &[Hours], now: LocalTime) -> Option<LocalTime> {
    let begins = hours.iter().flat_map(|h| h.days.iter().map(move |day| (*day, h.from.0 % DAY)));
    let (day, minute) =
        begins.min_by_key(|(day, minute)| (*day as u32 * DAY + minute + WEEK - now.of_week() - 1) % WEEK)?;
    Some(LocalTime { day, minute: Minute(minute) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Day::{Fri, Mon, Sat, Sun, Thu};

    fn at(day: Day, time: &str) -> LocalTime {
        LocalTime { day, minute: time.parse().unwrap() }
    }

    fn hours(days: &[Day], from: &str, to: &str) -> Hours {
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        Hours { days: days.iter().copied().collect(), from, to }
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_began() {
        let night = [hours(&[Fri, Sun], "22:00", "07:00")];
        for (moment, open) in [
            (at(Fri, "21:59"), false),
            (at(Fri, "22:00"), true),
            (at(Sat, "06:59"), true),
            (at(Sat, "07:00"), false),
            (at(Sat, "23:00"), false),
            (at(Mon, "03:00"), true),
            (at(Thu, "03:00"), false),
        ] {
            assert_eq!(open_at(&night, moment), open, "{moment:?}");
        }
        assert_eq!(next_begin(&night, at(Sat, "08:00")), Some(at(Sun, "22:00")));
        assert_eq!(next_begin(&night, at(Mon, "08:00")), Some(at(Fri, "22:00")));
        assert_eq!(next_begin(&night, at(Fri, "22:00")), Some(at(Sun, "22:00")), "the next, not this one");
    }

    #[test]
    fn equal_ends_are_a_whole_day_and_no_hours_are_always() {
        let monday = [hours(&[Mon], "00:00", "00:00")];
        assert!(open_at(&monday, at(Mon, "23:59")) && open_at(&monday, at(Mon, "00:00")));
        assert!(!open_at(&monday, at(Sun, "23:59")));
        assert!(open_at(&[hours(&[Mon], "08:00", "24:00")], at(Mon, "23:59")));
        assert!(open_at(&[], at(Mon, "12:00")));
        assert_eq!(next_begin(&[], at(Mon, "12:00")), None);
    }

    #[test]
    fn times_are_read_and_written() {
        assert_eq!("07:05".parse::<Minute>().unwrap().to_string(), "07:05");
        for bad in ["", "7", "24:01", "12:60", "-1:00", "a:b", "99999999999:00"] {
            assert!(bad.parse::<Minute>().is_err(), "{bad}");
        }
    }
}
