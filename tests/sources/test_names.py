from __future__ import annotations

import pytest

from tasks.sources.names import check_name
from tasks.stage.errors import BadInput


@pytest.mark.parametrize(
    "name",
    ["two words.csv", "критика.csv", "晚班/好.csv", "😀.csv", "👩\u200d💻.csv", "a\xa0b.csv"],
)
def test_any_script_is_a_name(name: str) -> None:
    assert check_name(name, "data") == name


@pytest.mark.parametrize("name", ["two\nlines.csv", "\x1b[2J.csv", "a\u2028b.csv", "\x85.csv"])
def test_what_would_break_up_a_message_is_not(name: str) -> None:
    with pytest.raises(BadInput, match="has control characters in it: rename it"):
        check_name(name, "data")


def test_a_name_of_another_encoding() -> None:
    name = b"caf\xe9.csv".decode("utf-8", "surrogateescape")
    with pytest.raises(BadInput, match=r"data: the file name b'caf\\xe9\.csv' is not UTF-8"):
        check_name(name, "data")
