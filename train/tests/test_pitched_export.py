"""The exported tensors, computed in NumPy as train/HARMONIC.md says, give what PyTorch gives."""

import unittest

import numpy as np

from hitscribe_train.pitched.harmonic.parity import pack


def relu(x):
    return np.maximum(x, 0.0)


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def dense(x, values, name):
    return x @ values[f"{name}.weight"] + values.get(f"{name}.bias", 0.0)


def at(x, offset):
    """Row t is x[t + offset]; zeros outside of the passage."""
    y = np.zeros_like(x)
    for t in range(len(x)):
        if 0 <= t + offset < len(x):
            y[t] = x[t + offset]
    return y


def pairs(x, pair):
    """[frames, values...] -> [steps, values..., pair x last], the first frame's values first."""
    return np.concatenate([x[i::pair] for i in range(pair)], axis=-1)


def stem(x, values, config):
    """x: [steps, bands, inputs] -> [steps, rows, channels]"""
    shape = config["stem"]
    windows = np.stack([x[:, row * shape["stride"] :][:, : shape["bands"]] for row in range(config["rows"])], axis=1)
    windows = windows.reshape(len(x), config["rows"], -1)
    taps = [at(windows, i - shape["steps"] // 2) for i in range(shape["steps"])]
    return relu(dense(np.concatenate(taps, axis=-1), values, "stem")) + values["place"]


def block(x, values, name, shape, shifts):
    narrow, rows = dense(x, values, f"{name}.project"), x.shape[1]
    harmonics = np.zeros((*narrow.shape[:2], len(shifts), narrow.shape[2]))
    for index, shift in enumerate(shifts):
        for row in range(rows):
            if 0 <= row + shift < rows:
                harmonics[:, row, index] = narrow[:, row + shift]
    taps = [at(x, (i - shape["past_taps"]) * shape["dilation"]) for i in range(shape["taps"])]
    both = np.concatenate([harmonics.reshape(*narrow.shape[:2], -1), *taps], axis=-1)
    return x + dense(relu(dense(both, values, f"{name}.spread")), values, f"{name}.mix")


def gru(x, values):
    h, out = np.zeros(values["gru.hidden.weight"].shape[0]), []
    for a in dense(x, values, "gru.input"):
        (ar, az, an), (br, bz, bn) = np.split(a, 3), np.split(dense(h, values, "gru.hidden"), 3)
        r, z = sigmoid(ar + br), sigmoid(az + bz)
        h = (1 - z) * np.tanh(an + r * bn) + z * h
        out.append(h)
    return np.array(out)


def memory(x, values):
    keep, new = np.split(dense(x, values, "memory"), 2, axis=-1)
    keep, new, out = sigmoid(keep), np.tanh(new), []
    state = np.zeros_like(new[0])
    for k, n in zip(keep, new):
        state = k * state + (1 - k) * n
        out.append(state)
    return np.array(out)


def network(values, config):
    """[frames, keys, outputs], [steps, keys, families]"""
    shapes, middle = list(enumerate(config["blocks"])), config["middle"]
    x = stem(pairs(values["check.channels"], config["pair"]), values, config)
    for index, shape in shapes[:middle]:
        x = block(x, values, f"block.{index}", shape, config["shifts"])
    pooled = np.concatenate([x.mean(1), x.max(1), pairs(values["check.scalars"], config["pair"])], axis=1)
    told = dense(gru(relu(dense(pooled, values, "gather")), values), values, "tell")
    early, late = np.split(told[:, None], 2, axis=-1)
    x = x + early
    for index, shape in shapes[middle:]:
        x = block(x, values, f"block.{index}", shape, config["shifts"])
    x = relu(x[:, : config["keys"]] + late)
    x = dense(np.concatenate([x, memory(x, values)], axis=-1), values, "head")
    frames = x[..., : config["pair"] * len(config["outputs"])]
    frames = frames.reshape(*x.shape[:2], config["pair"], -1).swapaxes(1, 2).reshape(-1, x.shape[1], len(config["outputs"]))
    return frames, x[..., -len(config["families"]) :]


class Export(unittest.TestCase):
    def test_the_exported_network_is_the_trained_one(self):
        tensors, config = pack()
        values = {name: tensor.double().numpy() for name, tensor in tensors.items()}
        outputs, family = network(values, config)
        for found, name in ((outputs, "check.outputs"), (family, "check.family")):
            np.testing.assert_allclose(found, values[name], atol=2e-4)
            self.assertGreater(np.ptp(found), 1.0)
        for name in ("check.notes", "check.transcription"):
            self.assertGreater(len(values[name]), 20)
            self.assertGreater(len(set(values[name][:, 4])), 1)


if __name__ == "__main__":
    unittest.main()
