#!/usr/bin/env bash
# run.sh FOLDER MINUTES: accompaniment, training, calibration, export of the drum network with independent classes. Goes
# on where it stopped.
set -euo pipefail
folder=$(realpath -m "$1")
minutes=$2
cd "$(dirname "$0")/.."
bank=${BANK:?the folder of the sample bank}
python=${PYTHON:-python3}
sounds=${SOUND_FONTS:-/usr/share/sounds/sf2}

cargo build --release -p hitscribe-train
renderer=${CARGO_TARGET_DIR:-target}/release/hitscribe-train
mkdir -p "$folder"
# What is running keeps its program when the next build replaces it.
cp "$renderer" "$folder/hitscribe-train"
# render_pool NAME OPTIONS...: accompaniment in $folder/NAME, once.
render_pool() {
    local out="$folder/$1"
    if [ ! -e "$out/pool.jsonl" ]; then
        "$folder/hitscribe-train" pool --bank "$bank" --out "$out.part" "${@:2}" \
            --sound-font "$sounds/FluidR3_GM.sf2" --sound-font "$sounds/MuseScore_General_Full.sf2"
        mv "$out.part" "$out"
    fi
}
render_pool pool --count 500 --seed 3
data=(--renderer "$folder/hitscribe-train" --bank "$bank" --pool "$folder/pool")
export PYTHONPATH=train
"$python" -m hitscribe_train.drums.independent.train "${data[@]}" --run "$folder" --minutes "$minutes"
"$python" -m hitscribe_train.drums.independent.calibrate "$folder/checkpoint.pt" "$folder/picking.json" "${data[@]}"
"$python" -m hitscribe_train.drums.independent.export "$folder/checkpoint.pt" "$folder/builtin.safetensors" --picking "$folder/picking.json"
