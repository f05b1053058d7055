use super::*;
use openjd_expr::ExprValue;
use openjd_model::{CallerLimits, PathParameterOptions};

fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

/// As the sandbox instantiates a template.
fn instantiate(template: &str, parameters: &BTreeMap<String, String>) -> openjd_model::job::Job {
    let limits = CallerLimits::default();
    let document: Value = serde_norway::from_str(template).unwrap();
    let template = openjd_model::decode_job_template(document, Some(&[]), &limits).unwrap();
    let inputs = parameters.iter().map(|(k, v)| (k.clone(), ExprValue::String(v.clone()))).collect();
    let paths = PathParameterOptions::new("/in", "/in");
    let values = openjd_model::preprocess_job_parameters(&template, &inputs, &[], &paths).unwrap();
    openjd_model::create_job(&template, &values, &template.default_validation_context()).unwrap()
}

#[test]
fn our_templates_are_valid_open_job_descriptions() {
    let bundle =
        render_bundle("My job", "scene.blend", &crate::frames::parse("1-10:3,20,-4--2").unwrap()).unwrap();
    let job = instantiate(bundle.template(), bundle.parameters());
    assert_eq!((job.name.as_str(), job.steps.len(), job.steps[0].name.as_str()), ("My job", 1, RENDER_STEP));
    let job = instantiate(REQUEST, &values(&[("Scene", "-")]));
    assert_eq!(job.steps[0].name, REQUEST_STEP);
}

#[test]
fn what_orders_carry_fits_the_templates() {
    let job = crate::fixtures::render_job(&[1, 2], true);
    let work = tatau_model::Work::Render { frame: 1, tile: None };
    let order = crate::order::task_order(&job, None, tatau_model::AttemptId(1), &work, vec![], 1).unwrap();
    instantiate(&order.session.template, &order.session.parameters);
    let session = crate::order::request_session("blender-5.0", "/in/scene/a.blend", None);
    instantiate(&session.template, &session.parameters);
}

#[test]
fn bundles_survive_storage_byte_for_byte() {
    let bundle = render_bundle("a\u{7}b", "sets/a scene.blend", &[3, 1, 2]).unwrap();
    let stored = bundle.to_json().unwrap();
    let read = Bundle::from_json(&stored).unwrap();
    assert_eq!(read, bundle);
    assert_eq!(read.to_json().unwrap(), stored);
    let asked = check_render_bundle(bundle.template(), bundle.parameters()).unwrap();
    let expected =
        RenderBundle { name: "ab".into(), scene: "sets/a scene.blend".into(), frames: vec![3, 1, 2] };
    assert_eq!(asked, expected);
    assert!(Bundle::from_json(b"{}").is_err());
    assert!(Bundle::from_json(&vec![b' '; MAX_BUNDLE_BYTES + 1]).is_err());
}

#[test]
fn comments_descriptions_and_json_do_not_matter_and_steps_do() {
    let parameters = values(&[("Scene", "a.blend"), ("Frames", "1-2")]);
    let check = |template: &str| check_render_bundle(template, &parameters);
    let as_json = serde_json::to_string_pretty(&parse(RENDER).unwrap()).unwrap();
    assert!(check(&as_json).is_ok());
    assert!(check(&RENDER.replace("The .blend file.", "Another word.")).is_ok());
    assert!(check(&format!("# more\n{RENDER}")).is_ok());
    for (from, to) in [
        ("/env/bin/python", "/bin/sh"),
        ("/runtime/run.py", "/in/scene/run.py"),
        ("{{Param.Request}}", "{\"kind\": \"render\", \"samples\": 1}"),
        ("- name: Blender", "- name: Other"),
    ] {
        assert!(RENDER.contains(from), "{from}");
        assert_eq!(check(&RENDER.replace(from, to)).unwrap_err().code, "other_bundle", "{from}");
    }
    let later = check(&RENDER.replace("jobtemplate-2023-09", "jobtemplate-2099-01")).unwrap_err();
    assert_eq!(later.code, "other_version");
    assert!(later.sentence.contains("2099-01") && later.sentence.contains("2023-09"), "{later}");
    assert_eq!(check("{}").unwrap_err().code, "other_version");
    let more = format!("{RENDER}jobEnvironments:\n  - name: x\n    variables: {{LD_PRELOAD: /in/x.so}}\n");
    assert_eq!(check(&more).unwrap_err().code, "other_bundle");
    let extended = format!("{RENDER}extensions: [TASK_CHUNKING]\n");
    assert_eq!(check(&extended).unwrap_err().code, "other_bundle");
}

