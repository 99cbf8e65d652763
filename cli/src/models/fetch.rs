//! Downloads with progress, resume and checksum.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hitscribe_core::model_store::{KNOWN_MODELS, Store, Transfer, known_by_name, sha256_of_file};
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::outln;

/// Download a published model into the store
#[derive(clap::Args)]
pub struct Args {
    /// Name from `models list`; any name with --from and --sha256
    name: String,
    /// Address to use instead of the published one, such as a mirror
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// Checksum of a file that is not in the list
    #[arg(long, value_name = "HEX", requires = "from")]
    sha256: Option<String>,
    /// Name in the store [default: NAME]
    #[arg(long = "as", value_name = "NAME")]
    store_as: Option<String>,
}

/// Consecutive attempts without a new byte before the download fails.
const FRUITLESS_ATTEMPTS: u32 = 4;
const RETRY_PAUSE: Duration = Duration::from_millis(300);
/// Longest connection; another one then resumes. This also ends connections to silent servers.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);
/// Larger than every supported checkpoint.
const MAXIMUM_BYTES: u64 = 4 << 30;

type Response = ureq::http::Response<ureq::Body>;

/// The file to download.
struct Wanted {
    name: String,
    urls: Vec<String>,
    sha256: String,
    size_bytes: Option<u64>,
}

pub fn run(store: &Store, args: &Args) -> Result<()> {
    let wanted = wanted(args)?;
    if let Some(model) = store
        .list()?
        .into_iter()
        .filter_map(|(_, m)| m.ok())
        .find(|m| m.sha256 == wanted.sha256)
    {
        outln!("{} is in the store as {}", wanted.name, model.name);
        return Ok(());
    }
    store.create_folder()?;
    // Named by checksum, so that a download resumes under any model name.
    let part = store
        .folder()
        .join(format!(".fetching-{}", &wanted.sha256[..16]));
    let mut failures = Vec::new();
    for url in &wanted.urls {
        match download(url, &part, wanted.size_bytes) {
            Ok(()) => return finish(store, args, &wanted, &part, url),
            Err(error) => failures.push(format!("{url}: {error:#}")),
        }
    }
    bail!(
        "{}: {}; run the command again to resume",
        wanted.name,
        failures.join("; ")
    )
}

fn wanted(args: &Args) -> Result<Wanted> {
    let known = known_by_name(&args.name);
    let sha256 = match (&args.sha256, known) {
        (Some(hex), _) if hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
            hex.to_ascii_lowercase()
        }
        (Some(hex), _) => bail!("{hex}: is not a SHA-256 checksum of 64 hexadecimal digits"),
        (None, Some(known)) => known.sha256.to_owned(),
        (None, None) => {
            let names: Vec<&str> = KNOWN_MODELS.iter().map(|m| m.name).collect();
            bail!(
                "{}: is not a published model ({}); other files need --from URL and --sha256",
                args.name,
                names.join(", ")
            )
        }
    };
    // The known size is that of the published file, not of one with another checksum.
    let size_bytes = known
        .filter(|k| k.sha256 == sha256)
        .and_then(|k| k.size_bytes);
    let urls = match (&args.from, known) {
        (Some(url), _) => vec![url.clone()],
        (None, Some(known)) => known.urls.iter().map(|&u| u.to_owned()).collect(),
        (None, None) => Vec::new(),
    };
    let name = known.map_or(args.name.as_str(), |k| k.name).to_owned();
    Ok(Wanted {
        name,
        urls,
        sha256,
        size_bytes,
    })
}

fn finish(store: &Store, args: &Args, wanted: &Wanted, part: &Path, url: &str) -> Result<()> {
    let (sha256, size) = sha256_of_file(part)?;
    if sha256 != wanted.sha256 {
        fs::remove_file(part).with_context(|| part.display().to_string())?;
        bail!(
            "{url}: has {size} bytes with the wrong checksum ({sha256} instead of {}); deleted",
            wanted.sha256
        );
    }
    // The store derives the format from the extension.
    let named = part.with_extension(extension(url));
    fs::rename(part, &named).with_context(|| part.display().to_string())?;
    let name = args.store_as.as_deref().unwrap_or(&wanted.name);
    let added = store.add(&named, Some(name), Transfer::Move);
    if added.is_err() && named.exists() {
        // The file is complete and valid: keep it for another attempt.
        fs::rename(&named, part).with_context(|| named.display().to_string())?;
    }
    let model = added?;
    outln!(
        "fetched {} ({:.1} MB, checksum good) into {}",
        model.name,
        size as f64 / 1e6,
        store.folder().display()
    );
    Ok(())
}

fn extension(url: &str) -> PathBuf {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    PathBuf::from(Path::new(path).extension().unwrap_or_default())
}

/// Downloads `url` to `part`, over several connections if needed.
fn download(url: &str, part: &Path, expected_bytes: Option<u64>) -> Result<()> {
    let bar = ProgressBar::new(expected_bytes.unwrap_or_default()).with_style(style());
    let mut fruitless = 0;
    loop {
        let before = size_of(part)?;
        let outcome = connection(url, part, before, expected_bytes, &bar);
        let error = match outcome {
            Ok(()) => {
                bar.finish_and_clear();
                return Ok(());
            }
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Transient(error)) => error,
        };
        fruitless = if size_of(part)? > before {
            0
        } else {
            fruitless + 1
        };
        if fruitless >= FRUITLESS_ATTEMPTS {
            return Err(error);
        }
        log::info!("{url}: {error:#}; resuming at byte {}", size_of(part)?);
        std::thread::sleep(RETRY_PAUSE * fruitless.max(1));
    }
}

