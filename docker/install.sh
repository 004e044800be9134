#!/bin/sh
# Installs the hash-locked requirements of a variant into /opt/mst-bench and compiles them. The environment has no pip.
# Usage: install.sh cuda|cpu
set -eu
variant=$1
environment=/opt/mst-bench
python3.11 -m venv /opt/pip
python3.11 -m venv --without-pip "$environment"

set -- --require-hashes --requirement "/docker/requirements-$variant.txt"
if [ "$variant" = cpu ] && ! ls /wheels/torch-*.whl > /dev/null 2>&1; then
  set -- "$@" --extra-index-url https://download.pytorch.org/whl/cpu
fi
[ ! -s /run/ca_bundle.crt ] || export PIP_CERT=/run/ca_bundle.crt
/opt/pip/bin/pip --python "$environment/bin/python" install --quiet --disable-pip-version-check --no-compile --no-deps --find-links /wheels "$@"

packages=$environment/lib/python3.11/site-packages
sh /docker/prune.sh "$packages"

# unchecked-hash: a read-only image can never write these files later, and they do not hold the time of the build.
# One of torch's files is written for Python 3.12 and is left out; any other that does not compile stops the build.
cd "$packages"
PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0 "$environment/bin/python" -m compileall -q -f -j 1 \
  -x 'torch/testing/_internal/py312_intrinsics\.py$' --invalidation-mode unchecked-hash .
