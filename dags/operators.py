"""Operators: a `nightshift` command as a task, the gate, and a person's approval."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.providers.standard.utils.skipmixin import SkipMixin
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from dags.form import changes
from dags.process import Child
from dags.report import ReportLink
from dags.verdict import as_markdown
from tasks.handover.models import Model
from tasks.handover.names import run_slug
from tasks.store.store import VARIABLE as STORE

if TYPE_CHECKING:
    from airflow.sdk import Context

ROOT = Path(__file__).resolve().parent.parent
CHECKOUT = Model(ROOT)
NIGHTSHIFT = (sys.executable, "-m", "tasks.cli")
RETRY = 75
"""The exit code that says: a retry may pass (EX_TEMPFAIL of sysexits.h)."""
REFUSED = 3
NOTHING_NEW = 4


class NightshiftOperator(BaseOperator):
    """Runs `nightshift ARGUMENTS --run ID` and gives back what it left in `--result`.

    What may pass by trying again (exit code 75, an end by a signal) raises AirflowException, which
    Airflow retries; everything else raises AirflowFailException with the reason, at once.
    """

    operator_extra_links: tuple[ReportLink, ...] = (ReportLink(),)

    def __init__(
        self,
        *,
        arguments: Sequence[str],
        command: Sequence[str] = NIGHTSHIFT,
        model: Model = CHECKOUT,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.arguments = list(arguments)
        self.command = list(command)
        self.model = model
        self._child: Child | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the command; the content of its result file is the task's XCom."""
        code, result = self._run(context)
        return self._outcome(code, result, context)

    def on_kill(self) -> None:
        """End the command and whatever it started, training ranks included."""
        if self._child is not None:
            self._child.end()

    def _outcome(self, code: int, result: dict[str, Any], context: Context) -> dict[str, Any]:
        if code == 0:
            return result
        reason = result.get("reason") or _ended_how(code)
        kept = {"status": "failed", "retryable": _may_pass(code), **result, "reason": reason}
        context["ti"].xcom_push(key="return_value", value=kept)
        raised = AirflowException if _may_pass(code) else AirflowFailException
        raise raised(f"{self.task_id}: {reason}")

    def _arguments(self, context: Context) -> list[str]:
        return [*self.arguments, "--run", run_slug(str(context["run_id"]))]

    def _run(self, context: Context) -> tuple[int, dict[str, Any]]:
        with tempfile.TemporaryDirectory(prefix="nightshift-") as folder:
            file = Path(folder) / "result.json"
            command = [*self.command, *self._arguments(context), "--result", str(file)]
            self.log.info("%s", " ".join(command))
            variables = {**_environment(), STORE: self.model.store}
            self._child = Child(command, variables, ROOT)
            try:
                for line in self._child.lines():
                    self.log.info("%s", line)
                return self._child.wait(), _read(file)
            finally:
                self._child.end()


class PrepareOperator(NightshiftOperator):
    """`nightshift prepare` with what was filled in for this run.

    `hosts` is for how many machines that train together the DAG has tasks.
    """

    def __init__(self, *, hosts: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hosts = hosts

    def _outcome(self, code: int, result: dict[str, Any], context: Context) -> dict[str, Any]:
        wanted = result.get("hosts", 1)
        if code == 0 and wanted > self.hosts:
            reason = (
                f"finetune.hosts is {wanted} for this run, and the DAG has tasks for {self.hosts}: "
                "set it in params.yaml, which the DAG is made from"
            )
            return super()._outcome(1, {**result, "status": "stopped", "reason": reason}, context)
        return super()._outcome(code, result, context)

    def _arguments(self, context: Context) -> list[str]:
        run = context["dag_run"]
        conf = dict(run.conf or {})
        if run.run_type == "backfill" and run.logical_date and not conf.get("snapshot.data_date"):
            conf["snapshot.data_date"] = run.logical_date.date().isoformat()
        home = self.model.folder
        settings = [part for change in changes(conf, home) for part in ("--set", change)]
        own = ["--model", str(home)] if self.model.name else []
        return [*super()._arguments(context), *own, *settings]


class GateOperator(NightshiftOperator, SkipMixin):
    """`nightshift gate`: a candidate that is refused or not new skips what would ship it."""

    inherits_from_skipmixin = True

    def _outcome(self, code: int, result: dict[str, Any], context: Context) -> dict[str, Any]:
        if code not in (REFUSED, NOTHING_NEW):
            return super()._outcome(code, result, context)
        self.log.info("%s", result.get("verdict"))
        for reason in result.get("reasons", []):
            self.log.info("- %s", reason)
        context["ti"].xcom_push(key="return_value", value=result)
        self.skip(context["ti"], _next(context))
        return result


class ApproveOperator(ApprovalOperator):
    """Waits for a person when `publish.promotion` of the run is `approval`, and only then."""

    def __init__(self, *, model: Model = CHECKOUT, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model

    def execute(self, context: Context) -> Any:
        """`auto` goes on, `never` skips the promotion, `approval` shows the checks and waits."""
        from tasks.handover.after import GATE
        from tasks.handover.run import Run
        from tasks.store.store import open_store, read_record

        run = Run(open_store(self.model.store), run_slug(str(context["run_id"])))
        settings = run.facts()["publish"]
        if settings["promotion"] == "approval":
            published = context["ti"].xcom_pull(task_ids="publish") or {}
            self.subject = f"Promote {settings['name']}@{published.get('version')}?"
            self.body = as_markdown(read_record(run.store, run.key(GATE)) or {})
            return super().execute(context)
        answer = {"promotion": settings["promotion"]}
        if settings["promotion"] == "never":
            self.log.info("publish.promotion is never: published, and not promoted")
            context["ti"].xcom_push(key="return_value", value=answer)
            self.skip(context["ti"], _next(context))
        return answer


def _next(context: Context) -> list[Any]:
    return [task for task in context["task"].downstream_list if not task.is_teardown]


def _may_pass(code: int) -> bool:
    """Also for who was interrupted: codes above 128 are what a signal leaves behind."""
    return code == RETRY or code < 0 or code > 128


def _ended_how(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}; its log says why"


def _environment() -> dict[str, str]:
    """Ours without what is Airflow's alone: its keys are no business of a training."""
    kept = {k: v for k, v in os.environ.items() if not k.lstrip("_").startswith("AIRFLOW_")}
    for name in ("NIGHTSHIFT_NOTIFY_URL", "NIGHTSHIFT_NOTIFY_URL_FILE"):
        kept.pop(name, None)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**kept, "PATH": path, "PYTHONUNBUFFERED": "1"}


def _read(file: Path) -> dict[str, Any]:
    """The result file; a command that died may have left none, or half of one."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
