#!/usr/bin/env bash
# A model's continuous integration in one script: export or quantize, verify, measure, report, gate. Copy it into your repository as ci/check.sh.
# The GitHub action (examples/ci/action), GitLab (examples/ci/gitlab.yml) and Jenkins (examples/ci/Jenkinsfile) run this file.
#
#   MODEL           a checkpoint (.safetensors), a shipped checkpoint's name, or your own classifier (.onnx, .tflite)
#   IMAGES          labelled images, a folder per class; without it the bundled images serve if the model has their classes
#   PREPROCESSING   of your own classifier: JSON or a file with it, such as {"size": 224, "resize": 256}
#   LABELS          of your own classifier: a file with its class names, one a line
#   DEVICE          where accuracy is measured: host, or a profile such as pi4 (an emulated board, which counts instructions too)
#   BASELINE        the file that holds what the model could do before (ci/baseline.json); the first run writes it
#   GATE            the limits of the gate
#   OUT             folder for everything that is written
#
# Exit codes: 0 good, 3 not the same function as before quantizing or as the checkpoint, 4 worse than the baseline, 5 not judged.
set -euo pipefail
: "${MODEL:?set MODEL to a checkpoint or a classifier}"
IMAGES=${IMAGES:-} PREPROCESSING=${PREPROCESSING:-} LABELS=${LABELS:-}
DEVICE=${DEVICE:-host} BASELINE=${BASELINE:-ci/baseline.json} OUT=${OUT:-out}
GATE=${GATE:---max-accuracy-drop 1 --max-size-increase 5 --max-latency-increase off}
export EAMDEPLOY_STORE=${EAMDEPLOY_STORE:-$OUT/runs.db}
mkdir -p "$OUT" "$(dirname "$BASELINE")"
# results of an earlier run in this folder are no results of this one
rm -f "$OUT"/{runs.json,instructions.json,verify.xml,verify.sarif,gate.xml,gate.sarif}

calibration=() data=() described=()
if [ -n "$IMAGES" ]; then calibration=(--calibration "$IMAGES") data=(--data "$IMAGES"); fi
if [ -n "$LABELS" ]; then described=(--labels "$LABELS"); fi

case "$MODEL" in
  *.onnx | *.tflite)
    suffix=${MODEL##*.}
    name=$(basename "$MODEL" ".$suffix")
    float=$OUT/$name.$suffix
    if [ -n "$PREPROCESSING" ]; then # into a copy of the file, which the commands below then read
      eamdeploy attach "$MODEL" --preprocessing "$PREPROCESSING" "${described[@]}" --out "$float"
    else
      cp "$MODEL" "$float"
    fi
    eamdeploy quantize "$float" "${calibration[@]}" --out "$OUT"
    against=$float
    ;;
  *)
    suffix=onnx name=model
    float=$OUT/model.onnx
    eamdeploy export "$MODEL" --format onnx --precision fp32,int8 --name model "${calibration[@]}" --out "$OUT"
    against=$MODEL
    ;;
esac
int8=$OUT/$name-int8.$suffix
verified=("$int8")
if [ "$against" != "$float" ]; then verified+=("$float"); fi
eamdeploy verify "${verified[@]}" --against "$against" "${data[@]}" --junit "$OUT/verify.xml" --sarif "$OUT/verify.sarif"

# 5 says that this machine is too busy for a valid latency; accuracy and size are judged all the same
measured=(--current "$OUT/runs.json")
eamdeploy bench "$float" "$int8" --device "$DEVICE" --accuracy "${data[@]}" --limit 500 --max-seconds 2 --json > "$OUT/runs.json" || [ $? = 5 ]
if [ "$DEVICE" != host ]; then
  # counted, not timed: the same on every runner, so the limit can be tight
  eamdeploy bench "$float" "$int8" --device "$DEVICE" --instructions --json > "$OUT/instructions.json"
  measured+=(--current "$OUT/instructions.json")
fi
eamdeploy report --out "$OUT/report.html" --markdown "$OUT/report.md"
cat "$OUT/report.md"

if [ ! -f "$BASELINE" ]; then
  eamdeploy gate --write-baseline "$BASELINE" "${measured[@]}"
  echo "first run: wrote $BASELINE; commit it, and later runs are compared with it"
  exit 0
fi
# shellcheck disable=SC2086  # the limits are several words
eamdeploy gate --baseline "$BASELINE" "${measured[@]}" $GATE --junit "$OUT/gate.xml" --sarif "$OUT/gate.sarif"
