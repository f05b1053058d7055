use super::*;

#[test]
fn a_folder_keeps_its_job_and_its_nonce() {
    let dir = tempfile::tempdir().unwrap();
    let nonce = {
        let mut target = Target::open(&dir.path().join("out")).unwrap();
        target.bind("http://a", JobId(4)).unwrap();
        target.state().nonce.clone()
    };
    let mut again = Target::open(&dir.path().join("out")).unwrap();
    assert_eq!((again.state().job, &again.state().nonce), (Some(JobId(4)), &nonce));
    again.bind("http://a", JobId(4)).unwrap();
    assert!(again.bind("http://a", JobId(5)).unwrap_err().to_string().contains("holds the results of job-4"));
    assert!(again.bind("http://b", JobId(4)).is_err());
    again.forget_job().unwrap();
    assert_ne!(again.state().nonce, nonce);
    again.bind("http://a", JobId(5)).unwrap();
}

#[test]
fn one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Target::open(dir.path()).unwrap();
    assert!(Target::open(dir.path()).unwrap_err().to_string().contains("another tatau"));
}

#[test]
fn a_damaged_state_is_told_not_guessed() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(STATE), b"{\"version\":1}").unwrap();
    assert!(Target::open(dir.path()).unwrap_err().to_string().contains("cannot be read"));
}

#[tokio::test]
async fn only_the_right_bytes_count_as_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut target = Target::open(dir.path()).unwrap();
    let blob = BlobId(*blake3::hash(b"picture").as_bytes());
    assert!(!target.holds("frames/frame_0001.png", blob, 7).await.unwrap());
    let path = target.path("frames/frame_0001.png").unwrap();
    fs::write(&path, b"picture").unwrap();
    assert!(target.holds("frames/frame_0001.png", blob, 7).await.unwrap());
    fs::write(&path, b"PICTURE").unwrap();
    let later = SystemTime::now() + std::time::Duration::from_secs(5);
    File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    assert!(!target.holds("frames/frame_0001.png", blob, 7).await.unwrap());
}

#[test]
fn names_are_this_programs_own() {
    assert_eq!(Target::place(&Work::Render { frame: 7, tile: None }).unwrap().0, "frames/frame_0007.exr");
    assert_eq!(Target::place(&Work::Finish { frame: -3 }).unwrap().0, "frames/frame_-003.png");
    assert_eq!(Target::place(&Work::Video).unwrap().0, "video.mp4");
    assert_eq!(Target::place(&Work::Inspect), None);
}

#[test]
fn what_this_job_did_not_write_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let mut target = Target::open(dir.path()).unwrap();
    assert_eq!(target.taken("video.mp4"), None);
    fs::write(dir.path().join("video.mp4"), b"the buyer's own").unwrap();
    assert!(target.taken("video.mp4").unwrap().contains("is kept"));
    target.note("video.mp4", BlobId([1; 32]), 15);
    assert_eq!(target.taken("video.mp4"), None);
    fs::create_dir(dir.path().join("folder")).unwrap();
    assert!(target.taken("folder").unwrap().contains("folder of that name"));
}

#[test]
fn a_folder_that_cannot_be_written_is_a_wrong_choice() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), b"").unwrap();
    for path in [dir.path().join("file"), dir.path().join("file/below"), PathBuf::from("/proc")] {
        let refused = Target::open(&path).unwrap_err();
        assert_eq!(refused.kind(), crate::Kind::Usage, "{refused}");
        assert!(refused.to_string().contains("choose another"), "{refused}");
    }
}
