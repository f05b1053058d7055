//! The ways to cheat, and the tampered runtime of those that lie in pixels.

use anyhow::{Context, bail};
use std::path::Path;
use tatau_worker::{Place, Recipe, provision, write_runtime};
use tatau_workload::runtime::BLENDER;

/// What a dishonest provider does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Cheat {
    /// Renders with half the samples.
    FewerSamples,
    /// Renders at half the size and enlarges.
    HalfResolution,
    /// Delivers the frame before.
    PreviousFrame,
    /// Renders with another seed.
    OtherSeed,
    /// Multiplies every colour by 1.002.
    Tone,
    /// Renders honestly; its pictures are noise.
    GarbagePng,
    /// Joins tiles to a frame with a dark corner.
    WrongJoin,
    /// Delivers an image of half the size.
    WrongSize,
    /// Delivers an image with values that are no numbers.
    Nan,
    /// Signs a receipt that its files do not fit.
    WrongHash,
    /// Signs receipts for leases of others too.
    ForeignReceipt,
    /// Sends every receipt again, and then another one.
    DoubleReceipt,
    /// Delivers nothing after its receipt.
    Silent,
    /// Is gone in the middle of a frame.
    Vanish,
}

impl Cheat {
    /// Its name in `cheats.py`, where it lies in pixels.
    pub fn in_pixels(self) -> Option<&'static str> {
        match self {
            Self::FewerSamples => Some("fewer-samples"),
            Self::HalfResolution => Some("half-resolution"),
            Self::PreviousFrame => Some("previous-frame"),
            Self::OtherSeed => Some("other-seed"),
            Self::Tone => Some("tone"),
            Self::GarbagePng => Some("garbage-png"),
            Self::WrongJoin => Some("wrong-join"),
            Self::WrongSize => Some("wrong-size"),
            Self::Nan => Some("nan"),
            Self::WrongHash | Self::ForeignReceipt | Self::DoubleReceipt | Self::Silent | Self::Vanish => {
                None
            }
        }
    }
}

/// Which frames (or pictures) a cheat is for.
#[derive(Debug, Clone, Copy)]
pub struct When {
    /// Honest ones first.
    pub after: u64,
    /// Then so many are cheated at; the rest is honest.
    pub times: u64,
}

impl When {
    /// Is the `nth` (from 1) cheated at?
    pub fn is_cheated(self, nth: u64) -> bool {
        nth > self.after && nth - self.after <= self.times
    }
}

/// The line of the daemon before which the cheat is put in place.
const ENTRY: &str = "    main(sys.argv[1], int(sys.argv[2]))";

/// Environment and runtime: tampered with by a cheat that lies in pixels, where one is named (`when` counts anew in every session), and
/// with the stand-in for a graphics card where one is wanted.
pub async fn place(
    cache: &Path,
    environment: &str,
    kind: Option<&str>,
    when: When,
    stand_in: bool,
) -> anyhow::Result<Place> {
    let recipe = Recipe::by_name(environment)?;
    let environment = provision(cache, &recipe, &mut |_| {}).await?;
    let mut files: Vec<(&str, Vec<u8>)> = vec![("cheats.py", include_bytes!("../cheats.py").to_vec())];
    for file in BLENDER {
        let text = match (file.name, kind) {
            ("daemon.py", Some(kind)) => tampered(file.text, kind, when)?,
            ("devices.py", _) if stand_in => include_str!("../stand_in_devices.py").to_owned(),
            _ => file.text.to_owned(),
        };
        files.push((file.name, text.into_bytes()));
    }
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (*name, &text[..])).collect();
    let runtime = write_runtime(cache, &files).context("the tampered runtime could not be written")?;
    Ok(Place { environment, runtime, licence: None })
}

fn tampered(daemon: &str, kind: &str, when: When) -> anyhow::Result<String> {
    if daemon.matches(ENTRY).count() != 1 {
        bail!(
            "the runtime's daemon.py has another entry than the cheats expect; adapt crates/mischief/src/cheat.rs"
        );
    }
    let When { after, times } = when;
    let install =
        format!("    import cheats\n\n    cheats.install(\"{kind}\", {after}, {times}, KINDS)\n{ENTRY}");
    Ok(daemon.replace(ENTRY, &install))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemon_can_be_tampered_with() {
        let daemon = BLENDER.iter().find(|file| file.name == "daemon.py").unwrap();
        let when = When { after: 3, times: 2 };
        assert!(
            tampered(daemon.text, "tone", when).unwrap().contains("cheats.install(\"tone\", 3, 2, KINDS)")
        );
        assert!(tampered("print()", "tone", when).is_err());
        assert_eq!((1..8).filter(|nth| when.is_cheated(*nth)).collect::<Vec<_>>(), [4, 5]);
    }

    #[test]
    fn every_cheat_in_pixels_is_known_to_the_script() {
        use clap::ValueEnum;
        let script = include_str!("../cheats.py");
        for cheat in Cheat::value_variants() {
            if let Some(name) = cheat.in_pixels() {
                assert_eq!(cheat.to_possible_value().unwrap().get_name(), name);
                assert!(script.contains(&format!("\"{name}\"")), "{name}");
            }
        }
    }
}
