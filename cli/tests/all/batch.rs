//! `hitscribe transcribe` with many inputs: jobs, shards, report.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::files::{assert_code, text, wav};
use crate::transcribe::hitscribe;

/// Five recordings in two folders, one of them broken.
fn recordings(folder: &Path) {
    fs::create_dir_all(folder.join("in/sub")).unwrap();
    for (name, gain) in [("a", 1.0), ("b", 0.5), ("sub/c", 0.7), ("sub/d", 0.3)] {
        fs::write(folder.join(format!("in/{name}.wav")), wav(&[gain])).unwrap();
    }
    fs::write(folder.join("in/broken.wav"), b"RIFF nothing").unwrap();
}

fn report(path: &Path) -> Vec<Value> {
    let lines = fs::read_to_string(path).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn jobs_change_nothing_but_the_time() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    recordings(folder);
    let run = |jobs: &str, output: &str| {
        let arguments = ["in", "--recursive", "--jobs", jobs, "-o", output];
        let output = hitscribe(folder, &arguments);
        let message = assert_code(&output, 1);
        assert!(message.contains("in/broken.wav: "), "{message}");
        assert!(message.ends_with("1 of 5 inputs could not be transcribed\n"));
        text(&output.stdout)
    };
    let one = run("1", "one");
    assert_eq!(one.lines().count(), 4);
    assert_eq!(run("3", "three").replace("three", "one"), one);
    for name in ["a", "b", "sub/c", "sub/d"] {
        let midi = |output: &str| fs::read(folder.join(format!("{output}/{name}.mid"))).unwrap();
        assert!(midi("one") == midi("three"), "{name}");
    }
    let json = |jobs: &str| {
        let output = hitscribe(folder, &["in", "--recursive", "--json", "--jobs", jobs]);
        text(&output.stdout)
    };
    assert_eq!(json("2"), json("1"));
}

#[test]
fn shards_together_transcribe_every_input_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    recordings(folder);
    // Both files give song.mid unless the same shard has them.
    fs::write(folder.join("in/a.aif"), b"broken").unwrap();
    let mut seen = Vec::new();
    for shard in ["1/3", "2/3", "3/3"] {
        let mut arguments = vec!["in", "--recursive", "-o", "out", "--shard", shard];
        arguments.extend(["--report", "report.jsonl"]);
        hitscribe(folder, &arguments);
        seen.push(report(&folder.join("report.jsonl")).len());
    }
    let lines = report(&folder.join("report.jsonl"));
    let files: BTreeSet<&str> = lines.iter().map(|l| l["file"].as_str().unwrap()).collect();
    assert_eq!((lines.len(), files.len()), (6, 6));
    assert!(seen[0] < 6, "{seen:?}");
    assert!(folder.join("out/a.wav.mid").is_file() && !folder.join("out/a.mid").exists());
    let output = hitscribe(folder, &["in", "--shard", "4/3"]);
    assert!(assert_code(&output, 2).contains("the last 3/3"));
}

#[test]
fn the_report_has_a_line_for_each_input_that_was_tried() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    recordings(folder);
    let arguments = ["in", "--skip-existing", "--report", "report.jsonl"];
    assert_code(&hitscribe(folder, &arguments), 1);
    let mut lines = report(&folder.join("report.jsonl"));
    lines.sort_by_key(|line| line["file"].as_str().unwrap().to_owned());
    let status = |line: &Value| line["status"].as_str().unwrap().to_owned();
    let statuses: Vec<String> = lines.iter().map(status).collect();
    assert_eq!(statuses, ["done", "done", "failed"]);
    assert_eq!(lines[0]["output"], "in/a.mid");
    assert!((lines[0]["duration_seconds"].as_f64().unwrap() - 3.0).abs() < 1e-6);
    assert!(lines[0]["notes"].as_u64().unwrap() >= 5 && lines[0]["error"].is_null());
    assert!(
        lines[2]["error"]
            .as_str()
            .unwrap()
            .starts_with("in/broken.wav: ")
    );
    // What is there already is not tried again.
    assert_code(&hitscribe(folder, &arguments), 1);
    assert_eq!(report(&folder.join("report.jsonl")).len(), 4);
}
