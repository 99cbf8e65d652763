"""Tests of fine-tuning: python -m unittest discover train/tests (torch, numpy, safetensors)."""

import argparse
import os
import sys
import tempfile
import unittest

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from hitscribe_train.common.loop import fit  # noqa: E402
from hitscribe_train.finetune import WEIGHTS  # noqa: E402
from hitscribe_train.mt3 import data as mt3_data  # noqa: E402
from hitscribe_train.mt3.checkpoint import fill, load, read, write  # noqa: E402
from hitscribe_train.mt3.finetune import LOSS_WEIGHTS, AdamW, losses  # noqa: E402
from hitscribe_train.mt3.model import EOS, FRAMES, MAX_IDS, SEGMENT_SAMPLES, Config, LogMel, Mt3  # noqa: E402
from hitscribe_train.common import eight_bits  # noqa: E402
from hitscribe_train.pitched.harmonic import export as pitch_export  # noqa: E402
from hitscribe_train.pitched.harmonic import finetune as pitch_finetune  # noqa: E402
from hitscribe_train.pitched.harmonic.targets import LOSS_WEIGHTS as NOTE_LOSS_WEIGHTS  # noqa: E402

# A random network in mt3.pth's layout, and what the engine is compared with.
TINY = os.path.join(HERE, "../../engine/models/tests/data/mt3_family")
HEAD_SIZE = 8
SEGMENT_SAMPLES_32K = 131_072


def tiny():
    values, _ = read(os.path.join(TINY, "tiny.pth"))
    net = Mt3(Config.of(values, {"d_kv": HEAD_SIZE}))
    return values, net, fill(net, values)


def example(ids):
    """A segment of noise that says `ids`."""
    audio = np.random.default_rng(1).normal(0, 0.1, SEGMENT_SAMPLES).astype(np.float32)
    filled = np.zeros(MAX_IDS, np.int64)
    filled[: len(ids)] = ids
    return audio, np.int64(FRAMES), filled


class Network(unittest.TestCase):
    def test_it_computes_what_the_engine_computes(self):
        _, net, report = tiny()
        self.assertEqual(str(report), "all tensors used")
        expected = load_file(os.path.join(TINY, "expected.safetensors"))
        with torch.no_grad():
            encoded = net.encode(expected["features"])
            logits = net.logits(expected["tf_ids"].long().expand(3, -1), encoded)[:, :, ::16]
            ids = F.pad(net.greedy(encoded, 60), (0, 60))[:, :60]
        self.assertLess((encoded - expected["encoder_out"]).abs().max().item(), 1e-5)
        self.assertLess((logits - expected["tf_logits"]).abs().max().item(), 1e-5)
        self.assertTrue(torch.equal(ids, expected["greedy_ids"].long().clamp(min=0)))

    def test_features_follow_the_tone_and_end_with_the_recording(self):
        front_end = LogMel(64)
        time = torch.arange(SEGMENT_SAMPLES) / 16_000
        audio = torch.stack([torch.sin(2 * torch.pi * hz * time) for hz in (220.0, 2000.0)])
        features = front_end(audio, torch.tensor([FRAMES, 100]))
        self.assertEqual(features.shape, (2, FRAMES, 64))
        mel = lambda hz: 2595 * np.log10(1 + hz / 700)
        for row, hz in enumerate((220.0, 2000.0)):
            band = (mel(hz) - mel(20)) / (mel(7600) - mel(20)) * 65 - 1
            self.assertLess(abs(features[row, 50].argmax().item() - band), 1)
        self.assertTrue((features[1, 100:] == 0).all())
        self.assertTrue((features[1, :100] != 0).all())


class Checkpoints(unittest.TestCase):
    def test_what_is_written_has_the_published_keys_and_reads_the_same(self):
        values, net, _ = tiny()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "out.pth")
            write(net, path)
            again, report = load(path)
            self.assertEqual(os.listdir(folder), ["out.pth"])
            self.assertEqual(torch.load(path, weights_only=True)["state_dict"].keys(), values.keys())
        self.assertEqual((again.config, str(report)), (net.config, "all tensors used"))
        for key, value in values.items():
            self.assertTrue(torch.equal(again.state_dict()[key], value), key)

    def test_published_head_size_needs_no_word(self):
        net = Mt3(Config(32, 64, 1, 64, 32, 1, 1))
        with tempfile.TemporaryDirectory() as folder:
            for name in ("out.pth", "out.safetensors"):
                path = os.path.join(folder, name)
                write(net, path)
                again, report = load(path)
                self.assertEqual((again.config, str(report)), (net.config, "all tensors used"))
            self.assertIn("proj.weight", torch.load(os.path.join(folder, "out.pth"), weights_only=True))

    def test_what_does_not_fit_is_named_and_left_alone(self):
        values, _, _ = tiny()
        values["lm_head.weight"] = values["lm_head.weight"][:1000]
        values["segmem_proj.weight"] = torch.zeros(2, 2)
        del values["decoder.block.0.layer.1.EncDecAttention.q.weight"]
        net = Mt3(Config(16, 16, 2, 8, 24, 2, 1))
        before = net.lm_head.weight.clone()
        report = fill(net, values)
        self.assertEqual(report.unused, ["segmem_proj.weight"])
        self.assertEqual(report.misshapen, ["lm_head.weight [1000, 16] for [1536, 16]"])
        self.assertIn("decoder.block.0.layer.1.EncDecAttention.q.weight", report.missing)
        # The second block of the encoder.
        self.assertEqual(len(report.missing), 1 + 9)
        self.assertTrue(torch.equal(net.lm_head.weight, before))
        self.assertTrue(torch.equal(net.proj.weight, values["proj.weight"]))


