"""What the second bank's `tools/gen_synth2.py` imports: the layout of one-shots, as in the bank's README."""

# Samples a second; silence before an onset in samples; peak of full scale.
SR, PRE, PEAK = 32_000, 128, 0.891
# Classes whose sounds may last for three seconds; others for two.
LONG = {"crash", "ride", "ride_bell", "china", "splash", "triangle"}
GM = {
    "kick": 36, "snare": 38, "sidestick": 37, "clap": 39, "hihat_closed": 42, "hihat_pedal": 44, "hihat_open": 46,
    "tom_floor": 41, "tom_low": 45, "tom_mid": 47, "tom_high": 50, "crash": 49, "ride": 51, "ride_bell": 53, "china": 52,
    "splash": 55, "cowbell": 56, "conga_bongo": 63, "woodblock": 75, "shaker": 70, "tambourine": 54, "triangle": 81,
}  # fmt: skip


def features(samples):
    """None are needed here."""
    return {}
