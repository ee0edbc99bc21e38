"""One DAG a model, where `NIGHTSHIFT_MODELS` names several: which, and with what form."""

from __future__ import annotations

from airflow.sdk import Param, get_parsing_context

from dags.form import form
from dags.operators import ROOT
from tasks.handover.models import Model, models
from tasks.stage.errors import BadInput


def wanted(dag: str) -> list[Model]:
    """Every model, where the DAG processor asks; where a task is to run, that of its DAG alone.

    A worker would else make hundreds of DAGs to run a task of one.
    """
    asked = get_parsing_context().dag_id
    return [model for model in models(ROOT) if asked in (None, model.dag_id(dag))]


def form_of(model: Model, section: str | None = None) -> dict[str, Param]:
    """The model's form. One of several whose `params.yaml` is broken has none, and keeps its DAG:
    its own task says what is wrong, and the nights of the others go on."""
    try:
        return form(model.folder, section)
    except BadInput:
        if model.name is None:
            raise
        return {}
