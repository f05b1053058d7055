//! A licence server: reached by its name and port, and nothing else besides.
#![allow(clippy::unwrap_used)] // a test

use crate::support::{Heard, Place, python_template, success};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use tatau_sandbox::{Doors, Licence};

/// Answers every line with `granted` and that line, on a port of its own.
fn server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = [0; 64];
            let n = stream.read(&mut asked).unwrap();
            let _ = stream.write_all(b"granted ").and_then(|()| stream.write_all(&asked[..n]));
        }
    });
    port
}

const PROGRAM: &str = r#"
import socket
def ask(name, port):
    try:
        with socket.create_connection((name, port), timeout=5) as s:
            s.sendall(b"seat\n")
            s.shutdown(socket.SHUT_WR)
            answer = b""
            while more := s.recv(100):
                answer += more
            print(name, "said", answer)
    except OSError as e:
        print(name, "REFUSED", type(e).__name__)
ask("licences.studio", LICENCE)
ask("127.0.0.1", LICENCE)
for n in range(20):
    ask("licences.studio", LICENCE)
ask("licences.studio", OTHER)
ask("localhost", OTHER)
ask("192.0.2.1", LICENCE)
ask("1.1.1.1", 80)
for name, family, kind in [("inet6", 10, 1), ("raw", 2, 3), ("netlink", 16, 3), ("packet", 17, 3), ("vsock", 40, 1)]:
    try:
        socket.socket(family, kind)
        print("REACHED", name)
    except OSError:
        print("no", name)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
    udp.sendto(b"x", ("192.0.2.1", 53))
    print("REACHED udp")
except OSError:
    print("no udp")
"#;

/// What a program says in a session of its own, in which it succeeds.
async fn log_of(place: &mut Place, program: &str) -> String {
    let mut session = place.start(&python_template(program)).await.unwrap();
    let outputs = place.fresh_outputs();
    let mut heard = Heard::default();
    success(&session.run_task(&BTreeMap::new(), &outputs, &mut heard.ear()).await.unwrap());
    session.close().await;
    heard.lines.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_reaches_its_licence_server_and_nothing_else() {
    let (port, other) = (server(), server());
    let mut place = Place::new();
    // The name is the program's; the agent's own resolver need not know it in this test.
    let licence = Licence { host: "127.0.0.1".into(), ports: vec![port] };
    let doors = Doors::open(&licence, &place.policy.input_dir).unwrap();
    place.policy.licence = Some(Licence { host: "licences.studio".into(), ports: vec![port] });
    let program = PROGRAM.replace("LICENCE", &port.to_string()).replace("OTHER", &other.to_string());
    let log = log_of(&mut place, &program).await;
    let granted = "said b'granted seat\\n'";
    assert_eq!(log.matches(&format!("licences.studio {granted}")).count(), 21, "{log}");
    assert_eq!(log.matches(&format!("127.0.0.1 {granted}")).count(), 1, "{log}");
    assert_eq!(log.matches("REFUSED").count(), 4, "{log}");
    assert_eq!(log.matches("no ").count(), 6, "{log}");
    assert!(!log.contains("REACHED"), "{log}");
    // Without its doors a session finds nothing there, and its program goes on.
    drop(doors);
    std::fs::remove_dir_all(place.policy.input_dir.join("licence")).unwrap();
    let log = log_of(&mut place, &program).await;
    assert!(!log.contains("granted") && !log.contains("REACHED"), "{log}");
}

#[tokio::test]
async fn a_server_that_is_away_is_said() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let there = server();
    let licence = |ports: &[u16]| Licence { host: "127.0.0.1".into(), ports: ports.to_vec() };
    assert_eq!(licence(&[there]).answers().await, Ok(()));
    let why = licence(&[there, gone]).answers().await.unwrap_err();
    assert!(why.contains(&format!("127.0.0.1:{gone} does not answer")), "{why}");
}
