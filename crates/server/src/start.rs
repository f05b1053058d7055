//! Start and stop: folders, secrets, recovery, threads, and all of it ended in order.

use crate::{
    allowance::Allowance,
    app::App,
    archive::Archive,
    asks::Asks,
    background::{
        epochs::{self, Beacon},
        retention, samples, tick, uploads,
    },
    holdings::Holdings,
    judge::{self, JudgeOptions},
    listen,
    names::{Names, PublicUrl},
    nonces::Nonces,
    noted::Noted,
    notices::{
        self,
        mail::{MailOptions, Post},
    },
    packing::Packer,
    pages::{Boards, Thumbs},
    password::Passwords,
    routes, secret,
    session::Codes,
    stats::Stats,
    tries::Tries,
    wakes::Wakes,
    watch::Watch,
    writer::{Writer, WriterError},
};
use serde::Serialize;
use std::{
    future::Future,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    time::Duration,
};
use tatau_blobs::{BlobError, BlobStore, GrantKey, Limits};
use tatau_engine::{Config, Counters, State};
use tatau_ledger::LedgerError;
use tatau_model::{Clock, Digest, SystemClock};
use tatau_store::{Store, StoreError};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
};

const SEED: &str = "beacon_seed";
const GRANTS: &str = "grant_key";

/// How to serve.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Folder of everything the server keeps; made if it is not there.
    pub data_dir: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What clients dial, where that is not the socket's own address: a name, a proxy. Then only these count.
    pub public_urls: Vec<PublicUrl>,
    /// A server on one's own machine: starter credit, separation rules lifted.
    pub local: bool,
    /// The market's rules; [`Config::local`] or [`Config::default`] as a start.
    pub config: Config,
    /// Limits of the blob store.
    pub blobs: Limits,
    /// Most bytes that an account uploads in a day.
    pub upload_day_bytes: u64,
    /// Most bytes that the files of an account's jobs take.
    pub account_bytes: u64,
    /// How long the files of a job stay after its end; `None`: for ever.
    pub keep: Option<Duration>,
    /// How mail is sent; without it none is.
    pub mail: Option<MailOptions>,
    /// The comparator; without one audits wait.
    pub judge: Option<JudgeOptions>,
}

/// Told once the server answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ready {
    /// Address that clients use.
    pub url: String,
    /// File with the operator's token.
    pub operator_token: PathBuf,
    /// Local rules.
    pub local: bool,
    /// Process number of the server.
    pub pid: u32,
}

/// Why the server did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A folder or file of the data directory.
    #[error("{path}: {source}; check the data directory")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The address is taken or not this machine's.
    #[error("cannot listen on {address} ({source}); choose another address or stop what uses it")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The blob store.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// The recovered books are not sound.
    #[error(
        "the books in the database do not balance ({0}); stop here, keep a copy, and restore the last backup"
    )]
    Books(#[from] LedgerError),
    /// Mail is not set up as it can be used.
    #[error("{0}")]
    Mail(String),
    /// The writer ended on its own.
    #[error(transparent)]
    Writer(#[from] WriterError),
    /// Something that should not happen.
    #[error("the server cannot run: {0}; report this with the log")]
    Internal(String),
}

/// Serves until `shutdown` is done, then finishes what runs and stops. `ready` is called once the server answers; the same
/// is in the file `server.json`.
///
/// Boxed here, so that the whole server is compiled once, in this crate, and not in every program that starts one.
pub fn serve(
    options: ServeOptions,
    ready: impl FnOnce(&Ready) + Send + 'static,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Pin<Box<dyn Future<Output = Result<(), ServeError>> + Send>> {
    boxed(options, Box::new(ready), Box::pin(shutdown))
}

fn boxed(
    options: ServeOptions,
    ready: Box<dyn FnOnce(&Ready) + Send>,
    shutdown: Pin<Box<dyn Future<Output = ()> + Send>>,
) -> Pin<Box<dyn Future<Output = Result<(), ServeError>> + Send>> {
    Box::pin(run(options, ready, shutdown))
}

async fn run(
    options: ServeOptions,
    ready: Box<dyn FnOnce(&Ready) + Send>,
    shutdown: Pin<Box<dyn Future<Output = ()> + Send>>,
) -> Result<(), ServeError> {
    let data = &options.data_dir;
    make_private(data)?;
    let token_file = data.join("operator.token");
    let token = secret::load_or_create(&token_file).map_err(at(&token_file))?;
    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|source| ServeError::Listen { address: options.listen, source })?;
    let address =
        listener.local_addr().map_err(|source| ServeError::Listen { address: options.listen, source })?;

    let post = options.mail.as_ref().map(Post::new).transpose().map_err(ServeError::Mail)?;
    let recovered = recover(&options).await?;
    let archive = Archive::new(recovered.store.reader()?);
    let owed = uploads::owed(&recovered.state);
    let (wakes, judge_work) = Wakes::new();
    let wakes = Arc::new(wakes);
    let (writer, mut writer_end) = Writer::start(recovered.state, recovered.store, Arc::clone(&wakes))
        .map_err(|e| ServeError::Internal(e.to_string()))?;
    let (stop, stopping) = watch::channel(false);
    let app = Arc::new(App {
        writer: writer.clone(),
        wakes,
        archive,
        asks: Asks::default(),
        blobs: recovered.blobs,
        packer: Packer::default(),
        allowance: Allowance::new(options.upload_day_bytes),
        // Where everything is kept for ever nobody could give anything up.
        holdings: Holdings::new(options.keep.map_or(u64::MAX, |_| options.account_bytes)),
        names: Names::new(options.public_urls.clone()),
        nonces: Nonces::new(SystemClock.now()),
        operator: blake3::hash(token.as_bytes()),
        grants: GrantKey::new(recovered.grant_key.0),
        codes: Codes::default(),
        boards: Boards::default(),
        thumbs: Thumbs::new(data.join("thumbs")),
        post,
        passwords: Passwords::default(),
        tries: Tries::passwords(),
        sign_ups: Tries::sign_ups(),
        stats: Stats::default(),
        watch: Watch::default(),
        url: format!("http://{}", reachable(address)),
        started: SystemClock.now(),
        data_dir: data.clone(),
        keep: options.keep,
        local: options.local,
        config: options.config.clone(),
        anchor: recovered.beacon.anchor(),
        stopping: stopping.clone(),
        handed: Noted::default(),
        owed,
    });
    let router =
        routes::router(Arc::clone(&app)).ok_or_else(|| ServeError::Internal("no rate limiter".into()))?;
    let accepting = tokio::spawn(listen::accept(listener, router, stopping));
    let background = start_background(&app, recovered.beacon, options.judge.clone(), judge_work, data);

    let told = Ready {
        url: match options.public_urls.first() {
            Some(public) => public.as_str().to_owned(),
            None => format!("http://{}", reachable(address)),
        },
        operator_token: token_file,
        local: options.local,
        pid: std::process::id(),
    };
    announce(data, &told)?;
    tracing::info!(url = told.url, local = told.local, "serving");
    ready(&told);

    let ended = tokio::select! {
        () = shutdown => None,
        ended = &mut writer_end => Some(ended),
    };
    // Whoever waits is answered, running requests finish, then the writer commits what is queued and ends.
    let _ = stop.send(true);
    let _ = accepting.await;
    for task in background {
        let _ = task.await;
    }
    let ended = if let Some(ended) = ended {
        ended
    } else {
        writer.stop().await;
        writer_end.await
    };
    let _ = std::fs::remove_file(data.join("server.json"));
    ended.map_err(|_| ServeError::Internal("the writer's thread died".into()))??;
    tracing::info!("stopped");
    Ok(())
}

