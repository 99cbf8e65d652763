#!/usr/bin/env bash
# mr_mt3.sh FOLDER CHECKPOINT STEPS: the study of MR-MT3's parts. Each variant goes on from the same checkpoint of the
# small MT3 for the same number of steps, and is scored by the engine on the beginnings of songs that were not trained on.
#
#   SEGMENTS   folder of `hitscribe_train.mt3.segments`, with --history 3
#   SONGS      folders of songs in Slakh's layout to score on, separated by colons
#   HITSCRIBE  the hitscribe program
#   PYTHON     with the packages of requirements.lock
#   TRAIN, SECONDS_SCORED  more arguments for the training; how much of each song is scored (8.192)
set -euo pipefail
folder=$(realpath -m "$1") checkpoint=$(realpath "$2") steps=$3
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
export PYTHONPATH=$here OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
IFS=: read -ra songs <<<"${SONGS:?songs to score on}"
mkdir -p "$folder"

# The engine takes the features of MR-MT3's published checkpoints for granted where there is a memory.
# variant NAME ROWS ARGUMENTS...: what is there already is kept.
variant() {
    local name=$1 memory=(--memory "$2")
    if [ ! -e "$folder/$name.pth" ]; then
        # shellcheck disable=SC2086
        "$python" -m hitscribe_train.mt3.train --run "$folder/$name" --segments "${SEGMENTS:?stored segments}" \
            --start "$checkpoint" --steps "$steps" --minutes 1000 --rate 1e-3 --batch 8 --warm-up 10 --seed 5 \
            "${memory[@]}" "${@:3}" ${TRAIN:-} >"$folder/$name.log" 2>&1
        "$python" -m hitscribe_train.mt3.export "$folder/$name/checkpoint.pt" "$folder/$name.pth" "${memory[@]}"
    fi
    [ -e "$folder/$name.json" ] && return
    echo "$name"
    "$python" -m hitscribe_train.mt3.evaluate "${HITSCRIBE:?the hitscribe program}" "${songs[@]}" \
        --model "$folder/$name.pth" --seconds "${SECONDS_SCORED:-8.192}" --json "$folder/$name.json" \
        -- --frontend mt3
}

variant baseline 0
variant memory 64
variant prior 64 --horizon 3
variant shuffling 0 --shuffle
variant all 64 --horizon 3 --shuffle
