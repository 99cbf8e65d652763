"""Tests of the drum network's recipe that need neither a bank nor a renderer: a few seconds."""

import tempfile
import unittest
from types import SimpleNamespace

import numpy as np
import torch

from hitscribe_train.drums import model as m
from hitscribe_train.drums.batches import example
from hitscribe_train.drums.classes import CLASSES, GM_NOTES, GROUPS
from hitscribe_train.common.log_bands import references, usual
from hitscribe_train.drums.features import BANDS, HOP, REFERENCE_FALL, REFERENCE_START, USUAL_FRAMES, BandPowers, relative
from hitscribe_train.drums.layers import Gru, Recurrence, Taps, TimeConvolution
from hitscribe_train.drums.optimizer import orthogonal
from hitscribe_train.drums.pick import Rule, pick
from hitscribe_train.drums.ring import Ring
from hitscribe_train.drums.score import FIVE, counts
from hitscribe_train.drums.targets import labels, losses

KICK, SNARE, CLAP, HAT = (CLASSES.index(n) for n in ("kick", "snare", "clap", "closed_hat"))


def beat(seconds=2.048, gain=1.0, seed=0):
    """Decaying noise every quarter of a second over faint noise."""
    rng = np.random.default_rng(seed)
    audio = 1e-3 * rng.standard_normal(int(seconds * 32_000))
    for start in range(4_000, len(audio) - 8_000, 8_000):
        audio[start : start + 6_000] += 0.5 * rng.standard_normal(6_000) * np.exp(-np.arange(6_000) / 900)
    return torch.from_numpy((gain * audio).astype(np.float32))[None]


class Classes(unittest.TestCase):
    def test_every_class_is_in_one_group(self):
        self.assertEqual(sorted(GROUPS[0] + GROUPS[1]), list(range(len(CLASSES))))
        self.assertEqual(len(GM_NOTES), len(CLASSES))


class Features(unittest.TestCase):
    def test_the_gain_does_not_matter_once_the_reference_is_there(self):
        loud, quiet = (relative(BandPowers()(beat(gain=g))) for g in (1.0, 0.1))
        later = slice(190, None)
        difference = (loud[0][:, :2, :, later] - quiet[0][:, :2, :, later]).abs()
        # The first reference differs; after the first strokes it no longer does.
        self.assertLess(difference.max(), 0.1)  # where the power is near its floor
        self.assertLess(difference.mean(), 0.005)
        self.assertAlmostEqual(float(loud[1][0, 0, -1] - quiet[1][0, 0, -1]), 1.0, places=3)

    def test_the_reference_rises_slowly_falls_slower_and_has_a_floor(self):
        levels = torch.tensor([[-9.0] * 10 + [-1.0] * 20 + [-9.0] * 1000])
        s = references(levels, torch.tensor([REFERENCE_START]), REFERENCE_FALL)[0]
        self.assertEqual(float(s[9]), REFERENCE_START)
        self.assertAlmostEqual(float(s[10]), REFERENCE_START + 0.5, places=5)
        self.assertAlmostEqual(float(s[29]), -1.0, places=5)
        self.assertAlmostEqual(float(s[1029]), -1.8, places=2)

    def test_features_know_nothing_of_later_audio(self):
        audio = beat()
        changed = audio.clone()
        frame = 120
        changed[:, frame * HOP + 1024 :] = 0.3
        for a, b in zip(relative(BandPowers()(audio)), relative(BandPowers()(changed))):
            self.assertTrue(torch.equal(a[..., : frame + 1], b[..., : frame + 1]))
            self.assertFalse(torch.equal(a, b))

    def test_the_usual_is_a_mean_at_first(self):
        x = torch.rand(1, 3, 40)
        torch.testing.assert_close(usual(x, torch.zeros(1, 40), USUAL_FRAMES)[..., -1], x.mean(-1))

    def test_silence_before_a_passage_changes_nothing_but_the_reference(self):
        audio = beat()
        later = torch.cat([torch.zeros(1, 100 * HOP), audio], dim=1)
        plain, shifted = (relative(BandPowers()(x)) for x in (audio, later))
        # What the longer window sees before the first sample aside.
        torch.testing.assert_close(shifted[0][..., 104:], plain[0][..., 4:], atol=2e-3, rtol=0)
        self.assertEqual(float(shifted[0][:, 2, :, :90].abs().max()), 0.0)


