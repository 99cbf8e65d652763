"""Tests of the small MT3's training: python -m unittest discover train/tests (torch, numpy, safetensors)."""

import json
import os
import sys
import tempfile
import unittest
from unittest import mock

import numpy as np
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from hitscribe_train.mt3 import segments, train  # noqa: E402
from hitscribe_train.mt3.checkpoint import load  # noqa: E402
from hitscribe_train.mt3.data import WithMemory  # noqa: E402
from hitscribe_train.mt3.export import main as export  # noqa: E402
from hitscribe_train.mt3.frames import KEYS, LOWEST_DRUM, LOWEST_KEY, targets_of  # noqa: E402
from hitscribe_train.mt3.model import EOS, FRAMES, MAX_IDS, TIE, Config, Mt3  # noqa: E402
from hitscribe_train.mt3.shuffle import DRUMS, PITCHES, PROGRAMS, SHIFTS  # noqa: E402
from hitscribe_train.mt3.start import NEAR, prepare  # noqa: E402

PIANO, BASS = PROGRAMS.start, PROGRAMS.start + 33
OFF, ON = 1132, 1133
KEY, KICK = PITCHES.start + 60, DRUMS.start + 36
TINY = Config(32, 128, 2, 16, 32, 1, 1)


def shift(step):
    return SHIFTS.start + step


