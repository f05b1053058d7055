//! Trees and proofs against a second, recursive definition, and forgeries of every kind.

use proptest::prelude::*;
use tatau_evidence::merkle::{self, MerkleError, Proof};
use tatau_evidence::{keccak_of, manifest_root, receipts_root, trace_root};
use tatau_model::{BlobId, Digest, OutputFile};

/// The definition once more: the left part of a subtree is the largest power of two below its size, which is what
/// promoting an odd node amounts to.
fn top(leaves: &[Vec<u8>]) -> Digest {
    match leaves {
        [] => Digest([0; 32]),
        [leaf] => keccak_of(&[&[0], leaf]),
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            keccak_of(&[&[1], &top(left).0, &top(right).0])
        }
    }
}

fn root_again(leaves: &[Vec<u8>]) -> Digest {
    keccak_of(&[&[2], &(leaves.len() as u64).to_be_bytes(), &top(leaves).0])
}

fn some_leaves() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..70), 1..70)
}

proptest! {
    #[test]
    fn every_leaf_is_proved_and_no_other(leaves in some_leaves(), pick: prop::sample::Index, byte: prop::sample::Index) {
        let root = merkle::root(leaves.iter());
        prop_assert_eq!(root, root_again(&leaves));
        let at = pick.index(leaves.len());
        let proof = merkle::prove(leaves.iter(), at as u64)?;
        merkle::check(&root, &leaves[at], &proof)?;

        let mut other = leaves[at].clone();
        other.push(0);
        prop_assert!(merkle::check(&root, &other, &proof).is_err());
        // Leaves that are equal may stand for each other.
        let others = (0..leaves.len()).filter(|other| leaves[*other] != leaves[at]);
        for index in others.map(|other| other as u64) {
            let moved = Proof { index, ..proof.clone() };
            prop_assert!(merkle::check(&root, &leaves[at], &moved).is_err());
        }
        for count in [0, proof.count - 1, proof.count + 1, u64::MAX] {
            let recounted = Proof { count, ..proof.clone() };
            prop_assert!(merkle::check(&root, &leaves[at], &recounted).is_err());
        }
        let mut longer = proof.clone();
        longer.siblings.push(Digest([0; 32]));
        prop_assert!(merkle::check(&root, &leaves[at], &longer).is_err());
        if !proof.siblings.is_empty() {
            let mut shorter = proof.clone();
            shorter.siblings.pop();
            prop_assert!(merkle::check(&root, &leaves[at], &shorter).is_err());
            let mut bent = proof.clone();
            let level = byte.index(bent.siblings.len());
            bent.siblings[level].0[byte.index(32)] ^= 1;
            prop_assert!(merkle::check(&root, &leaves[at], &bent).is_err());
        }
        let end = leaves.len() as u64;
        prop_assert_eq!(
            merkle::prove(leaves.iter(), end).unwrap_err(),
            MerkleError::NoSuchLeaf { index: end, count: end }
        );
    }

    #[test]
    fn a_repeated_last_leaf_is_another_tree(mut leaves in some_leaves()) {
        let root = merkle::root(leaves.iter());
        leaves.extend(leaves.last().cloned());
        prop_assert_ne!(merkle::root(leaves.iter()), root);
    }
}

#[test]
fn no_node_poses_as_a_leaf_and_nothing_has_a_root() {
    let (a, b) = (keccak_of(&[&[0], b"a"]), keccak_of(&[&[0], b"b"]));
    let forged = [a.0.as_slice(), b.0.as_slice()].concat();
    let honest = merkle::root([b"a", b"b"].iter());
    assert_ne!(merkle::root([forged].iter()), honest);
    assert_eq!(merkle::no_trace(), root_again(&[]));
    assert_eq!(merkle::no_trace(), receipts_root(&[]));
}

#[test]
fn a_manifest_is_a_set_of_named_files() {
    let file = |name: &str, blob, bytes| OutputFile { name: name.into(), blob: BlobId([blob; 32]), bytes };
    let (a, b) = (file("a", 1, 1), file("b", 2, 2));
    let root = manifest_root(&[a.clone(), b.clone()]);
    assert_eq!(root, manifest_root(&[b.clone(), a.clone()]));
    for other in [file("a", 1, 2), file("a", 2, 1), file("c", 1, 1)] {
        assert_ne!(root, manifest_root(&[other, b.clone()]));
    }
    assert_ne!(root, manifest_root(&[a]));
}

#[test]
fn a_trace_binds_shape_place_and_number_of_tiles() {
    let tiles: Vec<[u8; 32]> = (0..6).map(|i| [i; 32]).collect();
    let root = trace_root(129, 128, 4, &tiles).unwrap();
    assert_ne!(root, trace_root(128, 129, 4, &tiles).unwrap());
    assert_ne!(root, trace_root(129, 128, 3, &tiles).unwrap());
    let mut swapped = tiles.clone();
    swapped.swap(0, 1);
    assert_ne!(root, trace_root(129, 128, 4, &swapped).unwrap());
    let wrong = trace_root(129, 129, 4, &tiles).unwrap_err();
    assert_eq!(wrong, MerkleError::WrongTiles { width: 129, height: 129, expected: 9, given: 6 });
}