fn start_background(
    app: &Arc<App>,
    beacon: Beacon,
    judge: Option<JudgeOptions>,
    judge_work: mpsc::UnboundedReceiver<tatau_model::AuditId>,
    data: &Path,
) -> [tokio::task::JoinHandle<()>; 7] {
    [
        tokio::spawn(tick::run(Arc::clone(app))),
        tokio::spawn(samples::run(Arc::clone(app))),
        tokio::spawn(epochs::run(Arc::clone(app), beacon)),
        tokio::spawn(uploads::run(Arc::clone(app))),
        tokio::spawn(retention::run(Arc::clone(app))),
        tokio::spawn(notices::run(Arc::clone(app))),
        tokio::spawn(judge::run(Arc::clone(app), judge, judge_work, data.join("judge"))),
    ]
}

struct Recovered {
    state: State,
    store: Store,
    blobs: BlobStore,
    beacon: Beacon,
    grant_key: Digest,
}

/// Everything as it was last durable.
async fn recover(options: &ServeOptions) -> Result<Recovered, ServeError> {
    let (data, config, limits) = (options.data_dir.clone(), options.config.clone(), options.blobs);
    let recovering = tokio::task::spawn_blocking(move || {
        let mut store = Store::open(data.join("market.sqlite"))?;
        let loaded = store.load()?;
        let books = loaded.books()?;
        let last_epoch = loaded.last_epoch.clone();
        let counters = Counters {
            job: loaded.last_job,
            task: loaded.last_task,
            attempt: loaded.last_attempt,
            audit: loaded.last_audit,
        };
        let next = last_epoch.as_ref().map_or(0, |e| e.id.0) + 1;
        let state =
            State::recover(config, books, last_epoch, loaded.into_records(), counters, SystemClock.now())?;
        let seed = kept_secret(&mut store, SEED)?;
        let grant_key = kept_secret(&mut store, GRANTS)?;
        let beacon = Beacon::new(seed, next).map_err(|e| ServeError::Internal(e.to_string()))?;
        let blobs = BlobStore::open(&data.join("blobs"), limits)?;
        tracing::info!(jobs = state.jobs().count(), nodes = state.nodes().count(), "recovered");
        Ok(Recovered { state, store, blobs, beacon, grant_key })
    });
    recovering.await.map_err(|e| ServeError::Internal(e.to_string()))?
}

/// A secret among the settings, made on first use.
fn kept_secret(store: &mut Store, key: &str) -> Result<Digest, ServeError> {
    let text = if let Some(text) = store.setting(key)? {
        text
    } else {
        let text = secret::hex();
        store.put_setting(key, &text)?;
        text
    };
    text.parse().map_err(|_| ServeError::Internal(format!("the setting {key} cannot be read")))
}

/// For nobody but the server: the database and the secrets lie in it.
fn make_private(dir: &Path) -> Result<(), ServeError> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(at(dir))?;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700)).map_err(at(dir))
}

fn announce(data: &Path, ready: &Ready) -> Result<(), ServeError> {
    let path = data.join("server.json");
    let draft = data.join("server.json.draft");
    let json = serde_json::to_vec(ready).map_err(|e| ServeError::Internal(e.to_string()))?;
    std::fs::write(&draft, json).map_err(at(&draft))?;
    std::fs::rename(&draft, &path).map_err(at(&path))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> ServeError + '_ {
    move |source| ServeError::File { path: path.to_owned(), source }
}

/// An address that clients on this machine can use, where the server listens on all.
fn reachable(address: SocketAddr) -> SocketAddr {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
