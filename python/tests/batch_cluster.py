"""Batches on Ray: two workers, one of which is killed. Takes minutes; needs `hitscribe[batch]`.

Run by `cargo xtask python --batch`.
"""

import os
import signal
import subprocess
import sys
import time
import wave

import numpy
import pyarrow.parquet as pq
import pytest
import ray

import hitscribe
from hitscribe.batch import _tasks
from hitscribe.batch._storage import File
from hitscribe.batch._worker import Job, Outcome, Recording

RATE = 44_100
COUNT = int(os.environ.get("HITSCRIBE_BATCH_FILES", "300"))
SECONDS = float(os.environ.get("HITSCRIBE_BATCH_SECONDS", "20"))
BROKEN = 10


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Recordings that all differ, in folders; every 30th is broken."""
    folder = tmp_path_factory.mktemp("recordings")
    program = os.path.join(os.path.dirname(sys.executable), "hitscribe")
    subprocess.run([program, "transcribe", "demo"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    with wave.open(str(folder / "demo.wav")) as file:
        groove = numpy.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    for name in ("demo.wav", "demo.mid"):
        os.unlink(folder / name)
    groove = numpy.tile(groove, (2 + int(SECONDS * RATE / len(groove)), 1))
    for index in range(COUNT):
        path = folder / f"set {index % 7}" / f"loop {index:03}.wav"
        path.parent.mkdir(exist_ok=True)
        if index % (COUNT // BROKEN) == 0:
            path.write_bytes(b"RIFF broken %d" % index)
            continue
        with wave.open(str(path), "wb") as file:
            file.setparams((2, 2, RATE, 0, "NONE", ""))
            start = index * 997
            file.writeframes(groove[start % len(groove) // 2 :][: int(SECONDS * RATE)].tobytes())
    return folder


def run(recordings, output, source="drums"):
    arguments = [sys.executable, "-m", "hitscribe.batch", str(recordings), str(output)]
    arguments += ["--workers", "2", "--source", source]
    return subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)


def workers():
    """The processes that Ray calls after the class that they run."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as file:
                if file.read().startswith("ray::") and os.path.exists(f"/proc/{pid}/exe"):
                    with open(f"/proc/{pid}/maps") as maps:
                        if "hitscribe" in maps.read():
                            found.append(int(pid))
        except OSError:
            pass
    return found


def states(output):
    """Every file of the output with the time of its last change."""
    return {
        str(path.relative_to(output)): path.stat().st_mtime_ns
        for path in output.rglob("*")
        if path.is_file() and path.suffix in (".mid", ".parquet")
        and path.parent != output
    }


@pytest.fixture(scope="module")
def output(recordings, tmp_path_factory):
    """The output of a run of which a worker was killed when a third was done."""
    output = tmp_path_factory.mktemp("output")
    process = run(recordings, output)
    try:
        deadline = time.monotonic() + 600
        while len(list(output.glob("midi/*/*.mid"))) < COUNT // 3:
            assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
            time.sleep(0.2)
        victims = workers()
        assert victims, "no worker found"
        os.kill(victims[0], signal.SIGKILL)
        message = process.communicate(timeout=900)[1]
    finally:
        process.kill()
    assert process.returncode == 1, message
    assert f"{COUNT - BROKEN} recordings transcribed, {BROKEN} failed" in message
    return output


