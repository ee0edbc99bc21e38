#!/bin/sh
# What both images need of Debian: Python unless there is one, certificates, git for publishing.
set -eu
export DEBIAN_FRONTEND=noninteractive
wanted="ca-certificates git"
python3 -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
  wanted="$wanted python3 python3-venv"
apt-get update -qq
# shellcheck disable=SC2086 # a list of names
apt-get install -y -qq --no-install-recommends $wanted
apt-get clean
rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log
