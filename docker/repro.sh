#!/bin/sh
# Builds the image twice without any cache and compares. Exit 1 unless layers and image are the same to the bit.
# The engine must use the containerd image store, because only that store rewrites the times of files. Each build takes as
# long as the first.
# Usage: docker/repro.sh BUILD-FLAG...   (`make image-repro` passes the flags)
set -eu
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for round in first second; do
  docker buildx build --no-cache --quiet --output "type=oci,dest=$scratch/$round.tar,rewrite-timestamp=true" "$@" . > /dev/null
  mkdir "$scratch/$round"
  tar -xf "$scratch/$round.tar" -C "$scratch/$round" index.json blobs
  rm "$scratch/$round.tar"
  manifest=$(sed -n 's/.*"digest":"sha256:\([0-9a-f]*\)".*/\1/p' "$scratch/$round/index.json")
  python3 -m json.tool "$scratch/$round/blobs/sha256/$manifest" > "$scratch/$round.json"
  echo "$round: image sha256:$manifest"
  rm -r "$scratch/$round"
  docker builder prune --all --force > /dev/null
done
grep '"digest"' "$scratch/first.json"
diff "$scratch/first.json" "$scratch/second.json" && echo "identical"
