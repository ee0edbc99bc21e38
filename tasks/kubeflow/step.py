"""What a pod of the pipeline does. Kubeflow carries this function's text, so it stands alone.

Its annotations are read as types: text, which `from __future__ import annotations` makes of them,
would not be understood.
"""


def step(command: list, run: str, store: str, settings: str, types: dict) -> str:  # type: ignore[type-arg]
    """Run `nightshift COMMAND --run RUN`; what `gate` or `prepare` decided, "" of any other.

    `settings` has a line `section.key=VALUE` a parameter; `types` says which of them are texts,
    to be taken literally, and which integers, of which Kubeflow makes floats. What may pass (exit
    code 75) is tried again here, later and later; anything else ends the pod.
    """
    import json
    import os
    import subprocess
    import sys
    import tempfile
    import time
    from pathlib import Path

    changes = []
    for key, _, text in (line.partition("=") for line in settings.splitlines()):
        if text and types[key] == "text":
            text = json.dumps(text)
        elif types[key] == "integer":
            text = str(int(float(text)))
        changes += ["--set", f"{key}={text}"]
    environment = {**os.environ, "NIGHTSHIFT_STORE": store, "PYTHONUNBUFFERED": "1"}
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        words = ["nightshift", *command, "--run", run, *changes]
        for seconds in (30, 120, 600, 0):
            code = subprocess.run([*words, "--result", str(result)], env=environment).returncode
            if code != 75 or not seconds:
                break
            time.sleep(seconds)
        if code not in (0, 3, 4):  # 3 and 4 are the gate's: refused, and nothing new
            sys.exit(code)
        found = json.loads(result.read_text())
    return str(found.get("verdict") or found.get("publish", {}).get("promotion") or "")
