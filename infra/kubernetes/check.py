"""Manifests against the API's own schemas, offline: `python -m infra.kubernetes.check`.

Needs kubernetes-validate and kubeflow-trainer-api (extra `dev`), which bring the schemas along.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
TRAINER = FOLDER / "trainer"
NOT_OF_THE_API = {"values.yaml", "kustomization.yaml"}
RELEASES = ("1.30", "1.35", "1.37")
"""The oldest and the newest that Airflow 3.3 is said to run on, and the newest there is."""
Manifest = Mapping[str, Any]


def manifests(folder: Path = FOLDER) -> Iterator[tuple[str, Manifest]]:
    """Every manifest, with the file's name and its own."""
    for path in sorted(folder.glob("*.yaml")):
        if path.name not in NOT_OF_THE_API:
            for manifest in yaml.safe_load_all(path.read_text(encoding="utf-8")):
                yield f"{path.name}: {manifest['kind']} {manifest['metadata']['name']}", manifest


def problems(manifest: Manifest) -> list[str]:
    """What the API would refuse, and what its schemas let pass and a pod may not do here."""
    if manifest["apiVersion"] == "trainer.kubeflow.org/v1alpha1":
        found = list(_refused_by_the_trainer(manifest))
        return found + [told for pod in _pods(manifest) for told in problems(pod)]
    found = [told for release in RELEASES for told in _refused(manifest, release)]
    pod = manifest if manifest["kind"] == "Pod" else manifest.get("spec", {}).get("template")
    return found + (list(_loose(pod["spec"])) if pod else [])


def _refused(manifest: Manifest, release: str) -> Iterator[str]:
    import kubernetes_validate

    try:
        kubernetes_validate.validate(manifest, release, strict=True)
    except kubernetes_validate.ValidationError as error:
        place = ".".join(map(str, error.path))
        yield f"{place or 'the whole'}: {error.message} (Kubernetes {release})"


def _refused_by_the_trainer(manifest: Manifest) -> Iterator[str]:
    """By the models that Kubeflow makes of its own schemas; they drop what they do not know."""
    from kubeflow_trainer_api import models
    from pydantic import ValidationError

    kind: Any = getattr(models, f"TrainerV1alpha1{manifest['kind']}")
    try:
        known = kind.from_dict(manifest).to_dict()
    except ValidationError as error:
        for problem in error.errors():
            yield f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
        return
    yield from _dropped(manifest, known)


def _dropped(given: Any, kept: Any, place: str = "") -> Iterator[str]:
    if isinstance(given, Mapping) and isinstance(kept, Mapping):
        for key, value in given.items():
            yield from _dropped(value, kept.get(key), f"{place}.{key}".lstrip("."))
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for at, value in enumerate(given):
            yield from _dropped(value, kept[at], f"{place}.{at}")
    elif given != kept:
        yield f"{place}: the API knows no such key, or no such value"


def _pods(manifest: Manifest) -> Iterator[Manifest]:
    """The pods of a runtime, as Jobs make them."""
    jobs = manifest["spec"].get("template", {}).get("spec", {}).get("replicatedJobs", [])
    for job in jobs:
        template = job["template"]["spec"]["template"]
        metadata = {"name": job["name"], **template["metadata"]}
        yield {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def _loose(spec: Manifest) -> Iterator[str]:
    """What the namespace's standard `restricted` asks of a pod, and this project."""
    if not spec.get("securityContext", {}).get("runAsNonRoot"):
        yield "spec.securityContext.runAsNonRoot: must be true"
    if spec.get("automountServiceAccountToken") is not False:
        yield "spec.automountServiceAccountToken: must be false"
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        context, place = container.get("securityContext", {}), f"container {container['name']}"
        if context.get("capabilities") != {"drop": ["ALL"]}:
            yield f"{place}: capabilities: must be {{drop: [ALL]}}"
        for name, wanted in (("allowPrivilegeEscalation", False), ("readOnlyRootFilesystem", True)):
            if context.get(name) is not wanted:
                yield f"{place}: {name}: must be {str(wanted).lower()}"


def main() -> int:
    """Print what is wrong; the exit code is 1 when something is."""
    found = [
        f"{name}: {problem}"
        for name, manifest in [*manifests(), *manifests(TRAINER)]
        for problem in problems(manifest)
    ]
    print("\n".join(found) or "every manifest is good")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
