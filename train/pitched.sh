#!/usr/bin/env bash
# pitched.sh FOLDER [start | stop [train|feed] | snapshot STEPS]: trains the harmonic network, as drums.sh the drum network.
NETWORK=pitched PACKAGE=pitched.harmonic exec "$(dirname "$0")/drums.sh" "$@"