#[test]
fn what_runs_is_our_own_text() {
    let foreign = format!("# a comment that another parser may read otherwise\n{RENDER}");
    let stored =
        json!({"version": 1, "template": foreign, "parameters": {"Scene": "a.blend", "Frames": "1"}});
    assert_eq!(Bundle::from_json(stored.to_string().as_bytes()).unwrap().template(), RENDER);
}

#[test]
fn hostile_templates_are_refused_with_a_sentence() {
    let parameters = values(&[("Scene", "a.blend"), ("Frames", "1-2")]);
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
        d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n\
        g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: [*g,*g,*g,*g,*g,*g,*g,*g,*g]\n";
    let deep = "[".repeat(100_000);
    let nested = format!("a: {}{}", "[".repeat(60), "]".repeat(60));
    let large = " ".repeat(MAX_TEMPLATE_BYTES + 1);
    for hostile in [
        bomb,
        deep.as_str(),
        nested.as_str(),
        large.as_str(),
        "",
        "just text",
        "a: !!python/object x",
        "\u{0}",
    ] {
        let error = check_render_bundle(hostile, &parameters).unwrap_err();
        assert!(!error.sentence.is_empty());
    }
}

#[test]
fn parameters_are_checked_like_the_template() {
    let check = |pairs: &[(&str, &str)]| check_render_bundle(RENDER, &values(pairs)).map_err(|e| e.code);
    assert_eq!(check(&[("Frames", "1")]), Err("parameter"));
    assert_eq!(check(&[("Scene", "a.blend")]), Err("parameter"));
    assert_eq!(check(&[("Scene", "a.blend"), ("Frames", "9-1")]), Err("frames"));
    for scene in
        ["/etc/passwd", "../a.blend", "a/../b", "a//b", "", "a\\b", "a\nb", "./a", &"x".repeat(2_000)]
    {
        assert_eq!(check(&[("Scene", scene), ("Frames", "1")]), Err("scene"), "{scene:?}");
    }
    let many: Vec<(String, String)> = (0..70).map(|n| (format!("P{n}"), String::new())).collect();
    let mut many: Vec<(&str, &str)> = many.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    many.extend([("Scene", "a.blend"), ("Frames", "1")]);
    assert_eq!(check(&many), Err("parameter"));
    assert!(render_bundle("x", "a.blend", &[]).is_err());
}

#[test]
fn the_files_beside_the_template_are_yaml_that_reads_back() {
    let odd = "a: \"b\" # {c}".to_owned();
    let bundle = render_bundle(&odd, "a.blend", &[1]).unwrap();
    let read = |text: &str| -> Value { serde_norway::from_str(text).unwrap() };
    let back = read(&parameter_values(&bundle).unwrap());
    assert!(back["parameterValues"].as_array().unwrap().contains(&json!({"name": "Name", "value": odd})));
    let back = read(&asset_references(std::slice::from_ref(&odd), "out").unwrap());
    assert_eq!(back["assetReferences"]["inputs"]["filenames"], json!([odd]));
    let terms = Terms {
        environment: "blender-5.0".into(),
        class: None,
        device: Some(Device::Optix),
        strategy: Strategy::Cheapest,
        cap: Amount::tatau(2),
        video: true,
    };
    let back = read(&tatau_yaml(&terms).unwrap());
    assert_eq!(
        back,
        json!({"environment": "blender-5.0", "device": "optix", "strategy": "cheapest", "cap": "2.00", "video": true})
    );
}
