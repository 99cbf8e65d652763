"""Tests of YourMT3: python -m unittest discover train/tests (torch, numpy, safetensors)."""

import argparse
import contextlib
import io
import os
import pickle
import subprocess
import sys
import tempfile
import unittest
import wave
from dataclasses import replace

import numpy as np
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from hitscribe_train.common.loop import fit  # noqa: E402
from hitscribe_train.common.watch import Watch  # noqa: E402
from hitscribe_train.mt3.finetune import AdamW  # noqa: E402
from hitscribe_train.mt3.model import Config as T5Config  # noqa: E402
from hitscribe_train.yourmt3 import checkpoint, parity  # noqa: E402
from hitscribe_train.yourmt3.data import Parser  # noqa: E402
from hitscribe_train.yourmt3.finetune import LOSS_WEIGHTS, Validation, losses  # noqa: E402
from hitscribe_train.yourmt3.model import BINS, CHANNELS, EOS, FRAMES, PAD, SEGMENT_SAMPLES, Config  # noqa: E402
from hitscribe_train.yourmt3.model import YourMt3  # noqa: E402
from hitscribe_train.yourmt3.perceiver import PerceiverConfig  # noqa: E402
from hitscribe_train.yourmt3.score import onset_f  # noqa: E402
from hitscribe_train.yourmt3.tasks import DRUMS, NOTE_OFF, NOTE_ON, PITCHES, PROGRAMS, SHIFTS, TASKS, TIE  # noqa: E402

# Numbers of the published program beside the repository; what needs them is skipped without.
PACK = os.path.join(HERE, "../../../shared/parity/yourmt3/tiny")
NO_PACK = f"no golden data at {os.path.normpath(PACK)}"
# The `hitscribe` command, for the test that opens a tuned network.
COMMAND = os.environ.get("HITSCRIBE", os.path.join(HERE, "../../target/release/hitscribe"))

SMALL = Config(
    4, 3,
    PerceiverConfig(size=16, heads=4, blocks=1, local_layers=1, temporal_layers=1, experts=3, expert_size=8), 13,
    T5Config(width=16, heads=2, head_size=4, feed_forward=16, decoder_layers=1, vocabulary=596), 1034,
)  # fmt: skip


def small(channels=13, seed=0):
    torch.manual_seed(seed)
    return YourMt3(replace(SMALL, channels=channels))


def sentence(*events):
    """Ids of a segment without tied notes, and their end."""
    return [TIE, *events, EOS]


# A bass note from 0.1 to 0.5 s.
BASS = sentence(SHIFTS[10], PROGRAMS[33], NOTE_ON, PITCHES[40], SHIFTS[50], NOTE_OFF, PITCHES[40])


def example(channels, ids=BASS, channel=0, most=16):
    """A segment of noise in which one channel says `ids`, the others nothing."""
    audio = np.random.default_rng(1).normal(0, 0.1, SEGMENT_SAMPLES).astype(np.float32)
    rows = np.full((channels, most), PAD, np.int64)
    rows[:, :2] = sentence()
    rows[channel, : len(ids)] = ids
    return audio, rows


def batch(*examples):
    return [torch.as_tensor(np.stack(parts)) for parts in zip(*examples)]


class Object:
    """Of a class that a reader of checkpoints does not know."""

    def __init__(self):
        self.table = {"a": 1}


class Network(unittest.TestCase):
    @unittest.skipUnless(os.path.isdir(PACK), NO_PACK)
    def test_it_computes_what_the_published_program_computes(self):
        for name, value in parity.differences(PACK, os.path.join(PACK, "last.ckpt")).items():
            self.assertLessEqual(value, parity.LIMITS.get(name, 0), name)

    def test_shapes(self):
        net = small().eval()
        audio = torch.randn(2, SEGMENT_SAMPLES)
        spectrogram = net.spectrogram(audio)
        self.assertEqual(spectrogram.shape, (2, FRAMES, BINS))
        self.assertTrue((spectrogram >= 0).all() and (spectrogram < 1).all())
        self.assertTrue((net.spectrogram(torch.zeros(1, SEGMENT_SAMPLES)) == 0).all())
        self.assertEqual(net(audio, torch.zeros(2, 13, 5, dtype=torch.long)).shape, (26, 5, 596))

    def test_greedy_ends_after_the_first_id_and_keeps_to_what_is_allowed(self):
        net = small().eval()
        contexts = net.contexts(net.encode(torch.rand(1, FRAMES, BINS)))
        with torch.no_grad():
            net.lm_head.lm_head.weight.zero_()
            # All ids are as likely: the first wins, which is not EOS.
            self.assertTrue((net.greedy(contexts, 4) == 0).all())
            # EOS alone: the first does not end the sequence, the second does.
            ids = net.greedy(contexts, 4, {EOS})
        self.assertEqual(ids.tolist(), [[EOS, EOS]] * 13)


