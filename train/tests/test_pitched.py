"""The harmonic network: layers, targets, losses, picking."""

import tempfile
import unittest

import numpy as np
import torch

from hitscribe_train.pitched.harmonic import batches, feed, features, layers, model, targets
from hitscribe_train.pitched.harmonic.pick import pick
from hitscribe_train.pitched.harmonic.ring import Ring

FRAMES = 64


def note(onset, offset, key, velocity=0.5, program=0):
    return [onset, offset, key, velocity, program]


class Feed(unittest.TestCase):
    def test_a_segment_may_begin_with_silence(self):
        audio = np.ones(4 * 32_000, np.float32)
        notes = np.array([note(0.2, 1.0, 60), note(0.9, 1.5, 64), note(1.8, 3.0, 62), note(1.81, 3.0, 67)], np.float32)
        rng = np.random.default_rng(1)
        kept = [feed.opening_silence(audio, notes, rng) for _ in range(200)]
        cut = [(varied, left) for varied, left in kept if len(left) < 4]
        self.assertTrue(10 < len(cut) < 60)
        for varied, left in cut:
            # Not at .9 s, where another note sounds.
            self.assertEqual(left[:, 2].tolist(), [62, 67])
            silent = np.flatnonzero(varied)[0] / 32_000
            self.assertTrue(1.77 <= silent <= 1.8 and varied[-1] == 1.0)
        self.assertEqual(audio.min(), 1.0)


class Layers(unittest.TestCase):
    def test_a_key_is_beside_its_harmonics(self):
        torch.manual_seed(1)
        z = torch.randn(3, 2, 50, 2)
        weight = torch.randn(2 * len(layers.SHIFTS), 4)
        y = layers.Gathered.apply(z, weight)
        for step, segment, key in ((0, 0, 0), (1, 1, 20), (2, 0, 49)):
            row = torch.zeros(len(layers.SHIFTS), 2)
            for index, shift in enumerate(layers.SHIFTS):
                if 0 <= key + shift < 50:
                    row[index] = z[step, segment, key + shift]
            torch.testing.assert_close(y[step, segment, key], row.flatten() @ weight)

    def test_gradients(self):
        torch.manual_seed(1)
        z = torch.randn(2, 2, 45, 2, dtype=torch.double, requires_grad=True)
        weight = torch.randn(2 * len(layers.SHIFTS), 3, dtype=torch.double, requires_grad=True)
        self.assertTrue(torch.autograd.gradcheck(layers.Gathered.apply, (z, weight)))
        keep, new = torch.rand(2, 6, 2, 3, dtype=torch.double).requires_grad_()
        self.assertTrue(torch.autograd.gradcheck(layers.Scan.apply, (keep, new)))


class Network(unittest.TestCase):
    def test_outputs_do_not_depend_on_what_is_further_than_they_look(self):
        torch.manual_seed(1)
        net = model.HarmonicNet().eval()
        channels, scalars = torch.randn(2, 3, features.BANDS, FRAMES), torch.randn(2, 2, FRAMES)
        with torch.no_grad():
            before = net(channels, scalars)
            last = 20
            channels[..., last + model.FUTURE_FRAMES + 1 :] = 3.0
            after = net(channels, scalars)
        for name, value in before.items():
            size = model.KEYS, FRAMES // (2 if name == "family" else 1)
            self.assertEqual(value.shape[-2:], size)
            same = last // 2 if name == "family" else last + 1
            torch.testing.assert_close(value[..., :same], after[name][..., :same])
        self.assertFalse(torch.equal(before["onset"], after["onset"]))

    def test_it_is_small(self):
        self.assertLess(sum(p.numel() for p in model.HarmonicNet().parameters()), 1_000_000)


