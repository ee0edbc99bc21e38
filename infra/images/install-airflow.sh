#!/bin/sh
# install-airflow.sh PROJECT VENV: what Airflow's own processes need, as requirements.lock pins it.
set -eu
project=$1 venv=$2
here=$(dirname "$0")
python3 -m venv "$venv"
"$venv/bin/python" "$here/thin.py" "$project/pyproject.toml" >/tmp/thin.txt
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir \
  --constraint "$project/requirements.lock" --requirement /tmp/thin.txt
rm /tmp/thin.txt
"$venv/bin/python" "$here/thin.py" --check "$project/requirements.lock"
