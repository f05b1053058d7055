//! The store on a real disk: uploads that break off, wrong bytes, several uploaders, limits, damage, garbage.
#![allow(clippy::unwrap_used, reason = "a test's own steps")]

use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tatau_blobs::{BlobError, BlobStore, LOCAL, Limits, Standing, hash_file};
use tatau_model::{Address, BlobId, Clock, SystemClock};

const ALICE: Address = Address([1; 20]);
const BOB: Address = Address([2; 20]);

fn contents(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| (i * 31 % 251) as u8).collect()
}

fn id_of(contents: &[u8]) -> BlobId {
    BlobId(*blake3::hash(contents).as_bytes())
}

fn small(quota_bytes: u64) -> Limits {
    Limits { max_blob_bytes: 1000, quota_bytes, max_uploads: 3, kept_uploads: 0, ..Limits::default() }
}

fn read_all(store: &BlobStore, id: &BlobId) -> Vec<u8> {
    let mut all = Vec::new();
    store.open_blob(id).unwrap().unwrap().read_to_end(&mut all).unwrap();
    all
}

/// Overwrites the file, with a time of change that differs however coarse the file system's clock is.
fn damage(path: &Path, bytes: &[u8]) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path, bytes).unwrap();
    let then = std::time::SystemTime::now() - Duration::from_hours(1);
    fs::File::open(path).unwrap().set_modified(then).unwrap();
}

#[test]
fn an_upload_goes_on_where_it_broke_off_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let data = contents(10_000);
    let (id, size) = (id_of(&data), data.len() as u64);
    {
        let store = BlobStore::open(dir.path(), Limits::default()).unwrap();
        assert_eq!(store.begin_upload(&id, size, &ALICE).unwrap().have, 0);
        assert_eq!(store.append(&id, size, &ALICE, 0, &data[..4000]).unwrap().have, 4000);
        assert!(matches!(BlobStore::open(dir.path(), Limits::default()), Err(BlobError::InUse(_))));
    }
    let store = BlobStore::open(dir.path(), Limits::default()).unwrap();
    assert_eq!(store.used_bytes(), 4000);
    let state = store.begin_upload(&id, size, &ALICE).unwrap();
    assert_eq!((state.have, state.complete), (4000, false));
    let gap = store.append(&id, size, &ALICE, 5000, &data[5000..]).unwrap_err();
    assert!(matches!(gap, BlobError::Gap { have: 4000, offset: 5000, .. }), "{gap}");
    // A chunk sent again, as after a lost answer, is skipped where it is known.
    assert_eq!(store.append(&id, size, &ALICE, 3000, &data[3000..6000]).unwrap().have, 6000);
    assert_eq!(store.append(&id, size, &ALICE, 0, &data[..10]).unwrap().have, 6000);
    assert!(!store.contains(&id).unwrap());
    let last = store.append(&id, size, &ALICE, 6000, &data[6000..]).unwrap();
    assert_eq!((last.have, last.complete), (size, true));
    assert!(store.append(&id, size, &ALICE, 6000, &data[6000..]).unwrap().complete);
    assert_eq!(read_all(&store, &id), data);
    assert_eq!(store.used_bytes(), size);
    assert!(store.path(&id).starts_with(dir.path().join(&id.to_string()[..2])));
    assert_eq!(fs::metadata(store.path(&id)).unwrap().permissions().mode() & 0o777, 0o444);
    drop(store);
    assert_eq!(BlobStore::open(dir.path(), Limits::default()).unwrap().used_bytes(), size);
}

#[test]
fn wrong_bytes_are_discarded_and_the_upload_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = BlobStore::open(dir.path(), small(5000)).unwrap();
    let data = contents(100);
    let id = id_of(&data);
    let mut wrong = data.clone();
    wrong[50] ^= 1;
    store.begin_upload(&id, 100, &ALICE).unwrap();
    let error = store.append(&id, 100, &ALICE, 0, &wrong).unwrap_err();
    assert!(
        matches!(error, BlobError::WrongHash { expected, found } if expected == id && found == id_of(&wrong))
    );
    assert!(!store.contains(&id).unwrap());
    assert_eq!(store.used_bytes(), 0);
    assert_eq!(fs::read_dir(dir.path().join("partial")).unwrap().count(), 0);
    assert!(matches!(store.append(&id, 100, &ALICE, 0, &data), Err(BlobError::NoUpload(_))));
    assert_eq!(store.begin_upload(&id, 100, &ALICE).unwrap().have, 0);
    assert!(matches!(store.append(&id, 100, &ALICE, 0, &contents(101)), Err(BlobError::TooLong { .. })));
    assert!(store.append(&id, 100, &ALICE, 0, &data).unwrap().complete);
}