def store(folder, sequences, bands, history=0):
    """Stored segments whose features are all alike."""
    with open(os.path.join(folder, "about.json"), "w") as file:
        json.dump({"bands": bands, "history": history}, file)
    np.full((len(sequences) // (1 + history), FRAMES, bands), 40, np.uint8).tofile(os.path.join(folder, "features.u8"))
    rows = np.zeros((len(sequences), 1 + MAX_IDS), np.uint16)
    for row, ids in zip(rows, sequences):
        row[0], row[1 : 1 + len(ids)] = len(ids), ids
    rows.tofile(os.path.join(folder, "ids.u16"))


class Targets(unittest.TestCase):
    def test_they_say_what_the_tokens_say(self):
        ids = [BASS, KEY, TIE, shift(8), BASS, OFF, KEY, shift(80), PIANO, ON, KEY, KICK, shift(160), OFF, KEY, EOS, 0]
        begun, onsets, sounding = targets_of(np.array(ids), (0, 33))
        key, bass_key, kick = 60 - LOWEST_KEY, KEYS + 60 - LOWEST_KEY, 2 * KEYS + 36 - LOWEST_DRUM
        # A step is 1.25 frames: step 80 is frame 100.
        self.assertEqual(np.argwhere(onsets).tolist(), [[50, key], [50, kick]])
        self.assertEqual(begun[98:103].tolist(), [[0, 0, 0], [1, 0, 1], [2, 0, 2], [1, 0, 1], [0, 0, 0]])
        self.assertEqual(np.flatnonzero(sounding[:, bass_key]).tolist(), [0, 1, 2])
        self.assertEqual(np.flatnonzero(sounding[:, key]).tolist(), list(range(25, 51)))
        self.assertEqual(sounding.sum(), 3 + 26)

    def test_other_programs_and_what_is_cut_off(self):
        _, onsets, sounding = targets_of(np.array([TIE, shift(200), 1140, ON, KEY, PIANO, KEY]), (0, 33))
        self.assertEqual(onsets.sum(), 1)
        # It sounds to the end.
        self.assertEqual(np.flatnonzero(sounding[:, 60 - LOWEST_KEY]).tolist(), [62, 63])


class Beginning(unittest.TestCase):
    def test_heads_attend_to_the_frame_of_the_last_time(self):
        torch.manual_seed(1)
        net = Mt3(Config(32, 128, 4, 16, 32, 1, 1))
        prepare(net)
        ids = torch.tensor([[0, TIE, shift(100), PIANO, ON, KEY, KICK, shift(160), KICK]])
        block = net.decoder.block[0]
        with torch.no_grad():
            x = net.decoder.embed_tokens(ids) + net.decoder.pos_emb(ids.shape[1])
            x = block.layer[0](x, is_causal=True)
            encoded = net.encode(torch.randn(1, FRAMES, 32))
            normed, cross = block.layer[1].layer_norm(x), block.layer[1].EncDecAttention
            of_head = lambda y: y.unflatten(-1, (4, 16)).transpose(1, 2)[0, 2]
            scores = of_head(cross.q(normed)) @ of_head(cross.k(encoded)).T
        attended = scores.argmax(1)
        # Frame 125 for step 100, 200 for step 160; this head looks one frame later.
        for place, frame in ((2, 126), (3, 126), (5, 126), (6, 126), (7, 201), (8, 201)):
            self.assertLess(abs(attended[place].item() - frame), 3, place)
        self.assertEqual(len(NEAR), 8)


class Training(unittest.TestCase):
    def test_batches_hold_segments_of_about_the_same_length(self):
        with tempfile.TemporaryDirectory() as folder:
            store(folder, [[TIE, shift(10), PIANO, ON, *[KEY] * n, EOS] for n in range(64)], 32)
            batches = iter(segments.Batches([folder], 8, 1, (0, 33), train.Plain(False, 1).of))
            spreads = []
            for _ in range(16):
                lengths = [int((next(batches)[4] != 0).sum()) for _ in range(8)]
                spreads.append(max(lengths) - min(lengths))
            self.assertLess(np.mean(spreads), 12)

    def test_the_memory_is_a_segment_before(self):
        with tempfile.TemporaryDirectory() as folder:
            store(folder, [[TIE, shift(10 + n), EOS] for n in range(3)], 32, history=2)
            batches = segments.Batches([folder], 1, 1, (0,), WithMemory(2, "v2", False, 1).of)
            *_, ids, previous = next(iter(batches))
            self.assertEqual(ids[:3].tolist(), [TIE, shift(10), EOS])
            self.assertEqual(previous[:2].tolist(), [0, TIE])
            self.assertIn(int(previous[2]), (shift(11), shift(12)))

    def test_it_learns_and_what_is_exported_loads(self):
        with tempfile.TemporaryDirectory() as folder:
            store(folder, [[TIE, shift(60), BASS, ON, KEY, EOS], [TIE, shift(60), BASS, ON, KICK, EOS]], 32)
            config = os.path.join(folder, "config.json")
            sizes = {"n_mels": 32, "d_model": 128, "num_heads": 2, "d_kv": 16, "d_ff": 32}
            with open(config, "w") as file:
                json.dump(sizes | {"num_layers": 1, "num_decoder_layers": 1, "vocab_size": 1536}, file)
            run, out = os.path.join(folder, "run"), os.path.join(folder, "out.pth")
            arguments = ["train", "--run", run, "--segments", folder, "--minutes", "0.001", "--batch", "4", "--config", config]
            with mock.patch.object(sys, "argv", arguments):
                train.main()
            checkpoint = os.path.join(run, "checkpoint.pt")
            # From a checkpoint, with a memory.
            more = [*arguments, "--start", checkpoint, "--memory", "8", "--horizon", "0"]
            more[2] = os.path.join(folder, "more")
            with mock.patch.object(sys, "argv", more):
                train.main()
            with mock.patch.object(sys, "argv", ["export", checkpoint, out, "--config", config]):
                export()
            net, report = load(out)
            self.assertEqual((str(report), net.config), ("all tensors used", TINY))

    def test_tokens_and_frames_are_learnt(self):
        torch.manual_seed(1)
        net = train.WithFrames(TINY, (0, 33))
        prepare(net.mt3)
        ids = torch.zeros(1, MAX_IDS, dtype=torch.long)
        ids[0, :6] = torch.tensor([TIE, shift(60), BASS, ON, KEY, EOS])
        targets = [torch.from_numpy(t)[None] for t in targets_of(ids[0].numpy(), (0, 33))]
        features = torch.randint(0, 255, (1, FRAMES, 32), dtype=torch.uint8)
        optimizer = train.Optimizer(net, 5e-3)
        first = None
        for _ in range(30):
            parts = train.losses(net, features, (*targets, ids))
            first = first or {name: value.item() for name, value in parts.items()}
            optimizer.step(sum(train.LOSS_WEIGHTS[name] * value for name, value in parts.items()), 5e-3, net)
        for name, value in parts.items():
            self.assertLess(value.item(), 0.5 * first[name], name)


if __name__ == "__main__":
    unittest.main()
