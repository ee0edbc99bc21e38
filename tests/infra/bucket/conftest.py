from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tasks.store.store import Store, open_store
from tests.infra.bucket.installed import Installation, installed, stack, with_careless_worker

As = Callable[[str], Store]


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    wanted = with_careless_worker(stack())
    with installed(tmp_path_factory.mktemp("installation"), wanted) as made:
        yield made


@pytest.fixture
def as_role(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> As:
    """From then on this process works in that role; its store."""

    def take(role: str) -> Store:
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        for name, value in installation.environment(role).items():
            monkeypatch.setenv(name, value)
        return open_store(installation.store)

    return take