#[test]
fn nobody_spoils_another_s_upload() {
    let dir = tempfile::tempdir().unwrap();
    let store = BlobStore::open(dir.path(), small(5000)).unwrap();
    let data = contents(100);
    let id = id_of(&data);
    store.begin_upload(&id, 100, &ALICE).unwrap();
    store.append(&id, 100, &ALICE, 0, &data[..50]).unwrap();
    store.begin_upload(&id, 100, &BOB).unwrap();
    assert!(store.append(&id, 100, &BOB, 0, &[0; 100]).is_err());
    assert!(store.append(&id, 100, &ALICE, 50, &data[50..]).unwrap().complete);
    // Bob need not send anything now, and his file is gone.
    assert!(store.begin_upload(&id, 100, &BOB).unwrap().complete);
    assert_eq!(fs::read_dir(dir.path().join("partial")).unwrap().count(), 0);
}

#[test]
fn many_at_once_store_one_blob_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = BlobStore::open(dir.path(), Limits::default()).unwrap();
    let data = contents(300_000);
    let (id, size) = (id_of(&data), data.len() as u64);
    std::thread::scope(|scope| {
        for thread in 0..8u8 {
            let (store, data) = (&store, &data);
            scope.spawn(move || {
                if thread == 7 {
                    assert_eq!(store.put_bytes(data).unwrap(), id);
                    return;
                }
                // Threads 0 to 3 share one upload, the others have their own.
                let by = Address([thread.max(3); 20]);
                let mut state = store.begin_upload(&id, size, &by).unwrap();
                while !state.complete {
                    let from = state.have as usize;
                    let to = (from + 10_000).min(data.len());
                    state = store.append(&id, size, &by, state.have, &data[from..to]).unwrap();
                }
            });
        }
    });
    assert_eq!(read_all(&store, &id), data);
    for by in 3..7 {
        assert!(store.begin_upload(&id, size, &Address([by; 20])).unwrap().complete);
    }
    assert_eq!(store.used_bytes(), size, "counted once");
    assert_eq!(fs::read_dir(dir.path().join("partial")).unwrap().count(), 0);
}

#[test]
fn limits_hold() {
    let dir = tempfile::tempdir().unwrap();
    let store = BlobStore::open(dir.path(), small(1500)).unwrap();
    assert!(matches!(
        store.put_bytes(&contents(1001)),
        Err(BlobError::TooLarge { bytes: 1001, limit: 1000 })
    ));
    let data = contents(1000);
    store.put_bytes(&data).unwrap();
    store.put_bytes(&data).unwrap();
    assert_eq!(store.used_bytes(), 1000);
    let error = store.put_bytes(&contents(501)).unwrap_err();
    assert!(matches!(error, BlobError::Quota { used: 1000, quota: 1500, needed: 501 }), "{error}");
    let id = |n: u8| BlobId([n; 32]);
    assert!(matches!(store.begin_upload(&id(9), 1001, &ALICE), Err(BlobError::TooLarge { .. })));
    assert!(matches!(store.begin_upload(&id(9), 501, &ALICE), Err(BlobError::Quota { .. })));
    for n in 0..3 {
        store.begin_upload(&id(n), 400, &ALICE).unwrap();
    }
    assert!(matches!(store.begin_upload(&id(3), 400, &ALICE), Err(BlobError::TooManyUploads(3))));
    // Each fits when it begins, not all of them together; what was refused may come later.
    store.append(&id(0), 400, &ALICE, 0, &[0; 300]).unwrap();
    let error = store.append(&id(1), 400, &ALICE, 0, &[0; 300]).unwrap_err();
    assert!(matches!(error, BlobError::Quota { .. }), "{error}");
    assert_eq!(store.used_bytes(), 1300);
    store.remove(&id_of(&data)).unwrap();
    assert_eq!(store.append(&id(1), 400, &ALICE, 0, &[0; 300]).unwrap().have, 300);
}