class Targets(unittest.TestCase):
    def test_labels_lie_where_the_note_is(self):
        values = dict(zip(targets.TARGETS, targets.labels(np.array([note(0.168, 0.48, 60, 0.7, 33)]), FRAMES)))
        key = 60 - features.LOWEST_KEY
        self.assertEqual(values["sounding"][key].nonzero()[0].tolist(), list(range(10, 30)))
        self.assertEqual(values["onset"][key, 10], 1.0)
        self.assertAlmostEqual(values["shift"][key, 10], 0.5, 5)
        self.assertEqual(values["offset"][key].argmax(), 30)
        self.assertAlmostEqual(values["velocity"][key, 10], 0.7, 5)
        self.assertEqual(model.FAMILIES[int(values["family"][key, 15])], "bass")
        self.assertEqual(values["onset"].sum(), values["onset"][key].sum())

    def test_families(self):
        name = lambda program: model.FAMILIES[int(targets.family(program))]
        programs = (0, 24, 35, 48, 53, 60, 66, 73, 81, 85)
        expected = ["keys", "guitar", "bass", "strings", "voice", "winds", "winds", "winds", "synth", "voice"]
        self.assertEqual([name(p) for p in programs], expected)
        for program in (55, 120, 128 + 24):
            self.assertEqual(targets.family(program), targets.UNKNOWN)

    def test_velocities_are_compared_within_a_family(self):
        hit = torch.zeros(1, 2, 4)
        hit[0, 0, :2] = 1.0
        target, families = torch.tensor([[[0.2, 0.4, 0, 0], [0.0] * 4]]), torch.zeros(1, 2, 4)
        shifted = torch.logit(target.clamp(min=0.01) + 0.3)
        flat = torch.logit(torch.full_like(target, 0.3))
        right, wrong = (targets.velocity_loss(x, target, hit, families) for x in (shifted, flat))
        self.assertAlmostEqual(right.item(), 2 * targets.MEAN_VELOCITY * 0.09, 4)
        self.assertAlmostEqual(wrong.item(), 0.02, 4)

    def test_losses_fall_towards_the_labels(self):
        notes = np.array([note(0.3, 0.6, 60), note(0.4, 0.8, 64, 0.9, 40)])
        values = torch.from_numpy(targets.labels(notes, FRAMES))[:, None]
        named = dict(zip(targets.TARGETS, values))
        logits = {name: 12.0 * named[name].clamp(0.0, 1.0) - 6.0 for name in ("onset", "sounding", "offset")}
        logits |= {"velocity": torch.logit(named["velocity"], 1e-3), "shift": named["shift"]}
        family = torch.nn.functional.one_hot(named["family"][..., ::2].long().clamp(min=0), len(model.FAMILIES))
        logits["family"] = 9.0 * family.permute(0, 3, 1, 2)
        good = targets.losses(logits, values)
        bad = targets.losses({name: -value for name, value in logits.items()}, values)
        for name in targets.LOSS_WEIGHTS:
            self.assertLess(good[name].item(), bad[name].item(), name)


class Picking(unittest.TestCase):
    def test_notes_are_found_again(self):
        notes = np.array([note(0.3, 0.6, 60, 0.5, 0), note(0.4, 0.8, 64, 0.9, 40), note(0.61, 0.8, 60, 0.4, 0)])
        values = dict(zip(targets.TARGETS, targets.labels(notes, FRAMES)))
        outputs = {name: 12.0 * values[name] - 6.0 for name in ("onset", "sounding", "offset")}
        outputs |= {"shift": values["shift"], "velocity": np.log(values["velocity"].clip(0.01) / (1 - values["velocity"].clip(0.01)))}
        one_hot = np.eye(len(model.FAMILIES))[values["family"][:, ::2].astype(int).clip(0)]
        outputs["family"] = one_hot.transpose(2, 0, 1)
        found = pick(outputs)
        self.assertEqual(found[:, 2].tolist(), [60, 64, 60])
        np.testing.assert_allclose(found[:, 0], [0.3, 0.4, 0.61], atol=1e-6)
        np.testing.assert_allclose(found[:, 1], [0.6, 0.8, 0.8], atol=0.02)
        np.testing.assert_allclose(found[:, 3], [0.5, 0.9, 0.4], atol=1e-6)
        self.assertEqual([model.FAMILIES[int(f)] for f in found[:, 4]], ["keys", "strings", "keys"])


    def test_short_notes_need_a_surer_onset(self):
        outputs = {name: np.full((88, 24), -6.0) for name in ("onset", "sounding", "offset")}
        outputs |= {"shift": np.zeros((88, 24)), "velocity": np.zeros((88, 24)), "family": np.zeros((7, 88, 12))}
        for key, (onset, length) in enumerate(((0.5, 4), (2.0, 4), (0.5, 5))):
            outputs["onset"][key, 2], outputs["sounding"][key, 2 : 2 + length] = onset, 4.0
        outputs["onset"][3, 22], outputs["sounding"][3, 22:] = 0.5, 4.0  # cut by the end
        self.assertEqual(pick(outputs)[:, 2].tolist(), [22, 23, 24])


class Data(unittest.TestCase):
    def test_transposed_segments_keep_their_labels(self):
        audio = 0.3 * torch.sin(2 * torch.pi * 440.0 * torch.arange(131_072) / 32_000)
        powers = features.BandPowers()(audio[None])[0].numpy()
        notes, seen = np.array([note(0.0, 4.0, 69)], np.float32), set()
        for seed in range(12):
            varied, moved = batches.varied(torch.from_numpy(powers), notes, np.random.default_rng(seed))
            key = int(moved[0, 2])
            loudest = varied[0, :, 100].argmax().item()
            self.assertLessEqual(abs(loudest - (3 * (key - features.LOWEST_KEY) + 2)), 2)
            seen.add(key)
        self.assertGreater(len(seen), 1)

    def test_a_ring_gives_batches(self):
        rng = np.random.default_rng(1)
        with tempfile.TemporaryDirectory() as folder:
            ring = Ring(folder, 131_072, 110)
            for _ in range(100):
                ring.write(rng.uniform(-6, -1, (2, features.BANDS, 256)), np.array([note(1.0, 2.0, 60)], np.float32))
            channels, scalars, values = next(iter(batches.Batches(folder, 3, [1], 8.0)))
        self.assertEqual(channels.shape, (3, 3, features.BANDS, 240))
        self.assertEqual(scalars.shape, (3, 2, 240))
        self.assertEqual(values.shape, (len(targets.TARGETS), 3, 88, 240))
        self.assertTrue((values[0].amax((1, 2)) > 0.9).all())


if __name__ == "__main__":
    unittest.main()
