"""The installed package. Needs pytest; pandas and pretty_midi are optional."""

import _thread
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import wave

import numpy
import pytest

import hitscribe

RATE = 44_100


def command(*arguments, **options):
    """Runs the command that came with the wheel."""
    program = os.path.join(os.path.dirname(sys.executable), "hitscribe")
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, **options)


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The demo groove, its MIDI file and its notes, as the command writes them."""
    folder = tmp_path_factory.mktemp("demo")
    outcome = command("transcribe", "demo", cwd=folder)
    assert outcome.returncode == 0, outcome.stderr
    # The demo is transcribed before it is rounded to 16 bits.
    outcome = command("transcribe", "--overwrite", "demo.wav", cwd=folder)
    assert outcome.returncode == 0, outcome.stderr
    outcome = command("transcribe", "--json", "demo.wav", cwd=folder)
    document = json.loads(outcome.stdout)
    return folder / "demo.wav", (folder / "demo.mid").read_bytes(), document


@pytest.fixture(scope="session")
def samples(demo):
    """The demo groove, shape (2, n), float32."""
    with wave.open(str(demo[0])) as file:
        assert file.getframerate() == RATE and file.getnchannels() == 2
        integers = numpy.frombuffer(file.readframes(file.getnframes()), "<i2")
    return (integers.astype(numpy.float32) / 32_768).reshape(-1, 2).T


@pytest.fixture(scope="session")
def song(demo):
    return hitscribe.transcribe(demo[0])


def test_notes_and_midi_are_those_of_the_command(demo, song):
    _, midi, document = demo
    assert len(song.notes) > 20
    assert len(song.notes) == len(document["notes"])
    for note, expected in zip(song.notes, document["notes"]):
        assert note.onset == expected["onset_seconds"]
        assert note.offset == expected["offset_seconds"]
        assert note.pitch == expected["pitch"] and note.velocity == expected["velocity"]
        assert note.drum == expected["is_drum"] and note.program == expected["program"]
        assert note.drum_class == expected.get("class")
        assert note.openness == expected.get("openness")
        assert note.confidence == pytest.approx(expected["confidence"], abs=1e-6)
    assert song.midi() == midi
    assert song.model == document["model"] and song.device == document["device"]
    assert song.complete and song.warnings == document["warnings"]
    assert song.duration == document["duration_seconds"]
    assert song.beats().tempo == pytest.approx(document["tempo"]["bpm"], abs=1e-3)
    assert song.beats().times == pytest.approx(document["beats"], abs=1e-5)


def test_samples_give_the_notes_of_the_file(song, samples):
    assert hitscribe.transcribe(samples, sample_rate=RATE).notes == song.notes
    integers = numpy.round(samples * 32_768).astype(numpy.int16)
    assert hitscribe.transcribe(integers, sample_rate=RATE).notes == song.notes
    mono = hitscribe.transcribe(samples.mean(axis=0).astype(numpy.float64), sample_rate=RATE)
    assert len(mono.notes) == len(song.notes)


def test_a_song_converts(tmp_path, song):
    song.to_midi(tmp_path / "song.mid")
    assert (tmp_path / "song.mid").read_bytes() == song.midi()
    assert os.listdir(tmp_path) == ["song.mid"]
    array = song.to_numpy()
    assert array.shape == (len(song.notes),)
    assert array["onset"].tolist() == [note.onset for note in song.notes]
    assert array["drum"].all() and array["openness"].min() == -1 < array["openness"].max()
    assert pickle.loads(pickle.dumps(song)) == song
    hats = hitscribe.Song([n for n in song.notes if n.drum_class == "closed_hat"], song.duration)
    assert 0 < len(hats.notes) < len(song.notes) and len(hats.midi()) < len(song.midi())
    with pytest.raises(FileNotFoundError):
        song.to_midi(tmp_path / "no" / "song.mid")


def test_a_song_becomes_a_data_frame(song):
    pytest.importorskip("pandas")
    table = song.to_dataframe()
    assert list(table.columns) == [*hitscribe.Note._fields, "drum_class"]
    assert table["drum_class"].tolist() == [note.drum_class for note in song.notes]
    assert table["openness"].isna().sum() == sum(note.openness is None for note in song.notes)


def test_a_song_becomes_pretty_midi(song):
    pytest.importorskip("pretty_midi")
    notes = [hitscribe.Note(0.5, 1.0, 60, 90, False, program=33), *song.notes]
    found = hitscribe.Song(notes, song.duration).to_pretty_midi()
    assert [(i.is_drum, i.program, len(i.notes)) for i in found.instruments] == [
        (True, 0, len(song.notes)),
        (False, 33, 1),
    ]


def test_options_select_notes(demo, song):
    kicks = hitscribe.transcribe(demo[0], source="kick")
    assert {note.drum_class for note in kicks.notes} == {"kick"}
    sure = hitscribe.transcribe(demo[0], sensitivity=0.0)
    assert 0 < len(sure.notes) < len(song.notes)
    transcriber = hitscribe.Transcriber(source="drums", model="built-in", device="cpu")
    assert (transcriber.model, transcriber.device) == (song.model, song.device)


def test_many_files_are_transcribed_in_order_and_a_bad_one_does_not_stop_them(tmp_path, demo, song):
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"RIFF nothing")
    paths = [demo[0], bad, demo[0], tmp_path / "none.wav", demo[0], demo[0]]
    results = list(hitscribe.Transcriber().transcribe_many(paths, jobs=2))
    assert [result.path for result in results] == paths
    assert [result.song is None for result in results] == [False, True, False, True, False, False]
    assert all(result.song.notes == song.notes for result in results if result.song)
    assert isinstance(results[1].error, hitscribe.AudioError) and "bad.wav" in str(results[1].error)
    assert isinstance(results[3].error, FileNotFoundError)
    first = next(hitscribe.Transcriber().transcribe_many(paths * 100, jobs=2))
    assert first.song.notes == song.notes


def test_a_stream_gives_the_drum_hits_of_the_recording(samples, song):
    stream = hitscribe.Stream(sample_rate=RATE)
    long = hitscribe.Stream(sample_rate=RATE, hop=2.048)
    assert 0.2 < stream.latency < 0.3 < 2.0 < long.latency < 2.5
    heard = []
    for one in (stream, long):
        notes, early = [], 0
        for start in range(0, samples.shape[1], 4_801):
            one.push(samples[:, start : start + 4_801])
            notes += one.notes()
            early = early or len(notes)
        assert early > 0
        one.finish()
        notes += one.notes()
        notes.sort(key=lambda note: (note.onset, note.pitch))
        heard.append(notes)
    assert [n.pitch for n in heard[0]] == [n.pitch for n in heard[1]]
    assert [n.onset for n in heard[0]] == pytest.approx([n.onset for n in heard[1]], abs=1e-3)
    # Of a recording the mean of two networks decides, of a stream one.
    found = {(round(n.onset * 25), n.pitch) for n in song.notes}
    shared = [n for n in heard[0] if (round(n.onset * 25), n.pitch) in found]
    assert len(shared) > 0.7 * max(len(song.notes), len(heard[0]))


def test_scores_are_those_of_the_command(tmp_path, demo, song):
    perfect = hitscribe.evaluate(song, song.notes)
    assert perfect["notes"]["onset"]["f1"] == 1.0
    half = hitscribe.evaluate(song, song.notes[::2])["notes"]["onset"]
    assert half["precision"] == 1.0
    assert half["recall"] == pytest.approx(len(song.notes[::2]) / len(song.notes))
    song.to_midi(tmp_path / "reference.mid")
    hitscribe.Song(song.notes[3:], song.duration).to_midi(tmp_path / "estimate.mid")
    files = [tmp_path / "reference.mid", tmp_path / "estimate.mid"]
    printed = json.loads(command("eval", "--json", *files).stdout)
    scores = hitscribe.evaluate(*files)
    assert scores["notes"] == printed["notes"]
    assert scores["scores"]["5"]["50ms"]["micro"] == printed["scores"]["5"]["50ms"]["micro"]


def test_errors_have_the_message_of_the_engine(tmp_path, samples):
    with pytest.raises(FileNotFoundError) as raised:
        hitscribe.transcribe(tmp_path / "none.wav")
    assert raised.value.filename == str(tmp_path / "none.wav")
    (tmp_path / "text.wav").write_text("not audio")
    with pytest.raises(hitscribe.AudioError, match="text.wav"):
        hitscribe.transcribe(tmp_path / "text.wav")
    with pytest.raises(hitscribe.ModelError, match="no-such-model"):
        hitscribe.Transcriber(model="no-such-model")
    with pytest.raises(hitscribe.DeviceError, match="unknown device"):
        hitscribe.Transcriber(device="abacus")
    for options in ({"sensitivity": 2.0}, {"source": "kazoo"}, {"leakage": "none"}):
        with pytest.raises(ValueError):
            hitscribe.Transcriber(**options)
    for wrong in ((samples, None), (samples.T, RATE), (samples, 100), (samples[None], RATE)):
        with pytest.raises(ValueError):
            hitscribe.transcribe(*wrong)
    with pytest.raises(ValueError):
        hitscribe.Stream(sample_rate=RATE, hop=0.001)
    with pytest.raises(FileNotFoundError):
        hitscribe.evaluate(tmp_path / "none.mid", [])


def test_the_gil_is_released_and_ctrl_c_interrupts(samples):
    long = numpy.tile(samples, 40)
    counted = 0
    done = threading.Event()

    def count():
        nonlocal counted
        while not done.is_set():
            counted += 1
            time.sleep(0.001)

    counter = threading.Thread(target=count)
    counter.start()
    reached = []

    def progress(done_samples, length):
        if not reached:
            threading.Timer(0.5, _thread.interrupt_main).start()
        reached.append((done_samples, length))

    # A process that a shell has put into the background ignores the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            transcriber = hitscribe.Transcriber()
            transcriber.transcribe(long, RATE, progress=progress)
    finally:
        signal.signal(signal.SIGINT, before)
        done.set()
        counter.join()
    assert reached[-1][0] < reached[-1][1]
    assert counted > 20


def test_an_exception_of_the_progress_function_stops_the_transcription(samples):
    seen = []

    def stop(done, length):
        seen.append((done, length))
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        hitscribe.Transcriber().transcribe(numpy.tile(samples, 20), RATE, progress=stop)
    assert len(seen) == 1 and 0 < seen[0][0] < seen[0][1]


def test_the_command_reports_errors_by_its_exit_code(tmp_path):
    assert command("--version").stdout.split() == ["hitscribe", hitscribe.__version__]
    assert command("transcribe", tmp_path / "none.wav").returncode == 1
    assert command("transcribe", "--no-such-option").returncode == 2
    module = [sys.executable, "-m", "hitscribe", "--version"]
    assert subprocess.run(module, stdout=subprocess.PIPE, check=True).stdout.startswith(b"hitscribe")
