//! The node's cache: eviction by last use, pins, restarts.
#![allow(clippy::unwrap_used, reason = "a test's own steps")]

use std::time::{Duration, SystemTime};
use tatau_blobs::{BlobError, Cache, Manifest, ManifestFile, Placing};
use tatau_model::BlobId;

fn blob(fill: u8) -> Vec<u8> {
    vec![fill; 100]
}

fn id(fill: u8) -> BlobId {
    BlobId(*blake3::hash(&blob(fill)).as_bytes())
}

fn here(cache: &Cache, fill: u8) -> bool {
    cache.store().contains(&id(fill)).unwrap()
}

#[test]
fn the_longest_unused_goes_first() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path(), 300).unwrap();
    for fill in 1..=3 {
        cache.put_bytes(&blob(fill)).unwrap();
    }
    assert!(cache.open_blob(&id(1)).unwrap().is_some());
    cache.put_bytes(&blob(4)).unwrap();
    assert!(here(&cache, 1) && !here(&cache, 2) && here(&cache, 3) && here(&cache, 4));
    assert!(cache.open_blob(&id(2)).unwrap().is_none());
    assert_eq!(cache.store().used_bytes(), 300);
}

#[test]
fn pinned_blobs_stay_and_a_full_cache_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path(), 300).unwrap();
    for fill in 1..=3 {
        cache.put_bytes(&blob(fill)).unwrap();
    }
    let first = cache.pin([id(1)]);
    let again = cache.pin([id(1), id(2)]);
    cache.put_bytes(&blob(4)).unwrap();
    assert!(here(&cache, 1) && here(&cache, 2) && !here(&cache, 3));
    let rest = cache.pin([id(4)]);
    let full = cache.put_bytes(&blob(5)).unwrap_err();
    assert!(matches!(full, BlobError::CacheFull { cap: 300, needed: 100 }), "{full}");
    drop((again, rest));
    cache.put_bytes(&blob(5)).unwrap();
    cache.put_bytes(&blob(6)).unwrap();
    assert!(here(&cache, 1), "still pinned once");
    drop(first);
}

#[test]
fn downloads_make_room_and_resume() {
    let dir = tempfile::tempdir().unwrap();
    {
        let cache = Cache::open(dir.path(), 300).unwrap();
        for fill in 1..=3 {
            cache.put_bytes(&blob(fill)).unwrap();
        }
        assert_eq!(cache.begin_download(&id(4), 100).unwrap().have, 0);
        assert_eq!(cache.append(&id(4), 100, 0, &blob(4)[..60]).unwrap().have, 60);
    }
    let cache = Cache::open(dir.path(), 300).unwrap();
    assert_eq!(cache.begin_download(&id(4), 100).unwrap().have, 60);
    assert!(cache.append(&id(4), 100, 60, &blob(4)[60..]).unwrap().complete);
    assert!(!here(&cache, 1) && here(&cache, 2) && here(&cache, 3) && here(&cache, 4));
    assert!(cache.begin_download(&id(3), 100).unwrap().complete);
    assert!(cache.begin_download(&id(9), 301).is_err());
}

#[test]
fn the_order_of_use_and_a_smaller_cap_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    {
        let cache = Cache::open(dir.path(), 300).unwrap();
        for (fill, minutes_ago) in [(1, 1), (2, 3), (3, 2)] {
            cache.put_bytes(&blob(fill)).unwrap();
            let then = SystemTime::now() - Duration::from_mins(minutes_ago);
            let path = cache.store().path(&id(fill));
            std::fs::File::open(path).unwrap().set_modified(then).unwrap();
        }
    }
    let cache = Cache::open(dir.path(), 250).unwrap();
    assert!(here(&cache, 1) && !here(&cache, 2) && here(&cache, 3));
    drop(cache);
    let cache = Cache::open(dir.path(), 100).unwrap();
    assert!(here(&cache, 1) && !here(&cache, 3));
}

#[test]
fn a_materialized_folder_outlives_eviction() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(&dir.path().join("cache"), 300).unwrap();
    cache.put_bytes(&blob(1)).unwrap();
    let file = ManifestFile { path: "a/b".into(), blob: id(1), bytes: 100 };
    let manifest = Manifest::new(vec![file]).unwrap();
    let target = dir.path().join("out");
    cache.materialize(&manifest, &target, Placing::Link).unwrap();
    for fill in 2..=4 {
        cache.put_bytes(&blob(fill)).unwrap();
    }
    assert!(!here(&cache, 1));
    assert_eq!(std::fs::read(target.join("a/b")).unwrap(), blob(1));
    let error = cache.materialize(&manifest, &dir.path().join("out2"), Placing::Link).unwrap_err();
    assert!(matches!(error, BlobError::Missing(missing) if missing == id(1)), "{error}");
}
