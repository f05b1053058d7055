//! From dropped files to a paid job over plain HTTP, as the pages' scripts do it.
#![allow(clippy::unwrap_used)]

use crate::home::Home;
use crate::studio::{Browser, Made, machine, output, report, rewrite, told};
use reqwest::StatusCode;
use serde_json::json;
use tatau_blobs::{Manifest, ManifestFile};
use tatau_evidence::SigningKey;
use tatau_model::{Amount, AttemptState, BlobId, JobId, JobKind, JobState, Preview, TaskState, Work};

const ORDER: JobId = JobId(60);
const SCENE: &str = "_up/_up/_up/_up/_up/_up/film/shot.blend";

/// An inspection that found something.
async fn found(missing: &[&str], state: JobState) -> (Home, SigningKey, Browser) {
    let home = Home::open().await;
    let (key, _) = home.owner().await;
    let (home, node) = machine(home).await;
    let client = home.as_key(&key);
    let scene = client.upload_bytes(b"BLENDER scene".to_vec().into()).await.unwrap();
    let file = ManifestFile { path: SCENE.into(), blob: scene, bytes: 13 };
    let manifest = Manifest::new(vec![file]).unwrap().to_json().unwrap();
    let inputs = client.upload_bytes(manifest.into()).await.unwrap();
    let text = report(missing).to_string().into_bytes();
    let blob = client.upload_bytes(text.clone().into()).await.unwrap();
    let mut made =
        Made::new(ORDER, key.address(), "inspection of shot", JobKind::Inspect, Some(inputs), state.clone());
    let (task, attempt) = match state {
        JobState::Finished => (TaskState::Accepted, AttemptState::Accepted),
        _ => (TaskState::Auditing, AttemptState::Delivered),
    };
    made.task(node, Work::Inspect, task, vec![(attempt, vec![output("result.json", blob, &text)])]);
    let home = rewrite(home, |store| store.commit(&made.changes).unwrap()).await;
    let browser = Browser::of(&home, &key).await;
    (home, key, browser)
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_files_become_an_inspection_once() {
    let home = Home::open().await;
    let (key, client) = home.owner().await;
    assert_eq!(Browser::nobody().get(&home, "/new").await.status(), StatusCode::SEE_OTHER);
    let browser = Browser::of(&home, &key).await;
    assert!(browser.text(&home, "/new").await.contains("at most 0.10 TATAU"));
    let scene = browser.upload(&home, b"BLENDER a").await;
    let wood = browser.upload(&home, b"wood").await;
    let drop = json!({
        "name": "", "scene": "film/scenes/<b>shot</b>.blend",
        "files": [{"path": "film/scenes/<b>shot</b>.blend", "blob": scene, "bytes": 9}, {"path": "film/wood.png", "blob": wood, "bytes": 4}],
    });
    let (status, made) = browser.json(&home, "/new", &drop).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    let order = made["order"].as_str().unwrap().to_owned();
    assert_eq!(
        browser.json(&home, "/new", &drop).await.1["order"],
        order,
        "the same files are inspected once"
    );
    assert_eq!(client.jobs(10).await.unwrap().len(), 1);
    let job = &client.jobs(10).await.unwrap()[0];
    assert_eq!(job.scene, "_up/_up/_up/_up/_up/_up/film/scenes/<b>shot</b>.blend");
    assert!(job.cap <= Amount(100_000_000));
    let page = browser.text(&home, &order).await;
    assert!(page.contains("No machine is online") && !page.contains("<b>shot"), "{page}");
    assert!(browser.text(&home, "/jobs").await.contains("being looked at"));

    // A cancelled one is not taken for an answer.
    let cancel = format!("{}/cancel", order.replace("/orders/", "/jobs/"));
    let cancelled = browser.form(&home, &cancel, &browser.csrf, "").await;
    assert!(told(&cancelled, "hx-redirect").starts_with("/jobs/"));
    assert!(browser.text(&home, &order).await.contains("It was cancelled"));
    assert_ne!(browser.json(&home, "/new", &drop).await.1["order"], order);
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_an_inspection_is_refused_with_a_sentence() {
    let home = Home::open().await;
    let (key, client) = home.owner().await;
    let browser = Browser::of(&home, &key).await;
    let scene = browser.upload(&home, b"BLENDER a").await;
    let drop = |path: &str, blob: BlobId, bytes: u64| json!({"scene": path, "files": [{"path": path, "blob": blob, "bytes": bytes}]});
    for (what, body, expected) in [
        ("climbing", drop("../../etc/passwd", scene, 9), 422),
        ("absolute", drop("/etc/passwd", scene, 9), 422),
        ("control", drop("a\u{7}.blend", scene, 9), 422),
        ("not here", drop("a.blend", BlobId([7; 32]), 9), 409),
        ("other size", drop("a.blend", scene, 10), 409),
        (
            "no scene",
            json!({"scene": "b.blend", "files": [{"path": "a.blend", "blob": scene, "bytes": 9}]}),
            422,
        ),
        ("nothing", json!({"scene": "b.blend", "files": []}), 422),
        ("no json", json!("x"), 400),
        (
            "bundle",
            json!({"scene": "a.blend", "files": [{"path": "a.blend", "blob": scene, "bytes": 9}], "bundle": {"template": "a: ["}}),
            422,
        ),
    ] {
        let (status, told) = browser.json(&home, "/new", &body).await;
        assert_eq!(status.as_u16(), expected, "{what}: {told}");
        assert!(told["sentence"].as_str().is_some_and(|s| s.len() > 10), "{what}: {told}");
    }
    let many: Vec<_> =
        (0..20_001).map(|n| json!({"path": format!("{n}"), "blob": scene, "bytes": 9})).collect();
    assert_eq!(browser.json(&home, "/new", &json!({"scene": "0", "files": many})).await.0.as_u16(), 422);
    let huge = json!({"scene": "x".repeat(9 << 20), "files": []});
    assert_eq!(browser.json(&home, "/new", &huge).await.0.as_u16(), 413);
    let forged = Browser { csrf: "0".repeat(32), ..Browser::of(&home, &key).await };
    assert_eq!(forged.json(&home, "/new", &drop("a.blend", scene, 9)).await.0.as_u16(), 403);
    assert_eq!(Browser::nobody().json(&home, "/new", &drop("a.blend", scene, 9)).await.0.as_u16(), 401);
    assert!(client.jobs(10).await.unwrap().is_empty(), "nothing was paid");
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_files_are_named_and_only_these_are_taken() {
    let (home, key, browser) = found(&["../textures/<u>wood</u>.png", "sky.hdr"], JobState::Running).await;
    let page = browser.text(&home, "/orders/job-60").await;
    assert!(
        page.contains("2 files are missing") && page.contains("&#60;u&#62;wood") && !page.contains("<u>wood"),
        "{page}"
    );
    assert!(!page.contains("id=\"pay\""), "nothing can be paid yet");
    let state: serde_json::Value =
        serde_json::from_str(&browser.text(&home, "/orders/job-60/state").await).unwrap();
    assert_eq!((&state["stage"], &state["scene"]), (&json!("found"), &json!("film/shot.blend")));
    assert_eq!(state["missing"][0]["resolved"], "../textures/<u>wood</u>.png");

    let wood = browser.upload(&home, b"wood").await;
    let add = |resolved: &str| json!({"files": [{"resolved": resolved, "blob": wood, "bytes": 4}]});
    let (status, told) = browser.json(&home, "/orders/job-60/files", &add("../../../secrets.txt")).await;
    assert_eq!(status.as_u16(), 422, "{told}");
    let (status, made) =
        browser.json(&home, "/orders/job-60/files", &add("../textures/<u>wood</u>.png")).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    assert_ne!(made["order"], "/orders/job-60");
    let newest = home.as_key(&key).jobs(1).await.unwrap().remove(0);
    assert_eq!((newest.name.as_str(), newest.scene.as_str()), ("inspection of shot", SCENE));
    assert_eq!(format!("/orders/{}", newest.id), made["order"]);

    let (other, _) = home.owner().await;
    let other = Browser::of(&home, &other).await;
    for path in ["", "/live", "/state", "/quote"] {
        assert_eq!(
            other.get(&home, &format!("/orders/job-60{path}")).await.status(),
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    assert_eq!(other.json(&home, "/orders/job-60/files", &add("sky.hdr")).await.0, StatusCode::NOT_FOUND);
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_quoted_and_paid_once_after_its_check() {
    let (home, _, browser) = found(&[], JobState::Running).await;
    let page = browser.text(&home, "/orders/job-60").await;
    for wanted in [
        "Cycles",
        "640 × 360",
        "1-8 (8 frames)",
        "CPU cores",
        "data-checked=\"false\"",
        "could copy them",
        "&#60;b&#62;metadata",
    ] {
        assert!(page.contains(wanted), "{wanted}: {page}");
    }
    let form = "frames=1-8&video=true&row=cpu%2Fbalanced&cap=0.5";
    let early = browser.form(&home, "/orders/job-60/pay", &browser.csrf, form).await;
    assert_eq!(early.status(), StatusCode::CONFLICT);
    assert!(early.text().await.unwrap().contains("still being audited"));
    home.close().await;

    let (home, key, browser) = found(&[], JobState::Finished).await;
    assert!(browser.text(&home, "/orders/job-60").await.contains("data-checked=\"true\""));
    let wrong = browser.text(&home, "/orders/job-60/quote?frames=9-1").await;
    assert!(wrong.contains("runs backwards"), "{wrong}");
    let two = browser.text(&home, "/orders/job-60/quote?frames=1,2").await;
    assert!(two.contains("2 frames for about"), "{two}");
    let dear = browser
        .form(&home, "/orders/job-60/pay", &browser.csrf, "frames=1-8&row=cpu%2Fbalanced&cap=500")
        .await;
    assert_eq!(dear.status(), StatusCode::PAYMENT_REQUIRED);
    let words = dear.text().await.unwrap();
    assert!(words.contains("400.00 TATAU are missing"), "{words}");
    assert_eq!(browser.form(&home, "/orders/job-60/pay", "no", form).await.status(), StatusCode::FORBIDDEN);
    for bad in ["frames=1-8&cap=-3", "frames=1-8&cap=lots", "frames=%3Cscript%3E"] {
        let answer = browser.form(&home, "/orders/job-60/pay", &browser.csrf, bad).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{bad}");
        assert!(!answer.text().await.unwrap().contains("<script"), "{bad}");
    }

    let preview = format!("{form}&preview=true");
    let paid = browser.form(&home, "/orders/job-60/pay", &browser.csrf, &preview).await;
    let place = told(&paid, "hx-redirect");
    assert!(place.starts_with("/jobs/job-"), "{place}");
    let client = home.as_key(&key);
    let job = client.jobs(1).await.unwrap().remove(0);
    assert_eq!(
        (job.cap, job.class.as_deref(), job.name.as_str()),
        ("0.5".parse().unwrap(), Some("cpu"), "shot")
    );
    let JobKind::Render(spec) = &job.kind else { panic!("{job:?}") };
    assert_eq!((spec.preview, spec.video, spec.frames.len()), (Preview::Waiting, true, 8));
    // The second tab, or a second press: the same job, nothing more paid.
    let twice = told(&browser.form(&home, "/orders/job-60/pay", &browser.csrf, form).await, "hx-redirect");
    assert!(twice.starts_with(&format!("{place}?known=job-60&again=1")), "{twice}");
    assert!(browser.text(&home, &twice).await.contains("nothing more was paid"));
    // Meant: once more. And after a cancel, too.
    let more = told(
        &browser.form(&home, "/orders/job-60/pay", &browser.csrf, &format!("{form}&again=1")).await,
        "hx-redirect",
    );
    assert!(more.starts_with("/jobs/job-") && !more.contains(&place), "{more}");
    client.cancel_job(job.id).await.unwrap();
    let anew = told(&browser.form(&home, "/orders/job-60/pay", &browser.csrf, form).await, "hx-redirect");
    assert!(anew.starts_with(&more), "{anew}");
    home.close().await;
}
