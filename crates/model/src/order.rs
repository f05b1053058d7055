//! Work orders: everything a node needs to run one task or one audit, and nothing more.

use crate::{BlobId, Device, JobId, Work};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The sandboxed session that a task runs in; equal values share one resident session.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionOrder {
    /// OpenJD job template (YAML), checked by the server.
    pub template: String,
    /// Job parameters.
    pub parameters: BTreeMap<String, String>,
    /// Step of the template.
    pub step: String,
    /// Environment by name, such as `blender-5.0`.
    pub environment: String,
    /// Manifest of the input files, laid out under `/in/scene`.
    pub inputs: Option<BlobId>,
}

/// A file from verified results that this task starts from, laid out under `/in/files/<attempt or audit>/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderFile {
    /// Plain name; with slashes where it lies in folders.
    pub name: String,
    /// Contents.
    pub blob: BlobId,
    /// Size.
    pub bytes: u64,
}

/// One piece of work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its job: keeps sessions of different buyers apart.
    pub job: JobId,
    /// What it does, for people and for collecting outputs.
    pub work: Work,
    /// What it is done on.
    #[serde(default, skip_serializing_if = "Device::is_cpu")]
    pub device: Device,
    /// The session.
    pub session: SessionOrder,
    /// Task parameters.
    pub parameters: BTreeMap<String, String>,
    /// JSON placed at the path in the task parameter `Request`, if any.
    pub request: Option<String>,
    /// Verified files it starts from.
    pub files: Vec<OrderFile>,
    /// Upper bound of its run time, ms.
    pub limit_ms: u64,
}