class Network(unittest.TestCase):
    def test_taps_are_a_convolution(self):
        layer = TimeConvolution(5, 7, 3, 2, 1).double()
        x = torch.randn(9, 2, 5, dtype=torch.double, requires_grad=True)
        padded = torch.nn.functional.pad(x.permute(1, 2, 0), (2, 2))
        expected = torch.nn.functional.conv1d(padded, layer.weight.permute(2, 1, 0), dilation=2).permute(2, 0, 1)
        torch.testing.assert_close(layer(x), expected)
        self.assertTrue(torch.autograd.gradcheck(lambda x, w: Taps.apply(x, w, (-4, -1, 3)), (x, layer.weight)))

    def test_the_recurrence_is_a_gru(self):
        torch.manual_seed(0)
        ours = Gru(4, 4).double()
        theirs = torch.nn.GRU(4, 4).double()
        theirs.load_state_dict(ours.state_dict())
        x = torch.randn(6, 2, 4, dtype=torch.double, requires_grad=True)
        torch.testing.assert_close(ours(x), theirs(x)[0])
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        weights = [getattr(ours, name) for name in names]
        self.assertTrue(torch.autograd.gradcheck(Recurrence.apply, (x, *weights)))

    def test_outputs_look_ahead_as_far_as_they_say(self):
        torch.manual_seed(0)
        net = m.DrumNet().eval()
        channels, scalars = torch.randn(1, 3, BANDS, 96), torch.randn(1, 2, 96)
        reached = 0
        with torch.no_grad():
            before = net(channels, scalars)["classes"]
            for frame in range(60, 64):
                changed = channels.clone()
                changed[..., frame:] += 1.0
                different = (net(changed, scalars)["classes"] - before).abs().amax((0, 1)) > 0
                reached = max(reached, frame - int(different.nonzero()[0]))
        self.assertEqual(reached, m.FUTURE_FRAMES)
        self.assertLessEqual(m.FUTURE_FRAMES * HOP + 1024, 0.160 * 32_000)

    def test_a_group_has_no_more_strokes_than_it_counts(self):
        outputs = {"counts": torch.full((1, 6, 4), -8.0), "classes": torch.randn(1, len(CLASSES), 4) * 3}
        outputs["counts"][:, 0] = 8.0  # one stroke on the skins
        a = m.activations(outputs)
        self.assertAlmostEqual(float(a[0, list(GROUPS[0]), 0].sum()), 1.0, places=2)
        self.assertLess(float(a[0, list(GROUPS[1]), 0].sum()), 0.01)

    def test_the_loss_falls_on_one_segment(self):
        torch.manual_seed(0)
        from hitscribe_train.drums.optimizer import Optimizer

        net = m.DrumNet()
        hits = np.array([(0.125 + 0.25 * i, (KICK, SNARE)[i % 2], 0.7, 0.0) for i in range(7)], np.float32)
        channels, scalars = relative(BandPowers()(beat()))
        targets = torch.from_numpy(np.stack(labels(hits, channels.shape[-1])))[:, None]
        optimizer, seen = Optimizer(net, 2e-3), []
        for _ in range(12):
            parts = losses(net(channels, scalars), targets)
            optimizer.step(sum(parts.values()), 2e-3, net)
            seen.append(parts["count"].item() + parts["class"].item())
        self.assertLess(seen[-1], 0.6 * seen[0])

    def test_orthogonal(self):
        x = torch.randn(2, 6, 20)
        values = torch.linalg.svdvals(orthogonal(x))
        self.assertTrue(((values > 0.6) & (values < 1.3)).all())


class Targets(unittest.TestCase):
    def test_strokes_are_spread_and_hidden_ones_not_judged(self):
        hits = np.array([(0.804, KICK, 0.5, 0.0), (1.6, SNARE, 0.5, -30.0)], np.float32)
        strokes, ignored, hit, velocity, shift = labels(hits, 256)
        self.assertEqual(hit.sum(), 1.0)
        row = strokes[KICK, 98:104]
        np.testing.assert_allclose(row, [0, 0, 1, 1, 0, 0], atol=1e-3)
        self.assertEqual(ignored[SNARE].sum(), 9)

        outputs = {"counts": torch.full((1, 6, 256), -9.0), "classes": torch.zeros(1, len(CLASSES), 256)}
        outputs |= {"shift": torch.zeros(1, len(CLASSES), 256), "velocity": torch.zeros(1, len(CLASSES), 256)}
        t = torch.from_numpy(np.stack(labels(hits, 256)))[:, None]
        base = losses(outputs, t)["count"]
        outputs["counts"][:, 0, 200] = 9.0  # what is claimed for the hidden stroke
        self.assertAlmostEqual(float(losses(outputs, t)["count"]), float(base), places=4)
        outputs["counts"][:, 0, 150] = 9.0  # and where nothing is
        self.assertGreater(float(losses(outputs, t)["count"]), float(base) + 0.1)


