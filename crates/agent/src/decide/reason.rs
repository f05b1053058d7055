//! Why a card rests, in words that need no manual.

use crate::settings::LocalTime;
use tatau_model::Amount;

/// Why a card may not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Its switch.
    Off,
    /// Nothing can be rendered on it.
    NotYet,
    /// Not one of the hours named.
    OutsideHours {
        /// The next of them.
        next: Option<LocalTime>,
    },
    /// Somebody uses keyboard or mouse.
    Hands {
        /// So long nobody must have.
        minutes: u32,
    },
    /// Whether somebody does cannot be told.
    HandsUnknown(String),
    /// Another program uses a graphics card.
    Graphics {
        /// Their names, where the driver tells.
        names: Vec<String>,
    },
    /// No room for a buyer's files.
    DiskFull {
        /// Free, MiB.
        free_mib: u64,
    },
    /// No plug.
    OnBattery,
    /// Whether there is one cannot be told.
    SupplyUnknown(String),
    /// Too hot, or not cool enough again.
    Hot {
        /// Now.
        celsius: u32,
        /// The limit.
        limit: u32,
    },
    /// The sensor failed.
    HeatUnknown(String),
    /// Over the watt limit.
    Watts {
        /// The limit.
        limit: u32,
    },
    /// The power meter failed.
    WattsUnknown(String),
    /// It would cost more than it brings.
    DoesNotPay {
        /// An hour brings.
        earns: Amount,
        /// An hour costs, margin included.
        costs: Amount,
    },
}

impl Reason {
    /// One sentence.
    pub fn sentence(&self) -> String {
        match self {
            Self::Off => "You switched this card off.".into(),
            Self::NotYet => "Nothing could be rendered on this card when it was tried at the start; what was said then stands in the log.".into(),
            Self::OutsideHours { next: Some(next) } => {
                format!("Outside your hours; goes on {} at {}.", next.day.name(), next.minute)
            }
            Self::OutsideHours { next: None } => "Outside your hours.".into(),
            Self::Hands { minutes } => {
                format!("Somebody is using this computer; goes on {minutes} min after the last key.")
            }
            Self::HandsUnknown(why) => format!(
                "You want it to work only while nobody is here, but {why}. Switch that off in the settings."
            ),
            Self::Graphics { names } if names.is_empty() => {
                "Another program is using the graphics card.".into()
            }
            Self::Graphics { names } => {
                format!("Another program is using the graphics card: {}.", names.join(", "))
            }
            Self::DiskFull { free_mib } => {
                format!("The disk has only {free_mib} MB left; free some, or make the cache smaller.")
            }
            Self::OnBattery => "The computer runs on its battery; plug it in.".into(),
            Self::SupplyUnknown(why) => {
                format!("It cannot be told whether the computer is plugged in: {why}.")
            }
            Self::Hot { celsius, limit } => {
                format!("{celsius} °C; your limit is {limit} °C. It cools down first.")
            }
            Self::HeatUnknown(why) => format!("Its temperature cannot be read, so it rests: {why}."),
            Self::Watts { limit } => format!("Rests for a while to stay within your {limit} W."),
            Self::WattsUnknown(why) => {
                format!("What it draws cannot be read, and you set a watt limit: {why}.")
            }
            Self::DoesNotPay { earns, costs } => {
                format!("An hour would bring {earns} TATAU; its power and your margin come to {costs} TATAU.")
            }
        }
    }
}
