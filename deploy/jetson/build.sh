#!/bin/sh
# Builds ONNX Runtime for a Jetson with JetPack 6 and leaves its files in deploy/jetson/out.
#   ./build.sh [--build-arg NAME=VALUE]…     arguments: BASE, ORT_VERSION, NODE_VERSION, CUDA_ARCH, JOBS (Dockerfile)
set -eu
cd "$(dirname "$0")"

case "$(uname -m)" in
  aarch64 | arm64) ;;
  *) echo "note: not an arm64 machine; under emulation this takes many hours" >&2 ;;
esac

# The versions must match, or the JavaScript half of the package does not fit the binary.
package=../../packages/core/package.json
version=$(sed -n 's/.*"onnxruntime-node": *"\([0-9.]*\)".*/\1/p' "$package")
[ -n "$version" ] || { echo "no exact version of onnxruntime-node in $package" >&2; exit 1; }

docker buildx build --platform linux/arm64 --build-arg "ORT_VERSION=$version" "$@" \
  --output type=local,dest=out .
echo "built: $(pwd)/out (ONNX Runtime $version); next: ./install.sh on the device"