fn style() -> ProgressStyle {
    let template = "{bytes} of {total_bytes} [{wide_bar}] {bytes_per_sec}, {eta} left";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn size_of(part: &Path) -> Result<u64> {
    match fs::metadata(part) {
        Ok(metadata) => Ok(metadata.len()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(e) => Err(e).with_context(|| part.display().to_string()),
    }
}

/// Why a connection did not complete the file.
enum Failure {
    /// Another connection may help.
    Transient(anyhow::Error),
    /// Another connection will not help.
    Final(anyhow::Error),
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(CONNECTION_TIMEOUT))
        // A status outside 200..300 is an answer too: it decides whether to try again.
        .http_status_as_error(false)
        .user_agent(concat!("hitscribe/", env!("CARGO_PKG_VERSION")));
    config.build().into()
}

fn connection(
    url: &str,
    part: &Path,
    have: u64,
    expected_bytes: Option<u64>,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    if have > 0 && expected_bytes == Some(have) {
        return Ok(());
    }
    let mut request = agent().get(url);
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
    }
    let response = request
        .call()
        .map_err(|error| Failure::Transient(error.into()))?;
    let is_resumed = match response.status().as_u16() {
        200 => false,
        206 if range_start(&response) == Some(have) => true,
        206 => return start_again(part),
        // Nothing behind what we have: it is complete, or it is not ours. The checksum tells.
        416 if have > 0 && range_total(&response) == Some(have) => return Ok(()),
        416 if have > 0 => return start_again(part),
        code => {
            let error = anyhow::anyhow!("the server answers {}", response.status());
            return Err(match code {
                408 | 429 | 500..=599 => Failure::Transient(error),
                _ => Failure::Final(error),
            });
        }
    };
    let length = header(&response, "Content-Length").and_then(|v| v.parse::<u64>().ok());
    let begin = if is_resumed { have } else { 0 };
    let total = length.map(|length| begin + length).or(expected_bytes);
    if total.is_some_and(|t| t > MAXIMUM_BYTES || expected_bytes.is_some_and(|e| e != t)) {
        let total = total.unwrap_or_default();
        return Err(Failure::Final(match expected_bytes {
            Some(expected) => anyhow::anyhow!("the file has {total} bytes instead of {expected}"),
            None => anyhow::anyhow!("{total} bytes are too large for a model"),
        }));
    }
    let mut file = open(part, is_resumed).map_err(Failure::Final)?;
    bar.set_length(total.unwrap_or_default());
    bar.set_position(begin);
    receive(
        response.into_body().into_reader(),
        &mut file,
        part,
        begin,
        total,
        bar,
    )
}

fn open(part: &Path, is_resumed: bool) -> Result<File> {
    let mut options = OpenOptions::new();
    options.create(true);
    if is_resumed {
        options.append(true)
    } else {
        options.write(true).truncate(true)
    };
    options
        .open(part)
        .with_context(|| part.display().to_string())
}

/// Deletes the partial file; the next connection starts at the first byte.
fn start_again(part: &Path) -> Result<(), Failure> {
    fs::remove_file(part)
        .with_context(|| part.display().to_string())
        .map_err(Failure::Final)?;
    Err(Failure::Transient(anyhow::anyhow!(
        "the server cannot resume"
    )))
}

fn receive(
    mut body: impl Read,
    file: &mut File,
    part: &Path,
    begin: u64,
    total: Option<u64>,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    let mut buffer = vec![0; 1 << 16];
    let mut at = begin;
    loop {
        let read = body.read(&mut buffer).map_err(|error| {
            let bytes = total.map_or(format!("{at} bytes"), |total| {
                format!("{at} of {total} bytes")
            });
            let ended = format!("the connection ended after {bytes}");
            Failure::Transient(anyhow::Error::new(error).context(ended))
        })?;
        if read == 0 {
            break;
        }
        let written = file
            .write_all(&buffer[..read])
            .with_context(|| part.display().to_string());
        written.map_err(Failure::Final)?;
        at += read as u64;
        bar.set_position(at);
        if at > total.unwrap_or(MAXIMUM_BYTES) {
            return Err(Failure::Final(anyhow::anyhow!(
                "the server sent more bytes than announced"
            )));
        }
    }
    match total {
        Some(total) if at < total => Err(Failure::Transient(anyhow::anyhow!(
            "the connection ended after {at} of {total} bytes"
        ))),
        _ => Ok(()),
    }
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

fn range_start(response: &Response) -> Option<u64> {
    let range = header(response, "Content-Range")?.strip_prefix("bytes ")?;
    range.split('-').next()?.parse().ok()
}

fn range_total(response: &Response) -> Option<u64> {
    header(response, "Content-Range")?
        .rsplit('/')
        .next()?
        .parse()
        .ok()
}
