//! A browser without a screen, and jobs that are made by hand: in the database, before the server reads it.
#![allow(dead_code, clippy::unwrap_used)]

use crate::home::Home;
use reqwest::{Client, Response, StatusCode, header, redirect::Policy};
use serde_json::{Value, json};
use tatau_evidence::SigningKey;
use tatau_model::{
    Address, Amount, Attempt, AttemptId, AttemptState, BlobId, Change, Clock, Job, JobId, JobKind, JobState,
    Millis, OutputFile, Preview, RenderSpec, Strategy, SystemClock, Task, TaskId, TaskState, Work,
};
use tatau_store::Store;

/// Somebody who is signed in.
pub struct Browser {
    pub cookie: String,
    pub csrf: String,
    pub http: Client,
}

impl Browser {
    pub async fn of(home: &Home, key: &SigningKey) -> Self {
        let http = Client::builder().redirect(Policy::none()).build().unwrap();
        let path = home.as_key(key).open_session().await.unwrap().path;
        let entered = http.get(format!("{}{path}", home.ready.url)).send().await.unwrap();
        let line = entered.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
        let cookie = line.split(';').next().unwrap().to_owned();
        let mut browser = Self { cookie, csrf: String::new(), http };
        let page = browser.text(home, "/jobs").await;
        browser.csrf = page.split("data-csrf=\"").nth(1).unwrap().split('"').next().unwrap().to_string();
        browser
    }

    pub fn nobody() -> Self {
        let http = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { cookie: String::new(), csrf: String::new(), http }
    }

    pub async fn get(&self, home: &Home, path: &str) -> Response {
        self.http
            .get(format!("{}{path}", home.ready.url))
            .header(header::COOKIE, &self.cookie)
            .send()
            .await
            .unwrap()
    }

