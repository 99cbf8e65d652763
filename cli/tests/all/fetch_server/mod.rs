//! Servers that misbehave.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What a server does with the requests for its one file.
#[derive(Clone, Copy, PartialEq)]
pub enum Behaviour {
    /// Closes each connection after this many bytes of the body.
    DropsAfter(usize),
    /// Does this once, and ignores ranges: every response is the whole file.
    DropsOnceWithoutRanges(usize),
    /// Answers every request with this status.
    Status(u16),
    /// Serves the file with one byte changed.
    Corrupts,
    /// Answers 503 twice, then serves.
    BusyTwice,
    /// Redirects every request to a path where connections are closed after this many bytes.
    RedirectsThenDropsAfter(usize),
}

/// A web server on this machine.
pub struct Server {
    pub address: String,
    ranges: Arc<Mutex<Vec<Option<usize>>>>,
}

impl Server {
    pub fn start(body: Vec<u8>, behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!(
            "http://{}/files/model.pth?download=true",
            listener.local_addr().unwrap()
        );
        let ranges = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&ranges);
        let count = AtomicUsize::new(0);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (path, range) = read_request(&stream);
                seen.lock().unwrap().push(range);
                let is_moved = path.starts_with("/moved");
                // The client may close the connection.
                let _ = answer(
                    stream,
                    &body,
                    range,
                    behaviour,
                    is_moved,
                    count.fetch_add(1, Ordering::SeqCst),
                );
            }
        });
        Self { address, ranges }
    }

    /// The first byte that each request asked for, in order.
    pub fn ranges(&self) -> Vec<Option<usize>> {
        self.ranges.lock().unwrap().clone()
    }
}

/// The requested path and first byte.
fn read_request(stream: &TcpStream) -> (String, Option<usize>) {
    let (mut path, mut range) = (String::new(), None);
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap_or_default();
        if line.is_empty() {
            break;
        }
        if let Some(rest) = line.strip_prefix("GET ") {
            path = rest.split(' ').next().unwrap_or_default().to_owned();
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            range = value.trim_end_matches('-').parse().ok();
        }
    }
    (path, range)
}

fn answer(
    mut stream: TcpStream,
    body: &[u8],
    range: Option<usize>,
    behaviour: Behaviour,
    is_moved: bool,
    count: usize,
) -> std::io::Result<()> {
    let mut body = body.to_vec();
    let limit = match behaviour {
        Behaviour::Status(code) => {
            return write!(
                stream,
                "HTTP/1.1 {code} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
        }
        Behaviour::BusyTwice if count < 2 => {
            return write!(
                stream,
                "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
        }
        Behaviour::RedirectsThenDropsAfter(_) if !is_moved => {
            return write!(
                stream,
                "HTTP/1.1 302 Found\r\nLocation: /moved/here.pth\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
        }
        Behaviour::DropsAfter(bytes) | Behaviour::RedirectsThenDropsAfter(bytes) => bytes,
        Behaviour::DropsOnceWithoutRanges(bytes) if count == 0 => bytes,
        Behaviour::Corrupts => {
            body[1000] ^= 1;
            usize::MAX
        }
        _ => usize::MAX,
    };
    let ignores_ranges = matches!(behaviour, Behaviour::DropsOnceWithoutRanges(_));
    let from = range.filter(|_| !ignores_ranges).unwrap_or(0);
    if from >= body.len() {
        return write!(
            stream,
            "HTTP/1.1 416 Range\r\nContent-Range: bytes */{}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            body.len()
        );
    }
    let rest = &body[from..];
    match range.filter(|_| !ignores_ranges) {
        Some(_) => write!(
            stream,
            "HTTP/1.1 206 Partial\r\nContent-Range: bytes {from}-{}/{}\r\n",
            body.len() - 1,
            body.len()
        )?,
        None => write!(stream, "HTTP/1.1 200 OK\r\n")?,
    }
    write!(
        stream,
        "Content-Length: {}\r\nConnection: close\r\n\r\n",
        rest.len()
    )?;
    stream.write_all(&rest[..rest.len().min(limit)])
}

/// A TLS server with a self-signed certificate, run by the `openssl` command.
pub struct TlsServer {
    process: Child,
    pub address: String,
}

impl TlsServer {
    /// Serves the files of `folder`; `None` without an `openssl` command.
    pub fn start(folder: &Path) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .ok()?
            .port();
        let made = Command::new("openssl")
            .args([
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            ])
            .args([
                "-keyout",
                "key.pem",
                "-out",
                "cert.pem",
                "-subj",
                "/CN=localhost",
            ])
            .args(["-addext", "subjectAltName=DNS:localhost"])
            .current_dir(folder)
            .output()
            .ok()?;
        if !made.status.success() {
            return None;
        }
        let process = Command::new("openssl")
            .args([
                "s_server", "-quiet", "-WWW", "-key", "key.pem", "-cert", "cert.pem",
            ])
            .args(["-accept", &port.to_string()])
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        // It takes a moment to listen.
        for _ in 0..100 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        Some(Self {
            process,
            address: format!("https://localhost:{port}/model.pth"),
        })
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
