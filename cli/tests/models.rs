//! `hitscribe models` from outside, downloads against a server of our own that misbehaves.
#![cfg(feature = "fetch")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

fn hitscribe(store: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hitscribe"))
        .env("HITSCRIBE_MODELS", store)
        .args(args)
        .output()
        .unwrap()
}

#[track_caller]
fn succeeds(store: &Path, args: &[&str]) -> String {
    let out = hitscribe(store, args);
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}

#[track_caller]
fn fails(store: &Path, args: &[&str], says: &str) {
    let out = hitscribe(store, args);
    let error = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(1), "{error}");
    assert_eq!(error.trim_end().lines().count(), 1, "{error}");
    assert!(error.contains(says), "{error:?} does not say {says:?}");
}

/// What a server does with the requests for its one file.
#[derive(Clone, Copy, PartialEq)]
enum Behaviour {
    /// Closes each connection after this many bytes of the body.
    DropsAfter(usize),
    /// The same, and ignores ranges: every answer is the whole file.
    DropsOnceWithoutRanges(usize),
    /// Answers every request with this status.
    Status(u16),
    /// Serves the file with one byte changed.
    Corrupts,
    /// Answers 503 twice, then serves.
    BusyTwice,
}

struct Server {
    address: String,
    ranges: Arc<Mutex<Vec<Option<usize>>>>,
}

impl Server {
    fn start(body: Vec<u8>, behaviour: Behaviour) -> Self {
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
                let range = read_range(&stream);
                seen.lock().unwrap().push(range);
                // A client that goes away is not the server's failure.
                let _ = answer(
                    stream,
                    &body,
                    range,
                    behaviour,
                    count.fetch_add(1, Ordering::SeqCst),
                );
            }
        });
        Self { address, ranges }
    }

    fn ranges(&self) -> Vec<Option<usize>> {
        self.ranges.lock().unwrap().clone()
    }
}

fn read_range(stream: &TcpStream) -> Option<usize> {
    let mut range = None;
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap_or_default();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            range = value.trim_end_matches('-').parse().ok();
        }
    }
    range
}

