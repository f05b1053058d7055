//! Bundles for programs that the platform knows nothing of, written as for other farms, run by a stand-in of that name: it is no Cinema 4D,
//! it takes the same arguments and writes files of the same names.
#![allow(clippy::unwrap_used)]

use crate::house::House;
use std::{
    fs,
    io::Write as _,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tatau_model::{JobKind, Work};

/// As a submitter for another farm writes it: chunks of frames, an adaptor that is started once a session, packages named for a queue.
const TEMPLATE: &str = r#"
specificationVersion: jobtemplate-2023-09
name: Turntable
parameterDefinitions:
  - name: C4DFile
    type: PATH
    objectType: FILE
    dataFlow: IN
    userInterface: {control: CHOOSE_INPUT_FILE, label: Scene}
  - name: TextureFolder
    type: PATH
    objectType: DIRECTORY
    dataFlow: IN
    default: tex
  - name: OutputPath
    type: PATH
    objectType: DIRECTORY
    dataFlow: OUT
  - {name: Frames, type: STRING, default: 1-6}
  - {name: Take, type: STRING, default: Main}
  - {name: CondaPackages, type: STRING, default: "cinema4d=2025.* cinema4d-openjd=0.6.*"}
steps:
  - name: Main Take
    parameterSpace:
      taskParameterDefinitions:
        - {name: Frame, type: INT, range: "{{Param.Frames}}"}
    stepEnvironments:
      - name: Cinema4D
        script:
          actions:
            onEnter: {command: cinema4d-openjd, args: [daemon, start, "{{Session.WorkingDirectory}}/connection.txt"]}
            onExit: {command: cinema4d-openjd, args: [daemon, stop, "{{Session.WorkingDirectory}}/connection.txt"]}
    script:
      embeddedFiles:
        - name: runData
          type: TEXT
          data: |
            frame: {{Task.Param.Frame}}
            take: {{Param.Take}}
      actions:
        onRun:
          command: cinema4d-openjd
          args: [daemon, run, "{{Param.C4DFile}}", "{{Param.TextureFolder}}", "{{Param.OutputPath}}", "{{Task.File.runData}}"]
  - name: Sheet
    dependencies: [{dependsOn: Main Take}]
    script:
      actions:
        onRun: {command: cinema4d-openjd, args: [sheet, all, "{{Param.OutputPath}}"]}
"#;

/// The stand-in. `$0 daemon start|stop FILE`, `$0 daemon run SCENE TEXTURES OUT DATA`, `$0 sheet all OUT`.
const STAND_IN: &str = r#"#!/bin/sh
set -eu
case "$2" in
  start)
    port=$(cat /env/licence)
    # shellcheck disable=SC3025
    word=$(bash -c "exec 3<>/dev/tcp/localhost/$port && read -r word <&3 && echo \$word") || word=none
    if [ "$word" != granted ]; then echo "no licence: $word" >&2; exit 9; fi
    echo ready > "$3" ;;
  stop) rm -f "$3" ;;
  all) mkdir "$3/sheets" && cat "$3"/*_0*.txt > "$3/sheets/all.txt" ;;
  run)
    frame=$(sed -n 's/^frame: //p' "$6")
    take=$(sed -n 's/^take: //p' "$6")
    file=$(printf '%s/%s_%04d.txt' "$5" "$take" "$frame")
    { echo "frame $frame of $(cat "$3") with $(cat "$4"/wood.txt)"; seq "$frame" | sha256sum; } > "$file"
    if grep -q random "$3"; then head -c 8 /dev/urandom | od -An -tx1 >> "$file"; fi
    if grep -q fails "$3" && [ "$frame" = 3 ]; then echo "licence refused" >&2; exit 7; fi
    ;;
esac
"#;

/// What cheats run in its place: the same, but one frame is another's.
const LAZY: &str = r#"#!/bin/sh
if [ "$2" = run ]; then
  sed 's/^frame: .*/frame: 1/' "$6" > /work/tmp/lazy
  set -- "$1" "$2" "$3" "$4" "$5" /work/tmp/lazy
fi
exec /bin/sh /env/honest "$@"
"#;

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Grants a seat to whoever connects; counts them.
fn licence_server() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seats = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seats);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = stream.unwrap().write_all(b"granted\n");
        }
    });
    (port, seats)
}

/// Where the program is "installed"; its licences are at this port.
fn installed(house: &House, name: &str, program: &str, port: u16) -> PathBuf {
    let folder = house.home.path().join("programs").join(name);
    write(&folder.join("bin/cinema4d-openjd"), program);
    write(&folder.join("honest"), STAND_IN);
    write(&folder.join("licence"), &port.to_string());
    folder
}

/// A bundle folder whose scene says `scene`.
fn bundle(house: &House, name: &str, scene: &str) -> PathBuf {
    let folder = house.home.path().join(name);
    write(&folder.join("template.yaml"), TEMPLATE);
    let values = "parameterValues:\n- {name: C4DFile, value: scenes/turn.c4d}\n- {name: OutputPath, value: /studio/out}\n\
                  - {name: 'deadline:targetTaskRunStatus', value: READY}\n";
    write(&folder.join("parameter_values.yaml"), values);
    write(&folder.join("scenes/turn.c4d"), scene);
    write(&folder.join("tex/wood.txt"), "oak");
    folder
}

fn submit(house: &House, bundle: &Path, out: &str, more: &[&str]) -> crate::house::Said {
    let out = house.home.path().join(out);
    let fixed = [
        "submit",
        bundle.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--yes",
        "--task-minutes",
        "0.01",
    ];
    house.tatau("buyer", &[&fixed[..], more].concat())
}

