//! Throughput of the store in the system's temporary folder: `cargo run -p tatau-blobs --example blobs_bench`.

use std::time::Instant;
use tatau_blobs::{BlobStore, LOCAL, Limits};
use tatau_model::BlobId;

const SIZE: usize = 256 << 20;
const PIECE: usize = 1 << 20;
const SMALL: u32 = 500;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rate = |what: &str, start: Instant| {
        let seconds = start.elapsed().as_secs_f64();
        println!("{what:<44} {:>8.0} MiB/s", SIZE as f64 / f64::from(1 << 20) / seconds);
    };
    let dir = tempfile::tempdir()?;
    let data: Vec<u8> = (0..SIZE).map(|i| (i * 31 % 251) as u8).collect();
    let start = Instant::now();
    let id = BlobId(*blake3::hash(&data).as_bytes());
    rate("BLAKE3 in memory", start);

    let store = BlobStore::open(dir.path(), Limits::default())?;
    let start = Instant::now();
    store.begin_upload(&id, SIZE as u64, &LOCAL)?;
    for (index, piece) in data.chunks(PIECE).enumerate() {
        store.append(&id, SIZE as u64, &LOCAL, (index * PIECE) as u64, piece)?;
    }
    rate("upload of 256 MiB by 1 MiB, checked, durable", start);
    let start = Instant::now();
    store.verify(&id)?;
    rate("check of the stored blob", start);

    for durable in [true, false] {
        let dir = tempfile::tempdir()?;
        let store = BlobStore::open(dir.path(), Limits { durable, ..Limits::default() })?;
        let start = Instant::now();
        (0..SMALL).try_for_each(|i| store.put_bytes(&i.to_be_bytes().repeat(1000)).map(drop))?;
        let each = start.elapsed().as_secs_f64() * 1e3 / f64::from(SMALL);
        println!("4 kB blob, durable {durable:<25} {each:>8.2} ms");
    }
    Ok(())
}
