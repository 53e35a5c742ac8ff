"""Examples for every command: what it does, and the line; the help, the reference and the tests read them here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_NET = "fashion-mnist-v1x0.25-eam-rcr"
_FILE = f"build/{_NET}.onnx"

EXAMPLES: Mapping[str, Sequence[tuple[str, str]]] = {
    "": (
        ("The whole path on bundled images, without a network connection.", "demo"),
        ("Export a shipped checkpoint and verify the file.", f"export {_NET} --out build"),
        ("Measure the file on this machine.", f"bench {_FILE}"),
    ),
    "info": (
        ("Show versions, runtimes and settings.", "info"),
        ("The same as JSON, to attach to a bug report.", "info --json"),
        ("Show a traceback if it fails.", "--debug info"),
    ),
    "demo": (
        ("Run the demo in ./eamdeploy-demo.", "demo"),
        ("Choose the folder.", "demo --out /tmp/demo"),
        ("Show every column of the tables.", "--wide demo"),
    ),
    "models": (
        ("List the shipped checkpoints.", "models"),
        ("The same as JSON, with paths.", "models --json"),
        ("Show every column.", "--wide models"),
    ),
    "describe": (
        ("Count the parameters and operations of a checkpoint.", f"describe {_NET}"),
        (
            "Count those of an architecture that is not trained.",
            "describe --arch mobilenet_v2 --conv dynet --width 0.5",
        ),
        ("Measure how much each layer's attention varies.", f"describe {_NET} --attention images --limit 100"),
    ),
    "train": (
        ("Train on a folder of images, one folder per class.", "train --data images --out run"),
        (
            "Train the static twin, for a comparison.",
            "train --data images --out run-static --conv static --epochs 10",
        ),
        (
            "Fine-tune a checkpoint on your own classes.",
            f"train --data images --out tuned --from {_NET} --recipe finetune",
        ),
    ),
    "init": (
        ("A random MobileNetV1, for benchmarks.", "init --out random.safetensors"),
        (
            "A small static network with 10 classes.",
            "init --out small.safetensors --conv static --width 0.25 --classes 10",
        ),
        ("A network for grey images of 28 pixels.", "init --out grey.safetensors --input 28 --in-channels 1"),
    ),
    "import": (
        (
            "Any network, by the function that returns it.",
            "import mynet:build --out mynet.safetensors --input 3x224x224",
        ),
        (
            "Weights from torchvision, as a static network.",
            "import mobilenet_v2.pth --out v2.safetensors --arch mobilenet_v2 --conv static --labels imagenet.txt",
        ),
        (
            "Weights from timm, checked on labelled images.",
            "import weights.safetensors --out v3.safetensors --arch mobilenet_v3_small --source timm --check images",
        ),
    ),
    "export": (
        ("One verified ONNX file.", f"export {_NET} --out build"),
        (
            "ONNX and TFLite, in float and int8.",
            f"export {_NET} --format onnx,tflite --precision fp32,int8 --calibration images --out build",
        ),
        (
            "Give up to half a point of accuracy for speed on a Pi 4.",
            f"export {_NET} --device pi4 --budget 0.5 --calibration images --out build",
        ),
    ),
    "quantize": (
        ("Quantize an exported file to int8.", f"quantize {_FILE} --calibration images"),
        (
            "Quantize a classifier from elsewhere.",
            "quantize own.onnx --calibration images --labels classes.txt --preprocessing '{\"size\": 224}'",
        ),
        ("Allow at most half a point of loss.", f"quantize {_FILE} --calibration images --max-drop 0.5"),
    ),
    "verify": (
        ("Is the file the same function as its checkpoint?", f"verify {_FILE} --against {_NET}"),
        ("Check on your own images.", f"verify {_FILE} --against {_NET} --data images --limit 500"),
        ("Write the result for a CI system.", f"verify {_FILE} --against {_NET} --junit verify.xml"),
    ),
    "audit": (
        ("Check a file that another converter wrote.", f"audit pnnx.param --against {_NET}"),
        ("Write the wrong part to a folder.", f"audit other.onnx --against {_NET} --out bug"),
        ("Use your own images.", f"audit other.tflite --against {_NET} --data images"),
    ),
    "attach": (
        (
            "Write class names and preprocessing into a file.",
            "attach own.onnx --labels classes.txt --preprocessing '{\"size\": 224}'",
        ),
        (
            "Leave the file as it is and write a copy.",
            "attach own.onnx --labels classes.txt --preprocessing prep.json --out described.onnx",
        ),
        (
            "Say that the outputs are probabilities.",
            "attach own.tflite --labels classes.txt --preprocessing prep.json --head probabilities",
        ),
    ),
    "evaluate": (
        ("Accuracy on the bundled images.", f"evaluate {_FILE}"),
        ("Accuracy on your own images.", f"evaluate {_FILE} --data images"),
        ("Accuracy of a checkpoint in PyTorch.", f"evaluate {_NET} --data images --limit 1000"),
    ),
    "predict": (
        ("Classify an image.", f"predict {_FILE} photo.jpg"),
        ("Show only the best class of several images.", f"predict {_FILE} a.jpg b.jpg --top 1"),
        (
            "Use a classifier from elsewhere.",
            "predict own.onnx photo.jpg --labels classes.txt --preprocessing '{\"size\": 224}'",
        ),
    ),
    "bench": (
        ("Measure on this machine.", f"bench {_FILE}"),
        ("Compare two files fairly, with accuracy.", f"bench {_FILE} build/{_NET}-int8.onnx --data images"),
        ("Measure on a Raspberry Pi 4 with 1 and 4 threads.", f"bench {_FILE} --device pi4 --threads 1,4"),
    ),
    "devices": (
        ("List the known kinds of boards.", "devices list"),
        ("Add your Raspberry Pi.", "devices add mypi --profile pi4 --host pi@192.0.2.7"),
        ("Find out what is missing on it.", "devices check mypi"),
    ),
    "devices list": (
        ("List the profiles and your boards.", "devices list"),
        ("The same as JSON, with sources.", "devices list --json"),
        ("Show every column.", "--wide devices list"),
    ),
    "devices show": (
        ("What is known about the Raspberry Pi 4.", "devices show pi4"),
        ("One of your boards.", "devices show mypi"),
        ("The same as JSON.", "devices show pi5 --json"),
    ),
    "devices add": (
        ("A Raspberry Pi on your network.", "devices add mypi --profile pi4 --host pi@192.0.2.7"),
        (
            "A Jetson behind a jump host, with its own key file.",
            "devices add nano --profile jetson-nano --host dev@jetson --jump me@gateway --identity ~/.ssh/lab",
        ),
        ("An emulated board, for tries.", "devices add virtual --profile pi4 --host emulated"),
    ),
    "devices trust": (
        ("Accept the host key that you read on the board.", "devices trust mypi --fingerprint SHA256:abc"),
        ("The same as JSON.", "devices trust mypi --fingerprint SHA256:abc --json"),
        ("Show a traceback if it fails.", "--debug devices trust mypi --fingerprint SHA256:abc"),
    ),
    "devices remove": (
        ("Forget a board.", "devices remove mypi"),
        ("The same as JSON.", "devices remove mypi --json"),
        ("Show a traceback if it fails.", "--debug devices remove mypi"),
    ),
    "devices check": (
        ("Check one of your boards.", "devices check mypi"),
        ("Check all your boards.", "devices check --all"),
        ("Check this machine.", "devices check host"),
    ),
    "devices setup": (
        ("Install every runtime that the board supports.", "devices setup mypi"),
        ("Install one runtime.", "devices setup mypi --runtime onnxruntime"),
        ("Copy the packages from here, for a board without internet.", "devices setup mypi --offline"),
    ),
    "devices emulate": (
        ("Build and check an emulated Raspberry Pi 4.", "devices emulate pi4"),
        ("Keep it running to log in.", "devices emulate pi4 --stay"),
        ("Count instructions on it.", "devices emulate pi4 --instructions"),
    ),
    "devices calibrate": (
        ("Use the runs of one board for its estimates.", "devices calibrate mypi"),
        ("Use the runs of every board.", "devices calibrate"),
        ("Read another results file.", "devices calibrate --store lab.db"),
    ),
    "estimate": (
        ("Latency on a Raspberry Pi 4.", f"estimate {_FILE} --device pi4"),
        ("Latency on every known board.", f"estimate {_FILE} --all-devices"),
        ("How much faster is the int8 file?", f"estimate build/{_NET}-int8.onnx --compare {_FILE} --device pi4"),
    ),
    "history": (
        ("The latest runs.", "history"),
        ("Runs on one board since yesterday.", "history --board mypi --since yesterday"),
        ("Runs of one file, as JSON with every sample.", f"history --artifact {_FILE} --json --samples"),
    ),
    "history show": (
        ("The latest run.", "history show latest"),
        ("A run by the beginning of its id.", "history show 3f2a"),
        ("The latest run of a file.", f"history show {_FILE}"),
    ),
    "history export": (
        ("Write every run to a file.", "history export runs.jsonl.gz"),
        ("Write the runs of one board.", "history export mypi.jsonl --board mypi"),
        ("Write the runs of November.", "history export november.jsonl --since 2026-11-01 --until 2026-12-01"),
    ),
    "history import": (
        ("Add runs from another machine.", "history import runs.jsonl.gz"),
        ("Add them to another results file.", "history import runs.jsonl.gz --store lab.db"),
        ("The same as JSON.", "history import runs.jsonl.gz --json"),
    ),
    "history quarantine": (
        ("Set aside runs that cannot be read.", "history quarantine"),
        ("In another results file.", "history quarantine --store lab.db"),
        ("The same as JSON.", "history quarantine --json"),
    ),
    "compare": (
        ("The latest run against the one before.", "compare latest~1 latest"),
        ("Two files, by their latest runs.", f"compare {_FILE} build/{_NET}-int8.onnx"),
        ("Accept that accuracy was not measured.", "compare latest~1 latest --allow-skipped accuracy"),
    ),
    "gate": (
        ("Write the baseline once, and commit it.", "gate --write-baseline ci/baseline.json --current latest"),
        ("Fail if the latest runs are worse than it.", "gate --baseline ci/baseline.json"),
        (
            "Check accuracy and size only.",
            "gate --baseline ci/baseline.json --max-latency-increase off --max-accuracy-drop 0.5 --max-size-increase 1",
        ),
    ),
    "report": (
        ("Everything that was measured, as one page.", "report --out report.html"),
        ("Only the runs of one board since yesterday.", "report --board mypi --since yesterday"),
        ("Markdown for a pull request.", "report --markdown report.md"),
    ),
}