#[test]
fn bundles_of_other_farms_run_unchanged_where_their_program_is() {
    let house = House::new();
    let mut server = house.serve();
    for party in ["plain", "studio", "validator-1", "validator-2", "lazy"] {
        house.stake(party);
    }
    let (port, seats) = licence_server();
    let good = format!("cinema4d@2025.1={}", installed(&house, "c4d", STAND_IN, port).display());
    let lazy = format!("cinema4d@2025.1={}", installed(&house, "lazy", LAZY, port).display());
    let licence = format!("cinema4d=localhost:{port}");
    let good = ["--program", &good, "--licence", &licence];
    let lazy = ["--program", &lazy, "--licence", &licence];
    let validators =
        ["validator-1", "validator-2"].map(|party| house.start_node_with(party, "validate", &good));
    // Somebody without the program is on the market, too, and gets none of it.
    let plain = house.start_node("plain", "provide");
    house.until("a card is measured", Duration::from_mins(4), || house.is_measured("plain"));
    let turn = bundle(&house, "turn", "a turntable");
    let refused = submit(&house, &turn, "nobody", &[]);
    assert!(!refused.ok && refused.err.contains("no card is on offer"), "{}", refused.err);

    let mut studio = house.start_node_with("studio", "provide", &good);
    house.until("a card is measured", Duration::from_mins(4), || house.is_measured("studio"));
    let said = submit(&house, &turn, "turned", &[]);
    assert!(said.ok, "{}\n{}", said.err, house.logs());
    let file = |out: &str, frame: usize| {
        house.home.path().join(out).join(format!("1-Main_Take/{frame:04}/Main_{frame:04}.txt"))
    };
    for frame in 1..=6 {
        let text = fs::read_to_string(file("turned", frame)).unwrap();
        assert!(text.starts_with(&format!("frame {frame} of a turntable with oak\n")), "{text}");
    }
    // The step that waited for all frames found them where it would have made them itself.
    let sheet = fs::read_to_string(house.home.path().join("turned/2-Sheet/0001/sheets/all.txt")).unwrap();
    let frames: Vec<&str> = sheet.lines().filter(|line| line.starts_with("frame ")).collect();
    assert_eq!(frames.len(), 6, "{sheet}");
    // Every session of the program had its seat: the provider's, and a validator's or two.
    assert!(seats.load(Ordering::SeqCst) >= 2, "{seats:?}");
    let job = house.jobs().into_iter().find(|job| matches!(job.kind, JobKind::Bundle(_))).unwrap();
    assert_eq!(job.environment, "host:cinema4d@2025");
    let view = house.job(job.id);
    assert_eq!((view.frames_done, view.frames_total), (7, 7));
    let by_studio = format!("by {}", &house.key("studio").address().to_string()[..8]);
    assert!(
        view.tasks.iter().all(|task| task.story.iter().any(|line| line.contains(&by_studio))),
        "{:#?}",
        view.tasks
    );
    house.books();

    // Asked again, it is the same job.
    let again = submit(&house, &turn, "turned", &[]);
    assert!(
        again.ok && house.jobs().iter().filter(|job| matches!(job.kind, JobKind::Bundle(_))).count() == 1,
        "{}",
        again.err
    );

    // With another value it is not, and the folder says whose results it holds.
    let values = fs::read_to_string(turn.join("parameter_values.yaml")).unwrap();
    write(&turn.join("parameter_values.yaml"), &format!("{values}- {{name: Take, value: B}}\n"));
    let other = submit(&house, &turn, "turned", &[]);
    assert!(!other.ok && other.err.contains("which did something else"), "{}", other.err);

    // A lazy provider alone on the market is caught; the honest one does it over.
    studio.check();
    studio.stop();
    let cheat = house.start_node_with("lazy", "provide", &lazy);
    house.until("a card is measured", Duration::from_mins(4), || house.is_measured("lazy"));
    let other = bundle(&house, "other", "another turntable");
    let (slow, studio) = std::thread::scope(|scope| {
        let ordered = scope.spawn(|| submit(&house, &other, "others", &[]));
        house.until("it is slashed", Duration::from_mins(3), || {
            house.account("lazy").account.stake_faults > 0
        });
        let studio = house.start_node_with("studio", "provide", &good);
        (ordered.join().unwrap(), studio)
    });
    assert!(slow.ok, "{}\n{}", slow.err, house.logs());
    assert!(fs::read_to_string(file("others", 5)).unwrap().starts_with("frame 5 of another turntable"));
    for party in ["studio", "validator-1", "validator-2"] {
        assert_eq!(house.account(party).account.stake_faults, 0, "{party}");
    }
    cheat.stop();

    // What the program says when it fails reaches its owner; what cannot be repeated is only for those who are trusted.
    let fails = bundle(&house, "fails", "one that fails");
    let said = submit(&house, &fails, "failed", &[]);
    assert!(!said.ok && said.err.contains("paused"), "{}", said.err);
    let job = house.jobs().into_iter().max_by_key(|job| job.id).unwrap();
    let third = Work::Task { step: 0, index: 2 };
    let task = house.job(job.id).tasks.into_iter().find(|task| task.work == third).unwrap();
    let log = house.must("buyer", &["logs", &job.id.to_string(), &task.id.to_string()]);
    assert!(log.contains("licence refused"), "{log}");
    house.must("buyer", &["cancel", &job.id.to_string()]);
    let random = bundle(&house, "random", "random turntable");
    let said = submit(&house, &random, "chance", &["--not-reproducible"]);
    assert!(!said.ok && said.err.contains("--who trusted"), "{}", said.err);
    house.settled();
    for one in validators.into_iter().chain([studio, plain]) {
        one.stop();
    }
    server.check();
    server.stop();
}
