//! The same over HTTP, unbatched: a server as `tatau serve` runs it, a connection a node, one request a step.

use crate::{
    crowd::{Any, CONTENT, Crowd, Size, config, file},
    rounds::Bench,
    threads,
};
use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};
use tatau_api::{Delivered, Poll, ReceiptCommit};
use tatau_client::{Client, Credentials};
use tatau_evidence::{SigningKey, manifest_root, typed};
use tatau_model::{Digest, OutputFile, Receipt, Work};
use tatau_server::{ServeOptions, bench::Market, serve};
use tatau_workload::trace;
use tokio::{sync::oneshot, task::JoinSet};

const CARDS: u16 = 64;

pub fn main(connections: usize) -> Any<()> {
    let folder = tempfile::tempdir()?;
    let size = Size { providers: connections, cards: CARDS, leases: 1 };
    let serving = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("serve")
        .enable_all()
        .build()?;
    let asking = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("ask")
        .enable_all()
        .build()?;
    std::fs::create_dir(folder.path().join("data"))?;
    asking.block_on(found(&folder.path().join("data/market.sqlite"), size))?;
    let (stop, stopped) = oneshot::channel::<()>();
    let (told, ready) = oneshot::channel();
    let options = ServeOptions {
        data_dir: folder.path().join("data"),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        public_urls: Vec::new(),
        local: true,
        config: config(&size),
        blobs: tatau_blobs::Limits::default(),
        keep: None,
        upload_day_bytes: 1 << 30,
        account_bytes: 1 << 40,
        mail: None,
        judge: None,
    };
    let server = serving.spawn(serve(options, move |ready| drop(told.send(ready.url.clone())), async move {
        drop(stopped.await);
    }));
    asking.block_on(async {
        let url = ready.await?;
        let crowd = Crowd::new(&size)?;
        let result = ask(&url, &crowd, size.round()).await;
        drop(stop);
        server.await??;
        result
    })
}

/// A round of accepted frames, so that their pictures are ready.
async fn found(path: &Path, size: Size) -> Any<()> {
    let crowd = Crowd::new(&size)?;
    let (state, store) = crowd.open(path, &size, size.round())?;
    let (market, ended) = Market::start(state, store)?;
    Bench::new(market.clone(), crowd, size, 1_000).round().await?;
    market.stop().await;
    Ok(ended.await??)
}

async fn ask(url: &str, crowd: &Crowd, n: usize) -> Any<()> {
    let first = crowd.providers.first().ok_or("at least one connection is needed")?;
    Client::new(url, Credentials::Key(first.clone()))?.upload_bytes(CONTENT.into()).await?;
    let before = threads::cpu()?;
    let started = Instant::now();
    let mut nodes = JoinSet::new();
    for signer in &crowd.providers {
        let client = Client::new(url, Credentials::Key(signer.clone()))?;
        nodes.spawn(work(client, signer.clone(), n / crowd.providers.len()));
    }
    let mut done = 0;
    while let Some(node) = nodes.join_next().await {
        done += node??;
    }
    let seconds = started.elapsed().as_secs_f64();
    let after = threads::cpu()?;
    let each = |name: &str| threads::between(&before, &after, name) * 1e6 / done.max(1) as f64;
    println!(
        "{{\"bench\":\"lifecycles-http\",\"kind\":\"spared\",\"n\":{done},\"connections\":{},\"seconds\":{seconds:.3},\"per_second\":{:.0},\"requests_each\":3,\"serve_us\":{:.0},\"desk_us\":{:.0},\"press_us\":{:.0},\"ask_us\":{:.0}}}",
        crowd.providers.len(),
        done as f64 / seconds,
        each("serve"),
        each("desk"),
        each("press"),
        each("ask")
    );
    // Paid as well: nothing may be left for the epochs and windows that follow.
    tokio::time::sleep(Duration::from_secs(2)).await;
    Ok(())
}

/// Poll, receipt, delivered; one at a time, as a node with one card and very short tasks.
async fn work(client: Client, signer: SigningKey, most: usize) -> Any<usize> {
    let domain = typed::Domain::default();
    let mut done = 0;
    for n in 0..most {
        let poll = Poll {
            cards: vec![(n % usize::from(CARDS)) as u16],
            audits: 0,
            warm: vec![],
            running: vec![],
            auditing: vec![],
            heard: 0,
            wait_ms: 0,
        };
        let Some(lease) = client.poll(&poll).await?.leases.pop() else { break };
        let work = &lease.order.work;
        if !matches!(work, Work::Finish { .. }) {
            break;
        }
        let files: Vec<OutputFile> = trace::expected_files(work).into_iter().map(file).collect();
        let mut receipt = Receipt {
            manifest_root: manifest_root(&files),
            trace_root: Digest([2; 32]),
            units: 1,
            claimed_ms: 1_000,
            energy_j: 0,
            signature: String::new(),
        };
        typed::sign_receipt(&domain, &signer, lease.attempt, lease.task, lease.order.job, &mut receipt);
        let answers = client.commit_receipts(&[ReceiptCommit { attempt: lease.attempt, receipt }]).await?;
        if let Some(error) = answers.into_iter().flatten().next() {
            return Err(error.sentence.into());
        }
        client.delivered(lease.attempt, &Delivered { files, log: String::new() }).await?;
        done += 1;
    }
    Ok(done)
}