class Picking(unittest.TestCase):
    def frames(self, *strokes):
        a = np.zeros((len(CLASSES), 50))
        for c, frame, value in strokes:
            a[c, frame] = value
        return a, np.zeros_like(a)

    def test_doubt_between_classes_gives_one_hit(self):
        found = pick(*self.frames((SNARE, 20, 0.45), (KICK, 20, 0.2), (CLAP, 20, 0.35)))
        self.assertEqual(found[:, 1].tolist(), [SNARE])
        # Even if the thresholds of both are reached, one stroke is one hit.
        rule = Rule(classes=(0.3,) * len(CLASSES))
        self.assertEqual(len(pick(*self.frames((SNARE, 20, 0.5), (CLAP, 21, 0.45)), rule)), 1)

    def test_two_strokes_at_once_are_two_hits(self):
        found = pick(*self.frames((SNARE, 20, 0.9), (KICK, 20, 0.9), (HAT, 21, 0.8)))
        self.assertEqual(sorted(found[:, 1]), [KICK, SNARE, HAT])

    def test_a_quick_pair_stays(self):
        self.assertEqual(len(pick(*self.frames((SNARE, 20, 0.9), (SNARE, 24, 0.8)))), 2)


class Score(unittest.TestCase):
    def test_hidden_strokes_count_neither_way(self):
        reference = np.array([(1.0, KICK, 0.5, 0.0), (2.0, KICK, 0.5, -40.0), (3.0, KICK, 0.5, 0.0)])
        estimate = np.array([(1.02, KICK, 0.9, 0.5), (2.01, KICK, 0.9, 0.5), (5.0, KICK, 0.9, 0.5)])
        self.assertEqual(counts(reference, estimate, FIVE)["kick"], (1, 2, 2))


class RingOfSegments(unittest.TestCase):
    def test_a_segment_comes_back_and_old_ones_go(self):
        samples = 131_072
        record = (np.zeros(samples, "<i2").tobytes() + np.uint32(2).tobytes()
                  + np.arange(Ring.max_hits(samples) * 4, dtype="<f4").tobytes())  # fmt: skip
        self.assertEqual(len(record), Ring.record_bytes(samples))
        audio, hits = Ring.parse(record, samples)
        self.assertEqual((len(audio), hits.shape), (samples, (2, 4)))
        with tempfile.TemporaryDirectory() as folder:
            ring = Ring(folder, samples, 2)
            for value in range(3):
                ring.write(np.full((2, BANDS, 512), value, np.float16), hits + value)
            again = Ring(folder)
            self.assertEqual((len(again), int(again.totals[0])), (2, 3))
            self.assertEqual(set(again.choose(np.random.default_rng(0), 50)), {0, 1})
            powers, read = again.read(0)
            self.assertEqual((float(powers.min()), float(read[0, 0])), (2.0, 2.0))
            with self.assertRaises(SystemExit):
                Ring(folder, 262_144)

    def test_what_is_forgotten_goes_once_there_is_enough_else(self):
        with tempfile.TemporaryDirectory() as folder:
            ring, rng = Ring(folder, 131_072, 2000), np.random.default_rng(0)
            ring.totals[0] = 1000
            ring.forget()
            ring.totals[0] = 1400
            self.assertEqual(int(ring.choose(rng, 5000).min()), 600)
            ring.totals[0] = 2500
            chosen = ring.choose(rng, 20_000)
            self.assertEqual((int(chosen.min()), int(chosen.max())), (0, 1999))
            self.assertFalse(((chosen >= 500) & (chosen < 1000)).any())

    def test_an_example_is_finite_and_its_targets_move_along(self):
        powers = BandPowers()(beat(4.096))[0].numpy().astype(np.float16)
        hits = np.array([(2.0, KICK, 0.5, 0.0)], np.float32)
        for seed in range(20):
            rng = np.random.default_rng(seed)
            varied, start, targets = example(powers, hits, rng)
            first = int(np.random.default_rng(seed).integers(0, 32))
            self.assertEqual(int(targets[2, KICK].argmax()), 250 - first)
            inputs = relative(varied[None], torch.tensor([start], dtype=torch.float32))
            self.assertTrue(all(torch.isfinite(x).all() for x in inputs))


    def test_unseen_segments_are_judged_in_order_and_alike(self):
        from hitscribe_train.drums.unseen import BATCH, mean_losses

        torch.manual_seed(0)
        net, rng = m.DrumNet(((4, 3), (4, 3), (4, 1)), 8, 8).eval(), np.random.default_rng(0)
        hits = np.array([(2.0, KICK, 0.5, 0.0)], np.float32)
        with tempfile.TemporaryDirectory() as folder:
            ring = Ring(folder, 131_072, BATCH + 1)
            for _ in range(BATCH + 1):
                ring.write(rng.uniform(-8.0, -2.0, (2, BANDS, 512)).astype(np.float16), hits)
            first, again = mean_losses(net, ring), mean_losses(net, ring)
            ring.hits[0, 0, 1] = SNARE
            other = mean_losses(net, ring)
        self.assertEqual(first, again)
        self.assertNotEqual(first["class"], other["class"])
        self.assertEqual(first["count"], other["count"])