class Checkpoints(unittest.TestCase):
    def test_what_is_written_reads_the_same(self):
        for channels in (13, 1):
            net = small(channels)
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "out.ckpt")
                checkpoint.write(net, path)
                self.assertEqual(os.listdir(folder), ["out.ckpt"])
                again, report = checkpoint.load(path)
            self.assertEqual((again.config, str(report)), (net.config, "all tensors used"))
            for key, value in net.state_dict().items():
                self.assertTrue(torch.equal(again.state_dict()[key], value), key)

    def test_a_lightning_checkpoint_is_read_as_data(self):
        net = small()
        said = {"model_cfg": checkpoint.model_cfg(net.config), "task_manager": Object(), "table": np.zeros(1)}
        values = {f"model.{key}": value for key, value in net.state_dict().items()}
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "last.ckpt")
            torch.save({"state_dict": values, "hyper_parameters": said, "optimizer_states": [Object()]}, path)
            with self.assertRaises(pickle.UnpicklingError):
                torch.load(path, weights_only=True)
            read, found = checkpoint.read(path)
            again, report = checkpoint.load(path)
            self.assertEqual(vars(found["task_manager"]), {})
            self.assertEqual(read.keys(), net.state_dict().keys())
            self.assertEqual((again.config, str(report)), (net.config, "all tensors used"))

    def test_no_code_of_a_file_runs(self):
        class Evil:
            def __reduce__(self):
                return os.mkdir, (made,)

        with tempfile.TemporaryDirectory() as folder:
            made, path = os.path.join(folder, "made"), os.path.join(folder, "evil.ckpt")
            torch.save({"state_dict": {}, "hyper_parameters": Evil()}, path)
            with self.assertRaises(SystemExit):
                checkpoint.load(path)
            self.assertFalse(os.path.exists(made))
            with open(path, "wb") as file:
                file.write(b"no checkpoint")
            with self.assertRaisesRegex(SystemExit, "evil.ckpt"):
                checkpoint.load(path)

    def test_what_does_not_fit_is_named_and_left_alone(self):
        values = small().state_dict()
        values["lm_head.lm_head.weight"] = values["lm_head.lm_head.weight"][:500]
        values["something.else"] = torch.zeros(2)
        del values["encoder.blocks.0.local_transformer.0.mlp.experts.1.w1.weight"]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "part.ckpt")
            said = {"model_cfg": checkpoint.model_cfg(SMALL)}
            torch.save({"state_dict": values, "hyper_parameters": said}, path)
            net, report = checkpoint.load(path)
        self.assertEqual(report.unused, ["something.else"])
        self.assertEqual(report.misshapen, ["lm_head.lm_head.weight [500, 16] for [596, 16]"])
        self.assertEqual(report.missing, ["encoder.blocks.0.local_transformer.0.mlp.experts.1.w1.weight"])
        self.assertTrue(torch.equal(net.embed_tokens.weight, values["embed_tokens.weight"]))

    def test_one_channel_begins_with_what_the_channel_of_its_stem_hears(self):
        net = small().eval()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "thirteen.ckpt")
            checkpoint.write(net, path)
            one, report = checkpoint.load(path, channels=1, sources=[4])
        self.assertEqual(str(report), "all tensors used")
        spectrogram = torch.rand(2, FRAMES, BINS)
        with torch.no_grad():
            own = one.eval().contexts(one.encode(spectrogram))
            whole = net.contexts(net.encode(spectrogram)).unflatten(0, (2, 13))[:, 4]
        torch.testing.assert_close(own, whole, atol=1e-5, rtol=1e-5)

    def test_the_second_scale_of_the_published_training_changes_no_id(self):
        net = small().eval()
        contexts = net.contexts(net.encode(torch.rand(1, FRAMES, BINS)))
        with torch.no_grad():
            ids = torch.randint(596, (13, 6))
            before = net.logits(ids, contexts)
            checkpoint.as_trained(net)
            after = net.logits(ids, contexts)
        torch.testing.assert_close(before / 4, after)
        self.assertTrue(torch.equal(before.argmax(-1), after.argmax(-1)))


