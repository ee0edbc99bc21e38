"""The compiled pipeline, run by Kubeflow's own local runner: does it end where a laptop ends?

    .venv/bin/python -m tests.kubeflow_proof

Makes an environment with Kubeflow's SDK beside this one, compiles a tiny project's pipeline, runs
it against a real S3 server, holds every output's hash against those of `dvc repro`, and looks what
serves. Works below .nightshift/proofs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import boto3
import yaml

from infra.s3 import Server
from tasks.handover.run import Run, latest
from tasks.registry.aliases import read_aliases
from tasks.store.store import open_store
from tests.made import ROOT, environment, make_tiny_model, opinions, write_csv
from tests.proofs import unlike_a_laptop
from tests.s3 import KEYS, settings
from tests.test_end_to_end import STAGES, project, run

FOLDER = ROOT / ".nightshift" / "proofs" / "kubeflow"
SDK = ROOT / ".nightshift" / "proofs" / "kubeflow-sdk"
PACKAGES = ("kfp==2.17.3", "kfp-kubernetes==2.17.3")
STORE = "s3://team/nightshift"
RUN = """
import sys
from kfp import components, local
local.init(local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[2])
components.load_component_from_file(sys.argv[1])(finetune_seed=5)
"""


def main() -> int:
    """The whole proof; 1 when an output differs."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    place = FOLDER / "project"
    place.mkdir(parents=True)
    source = write_csv(FOLDER / "mine.csv", opinions(), ("review", "verdict"))
    project(place, make_tiny_model(FOLDER / "tiny"), source)
    (place / "infra").mkdir()
    shutil.copy(ROOT / "infra" / "resources.yaml", place / "infra")
    sdk = ready_sdk()
    with Server(FOLDER / "s3", (KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"])) as s3:
        os.environ.update(settings(s3.endpoint, FOLDER))
        boto3.Session().client("s3").create_bucket(Bucket="team")
        seconds = run_pipeline(sdk, place)
        made = latest(open_store(STORE))
        assert made is not None, "the pipeline's run did not come through"
        different = compare(made, laptop(place))
        serves = read_aliases(open_store(STORE), "reviews").production
    print(
        f"PROOF kubeflow: {made.name}: {len(STAGES)} stages by the local runner, {seconds:.0f} s; "
        f"outputs that differ from a laptop's: {different or 'none'}; in production: {serves}"
    )
    return 1 if different or serves is None else 0


def ready_sdk() -> Path:
    """The python of an environment with Kubeflow's SDK, ours below it."""
    python = SDK / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(SDK)], check=True)
        lib = SDK / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
        (lib / "site-packages" / "below.pth").write_text(sysconfig.get_path("purelib"))
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return python


def run_pipeline(sdk: Path, place: Path) -> float:
    """Compile and run in `place`; the seconds that the run took."""
    bin_folder = str(Path(sys.executable).parent)
    variables = environment(PATH=f"{bin_folder}:{os.environ['PATH']}", NIGHTSHIFT_STORE=STORE)
    arguments = ["compile", "kubeflow", "--image", "nightshift-python", "--output", "pipeline.yaml"]
    command = [str(sdk), "-m", "tasks.cli", *arguments]
    subprocess.run(command, cwd=place, env=variables, check=True)
    started = time.monotonic()
    command = [str(sdk), "-c", RUN, "pipeline.yaml", str(FOLDER / "outputs")]
    subprocess.run(command, cwd=place, env=variables, check=True)
    return time.monotonic() - started


def laptop(place: Path) -> Path:
    """The same project with the same parameters by plain `dvc repro`."""
    path = place / "params.yaml"
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    params["finetune"]["seed"] = 5
    path.write_text(yaml.safe_dump(params), encoding="utf-8")
    run(place, "-m", "dvc", "repro", "--quiet", "export")
    return place / "dvc.lock"


def compare(made: Run, lock: Path) -> list[str]:
    """Outputs of another hash; `benchmark`, which measures, is exempt."""
    return unlike_a_laptop(made.lock(STAGES[:-1]), lock)


if __name__ == "__main__":
    sys.exit(main())
