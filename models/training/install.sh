#!/bin/sh
# install.sh <from dir> <model dir>: each file appears whole, the manifest last, so a reader never sees half a model.
set -eu
mkdir -p "$2"
for file in image.onnx text.onnx tokenizer.json tokenizer_config.json manifest.json; do
  cp "$1/$file" "$2/.$file.part"
  mv "$2/.$file.part" "$2/$file"
done
