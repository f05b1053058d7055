//! What this machine's meters say: load, heat, power, who else uses it.
//!
//! A meter that is not there is called that; one that is there and cannot be read has failed. Neither is ever a number.

mod graphics;
mod hands;
mod power;
mod processor;

pub use graphics::GraphicsReading;

use graphics::Graphics;
use power::Energy;
use processor::Ticks;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// One meter's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading<T> {
    /// What it shows.
    Is(T),
    /// This machine has no such meter, or shows it to nobody; why, in a few words.
    NotHere(&'static str),
    /// It is there and could not be read; why.
    Failed(String),
}

impl<T> Reading<T> {
    /// The value, where there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Is(value) => Some(value),
            Self::NotHere(_) | Self::Failed(_) => None,
        }
    }

    /// The same word about something made of it.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Reading<U> {
        match self {
            Self::Is(value) => Reading::Is(f(value)),
            Self::NotHere(why) => Reading::NotHere(why),
            Self::Failed(why) => Reading::Failed(why),
        }
    }
}

/// Where the machine's power comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Supply {
    /// The wall.
    Mains,
    /// A battery, at so many percent where it says.
    Battery(Option<u8>),
}

/// All meters at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readings {
    /// Share of all CPU threads that is busy since the last reading, percent.
    pub load_percent: Reading<u32>,
    /// Hottest sensor of the processor, °C.
    pub celsius: Reading<u32>,
    /// What the processor draws, mean since the last reading, watts.
    pub watts: Reading<u32>,
    /// Where the power comes from.
    pub supply: Reading<Supply>,
    /// Seconds since somebody last used keyboard or mouse; a very large number where nobody is logged in.
    pub hands_off_seconds: Reading<u64>,
    /// Free on the disk with the cache, MiB.
    pub disk_free_mib: Reading<u64>,
    /// NVIDIA cards, by the driver's number.
    pub graphics: Vec<GraphicsReading>,
}

/// The meters of one machine; remembers what differences need. Every reading blocks for some milliseconds.
#[derive(Debug)]
pub struct Meters {
    root: PathBuf,
    cache: Option<PathBuf>,
    ticks: Option<Ticks>,
    energy: Option<Energy>,
    graphics: Graphics,
}

impl Default for Meters {
    fn default() -> Self {
        Self::at(Path::new("/"))
    }
}

impl Meters {
    /// Of this machine, whose cache lies in that folder.
    pub fn new(cache: &Path) -> Self {
        Self { cache: Some(cache.to_owned()), ..Self::default() }
    }

    /// Of a machine whose `/proc` and `/sys` lie below `root`.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned(), cache: None, ticks: None, energy: None, graphics: Graphics::default() }
    }

    /// Reads all of them. Who uses the machine takes a call of another program: it is asked only where `hands` wants it.
    pub fn read(&mut self, hands: bool) -> Readings {
        let root = &self.root;
        Readings {
            load_percent: processor::load(root, &mut self.ticks),
            celsius: processor::celsius(root),
            watts: power::watts(root, &mut self.energy),
            supply: power::supply(root),
            hands_off_seconds: if hands {
                hands::off_seconds(root)
            } else {
                Reading::NotHere("nobody asked")
            },
            disk_free_mib: self.cache.as_deref().map_or(Reading::NotHere("nobody asked"), disk_free_mib),
            graphics: self.graphics.read(root),
        }
    }
}

/// Free for this user on the disk with `folder`, or with the nearest folder above it that is there.
pub fn disk_free_mib(folder: &Path) -> Reading<u64> {
    let there = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(folder);
    match nix::sys::statvfs::statvfs(there) {
        // Types of these fields differ between systems.
        #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
        Ok(disk) => {
            Reading::Is((disk.blocks_available() as u64).saturating_mul(disk.fragment_size() as u64) >> 20)
        }
        Err(e) => {
            Reading::Failed(format!("the disk with {} does not say what is free: {e}", there.display()))
        }
    }
}

/// Folders in `dir` whose name `is`, in order; none where there is no such folder.
fn folders(dir: &Path, is: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        entries.filter(|e| e.file_name().to_str().is_some_and(&is)).map(|e| e.path()).collect();
    found.sort();
    found
}

/// One line of a small file of the kernel's.
fn line(path: &Path) -> std::io::Result<String> {
    Ok(std::fs::read_to_string(path)?.trim().to_owned())
}
