"""The installation of infra/compose on three hosts that share nothing, and what it survives.

    .venv/bin/python -m tests.three_hosts night    the sample; a worker cut off, Redis and
                                                   PostgreSQL restarted; the hashes of a laptop
    .venv/bin/python -m tests.three_hosts gang     two hosts train together; one loses its power

Each host is a network namespace with its own address, each service a container with the Compose
file's command, settings and secrets (tests/hosts). Needs root, iproute2, and Debian's `postgresql`
and `redis-server`. Works below .nightshift/proofs, in clones of the last commit.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import typer

from tasks.handover.names import run_slug
from tests.hosts.installation import Installation, bring_samples, installation
from tests.made import make_tiny_model, opinions, write_csv
from tests.proofs import FOLDER, clone, run, unlike_a_laptop
from tests.test_end_to_end import SMALL, STAGES

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)
HOURS = 3600.0
QUICK: dict[str, dict[str, Any]] = {
    "finetune": {
        "epochs": 1, "evaluations": 2, "max_length": 32, "threads": 1,
        "freeze_embeddings": True, "freeze_layers": 5,
    },
    "prune": {"max_levels": 1, "augment": 0, "max_drop": 9.0, "threads": 1},
    "export": {"fusion": "attention", "threads": 1},
    "benchmark": {"rounds": 2, "texts": 50, "max_drop": 9.0, "threads": 1},
    "gate": {"rounds": 2, "texts": 50, "threads": 1},
}  # fmt: skip
"""So that a night takes a quarter of an hour on two slow cores that three hosts share: one epoch
that trains the last layer, with two looks and a checkpoint at each. What is chosen by measuring is
pinned, so that hashes can be compared."""


@app.command()
def night() -> None:
    """A night of `sample:reviews` with everything that the issue of a team may meet in it."""
    project = clone("three-hosts-project", QUICK)
    with installation(FOLDER / "three-hosts", project) as team:
        for host in ("b", "c"):
            bring_samples(team.hosts[host])
            team.start(host, "worker-cpu")
            team.start(host, "worker-train")
        team.start("c", "worker-publish")
        started = time.monotonic()
        team.trigger("Night", {})
        lost = _cut_off_in_finetune(team, "Night")
        _restart_in_prune(team, "Night")
        state = team.wait(lambda: _ended(team, "Night"), 2 * HOURS, "the end of the night")
        seconds = time.monotonic() - started
        places, found = team.places("Night"), {each: team.record("Night", each) for each in STAGES}
        version = team.read("registry/reviews/aliases.json")
        run(project, "dvc", "repro", "--quiet", "export")  # the exporter looks every five minutes
        watched = team.wait(
            lambda: team.measured("nightshift_verdict_timestamp_seconds"), 600, "the metrics"
        )
        alerts = team.measured('ALERTS{alertstate="firing"}')
        late = team.running[lost, "worker-train"].tail()
        shown = "blessed" in team.log("Night", "gate")
    print(
        f"where the tasks ran: {places}\nproduction: {version}\nverdict, by Prometheus: {watched}\n"
        f"alerts that fire: {alerts}\nthe lost worker, last:\n{late}"
    )
    made = {
        stage: record.entry for stage in STAGES[:-1] if (record := found[stage]) and record.entry
    }
    different = unlike_a_laptop(made, project / "dvc.lock")
    hosts = {where.split("-")[0] for where in places.values() if where}
    attempts = found["finetune"].attempt if found["finetune"] else 0
    print(
        f"PROOF three hosts: {state} in {seconds:.0f} s; {lost} was cut off in finetune and came "
        f"back during attempt 2 (attempts: {attempts}), Redis and PostgreSQL restarted in prune; "
        f"tasks ran on {', '.join(sorted(hosts))}; outputs that differ from a laptop's: "
        f"{different or 'none'}; the page shows the log of gate: {shown}"
    )
    right = (
        state == "success" and list(made) == STAGES[:-1] and attempts == 2 and hosts == {"b", "c"}
    )
    if not right or different or not version or not shown:
        raise typer.Exit(1)


def _cut_off_in_finetune(team: Installation, name: str) -> str:
    """The host that has `finetune` loses its cable after a checkpoint, and gets it back when the
    other one is at work on it; its name."""
    _await_checkpoint(team, name)
    lost = str(team.task(name, "finetune")["hostname"]).split("-")[0]
    print(f"{lost} is cut off", flush=True)
    team.net.cut_off(lost)
    team.wait(lambda: _attempt(team, name) == 2, HOURS / 4, "another worker at finetune")
    print(f"{lost} comes back", flush=True)
    team.net.bring_back(lost)
    return lost


def _restart_in_prune(team: Installation, name: str) -> None:
    team.wait(lambda: team.task(name, "prune").get("state") == "running", HOURS, "prune")
    for service in ("redis", "postgres"):
        print(f"{service} is restarted", flush=True)
        team.restart(service)
        time.sleep(10)


@app.command()
def gang() -> None:
    """`finetune.hosts: 2` on a tiny model: undisturbed, then with a host whose power goes."""
    changes = {
        **SMALL,
        "snapshot": {"reference": None},
        "finetune": {**SMALL["finetune"], "hosts": 2, "epochs": 8, "patience": 99},
        "gate": {"rounds": 2, "texts": 10, "threads": 1, "max_slowdown": None},
    }
    changes["ingest"] = {**SMALL["ingest"], "source": "/opt/nightshift/mine.csv"}
    changes["finetune"]["model"] = "/opt/nightshift/tiny"
    project = clone("gang-project", changes)
    write_csv(project / "mine.csv", opinions(), ("review", "verdict"))
    make_tiny_model(project / "tiny")
    outputs = {name: _together(project, name) for name in ("undisturbed", "disturbed")}
    equal = outputs["undisturbed"] == outputs["disturbed"]
    print(f"PROOF gang: the outputs of both are {'equal' if equal else f'not equal: {outputs}'}")
    if not equal:
        raise typer.Exit(1)


def _together(project: Path, name: str) -> list[Any]:
    """What a training of two hosts comes to in an installation of its own."""
    with installation(FOLDER / "gang", project) as team:
        slots = {"pool": "nightshift_train", "slots": 2, "include_deferred": False}
        answer = team.rest.patch("pools/nightshift_train", slots)
        if not answer.ok:
            raise RuntimeError(f"the pool was not changed: {answer}")
        team.start("b", "worker-cpu")
        team.start("b", "worker-publish")
        for host in ("b", "c"):
            team.start(host, "worker-train")
        team.trigger(name, {})
        if name == "disturbed":
            _power_off_in_finetune(team, name)
        state = team.wait(lambda: _ended(team, name), HOURS, f"the end of {name}")
        record, places = team.record(name, "finetune"), team.places(name)
    if state != "success" or record is None:
        raise RuntimeError(f"{name}: {state}: {places}")
    print(f"{name}: {record.attempt} attempts at finetune; tasks ran on {places}", flush=True)
    return _outs(record)


def _power_off_in_finetune(team: Installation, name: str) -> None:
    _await_checkpoint(team, name)
    print("the power of c goes", flush=True)
    team.kill("c")
    time.sleep(20)
    team.start("c", "worker-train")


def _await_checkpoint(team: Installation, name: str) -> None:
    below = f"runs/{run_slug(name)}/checkpoints/"
    team.wait(lambda: team.keys(below), HOURS, "a checkpoint of finetune")


def _attempt(team: Installation, name: str) -> int:
    record = team.record(name, "finetune")
    return record.attempt if record else 0


def _ended(team: Installation, name: str) -> str | None:
    state = team.state(name)
    return state if state in ("success", "failed") else None


def _outs(record: Any) -> list[Any]:
    return list(record.entry["outs"]) if record and record.entry else []


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # take the hosts down then, too
    app()
