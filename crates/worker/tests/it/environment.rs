//! Environments made with the machine's own Python, from recipes without packages (nothing is fetched).

#![allow(clippy::unwrap_used)] // a test that cannot go on fails

use std::{collections::HashSet, os::unix::fs::PermissionsExt, path::Path, process::Command};
use tatau_worker::{EnvironmentError, Recipe, Stage, provision};

/// The version of the machine's own Python 3, such as `3.11`.
fn version() -> String {
    let code = "import sys; print('%d.%d' % sys.version_info[:2])";
    let told = Command::new("/usr/bin/python3").args(["-c", code]).output().unwrap();
    String::from_utf8(told.stdout).unwrap().trim().to_owned()
}

fn manifest(check: &str, more: &str) -> String {
    format!(
        r#"{{"name": "empty", "python": "{}", "check": ["bin/python", "-c", "{check}"]{more}}}"#,
        version()
    )
}

async fn make(
    cache: &Path,
    manifest: &str,
    lock: &str,
) -> (Result<std::path::PathBuf, EnvironmentError>, Vec<Stage>) {
    let mut stages = Vec::new();
    let recipe = Recipe { name: "empty", manifest, lock };
    let made = provision(cache, &recipe, &mut |stage| stages.push(stage)).await;
    (made, stages)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_is_made_once_readable_and_movable() {
    let cache = tempfile::tempdir().unwrap();
    let manifest = manifest("import sys; assert sys.prefix != sys.base_prefix", "");
    let (a, b) = tokio::join!(make(cache.path(), &manifest, "# a"), make(cache.path(), &manifest, "# a"));
    let (dir, other) = (a.0.unwrap(), b.0.unwrap());
    assert_eq!(dir, other);
    let made = [&a.1, &b.1].iter().filter(|stages| stages.contains(&Stage::Checking)).count();
    assert_eq!(made, 1, "{:?} {:?}", a.1, b.1);
    assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o055, 0o055);
    // Seen under another name, as in a sandbox.
    let elsewhere = cache.path().join("elsewhere");
    std::fs::rename(&dir, &elsewhere).unwrap();
    let prefix = Command::new(elsewhere.join("bin/python"))
        .args(["-sE", "-c", "import sys; print(sys.prefix)"])
        .output();
    assert_eq!(String::from_utf8(prefix.unwrap().stdout).unwrap().trim(), elsewhere.display().to_string());
    std::fs::rename(&elsewhere, &dir).unwrap();
    let (again, stages) = make(cache.path(), &manifest, "# a").await;
    assert_eq!((again.unwrap(), stages), (dir.clone(), vec![Stage::Ready]));
    let (changed, _) = make(cache.path(), &manifest, "# b").await;
    assert_ne!(changed.unwrap(), dir);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_made_leaves_nothing_and_says_what_to_do() {
    let cache = tempfile::tempdir().unwrap();
    let (failed, _) = make(cache.path(), &manifest("import no_such_module", ""), "").await;
    let told = failed.unwrap_err().to_string();
    assert!(told.contains("starting it once") && told.contains("no_such_module"), "{told}");
    let needs = r#", "needs": [{"library": "libnone.so.9", "package": "libnone9"}]"#;
    let (lacking, _) = make(cache.path(), &manifest("pass", needs), "").await;
    let told = lacking.unwrap_err().to_string();
    assert!(told.contains("apt-get install libnone9"), "{told}");
    let (large, _) = make(cache.path(), &manifest("pass", r#", "disk_bytes": 1000000000000000"#), "").await;
    assert!(matches!(large.unwrap_err(), EnvironmentError::Disk { .. }));
    let (unhashed, _) = make(cache.path(), &manifest("pass", ""), "six==1.16.0\n").await;
    let told = unhashed.unwrap_err().to_string();
    assert!(told.contains("fetching its wheels") && told.contains("hash"), "{told}");
    let left: HashSet<_> = std::fs::read_dir(cache.path().join("env"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|name| std::path::Path::new(name).extension().is_none_or(|kind| kind != "lock"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(matches!(Recipe::by_name("none"), Err(EnvironmentError::Unknown(_))));
    let (odd, _) = make(cache.path(), "{}", "").await;
    assert!(matches!(odd.unwrap_err(), EnvironmentError::Manifest { .. }));
}