#[test]
fn looking_opens_nothing_and_one_uploader_cannot_take_every_place() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { max_uploads: 4, kept_uploads: 1, max_uploads_each: 2, ..small(5000) };
    let store = BlobStore::open(dir.path(), limits).unwrap();
    let left = || fs::read_dir(dir.path().join("partial")).unwrap().count();
    let id = |n: u8| BlobId([n; 32]);
    let put = |n: u8, by: &Address, standing, chunk: &[u8]| {
        store.put_chunk(&id(n), 100, by, standing, 0, chunk).map(|state| state.have)
    };
    for n in 0..20 {
        assert_eq!(store.upload_state(&id(n), 100, &ALICE).unwrap().have, 0);
        assert_eq!(put(n, &ALICE, Standing::Stranger, b"").unwrap(), 0, "a place is taken by bytes");
        assert_eq!(store.put_chunk(&id(n), 100, &ALICE, Standing::Stranger, 9, b"x").unwrap().have, 0);
    }
    assert!(matches!(put(0, &ALICE, Standing::Stranger, &[0; 101]), Err(BlobError::TooLong { .. })));
    assert_eq!(left(), 0);
    assert_eq!(put(1, &ALICE, Standing::Stranger, b"abc").unwrap(), 3);
    assert_eq!(put(2, &ALICE, Standing::Stranger, b"abc").unwrap(), 3);
    let error = put(3, &ALICE, Standing::Owing, b"abc").unwrap_err();
    assert!(matches!(error, BlobError::ShareUsed { uploads: 2, bytes: 200 }), "{error}");
    // The third place is the last for strangers; the fourth is kept.
    let (carol, dave) = (Address([3; 20]), Address([4; 20]));
    assert_eq!(put(1, &BOB, Standing::Stranger, b"abc").unwrap(), 3);
    assert!(matches!(put(1, &carol, Standing::Stranger, b"abc"), Err(BlobError::TooManyUploads(3))));
    assert_eq!(put(1, &carol, Standing::Owing, b"abc").unwrap(), 3);
    assert!(matches!(put(1, &dave, Standing::Owing, b"abc"), Err(BlobError::TooManyUploads(4))));
    // Shares outlive a restart, and end with their uploads.
    drop(store);
    let store = BlobStore::open(dir.path(), limits).unwrap();
    let stranger = |n: u8| store.put_chunk(&id(n), 100, &ALICE, Standing::Stranger, 0, b"abc");
    assert!(matches!(stranger(3), Err(BlobError::ShareUsed { uploads: 2, bytes: 200 })));
    let hour = Duration::from_hours(1);
    let now = std::time::SystemTime::now();
    assert_eq!(store.drop_stale_uploads(now, hour).unwrap(), 0);
    assert_eq!(store.drop_stale_uploads(now + hour + Duration::from_mins(1), hour).unwrap(), 4);
    assert_eq!((left(), store.used_bytes()), (0, 0));
    assert_eq!(stranger(3).unwrap().have, 3);
    // Few, but together too large.
    let narrow = tempfile::tempdir().unwrap();
    let limits = Limits { max_upload_bytes_each: 150, ..small(5000) };
    let store = BlobStore::open(narrow.path(), limits).unwrap();
    store.begin_upload(&id(1), 100, &ALICE).unwrap();
    let error = store.begin_upload(&id(2), 51, &ALICE).unwrap_err();
    assert!(matches!(error, BlobError::ShareUsed { uploads: 1, bytes: 100 }), "{error}");
    store.begin_upload(&id(2), 50, &ALICE).unwrap();
}

#[test]
fn a_damaged_blob_is_removed_and_never_served() {
    let dir = tempfile::tempdir().unwrap();
    let store = BlobStore::open(dir.path(), Limits::default()).unwrap();
    let data = contents(100);
    let id = store.put_bytes(&data).unwrap();
    assert_eq!(store.read(&id, 100).unwrap().unwrap(), data);
    assert!(matches!(store.read(&id, 99), Err(BlobError::TooLarge { .. })));
    damage(&store.path(&id), &[1; 100]);
    let error = store.open_blob(&id).unwrap_err();
    assert!(matches!(error, BlobError::Damaged(damaged) if damaged == id), "{error}");
    assert!(!store.contains(&id).unwrap() && store.open_blob(&id).unwrap().is_none());
    assert_eq!(store.used_bytes(), 0);

    // Stored again over a damaged copy: healed.
    store.put_bytes(&data).unwrap();
    assert_eq!(store.verify(&id).unwrap(), Some(100));
    drop(store);
    damage(&dir.path().join(&id.to_string()[..2]).join(&id.to_string()[2..]), b"cut");
    let store = BlobStore::open(dir.path(), Limits::default()).unwrap();
    assert!(matches!(store.verify(&id), Err(BlobError::Damaged(_))));
    assert_eq!(store.verify(&id).unwrap(), None);
}

