"""Manifests against the API's own schemas, offline: `python -m infra.kubernetes.check`.

Needs kubernetes-validate (extra `dev`), which brings the schemas along.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
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
        f"{name}: {problem}" for name, manifest in manifests() for problem in problems(manifest)
    ]
    print("\n".join(found) or "every manifest is good")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
