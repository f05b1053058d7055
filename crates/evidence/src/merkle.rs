//! Keccak-256 Merkle trees with proofs.
//!
//! A leaf hashes as `keccak(0x00 ‖ leaf)`, a node as `keccak(0x01 ‖ left ‖ right)`, the root as
//! `keccak(0x02 ‖ count as u64, big endian ‖ top)`: no leaf can pose as a node, and the number of leaves is
//! bound. A node without a right neighbour is promoted, never duplicated. The top of an empty tree is zero.

use crate::hash::keccak_of;
use serde::{Deserialize, Serialize};
use tatau_model::{Digest, OutputFile};

/// Edge of a render tile, pixels.
pub const TILE_PX: u32 = 64;

/// More levels than a tree of `u64` leaves can have.
const MAX_DEPTH: usize = 64;

/// Why a tree, a proof or a trace was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MerkleError {
    /// No such leaf.
    #[error("leaf {index} is not in a tree of {count}; ask for an index below {count}")]
    NoSuchLeaf {
        /// Asked for.
        index: u64,
        /// Leaves there are.
        count: u64,
    },
    /// The proof has the wrong shape, or leads to another root.
    #[error("the proof does not lead from this leaf to the signed root; send the proof that belongs to it")]
    WrongProof,
    /// A trace with too many or too few tile hashes.
    #[error("a frame of {width} x {height} pixels has {expected} tiles of 64 pixels, not {given}")]
    WrongTiles {
        /// Frame width, pixels.
        width: u32,
        /// Frame height, pixels.
        height: u32,
        /// Tiles of such a frame.
        expected: u64,
        /// Hashes given.
        given: u64,
    },
}

/// Shows that one leaf is in a tree, at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Which leaf, from 0.
    pub index: u64,
    /// Leaves in the tree.
    pub count: u64,
    /// From the leaf upwards, the neighbours that exist.
    pub siblings: Vec<Digest>,
}

fn leaf_hash(leaf: &[u8]) -> Digest {
    keccak_of(&[&[0], leaf])
}

fn node_hash(left: &Digest, right: &Digest) -> Digest {
    keccak_of(&[&[1], &left.0, &right.0])
}

fn root_hash(count: u64, top: &Digest) -> Digest {
    keccak_of(&[&[2], &count.to_be_bytes(), &top.0])
}

fn level_above(level: &[Digest]) -> Vec<Digest> {
    level
        .chunks(2)
        .map(|pair| match pair {
            [left, right] => node_hash(left, right),
            rest => rest[0],
        })
        .collect()
}

/// The root of a tree over `leaves` in their order.
pub fn root(leaves: impl ExactSizeIterator<Item = impl AsRef<[u8]>>) -> Digest {
    let mut level: Vec<Digest> = leaves.map(|leaf| leaf_hash(leaf.as_ref())).collect();
    let count = level.len() as u64;
    while level.len() > 1 {
        level = level_above(&level);
    }
    root_hash(count, level.first().unwrap_or(&Digest([0; 32])))
}

/// The proof of leaf `index`.
pub fn prove(
    leaves: impl ExactSizeIterator<Item = impl AsRef<[u8]>>,
    index: u64,
) -> Result<Proof, MerkleError> {
    let mut level: Vec<Digest> = leaves.map(|leaf| leaf_hash(leaf.as_ref())).collect();
    let count = level.len() as u64;
    if index >= count {
        return Err(MerkleError::NoSuchLeaf { index, count });
    }
    let mut at = index as usize;
    let mut siblings = Vec::new();
    while level.len() > 1 {
        if let Some(sibling) = level.get(at ^ 1) {
            siblings.push(*sibling);
        }
        level = level_above(&level);
        at /= 2;
    }
    Ok(Proof { index, count, siblings })
}

/// Does `proof` lead from `leaf` to `root`?
pub fn check(root: &Digest, leaf: &[u8], proof: &Proof) -> Result<(), MerkleError> {
    if proof.index >= proof.count {
        return Err(MerkleError::NoSuchLeaf { index: proof.index, count: proof.count });
    }
    if proof.siblings.len() > MAX_DEPTH {
        return Err(MerkleError::WrongProof);
    }
    let mut siblings = proof.siblings.iter();
    let (mut at, mut width, mut hash) = (proof.index, proof.count, leaf_hash(leaf));
    while width > 1 {
        if (at ^ 1) < width {
            let sibling = siblings.next().ok_or(MerkleError::WrongProof)?;
            hash = if at % 2 == 0 { node_hash(&hash, sibling) } else { node_hash(sibling, &hash) };
        }
        at /= 2;
        width = width.div_ceil(2);
    }
    if siblings.next().is_some() || root_hash(proof.count, &hash) != *root {
        return Err(MerkleError::WrongProof);
    }
    Ok(())
}

/// The leaf of one delivered file: `name length as u32 ‖ name ‖ bytes as u64 ‖ blob`, big endian.
pub fn file_leaf(file: &OutputFile) -> Vec<u8> {
    let mut leaf = Vec::with_capacity(44 + file.name.len());
    leaf.extend((file.name.len() as u32).to_be_bytes());
    leaf.extend(file.name.as_bytes());
    leaf.extend(file.bytes.to_be_bytes());
    leaf.extend(file.blob.0);
    leaf
}

/// The root over delivered files, whatever order they are given in.
///
/// It does not refuse two files of one name: whoever accepts a delivery does.
pub fn manifest_root(files: &[OutputFile]) -> Digest {
    let mut sorted: Vec<&OutputFile> = files.iter().collect();
    sorted.sort_by(|a, b| (&a.name, a.bytes, a.blob).cmp(&(&b.name, b.bytes, b.blob)));
    root(sorted.into_iter().map(file_leaf))
}

/// How many tiles a frame has.
pub fn tile_count(width: u32, height: u32) -> u64 {
    u64::from(width.div_ceil(TILE_PX)) * u64::from(height.div_ceil(TILE_PX))
}

/// The root of a render's trace: a first leaf that binds the frame's shape (`"tatau-tiles" ‖ width ‖ height ‖
/// channels ‖ 64`, each u32 big endian), then the tile hashes row by row.
pub fn trace_root(width: u32, height: u32, channels: u32, tiles: &[[u8; 32]]) -> Result<Digest, MerkleError> {
    let (expected, given) = (tile_count(width, height), tiles.len() as u64);
    if expected != given {
        return Err(MerkleError::WrongTiles { width, height, expected, given });
    }
    let mut shape = b"tatau-tiles".to_vec();
    for number in [width, height, channels, TILE_PX] {
        shape.extend(number.to_be_bytes());
    }
    let mut leaves: Vec<&[u8]> = Vec::with_capacity(tiles.len() + 1);
    leaves.push(&shape);
    leaves.extend(tiles.iter().map(<[u8; 32]>::as_slice));
    Ok(root(leaves.into_iter()))
}

/// The trace root of work that has no trace: the empty tree.
pub fn no_trace() -> Digest {
    root(std::iter::empty::<[u8; 0]>())
}

/// The root over the digests of an epoch's receipts, in log order.
pub fn receipts_root(digests: &[Digest]) -> Digest {
    root(digests.iter().map(|digest| digest.0))
}