class Training(unittest.TestCase):
    def test_a_run_goes_on_where_it_stopped_and_branches_fall(self):
        from hitscribe_train.drums.train import Run

        with tempfile.TemporaryDirectory() as folder:
            options = SimpleNamespace(run=folder, start=None, rate=1e-3, fall=0, warm_up=1, keep=0.9, half=False)
            run = Run(options)
            channels, scalars = relative(BandPowers()(beat(1.024)))
            targets = torch.from_numpy(np.stack(labels(np.zeros((0, 4), np.float32), 128)))[:, None]
            run.train(channels, scalars, targets)
            run.save()
            again = Run(options)
            self.assertEqual((again.step, again.segments), (1, 0.25))
            for a, b in zip(run.net.state_dict().values(), again.net.state_dict().values()):
                self.assertTrue(torch.equal(a, b))
            with tempfile.TemporaryDirectory() as branch:
                falling = Run(SimpleNamespace(**vars(options) | {"run": branch, "start": again.path, "fall": 2}))
                self.assertEqual((falling.rate(), falling.is_done()), (1e-3, False))
                falling.step += 2
                self.assertTrue(falling.is_done())

    def test_products_of_16_bit_floats_give_nearly_the_same_gradients(self):
        from hitscribe_train.drums import features as of_drums
        from hitscribe_train.pitched.harmonic import features as of_notes
        from hitscribe_train.pitched.harmonic.model import HarmonicNet

        torch.manual_seed(2)
        for net, sizes in ((m.DrumNet(), of_drums), (HarmonicNet(), of_notes)):
            inputs = torch.randn(2, sizes.CHANNELS, sizes.BANDS, 64), torch.randn(2, sizes.SCALARS, 64)
            gradients = []
            for half in (False, True):
                net.zero_grad()
                with torch.autocast("cpu", torch.bfloat16, enabled=half):
                    outputs = net(*inputs)
                sum(torch.sigmoid(value.float()).square().mean() for value in outputs.values()).backward()
                gradients.append(torch.cat([p.grad.flatten() for p in net.parameters()]))
            self.assertGreater(torch.cosine_similarity(*gradients, dim=0).item(), 0.98)
            self.assertFalse(torch.equal(*gradients))

    def test_a_network_that_grows_computes_the_same_and_goes_on(self):
        from hitscribe_train.drums.grow import grown
        from hitscribe_train.drums.optimizer import Optimizer

        torch.manual_seed(0)
        small, big = m.DrumNet(((4, 3), (6, 3), (6, 1)), 10, 12), m.DrumNet(((5, 3), (8, 3), (9, 1)), 16, 14)
        optimizer = Optimizer(small, 1e-2)
        inputs = torch.randn(2, 3, BANDS, 64), torch.randn(2, 2, 64)
        for _ in range(3):
            optimizer.step(sum(x.square().mean() for x in small(*inputs).values()), 1e-2, small)
        saved = {"net": small.state_dict(), "model": small.state_dict(), "optimizer": optimizer.state_dict()}
        result = grown(saved | {"step": 3, "segments": 1.5, "first_step": 0}, big)
        self.assertEqual((result["step"], result["segments"], result["first_step"]), (3, 1.5, 3))
        big.load_state_dict(result["net"])
        with torch.no_grad():
            before, after = small.eval()(*inputs), m.DrumNet.of(result["model"]).eval()(*inputs)
        for name, values in before.items():
            torch.testing.assert_close(after[name], values, atol=1e-5, rtol=1e-5)

        # What is new takes part after a step.
        again = Optimizer(big, 1e-2)
        again.load_state_dict(result["optimizer"])
        again.step(sum(x.square().mean() for x in big.train()(*inputs).values()), 1e-2, big)
        self.assertGreater(big.head.weight.detach()[:, 10:].abs().min().item(), 0.0)
        self.assertGreater(big.memory[0].spread.weight.detach()[:, 12:, :12].abs().min().item(), 0.0)


if __name__ == "__main__":
    unittest.main()
