//! A server in a temporary folder, and people who use it through the real client.
#![allow(dead_code, clippy::unwrap_used)]

use std::{net::SocketAddr, path::Path, time::Duration};
use tatau_api::RegisterNode;
use tatau_blobs::{Limits, Manifest, ManifestFile};
use tatau_client::{Client, Credentials, Patience};
use tatau_evidence::{
    SigningKey,
    typed::{Delegation, Domain},
};
use tatau_model::{Amount, BlobId, Card, CardKind, Clock, Millis, Node, Offer, SystemClock};
use tatau_server::{Config, JudgeOptions, Ready, ServeError, ServeOptions, serve};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};

pub struct Home {
    pub dir: TempDir,
    pub ready: Ready,
    pub config: Config,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<Result<(), ServeError>>,
}

pub fn options(dir: &Path, config: Config) -> ServeOptions {
    ServeOptions {
        data_dir: dir.join("data"),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        public_urls: Vec::new(),
        local: true,
        config,
        blobs: Limits { max_blob_bytes: 64 << 20, quota_bytes: 256 << 20, ..Limits::default() },
        keep: None,
        upload_day_bytes: 1 << 30,
        account_bytes: 1 << 40,
        mail: None,
        judge: None::<JudgeOptions>,
    }
}

impl Home {
    pub async fn open() -> Self {
        Self::in_dir(tempfile::tempdir().unwrap(), Config::local()).await
    }

    pub async fn in_dir(dir: TempDir, config: Config) -> Self {
        Self::with(dir, config, None).await
    }

    pub async fn with(dir: TempDir, config: Config, judge: Option<JudgeOptions>) -> Self {
        let options = ServeOptions { judge, ..options(dir.path(), config) };
        Self::start(dir, options).await
    }

    async fn start(dir: TempDir, options: ServeOptions) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (told, ready) = oneshot::channel();
        let config = options.config.clone();
        let running = tokio::spawn(async move {
            let told = move |ready: &Ready| drop(told.send(ready.clone()));
            serve(options, told, async move { drop(stopped.await) }).await
        });
        let Ok(ready) = ready.await else { panic!("the server did not start: {:?}", running.await) };
        Self { dir, ready, config, stop: Some(stop), running }
    }

    /// Stops gracefully, finds the books sound, and gives the folder back.
    pub async fn close(mut self) -> (TempDir, Config) {
        drop(self.stop.take());
        let ended = tokio::time::timeout(Duration::from_secs(20), self.running).await;
        ended.expect("the server stops").unwrap().unwrap();
        let books = tatau_store::Store::open(self.dir.path().join("data/market.sqlite")).unwrap();
        let books = books.audit_books().unwrap();
        assert!(books.balanced() && books.sum == Amount::ZERO, "{:?}", books.problems);
        (self.dir, self.config)
    }

    /// At the same address, as its people know it.
    pub async fn restart(self) -> Self {
        self.restart_with(|options| options).await
    }

    /// The same with other options.
    pub async fn restart_with(self, change: impl FnOnce(ServeOptions) -> ServeOptions) -> Self {
        let listen = self.ready.url.strip_prefix("http://").unwrap().parse().unwrap();
        let (dir, config) = self.close().await;
        let options = ServeOptions { listen, ..options(dir.path(), config) };
        Self::start(dir, change(options)).await
    }

    pub fn client(&self, credentials: Credentials) -> Client {
        Client::new(&self.ready.url, credentials).unwrap().with_patience(Patience::NONE)
    }

    pub fn as_key(&self, key: &SigningKey) -> Client {
        self.client(Credentials::Key(key.clone()))
    }

    /// A new owner with an account.
    pub async fn owner(&self) -> (SigningKey, Client) {
        let key = SigningKey::generate(&mut rand::rng());
        let client = self.as_key(&key);
        client.open_account().await.unwrap();
        (key, client)
    }

    /// A new node of that owner.
    pub async fn node(&self, owner: &SigningKey, validates: bool) -> (SigningKey, Client, Node) {
        let key = SigningKey::generate(&mut rand::rng());
        let client = self.as_key(&key);
        let node = client.register_node(&registration(owner, &key, validates)).await.unwrap();
        (key, client, node)
    }

    pub fn operator(&self) -> Client {
        let token = std::fs::read_to_string(&self.ready.operator_token).unwrap();
        self.client(Credentials::Token(token.trim().to_owned()))
    }
}

pub fn registration(owner: &SigningKey, node: &SigningKey, validates: bool) -> RegisterNode {
    let expires = SystemClock.now().plus(3_600_000);
    RegisterNode {
        owner: owner.address(),
        join: None,
        delegation: delegation(owner, node, expires),
        delegation_expires: expires,
        name: "test rig".into(),
        cards: vec![Card {
            kind: CardKind::Cpu,
            name: "one core".into(),
            memory_mib: 4_096,
            threads: 1,
            devices: vec![],
            score_milli: Some(1_000_000),
        }],
        offer: Offer {
            ask_per_reference_hour: Amount::tatau(1),
            environments: vec!["blender-5.0".into()],
            provides: !validates,
            validates,
            ..Offer::default()
        },
        version: "0".into(),
    }
}

pub fn delegation(owner: &SigningKey, node: &SigningKey, expires: Millis) -> String {
    let delegation = Delegation { owner: owner.address(), node: node.address(), expires };
    delegation.sign(&Domain::default(), owner).to_string()
}

/// Uploads a scene folder of one file; the manifest's name.
pub async fn upload_scene(client: &Client, contents: &'static [u8]) -> BlobId {
    let blob = client.upload_bytes(contents.into()).await.unwrap();
    let file = ManifestFile { path: "scene.blend".into(), blob, bytes: contents.len() as u64 };
    let json = Manifest::new(vec![file]).unwrap().to_json().unwrap();
    client.upload_bytes(json.into()).await.unwrap()
}
