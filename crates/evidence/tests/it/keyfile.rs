//! The key file on a real disk.
#![cfg(unix)]

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tatau_evidence::{KeyFileError, load, load_or_create};

#[test]
fn a_key_is_made_once_and_kept_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/node.key");
    assert!(matches!(load(&path), Err(KeyFileError::Missing(_))));
    let first = load_or_create(&path, &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
    let second = load_or_create(&path, &mut ChaCha20Rng::seed_from_u64(2)).unwrap();
    assert_eq!(first.address(), second.address());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "no draft is left over");
}

#[test]
fn an_exposed_or_broken_file_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.key");
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    load_or_create(&path, &mut rng).unwrap();
    for mode in [0o640, 0o604, 0o622] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = load_or_create(&path, &mut rng).unwrap_err();
        assert!(
            matches!(error, KeyFileError::Exposed { .. }) && error.to_string().contains("chmod 600"),
            "{error}"
        );
    }
    for contents in [&b""[..], b"not a key", &[0xff; 100], &[b'1'; 5000]] {
        fs::write(&path, contents).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(load_or_create(&path, &mut rng), Err(KeyFileError::Malformed(_))));
        assert_eq!(fs::read(&path).unwrap(), contents);
    }
}

#[test]
fn ten_at_once_end_with_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.key");
    let addresses: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..10)
            .map(|seed| {
                let path = &path;
                scope.spawn(move || {
                    load_or_create(path, &mut ChaCha20Rng::seed_from_u64(seed)).unwrap().address()
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(addresses.iter().all(|a| *a == addresses[0]), "{addresses:?}");
    assert_eq!(load(&path).unwrap().address(), addresses[0]);
}
