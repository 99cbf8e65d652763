"""Tests of going on from exported weights: python -m unittest discover train/tests"""

import os
import sys
import unittest

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from hitscribe_train.drums.independent.weights_file import from_weights_file, measure_norms  # noqa: E402

WEIGHTS = os.path.join(HERE, "../../engine/models/weights/builtin.safetensors")


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
        # In training the norms take the statistics of the batch, which here are those that were
        # measured.
        self.assertLess((in_training - before).abs().mean().item(), 1e-2)


if __name__ == "__main__":
    unittest.main()
