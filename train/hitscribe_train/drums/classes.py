"""What is told apart, and which classes compete for a stroke."""

# The first 19 are the engine's `DrumClass`, in its order; indices never change.
CLASSES = (
    "kick", "snare", "side_stick", "clap",
    "high_tom", "mid_tom", "low_tom", "floor_tom",
    "closed_hat", "pedal_hat", "open_hat",
    "crash", "ride", "ride_bell", "china", "splash",
    "cowbell", "tambourine", "shaker",
    "high_conga", "low_conga", "timbale", "woodblock", "triangle", "cabasa_guiro", "other_percussion",
)  # fmt: skip

# General MIDI notes as written. `other_percussion` has none: it takes strokes that belong to no class here.
GM_NOTES = (
    36, 38, 37, 39, 50, 47, 45, 41, 42, 44, 46, 49, 51, 53, 52, 55, 56, 54, 70, 63, 64, 65, 76, 81, 69, None,
)  # fmt: skip

SKINS = (
    "kick", "snare", "side_stick", "clap", "high_tom", "mid_tom", "low_tom", "floor_tom",
    "high_conga", "low_conga", "timbale", "woodblock", "other_percussion",
)  # fmt: skip

# Indices of the classes of each group. The strokes of a group at one instant are counted, and its classes
# share them: what one gains the others lose.
GROUPS = (
    tuple(i for i, name in enumerate(CLASSES) if name in SKINS),
    tuple(i for i, name in enumerate(CLASSES) if name not in SKINS),
)
MAX_STROKES = 3  # of one group at one instant