fn answer(
    mut stream: TcpStream,
    body: &[u8],
    range: Option<usize>,
    behaviour: Behaviour,
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
        Behaviour::DropsAfter(bytes) => bytes,
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

fn body() -> Vec<u8> {
    (0..300_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect()
}

fn sha256(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("body");
    std::fs::write(&file, bytes).unwrap();
    hitscribe_engine::model::catalogue::sha256_of_file(&file)
        .unwrap()
        .0
}

fn leftovers(store: &Path) -> usize {
    let entries = std::fs::read_dir(store).unwrap();
    entries
        .filter(|e| {
            e.as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with('.')
        })
        .count()
}

#[test]
fn a_download_survives_dropped_connections() {
    let folder = tempfile::tempdir().unwrap();
    let (body, store) = (body(), folder.path().join("store"));
    let sha256 = sha256(&body);
    let server = Server::start(body.clone(), Behaviour::DropsAfter(80_000));
    let printed = succeeds(
        &store,
        &[
            "models",
            "fetch",
            "ours",
            "--from",
            &server.address,
            "--sha256",
            &sha256,
        ],
    );
    assert!(printed.contains("checksum good"), "{printed}");
    assert_eq!(std::fs::read(store.join("ours/weights.pth")).unwrap(), body);
    let ranges = server.ranges();
    assert_eq!(ranges[0], None);
    assert!(
        ranges.len() == 4 && ranges[1..].iter().all(Option::is_some),
        "{ranges:?}"
    );
    assert_eq!(leftovers(&store), 0);
    let again = succeeds(
        &store,
        &[
            "models",
            "fetch",
            "ours",
            "--from",
            &server.address,
            "--sha256",
            &sha256,
        ],
    );
    assert!(again.contains("is in the store"), "{again}");
    assert_eq!(server.ranges().len(), 4, "nothing is downloaded twice");
}

#[test]
fn an_interrupted_download_is_resumed_by_the_next_call() {
    let folder = tempfile::tempdir().unwrap();
    let (body, store) = (body(), folder.path().join("store"));
    let sha256 = sha256(&body);
    std::fs::create_dir_all(&store).unwrap();
    std::fs::write(
        store.join(format!(".fetching-{}", &sha256[..16])),
        &body[..123_456],
    )
    .unwrap();
    let server = Server::start(body.clone(), Behaviour::DropsAfter(usize::MAX));
    succeeds(
        &store,
        &[
            "models",
            "fetch",
            "x",
            "--from",
            &server.address,
            "--sha256",
            &sha256,
            "--as",
            "mine",
        ],
    );
    assert_eq!(server.ranges(), [Some(123_456)]);
    assert_eq!(std::fs::read(store.join("mine/weights.pth")).unwrap(), body);
    // A complete part needs no byte more.
    succeeds(&store, &["models", "remove", "mine"]);
    std::fs::write(store.join(format!(".fetching-{}", &sha256[..16])), &body).unwrap();
    succeeds(
        &store,
        &[
            "models",
            "fetch",
            "x",
            "--from",
            &server.address,
            "--sha256",
            &sha256,
        ],
    );
    assert_eq!(std::fs::read(store.join("x/weights.pth")).unwrap(), body);
}

#[test]
fn servers_without_ranges_and_busy_ones_are_coped_with() {
    for behaviour in [
        Behaviour::DropsOnceWithoutRanges(50_000),
        Behaviour::BusyTwice,
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (body, store) = (body(), folder.path().join("store"));
        let server = Server::start(body.clone(), behaviour);
        succeeds(
            &store,
            &[
                "models",
                "fetch",
                "x",
                "--from",
                &server.address,
                "--sha256",
                &sha256(&body),
            ],
        );
        assert_eq!(std::fs::read(store.join("x/weights.pth")).unwrap(), body);
    }
}

#[test]
fn wrong_bytes_and_refusals_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let (body, store) = (body(), folder.path().join("store"));
    let sha = sha256(&body);
    let fetch = |server: &Server, says: &str| {
        fails(
            &store,
            &[
                "models",
                "fetch",
                "x",
                "--from",
                &server.address,
                "--sha256",
                &sha,
            ],
            says,
        );
    };
    fetch(
        &Server::start(body.clone(), Behaviour::Corrupts),
        "wrong checksum",
    );
    assert_eq!(leftovers(&store), 0, "wrong bytes are not kept");
    fetch(&Server::start(body.clone(), Behaviour::Status(404)), "404");
    fetch(&Server::start(body.clone(), Behaviour::Status(500)), "500");
    // A server that always drops at once.
    fetch(
        &Server::start(body.clone(), Behaviour::DropsAfter(0)),
        "0 of 300000 bytes",
    );
    // The catalogue's size is checked before anything is stored.
    let server = Server::start(body, Behaviour::DropsAfter(usize::MAX));
    fails(
        &store,
        &["models", "fetch", "mt3", "--from", &server.address],
        "instead of 183672643",
    );
    fails(
        &store,
        &[
            "models",
            "fetch",
            "x",
            "--from",
            "http://127.0.0.1:1/x",
            "--sha256",
            &sha,
        ],
        "127.0.0.1:1",
    );
    fails(
        &store,
        &[
            "models",
            "fetch",
            "x",
            "--from",
            &server.address,
            "--sha256",
            "12",
        ],
        "64 hexadecimal",
    );
    fails(
        &store,
        &["models", "fetch", "unheard-of"],
        "not in the catalogue",
    );
    assert!(succeeds(&store, &["models", "list"]).contains("no models"));
}

#[test]
fn files_are_added_listed_verified_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (store, file) = (
        folder.path().join("store"),
        folder.path().join("My Model.ckpt"),
    );
    std::fs::write(&file, b"weights").unwrap();
    let path = file.to_str().unwrap();
    succeeds(&store, &["models", "add", path]);
    succeeds(&store, &["models", "add", path, "--as", "second"]);
    let listed = succeeds(&store, &["models", "list"]);
    assert!(
        listed.contains("my-model") && listed.contains("second"),
        "{listed}"
    );
    assert!(
        listed.contains("b8a3807ed265059abd25ad7f68142c06c35e8f6144dcaa45bd55946a3745398f"),
        "{listed}"
    );
    assert!(succeeds(&store, &["models", "verify"]).contains("second: good"));
    std::fs::write(store.join("second/weights.ckpt"), b"rotten").unwrap();
    fails(&store, &["models", "verify"], "second");
    succeeds(&store, &["models", "verify", "my-model"]);
    succeeds(&store, &["models", "remove", "second"]);
    succeeds(&store, &["models", "verify"]);
    fails(&store, &["models", "remove", "second"], "second");
    fails(&store, &["models", "verify", "second"], "second");
    fails(
        &store,
        &[
            "models",
            "add",
            folder.path().join("missing").to_str().unwrap(),
        ],
        "missing",
    );
    fails(
        &store,
        &["models", "add", folder.path().to_str().unwrap()],
        "not a file",
    );
    fails(
        &store,
        &["models", "add", path, "--as", "../up"],
        "is no name",
    );
}
