#!/usr/bin/env python3
"""Makes the files of this folder (needs torch and safetensors): `make_tiny.py`, in this folder.

tiny.pth        a random MT3 of width 16 in torch's zip format, with the two aliased tensors
lively.safetensors  the same with other weights of its output, which predict many different drums
legacy.pth      a few tensors in torch's legacy format: strided, scalar, f16, i64
lightning.ckpt  a few tensors under state_dict, among objects of classes nobody knows
memory.safetensors  what makes tiny.pth an MR-MT3 with memory, and the ids and memories of both its variants
expected.safetensors  features and what engine/benches/mt3_torch.py makes of them with tiny.pth
"""

import collections
import pathlib
import sys

import torch
from safetensors.torch import save_file

here = pathlib.Path(__file__).parent
sys.path.insert(0, str(here / "../../../benches"))
from mt3_torch import Mt3  # noqa: E402

SIZE, HEADS, HEAD, INNER, LAYERS, VOCABULARY = 16, 2, 8, 24, 1, 1536
MEMORY_ROWS = 8


def weights():
    generator = torch.Generator().manual_seed(7)

    def random(*shape, scale=None):
        return torch.randn(*shape, generator=generator) * (scale or shape[-1] ** -0.5)

    out = collections.OrderedDict()
    out["proj.weight"] = random(SIZE, SIZE, scale=0.1)
    out["decoder_embed_tokens.weight"] = random(VOCABULARY, SIZE, scale=1.0).half().float()
    out["encoder.embed_tokens.weight"] = out["proj.weight"]
    out["decoder.embed_tokens.weight"] = out["decoder_embed_tokens.weight"]
    for stack in ("encoder", "decoder"):
        out[f"{stack}.pos_emb.inv_freq"] = 1.0 / (10000.0 ** (torch.arange(0, SIZE, 2).float() / SIZE))
        for layer in range(LAYERS):
            attentions = ["SelfAttention"] + (["EncDecAttention"] if stack == "decoder" else [])
            for index, attention in enumerate(attentions):
                name = f"{stack}.block.{layer}.layer.{index}"
                for which in "qkv":
                    out[f"{name}.{attention}.{which}.weight"] = random(HEADS * HEAD, SIZE)
                out[f"{name}.{attention}.o.weight"] = random(SIZE, HEADS * HEAD)
                out[f"{name}.layer_norm.weight"] = 1 + random(SIZE, scale=0.1)
            name = f"{stack}.block.{layer}.layer.{len(attentions)}"
            out[f"{name}.DenseReluDense.wi_0.weight"] = random(INNER, SIZE)
            out[f"{name}.DenseReluDense.wi_1.weight"] = random(INNER, SIZE)
            out[f"{name}.DenseReluDense.wo.weight"] = random(SIZE, INNER)
            out[f"{name}.layer_norm.weight"] = 1 + random(SIZE, scale=0.1)
        out[f"{stack}.final_layer_norm.weight"] = 1 + random(SIZE, scale=0.1)
    out["lm_head.weight"] = random(VOCABULARY, SIZE)
    out["lm_head.weight"][1] *= 1.6  # so that sequences end
    return out


def lively(state):
    """Found by trial: sequences end, times grow, and there are many drums among what is said."""
    out = {name: tensor.clone() for name, tensor in state.items() if not name.endswith(".embed_tokens.weight")}
    rows = out["lm_head.weight"]
    rows[[0, 2]] = 0  # padding, unknown
    rows[1] *= 1.23 / 1.6  # end
    rows[3:209] *= 0.78  # times within a segment
    rows[209:1004] = 0  # times beyond it
    rows[1004:1132] *= 1.14  # pitches
    rows[1132:1134] *= 1.56  # velocities
    rows[1134] *= 1.13  # ties
    rows[1135:1263] *= 0.7  # programs
    rows[1263:1391] *= 1.16  # drums
    rows[1391:] = 0
    out["decoder_embed_tokens.weight"] *= 0.87
    return {name: tensor.half().contiguous() for name, tensor in out.items()}


