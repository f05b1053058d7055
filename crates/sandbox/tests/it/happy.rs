//! The way a session is meant to go.

#![allow(clippy::unwrap_used)] // a test

use std::collections::BTreeMap;

use crate::support::{Heard, Place, python_template, success, values};
use tatau_sandbox::{Outcome, SandboxError, Session, SessionSpec};

const RENDER: &str = r#"
specificationVersion: jobtemplate-2023-09
name: "job {{Param.Word}}"
parameterDefinitions:
  - {name: Word, type: STRING, default: hello}
jobEnvironments:
  - name: server
    script:
      actions:
        onEnter: {command: bash, args: ["{{Env.File.enter}}"]}
        onExit: {command: bash, args: ["-c", "echo left"]}
      embeddedFiles:
        - name: enter
          type: TEXT
          data: |
            mkfifo /work/tmp/ask /work/tmp/answer
            (exec 3<>/work/tmp/ask 4<>/work/tmp/answer; while read -r line <&3; do echo "served $line" >&4; done) >/dev/null 2>&1 </dev/null &
            echo "openjd_env: TATAU_TEST=from-environment"
            echo entered
steps:
  - name: step
    parameterSpace:
      taskParameterDefinitions:
        - {name: Frame, type: INT, range: "1-3"}
    script:
      actions:
        onRun: {command: bash, args: ["{{Task.File.run}}"]}
      embeddedFiles:
        - name: run
          type: TEXT
          data: |
            set -e
            test "$TATAU_TEST" = from-environment
            echo "frame {{Task.Param.Frame}} of {{Param.Word}}"
            echo "{{Task.Param.Frame}}" > /work/tmp/ask
            read -r answer < /work/tmp/answer
            mkdir -p "$TATAU_OUT/deep"
            echo "$answer" > "$TATAU_OUT/deep/{{Task.Param.Frame}}.txt"
            head -c 700000 /dev/zero > "$TATAU_OUT/large.bin"
            : > "$TATAU_OUT/empty"
            cat /in/late.txt
            printf 'openjd_progress: 50\n'
            printf 'bad \xff bytes \033[31m\n'
"#;

#[tokio::test]
async fn several_tasks_share_one_environment() {
    let mut place = Place::new();
    let spec = SessionSpec {
        template: RENDER.to_owned(),
        parameters: values(&[("Word", "bye")]),
        step: "step".to_owned(),
    };
    let began = std::time::Instant::now();
    let mut session = Session::start(&place.policy, &spec).await.unwrap();
    println!("start: {:?}", began.elapsed());
    assert!(session.start_log().contains("entered"), "{}", session.start_log());
    std::fs::write(place.policy.input_dir.join("late.txt"), "added while it runs\n").unwrap();
    for frame in ["1", "2", "3"] {
        let outputs = place.fresh_outputs();
        let mut heard = Heard::default();
        let outcome =
            session.run_task(&values(&[("Frame", frame)]), &outputs, &mut heard.ear()).await.unwrap();
        success(&outcome);
        println!("task: {outcome:?}");
        assert!(outcome.session_alive);
        let names: Vec<_> = outcome.files.iter().map(|f| (f.name.clone(), f.bytes)).collect();
        let text = format!("served {frame}\n");
        assert_eq!(
            names,
            [
                (format!("deep/{frame}.txt"), text.len() as u64),
                ("empty".to_owned(), 0),
                ("large.bin".to_owned(), 700_000)
            ]
        );
        assert_eq!(std::fs::read_to_string(outputs.join(format!("deep/{frame}.txt"))).unwrap(), text);
        assert_eq!(std::fs::read(outputs.join("large.bin")).unwrap(), vec![0; 700_000]);
        assert_eq!(heard.progress, [50.0]);
        assert!(heard.lines.contains(&format!("frame {frame} of bye")), "{:?}", heard.lines);
        assert!(heard.lines.contains(&"added while it runs".to_owned()), "{:?}", heard.lines);
        assert!(
            heard.lines.iter().any(|l| l.starts_with("bad ") && !l.contains('\x1b')),
            "{:?}",
            heard.lines
        );
        assert!(outcome.cpu_ms.is_some() && outcome.peak_memory.is_some_and(|m| m > 0), "{outcome:?}");
    }
    session.close().await;
}

#[tokio::test]
async fn a_task_that_fails_says_why_and_leaves_nothing() {
    let mut place = Place::new();
    let template = python_template(
        "import sys\nopen('/work/out/half', 'w').write('x')\n\
         print('tatau_error: NO_CAMERA the scene has no camera')\nsys.exit(3)\n",
    );
    let mut session = place.start(&template).await.unwrap();
    let outputs = place.fresh_outputs();
    let outcome = session.run_task(&BTreeMap::new(), &outputs, &mut |_| {}).await.unwrap();
    let told = Outcome::Failed { code: Some("NO_CAMERA".into()), sentence: "the scene has no camera".into() };
    assert_eq!(outcome.exit, told);
    assert!(!outcome.session_alive && outcome.files.is_empty());
    assert_eq!(std::fs::read_dir(&outputs).unwrap().count(), 0);
    let again = session.run_task(&BTreeMap::new(), &outputs, &mut |_| {}).await;
    assert!(matches!(again, Err(SandboxError::Dead { .. })), "{again:?}");
    session.close().await;
}

#[tokio::test]
async fn an_environment_that_fails_carries_its_sentence() {
    let place = Place::new();
    let template = r#"{"specificationVersion": "jobtemplate-2023-09", "name": "t",
        "jobEnvironments": [{"name": "e", "script": {"actions": {"onEnter": {"command": "sh", "args":
            ["-c", "echo loading; echo tatau_error: BAD_SCENE it is no scene; exit 1"]}}}}],
        "steps": [{"name": "step", "script": {"actions": {"onRun": {"command": "true"}}}}]}"#;
    match place.start(template).await {
        Err(SandboxError::Start { code, sentence, log_tail }) => {
            assert_eq!((code.as_deref(), sentence.as_str()), (Some("BAD_SCENE"), "it is no scene"));
            assert!(log_tail.contains("loading"));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_start_that_never_ends_is_ended() {
    let mut place = Place::new();
    place.policy.limits.start_seconds = 1;
    let template = r#"{"specificationVersion": "jobtemplate-2023-09", "name": "t",
        "jobEnvironments": [{"name": "e", "script": {"actions": {"onEnter": {"command": "sleep", "args": ["60"]}}}}],
        "steps": [{"name": "step", "script": {"actions": {"onRun": {"command": "true"}}}}]}"#;
    let error = place.start(template).await.unwrap_err();
    assert!(error.to_string().contains("within 1 s"), "{error}");
}

#[tokio::test]
async fn wrong_words_are_refused() {
    let place = Place::new();
    for (template, step) in [("nonsense", "step"), (python_template("").as_str(), "other")] {
        let spec =
            SessionSpec { template: template.to_owned(), parameters: BTreeMap::new(), step: step.to_owned() };
        let error = Session::start(&place.policy, &spec).await.unwrap_err();
        assert!(matches!(error, SandboxError::Start { .. }), "{error}");
    }
}
