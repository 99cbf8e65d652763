"""MT3 checkpoints: reading them as far as they fit, and writing what the engine and MT3-PyTorch read."""

import json
import os
import pickle
from dataclasses import dataclass, field, replace

import torch
from safetensors.torch import load_file, save_file

from .model import HEAD_SIZE, Config, Mt3

# Keys of the published checkpoint that name a tensor for the second time.
ALIASES = {
    "encoder.embed_tokens.weight": "proj.weight",
    "decoder.embed_tokens.weight": "decoder_embed_tokens.weight",
    "segmem_encoder.embed_tokens.weight": "segmem_proj.weight",
}


@dataclass
class Report:
    """What of a checkpoint was not used, and what of a network it did not fill."""

    missing: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    misshapen: list[str] = field(default_factory=list)

    def __str__(self):
        parts = ((name.replace("_", " "), getattr(self, name)) for name in ("missing", "unused", "misshapen"))
        return "; ".join(f"{len(keys)} {name}: {', '.join(keys)}" for name, keys in parts if keys) or "all tensors used"


def read(path):
    """Tensors by key, and the T5 configuration as far as the file has it. Of a Lightning checkpoint the network's,
    without `model.`"""
    if path.endswith(".safetensors"):
        return load_file(path), {}
    # Nothing but tensors and plain values is read: no code of the file runs.
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise SystemExit(f"{path}: holds more than tensors ({error}); save its state_dict alone") from None
    hparams = saved.get("hyper_parameters") or {}
    hparams = (hparams.get("config") or hparams) if isinstance(hparams, dict) else {}
    values = saved.get("state_dict", saved)
    if "model.proj.weight" in values:
        values = {key.removeprefix("model."): value for key, value in values.items()}
    return {key: value.float() for key, value in values.items() if torch.is_tensor(value)}, hparams


def config_of_json(path):
    """Sizes from a T5 configuration (`config.json`); `n_mels` is the number of bands if it is not the width."""
    with open(path) as file:
        hparams = json.load(file)
    try:
        return Config(
            hparams.get("n_mels", hparams["d_model"]), hparams["d_model"], hparams["num_heads"],
            hparams["d_kv"], hparams["d_ff"], hparams["num_layers"], hparams["num_decoder_layers"],
            hparams["vocab_size"], hparams.get("segmem_length", 0),
            hparams.get("segmem_num_layers", 1), hparams.get("memory_variant", Config.memory_variant),
        )  # fmt: skip
    except KeyError as missing:
        raise SystemExit(f"{path}: {missing} is missing; a T5 configuration has it") from None


@torch.no_grad()
def fill(net, values):
    """Copies what fits and says what did not."""
    report = Report()
    own = net.state_dict()
    for key, target in own.items():
        source = values.get(key, values.get(ALIASES.get(key)))
        if source is None:
            report.missing.append(key)
        elif source.shape != target.shape:
            report.misshapen.append(f"{key} {list(source.shape)} for {list(target.shape)}")
        elif not source.isfinite().all():
            report.misshapen.append(f"{key} with values that are not numbers")
        else:
            target.copy_(source)
    report.unused += [key for key in values if key not in own]
    return report


def load(path, config_path=None, **changes):
    """The network of a checkpoint and a report. A configuration, or `changes` of it, asks for other sizes than the
    checkpoint's: what does not fit stays as it is at random."""
    if path is None:
        return Mt3(replace(config_of_json(config_path), **changes)), Report()
    values, hparams = read(path)
    if config_path:
        config = config_of_json(config_path)
    else:
        beside = os.path.join(os.path.dirname(path), "config.json")
        if os.path.exists(beside):
            with open(beside) as file:
                hparams = json.load(file) | hparams
        try:
            config = Config.of(values, hparams)
        except ValueError as wrong:
            raise SystemExit(f"{path}: {wrong}") from None
    net = Mt3(replace(config, **changes))
    return net, fill(net, values)


def write(net, path, half=False):
    """Writes the network with the keys of mt3.pth, whole or not at all; .safetensors has each tensor once. `half`:
    matrices in 16-bit floats.

    What does not follow from the tensors (the width of a head, the memory) is written beside them, where the engine
    looks for it.
    """
    values = {key: value.detach().float().cpu() for key, value in net.state_dict().items()}
    if half:
        values = {key: value.half() if value.dim() > 1 else value for key, value in values.items()}
    config, hparams = net.config, {}
    if config.head_size != HEAD_SIZE:
        hparams = {"num_heads": config.heads, "d_kv": config.head_size}
    if config.memory_rows:
        # MR-MT3's published weights, which the engine expects where there is a memory, have other features.
        hparams |= {"segmem_length": config.memory_rows, "memory_variant": config.memory_variant, "front_end": "mt3"}
    new = path + ".new"
    if path.endswith(".safetensors"):
        if hparams:
            raise SystemExit(f"{path}: {', '.join(hparams)} fit into .pth files only")
        save_file({key: value.contiguous() for key, value in values.items() if key not in ALIASES}, new)
    else:
        for alias, key in ALIASES.items():
            if key in values:
                values[alias] = values[key]
        if hparams:
            values = {"state_dict": values, "hyper_parameters": hparams}
        torch.save(values, new)
    os.replace(new, path)
