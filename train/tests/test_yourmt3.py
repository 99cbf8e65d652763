"""Tests of YourMT3: python -m unittest discover train/tests (torch, numpy, safetensors)."""

import os
import pickle
import sys
import tempfile
import unittest
from dataclasses import replace

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from hitscribe_train.mt3.model import Config as T5Config  # noqa: E402
from hitscribe_train.yourmt3 import checkpoint, parity  # noqa: E402
from hitscribe_train.yourmt3.model import BINS, EOS, FRAMES, SEGMENT_SAMPLES, Config, YourMt3  # noqa: E402
from hitscribe_train.yourmt3.perceiver import PerceiverConfig  # noqa: E402

# Numbers of the published program beside the repository; what needs them is skipped without.
PACK = os.path.join(HERE, "../../../shared/parity/yourmt3/tiny")
NO_PACK = f"no golden data at {os.path.normpath(PACK)}"

SMALL = Config(
    4, 3, PerceiverConfig(latents=26, size=16, heads=4, blocks=1, local_layers=1, temporal_layers=1, experts=3, expert_size=8),
    13, T5Config(width=16, heads=2, head_size=4, feed_forward=16, decoder_layers=1, vocabulary=596), 1034,
)  # fmt: skip


def small(channels=13, seed=0):
    torch.manual_seed(seed)
    return YourMt3(replace(SMALL, channels=channels))


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
        said = {"model_cfg": checkpoint.model_cfg(net.config), "task_manager": Object(), "dtype": torch.zeros(1).numpy()}
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


if __name__ == "__main__":
    unittest.main()
