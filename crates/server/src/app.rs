//! What every handler can reach.

use crate::{
    allowance::Allowance,
    archive::Archive,
    asks::Asks,
    holdings::Holdings,
    names::Names,
    nonces::Nonces,
    noted::Noted,
    notices::mail::Post,
    packing::Packer,
    pages::{Boards, Thumbs},
    password::Passwords,
    session::Codes,
    stats::Stats,
    tries::Tries,
    wakes::Wakes,
    watch::Watch,
    writer::Writer,
};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tatau_blobs::{BlobStore, GrantKey};
use tatau_engine::Config;
use tatau_model::{AttemptId, AuditId, Digest, Millis};
use tokio::sync::watch;

/// One running server.
pub(crate) struct App {
    pub writer: Writer,
    pub wakes: Arc<Wakes>,
    pub archive: Archive,
    pub asks: Asks,
    pub blobs: BlobStore,
    pub packer: Packer,
    /// What accounts may upload in a day.
    pub allowance: Allowance,
    /// What accounts hold here.
    pub holdings: Holdings,
    /// What signed requests may call this server.
    pub names: Names,
    pub nonces: Nonces,
    /// BLAKE3 of the operator's token.
    pub operator: blake3::Hash,
    pub grants: GrantKey,
    /// One-time links that sign a browser in.
    pub codes: Codes,
    /// Jobs whose pages are open.
    pub boards: Boards,
    /// Small pictures of frames.
    pub thumbs: Thumbs,
    pub passwords: Passwords,
    /// Mail, where the operator has set it up.
    pub post: Option<Post>,
    /// Wrong passwords lately.
    pub tries: Tries,
    /// New accounts lately.
    pub sign_ups: Tries,
    /// The market in numbers.
    pub stats: Stats,
    /// What the server noticed about itself.
    pub watch: Watch,
    /// Its address on this machine.
    pub url: String,
    /// When it started.
    pub started: Millis,
    /// Where the data lies.
    pub data_dir: PathBuf,
    /// How long files stay after their job's end; `None`: for ever.
    pub keep: Option<Duration>,
    pub local: bool,
    pub config: Config,
    /// First value of the hash chain in use.
    pub anchor: Digest,
    /// True once the server stops: whoever waits answers now.
    pub stopping: watch::Receiver<bool>,
    /// Audits handed to each node: a hint for handing them out again when an answer was lost.
    pub handed: Noted<AuditId>,
    /// Receipts of each node whose files are awaited: a hint for who may bring bytes first.
    pub owed: Noted<AttemptId>,
}

impl App {
    /// Said of a file that is not in the blob store.
    pub(crate) fn gone(&self) -> String {
        match self.keep {
            None => "this file is not here".into(),
            Some(keep) => format!(
                "this file is not here any more: files are kept for {} days after their job's end; have it rendered again",
                keep.as_secs() / 86_400
            ),
        }
    }
}
