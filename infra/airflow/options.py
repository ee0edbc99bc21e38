"""Whether Airflow knows the options that an installation sets by `AIRFLOW__…` variables."""

from __future__ import annotations

import re
from collections.abc import Iterable

_VARIABLE = re.compile(r"AIRFLOW__([A-Z0-9_]+?)__([A-Z0-9_]+)")


def unknown(variables: Iterable[str]) -> list[str]:
    """Those that no option of the installed Airflow and its providers answers to.

    A misspelt one is ignored without a word, and its default holds. `_CMD` and `_SECRET` count
    for the options that take their value so.
    """
    from airflow.configuration import conf
    from airflow.providers_manager import ProvidersManager

    ProvidersManager().initialize_providers_configuration()  # type: ignore[no-untyped-call]
    known = {
        (section, option)
        for section, content in conf.configuration_description.items()
        for option in content["options"]
    }
    known |= {
        (section, f"{option}{suffix}")
        for section, option in conf.sensitive_config_values
        for suffix in ("_cmd", "_secret")
    }
    return [name for name in variables if _option(name) not in known]


def _option(variable: str) -> tuple[str, str] | None:
    found = _VARIABLE.fullmatch(variable)
    return (found[1].lower(), found[2].lower()) if found else None
