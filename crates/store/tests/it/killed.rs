//! Killed at any moment of a commit: what was answered is there, what was not is there whole or not at all.

#![allow(clippy::unwrap_used)] // a panic here is a failed test

use crate::market::Market;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};
use tatau_model::Change;
use tatau_store::Store;

const FOLDER: &str = "TATAU_STORE_TEST_FOLDER";
const SEED: &str = "TATAU_STORE_TEST_SEED";

/// The process that is killed: commits without end, says before and after each commit which entry it reaches.
#[test]
#[ignore = "started by a_killed_writer_loses_nothing"]
fn writes_until_killed() {
    let (Ok(folder), Ok(seed)) = (std::env::var(FOLDER), std::env::var(SEED)) else { return };
    let mut rng = SmallRng::seed_from_u64(seed.parse().unwrap());
    let mut store = Store::open(Path::new(&folder).join("tatau.db")).unwrap();
    let mut market = Market::resume(store.load().unwrap());
    let mut out = std::io::stdout();
    loop {
        let size = rng.random_range(1..200);
        let batch: Vec<Change> = (0..size).flat_map(|_| market.step(&mut rng)).collect();
        writeln!(out, "\ntrying {}", market.books.last()).unwrap();
        out.flush().unwrap();
        store.commit(&batch).unwrap();
        writeln!(out, "\nkept {}", market.books.last()).unwrap();
        out.flush().unwrap();
    }
}

fn start(folder: &Path, seed: u64) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::writes_until_killed", "--ignored", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

/// Remembers what the child said.
#[derive(Default)]
struct Said {
    kept: u64,
    tried: Vec<u64>,
    commits: u32,
}

impl Said {
    /// False at the end of its output, or at a line that the kill cut.
    fn hear(&mut self, out: &mut impl BufRead) -> bool {
        let mut line = String::new();
        if out.read_line(&mut line).unwrap() == 0 || !line.ends_with('\n') {
            return false;
        }
        let number = |text: &str| text.trim().parse::<u64>().unwrap();
        if let Some(rest) = line.strip_prefix("kept ") {
            self.kept = number(rest);
            self.commits += 1;
        } else if let Some(rest) = line.strip_prefix("trying ") {
            self.tried.push(number(rest));
        }
        true
    }
}

#[test]
fn a_killed_writer_loses_nothing() {
    let seed: u64 = rand::rng().random();
    println!("seed {seed}");
    let mut rng = SmallRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let mut before = 0;
    let mut cut = 0;
    for round in 0..25 {
        let (mut child, mut out) = start(folder.path(), rng.random());
        let mut said = Said { kept: before, tried: vec![before], commits: 0 };
        let wanted = rng.random_range(1..12);
        let mut begun = Instant::now();
        let mut took = Duration::ZERO;
        // After some commits, at the beginning of the next one.
        while said.commits < wanted || said.tried.last() == Some(&said.kept) {
            let commits = said.commits;
            assert!(said.hear(&mut out), "round {round}: the writer ended by itself");
            if said.commits > commits {
                took = begun.elapsed();
            } else {
                begun = Instant::now();
            }
        }
        // Somewhere within it, if it takes as long as the last one.
        std::thread::sleep(took.mul_f64(rng.random_range(0.0..1.0)));
        child.kill().unwrap();
        child.wait().unwrap();
        while said.hear(&mut out) {}

        let store = Store::open(folder.path().join("tatau.db")).unwrap();
        let loaded = store.load().unwrap();
        assert!(loaded.last_entry >= said.kept, "round {round}: entry {} was answered, then lost", said.kept);
        assert!(said.tried.contains(&loaded.last_entry), "round {round}: half a batch was kept");
        assert_eq!(store.audit_books().unwrap().problems, Vec::<String>::new(), "round {round}");
        loaded.books().unwrap();
        cut += usize::from(said.tried.last() != Some(&said.kept));
        before = loaded.last_entry;
    }
    println!("{cut} of 25 kills hit a commit under way; {before} entries survived all of them");
    assert!(cut >= 5, "only {cut} of 25 kills hit a commit");
}