    /// A page that is there.
    pub async fn text(&self, home: &Home, path: &str) -> String {
        let answer = self.get(home, path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.text().await.unwrap()
    }

    /// What a page's script sends.
    pub async fn json(&self, home: &Home, path: &str, body: &Value) -> (StatusCode, Value) {
        let request =
            self.http.post(format!("{}{path}", home.ready.url)).header(header::COOKIE, &self.cookie);
        let answer = request.header("x-csrf", &self.csrf).body(body.to_string()).send().await.unwrap();
        let status = answer.status();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    /// A form as htmx sends it.
    pub async fn form(&self, home: &Home, path: &str, csrf: &str, body: &str) -> Response {
        let request =
            self.http.post(format!("{}{path}", home.ready.url)).header(header::COOKIE, &self.cookie);
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        request
            .header("hx-request", "true")
            .header("x-csrf", csrf)
            .body(body.to_owned())
            .send()
            .await
            .unwrap()
    }

    /// Uploads as a page does.
    pub async fn upload(&self, home: &Home, bytes: &[u8]) -> BlobId {
        let blob = BlobId(*blake3::hash(bytes).as_bytes());
        let url = format!("{}/v1/uploads/{blob}?bytes={}&offset=0", home.ready.url, bytes.len());
        let request = self.http.put(url).header(header::COOKIE, &self.cookie).header("x-csrf", &self.csrf);
        let answer = request.body(bytes.to_vec()).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.text().await.unwrap().contains("\"complete\":true"));
        blob
    }
}

pub fn told(response: &Response, name: &str) -> String {
    response.headers().get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// A picture of one colour.
pub fn png(width: u32, height: u32, rgb: [u8; 3]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let data = rgb.repeat((width * height) as usize);
    encoder.write_header().unwrap().write_image_data(&data).unwrap();
    bytes
}

/// What an inspection finds.
pub fn report(missing: &[&str]) -> Value {
    let file = |path: &&str| {
        json!({"kind": "image", "path": format!("//{path}"), "resolved": path, "absolute": false, "from": null,
               "found": false, "bytes": null})
    };
    json!({
        "blender": "5.0.0", "saved_by": "5.0", "engine": "CYCLES", "scene": "Scene", "camera": true, "width": 640, "height": 360,
        "samples": 32, "fps": {"num": 24, "den": 1}, "frame_start": 1, "frame_end": 8, "frame_step": 1, "denoise": false,
        "adaptive": false, "files": missing.iter().map(file).collect::<Vec<_>>(), "files_total": missing.len(), "refusals": [],
        "warnings": [{"code": "w", "sentence": "Burning <b>metadata</b> is left out."}],
        "probe": if missing.is_empty() { json!({"load_ms": 100.0, "frame_ms": 4_000.0}) } else { Value::Null },
    })
}

/// A job to be put into the database.
pub struct Made {
    pub job: Job,
    pub changes: Vec<Change>,
    next: u64,
}

impl Made {
    pub fn new(
        id: JobId,
        owner: Address,
        name: &str,
        kind: JobKind,
        inputs: Option<BlobId>,
        state: JobState,
    ) -> Self {
        let now = SystemClock.now();
        let job = Job {
            id,
            owner,
            name: name.into(),
            kind,
            ended: state.is_ended().then_some(now),
            state,
            inputs,
            bundle: None,
            scene: "_up/_up/_up/_up/_up/_up/film/shot.blend".into(),
            environment: "blender-5.0".into(),
            class: None,
            strategy: Strategy::Balanced,
            machines: tatau_model::Machines::default(),
            priority: 0,
            memory_mib: 0,
            deadline: None,
            cap: Amount::tatau(2),
            spent: Amount(5_000_000),
            reference_ms: 160,
            created: now,
            request_key: format!("made-{id}"),
        };
        Self { changes: vec![Change::Job(Box::new(job.clone()))], job, next: 1_000 * id.0 }
    }

    pub fn render(id: JobId, owner: Address, name: &str, frames: &[i32], state: JobState) -> Self {
        let spec = RenderSpec {
            frames: frames.to_vec(),
            width: 640,
            height: 320,
            samples: 32,
            fps: (24, 1),
            video: true,
            layered: None,
            preview: Preview::None,
            tiles: None,
            device: tatau_model::Device::Cpu,
        };
        Self::new(id, owner, name, JobKind::Render(spec), None, state)
    }

    /// Changes the job itself.
    pub fn change_job(&mut self, change: impl FnOnce(&mut Job)) {
        change(&mut self.job);
        self.changes[0] = Change::Job(Box::new(self.job.clone()));
    }

    /// A task, and the tries at it, the last of which holds it unless it is lost.
    pub fn task(
        &mut self,
        node: (Address, Address),
        work: Work,
        state: TaskState,
        tries: Vec<(AttemptState, Vec<OutputFile>)>,
    ) -> Vec<AttemptId> {
        self.next += 1;
        let id = TaskId(self.next);
        let mut ids = Vec::new();
        let mut attempts = Vec::new();
        for (state, outputs) in tries {
            self.next += 1;
            let attempt = AttemptId(self.next);
            ids.push(attempt);
            attempts.push(Change::Attempt(Box::new(Attempt {
                id: attempt,
                task: id,
                job: self.job.id,
                node: node.0,
                provider: node.1,
                card: 0,
                state,
                price: Amount::ZERO,
                reserved: Amount::ZERO,
                pay: Amount::ZERO,
                leased: SystemClock.now(),
                due: Millis(i64::MAX),
                committed: None,
                receipt: None,
                outputs,
                epoch: None,
                challenge: None,
                newcomer: false,
                dispute_until: None,
                copy_of: None,
            })));
        }
        let current = ids.last().copied().filter(|_| state != TaskState::Ready);
        self.changes.push(Change::Task(Box::new(Task {
            id,
            job: self.job.id,
            work,
            state,
            attempts: u32::try_from(ids.len()).unwrap(),
            current,
            excluded: vec![],
            failures: vec![],
            since: SystemClock.now(),
        })));
        self.changes.extend(attempts);
        ids
    }
}

pub fn output(name: &str, blob: BlobId, bytes: &[u8]) -> OutputFile {
    OutputFile { name: name.into(), blob, bytes: bytes.len() as u64 }
}

/// Stops the server, writes into its database, starts it again.
pub async fn rewrite(home: Home, write: impl FnOnce(&mut Store)) -> Home {
    let (dir, config) = home.close().await;
    {
        let mut store = Store::open(dir.path().join("data/market.sqlite")).unwrap();
        write(&mut store);
    }
    Home::in_dir(dir, config).await
}

/// A machine that is online and measured.
pub async fn machine(home: Home) -> (Home, (Address, Address)) {
    let (owner, _) = home.owner().await;
    let (_, _, mut node) = home.node(&owner, false).await;
    let place = (node.id, node.owner);
    node.name = "<i>rig</i>".into();
    node.cards[0].score_milli = Some(40);
    let home = rewrite(home, |store| store.commit(&[Change::Node(Box::new(node))]).unwrap()).await;
    (home, place)
}
