//! `hitscribe debug-tokens`: token sequences to notes, for comparison with another implementation.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use hitscribe_core::atomic_file::write_atomically;
use hitscribe_core::midi::reference_writers;
use hitscribe_core::tokens::SegmentTokens;
use hitscribe_core::tokens::mt3::{self, ParseRules};
use hitscribe_core::tokens::vocabulary::SPECIAL_IDS;
use hitscribe_core::tokens::yourmt3::{Faults, mix, parse_channel};
use serde_json::{Map, Value, json};

use crate::debug::reference_json::{base64, faults, mt3_notes, yourmt3_notes};
use crate::help;

/// Decode token sequences to notes and MIDI files
#[derive(clap::Args)]
#[command(after_help = help::MANUAL)]
pub struct Args {
    /// JSON file with the sequences
    input: PathBuf,
    /// JSON file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let shown = args.input.display();
    let text = std::fs::read_to_string(&args.input).with_context(|| shown.to_string())?;
    let input: Value =
        serde_json::from_str(&text).with_context(|| format!("{shown}: is not JSON"))?;
    let cases = input["cases"]
        .as_array()
        .with_context(|| format!("{shown}: has no list \"cases\""))?;
    let codec = input["codec"].as_str().unwrap_or_default();
    let mut out = Vec::with_capacity(cases.len());
    for (position, case) in cases.iter().enumerate() {
        let decoded = match codec {
            "mt3" => mt3_case(case),
            "yourmt3" => yourmt3_case(case),
            _ => bail!("{shown}: \"codec\" must be \"mt3\" or \"yourmt3\""),
        };
        let mut decoded = decoded.with_context(|| format!("{shown}: case {position}"))?;
        decoded.insert("name".to_owned(), case["name"].clone());
        out.push(Value::Object(decoded));
    }
    let text = serde_json::to_string_pretty(&json!({"codec": codec, "cases": out}))?;
    Ok(write_atomically(&args.output, text.as_bytes())?)
}

fn mt3_case(case: &Value) -> Result<Map<String, Value>> {
    let starts = numbers(&case["segment_frame_start"]).context("segment_frame_start")?;
    let lists = case["segments"]
        .as_array()
        .context("segments must be lists")?;
    let segments = starts
        .into_iter()
        .zip(lists)
        .map(|(start, list)| {
            let ids = ids(list)?
                .into_iter()
                .map(|index| index.saturating_add(SPECIAL_IDS));
            Ok(SegmentTokens::certain(start, ids.collect()))
        })
        .collect::<Result<Vec<_>>>()?;
    let one = |path| {
        let decoded = mt3::parse(&segments, path);
        let midi = match path {
            ParseRules::Mt3 => reference_writers::mt3_pytorch(&decoded.notes),
            ParseRules::MrMt3 => reference_writers::mr_mt3(&decoded.notes),
        };
        json!({"notes": mt3_notes(&decoded.notes), "invalid_events": decoded.invalid_events,
            "dropped_events": decoded.dropped_events, "midi_b64": base64(&midi)})
    };
    Ok(Map::from_iter([
        ("mt3".to_owned(), one(ParseRules::Mt3)),
        ("mr_mt3".to_owned(), one(ParseRules::MrMt3)),
    ]))
}

fn yourmt3_case(case: &Value) -> Result<Map<String, Value>> {
    let starts = numbers(&case["start_times"]).context("start_times")?;
    let lists = case["tokens"]
        .as_array()
        .or_else(|| case["segments"].as_array());
    let lists = lists.context("tokens or segments must be lists")?;
    let several = case["tokens"].is_array();
    let channels = match (several, lists.first()) {
        (true, Some(first)) => first
            .as_array()
            .context("tokens must be lists of lists")?
            .len(),
        _ => 1,
    };
    let mut counts = Faults::new();
    let mut per_channel = Vec::with_capacity(channels);
    for channel in 0..channels {
        let segments = starts
            .iter()
            .zip(lists)
            .map(|(&start, list)| {
                Ok(SegmentTokens::certain(
                    start,
                    ids(if several { &list[channel] } else { list })?,
                ))
            })
            .collect::<Result<Vec<_>>>()?;
        per_channel.push(parse_channel(&segments, &mut counts));
    }
    let listed: Value = per_channel
        .iter()
        .map(|notes| yourmt3_notes(notes))
        .collect();
    let mixed = mix(per_channel);
    Ok(Map::from_iter([
        ("notes_per_channel".to_owned(), listed),
        ("notes".to_owned(), yourmt3_notes(&mixed)),
        ("faults".to_owned(), faults(&counts)),
        (
            "midi_b64".to_owned(),
            json!(base64(&reference_writers::yourmt3(&mixed))),
        ),
    ]))
}

fn ids(list: &Value) -> Result<Vec<i32>> {
    let one = |id: &Value| {
        id.as_i64()
            .and_then(|id| i32::try_from(id).ok())
            .with_context(|| format!("{id} is not a token id"))
    };
    list.as_array()
        .context("a list of ids is missing")?
        .iter()
        .map(one)
        .collect()
}

fn numbers(list: &Value) -> Result<Vec<f64>> {
    let one = |number: &Value| {
        number
            .as_f64()
            .with_context(|| format!("{number} is not a number"))
    };
    list.as_array()
        .context("must be a list of seconds")?
        .iter()
        .map(one)
        .collect()
}
