#!/usr/bin/env bash
# A model's continuous integration in one script: export or quantize, verify, measure, gate, report. Copy it into your repository.
# GitHub (examples/ci/gate.yml), GitLab (examples/ci/gitlab.yml) and Jenkins (sh 'bash ci/check.sh') run the same file.
#
#   MODEL           a checkpoint (.safetensors), a shipped checkpoint's name, or your own classifier (.onnx, .tflite)
#   IMAGES          labelled images, a folder per class; without it the embedded sample serves where its classes fit
#   PREPROCESSING   of your own classifier: JSON or a file with it, such as {"size": 224, "resize": 256}
#   LABELS          of your own classifier: a file with its class names, one a line
#   DEVICE          where accuracy and instructions are measured: host, or a profile such as pi4 (an emulated board)
#   BASELINE        the file that holds what the model could do before (ci/baseline.json)
#   GATE            the limits of the gate
#   OUT             folder for everything that is written
set -euo pipefail
: "${MODEL:?set MODEL to a checkpoint or a classifier}"
IMAGES=${IMAGES:-} PREPROCESSING=${PREPROCESSING:-} LABELS=${LABELS:-}
DEVICE=${DEVICE:-host} BASELINE=${BASELINE:-ci/baseline.json} OUT=${OUT:-out}
GATE=${GATE:---max-accuracy-drop 1 --max-size-increase 5 --max-latency-increase off}
export EAMDEPLOY_STORE=${EAMDEPLOY_STORE:-$OUT/runs.db}
mkdir -p "$OUT" "$(dirname "$BASELINE")"

calibration=() data=() said=()
if [ -n "$IMAGES" ]; then calibration=(--calibration "$IMAGES") data=(--data "$IMAGES"); fi
if [ -n "$PREPROCESSING" ]; then said+=(--preprocessing "$PREPROCESSING"); fi
if [ -n "$LABELS" ]; then said+=(--labels "$LABELS"); fi

case "$MODEL" in
  *.onnx | *.tflite)
    suffix=${MODEL##*.}
    name=$(basename "$MODEL" ".$suffix")
    eamdeploy quantize "$MODEL" "${calibration[@]}" "${said[@]}" --out "$OUT"
    artifacts=("$OUT/$name-int8.$suffix")
    eamdeploy verify "${artifacts[@]}" --against "$MODEL" "${said[@]}" "${data[@]}" --junit "$OUT/verify.xml" --sarif "$OUT/verify.sarif"
    ;;
  *)
    eamdeploy export "$MODEL" --format onnx --precision fp32,int8 --name model "${calibration[@]}" --out "$OUT"
    artifacts=("$OUT/model.onnx" "$OUT/model-int8.onnx")
    eamdeploy verify "${artifacts[@]}" --against "$MODEL" "${data[@]}" --junit "$OUT/verify.xml" --sarif "$OUT/verify.sarif"
    ;;
esac

# 5 says that this machine is too busy for a valid latency; accuracy and size are judged all the same
eamdeploy bench "${artifacts[@]}" --device "$DEVICE" --accuracy "${data[@]}" --limit 500 --max-seconds 2 --json > "$OUT/runs.json" || [ $? = 5 ]
if [ "$DEVICE" != host ]; then
  # counted, not timed: the same on every runner, so the limit can be tight
  eamdeploy bench "${artifacts[@]}" --device "$DEVICE" --instructions
fi
eamdeploy report --out "$OUT/report.html" --markdown "$OUT/report.md"

if [ ! -f "$BASELINE" ]; then
  eamdeploy gate --write-baseline "$BASELINE" --current "$OUT/runs.json"
  echo "first run: wrote $BASELINE; commit it, and the next run is held against it"
  exit 0
fi
# shellcheck disable=SC2086  # the limits are several words
eamdeploy gate --baseline "$BASELINE" --current "$OUT/runs.json" $GATE --junit "$OUT/gate.xml" --sarif "$OUT/gate.sarif"
