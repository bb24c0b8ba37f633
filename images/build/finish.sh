#!/bin/sh
# Remove what no process of ours reads, and compile the rest: the root file system is read-only.
set -eu
cd /opt/venv/lib/python3*/site-packages
find . -type d \( -name tests -o -name test \) -path './*/*' -prune -exec rm -r {} +
find . -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.[ch]' -o -name '*.cpp' \
  -o -name '*.map' \) -delete
/opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash .
