#!/bin/sh
# Installs Debian packages and leaves nothing else behind. The packages come from the archive's snapshot, or from the
# sources of a build secret.
# Usage: apt.sh SNAPSHOT PACKAGE...
set -eu
snapshot=$1
shift
sources=/run/apt_sources
if [ ! -s "$sources" ]; then
  sources=$(mktemp)
  for archive in "debian $snapshot bookworm" "debian-security $snapshot bookworm-security"; do
    # shellcheck disable=SC2086 # three words
    printf 'deb [check-valid-until=no] http://snapshot.debian.org/archive/%s/%s %s main\n' $archive
  done > "$sources"
fi
options="-o Dir::Etc::sourcelist=$sources -o Dir::Etc::sourceparts=/dev/null -o Acquire::Retries=5"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # several words
apt-get $options update -qq
# shellcheck disable=SC2086
apt-get $options install -y -qq --no-install-recommends "$@" > /dev/null
apt-get clean
[ "$sources" = /run/apt_sources ] || rm "$sources"
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/* /var/cache/ldconfig/aux-cache /var/lib/dpkg/*-old /var/cache/debconf/*-old
