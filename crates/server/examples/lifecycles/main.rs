//! Whole task lifecycles a second, through the server's own writer (engine and SQLite, synchronous FULL) or over HTTP.
//!
//! `lifecycles [writer] [ROUNDS] [BATCH]`: lease → signed receipt → delivery → epoch → audit taken, committed (signed),
//! revealed, judged → paid → settled. Frames have an audit each; pictures are spared by the draw. Receipts and commitments
//! are signed beforehand (that is the providers' and validators' work) and checked outside the writer, as in the server.
//!
//! `lifecycles http [CONNECTIONS]`: a real server, one request a step: poll, receipt, delivered; pictures only.
//!
//! Prints JSON lines. CPU is told by thread, so that the bottleneck has a name.

mod crowd;
mod http;
mod rounds;
mod threads;

use crowd::{Any, Crowd, Size};
use rounds::{Bench, Round};
use tatau_server::bench::Market;

fn main() -> Any<()> {
    let mut arguments = std::env::args().skip(1).peekable();
    let over_http = arguments.next_if(|a| a == "http").is_some();
    let _ = arguments.next_if(|a| a == "writer");
    let numbers = arguments.map(|a| a.parse::<usize>()).collect::<Result<Vec<_>, _>>()?;
    if over_http {
        return http::main(numbers.first().copied().unwrap_or(64));
    }
    let (rounds, batch) =
        (numbers.first().copied().unwrap_or(8), numbers.get(1).copied().unwrap_or(1_000).max(1));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("edge")
        .enable_all()
        .build()?;
    runtime.block_on(writer(rounds, batch))
}

async fn writer(rounds: usize, batch: usize) -> Any<()> {
    let folder = tempfile::tempdir()?;
    // Enough under way that the desk decides one batch while the press writes another, as in a market whose nodes are not in step.
    let size = Size { providers: 128, cards: 64, leases: 2 };
    let crowd = Crowd::new(&size)?;
    let (state, store) =
        crowd.open(&folder.path().join("market.sqlite"), &size, (rounds + 1) * size.round())?;
    let (market, ended) = Market::start(state, store)?;
    let mut bench = Bench::new(market.clone(), crowd, size, batch);
    // Warm-up: one round of frames, one of their pictures.
    bench.round().await?;
    bench.round().await?;
    let mut sums = [Kind::new("audited"), Kind::new("spared")];
    for _ in 0..rounds {
        for sum in &mut sums {
            sum.add(&mut bench).await?;
        }
    }
    let problems = market.read(tatau_engine::sanity_check).await?;
    market.stop().await;
    ended.await??;
    let books = tatau_store::Store::open(folder.path().join("market.sqlite"))?.audit_books()?;
    assert!(problems.is_empty() && books.problems.is_empty(), "{problems:?} {:?}", books.problems);
    for sum in sums {
        sum.tell(batch);
    }
    Ok(())
}

/// Lifecycles of one kind: what they took, and the CPU of the threads by name.
struct Kind {
    name: &'static str,
    round: Round,
    cpu: [f64; 3],
}

/// The writer's two threads, and where requests are handled.
const THREADS: [&str; 3] = ["desk", "press", "edge"];

impl Kind {
    fn new(name: &'static str) -> Self {
        Self { name, round: Round::default(), cpu: [0.0; 3] }
    }

    async fn add(&mut self, bench: &mut Bench) -> Any<()> {
        let before = threads::cpu()?;
        self.round.add(&bench.round().await?);
        let after = threads::cpu()?;
        for (sum, name) in self.cpu.iter_mut().zip(THREADS) {
            *sum += threads::between(&before, &after, name);
        }
        Ok(())
    }

    fn tell(&self, batch: usize) {
        let Round { n, seconds, events, audits } = self.round;
        let each = n.max(1) as f64;
        let [desk, press, edge] = self.cpu.map(|cpu| cpu * 1e6 / each);
        println!(
            "{{\"bench\":\"lifecycles\",\"kind\":\"{}\",\"n\":{n},\"batch\":{batch},\"seconds\":{seconds:.3},\"per_second\":{:.0},\"events_each\":{:.2},\"audits_each\":{:.2},\"desk_us\":{desk:.0},\"press_us\":{press:.0},\"edge_us\":{edge:.0}}}",
            self.name,
            each / seconds,
            events as f64 / each,
            audits as f64 / each,
        );
    }
}
