#!/bin/sh
# Installs this project into /ours, which the Dockerfile copies over /. Any user may write results to /ours/out.
# Usage: install-ours.sh cuda|cpu
set -eu
/opt/pip/bin/pip --python /opt/mst-bench/bin/python install --quiet --disable-pip-version-check --no-compile --no-deps \
  --no-build-isolation --no-index --no-warn-script-location --root /ours /src

# -I: neither PYTHON* variables nor the working folder decide what is imported. -B: nothing is compiled at run time.
sed -i '1s|^#!/opt/mst-bench/bin/python$|#!/opt/mst-bench/bin/python -IB|' /ours/opt/mst-bench/bin/mst-bench
head -n 1 /ours/opt/mst-bench/bin/mst-bench | grep -qx '#!/opt/mst-bench/bin/python -IB'

# checked-hash: of our own files Python reads the source, and runs no compiled file that is not made of it.
cd /ours/opt/mst-bench/lib/python3.11/site-packages
rm mst_bench-*.dist-info/direct_url.json
PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0 /opt/mst-bench/bin/python -m compileall -q -f -j 1 --invalidation-mode checked-hash .
cp "/src/docker/requirements-$1.txt" /ours/opt/mst-bench/requirements.txt
mkdir --mode=1777 /ours/out
