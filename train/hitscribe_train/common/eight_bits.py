"""Weights files in 8 bits:

    python -m hitscribe_train.common.eight_bits IN.safetensors OUT.safetensors

Every tensor of two dimensions or more becomes integers from -127 to 127, with a factor for each index of its last
dimension, the outputs, in NAME.scale. The engine reads both kinds of file. A file is a quarter of the size that 32-bit
floats take and half of what 16-bit floats take.
"""

import argparse

import torch
from safetensors import safe_open
from safetensors.torch import save_file

SCALE = ".scale"


def quantized(values):
    """Name -> tensor, with matrices in 8 bits."""
    out = {}
    for name, value in values.items():
        if value.dim() < 2:
            out[name] = value.half()
            continue
        value = value.float()
        most = value.abs().amax(dim=tuple(range(value.dim() - 1)))
        scale = (most / 127.0).clamp(min=1e-12)
        out[name] = torch.round(value / scale).clamp(-127, 127).to(torch.int8)
        out[name + SCALE] = scale
    return out


def read(path):
    """The metadata of a weights file, and its tensors in 32-bit floats."""
    with safe_open(path, "pt") as file:
        values = {name: file.get_tensor(name) for name in file.keys()}
        metadata = file.metadata()
    scales = {name: values.pop(name) for name in list(values) if name.endswith(SCALE)}
    floats = {name: value.float() for name, value in values.items()}
    for name, scale in scales.items():
        floats[name.removesuffix(SCALE)] *= scale.float()
    return metadata, floats


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input")
    parser.add_argument("output")
    options = parser.parse_args()
    metadata, values = read(options.input)
    save_file({name: value.contiguous() for name, value in quantized(values).items()}, options.output, metadata=metadata)


if __name__ == "__main__":
    main()
