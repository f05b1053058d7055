//! The network between nodes and server, in a test's hands: it can be cut, stopped without a word, and made slow.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// Bytes that go through at once.
const PIECE: usize = 4_096;

/// A relay on loopback; its threads end with the test's process.
pub struct Line {
    pub url: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    ends: Mutex<Vec<TcpStream>>,
    held: AtomicBool,
    /// Pause after each piece.
    pause_ms: AtomicU64,
}

impl Line {
    /// To a server at `to`, such as `127.0.0.1:7117`.
    pub fn new(to: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (state, to) = (Arc::new(State::default()), to.to_owned());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for near in listener.incoming() {
                // A server that is away: so is the connection.
                let (Ok(near), Ok(far)) = (near, TcpStream::connect(&to)) else { continue };
                let (Ok(near_too), Ok(far_too)) = (near.try_clone(), far.try_clone()) else { continue };
                let mut ends = shared.ends.lock().unwrap();
                ends.retain(|end| end.peer_addr().is_ok());
                ends.extend([near.try_clone(), far.try_clone()].into_iter().flatten());
                drop(ends);
                let (one, other) = (Arc::clone(&shared), Arc::clone(&shared));
                thread::spawn(move || one.pass(near, far));
                thread::spawn(move || other.pass(far_too, near_too));
            }
        });
        Self { url, state }
    }

    /// Every connection ends now.
    pub fn cut(&self) {
        for end in self.state.ends.lock().unwrap().drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Nothing goes through for so long, and nobody is told.
    pub fn hold(&self, time: Duration) {
        self.state.held.store(true, Ordering::SeqCst);
        thread::sleep(time);
        self.state.held.store(false, Ordering::SeqCst);
    }

    /// Little goes through for so long: 4 KiB in 20 ms.
    pub fn slow(&self, time: Duration) {
        self.state.pause_ms.store(20, Ordering::SeqCst);
        thread::sleep(time);
        self.state.pause_ms.store(0, Ordering::SeqCst);
    }
}

impl State {
    fn pass(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut piece = [0; PIECE];
        while let Ok(got @ 1..) = from.read(&mut piece) {
            while self.held.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(10));
            }
            match self.pause_ms.load(Ordering::SeqCst) {
                0 => {}
                ms => thread::sleep(Duration::from_millis(ms)),
            }
            if to.write_all(&piece[..got]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }
}
