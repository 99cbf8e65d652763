#!/usr/bin/env bash
# prepare.sh FOLDER [drums | pitched | grid ...]: what the long trainings and the validation grid need beside the
# banks, rendered once: computed kits, speech, accompaniment. What is there already is kept.
#
#   RENDERER     the hitscribe-train program
#   BANKS        folders of sample banks, the first with midi/midi_main.zip, separated by colons
#   PYTHON       with numpy, scipy, soundfile and soxr, for the banks' generators of kits
#   SOUND_FONTS  the folder of FluidR3_GM.sf2 and MuseScore_General_Full.sf2
# Speech needs Debian's flite and ffmpeg.
set -euo pipefail
folder=$(realpath -m "$1")
here=$(cd "$(dirname "$0")" && pwd)
shift
renderer=${RENDERER:?the hitscribe-train program}
IFS=: read -ra banks <<<"${BANKS:?folders of sample banks}"
fonts=${SOUND_FONTS:-/usr/share/sounds/sf2}
python=${PYTHON:-python3}
mkdir -p "$folder"

# once NAME COMMAND...: runs the command with the path of a new folder as its last argument.
once() {
    local out="$folder/$1"
    shift
    [ -e "$out" ] && return
    rm -rf "$out.part"
    "$@" "$out.part"
    mv "$out.part" "$out"
    echo "$out"
}
pool() {
    "$renderer" pool --bank "${banks[0]}" --sound-font "$fonts/FluidR3_GM.sf2" \
        --sound-font "$fonts/MuseScore_General_Full.sf2" "${@:1:$#-1}" --out "${@: -1}"
}
computed_kits() {
    mkdir -p "$1"
    "$python" "${banks[0]}/tools/gen_synth_drums.py" "$1/synth_oneshots" 60 7
}
computed_kits_2() {
    mkdir -p "$1"
    PYTHONPATH=$here/kits "$python" "${banks[1]}/tools/gen_synth2.py" "$1/synth_oneshots" 96 3
}
# speech VOICES FOLDER: numbers, counting in and remarks, a file each.
speech() {
    local voice line number=0
    mkdir -p "$2"
    for voice in $1; do
        while read -r line; do
            number=$((number + 1))
            flite -voice "$voice" -t "$line" -o "$2/part.wav"
            ffmpeg -nostdin -loglevel error -y -i "$2/part.wav" -ar 32000 -ac 1 "$2/${voice}_$number.wav"
        done <<'LINES'
One, two, three, four.
Okay, that was nearly it. Can we take it again from the second verse, please?
Is the microphone on? I cannot hear myself at all in these headphones.
A bit less of the snare drum, and a lot more of the room.
Right. Whenever you are ready, we are rolling.
No, wait, stop. My stick broke.
Let us try that a little slower, about ninety six beats per minute.
Who moved the stand? It was here a minute ago.
Check, check. One, two. One, two.
The bridge comes twice as long the second time, and then straight into the chorus.
Good. I think we should keep that one, and have a coffee.
Could you hit the floor tom a few times for me? And now the kick drum alone.
It buzzes whenever the bass plays that low note.
Seven, eight, and stop there, everybody, thank you very much.
LINES
    done
    rm "$2/part.wav"
}

for what in "${@:-drums}"; do
    case $what in
    drums)
        once computed computed_kits
        [ -e "${banks[1]:-}/tools/gen_synth2.py" ] && once computed2 computed_kits_2
        once talk speech "rms slt kal"
        once pool pool --count 800 --solo-share 0.2 --seed 21
        once riffs pool --count 150 --riff-share 1 --seed 22
        ;;
    pitched)
        once pitched pool --count 480 --solo-share 0.7 --seed 31
        once solos pool --count 600 --solo-share 0.85 --seed 4002
        ;;
    grid)
        once grid_talk speech "awb"
        once grid_pool pool --hold-out --count 48 --solo-share 0.2 --seed 900
        for half in tune final; do
            if [ ! -e "$folder/grid/$half" ]; then
                bank=()
                for one in "${banks[@]}"; do bank+=(--bank "$one"); done
                "$renderer" grid "${bank[@]}" --pool "$folder/grid_pool" --talk "$folder/grid_talk" \
                    --out "$folder/grid" --half "$half"
            fi
        done
        ;;
    *)
        echo "unknown: $what" >&2
        exit 2
        ;;
    esac
done
