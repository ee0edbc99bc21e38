"""The few things asked of git, none of which touches work tree or index."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

WHO = "nightshift"
PATIENCE_SECONDS = 120
_TOO_LATE = re.compile(r"rejected\]|fetch first|non-fast-forward|cannot lock ref")


class GitError(Exception):
    """What git could not do, in its own words (it leaves out a password in a remote's URL)."""


class Rejected(GitError):
    """A push that came too late: somebody else has pushed to the same branch."""


class Git:
    """A repository with a work tree; paths are relative to the folder it was opened with."""

    def __init__(self, folder: Path) -> None:
        self._top = folder
        self._prefix = self.run("rev-parse", "--show-prefix")
        self._top = Path(self.run("rev-parse", "--show-toplevel"))

    def run(self, *arguments: str, text: str | None = None, **environment: str) -> str:
        """Git's answer, without the newline at its end; it never waits for a password."""
        who = {f"GIT_{role}_NAME": WHO for role in ("AUTHOR", "COMMITTER")}
        who |= {f"GIT_{role}_EMAIL": f"{WHO}@localhost" for role in ("AUTHOR", "COMMITTER")}
        try:
            done = subprocess.run(
                ["git", *arguments],  # noqa: S607
                cwd=self._top,
                env={**who, **os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **environment},
                input=text or "",
                capture_output=True,
                encoding="utf-8",
                timeout=PATIENCE_SECONDS,
            )
        except FileNotFoundError:
            raise GitError("git is not installed, or the folder is not there") from None
        except subprocess.TimeoutExpired:
            raise GitError(f"git {arguments[0]} took over {PATIENCE_SECONDS} s") from None
        if done.returncode:
            said = " ".join(done.stderr.split())
            raise GitError(said or f"git {arguments[0]} failed")
        return done.stdout.rstrip("\n")

    def asked(self, *arguments: str) -> str | None:
        """As `run`; None when git can't or says no."""
        try:
            return self.run(*arguments)
        except GitError:
            return None

    def remote(self) -> str | None:
        """`origin`, or the first of the remotes, or None."""
        known = self.run("remote").split()
        return "origin" if "origin" in known else next(iter(known), None)

    def object_at(self, ref: str) -> str | None:
        """What a ref stands for: a commit, or a tag's own object."""
        return self.asked("rev-parse", "--verify", "--quiet", ref)

    def commit_at(self, ref: str) -> str | None:
        """The commit that a ref leads to."""
        return self.asked("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")

    def fetched(self, remote: str, refs: Sequence[str]) -> dict[str, str]:
        """Those of `refs` that the remote has, and their objects, which are here afterwards."""
        lines = self.run("ls-remote", remote, *refs).splitlines()
        found = {ref: name for name, ref in (line.split("\t") for line in lines) if ref in refs}
        if found:
            self.run("fetch", "--quiet", "--no-tags", remote, *found)
        return found

    def tips(self, remote: str | None) -> dict[str, str]:
        """Every branch and tag here and on the remote, by name; its objects are here afterwards."""
        lines = self.run("for-each-ref", "--format=%(objectname)\t%(refname)").splitlines()
        here = {ref: name for name, ref in (line.split("\t") for line in lines)}
        if remote is None:
            return here
        lines = self.run("ls-remote", "--heads", "--tags", "--refs", remote).splitlines()
        there = {ref: name for name, ref in (line.split("\t") for line in lines)}
        new = [ref for ref, name in there.items() if self.asked("cat-file", "-e", name) is None]
        if new:
            self.run("fetch", "--quiet", "--no-tags", remote, *new)
        return here | {f"{remote}: {ref}": name for ref, name in there.items()}

    def paths(self, commit: str) -> list[tuple[str, str]]:
        """Every file of a commit, wherever in the tree: (its content's name, its path)."""
        lines = self.run("ls-tree", "-r", "-z", "--full-tree", commit).split("\0")
        found = (line.partition("\t") for line in lines if line)
        return [(head.split()[2], path) for head, _, path in found if head.split()[1] == "blob"]

    def content(self, blob: str) -> str:
        """The text that git has under a blob's name."""
        return self.run("cat-file", "blob", blob)

    def push(self, remote: str, objects: Mapping[str, str]) -> None:
        """Let the remote's refs stand for these objects, all or none; raises Rejected, GitError."""
        wanted = [f"{name}:{ref}" for ref, name in objects.items()]
        try:
            self.run("push", "--quiet", "--no-verify", "--atomic", remote, *wanted)
        except GitError as error:
            raise (Rejected if _TOO_LATE.search(str(error)) else GitError)(str(error)) from None

    def keep(self, objects: Mapping[str, str]) -> None:
        """Let the refs here stand for these objects."""
        for ref, name in objects.items():
            self.run("update-ref", ref, name)

    def contains(self, commit: str, other: str) -> bool:
        """Whether `other` is `commit` or one of its ancestors."""
        return self.asked("merge-base", "--is-ancestor", other, commit) is not None

    def independent(self, commits: Sequence[str]) -> list[str]:
        """The commits that no other of them contains, in their order."""
        found = self.run("merge-base", "--independent", *commits).split()
        return [commit for commit in dict.fromkeys(commits) if commit in found]

    def file(self, commit: str, path: str) -> str | None:
        """The content of a file in a commit."""
        return self.asked("show", f"{commit}:{self._prefix}{path}")

    def commit(
        self, base: str, files: Mapping[str, str], parents: Sequence[str], message: str, date: str
    ) -> str:
        """A commit of the tree of `base` with `files` (path → content) put in or replaced."""
        with tempfile.TemporaryDirectory() as scratch:
            index = {"GIT_INDEX_FILE": str(Path(scratch, "index"))}
            self.run("read-tree", base, **index)
            for path, content in files.items():
                blob = self.run("hash-object", "-w", "--stdin", text=content)
                entry = f"100644,{blob},{self._prefix}{path}"
                self.run("update-index", "--add", "--cacheinfo", entry, **index)
            tree = self.run("write-tree", **index)
        under = [word for parent in parents for word in ("-p", parent)]
        dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
        return self.run("commit-tree", tree, *under, text=message, **dates)

    def tag(self, name: str, commit: str, message: str, date: str) -> str:
        """An annotated tag's object, which no ref points at yet."""
        tagger = self.run("var", "GIT_COMMITTER_IDENT", GIT_COMMITTER_DATE=date)
        head = f"object {commit}\ntype commit\ntag {name}\ntagger {tagger}\n\n"
        return self.run("mktag", text=head + message)
