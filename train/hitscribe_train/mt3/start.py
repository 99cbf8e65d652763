"""Weights to begin with: heads that look some frames away, and decoders that carry the time.

An MT3 has no relative positions and its time tokens no order; that they have one is what a training from random numbers
learns first, and slowest. Queries and keys of some heads are made of sines and cosines of the positions here, so that a
head attends to what is `offset` frames later; the embedding of each time token has the code of its frame, in
dimensions of their own, and a head carries it from the last time token to what follows. All of it is trained on.
"""

import math

import torch

from .frames import STEP_FRAMES
from .shuffle import SHIFTS

# Frequencies of the positions that heads compare: inv_freq is BASE ** -index.
NEAR, FAR = range(2, 26, 3), (14, 20, 26, 32)
# Frames that encoder heads attend to, later or earlier, by layer; None: whatever they learn. The
# windows of the 16 frames before an onset reach over it.
ENCODER_OFFSETS = ((-7, -2, 2, 7), (-12, -4, 4, 12), (-3, 3, None, None))
CROSS_OFFSETS = ((-9, -4, 1, None), (-6, 2, None, None))
SHARPNESS = 2.5
# Layer, head, offset and sharpness of the one that attends to the next onset and passes its frame on.
SEARCH = (1, 2, 10, 0.3)


def dims(indices, width):
    """Dimensions of the sines and of the cosines."""
    indices = torch.tensor(list(indices))
    return indices, indices + width // 2


def turned(weight, indices, width, angles, gain):
    """Makes a head's rows read positions turned by `angles`, pair by pair."""
    sines, cosines = dims(indices, width)
    for row, (sine, cosine, angle) in enumerate(zip(sines, cosines, angles)):
        weight[2 * row, sine], weight[2 * row, cosine] = gain * math.cos(angle), gain * math.sin(angle)
        weight[2 * row + 1, sine], weight[2 * row + 1, cosine] = -gain * math.sin(angle), gain * math.cos(angle)


def attend(attention, head, size, frequencies, offset, read_by_query, read_by_key, sharpness=SHARPNESS):
    """Makes a head attend to positions `offset` later. `frequencies`: of the pairs that query and key read."""
    width = attention.q.weight.shape[1]
    gain = sharpness**0.5
    query, key = (part.weight[head * size : (head + 1) * size] for part in (attention.q, attention.k))
    query.mul_(0.1)
    key.mul_(0.1)
    turned(query, read_by_query, width, [w * offset for w in frequencies], gain)
    turned(key, read_by_key, width, [0.0] * len(frequencies), gain)


def carry(attention, head, size, sources, targets, gain):
    """Makes a head add what it finds in the dimensions `sources` to `targets`."""
    attention.v.weight[head * size : head * size + len(sources)] = 0
    attention.o.weight[targets] = 0
    for row, (source, target) in enumerate(zip(sources, targets)):
        attention.v.weight[head * size + row, source] = 1
        attention.o.weight[target, head * size + row] = gain


@torch.no_grad()
def prepare(net):
    """Gives a new network these weights; its heads must be 16 wide or wider."""
    config, width, size = net.config, net.config.width, net.config.head_size
    frequencies = [10000.0 ** (-2 * index / width) for index in range(width // 2)]
    near = [frequencies[index] for index in NEAR]
    # As large as the positions, which the heads below would not find otherwise. Loudness moves all bands alike.
    net.proj.weight.normal_(0, 0.04)
    net.proj.weight.sub_(net.proj.weight.mean(1, keepdim=True))
    # Positions that heads compare stay apart from the features.
    net.proj.weight[torch.cat(dims(NEAR, width))] *= 0.1
    for layer in net.encoder.block:
        layer.layer[0].SelfAttention.o.weight.mul_(0.5)
        layer.layer[1].DenseReluDense.wo.weight.mul_(0.5)
    for layer, offsets in zip(net.encoder.block, ENCODER_OFFSETS):
        for head, offset in enumerate(offsets[: config.heads]):
            if offset is not None:
                attend(layer.layer[0].SelfAttention, head, size, near, offset, NEAR, NEAR)

    # The slowest positions hardly move: their dimensions hold the time, without what the positions add.
    slow = range(width // 2 - 24, width // 2 - 24 + len(NEAR))
    sines, cosines = dims(slow, width)
    is_time = width // 2 - 10
    embedding = net.decoder_embed_tokens.weight
    embedding.normal_(0, 0.5)
    embedding[:, torch.cat(dims({*NEAR, *FAR}, width))] *= 0.1
    embedding[:, sines] = 0
    embedding[:, cosines] = -1
    embedding[:, is_time] = 0
    net.lm_head.weight.mul_(0.5)
    for token in SHIFTS:
        angles = torch.tensor(near) * ((token - SHIFTS.start) * STEP_FRAMES)
        embedding[token, sines] += angles.sin()
        embedding[token, cosines] += angles.cos()
        embedding[token, is_time] = 2
        net.lm_head.weight[token, sines] = 0.3 * angles.sin()
        net.lm_head.weight[token, cosines] = 0.3 * angles.cos()

    first = net.decoder.block[0].layer[0].SelfAttention
    far = [frequencies[index] for index in FAR]
    attend(first, 0, size, far, 0, FAR, FAR, 4.0)
    # The last row of the query is the same everywhere, that of the key differs between time tokens and others.
    first.q.weight[size - 1] = 0
    first.q.weight[size - 1, width - 1] = 3
    first.k.weight[size - 1] = 0
    first.k.weight[size - 1, is_time] = 2
    times = torch.cat([sines, cosines])
    carry(first, 0, size, times, times, 1.5)
    for head in range(1, config.heads):
        attend(first, head, size, near, -head, NEAR, NEAR)
    for layer, offsets in zip(net.decoder.block, CROSS_OFFSETS):
        for head, offset in enumerate(offsets[: config.heads]):
            if offset is not None:
                attend(layer.layer[1].EncDecAttention, head, size, near, offset, slow, NEAR)
    layer, head, offset, sharpness = SEARCH
    if layer < len(net.decoder.block) and head < config.heads:
        attention = net.decoder.block[layer].layer[1].EncDecAttention
        attend(attention, head, size, near, offset, slow, NEAR, sharpness)
        carry(attention, head, size, torch.cat(dims(NEAR, width)), times, 1.0)
