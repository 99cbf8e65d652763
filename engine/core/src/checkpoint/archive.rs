//! Index of a checkpoint: zip archives, legacy pickle streams, and SafeTensors.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use serde::Deserialize;

use crate::checkpoint::pickle::{self, Node, Pickle, TensorView, Value};
use crate::checkpoint::tensor::{DType, Entry};

/// Longest pickle that is read. That of YourMT3, with optimizer state, has 0.5 MB.
const MAX_INDEX_BYTES: u64 = 64 << 20;
/// The magic number of `torch.save`, pickled at the start of a legacy file.
const LEGACY_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// Longest SafeTensors header that is read.
const MAX_SAFETENSORS_HEADER_BYTES: u64 = 16 << 20;
/// Limits on the nesting depth and the number of hyper-parameters; the rest is dropped.
const MAX_HYPER_DEPTH: usize = 8;
const MAX_HYPER_VALUES: usize = 10_000;

/// Why an index could not be read.
pub(super) enum Failure {
    Io(std::io::Error),
    Format(String),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self::Format(reason)
    }
}

impl From<&str> for Failure {
    fn from(reason: &str) -> Self {
        Self::Format(reason.to_owned())
    }
}

/// The tensors and hyper-parameters of a checkpoint.
pub(super) struct Index {
    pub entries: BTreeMap<String, Entry>,
    pub hyper_parameters: serde_json::Value,
}

/// Offset and length in bytes of each storage, by key.
type Storages = HashMap<String, (u64, u64)>;

/// Reads the index of a checkpoint file of `length` bytes.
pub(super) fn read_index(file: &mut File, length: u64) -> Result<Index, Failure> {
    let mut head = [0; 16];
    let got = read_up_to(file, &mut head)?;
    if head.starts_with(b"PK\x03\x04") {
        zip_index(file)
    } else if got >= 9 && head[8] == b'{' {
        // Test this before the pickle: the length of the header may start with any byte.
        safetensors_index(file, length)
    } else if got >= 4 && head[0] == 0x80 {
        legacy_index(file, length)
    } else {
        Err("is not a checkpoint: neither PyTorch (zip or legacy) nor SafeTensors".into())
    }
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match file.read(&mut buffer[got..])? {
            0 => break,
            n => got += n,
        }
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(got)
}

fn zip_index(file: &mut File) -> Result<Index, Failure> {
    let damaged = |error: zip::result::ZipError| match error {
        zip::result::ZipError::Io(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            Failure::Io(error)
        }
        other => Failure::Format(format!("is a damaged zip archive: {other}")),
    };
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
    let mut storages = Storages::new();
    let mut pickle = None;
    for position in 0..archive.len() {
        let mut entry = archive.by_index_raw(position).map_err(damaged)?;
        // All entries are in one folder, which is named after the saved file.
        let Some((_, name)) = entry.name().split_once('/') else {
            continue;
        };
        let name = name.to_owned();
        let stored = entry.compression() == zip::CompressionMethod::Stored;
        if name != "data.pkl" && name != "byteorder" && !name.starts_with("data/") {
            continue;
        }
        if !stored || entry.encrypted() {
            return Err(format!(
                "its entry {name} is compressed or encrypted: save it again with torch.save"
            )
            .into());
        }
        if name == "data.pkl" {
            if entry.size() > MAX_INDEX_BYTES {
                return Err(format!(
                    "its pickle has {} bytes, above the limit of {MAX_INDEX_BYTES}",
                    entry.size()
                )
                .into());
            }
            let limit = entry.size();
            let mut bytes = Vec::new();
            (&mut entry)
                .take(limit)
                .read_to_end(&mut bytes)
                .map_err(|error| damaged(error.into()))?;
            pickle = Some(bytes);
        } else if name == "byteorder" {
            let mut order = String::new();
            (&mut entry)
                .take(16)
                .read_to_string(&mut order)
                .map_err(|error| damaged(error.into()))?;
            if order.trim() == "big" {
                return Err("was saved on a big-endian machine".into());
            }
        } else if let Some(key) = name.strip_prefix("data/") {
            storages.insert(key.to_owned(), (entry.data_start(), entry.size()));
        }
    }
    let bytes =
        pickle.ok_or("is a zip archive without data.pkl, so torch.save did not write it")?;
    let (pickle, _) = pickle::parse(&bytes)?;
    index_of(
        &pickle,
        &storages,
        archive.into_inner().get_ref().metadata()?.len(),
    )
}

