"""One stage of one run on this worker, which shares nothing with the others but the store.

    a fresh scratch folder with the run's code, parameters and a `dvc.lock` of what this run and the
    last one recorded → pull this stage's inputs, and hold each against what its producer recorded →
    `dvc repro --single-item --allow-missing` → push what is new → record it

Each step is what makes the next one safe; see docs/handover.md.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks.handover.checkpoints import Checkpoints
from tasks.handover.dvc import Say, run_dvc
from tasks.handover.environment import check_environment
from tasks.handover.gang import called_together
from tasks.handover.run import Record, Run, overtaken, set_latest
from tasks.handover.workspace import Workspace, logged, workspace
from tasks.stage.errors import StageError, Unavailable, as_stage_error, reported
from tasks.stage.outputs import read_json
from tasks.store.lock import shared

REPORTS = Path("reports")
TIMING = ".timing.json"
LEAST_BYTES = 2**16
"""Free bytes below which DVC itself can't work: its databases grow in pages."""


def work(run: Run, stage: str, say: Say, force: bool = False) -> Record:
    """Bring `stage` of `run` up to date on this machine; what it came to is recorded and returned.

    A stage that fails is recorded with its own report's reason; raises the StageError that says
    whether a retry may pass. A stage that need not run is carried forward from the last run, unless
    `force`.
    """
    started = time.monotonic()
    mine = run.claim(stage)
    with workspace(run, stage, say) as place, logged(place, f"{stage}-{mine.attempt}") as loud:
        try:
            done = _bring_up_to_date(replace(place, say=loud), stage, mine, force)
        except BaseException as error:
            known = _known(error, stage)
            _record_failure(run, place, mine, known, time.monotonic() - started)
            raise known from error
        outcome = replace(done, seconds=round(time.monotonic() - started, 3))
        run.finish(mine, outcome)
        _hand_over(place, outcome)
    _mark_if_whole(run, place)
    return outcome


def _bring_up_to_date(place: Workspace, stage: str, mine: Record, force: bool) -> Record:
    run = place.run
    check_environment(place.folder)
    entries = run.lock(place.graph.before(stage))
    own = mine.entry or run.base_entries().get(stage)
    place.write_lock(entries | ({stage: own} if own else {}))
    place.pull(place.graph.inputs(stage), entries)
    _fetch_timings(place, stage)
    with Checkpoints(run, mine, place.folder, place.say) as checkpoints:
        arguments = ["repro", "--single-item", "--allow-missing", stage]
        arguments += ["--force", "--no-run-cache"] if force else []
        with called_together(place, mine) as told:
            over = checkpoints.overtaken
            code = run_dvc(place.folder, run.store.url, place.say, *arguments, more=told, over=over)
        if over.is_set():
            raise overtaken(mine, run)
        if code:
            raise _why(place, stage, code)
    entry = place.entry(stage)
    ran = (place.folder / REPORTS / f"{stage}{TIMING}").is_file()
    if entry is None:
        raise StageError(f"{stage}: DVC left no entry in dvc.lock")
    done = replace(mine, status="ok", ran=ran, entry=entry)
    if ran or entry != own:
        _push(place, mine, done)
    checkpoints.forget()
    return done


def _push(place: Workspace, mine: Record, done: Record) -> None:
    """Send the outputs and record them, while nothing is removed from the store.

    A push leaves out what the store has already. Until the record is there, nothing else may say
    that it is needed; docs/housekeeping.md.
    """
    with shared(place.run.store, f"{mine.stage} of run {place.run.name}", place.say):
        place.push(mine.stage)
        place.run.finish(mine, done)


def _fetch_timings(place: Workspace, stage: str) -> None:
    """How long the stages before it took, which `benchmark` adds up; no stage depends on them."""
    for key in place.run.store.keys(place.run.key("reports/")):
        if key.endswith(TIMING) and Path(key).name != f"{stage}{TIMING}":
            place.run.store.download(key, place.folder / REPORTS / Path(key).name)


def _known(error: BaseException, stage: str) -> StageError:
    if not isinstance(error, Exception):
        return Unavailable(f"{stage} was interrupted ({type(error).__name__})")
    return as_stage_error(error) or StageError(f"{type(error).__name__}: {error}")


def _why(place: Workspace, stage: str, code: int) -> StageError:
    """The stage's own report says what DVC's exit code does not."""
    path = place.folder / REPORTS / f"{stage}.json"
    try:
        report: dict[str, Any] = read_json(path)
    except (OSError, ValueError):
        if shutil.disk_usage(place.folder).free < LEAST_BYTES:
            return Unavailable(f"the disk is full in {place.folder}: free some space and run again")
        return Unavailable(
            f"{stage} ended without a report (dvc: exit code {code}): it was killed, or could not "
            "start; its log says more"
        )
    return reported(
        str(report.get("status")), bool(report.get("retryable")), str(report.get("reason"))
    )


def _hand_over(place: Workspace, outcome: Record) -> None:
    """Put the stage's reports into the run's folder; a skipped stage's come from the store."""
    stage, run = outcome.stage, place.run
    if not outcome.ran and outcome.entry:
        reports = [
            out["path"] for out in outcome.entry["outs"] if out["path"].startswith("reports/")
        ]
        place.pull(reports, {stage: outcome.entry})
        base = run.facts().get("base")
        if base:
            _carry_timing(run, base, stage)
    _upload_reports(run, place, stage)


def _upload_reports(run: Run, place: Workspace, stage: str) -> None:
    for path in (place.folder / REPORTS).glob(f"*{TIMING}"):
        if path.name != f"{stage}{TIMING}":
            path.unlink()
    run.upload(place.folder / REPORTS, "reports")


def _carry_timing(run: Run, base: str, stage: str) -> None:
    name = f"reports/{stage}{TIMING}"
    found = run.store.read(Run(run.store, base).key(name))
    if found is not None:
        run.store.write(run.key(name), found.content)


def _record_failure(
    run: Run, place: Workspace, mine: Record, error: StageError, seconds: float
) -> None:
    try:
        outcome = replace(mine, status=error.status, retryable=error.retryable, reason=str(error))
        run.finish(mine, replace(outcome, seconds=round(seconds, 3)))
        _upload_reports(run, place, mine.stage)
    except (StageError, OSError) as problem:
        place.say(f"the failure of {mine.stage} could not be recorded: {problem}")


def _mark_if_whole(run: Run, place: Workspace) -> None:
    """The run whose graph came through is what the next one starts from; one for a day long past
    is not."""
    records = [run.record(stage) for stage in place.graph.stages]
    if run.facts().get("data_date") is None and all(r and r.status == "ok" for r in records):
        set_latest(run)