def test_everything_is_there_although_a_worker_was_killed(recordings, output):
    notes = pq.read_table(output / "notes.parquet").to_pylist()
    files = pq.read_table(output / "files.parquet").to_pylist()
    failures = pq.read_table(output / "failures.parquet").to_pylist()
    names = [row["file"] for row in files]
    assert len(names) == len(set(names)) == COUNT - BROKEN
    assert len(failures) == len({row["file"] for row in failures}) == BROKEN
    assert all(row["error"].startswith("AudioError: set ") for row in failures)
    by_file = {}
    for row in notes:
        by_file.setdefault(row["file"], []).append(row)
    for row in files:
        assert len(by_file.get(row["file"], [])) == row["note_count"]
        assert (output / "midi" / f"{row['file']}.mid").is_file()
    assert len(list(output.glob("midi/*/*"))) == COUNT - BROKEN
    for name in names[:: COUNT // 5]:
        song = hitscribe.transcribe(recordings / name, source="drums")
        assert [(row["onset"], row["pitch"], row["class"]) for row in by_file[name]] == [
            (note.onset, note.pitch, note.drum_class) for note in song.notes
        ]
        assert (output / "midi" / f"{name}.mid").read_bytes() == song.midi()


def test_a_second_run_does_only_what_is_missing(recordings, output):
    before = states(output)
    process = run(recordings, output)
    message = process.communicate(timeout=300)[1]
    assert process.returncode == 1 and f"0 recordings to transcribe, {COUNT} kept" in message
    assert states(output) == before
    # A recording whose MIDI file is gone, one that was touched, and one that has changed.
    names = [row["file"] for row in pq.read_table(output / "files.parquet").to_pylist()]
    (output / "midi" / f"{names[0]}.mid").unlink()
    os.utime(recordings / names[1])
    content = (recordings / names[2]).read_bytes()
    (recordings / names[2]).write_bytes(content[: len(content) // 2])
    rows = pq.read_table(output / "notes.parquet").num_rows
    process = run(recordings, output)
    message = process.communicate(timeout=300)[1]
    assert f"3 recordings to transcribe, {COUNT - 3} kept" in message, message
    after = states(output)
    changed = {name for name in after if before.get(name) != after[name] and "midi" in name}
    assert changed == {f"midi/{names[0]}.mid", f"midi/{names[2]}.mid"}
    half = [row for row in pq.read_table(output / "files.parquet").to_pylist() if row["file"] == names[2]]
    assert half[0]["duration"] < 0.6 * SECONDS
    assert rows * 0.9 < pq.read_table(output / "notes.parquet").num_rows < rows


def test_other_settings_need_another_output(recordings, output):
    process = run(recordings, output, source="kick")
    message = process.communicate(timeout=100)[1]
    assert process.returncode == 1 and "has results with source drums, not kick" in message


def many(count, size=1000):
    return [Recording(File(f"{index:04}.wav", size + index, 0), None) for index in range(count)]


def test_tasks_get_smaller_and_begin_with_the_largest():
    tasks = _tasks.Tasks(many(5000), "run", 2)
    taken = []
    while tasks:
        taken.append(tasks.take())
    counts = [len(task.recordings) for task in taken]
    assert counts == sorted(counts, reverse=True) and counts[0] == _tasks.MOST_FILES
    assert counts[-15:] == [1] * 15 and sum(counts) == 5000
    sizes = [recording.file.size for task in taken for recording in task.recordings]
    assert sizes == sorted(sizes, reverse=True)
    assert len({task.part for task in taken}) == len(taken)
    # However large: one by one.
    tasks = _tasks.Tasks(many(100, _tasks.MOST_BYTES), "run", 1)
    assert len(tasks.take().recordings) == 1


def test_only_the_recording_that_kills_its_worker_is_lost(monkeypatch):
    class Worker:
        def __init__(self, job):
            pass

        def transcribe(self, part, recordings):
            names = [recording.file.name for recording in recordings]
            if "0100.wav" in names:
                os._exit(1)
            if "0300.wav" in names:
                raise OSError("no space left")
            return [Outcome(1.0, False) for _ in recordings]

    monkeypatch.setattr(_tasks, "Worker", Worker)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    done, lost = [], {}
    try:
        _tasks.transcribe(
            Job("in", "out", {}),
            _tasks.Tasks(many(400), "run", 2),
            2,
            done.extend,
            lambda task, reason: lost.update({task.recordings[0].file.name: reason}),
        )
    finally:
        ray.shutdown()
    assert len(done) == 398
    assert lost == {"0100.wav": "its worker died 3 times", "0300.wav": "no space left"}
