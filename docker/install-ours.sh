#!/bin/sh
# Installs this project into /ours, which the Dockerfile copies over /. Any user may write results to /ours/out.
# Usage: install-ours.sh cuda|cpu
set -eu
/opt/pip/bin/pip --python /opt/mst-bench/bin/python install --quiet --disable-pip-version-check --no-compile --no-deps \
  --no-build-isolation --no-index --no-warn-script-location --root /ours /src
cd /ours/opt/mst-bench/lib/python3.11/site-packages
rm mst_bench-*.dist-info/direct_url.json
PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0 /opt/mst-bench/bin/python -m compileall -q -f -j 1 --invalidation-mode unchecked-hash .
cp "/src/docker/requirements-$1.txt" /ours/opt/mst-bench/requirements.txt
mkdir --mode=1777 /ours/out
