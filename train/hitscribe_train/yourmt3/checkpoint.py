"""YourMT3 checkpoints: reading them as far as they fit, and writing what the engine reads."""

import json
import os
from dataclasses import replace

import torch
from safetensors.torch import load_file

from ..common.torch_file import read_torch_file
from ..mt3.checkpoint import Report, fill
from ..mt3.model import Config as T5Config
from .model import Config, YourMt3
from .perceiver import PerceiverConfig

PRE_DECODER = "pre_decoder.0.linear.weight"
# What `write` records about the output layer; see `as_trained`.
ONE_SCALE = "output_scaled_once_in_training"


def read(path):
    """Tensors by key, without a leading `model.`, and the hparams of the file."""
    if path.endswith(".safetensors"):
        return load_file(path), {}
    saved = read_torch_file(path)
    if not isinstance(saved, dict):
        raise SystemExit(f"{path}: no checkpoint")
    hparams = saved.get("hyper_parameters")
    values = saved.get("state_dict", saved)
    values = {str(key).removeprefix("model."): value for key, value in values.items() if torch.is_tensor(value)}
    return values, hparams if isinstance(hparams, dict) else {}


def count(values, name):
    """How many of the tensors `name(0)`, `name(1)`, ... there are."""
    number = 0
    while name(number) in values:
        number += 1
    return number


