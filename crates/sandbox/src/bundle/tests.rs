// Documents are assembled line by line; their speed does not matter.
#![allow(clippy::format_collect, clippy::format_push_string)]

use super::*;

const RENDER: &str = r#"
specificationVersion: jobtemplate-2023-09
extensions: [TASK_CHUNKING]
name: "{{RawParam.Scene}} by {{Param.Who}}"
parameterDefinitions:
  - {name: Scene, type: PATH, default: scene.blend}
  - {name: Who, type: STRING}
  - {name: Frames, type: STRING, default: "1-3"}
steps:
  - name: finish
    dependencies: [{dependsOn: render}]
    script: {actions: {onRun: {command: "true"}}}
  - name: render
    parameterSpace:
      taskParameterDefinitions:
        - {name: Frame, type: INT, range: "{{Param.Frames}}"}
        - {name: Scale, type: FLOAT, range: ["0.50", "1"]}
    script: {actions: {onRun: {command: "true"}}}
  - name: chunks
    parameterSpace:
      taskParameterDefinitions:
        - {name: Frame, type: "CHUNK[INT]", range: "1-5", chunks: {defaultTaskCount: 2, targetRuntimeSeconds: 60, rangeConstraint: CONTIGUOUS}}
    script: {actions: {onRun: {command: "true"}}}
"#;

fn parse(text: &str) -> Result<Template, BundleError> {
    parse_template(text, &BundleLimits::default())
}

fn refused(text: &str, code: &str, words: &str) {
    let error = parse(text).expect_err(code);
    assert_eq!(error.code, code, "{error}");
    assert!(error.sentence.contains(words), "{error}");
    assert!(!error.sentence.contains('\n') && error.sentence.len() < 500, "{error}");
}

fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

/// A template of one step with more top-level lines before it.
fn with(lines: &str, step: &str) -> String {
    format!(
        "specificationVersion: jobtemplate-2023-09\nname: t\n{lines}\nsteps:\n  - name: a\n    \
         script: {{actions: {{onRun: {{command: 'true'}}}}}}\n{step}"
    )
}

#[test]
fn a_template_is_understood() {
    let template = parse(RENDER).unwrap();
    assert_eq!(template.text(), RENDER);
    let names: Vec<_> =
        template.parameters().iter().map(|p| (p.name.as_str(), p.kind, p.default.as_deref())).collect();
    assert_eq!(names[0], ("Scene", ParameterKind::Path, Some("scene.blend")));
    assert_eq!(names[1], ("Who", ParameterKind::String, None));
    let bound = template.bind(&values(&[("Who", "me"), ("Frames", "7-8")])).unwrap();
    assert_eq!(bound.name(), "/in/scene.blend by me");
    let steps: Vec<_> = bound.steps().iter().map(|s| (s.name.as_str(), s.tasks)).collect();
    assert_eq!(steps, [("render", 4), ("finish", 1), ("chunks", 3)]);
    assert_eq!(bound.steps()[1].depends_on, ["render"]);
    let tasks: Vec<_> = bound.tasks("render").unwrap().collect();
    assert_eq!(tasks.len(), 4);
    assert_eq!(tasks[0], values(&[("Frame", "7"), ("Scale", "0.50")]));
    let chunks: Vec<_> = bound.tasks("chunks").unwrap().map(|t| t["Frame"].clone()).collect();
    assert_eq!(chunks, ["1-2", "3-4", "5-5"]);
    assert_eq!(bound.tasks("finish").unwrap().collect::<Vec<_>>(), [BTreeMap::new()]);
    assert!(bound.tasks("none").is_none());
}

#[test]
fn what_is_no_template_is_refused() {
    refused("", "not_a_document", "not valid");
    refused("- a\n- b\n", "not_a_document", "not valid");
    refused("{\"a\": ", "not_a_document", "not valid");
    refused("\0\u{1}", "not_a_document", "not valid");
    refused("name: x\n", "unknown_version", "no specificationVersion");
    refused("specificationVersion: jobtemplate-2099-01\nname: x\n", "unknown_version", "jobtemplate-2099-01");
    refused("specificationVersion: environment-2023-09\n", "unknown_version", "not known");
    refused(&with("extensions: [EXPR]", ""), "invalid", "EXPR");
}

#[test]
fn what_is_too_much_is_refused() {
    refused(&" ".repeat(256 * 1024 + 1), "too_large", "262144");
    let deep = format!("{{\"a\": {}{}}}", "[".repeat(60), "]".repeat(60));
    refused(&deep, "too_deep", "32");
    for open in ["[", "{a: "] {
        assert!(parse(&open.repeat(50_000)).is_err());
    }
    let many: String = (0..65).map(|n| format!("  - {{name: P{n}, type: STRING, default: x}}\n")).collect();
    refused(&with(&format!("parameterDefinitions:\n{many}"), ""), "too_many_parameters", "65");
    let million: String = (0..1_000_000).map(|n| format!("  - {{name: P{n}, type: INT}}\n")).collect();
    refused(&with(&format!("parameterDefinitions:\n{million}"), ""), "too_large", "limit");
    let steps: String = (0..32)
        .map(|n| format!("  - {{name: s{n}, script: {{actions: {{onRun: {{command: 'true'}}}}}}}}\n"))
        .collect();
    refused(&with("", &steps), "too_many_steps", "33");
}

