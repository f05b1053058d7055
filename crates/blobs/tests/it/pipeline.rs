//! Several chunks of one upload on their way at once.
#![allow(clippy::unwrap_used, reason = "a test's own steps")]

use bytes::Bytes;
use futures_util::{FutureExt as _, future::join_all};
use rand::{RngExt as _, SeedableRng as _, seq::SliceRandom as _};
use rand_chacha::ChaCha20Rng;
use std::fs;
use tatau_api::platform::UploadState;
use tatau_blobs::{BlobError, BlobStore, Limits, Standing};
use tatau_model::{Address, BlobId};

const ALICE: Address = Address([1; 20]);

struct Upload {
    store: BlobStore,
    data: Bytes,
    id: BlobId,
}

impl Upload {
    fn of(store: &BlobStore, data: Vec<u8>) -> Self {
        let id = BlobId(*blake3::hash(&data).as_bytes());
        Self { store: store.clone(), data: data.into(), id }
    }

    async fn put(&self, from: usize, to: usize) -> UploadState {
        self.try_put(from, self.data.slice(from..to)).await.unwrap()
    }

    async fn try_put(&self, from: usize, chunk: Bytes) -> Result<UploadState, BlobError> {
        let bytes = self.data.len() as u64;
        self.store.put_chunk_in_turn(&self.id, bytes, &ALICE, Standing::Stranger, from as u64, chunk).await
    }

    fn stored(&self) -> Option<Vec<u8>> {
        self.store.read(&self.id, u64::MAX).unwrap()
    }
}

fn random(rng: &mut ChaCha20Rng, len: usize) -> Vec<u8> {
    (0..len).map(|_| rng.random()).collect()
}

#[tokio::test]
async fn chunks_that_overtake_each_other_are_put_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let store = BlobStore::open(dir.path(), Limits::default()).unwrap();
    let seed = rand::random();
    println!("seed {seed}");
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    for _ in 0..20 {
        let len = rng.random_range(4_000..100_000);
        let upload = Upload::of(&store, random(&mut rng, len));
        let mut cuts: Vec<usize> = (0..6).map(|_| rng.random_range(1..len)).collect();
        cuts.extend([0, len]);
        cuts.sort_unstable();
        cuts.dedup();
        let mut chunks: Vec<_> = cuts.windows(2).map(|pair| (pair[0], pair[1])).collect();
        let (from, to) = chunks.remove(0);
        upload.put(from, to).await;
        chunks.shuffle(&mut rng);
        let answers = join_all(chunks.iter().map(|(from, to)| upload.put(*from, *to))).await;
        for ((_, to), answer) in chunks.iter().zip(answers) {
            assert!(answer.have >= *to as u64, "{answer:?} after a chunk up to {to}");
        }
        assert_eq!(upload.stored().unwrap(), upload.data);
    }
}

#[tokio::test(start_paused = true)]
async fn a_chunk_after_a_hole_waits_a_moment_and_is_told_where_the_hole_is() {
    let dir = tempfile::tempdir().unwrap();
    let store = BlobStore::open(dir.path(), Limits::default()).unwrap();
    let upload = Upload::of(&store, vec![7; 100_000]);
    assert_eq!(upload.put(50_000, 60_000).await.have, 0, "nothing is begun: nothing to wait for");
    upload.put(0, 10_000).await;
    let begun = tokio::time::Instant::now();
    assert_eq!(upload.put(50_000, 60_000).await.have, 10_000);
    assert!((1..10).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    // Who waits learns at once that the upload was given up.
    let mut waits = Box::pin(upload.put(50_000, 60_000));
    while upload.store.used_bytes() != 0 {
        assert!(waits.as_mut().now_or_never().is_none());
        let later = std::time::SystemTime::now() + std::time::Duration::from_hours(1);
        upload.store.drop_stale_uploads(later, std::time::Duration::from_mins(1)).unwrap();
    }
    let begun = tokio::time::Instant::now();
    assert_eq!(waits.await.have, 0);
    assert!(begun.elapsed().as_secs() < 1, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn no_more_than_so_many_chunks_wait() {
    let dir = tempfile::tempdir().unwrap();
    let store = BlobStore::open(dir.path(), Limits::default()).unwrap();
    let upload = Upload::of(&store, vec![7; 100_000]);
    upload.put(0, 10).await;
    let many: Vec<_> = (0..80).map(|n| upload.put(50_000 + n, 60_000)).collect();
    let begun = tokio::time::Instant::now();
    let mut many = Box::pin(futures_util::stream::FuturesUnordered::from_iter(many));
    for _ in 0..16 {
        let refused = futures_util::StreamExt::next(&mut many).await.unwrap();
        assert_eq!(refused.have, 10);
    }
    assert!(begun.elapsed().as_secs() < 1, "those beyond the limit wait for nothing: {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_hash_that_was_kept_beside_does_not_vouch_for_other_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let store = BlobStore::open(dir.path(), Limits::default()).unwrap();
    let upload = Upload::of(&store, (0..50_000u32).flat_map(u32::to_le_bytes).collect());
    let half = upload.data.len() / 2;
    upload.put(0, half).await;
    // The file is taken away, and what comes in its place is garbage.
    let partial = fs::read_dir(dir.path().join("partial")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(&partial).unwrap();
    assert_eq!(upload.try_put(0, vec![0; half].into()).await.unwrap().have, half as u64);
    let refused = upload.try_put(half, upload.data.slice(half..)).await.unwrap_err();
    assert!(matches!(refused, BlobError::WrongHash { .. }), "{refused}");
    assert_eq!(upload.stored(), None);
}
