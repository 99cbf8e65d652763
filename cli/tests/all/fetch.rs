//! `hitscribe models fetch` with servers that misbehave.

use std::path::Path;

use super::fetch_server::{Behaviour, Server, TlsServer};
use super::store_command::{fails, succeeds};

fn body() -> Vec<u8> {
    (0..300_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect()
}

fn sha256(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("body");
    std::fs::write(&file, bytes).unwrap();
    hitscribe_core::model_store::sha256_of_file(&file)
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

/// Arguments that fetch a model from `address` as "x".
fn fetch<'a>(address: &'a str, sha256: &'a str) -> [&'a str; 7] {
    [
        "models", "fetch", "x", "--from", address, "--sha256", sha256,
    ]
}

#[test]
fn a_download_survives_dropped_connections() {
    let folder = tempfile::tempdir().unwrap();
    let (body, store) = (body(), folder.path().join("store"));
    let sha256 = sha256(&body);
    let server = Server::start(body.clone(), Behaviour::DropsAfter(80_000));
    let printed = succeeds(&store, &fetch(&server.address, &sha256));
    assert!(printed.contains("checksum good"), "{printed}");
    assert_eq!(std::fs::read(store.join("x/weights.pth")).unwrap(), body);
    let ranges = server.ranges();
    assert_eq!(ranges[0], None);
    assert!(
        ranges.len() == 4 && ranges[1..].iter().all(Option::is_some),
        "{ranges:?}"
    );
    assert_eq!(leftovers(&store), 0);
    let again = succeeds(&store, &fetch(&server.address, &sha256));
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
        &[&fetch(&server.address, &sha256)[..], &["--as", "mine"]].concat(),
    );
    assert_eq!(server.ranges(), [Some(123_456)]);
    assert_eq!(std::fs::read(store.join("mine/weights.pth")).unwrap(), body);
    // A complete part is not downloaded again.
    succeeds(&store, &["models", "remove", "mine"]);
    std::fs::write(store.join(format!(".fetching-{}", &sha256[..16])), &body).unwrap();
    succeeds(&store, &fetch(&server.address, &sha256));
    assert_eq!(std::fs::read(store.join("x/weights.pth")).unwrap(), body);
}

#[test]
fn servers_without_ranges_and_busy_servers_work() {
    for behaviour in [
        Behaviour::DropsOnceWithoutRanges(50_000),
        Behaviour::BusyTwice,
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (body, store) = (body(), folder.path().join("store"));
        let server = Server::start(body.clone(), behaviour);
        succeeds(&store, &fetch(&server.address, &sha256(&body)));
        assert_eq!(std::fs::read(store.join("x/weights.pth")).unwrap(), body);
    }
}

#[test]
fn redirects_are_followed_for_each_piece() {
    let folder = tempfile::tempdir().unwrap();
    let (body, store) = (body(), folder.path().join("store"));
    let server = Server::start(body.clone(), Behaviour::RedirectsThenDropsAfter(200_000));
    succeeds(&store, &fetch(&server.address, &sha256(&body)));
    assert_eq!(std::fs::read(store.join("x/weights.pth")).unwrap(), body);
    // Each part is requested from the old address and then from the new one.
    let from = [None, None, Some(200_000), Some(200_000)];
    assert_eq!(server.ranges(), from);
}

#[test]
fn an_invalid_folder_and_a_full_disk_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let body = body();
    let sha256 = sha256(&body);
    let server = Server::start(body, Behaviour::DropsAfter(usize::MAX));
    let fetch = fetch(&server.address, &sha256);
    std::fs::write(folder.path().join("file"), b"in the way").unwrap();
    let below_a_file = folder.path().join("file/store");
    fails(&below_a_file, &fetch, "file/store");
    assert!(server.ranges().is_empty(), "no request without a folder");
    #[cfg(target_os = "linux")]
    {
        let store = folder.path().join("store");
        std::fs::create_dir(&store).unwrap();
        let part = store.join(format!(".fetching-{}", &sha256[..16]));
        std::os::unix::fs::symlink("/dev/full", part).unwrap();
        fails(&store, &fetch, "No space left");
        assert_eq!(server.ranges().len(), 1, "a full disk is not tried again");
    }
}

#[test]
fn an_address_without_tls_is_no_https_server() {
    let folder = tempfile::tempdir().unwrap();
    let (body, store) = (body(), folder.path().join("store"));
    let server = Server::start(body.clone(), Behaviour::DropsAfter(usize::MAX));
    let address = server.address.replace("http://", "https://");
    fails(&store, &fetch(&address, &sha256(&body)), &address);
    assert_eq!(leftovers(&store), 0);
}

#[test]
fn a_self_signed_certificate_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = TlsServer::start(folder.path()) else {
        eprintln!("skipped: there is no openssl command to serve TLS with");
        return;
    };
    let body = body();
    std::fs::write(folder.path().join("model.pth"), &body).unwrap();
    let store = folder.path().join("store");
    fails(
        &store,
        &fetch(&server.address, &sha256(&body)),
        "certificate",
    );
    assert_eq!(leftovers(&store), 0);
    assert!(succeeds(&store, &["models", "list"]).contains("no models"));
}

#[test]
fn wrong_bytes_and_refusals_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let (body, store) = (body(), folder.path().join("store"));
    let sha = sha256(&body);
    let rejected = |server: &Server, expected: &str| {
        fails(&store, &fetch(&server.address, &sha), expected);
    };
    rejected(
        &Server::start(body.clone(), Behaviour::Corrupts),
        "wrong checksum",
    );
    assert_eq!(leftovers(&store), 0, "wrong bytes are not kept");
    rejected(&Server::start(body.clone(), Behaviour::Status(404)), "404");
    rejected(&Server::start(body.clone(), Behaviour::Status(500)), "500");
    // A server that always drops at once.
    rejected(
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
    fails(&store, &fetch("http://127.0.0.1:1/x", &sha), "127.0.0.1:1");
    fails(&store, &fetch(&server.address, "12"), "64 hexadecimal");
    fails(
        &store,
        &["models", "fetch", "unheard-of"],
        "not a published model",
    );
    assert!(succeeds(&store, &["models", "list"]).contains("no models"));
}
