"""Tests of SoundFonts of SFZ instruments: python -m unittest discover train/tests"""

import os
import struct
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from hitscribe_train.common.sfz import key_number, regions  # noqa: E402
from hitscribe_train.common.sound_font import RATE, sound_font, zones  # noqa: E402

SFZ = r"""
// comment
#define $SOFT 60
<control> default_path=in\ set_cc7=100
<global> ampeg_release=0.4
<group> lovel=1 hivel=$SOFT volume=-6
#include "rows.txt"
<group> lovel=61
<region> sample=a loud.wav key=c4 lorand=0.5
<region> sample=a loud.wav key=60 trigger=release
<region> sample=a loud.wav key=60 locc7=101
"""


class Instruments(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        (self.folder / "in").mkdir()
        (self.folder / "a.sfz").write_text(SFZ)
        (self.folder / "rows.txt").write_text("<region> sample=a.wav lokey=58 hikey=60 pitch_keycenter=59 tune=-7\n")
        tone = np.sin(2 * np.pi * 261.6 * np.arange(22_050) / 22_050).astype(np.float32)
        late = np.concatenate([np.zeros(2_205, np.float32), 0.5 * tone])
        soundfile.write(self.folder / "in/a.wav", late, 22_050)
        soundfile.write(self.folder / "in/a loud.wav", late * 1.8, 22_050)

    def test_regions_have_what_their_headers_say_and_only_plain_notes(self):
        soft, loud = regions(self.folder / "a.sfz")
        self.assertEqual((soft.keys, soft.velocities, soft.root, soft.tune_cents), ((58, 60), (1, 60), 59, -7.0))
        self.assertEqual((soft.volume_db, soft.release_seconds, soft.sample.name), (-6.0, 0.4, "a.wav"))
        self.assertEqual((loud.keys, loud.velocities, loud.volume_db), ((60, 60), (61, 127), 0.0))
        self.assertEqual([key_number(name) for name in ("c4", "Bb-1", "61")], [60, 10, 61])

    def test_a_sound_font_has_all_keys_and_begins_with_the_attack(self):
        found = zones(regions(self.folder / "a.sfz"), (21, 108), np.random.default_rng(1))
        self.assertEqual(min(z.keys[0] for z in found), 0)
        self.assertEqual(max(z.keys[1] for z in found), 127)
        content = sound_font("a", [24, 25], found)
        self.assertEqual(struct.unpack("<I", content[4:8])[0], len(content) - 8)
        at = content.index(b"smpl")
        pcm = np.frombuffer(content, "<i2", struct.unpack("<I", content[at + 4 : at + 8])[0] // 2, at + 8)
        # The 100 ms of silence before the tone are gone.
        self.assertLess(np.argmax(np.abs(pcm) > 1_000), 0.005 * RATE)
        self.assertEqual(np.abs(pcm).max(), 32_000)


if __name__ == "__main__":
    unittest.main()
