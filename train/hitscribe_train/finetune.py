"""Fine-tunes a model on one stem of recordings of your own.

    python -m hitscribe_train.finetune FOLDER OUT --renderer HITSCRIBE_TRAIN --run DIR --minutes N
        [--stem drums|bass|other|vocals|singing|mix] [--mt3 [--start mt3.pth] [--config config.json]
        [--memory ROWS [--memory-variant v2-with-prev|v2] [--horizon N] [--shuffle]]]
        [--yourmt3 [--start last.ckpt] [--config config.json] [--one-channel] [--validation FOLDER]]

FOLDER holds X.wav with X.mid beside it, or songs in Slakh's layout (stems/S00.flac with MIDI/S00.mid).

Without --mt3 it is the built-in model: its drum network for drums, its pitched network for the other stems. It
starts from the weights that the engine embeds, or from --start (a weights file, or a checkpoint of `drums/independent/train.py` or
`pitched/harmonic/train.py`), and OUT.safetensors is for `hitscribe transcribe --weights`.

With --mt3 it starts from a checkpoint in the layout of mt3.pth (--start; .pth, .ckpt or .safetensors) and OUT.pth or
OUT.safetensors is for `hitscribe transcribe --model` and `hitscribe models add`. --config asks for other sizes, or,
without --start, for a network that has learnt nothing yet; what of the checkpoint does not fit is listed.

--memory makes an MR-MT3 of it: the decoder attends to ROWS rows of the tokens of a segment before, which is any of the
--horizon last ones; --shuffle gives simultaneous tokens a random order. OUT is a .pth file then.

With --yourmt3 it is the same for a checkpoint in the layout of last.ckpt; OUT.ckpt is for the engine, too. Parts of the
stem are silent (--silent) and added from other songs (--max-k, --tau, --alpha), and recordings in --validation say when
it is enough. --one-channel gives the stem a decoder of its own instead of the 13 channels.

It stops by the clock and goes on where it stopped: the run folder holds the last checkpoint.
"""

import os

from .common.loop import arguments
from .drums.independent import finetune as drum_finetune
from .mt3 import finetune as mt3_finetune
from .mt3.model import FIRST_MEMORY, MAX_IDS
from .pitched.harmonic import finetune as pitch_finetune
from .yourmt3 import finetune as yourmt3_finetune

WEIGHTS = os.path.join(os.path.dirname(__file__), "../../engine/models/weights")
STEMS = ("drums", "bass", "other", "vocals", "singing", "mix")


def main():
    parser = arguments(__doc__)
    parser.add_argument("folder", help="recordings with their MIDI")
    parser.add_argument("out", help="file to write")
    parser.add_argument("--renderer", required=True, help="the hitscribe-train program")
    parser.add_argument("--stem", choices=STEMS, default="drums", help="what is to be transcribed")
    parser.add_argument("--start", help="weights file or checkpoint to start from")
    parser.add_argument("--mt3", action="store_true", help="an MT3 checkpoint instead of the built-in model")
    parser.add_argument("--yourmt3", action="store_true", help="a YourMT3 checkpoint instead of the built-in model")
    parser.add_argument("--config", help="sizes of the network: a T5 configuration, or YourMT3's model_cfg")
    parser.add_argument("--memory", type=int, metavar="ROWS", help="rows of MR-MT3's memory")
    parser.add_argument("--memory-variant", choices=FIRST_MEMORY, default="v2-with-prev")
    parser.add_argument("--horizon", type=int, default=1, help="segments before, of which the memory holds any")
    parser.add_argument("--shuffle", action="store_true", help="random order of simultaneous tokens")
    parser.add_argument("--one-channel", action="store_true", help="YourMT3 with one decoder channel for the stem")
    parser.add_argument("--silent", type=float, default=0.3, help="YourMT3: share of the stem's parts that are silent")
    parser.add_argument("--max-k", type=int, default=3, help="YourMT3: most other songs with parts of the stem")
    parser.add_argument("--tau", type=float, default=0.3, help="YourMT3: k or more songs: exp(-(k tau)^alpha)")
    parser.add_argument("--alpha", type=float, default=1.0)
    parser.add_argument("--validation", metavar="FOLDER", help="YourMT3: recordings that are not trained on")
    parser.add_argument("--validate-every", type=int, default=250, metavar="STEPS")
    parser.add_argument("--patience", type=int, default=8, help="validations without progress before the end")
    parser.set_defaults(rate=None, warm_up=50)
    options = parser.parse_args()
    if options.yourmt3:
        kind = yourmt3_finetune
        if options.mt3 or options.memory or options.shuffle:
            parser.error("--yourmt3 does without --mt3, --memory and --shuffle")
        if not (options.start or options.config):
            parser.error("--yourmt3 needs --start or --config")
        if not options.out.endswith(".ckpt"):
            parser.error(f"{options.out}: a YourMT3 checkpoint is a .ckpt file")
        if options.validate_every < 1 or options.patience < 1:
            parser.error("--validate-every and --patience are at least 1")
    elif options.validation or options.one_channel or options.stem == "singing":
        parser.error("--validation, --one-channel and --stem singing are for --yourmt3")
    elif options.mt3:
        kind = mt3_finetune
        if not (options.start or options.config):
            parser.error("--mt3 needs --start or --config")
        if not options.out.endswith((".pth", ".safetensors")):
            parser.error(f"{options.out}: an MT3 checkpoint is a .pth or a .safetensors file")
        if options.memory is not None and not 0 <= options.memory <= MAX_IDS:
            parser.error(f"--memory has 0 to {MAX_IDS} rows")
        if options.memory and not options.out.endswith(".pth"):
            parser.error(f"{options.out}: MR-MT3 is a .pth file")
        if options.horizon < 1:
            parser.error("--horizon is at least 1")
    else:
        kind = drum_finetune if options.stem == "drums" else pitch_finetune
        if options.config or options.memory or options.shuffle:
            parser.error("--config is for --mt3 and --yourmt3, --memory and --shuffle are for --mt3")
        if options.stem == "mix":
            parser.error("--stem mix is for --mt3 and --yourmt3: the built-in networks transcribe one stem")
        embedded = "builtin.safetensors" if options.stem == "drums" else "builtin_pitch.safetensors"
        options.start = options.start or os.path.join(WEIGHTS, embedded)
    options.rate = options.rate or kind.RATE
    kind.finetune(options)


if __name__ == "__main__":
    main()
