"""Airflow's own folder, as for the tests of the DAGs."""

from tests.dags.conftest import HOME

__all__ = ["HOME"]