class Tasks(unittest.TestCase):
    def test_each_has_its_vocabulary(self):
        drums, bass = TASKS["drums"].ids, TASKS["bass"].ids
        self.assertTrue(DRUMS[38] in drums and DRUMS[40] not in drums)
        self.assertFalse(drums & {NOTE_OFF, *PITCHES, *PROGRAMS})
        self.assertEqual({id - PROGRAMS[0] for id in bass & set(PROGRAMS)}, {32, 33})
        self.assertFalse(bass & set(DRUMS))
        programs = {name: set(task.programs) for name, task in TASKS.items()}
        self.assertEqual((programs["vocals"], programs["singing"]), ({100, 101}, {100}))
        self.assertFalse(programs["other"] & (programs["bass"] | programs["vocals"] | {52}))
        self.assertEqual(programs["mix"], programs["other"] | programs["bass"] | {52})
        for task in TASKS.values():
            self.assertTrue({EOS, TIE, NOTE_ON, *SHIFTS} <= task.ids <= set(range(596)))
        stems = [TASKS[name].channels for name in ("other", "bass", "vocals", "drums")]
        self.assertEqual(sorted(sum(stems, ())), list(range(CHANNELS)))

    def test_records_are_read_as_the_renderer_writes_them(self):
        samples = (np.arange(SEGMENT_SAMPLES) // 2).astype("<i2").tobytes()
        for channels, most in ((13, 256), (1, 1024)):
            rows = np.zeros((channels, 1 + most), "<u2")
            rows[0, : 1 + len(BASS)] = [len(BASS), *BASS]
            parser = Parser(TASKS["bass"], channels)
            record = samples + rows.tobytes()
            self.assertEqual(parser.record_bytes, len(record))
            audio, ids = parser(record)
            self.assertAlmostEqual(audio[1000].item(), 500 / 32768)
            self.assertEqual((ids.shape, ids[0, : len(BASS)].tolist()), ((channels, most), BASS))
            self.assertEqual(ids.sum(), sum(BASS))
            with self.assertRaisesRegex(ValueError, str(PROGRAMS[33])):
                Parser(TASKS["drums"], channels)(record)

    def test_onsets_are_right_within_50_ms_if_the_instrument_is(self):
        other = lambda step, program: sentence(SHIFTS[step], PROGRAMS[program], NOTE_ON, PITCHES[40])
        self.assertEqual(onset_f([BASS], [BASS]), 1)
        self.assertEqual(onset_f([BASS], [other(15, 33)]), 1)
        self.assertEqual(onset_f([BASS], [other(16, 33)]), 0)
        self.assertEqual(onset_f([BASS], [other(10, 32)]), 0)
        # A tied note is no onset, and what follows the end says nothing.
        self.assertEqual(onset_f([BASS], [[PROGRAMS[33], PITCHES[40], *BASS, NOTE_ON, PITCHES[41]]]), 1)
        hits = sentence(SHIFTS[3], NOTE_ON, DRUMS[36], SHIFTS[30], DRUMS[36])
        self.assertAlmostEqual(onset_f([hits, BASS], [hits[:4], BASS]), 4 / 5)


class Training(unittest.TestCase):
    def test_padding_and_other_segments_do_not_count(self):
        net = small(1).eval()
        short, long = example(1, sentence()), example(1)
        loss = lambda *examples: losses(net, *(part if i == 0 else (part,) for i, part in enumerate(batch(*examples))))
        one = lambda *examples: loss(*examples)["tokens"].item()
        count = len(BASS)
        self.assertAlmostEqual(one(short, long), (2 * one(short) + count * one(long)) / (2 + count), places=4)

    @unittest.skipUnless(os.path.isdir(PACK), NO_PACK)
    def test_a_step_lowers_the_loss_of_the_published_layout(self):
        for channels in (13, 1):
            net, report = checkpoint.load(os.path.join(PACK, "last.ckpt"), None, channels, (4,), training=True)
            self.assertEqual(str(report), "all tensors used")
            audio, ids = batch(example(channels, channel=4 % channels), example(channels, channel=4 % channels))
            optimizer, found = AdamW(net, 1e-3), []
            for _ in range(4):
                loss = losses(net, audio, (ids,))["tokens"]
                found.append(loss.item())
                optimizer.step(loss, 1e-3, net)
            self.assertTrue(np.isfinite(found).all())
            self.assertEqual(found, sorted(found, reverse=True), channels)

    def test_it_learns_what_a_segment_says(self):
        for channels in (13, 1):
            net = small(channels)
            audio, ids = batch(example(channels), example(channels))
            optimizer = AdamW(net, 1e-2)
            for _ in range(60):
                optimizer.step(losses(net, audio, (ids,))["tokens"], 1e-2, net)
            with torch.no_grad():
                contexts = net.contexts(net.encode(net.spectrogram(audio)))
                said = net.greedy(contexts, 16, TASKS["bass"].ids)
            self.assertEqual(said[0, : len(BASS)].tolist(), BASS, channels)

    def test_it_validates_stops_by_the_clock_and_goes_on(self):
        net, data, starts = small(1), [example(1)] * 4, []

        def stream(seed, first):
            starts.append(first)
            return data * 2000

        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as shown:
            options = argparse.Namespace(
                run=folder, minutes=1 / 60, batch=2, rate=1e-2, workers=1, threads=1, seed=1, warm_up=2
            )
            validation = Validation(data, TASKS["bass"], 2)
            first = Watch(folder, validation, every=1, patience=10**9)
            fit(net, stream, losses, LOSS_WEIGHTS, options, AdamW, first)
            options.minutes = 2 / 60
            again = Watch(folder, validation, every=1, patience=10**9)
            fit(net, stream, losses, LOSS_WEIGHTS, options, AdamW, again)
            best = validation(again.best(small(1, seed=5)).eval())
        self.assertTrue(starts[0] == 0 and starts[1] > 0)
        self.assertLessEqual(again.state["best"], first.state["best"])
        self.assertAlmostEqual(best["loss"], again.state["best"], places=4)
        self.assertIn("onset F", shown.getvalue())

    def test_it_ends_when_validation_no_longer_improves(self):
        figures = iter([3.0, 2.0, 2.5, 2.0, 1.0])
        net = torch.nn.Linear(1, 1)
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            watch = Watch(folder, lambda net: {"loss": next(figures)}, every=10, patience=2)
            over = []
            for step in range(1, 41):
                torch.nn.init.constant_(net.weight, step)
                over.append(watch.is_over(step, net))
            self.assertEqual(watch.best(net).weight.item(), 20)
        self.assertEqual(over.index(True), 39)

    @unittest.skipUnless(os.path.isfile(COMMAND), f"no built command at {os.path.normpath(COMMAND)}")
    def test_the_engine_opens_what_is_written(self):
        for channels in (13, 1):
            net = small(channels)
            with tempfile.TemporaryDirectory() as folder:
                path, audio = os.path.join(folder, "tuned.ckpt"), os.path.join(folder, "noise.wav")
                checkpoint.write(net, path)
                write_wav(audio, example(1)[0])
                done = subprocess.run(
                    [COMMAND, "transcribe", "--model", path, audio, "-o", os.path.join(folder, "out.mid")],
                    capture_output=True, text=True,
                )  # fmt: skip
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertTrue(os.path.exists(os.path.join(folder, "out.mid")))


def write_wav(path, audio):
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((audio * 32767).clip(-32768, 32767).astype("<i2").tobytes())


if __name__ == "__main__":
    unittest.main()