def memory_weights():
    """One block of a memory encoder, in values that 16 bits hold."""
    generator = torch.Generator().manual_seed(11)
    block = "segmem_encoder.block.0.layer"
    shapes = {f"{block}.0.SelfAttention.{which}.weight": (HEADS * HEAD, SIZE) for which in "qkv"}
    shapes |= {
        "segmem_proj.weight": (SIZE, SIZE),
        f"{block}.0.SelfAttention.o.weight": (SIZE, HEADS * HEAD),
        f"{block}.1.DenseReluDense.wi_0.weight": (INNER, SIZE),
        f"{block}.1.DenseReluDense.wi_1.weight": (INNER, SIZE),
        f"{block}.1.DenseReluDense.wo.weight": (SIZE, INNER),
    }
    out = {name: torch.randn(shape, generator=generator) * 2 * shape[-1] ** -0.5 for name, shape in shapes.items()}
    for norm in (f"{block}.0.layer_norm", f"{block}.1.layer_norm", "segmem_encoder.final_layer_norm"):
        out[norm + ".weight"] = 1 + torch.randn(SIZE, generator=generator) * 0.1
    return {name: tensor.half() for name, tensor in out.items()}


class Stranger:
    """A class that no reader can have."""

    def __init__(self):
        self.settings = {"depth": [1, 2, (3, {"four": 5.0})]}


def main():
    torch.manual_seed(3)
    state = weights()
    torch.save(state, here / "tiny.pth")
    save_file(lively(state), here / "lively.safetensors")
    base = torch.arange(24.0).reshape(4, 6)
    torch.save(
        collections.OrderedDict(
            whole=base, turned=base.t(), part=base[1:3, 2:5], scalar=torch.tensor(7.5),
            half=torch.tensor([1.5, -2.0]).half(), long=torch.tensor([1, -2, 3]),
        ),
        here / "legacy.pth",
        _use_new_zipfile_serialization=False,
    )
    torch.save(
        {
            "epoch": 3,
            "stranger": Stranger(),
            "callbacks": {("a", 1): Stranger},
            "state_dict": collections.OrderedDict({"model.a": base, "model.b": torch.nn.Parameter(base[0].clone())}),
            "optimizer_states": [{"state": {0: {"step": 5, "exp_avg": torch.ones(3)}}}],
            "hyper_parameters": {"model_cfg": {"decoder": {"multi-t5": {"num_heads": 3, "d_kv": 16}}}, "task": Stranger()},
        },
        here / "lightning.ckpt",
    )
    with torch.inference_mode():
        model = Mt3(state, HEADS)
        features = torch.randn(3, 40, SIZE) * 3
        encoded = model.encode(features)
        caches, logits = model.start(encoded), []
        teacher = torch.tensor([0, 1134, 13, 1135, 1132, 1064, 1063, 40])
        for position, token in enumerate(teacher):
            logits.append(model.step(token.expand(3), position, caches))
        greedy = model.greedy(encoded, 60)
        for row in greedy:
            end = (row == 1).nonzero()
            if len(end):
                row[end[0, 0] + 1 :] = -1
    save_file(
        {
            "features": features, "encoder_out": encoded, "tf_ids": teacher.int(),
            "tf_logits": torch.stack(logits, dim=1)[:, :, ::16].contiguous(), "greedy_ids": greedy.int().contiguous(),
        },
        here / "expected.safetensors",
    )
    extra = memory_weights()
    with torch.inference_mode():
        model = Mt3(state | {name: tensor.float() for name, tensor in extra.items()}, HEADS)
        for variant, first in (("v2-with-prev", [1134, 1]), ("v2", [1])):
            sequences, memories = model.with_memory(model.encode(features), first, MEMORY_ROWS, 60)
            extra |= {f"{variant}.ids{segment}": ids.int() for segment, ids in enumerate(sequences)}
            extra |= {f"{variant}.memory{segment}": memories[segment][0] for segment in range(2)}
            print(variant, [len(ids) for ids in sequences])
    save_file(extra, here / "memory.safetensors")
    print("greedy", greedy.shape, (greedy == 1).any(1), [p.name + " " + str(p.stat().st_size) for p in sorted(here.iterdir())])


main()
