//! Bundles of strangers: other versions, other steps, paths that climb, far too much of everything.

use crate::market::{LIMIT, Market, below};
use std::{fmt::Write as _, fs, time::Instant};

const FILES: [&str; 4] = ["template.yaml", "parameter_values.yaml", "asset_references.yaml", "tatau.yaml"];

/// The first inspection of the market; waits for the providers' cards.
pub fn a_good_one(market: &Market) {
    let good = market.path("scenes/good.blend");
    let arguments =
        ["render", &good, "--frames", "1", "--no-video", "--out", "bundled", "--bundle", "bundle", "--json"];
    let begun = Instant::now();
    market.run("ana", &arguments).code(0).lines();
    assert!(begun.elapsed() < LIMIT);
    for file in FILES {
        assert!(market.house.path("bundle").join(file).is_file(), "{file}");
    }
}

/// A copy of the good bundle in which one file is another.
fn bundle(market: &Market, name: &str, file: &str, text: &str) {
    let dir = market.house.path(name);
    fs::create_dir(&dir).unwrap();
    for each in FILES {
        fs::copy(market.house.path("bundle").join(each), dir.join(each)).unwrap();
    }
    fs::write(dir.join(file), text).unwrap();
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in {text}");
    text.replacen(from, to, 1)
}

/// Nine aliases of nine aliases of …: 9¹² words.
fn bomb() -> String {
    let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 9].join(",");
        writeln!(text, "a{level}: &a{level} [{below}]").unwrap();
    }
    text
}

#[allow(clippy::too_many_lines, reason = "one table")]
pub fn bad_ones(market: &Market) {
    let read = |file: &str| fs::read_to_string(market.house.path("bundle").join(file)).unwrap();
    let [template, values, assets, terms] = FILES.map(read);
    let step = |name: &str, on: &str| {
        format!(
            "  - name: {name}\n    dependencies: [{{dependsOn: {on}}}]\n    script: {{actions: {{onRun: {{command: 'true'}}}}}}\n"
        )
    };
    let many = |count: u32| {
        let mut text = "parameterValues:\n".to_owned();
        for n in 0..count {
            writeln!(text, "- {{name: p{n}, value: '{n}'}}").unwrap();
        }
        text
    };
    let steps = "other steps than the render bundle";
    let cases: [(&str, &str, String, &[&str]); 24] = [
        (
            "version",
            "template.yaml",
            replaced(&template, "jobtemplate-2023-09", "jobtemplate-2099-01"),
            &["jobtemplate-2099-01", "only 'jobtemplate-2023-09'"],
        ),
        ("cyclic", "template.yaml", format!("{template}{}{}", step("A", "B"), step("B", "A")), &[steps]),
        (
            "itself",
            "template.yaml",
            replaced(
                &template,
                "  - name: Render",
                "  - name: Render\n    dependencies: [{dependsOn: Render}]",
            ),
            &[steps],
        ),
        (
            "command",
            "template.yaml",
            replaced(&template, "command: /env/bin/python", "command: /bin/sh"),
            &[steps],
        ),
        ("arguments", "template.yaml", replaced(&template, "/runtime/up.py", "/in/scene/up.py"), &[steps]),
        (
            "environment",
            "template.yaml",
            format!("{template}jobEnvironments:\n- name: x\n  variables: {{LD_PRELOAD: /in/x.so}}\n"),
            &[steps],
        ),
        ("extension", "template.yaml", format!("{template}extensions: [TASK_CHUNKING]\n"), &[steps]),
        ("bomb", "template.yaml", bomb(), &["template", "export it"]),
        ("deep", "template.yaml", "[".repeat(100_000), &["template", "export it"]),
        (
            "large",
            "template.yaml",
            format!("{template}# {}", "x".repeat(10_000_000)),
            &["bytes; make it smaller"],
        ),
        ("binary", "template.yaml", "\0\u{1}\u{2}".into(), &["template", "export it"]),
        ("empty", "template.yaml", String::new(), &["template", "export it"]),
        ("million", "parameter_values.yaml", many(1_000_000), &["bytes; make it smaller"]),
        (
            "hundreds",
            "parameter_values.yaml",
            format!("{}{}", many(1_000), values.split_once('\n').unwrap().1),
            &["at most 64 parameters; leave some out"],
        ),
        (
            "deep-values",
            "parameter_values.yaml",
            "{a: ".repeat(20_000),
            &["parameter_values.yaml", "cannot be read"],
        ),
        ("bomb-values", "parameter_values.yaml", bomb(), &["parameter_values.yaml", "cannot be read"]),
        (
            "no-values",
            "parameter_values.yaml",
            "parameterValues: []\n".into(),
            &["no value for Scene; add it to parameter_values.yaml"],
        ),
        (
            "climbing",
            "parameter_values.yaml",
            replaced(&values, "good.blend", "../scenes/good.blend"),
            &["../scenes/good.blend", "put it there"],
        ),
        (
            "climbing-far",
            "parameter_values.yaml",
            replaced(&values, "good.blend", "../../../../../../etc/passwd"),
            &["etc/passwd", "put it there"],
        ),
        (
            "frames",
            "parameter_values.yaml",
            replaced(&values, "value: '1'", "value: '9-1'"),
            &["runs backwards; write"],
        ),
        ("bomb-assets", "asset_references.yaml", bomb(), &["good.blend", "put it there"]),
        ("bomb-terms", "tatau.yaml", bomb(), &["tatau.yaml", "expected one of"]),
        ("class", "tatau.yaml", format!("{terms}class: abacus\n"), &["tatau.yaml", "no such class"]),
        ("cap", "tatau.yaml", replaced(&terms, "cap: '0.00'", "cap: '-5'"), &["tatau.yaml", "negative"]),
    ];
    assert!(assets.contains("good.blend"));
    for (name, file, text, words) in cases {
        bundle(market, name, file, &text);
        market.refused("ana", &["submit", name, "--out", "never-3", "--yes"], 2, words);
    }
    let cheap = ["submit", "bundle", "--out", "never-3", "--yes", "--max-price", "0"];
    market.refused("ana", &cheap, 2, &["--max-price must be more than zero"]);
    assert!(!market.house.path("never-3").exists());
}

/// Names of a bundle that would leave the folder or steer a terminal: it is rendered, into the folder and nowhere else.
pub fn hostile_names(market: &Market) {
    let values = fs::read_to_string(market.house.path("bundle/parameter_values.yaml")).unwrap();
    let values = replaced(&values, "value: good\n", "value: \"e\\e[2Jvil\\n../../x\\u202e\"\n");
    let values = replaced(&values, "value: output\n", "value: '../../../escaped'\n");
    bundle(market, "names", "parameter_values.yaml", &values);
    let before = below(market.house.dir.path());
    market.run("ana", &["submit", "names", "--out", "named", "--yes", "--json"]).code(0).lines();
    let named = market.house.path("named");
    let mut results = below(&named);
    results.sort();
    let expected = [".tatau-sync.json", "frames/frame_0001.exr", "frames/frame_0001.png"];
    assert_eq!(results, expected.map(|file| named.join(file)));
    let strays: Vec<_> = below(market.house.dir.path())
        .into_iter()
        .filter(|path| !before.contains(path) && path.to_string_lossy().contains("escaped"))
        .collect();
    assert!(
        strays.is_empty() && !market.house.dir.path().parent().unwrap().join("escaped").exists(),
        "{strays:?}"
    );
    // The words of a stranger, shown to a person.
    let jobs = market.run("ana", &["jobs"]).code(0);
    assert!(!jobs.out.contains('\u{202e}'), "{}", jobs.out);
}