/// Reads a legacy file: pickles of the magic number, protocol, system, object and storage keys,
/// then the storages, each preceded by its number of elements.
fn legacy_index(file: &mut File, length: u64) -> Result<Index, Failure> {
    let mut head = Vec::new();
    file.take(MAX_INDEX_BYTES.min(length))
        .read_to_end(&mut head)?;
    let mut at = 0;
    let mut next = || -> Result<Pickle, String> {
        let (pickle, used) = pickle::parse(&head[at..])?;
        at += used;
        Ok(pickle)
    };
    let magic = next()?;
    if !matches!(magic.root(), Value::Bytes(bytes) if *bytes == LEGACY_MAGIC) {
        return Err("is a pickle, but torch.save did not write it".into());
    }
    next()?;
    let system = next()?;
    if matches!(system.at(&["little_endian"]), Some(Value::Bool(false))) {
        return Err("was saved on a big-endian machine".into());
    }
    let object = next()?;
    let keys = next()?;
    let mut position = at as u64;
    let Value::List(keys_list) = keys.root() else {
        return Err("has no list of storages".into());
    };
    let widths = storage_widths(&object);
    let mut storages = Storages::new();
    for &key in keys_list {
        let Value::Str(key) = keys.get(key) else {
            return Err("has a storage key that is not a string".into());
        };
        let width = *widths
            .get(key.as_str())
            .ok_or_else(|| format!("its storage {key} belongs to no tensor"))?;
        let mut count = [0; 8];
        file.seek(SeekFrom::Start(position))?;
        file.read_exact(&mut count).map_err(|_| "is truncated")?;
        let bytes = u64::from_le_bytes(count)
            .checked_mul(width)
            .ok_or("has a storage beyond the end of the file")?;
        position += 8;
        let end = position
            .checked_add(bytes)
            .filter(|&end| end <= length)
            .ok_or("is truncated")?;
        storages.insert(key.clone(), (position, bytes));
        position = end;
    }
    index_of(&object, &storages, length)
}

/// Bytes per element of each storage that a tensor refers to.
fn storage_widths(pickle: &Pickle) -> HashMap<String, u64> {
    let storages = pickle.values().filter_map(|value| match value {
        Value::Storage(storage) => Some((storage.key.clone(), dtype_of(&storage.kind)?.bytes())),
        _ => None,
    });
    storages.collect()
}

fn index_of(pickle: &Pickle, storages: &Storages, file_length: u64) -> Result<Index, Failure> {
    let mut state = pickle.root();
    for wrapper in ["state_dict", "model_state_dict", "model"] {
        if let Some(inner @ Value::Dict(_)) = pickle.item(state, wrapper) {
            state = inner;
            break;
        }
    }
    let Value::Dict(items) = state else {
        return Err("has no dictionary of tensors".into());
    };
    let mut entries = BTreeMap::new();
    for &(key, value) in items {
        if let (Value::Str(key), Value::Tensor(view)) = (pickle.get(key), pickle.get(value)) {
            let entry = entry_of(view, storages, file_length)
                .map_err(|reason| format!("tensor {key}: {reason}"))?;
            entries.insert(key.clone(), entry);
        }
    }
    if entries.is_empty() {
        return Err("has no tensors".into());
    }
    let mut budget = MAX_HYPER_VALUES;
    let hyper = pickle
        .at(&["hyper_parameters"])
        .map(|value| json_of(pickle, value, MAX_HYPER_DEPTH, &mut budget));
    Ok(Index {
        entries,
        hyper_parameters: hyper.unwrap_or_default(),
    })
}

fn entry_of(view: &TensorView, storages: &Storages, file_length: u64) -> Result<Entry, String> {
    let dtype = dtype_of(&view.storage.kind)
        .ok_or_else(|| format!("unknown element type {}", view.storage.kind))?;
    let &(start, bytes) = storages
        .get(&view.storage.key)
        .ok_or_else(|| format!("storage {} is missing", view.storage.key))?;
    let offset = view
        .offset
        .checked_mul(dtype.bytes())
        .ok_or("lies beyond its storage")?;
    let size = |&size: &u64| usize::try_from(size).map_err(|_| "is too large".to_owned());
    let entry = Entry {
        dtype,
        shape: view.shape.iter().map(size).collect::<Result<_, _>>()?,
        strides: view.strides.iter().map(size).collect::<Result<_, _>>()?,
        start: start.checked_add(offset).ok_or("lies beyond its storage")?,
        available_bytes: bytes.checked_sub(offset).ok_or("lies beyond its storage")?,
    };
    check(entry, file_length)
}

