#!/bin/sh
# Puts the files of ./out over those of the npm package onnxruntime-node, and checks that they load.
#   ./install.sh [ROOT]      ROOT: where node_modules is; default: this repository
# npm ci and npm install put the package's own files back: run this again after them.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=${1:-$here/../..}
package=$root/node_modules/onnxruntime-node
target=$package/bin/napi-v6/linux/arm64

[ "$(uname -m)" = aarch64 ] || { echo "this is for linux-arm64, not $(uname -m)" >&2; exit 1; }
[ -d "$target" ] || { echo "no $target: run npm ci first" >&2; exit 1; }
[ -f "$here/out/VERSION" ] || { echo "no $here/out: run build.sh first, or copy it here" >&2; exit 1; }

built=$(cat "$here/out/VERSION")
installed=$(sed -n 's/^ *"version": *"\([^"]*\)".*/\1/p' "$package/package.json" | head -n 1)
[ "$built" = "$installed" ] || { echo "built $built, installed $installed: they must be the same" >&2; exit 1; }
(cd "$here/out" && sha256sum --quiet -c SHA256SUMS)

# A file in use must not be written into: a running agent keeps the old one until it is restarted.
for file in "$here"/out/*.node "$here"/out/*.so*; do
  name=$(basename "$file")
  cp "$file" "$target/.$name.new"
  mv -f "$target/.$name.new" "$target/$name"
done

cd "$root"
node -e '
  const names = require("onnxruntime-node").listSupportedBackends().map(({ name }) => name)
  console.log("providers in the binary:", names.join(", "))
  for (const name of ["cuda", "tensorrt"]) {
    if (!names.includes(name)) {
      console.error("missing:", name)
      process.exit(1)
    }
  }'
echo "installed; next: sightline-agent doctor"
