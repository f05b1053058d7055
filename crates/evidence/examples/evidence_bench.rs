//! Microseconds of what the server does for every receipt and request: `cargo run -p tatau-evidence --example
//! evidence_bench`. One thread, the least of five rounds.

use rand::SeedableRng;
use std::hint::black_box;
use std::time::Instant;
use tatau_evidence::{
    Domain, Draw, HashChain, Sent, SigningKey, check_receipt, check_request, keccak, recover, sign_receipt,
    sign_request, trace_root,
};
use tatau_model::{AttemptId, Digest, JobId, Millis, Receipt, TaskId};

fn measure<T>(what: &str, times: u32, mut work: impl FnMut() -> T) {
    let mut round = || {
        let start = Instant::now();
        for _ in 0..times {
            black_box(work());
        }
        start.elapsed().as_secs_f64() * 1e6 / f64::from(times)
    };
    let least = (0..5).map(|_| round()).fold(f64::INFINITY, f64::min);
    println!("{what:<44} {least:>12.2} µs   n = 5 x {times}");
}

fn main() {
    let seed = 7;
    println!("seed {seed}");
    let key = SigningKey::generate(&mut rand_chacha::ChaCha20Rng::seed_from_u64(seed));
    let (domain, digest, now) = (Domain::default(), keccak("digest"), Millis(1_800_000_000_000));
    let mut receipt = Receipt {
        manifest_root: digest,
        trace_root: digest,
        units: 1,
        claimed_ms: 1,
        energy_j: 1,
        signature: String::new(),
    };
    let (attempt, task, job) = (AttemptId(1), TaskId(2), JobId(3));
    sign_receipt(&domain, &key, attempt, task, job, &mut receipt);
    let signature = key.sign(&digest);
    let body = vec![7; 1024];
    let server = "http://127.0.0.1:7117";
    let sent = Sent { server, method: "POST", path_and_query: "/v1/receipts", body: &body };
    let header = sign_request(&key, &sent, now, digest);
    let tiles = vec![[7; 32]; 510];

    measure("keccak-256 of 64 bytes", 100_000, || keccak(black_box([7; 64])));
    measure("sign", 2_000, || key.sign(&digest));
    measure("recover the signer", 2_000, || recover(&digest, &signature));
    measure("check a receipt", 2_000, || check_receipt(&domain, attempt, task, job, key.address(), &receipt));
    measure("check a request of 1 KiB", 2_000, || {
        check_request(&header, |named| named == server, "POST", "/v1/receipts", &body, now, 1000)
    });
    measure("trace root of a 1920 x 1080 frame", 100, || trace_root(1920, 1080, 4, &tiles));
    measure("two crops", 10_000, || Draw::new(&digest, "crops").crops(1920, 1080, 2, 5_000));
    let mut chain = None;
    measure("a chain of 2^20 values", 1, || chain = HashChain::new(&Digest([1; 32]), 0, 1 << 20).ok());
    if let Some(chain) = chain {
        let mut i = 0;
        measure("a value of it", 500, || {
            i += 1;
            chain.value(i)
        });
    }
}
