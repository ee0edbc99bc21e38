"""A published version in git: a commit with the run's lock and parameters, and a tag on it.

The commit is the code's tree with `dvc.lock`, `params.yaml` and the store as DVC's remote, on the
branch `nightshift/NAME`; the tag `NAME@v1.4.0` has the form of GTO (https://dvc.org/doc/gto). So
`git checkout NAME@v1.4.0; dvc pull` brings back that version's data and models, and `gto show`
lists it. All of it follows from the version's manifest, dates included: whoever tags a version on
the same branch makes the same objects.
"""

from __future__ import annotations

import configparser
import io
import re
import time
from pathlib import Path
from random import SystemRandom
from typing import Any, NamedTuple

import yaml

from tasks.registry.git import Git, GitError, Rejected
from tasks.registry.manifest import Manifest, need_manifest
from tasks.store.store import Store

TRIES = 20
"""Pushes, when other publishers push to the same branch in between."""
REMOTE = "nightshift"
CONFIG = ".dvc/config"
_NUMBER_IN_YAML_1_2 = re.compile(r"[-+]?\d+[eE][-+]?\d+|0o[0-7]+")


class Tagged(NamedTuple):
    """What became of a version's tag."""

    tag: str
    commit: str | None
    """What the tag stands on; None when there is no tag."""
    pushed: bool
    problem: str | None
    """What could not be done, and what to do about it."""


class _Refs(NamedTuple):
    tag: str
    branch: str


def tag_version(store: Store, name: str, version: str, repository: Path = Path()) -> Tagged:
    """Tag a published version in the git repository of a folder; push it if there is a remote.

    Done before, it only makes sure that it was pushed. Work tree and index are left alone. What
    can't be done is the answer's problem, never an error. Raises BadInput when the version was
    never published.
    """
    manifest, tag = need_manifest(store, name, version), f"{name}@{version}"
    try:
        return _tagged(Git(repository), manifest, tag, f"{store.url}/dvc")
    except GitError as error:
        return Tagged(tag, None, False, f"{tag} is not tagged in git: {error}")


def _tagged(git: Git, manifest: Manifest, tag: str, url: str) -> Tagged:
    refs = _Refs(f"refs/tags/{tag}", f"refs/heads/nightshift/{manifest.name}")
    remote, problem = git.remote(), None
    if remote:
        problem = _share(git, remote, manifest, refs, url)
    if problem or not remote:
        git.keep(_objects(git, manifest, refs, {}, url))
    if problem:
        problem = f"{tag} is not on {remote} ({problem}): git push {remote} {' '.join(refs)}"
    return Tagged(tag, git.commit_at(refs.tag), bool(remote) and not problem, problem)


def _share(git: Git, remote: str, manifest: Manifest, refs: _Refs, url: str) -> str | None:
    """Tag here and on the remote, again when others push in between; what stood in the way."""
    for turn in range(TRIES):
        try:
            there = git.fetched(remote, refs)
            objects = _objects(git, manifest, refs, there, url)
            new = {ref: name for ref, name in objects.items() if there.get(ref) != name}
            if new:
                git.push(remote, new)
            git.keep(objects)
        except Rejected:
            time.sleep(SystemRandom().uniform(0, min(0.1 * (turn + 1), 1.0)))
        except GitError as error:
            return str(error)
        else:
            return None
    return "others keep pushing to its branch"


def _objects(
    git: Git, manifest: Manifest, refs: _Refs, there: dict[str, str], url: str
) -> dict[str, str]:
    """What tag and branch are to stand for, by ref: what they do, or a commit and tag now made.

    `there` is what the remote has. A branch that has gone on elsewhere since the tag was made is
    left to the next publication, which joins both.
    """
    tips = [tip for tip in (there.get(refs.branch), git.object_at(refs.branch)) if tip]
    tag = there.get(refs.tag) or git.object_at(refs.tag)
    if tag:
        tip = tips[-1] if tips else git.commit_at(tag)
        behind = tip is None or (refs.branch in there and not git.contains(tip, tips[0]))
        return {refs.tag: tag} if behind or tip is None else {refs.tag: tag, refs.branch: tip}
    code = git.commit_at(manifest.revision) if manifest.revision else None
    if code is None:
        raise GitError(f"its code is no commit of this repository ({manifest.revision})")
    if git.file(code, "dvc.yaml") is None:
        raise GitError(f"there is no dvc.yaml in commit {code} of this repository")
    message, date = _message(manifest), manifest.created
    files = _files(manifest, git.file(code, CONFIG) or "", url)
    commit = git.commit(code, files, git.independent([*tips, code]), message, date)
    tag = git.tag(refs.tag.removeprefix("refs/tags/"), commit, message, date)
    return {refs.tag: tag, refs.branch: commit}


def _files(manifest: Manifest, config: str, url: str) -> dict[str, str]:
    """What the tagged tree has beyond the code's: path → content."""
    files = {"params.yaml": _yaml(manifest.params), CONFIG: _with_remote(config, url)}
    if manifest.lock:
        files["dvc.lock"] = _yaml(manifest.lock)
    return files


def _with_remote(config: str, url: str) -> str:
    """DVC's configuration with the store as its default remote; never with credentials."""
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        parser.read_string(config)
    except configparser.Error as error:
        raise GitError(f"{CONFIG} can't be read: {' '.join(str(error).split())}") from None
    section = f"'remote \"{REMOTE}\"'"
    parser.read_dict({"core": {"remote": REMOTE}, section: {"url": url}})
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


class _Dumper(yaml.SafeDumper):
    """YAML that reads the same by version 1.1, as we read it, and by 1.2, as DVC does."""

    def represent_text(self, text: str) -> yaml.Node:
        style = "'" if _NUMBER_IN_YAML_1_2.fullmatch(text) else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


def _yaml(content: Any) -> str:
    text: str = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text


def _message(manifest: Manifest) -> str:
    figure = manifest.figure
    measured = "" if figure is None else f"{manifest.task.metric} {figure:.4f}\n"
    return (
        f"Publish {manifest.name} {manifest.version}\n\n"
        f"run {manifest.run or 'by hand'}\ndigest {manifest.digest}\n{measured}"
    )
