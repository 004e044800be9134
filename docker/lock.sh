#!/bin/sh
# Writes the hash-locked requirements anew, for the CUDA image, the CPU image and the light install of verifiers.
# Usage: docker/lock.sh [CPU_WHEELS]   CPU_WHEELS: a folder or a page of links with PyTorch's CPU wheels
set -eu
cd "$(dirname "$0")/.."
cpu_wheels=${1:-https://download.pytorch.org/whl/torch/}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

lock() {
  uv pip compile --no-config --quiet --upgrade --generate-hashes --no-emit-index-url --no-header --no-annotate \
    --python-version 3.11 --python-platform x86_64-manylinux_2_28 "$@"
}
lock pyproject.toml --constraint docker/constraints.txt --output-file docker/requirements-cuda.txt
# The other two locks take the versions that the CUDA lock chose. Only the CPU image draws films: it brings OSMesa.
sed 's/ *\\$//; /--hash/d; /^torch==/d' docker/requirements-cuda.txt > "$scratch/chosen.txt"
sed -n 's/.*"\(torch==.*\)",.*/\1+cpu/p' pyproject.toml > "$scratch/cpu.txt"
lock pyproject.toml --extra clip --override "$scratch/cpu.txt" --find-links "$cpu_wheels" --constraint "$scratch/chosen.txt" \
  --output-file docker/requirements-cpu.txt
lock docker/requirements-verify.in --constraint "$scratch/chosen.txt" --output-file docker/requirements-verify.txt