#[test]
fn garbage_goes_what_is_wanted_or_young_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = BlobStore::open(dir.path(), Limits::default()).unwrap();
    let kept = store.put_bytes(b"kept").unwrap();
    let lost = store.put_bytes(b"lost").unwrap();
    let unfinished = BlobId([7; 32]);
    store.begin_upload(&unfinished, 10, &ALICE).unwrap();
    store.append(&unfinished, 10, &ALICE, 0, b"abc").unwrap();
    let keep = HashSet::from([kept]);
    let hour = Duration::from_hours(1);
    let now = SystemClock.now();
    let nothing = store.collect_garbage(&keep, hour, now).unwrap();
    assert_eq!((nothing.blobs, nothing.uploads), (0, 0));
    let some = store.collect_garbage(&keep, hour, now.plus(3_700_000)).unwrap();
    assert_eq!((some.blobs, some.bytes, some.uploads), (1, 4, 1));
    assert!(store.contains(&kept).unwrap() && !store.contains(&lost).unwrap());
    assert_eq!(store.used_bytes(), 4);
    assert!(matches!(store.append(&unfinished, 10, &ALICE, 3, b"d"), Err(BlobError::NoUpload(_))));
}

#[test]
fn a_wanted_blob_becomes_young_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = BlobStore::open(dir.path(), Limits::default()).unwrap();
    let id = store.put_bytes(b"again").unwrap();
    let old = std::time::SystemTime::now() - Duration::from_hours(2);
    fs::File::open(store.path(&id)).unwrap().set_modified(old).unwrap();
    assert!(store.begin_upload(&id, 5, &ALICE).unwrap().complete);
    let none = store.collect_garbage(&HashSet::new(), Duration::from_hours(1), SystemClock.now()).unwrap();
    assert_eq!(none.blobs, 0);
}

#[test]
fn the_empty_blob_and_files_work_and_links_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let store = BlobStore::open(&dir.path().join("store"), Limits::default()).unwrap();
    let empty = id_of(b"");
    assert!(store.begin_upload(&empty, 0, &LOCAL).unwrap().complete);
    assert_eq!(store.size(&empty).unwrap(), Some(0));
    let file = dir.path().join("file");
    fs::write(&file, contents(700_000)).unwrap();
    let (id, bytes) = store.put_file(&file).unwrap();
    assert_eq!((id, bytes), hash_file(&file).unwrap());
    assert_eq!(read_all(&store, &id), contents(700_000));
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    assert!(store.put_file(&link).is_err() && hash_file(&link).is_err());
    assert!(store.put_file(dir.path()).is_err());
}

#[test]
fn what_a_killed_process_left_is_tidied() {
    let dir = tempfile::tempdir().unwrap();
    drop(BlobStore::open(dir.path(), Limits::default()).unwrap());
    fs::write(dir.path().join("partial/draft-x"), b"half").unwrap();
    fs::write(dir.path().join("notes.txt"), b"not ours").unwrap();
    let data = contents(10);
    let id = id_of(&data);
    // Whole, but killed before it was named.
    let name = format!("{id}.10.{}", hex::encode(ALICE.0));
    fs::write(dir.path().join("partial").join(name), &data).unwrap();
    let store = BlobStore::open(dir.path(), Limits::default()).unwrap();
    assert_eq!(store.used_bytes(), 10);
    assert!(!dir.path().join("partial/draft-x").exists() && dir.path().join("notes.txt").exists());
    assert!(store.begin_upload(&id, 10, &ALICE).unwrap().complete);
    assert_eq!(store.used_bytes(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn async_code_goes_through_run() {
    let dir = tempfile::tempdir().unwrap();
    let store = BlobStore::open(dir.path(), Limits::default()).unwrap();
    let id = store.run(|store| store.put_bytes(b"async")).await.unwrap();
    assert_eq!(store.run(move |store| store.size(&id)).await.unwrap(), Some(5));
}