/// Checks that a tensor lies in its storage and has no more elements than it. Otherwise a small
/// file with an expanded tensor could exhaust the memory.
fn check(entry: Entry, file_length: u64) -> Result<Entry, String> {
    let beyond = "lies beyond its storage";
    let width = entry.dtype.bytes();
    // The declared size of a storage is not trustworthy.
    let available_bytes = entry.available_bytes.min(file_length);
    let bytes = |elements: u64| {
        elements
            .checked_mul(width)
            .filter(|&bytes| bytes <= available_bytes)
    };
    bytes(entry.elements().ok_or("is too large")? as u64).ok_or(beyond)?;
    let span = bytes(entry.span().ok_or("is too large")?).ok_or(beyond)?;
    entry
        .start
        .checked_add(span)
        .filter(|&end| end <= file_length)
        .ok_or("lies beyond the end of the file")?;
    Ok(entry)
}

fn dtype_of(kind: &str) -> Option<DType> {
    Some(match kind {
        "DoubleStorage" | "float64" | "F64" => DType::F64,
        "FloatStorage" | "float32" | "F32" => DType::F32,
        "HalfStorage" | "float16" | "F16" => DType::F16,
        "BFloat16Storage" | "bfloat16" | "BF16" => DType::BF16,
        "LongStorage" | "int64" | "I64" => DType::I64,
        "IntStorage" | "int32" | "I32" => DType::I32,
        "ShortStorage" | "int16" | "I16" => DType::I16,
        "CharStorage" | "int8" | "I8" => DType::I8,
        "ByteStorage" | "BoolStorage" | "uint8" | "bool" | "U8" | "BOOL" => DType::U8,
        _ => return None,
    })
}

/// Numbers, strings, lists and dictionaries of a value as JSON; everything else is `Null`.
fn json_of(pickle: &Pickle, value: &Value, depth: usize, budget: &mut usize) -> serde_json::Value {
    use serde_json::Value as Json;
    if depth == 0 || *budget == 0 {
        return Json::Null;
    }
    *budget -= 1;
    let mut list = |items: &[Node]| -> Json {
        let mut out = Vec::new();
        for &item in items {
            if *budget == 0 {
                break;
            }
            out.push(json_of(pickle, pickle.get(item), depth - 1, budget));
        }
        Json::Array(out)
    };
    match value {
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => Json::from(*value),
        Value::Float(value) => Json::from(*value),
        Value::Str(text) if text.len() <= 1000 => Json::from(text.as_str()),
        Value::List(items) | Value::Tuple(items) => list(items),
        Value::Dict(items) => {
            let mut out = serde_json::Map::new();
            for &(key, value) in items {
                if *budget == 0 {
                    break;
                }
                if let Value::Str(key) = pickle.get(key)
                    && key.len() <= 1000
                {
                    out.insert(
                        key.clone(),
                        json_of(pickle, pickle.get(value), depth - 1, budget),
                    );
                }
            }
            Json::Object(out)
        }
        _ => Json::Null,
    }
}

/// An entry of a SafeTensors header. The reader of the `safetensors` crate needs the file in
/// memory.
#[derive(Default, Deserialize)]
#[serde(default)]
struct TensorInfo {
    dtype: String,
    shape: Vec<usize>,
    /// Start and end in bytes after the header.
    data_offsets: (u64, u64),
}

fn safetensors_index(file: &mut File, length: u64) -> Result<Index, Failure> {
    let mut size = [0; 8];
    file.read_exact(&mut size)?;
    let header_bytes = u64::from_le_bytes(size);
    if header_bytes > MAX_SAFETENSORS_HEADER_BYTES || header_bytes.saturating_add(8) > length {
        return Err(format!("its header has an invalid length of {header_bytes} bytes").into());
    }
    let mut head = size.to_vec();
    file.take(header_bytes).read_to_end(&mut head)?;
    let mut tensors: BTreeMap<String, TensorInfo> = serde_json::from_slice(&head[8..])
        .map_err(|error| format!("its SafeTensors header is damaged: {error}"))?;
    tensors.remove("__metadata__");
    let data_start = 8 + header_bytes;
    let mut entries = BTreeMap::new();
    for (key, info) in tensors {
        let kind = &info.dtype;
        let dtype =
            dtype_of(kind).ok_or_else(|| format!("tensor {key}: unknown element type {kind}"))?;
        let (from, to) = info.data_offsets;
        let mut strides = vec![1_usize; info.shape.len()];
        for dimension in (0..info.shape.len().saturating_sub(1)).rev() {
            strides[dimension] = strides[dimension + 1].saturating_mul(info.shape[dimension + 1]);
        }
        let entry = Entry {
            dtype,
            shape: info.shape,
            strides,
            start: data_start.saturating_add(from),
            available_bytes: to.saturating_sub(from),
        };
        let entry = check(entry, length).map_err(|reason| format!("tensor {key}: {reason}"))?;
        entries.insert(key, entry);
    }
    if entries.is_empty() {
        return Err("has no tensors".into());
    }
    Ok(Index {
        entries,
        hyper_parameters: serde_json::Value::Null,
    })
}
