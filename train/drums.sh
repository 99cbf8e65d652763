#!/usr/bin/env bash
# drums.sh FOLDER [start | stop [train|feed] | snapshot STEPS]: trains the drum network in FOLDER; goes on where it
# stopped, in a new folder from the last checkpoint in train/checkpoints. pitched.sh does the same for the pitched one.
#
#   RENDERER  the hitscribe-train program; it is copied, so that a build does not replace what runs
#   BANKS     folders of sample banks, the first with midi/midi_main.zip, separated by colons
#   POOLS     folders of accompaniment (`hitscribe-train pool`), if any, separated by colons
#   PYTHON    with the packages of requirements.lock
#   FEED, TRAIN  more arguments for the two programs
set -euo pipefail
folder=$(realpath -m "$1") action=${2:-start}
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
network=${NETWORK:-drums} package=hitscribe_train.${PACKAGE:-drums}
export PYTHONPATH=$here OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
mkdir -p "$folder"

running() { [ -e "$folder/$1.pid" ] && kill -0 "$(cat "$folder/$1.pid")" 2>/dev/null; }
# background NAME COMMAND...: outlives this shell; its output in FOLDER/NAME.log.
background() {
    running "$1" && { echo "$1 is running"; return; }
    setsid nohup "${@:2}" >>"$folder/$1.log" 2>&1 </dev/null &
    echo $! >"$folder/$1.pid"
    echo "$1 started, $folder/$1.log"
}
end() {
    if running "$1"; then
        kill "$(cat "$folder/$1.pid")"
        while running "$1"; do sleep 0.2; done
    fi
    rm -f "$folder/$1.pid"
}

case $action in
start)
    if ! running feed; then
        cp "${RENDERER:?the hitscribe-train program}" "$folder/renderer"
        banks=()
        IFS=: read -ra folders <<<"${BANKS:?folders of sample banks}"
        for bank in "${folders[@]}"; do banks+=(--bank "$bank"); done
        IFS=: read -ra folders <<<"${POOLS:-}"
        for pool in "${folders[@]}"; do banks+=(--pool "$pool"); done
        background feed "$python" -m $package.feed --ring "$folder/ring" --renderer "$folder/renderer" \
            "${banks[@]}" ${FEED:-}
    fi
    # The ring is there once the feeder has begun.
    until [ -e "$folder/ring/totals.i64" ]; do sleep 0.5; done
    newest=$(ls "$here"/checkpoints/$network-*.pt 2>/dev/null | sort -V | tail -1 || true)
    background train "$python" -m $package.train --run "$folder" --ring "$folder/ring" \
        ${newest:+--start "$newest"} ${TRAIN:-}
    ;;
stop)
    for name in ${3:-train feed}; do end "$name"; done
    ;;
snapshot)
    # Beside the trunk, which goes on: a branch whose rate falls to zero.
    background snapshot "$python" -m $package.train --run "$folder/snapshot-$(date +%d-%H%M)" \
        --ring "$folder/ring" --start "$folder/checkpoint.pt" --fall "${3:?steps}" --keep 0.99 ${TRAIN:-}
    ;;
*)
    echo "unknown: $action" >&2
    exit 2
    ;;
esac
