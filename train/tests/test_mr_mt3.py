"""Tests of MR-MT3: python -m unittest discover train/tests (torch, numpy, safetensors)."""

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
from hitscribe_train.mt3.checkpoint import fill, load, read, write  # noqa: E402
from hitscribe_train.mt3.data import RECORD_BYTES, SEQUENCE_BYTES, WithMemory  # noqa: E402
from hitscribe_train.mt3.finetune import AdamW, losses  # noqa: E402
from hitscribe_train.mt3.model import EOS, FRAMES, MAX_IDS, SEGMENT_SAMPLES, TIE, Config, Mt3  # noqa: E402
from hitscribe_train.mt3.shuffle import DRUMS, PITCHES, PROGRAMS, SHIFTS, VELOCITIES, shuffled  # noqa: E402

TINY = os.path.join(HERE, "../../engine/models/tests/data/mt3_family")


def meaning(ids):
    """What ids say: the tied notes, and each time's events in the order of their key."""
    tied, events, time, program, velocity, in_tie = set(), {}, 0, None, None, True
    for token in ids:
        if token in SHIFTS:
            time = token - SHIFTS.start
        elif token in PROGRAMS:
            program = token
        elif token in VELOCITIES:
            velocity = token
        elif token == TIE:
            in_tie = False
        elif token in PITCHES and in_tie:
            tied.add((program, token))
        elif token in PITCHES or token in DRUMS:
            key = (time, program if token in PITCHES else None, token)
            events.setdefault(key, []).append(velocity)
    return tied, events


def record(ids, *history):
    """A segment as the renderer writes it."""
    out = np.zeros(SEGMENT_SAMPLES, "<i2").tobytes() + np.array([FRAMES], "<u2").tobytes()
    for sequence in (ids, *history):
        filled = np.zeros(MAX_IDS, "<u2")
        filled[: len(sequence)] = sequence
        out += np.array([len(sequence)], "<u2").tobytes() + filled.tobytes()
    return out


class Network(unittest.TestCase):
    def test_both_variants_compute_what_the_engine_computes(self):
        values, _ = read(os.path.join(TINY, "tiny.pth"))
        expected = load_file(os.path.join(TINY, "memory.safetensors"))
        values |= {key: value.float() for key, value in expected.items() if not key.startswith("v2")}
        features = load_file(os.path.join(TINY, "expected.safetensors"))["features"]
        for variant in ("v2-with-prev", "v2"):
            said = {"d_kv": 8, "segmem_length": 8, "memory_variant": variant}
            net = Mt3(Config.of(values, said))
            report = fill(net, values)
            # The buffer is not among the tensors; it is computed.
            self.assertEqual(report.missing, ["segmem_encoder.pos_emb.inv_freq"])
            self.assertFalse(report.unused or report.misshapen)
            with torch.no_grad():
                first = net.memory(net.first_memory())[0]
                sequences = net.greedy_song(net.encode(features), 60)
            self.assertLess((first - expected[f"{variant}.memory0"]).abs().max().item(), 2e-5)
            for segment, ids in enumerate(sequences):
                self.assertEqual([0, *ids.tolist()], expected[f"{variant}.ids{segment}"].tolist(), (variant, segment))

    def test_a_checkpoint_names_its_memory_and_front_end(self):
        net = Mt3(Config(32, 64, 1, 64, 32, 1, 1, memory_rows=5, memory_variant="v2"))
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "out.pth")
            write(net, path)
            again, report = load(path)
            self.assertEqual((again.config, str(report)), (net.config, "all tensors used"))
            # The engine would take that of MR-MT3's published weights.
            self.assertEqual(read(path)[1]["front_end"], "mt3")
            # From MT3: what is new is named.
            write(Mt3(Config(32, 64, 1, 64, 32, 1, 1)), path)
            grown, report = load(path, memory_rows=5)
            self.assertEqual(grown.config.memory_rows, 5)
            self.assertTrue(report.missing and all(key.startswith("segmem_") for key in report.missing))


