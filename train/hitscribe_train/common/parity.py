"""What the programs have in common that compare a network with the numbers of a published one."""

import argparse
import os
import sys


def main(about, differences, limits, checkpoint_name):
    """Prints `differences(folder, checkpoint)`, by name, and exits with 1 if one is above its limit, by default 0."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--checkpoint", help=f"the weights, if they are not FOLDER/{checkpoint_name}")
    options = parser.parse_args()
    checkpoint = options.checkpoint or os.path.join(options.folder, checkpoint_name)
    too_far = False
    for name, value in differences(options.folder, checkpoint).items():
        limit = limits.get(name, 0)
        print(f"{name}: {value:.3g} (at most {limit:g})")
        too_far |= value > limit
    sys.exit(too_far)