class Training(unittest.TestCase):
    def test_padding_and_what_other_segments_say_do_not_count(self):
        _, net, _ = tiny()
        short, long = example([1134, EOS]), example([1134, 20, 1135, 1133, 1040, EOS])
        batch = lambda *examples: [torch.as_tensor(np.stack(parts)) for parts in zip(*examples)]
        loss = lambda *examples: losses(net, batch(*examples)[0], batch(*examples)[1:])["tokens"].item()
        # A mean over all ids: two of the one and six of the other.
        self.assertAlmostEqual(loss(short, long), (2 * loss(short) + 6 * loss(long)) / 8, places=4)

    def test_it_learns_stops_by_the_clock_and_goes_on(self):
        torch.manual_seed(0)
        net = Mt3(Config(16, 16, 1, 64, 16, 1, 1))
        audio, frames, ids = (torch.as_tensor(part)[None] for part in example([1134, 20, 1135, 1133, 1040, EOS]))
        loss = lambda: losses(net, audio, (frames, ids))["tokens"].item()
        before, starts = loss(), []

        def stream(seed, first):
            starts.append(first)
            return [example([1134, 20, 1135, 1133, 1040, EOS])] * 400

        with tempfile.TemporaryDirectory() as folder:
            options = argparse.Namespace(
                run=folder, minutes=1 / 60, batch=2, rate=1e-2, workers=1, threads=1, seed=1, warm_up=2
            )
            fit_tiny(net, stream, options)
            saved = torch.load(os.path.join(folder, "checkpoint.pt"), weights_only=True)
            options.minutes = 2 / 60
            fit_tiny(net, stream, options)
            again = torch.load(os.path.join(folder, "checkpoint.pt"), weights_only=True)
        self.assertEqual(starts, [0, 2 * saved["step"]])
        self.assertGreater(again["step"], saved["step"])
        self.assertLess(loss(), before - 0.1)

    def test_records_are_read_as_the_renderer_writes_them(self):
        samples = np.arange(SEGMENT_SAMPLES, dtype="<i2") // 2
        ids = np.full(MAX_IDS, 7, "<u2")
        record = samples.tobytes() + np.array([200, 3], "<u2").tobytes() + ids.tobytes()
        self.assertEqual(len(record), mt3_data.RECORD_BYTES)
        audio, frames, read_ids = mt3_data.parse(record)
        self.assertAlmostEqual(audio[1000].item(), 500 / 32768)
        self.assertEqual((frames, read_ids[:5].tolist()), (200, [7, 7, 7, 0, 0]))


def fit_tiny(net, stream, options):
    return fit(net, stream, losses, LOSS_WEIGHTS, options, AdamW)


class Pitched(unittest.TestCase):
    def test_embedded_weights_are_written_as_they_were_read(self):
        path = os.path.join(WEIGHTS, "builtin_pitch.safetensors")
        net, rule = pitch_finetune.from_weights_file(path)
        with tempfile.TemporaryDirectory() as folder:
            copy = os.path.join(folder, "copy.safetensors")
            pitch_export.write(net, copy, rule)
            (ours, ours_values), (theirs, theirs_values) = eight_bits.read(copy), eight_bits.read(path)
        self.assertEqual(ours, theirs)
        self.assertEqual(ours_values.keys(), theirs_values.keys())
        for name, value in ours_values.items():
            torch.testing.assert_close(value, theirs_values[name], atol=1e-4, rtol=1e-3)

    def test_it_learns_the_notes_of_a_record(self):
        time = np.arange(SEGMENT_SAMPLES_32K) / 32_000
        samples = 8000 * np.sin(2 * np.pi * 440 * time) * ((time > 1) & (time < 2))
        notes = np.zeros((pitch_finetune.MAX_NOTES, pitch_finetune.NOTE_VALUES), "<f4")
        notes[0] = 1.0, 2.0, 69, 0.8, 0
        record = samples.astype("<i2").tobytes() + np.array([1], "<u4").tobytes() + notes.tobytes()
        self.assertEqual(len(record), pitch_finetune.RECORD_BYTES)
        net, _ = pitch_finetune.from_weights_file(os.path.join(WEIGHTS, "builtin_pitch.safetensors"))
        audio, targets = (torch.as_tensor(part)[None] for part in pitch_finetune.parse(record))
        optimizer, found = pitch_finetune.Optimizer(net, 1e-3), []
        for _ in range(3):
            parts = pitch_finetune.losses(net, audio, [targets])
            loss = sum(weight * parts[name] for name, weight in NOTE_LOSS_WEIGHTS.items())
            optimizer.step(loss, 1e-3, net)
            found.append(loss.item())
        self.assertLess(found[-1], found[0])


if __name__ == "__main__":
    unittest.main()