class Training(unittest.TestCase):
    def test_the_memory_learns(self):
        torch.manual_seed(0)
        net = Mt3(Config(16, 16, 1, 64, 32, 1, 1, memory_rows=8))
        # The same silence: only the segment before says which program plays.
        audio, frames = torch.zeros(2, SEGMENT_SAMPLES), torch.full((2,), FRAMES)
        ids = torch.tensor([[TIE, 20, 1135, 1133, 1040, EOS], [TIE, 20, 1200, 1133, 1090, EOS]])
        previous = F.pad(ids, (1, MAX_IDS - 7))
        optimizer = AdamW(net, 1e-2)
        of = lambda before: losses(net, audio, (frames, ids, before))["tokens"]
        for _ in range(60):
            optimizer.step(of(previous), 1e-2, net)
        learnt, mixed_up = of(previous).item(), of(previous.flip(0)).item()
        self.assertLess(learnt, 0.1)
        self.assertGreater(mixed_up, 10 * learnt)
        self.assertTrue(net.segmem_proj.weight.grad.abs().max() > 0)

    def test_the_segment_before_is_any_of_the_horizon(self):
        now, history = [TIE, 30, 1135, 1133, 1040, EOS], [[TIE, 10 + n, EOS] for n in range(3)]
        one = WithMemory(3, "v2-with-prev", False, 1)
        self.assertEqual(one.record_bytes, RECORD_BYTES + 3 * SEQUENCE_BYTES)
        counts = dict.fromkeys(range(3), 0)
        for _ in range(300):
            _, _, ids, previous = one(record(now, *history))
            self.assertEqual(ids[:6].tolist(), now)
            self.assertEqual((len(previous), previous[:2].tolist(), previous[3]), (MAX_IDS, [0, TIE], EOS))
            counts[int(previous[2]) - 10] += 1
        self.assertTrue(all(70 < count < 130 for count in counts.values()), counts)

    def test_without_a_segment_before_the_variant_says_what_is_kept(self):
        for variant, first in (("v2-with-prev", [0, TIE, EOS, 0]), ("v2", [0, EOS, 0, 0])):
            _, _, _, previous = WithMemory(1, variant, True, 1)(record([TIE, EOS], []))
            self.assertEqual(previous[:4].tolist(), first)


class Shuffling(unittest.TestCase):
    def random_ids(self, random):
        """As the encoder writes them: tied notes, then times with offsets before onsets and hits."""
        out, state = [], [None, None]

        def say(program, velocity, event):
            for place, token in enumerate((program, velocity)):
                if token is not None and state[place] != token:
                    state[place] = token
                    out.append(token)
            out.append(event)

        for program in sorted(random.choice(PROGRAMS, 2, replace=False)):
            for pitch in random.choice(PITCHES, 2, replace=False):
                say(int(program), None, int(pitch))
        out.append(TIE)
        for time in sorted(random.choice(SHIFTS[1:], 6, replace=False)):
            out.append(int(time))
            keys = [(int(random.choice(PROGRAMS[:3])), int(random.choice(PITCHES[:5]))) for _ in range(4)]
            for velocity in VELOCITIES:
                for program, pitch in dict.fromkeys(keys):
                    say(program, velocity, pitch)
            for drum in random.choice(DRUMS, 3, replace=False):
                say(None, VELOCITIES[1], int(drum))
        return out + [EOS]

    def test_another_order_says_the_same(self):
        random, changed = np.random.default_rng(4), 0
        for _ in range(50):
            ids = np.zeros(200, np.int64)
            said = self.random_ids(random)
            ids[: len(said)] = said
            new = shuffled(ids, random)
            changed += not np.array_equal(new, ids)
            self.assertEqual(meaning(new), meaning(ids))
            self.assertEqual((new == EOS).sum(), 1)
        self.assertGreater(changed, 45)

    def test_states_are_said_where_they_change_and_only_there(self):
        ids = np.array([1135, 1004, 1005, TIE, 10, 1133, 1006, 1263, 1264, EOS, 0, 0])
        for seed in range(20):
            new = shuffled(ids, np.random.default_rng(seed)).tolist()
            self.assertEqual((new.count(1135), new.count(1133), len(new)), (1, 1, 12))

    def test_what_is_no_sequence_stays(self):
        for ids in ([1004, EOS], [TIE, 10, 1263, EOS], [2, 1400, 0]):
            self.assertEqual(shuffled(np.array(ids), np.random.default_rng(1)).tolist(), ids)


if __name__ == "__main__":
    unittest.main()
