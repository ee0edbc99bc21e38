"""A container as an engine starts one, by the kernel's own means: util-linux, and no daemon.

Its root is an empty file system, read-only, with the machine's programs mounted into it, and what
the container is given: so that it sees no folder of another one. It has processes, mounts and a
host name of its own, one user without any capability, and the network of its host; it ends with
whoever started it.
"""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LINKS = ("/bin", "/sbin", "/lib", "/lib64")
SECONDS_TO_STOP = 30
INIT = """
child=$!
trap 'kill -TERM $child' TERM
code=0
wait $child || code=$?
while kill -0 $child 2> /dev/null; do code=0; wait $child || code=$?; done
exit $code
"""
"""The first process hands a request to end on, and with it ends everything: a process that takes
another user's id, as those within do, is no longer told that whoever started it has gone."""


@dataclass(frozen=True)
class Container:
    """What to run and with what. `volumes` are folders by where they are mounted."""

    name: str
    namespace: str
    command: Sequence[str]
    environment: Mapping[str, str]
    user: tuple[int, int]
    folder: str
    volumes: Mapping[str, Path]
    read_only: Mapping[str, Path]
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    """Options by where they are mounted."""

    def start(self, log: Path) -> Running:
        """Start it, with what it prints in `log`."""
        root = log.with_suffix(".root")
        root.mkdir(parents=True, exist_ok=True)
        script = log.with_suffix(".sh")
        script.write_text(self._script(root), encoding="utf-8")
        unshare = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child"]
        with_us = ["setpriv", "--pdeathsig", "KILL"]
        command = [*with_us, "ip", "netns", "exec", self.namespace, *unshare, "sh", str(script)]
        with open(log, "ab") as file:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
            )
        return Running(self.name, process, log)

    def _script(self, root: Path) -> str:
        lines = ["set -eu", f"hostname {shlex.quote(self.name)}"]
        lines += ["mount --make-rprivate /", f"mount -t tmpfs -o mode=755 tmpfs {root}"]
        lines += [
            f"cp --archive /etc {root}/etc",
            *_bind(Path("/usr"), root, "/usr", read_only=True),
        ]
        for link in map(Path, LINKS):
            lines += [f"ln -s {link.readlink()} {root}{link}"] if link.is_symlink() else []
        for python in (sys.base_prefix, sys.prefix):
            lines += [] if python.startswith("/usr") else _bind(Path(python), root, python, True)
        lines += [f"mkdir -p {root}/proc {root}/dev {root}/run {root}/var {root}/tmp"]
        lines += [f"ln -s ../run {root}/var/run", f"mount -t proc proc {root}/proc"]
        lines += [
            f"mount --rbind /dev {root}/dev",
            f"mount -t tmpfs -o mode=1777 shm {root}/dev/shm",
        ]
        for place, options in {"/tmp": "mode=1777", **self.tmpfs}.items():
            lines += [f"mkdir -p {root}{place}", f"mount -t tmpfs -o {options} tmpfs {root}{place}"]
        for place, folder in self.volumes.items():
            lines += _bind(folder, root, place)
        for place, folder in self.read_only.items():
            lines += _bind(folder, root, place, read_only=True)
        lines += [f"mount -o remount,ro,mode=755 {root}", f"chroot {root} {self._inside()} &"]
        return "\n".join(lines) + INIT

    def _inside(self) -> str:
        user, group = map(str, self.user)
        drop = ["setpriv", "--reuid", user, "--regid", group, "--clear-groups", "--no-new-privs"]
        drop += ["--bounding-set=-all", "--inh-caps=-all"]
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        inside = ["env", "-i", "--default-signal", "-C", self.folder, *variables, *self.command]
        return shlex.join(drop + inside)


@dataclass(frozen=True)
class Running:
    """A container at work."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """End all of it at once, as when the power goes."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Ask its first process to end, and end all of it when it does not."""
        if self.process.poll() is not None:
            return
        for child in _children(self.process.pid):
            subprocess.run(["kill", f"-{signal.SIGTERM}", child], check=False)
        try:
            self.process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self.kill()

    def tail(self) -> str:
        """The end of what it has printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-3000:]


def _bind(source: Path, root: Path, place: str, read_only: bool = False) -> list[str]:
    target = f"{root}{place}"
    make = f"mkdir -p {target}"
    if source.is_file():
        make = f"mkdir -p {Path(target).parent}; [ -e {target} ] || touch {target}"
    lines = [make, f"mount --bind {shlex.quote(str(source))} {target}"]
    return [*lines, f"mount -o remount,bind,ro {target}"] if read_only else lines


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
