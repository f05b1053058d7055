//! A licence server as the only address that a session reaches.
//!
//! A session has no network but its own loopback. For each port of the licence server the agent holds a door: a socket in the
//! session's input folder, behind which it connects to that port and nowhere else. Inside, the runner listens on the same port of
//! 127.0.0.1, where the server's name leads, and hands on what comes. Nothing else gets a network by this: not even another port of
//! the same machine.

use nix::fcntl::OFlag;
use std::fs::{DirBuilder, OpenOptions, Permissions, set_permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// The folder of the doors below the inputs.
pub(crate) const FOLDER: &str = "licence";
/// Ports of one server.
pub const MOST_PORTS: usize = 8;
/// A session may not listen on lower ones.
const LEAST_PORT: u16 = 1024;
/// Connections at once through one door.
const CONNECTIONS: usize = 64;
/// Time for connecting.
const CONNECT: Duration = Duration::from_secs(10);
/// Time until a connection that could not be taken is tried again.
const PAUSE: Duration = Duration::from_millis(200);
/// Bytes that one connection carries each way; licences are small.
const MOST_BYTES: u64 = 64 << 20;

/// Where licences come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Licence {
    /// Name or address, as the program knows it.
    pub host: String,
    /// 1 to [`MOST_PORTS`] ports.
    pub ports: Vec<u16>,
}

impl Licence {
    /// `licences.studio.lan:5053`, or `…:5053,5054`.
    ///
    /// # Errors
    /// One sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (host, ports) = text.rsplit_once(':').ok_or("write HOST:PORT, or HOST:PORT,PORT")?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if host.is_empty() || host.len() > 253 || host.starts_with(['-', '.']) || !host.bytes().all(plain) {
            return Err("the licence server is a host's name or an IPv4 address".into());
        }
        let ports: Option<Vec<u16>> =
            ports.split(',').map(|port| port.parse().ok().filter(|p| *p >= LEAST_PORT)).collect();
        let ports = ports.filter(|ports| ports.len() <= MOST_PORTS);
        let ports = ports
            .ok_or(format!("a licence server has 1 to {MOST_PORTS} ports between {LEAST_PORT} and 65535"))?;
        Ok(Self { host: host.to_owned(), ports })
    }

    /// Does each of its ports take a connection now?
    ///
    /// # Errors
    /// The first port that does not, and why.
    pub async fn answers(&self) -> Result<(), String> {
        for port in &self.ports {
            connect(&self.host, *port)
                .await
                .map_err(|e| format!("{}:{port} does not answer ({e})", self.host))?;
        }
        Ok(())
    }
}

async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    tokio::time::timeout(CONNECT, TcpStream::connect((host, port)))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// The doors of one input folder; dropping them closes all connections.
#[derive(Debug)]
pub struct Doors {
    _open: JoinSet<()>,
}

impl Doors {
    /// Opens a door for each port in `inputs`, the folder that a session sees as `/in`.
    ///
    /// # Errors
    /// Where the folder cannot be written. Whether the server answers shows with each connection.
    pub fn open(licence: &Licence, inputs: &Path) -> io::Result<Self> {
        let folder = inputs.join(FOLDER);
        DirBuilder::new().mode(0o755).create(&folder)?;
        set_permissions(&folder, Permissions::from_mode(0o755))?;
        // Names of sockets are short; the way through the open folder always is.
        let held = OpenOptions::new().read(true).custom_flags(OFlag::O_DIRECTORY.bits()).open(&folder)?;
        let mut open = JoinSet::new();
        for port in &licence.ports {
            let short = PathBuf::from(format!("/proc/self/fd/{}/{port}", held.as_raw_fd()));
            let door = UnixListener::bind(&short)?;
            // The session may be another user.
            set_permissions(folder.join(port.to_string()), Permissions::from_mode(0o666))?;
            open.spawn(hold(door, licence.host.clone(), *port));
        }
        Ok(Self { _open: open })
    }
}

async fn hold(door: UnixListener, host: String, port: u16) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut through = JoinSet::new();
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let inside = match door.accept().await {
            Ok((inside, _)) => inside,
            Err(error) => {
                // Out of file descriptors, or a program that left: wait and go on.
                tracing::warn!(host, port, %error, "a way to the licence server could not be opened");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        while through.try_join_next().is_some() {}
        let host = host.clone();
        through.spawn(async move {
            let _permit = permit;
            match connect(&host, port).await {
                Ok(outside) => hand_on(inside, outside).await,
                Err(error) => tracing::warn!(host, port, %error, "the licence server does not answer"),
            }
        });
    }
}

/// Both ways until both ends are done, or too much was said.
async fn hand_on(a: impl AsyncRead + AsyncWrite, b: impl AsyncRead + AsyncWrite) {
    let (a_in, a_out) = tokio::io::split(a);
    let (b_in, b_out) = tokio::io::split(b);
    let mut a = std::pin::pin!(tokio::io::join(a_in.take(MOST_BYTES), a_out));
    let mut b = std::pin::pin!(tokio::io::join(b_in.take(MOST_BYTES), b_out));
    // A connection that breaks is its program's to notice.
    let _ = copy_bidirectional(&mut a, &mut b).await;
}

/// The runner's side: listens where the program expects the server. Ends with the runtime.
pub(crate) async fn listen_inside() -> io::Result<()> {
    let folder = Path::new("/in").join(FOLDER);
    let doors = match std::fs::read_dir(&folder) {
        Ok(doors) => doors,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for door in doors {
        let door = door?.path();
        let port = door.file_name().and_then(|name| name.to_str()?.parse::<u16>().ok());
        let Some(port) = port else { continue };
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        tokio::spawn(async move {
            loop {
                let Ok((program, _)) = listener.accept().await else {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                };
                let door = door.clone();
                tokio::spawn(async move {
                    if let Ok(outside) = UnixStream::connect(&door).await {
                        hand_on(program, outside).await;
                    }
                });
            }
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_and_ports_are_licence_servers() {
        let licence = Licence::parse("licences.studio.lan:5053,5054").unwrap();
        assert_eq!((licence.host.as_str(), &licence.ports[..]), ("licences.studio.lan", &[5053, 5054][..]));
        for bad in [
            "",
            "host",
            "host:",
            "host:0",
            "host:80",
            "host:70000",
            ":5053",
            "a b:1",
            "-x:1",
            "a\nb:1",
            "h:1,2,3,4,5,6,7,8,9",
        ] {
            assert!(Licence::parse(bad).is_err(), "{bad}");
        }
    }
}
