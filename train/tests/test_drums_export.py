"""The exported tensors, computed in NumPy as train/NETWORK.md says, give what PyTorch gives."""

import unittest

import numpy as np

from hitscribe_train.drums.parity import pack


def relu(x):
    return np.maximum(x, 0.0)


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def taps(x, weight, bias, offsets):
    """x: [frames, inputs]; weight: [taps * inputs, outputs]; zeros outside of the passage."""
    columns = []
    for offset in offsets:
        column = np.zeros_like(x)
        for t in range(len(x)):
            if 0 <= t + offset < len(x):
                column[t] = x[t + offset]
        columns.append(column)
    return np.concatenate(columns, axis=1) @ weight + bias


def blocks(x, values, name, shapes):
    for index, b in enumerate(shapes):
        offsets = [(i - b["past_taps"]) * b["dilation"] for i in range(b["taps"])]
        inside = relu(taps(x, values[f"{name}.{index}.spread.weight"], values[f"{name}.{index}.spread.bias"], offsets))
        x = x + inside @ values[f"{name}.{index}.mix.weight"] + values[f"{name}.{index}.mix.bias"]
    return x


def pairs(x, pair):
    """[frames, values...] -> [steps, values..., pair x last], the first frame's values first."""
    return np.concatenate([x[i::pair] for i in range(pair)], axis=-1)


def stem(x, values, layers):
    """x: [steps, bands, channels]"""
    for index, layer in enumerate(layers):
        weight = values[f"stem.{index}.weight"]
        steps, bands, inputs = x.shape
        padded = np.pad(x, ((layer["steps"] // 2, layer["steps"] // 2), (1, 1), (0, 0)))
        out = np.zeros((steps, (bands + 1) // 2, weight.shape[2])) + values[f"stem.{index}.bias"]
        for band in range(out.shape[1]):
            for i in range(3):  # of bands; times and inputs are together
                window = [padded[t : t + steps, 2 * band + i] for t in range(layer["steps"])]
                out[:, band] += np.concatenate(window, axis=1) @ weight[i]
        x = relu(out)
    return x.reshape(len(x), -1)


def gru(x, values):
    h, out = np.zeros(values["gru.hidden.weight"].shape[0]), []
    for row in x:
        a = row @ values["gru.input.weight"] + values["gru.input.bias"]
        b = h @ values["gru.hidden.weight"] + values["gru.hidden.bias"]
        (ar, az, an), (br, bz, bn) = np.split(a, 3), np.split(b, 3)
        r, z = sigmoid(ar + br), sigmoid(az + bz)
        h = (1 - z) * np.tanh(an + r * bn) + z * h
        out.append(h)
    return np.array(out)


def network(values, config):
    x = stem(pairs(values["check.channels"], config["pair"]), values, config["stem"])
    x = np.concatenate([x, pairs(values["check.scalars"], config["pair"])], axis=1)
    x = relu(x @ values["project.weight"] + values["project.bias"])
    fine = blocks(x, values, "before", config["before"])
    joined = fine.reshape(len(fine) // config["stride"], -1)
    coarse = relu(joined @ values["down.weight"] + values["down.bias"])
    coarse = blocks(coarse, values, "memory", config["memory"])
    both = np.concatenate([coarse, gru(relu(coarse), values)], axis=1)
    gain, offset = np.split(both @ values["up.weight"] + values["up.bias"], 2, axis=1)
    again = lambda v: np.repeat(v, config["stride"], axis=0)
    fine = blocks(fine * (1.0 + again(gain)) + again(offset), values, "after", config["after"])
    outputs = relu(fine) @ values["head.weight"] + values["head.bias"]
    return outputs.reshape(len(outputs) * config["pair"], -1)


def activations(outputs, config):
    classes, most = len(config["classes"]), config["max_strokes"]
    counts, logits = outputs[:, : config["outputs"]["counts"]], outputs[:, config["outputs"]["counts"] :][:, :classes]
    result = np.zeros_like(logits)
    for group, members in enumerate(config["groups"]):
        at_least = np.minimum.accumulate(sigmoid(counts[:, group * most : (group + 1) * most]), axis=1)
        e = np.exp(logits[:, members] - logits[:, members].max(1, keepdims=True))
        result[:, members] = at_least.sum(1, keepdims=True) * e / e.sum(1, keepdims=True)
    return np.minimum(result, 1.0)


class Export(unittest.TestCase):
    def test_the_exported_network_is_the_trained_one(self):
        tensors, config = pack()
        values = {name: tensor.double().numpy() for name, tensor in tensors.items()}
        outputs = network(values, config)
        np.testing.assert_allclose(outputs, values["check.outputs"], atol=2e-4)
        self.assertGreater(np.ptp(outputs), 1.0)
        np.testing.assert_allclose(activations(outputs, config), values["check.activations"], atol=1e-4)
        self.assertGreater(len(values["check.hits"]), 5)


if __name__ == "__main__":
    unittest.main()