#[test]
fn a_billion_laughs_are_refused() {
    let mut text =
        "specificationVersion: jobtemplate-2023-09\na0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n"
            .to_owned();
    for n in 1..12 {
        let before = n - 1;
        text += &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{before}"); 9].join(", "));
    }
    let began = std::time::Instant::now();
    assert!(parse(&text).is_err());
    assert!(began.elapsed().as_secs() < 2, "{:?}", began.elapsed());
}

#[test]
fn too_many_tasks_are_refused_without_listing_them() {
    let step =
        "    parameterSpace: {taskParameterDefinitions: [{name: F, type: INT, range: '1-1000000000000'}]}\n";
    let error = parse(&with("", step)).and_then(|t| t.bind(&BTreeMap::new())).expect_err("too many");
    assert_eq!(error.code, "too_many_tasks", "{error}");
}

#[test]
fn a_path_that_leaves_the_bundle_is_refused() {
    let default = "parameterDefinitions: [{name: P, type: PATH, default: 'a/../../b'}]";
    refused(&with(default, ""), "outside_path", "a/../../b");
    let windows = "parameterDefinitions: [{name: P, type: PATH, default: 'a\\..\\b'}]";
    refused(&with(windows, ""), "outside_path", "leaves the bundle");
    let range = "    parameterSpace: {taskParameterDefinitions: [{name: P, type: PATH, range: ['../x']}]}\n";
    refused(&with("", range), "outside_path", "../x");
    let template = parse(&with("parameterDefinitions: [{name: P, type: PATH}]", "")).unwrap();
    assert_eq!(template.bind(&values(&[("P", "../x")])).expect_err("outside").code, "outside_path");
    assert!(template.bind(&values(&[("P", "x/y..z")])).is_ok());
    let file = "    stepEnvironments: [{name: e, script: {actions: {onEnter: {command: 'true'}}, \
                embeddedFiles: [{name: F, type: TEXT, filename: '../x', data: a}]}}]\n";
    assert!(parse(&with("", file)).is_err());
}

#[test]
fn steps_that_wait_for_each_other_are_refused() {
    let text = with(
        "",
        "    dependencies: [{dependsOn: b}]\n  - name: b\n    dependencies: [{dependsOn: a}]\n    \
                         script: {actions: {onRun: {command: 'true'}}}\n",
    );
    refused(&text, "cycle", "a, b wait for each other");
    refused(&with("", "    dependencies: [{dependsOn: a}]\n"), "cycle", "a");
    refused(&with("", "    dependencies: [{dependsOn: missing}]\n"), "invalid", "missing");
}

#[test]
fn wrong_values_are_refused() {
    let template = parse(&with(
        "parameterDefinitions: [{name: N, type: INT, minValue: 1}, {name: S, type: STRING, default: x}]",
        "",
    ))
    .unwrap();
    for (given, words) in [
        (values(&[]), "N"),
        (values(&[("N", "x")]), "N"),
        (values(&[("N", "0")]), "N"),
        (values(&[("N", "1"), ("Other", "1")]), "Other"),
    ] {
        let error = template.bind(&given).expect_err(words);
        assert!(error.code == "parameter" && error.sentence.contains(words), "{error:?}");
    }
    let long = template.bind(&values(&[("N", "1"), ("S", &"x".repeat(5000))]));
    assert_eq!(long.expect_err("long").code, "too_large");
}

/// Damaged documents are answered, quickly, with a template or one sentence.
#[test]
fn damaged_documents_are_answered() {
    const SEED: u64 = 0x007a_7a75;
    println!("seed {SEED:#x}");
    let mut state = SEED;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let scraps = [
        "{{",
        "}}",
        "[",
        "{",
        "&a ",
        "*a ",
        "- ",
        ": ",
        "\"",
        "\\",
        "1-99999999999",
        "\u{202e}",
        "\t",
        "null",
        "~",
        "!!",
    ];
    for _ in 0..2000 {
        let mut text: Vec<char> = RENDER.chars().collect();
        for _ in 0..=next(4) {
            let (at, end) = (next(text.len()), next(40));
            let end = (at + end).min(text.len());
            match next(3) {
                0 => drop(text.drain(at..end)),
                1 => drop(text.splice(at..at, scraps[next(scraps.len())].chars())),
                _ => {
                    let piece: Vec<char> = text[at..end].to_vec();
                    let to = next(text.len());
                    text.splice(to..to, piece);
                }
            }
        }
        let text: String = text.into_iter().collect();
        let began = std::time::Instant::now();
        match parse(&text).and_then(|t| t.bind(&values(&[("Who", "me")]))) {
            Ok(bound) => assert!(bound.steps().iter().all(|s| s.tasks <= 100_000)),
            Err(error) => {
                assert!(!error.sentence.is_empty() && !error.sentence.contains('\n'), "{text}\n{error:?}");
            }
        }
        assert!(began.elapsed().as_secs() < 2, "{:?}:\n{text}", began.elapsed());
    }
}
