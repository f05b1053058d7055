//! Everything about the running server in one look: for the operator's page, the alarms and the metrics.

use crate::{
    app::App,
    error::ApiError,
    pulse::Beat,
    stats::Snapshot,
    watch::{BooksRun, Comparator, Jump},
};
use nix::sys::statvfs::statvfs;
use std::sync::Arc;
use tatau_model::{AccountKey, Amount, Clock, Millis, Purpose, SystemClock};

/// Where the last audit of the books is kept.
pub(crate) const BOOKS: &str = "books_run";

/// The disk with the data folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Disk {
    pub total: u64,
    pub free: u64,
}

/// Money by what it is for, over all accounts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Till {
    pub available: Amount,
    pub escrow: Amount,
    pub pending: Amount,
    pub stake: Amount,
    pub fees: Amount,
    pub insurance: Amount,
    pub burned: Amount,
}

/// The server at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub now: Millis,
    pub started: Millis,
    pub market: Arc<Snapshot>,
    pub beat: Beat,
    /// Messages before the writer, of how many that may wait.
    pub queue: (usize, usize),
    pub comparator: Comparator,
    pub judged: u64,
    /// Last audit that could not be compared.
    pub fault: Option<(Millis, String)>,
    pub jump: Option<Jump>,
    pub till: Till,
    pub books: Option<BooksRun>,
    /// Since when they are being audited.
    pub auditing: Option<Millis>,
    /// `None` where the system does not say.
    pub disk: Option<Disk>,
    pub blob_bytes: u64,
    pub blob_quota: u64,
    pub database_bytes: u64,
    /// Looks at the market for pages and metrics.
    pub looks: u64,
}

/// Looks at all of it.
pub(crate) async fn look(app: &App) -> Result<Facts, ApiError> {
    let market = app.stats.now(app).await?;
    let till = app.writer.read(till).await?.map_err(|e| ApiError::internal(&e))?;
    let (beat, waiting, most) = app.writer.health();
    let (comparator, judged, fault) = app.watch.comparator();
    let books = app.archive.setting(BOOKS).await?;
    let books =
        books.map(|text| serde_json::from_str(&text)).transpose().map_err(|e| ApiError::internal(&e))?;
    let (disk, database_bytes) = sizes(app).await?;
    Ok(Facts {
        now: SystemClock.now(),
        started: app.started,
        market,
        beat,
        queue: (waiting, most),
        comparator,
        judged,
        fault,
        jump: app.watch.jump(),
        till,
        books,
        auditing: app.watch.auditing_books(),
        disk,
        blob_bytes: app.blobs.used_bytes(),
        blob_quota: app.blobs.limits().quota_bytes,
        database_bytes,
        looks: app.stats.looks(),
    })
}

async fn sizes(app: &App) -> Result<(Option<Disk>, u64), ApiError> {
    let folder = app.data_dir.clone();
    let looked = tokio::task::spawn_blocking(move || {
        // Types of these fields differ between systems.
        #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
        let disk = statvfs(&folder).ok().map(|s| {
            let block = s.fragment_size() as u64;
            Disk {
                total: (s.blocks() as u64).saturating_mul(block),
                free: (s.blocks_available() as u64).saturating_mul(block),
            }
        });
        let size = |name: &str| std::fs::metadata(folder.join(name)).map_or(0, |m| m.len());
        (disk, size("market.sqlite") + size("market.sqlite-wal"))
    });
    looked.await.map_err(|e| ApiError::internal(&e))
}

fn till(state: &tatau_engine::State) -> Result<Till, tatau_model::AmountError> {
    let mut till = Till::default();
    for (key, amount) in state.books.iter() {
        let place = match key {
            AccountKey::Owner(_, purpose) => match purpose {
                Purpose::Available => &mut till.available,
                Purpose::Escrow(_) | Purpose::Held(_) => &mut till.escrow,
                Purpose::Pending => &mut till.pending,
                Purpose::StakeFree | Purpose::StakeReserved | Purpose::StakeUnbonding => &mut till.stake,
            },
            AccountKey::Fees => &mut till.fees,
            AccountKey::Insurance => &mut till.insurance,
            AccountKey::Burned => &mut till.burned,
            AccountKey::Outside => continue,
        };
        *place = place.add(*amount)?;
    }
    Ok(till)
}
