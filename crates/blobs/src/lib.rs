//! Content-addressed bytes: every blob is named by the BLAKE3 of its contents.
//!
//! Owns: the folder that holds blobs, resumable verified uploads, garbage collection, the size-capped cache of a
//! node, manifests (a directory as a list of blobs) and grants (signed queries that let bytes be read or written).
//! Refuses: to serve bytes that do not fit their name, to follow links, and to know who may see what.

pub mod cache;
pub mod error;
pub mod files;
mod garbage;
pub mod grant;
pub mod manifest;
mod materialize;
mod open_uploads;
pub mod path;
mod pipeline;
pub mod store;
mod upload;

pub use cache::{Cache, Pins};
pub use error::BlobError;
pub use files::hash_file;
pub use garbage::Collected;
pub use grant::{GrantError, GrantKey, Operation};
pub use manifest::{Manifest, ManifestError, ManifestFile};
pub use materialize::{Placing, materialize};
pub use open_uploads::Standing;
pub use path::{PathError, check_path};
pub use store::{BlobStore, LOCAL, Limits};