def config_of(values, hparams):
    """The sizes of a checkpoint's tensors. Numbers of heads do not follow from them: they come from `model_cfg` in
    `hparams`, or are the published ones. ValueError names what is wrong."""
    model = hparams.get("model_cfg", {})
    own = model.get("decoder", {}).get("multi-t5", {})
    block = "encoder.blocks.0"
    mixture = f"{block}.local_transformer.0.mlp"
    decoder = "decoder.decoder.block"
    try:
        shape = lambda name: values[name].shape
        latents, size = shape("encoder.latent_array.latents")
        width, inputs = shape(PRE_DECODER)
        inner = shape(f"{decoder}.0.layer.0.SelfAttention.q.weight")[0]
        head_size = own.get("d_kv") or (inner // own["num_heads"] if own.get("num_heads") else T5Config.head_size)
        if inputs % size or latents % max(inputs // size, 1) or inner % head_size:
            raise ValueError(f"{latents} latents of {size}, channels of {inputs}, heads of {head_size} in {inner}")
        return Config(
            shape("pre_encoder.0.blocks.0.conv1.weight")[0],
            count(values, lambda n: f"pre_encoder.0.blocks.{n}.conv1.weight"),
            PerceiverConfig(
                latents,
                size,
                model.get("encoder", {}).get("perceiver-tf", {}).get("num_self_attention_heads", PerceiverConfig.heads),
                count(values, lambda n: f"encoder.blocks.{n}.spectral_cross_attention.self.query.weight"),
                count(values, lambda n: f"{block}.local_transformer.{n}.mlp.gate.weight"),
                count(values, lambda n: f"{block}.temporal_transformer.{n}.mlp.gate.weight"),
                shape(f"{mixture}.gate.weight")[0],
                shape(f"{mixture}.experts.0.w1.weight")[0],
                f"{block}.local_transformer.0.layernorm.bias" in values,
            ),
            latents * size // inputs,
            T5Config(
                width=width, heads=inner // head_size, head_size=head_size,
                feed_forward=shape(f"{decoder}.0.layer.2.DenseReluDense.wi_0.weight")[0],
                decoder_layers=count(values, lambda n: f"{decoder}.{n}.layer.0.layer_norm.weight"),
                vocabulary=shape("embed_tokens.weight")[0],
            ),  # fmt: skip
            shape("decoder.decoder.additive_pe.weight")[0],
        )
    except KeyError as missing:
        raise ValueError(f"no tensor {missing}: no YourMT3 of the kind YPTF.MoE+Multi") from None


def model_cfg(config):
    """Sizes under the names of the published configuration. The engine takes the numbers of heads from it."""
    encoder, decoder = config.encoder, config.decoder
    return {
        "conv_out_channels": config.convolution_channels,
        "encoder": {
            "perceiver-tf": {
                "num_latents": encoder.latents, "d_latent": encoder.size, "num_blocks": encoder.blocks,
                "num_local_transformers_per_block": encoder.local_layers,
                "num_temporal_transformers_per_block": encoder.temporal_layers,
                "ff_widening_factor": encoder.expert_size // encoder.size, "moe_num_experts": encoder.experts,
                "num_self_attention_heads": encoder.heads,
            },
        },
        "decoder": {
            "multi-t5": {
                "d_model": decoder.width, "num_heads": decoder.heads, "d_kv": decoder.head_size,
                "num_layers": decoder.decoder_layers, "ff_widening_factor": decoder.feed_forward // decoder.width,
                "num_channels": config.channels,
            },
        },
    }  # fmt: skip


def config_of_json(path):
    """Sizes from `model_cfg`, as `model_cfg` above writes it; those that are not there are the published ones."""
    with open(path) as file:
        hparams = json.load(file)
    hparams = hparams.get("model_cfg", hparams)
    whole = Config()
    encoder = hparams.get("encoder", {}).get("perceiver-tf", {})
    decoder = hparams.get("decoder", {}).get("multi-t5", {})
    size = encoder.get("d_latent", whole.encoder.size)
    width = decoder.get("d_model", whole.decoder.width)
    return Config(
        hparams.get("conv_out_channels", whole.convolution_channels),
        whole.convolution_blocks,
        PerceiverConfig(
            encoder.get("num_latents", whole.encoder.latents),
            size,
            encoder.get("num_self_attention_heads", whole.encoder.heads),
            encoder.get("num_blocks", whole.encoder.blocks),
            encoder.get("num_local_transformers_per_block", whole.encoder.local_layers),
            encoder.get("num_temporal_transformers_per_block", whole.encoder.temporal_layers),
            encoder.get("moe_num_experts", whole.encoder.experts),
            size * encoder.get("ff_widening_factor", 4),
        ),
        decoder.get("num_channels", whole.channels),
        T5Config(
            width=width, heads=decoder.get("num_heads", whole.decoder.heads),
            head_size=decoder.get("d_kv", whole.decoder.head_size), vocabulary=whole.decoder.vocabulary,
            feed_forward=width * decoder.get("ff_widening_factor", 2),
            decoder_layers=decoder.get("num_layers", whole.decoder.decoder_layers),
        ),  # fmt: skip
    )


@torch.no_grad()
def as_trained(net):
    """The published training scales the last hidden state twice by width ** -0.5, its inference once. This moves the
    second scale into the output layer: the likeliest ids stay, and probabilities are those of the training."""
    net.lm_head.lm_head.weight.mul_(net.config.decoder.width**-0.5)


@torch.no_grad()
def of_channels(weight, config, sources):
    """The pre-decoder of one channel made of the channels `sources` of `weight` [width, latents of a
    channel], each with the same share."""
    size = weight.shape[1]
    whole = weight.new_zeros(len(weight), config.encoder.latents * config.encoder.size)
    for channel in sources:
        whole[:, channel * size : (channel + 1) * size] = weight / len(sources)
    return whole


def load(path, config_path=None, channels=None, sources=(), training=False):
    """The network of a checkpoint and a report. A configuration asks for other sizes than the checkpoint's, and
    `channels` for another number of channels: what does not fit stays as it is at random. One channel made of several
    begins with the channels `sources`. For `training` see `as_trained`."""
    if path is None:
        config = config_of_json(config_path)
        return YourMt3(replace(config, channels=channels or config.channels)), Report()
    values, hparams = read(path)
    try:
        config = config_of_json(config_path) if config_path else config_of(values, beside(path) | hparams)
        config = replace(config, channels=channels or config.channels)
        net = YourMt3(config)
    except ValueError as wrong:
        raise SystemExit(f"{path}: {wrong}") from None
    before, after = values.get(PRE_DECODER), net.state_dict()[PRE_DECODER]
    size = config.encoder.size
    if config.channels == 1 and sources and before is not None and len(before) == len(after):
        if before.shape[1] < after.shape[1] and (max(sources) + 1) * before.shape[1] <= config.encoder.latents * size:
            values[PRE_DECODER] = of_channels(before.float(), config, sources)
    report = fill(net, values)
    if training and not hparams.get(ONE_SCALE):
        as_trained(net)
    return net, report


def beside(path):
    """The configuration in the folder of a checkpoint, if there is one."""
    for name in ("config.json", "manifest.json"):
        place = os.path.join(os.path.dirname(path), name)
        if os.path.exists(place):
            with open(place) as file:
                hparams = json.load(file)
            if isinstance(hparams, dict) and "model_cfg" in hparams:
                return {"model_cfg": hparams["model_cfg"]}
    return {}


def write(net, path):
    """Writes the network in the layout of last.ckpt, whole or not at all, with the sizes that do not follow from the
    tensors."""
    values = {key: value.detach().cpu() for key, value in net.state_dict().items()}
    values = {key: value.float() if value.is_floating_point() else value for key, value in values.items()}
    hparams = {"model_cfg": model_cfg(net.config), ONE_SCALE: True}
    torch.save({"state_dict": values, "hyper_parameters": hparams}, path + ".new")
    os.replace(path + ".new", path)
