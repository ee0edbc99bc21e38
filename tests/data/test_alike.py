from __future__ import annotations

import pytest

from tasks.data.alike import check_alike
from tasks.stage.errors import BadInput


@pytest.mark.parametrize(
    "pair",
    [
        ("Spam", "spam"),
        ("caf\u00e9", "cafe\u0301"),
        ("\uff53pam", "spam"),
        ("1", "1.0"),
        ("-2.00", "-2"),
        ("not  spam", "not spam"),
        ("STRASSE", "straße"),
    ],
)
def test_labels_that_a_person_would_take_for_one(pair: tuple[str, str]) -> None:
    with pytest.raises(BadInput) as caught:
        check_alike(["other", *pair], [5, 4, 3], "kind")
    assert f"labels {pair[0]!r} (4 rows) and {pair[1]!r} (3 rows) of column 'kind'" in str(
        caught.value
    )


@pytest.mark.parametrize(
    "names", [["1", "1.5", "10", "-1"], ["cafe", "café"], ["a-b", "a_b", "ab"], ["v1.0", "v1"]]
)
def test_labels_that_differ(names: list[str]) -> None:
    check_alike(names, [1] * len(names), "label")
