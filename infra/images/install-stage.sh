#!/bin/sh
# [INDEX=URL] install-stage.sh PROJECT VENV: all of requirements.lock; torch from INDEX if given.
set -eu
project=$1 venv=$2
python3 -m venv "$venv"
install() { "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir "$@"; }
if [ -n "${INDEX:-}" ]; then
  install --no-deps --index-url "$INDEX" "$(grep '^torch==' "$project/requirements.lock")"
fi
install --requirement "$project/requirements.lock"
# The code is no package here: it stays where the image has it, once.
printf '#!/bin/sh\nexec python -m tasks.cli "$@"\n' >"$venv/bin/nightshift"
chmod 755 "$venv/bin/nightshift"
