"""Tests of going on from exported weights: python -m unittest discover train/tests"""

import copy
import os
import sys
import tempfile
import unittest

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from hitscribe_train.export import write  # noqa: E402
from hitscribe_train.weights_file import from_weights_file, measure_norms, networks  # noqa: E402

WEIGHTS = os.path.join(HERE, "../../engine/weights/builtin.safetensors")


class Norms(unittest.TestCase):
    def test_norms_that_are_measured_keep_what_the_network_computes_and_can_be_trained_on(self):
        torch.manual_seed(1)
        net, _ = from_weights_file(WEIGHTS)
        net.eval()
        audio = 0.1 * torch.randn(4, 32_000) * torch.rand(4, 32_000).square()
        with torch.no_grad():
            before = net(audio)[0]
            measure_norms(net, [audio[:2], audio[2:]])
            after = net.eval()(audio)[0]
            in_training = net.train()(audio)[0]
        self.assertLess((after - before).abs().max().item(), 1e-2)
        # In training the norms take the statistics of the batch, which here are those that were measured.
        self.assertLess((in_training - before).abs().mean().item(), 1e-2)

    def test_networks_side_by_side_are_read_as_they_were_written(self):
        torch.manual_seed(2)
        first, _ = from_weights_file(WEIGHTS)
        second = copy.deepcopy(first)
        with torch.no_grad():
            second.head.bias += 1.0
        audio = 0.1 * torch.randn(1, 16_000)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "two.safetensors")
            write([first.eval(), second.eval()], path, {"thresholds": {"kick": 0.25}}, torch.float32)
            nets, thresholds = networks(path)
        self.assertEqual(thresholds["kick"], 0.25)
        with torch.no_grad():
            before = [net(audio)[0] for net in (first, second)]
            after = [net.eval()(audio)[0] for net in nets]
        for a, b in zip(before, after):
            self.assertLess((a - b).abs().max().item(), 1e-3)
        self.assertGreater((after[1] - after[0]).mean().item(), 0.9)


if __name__ == "__main__":
    unittest.main()
