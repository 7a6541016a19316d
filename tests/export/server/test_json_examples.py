"""Examples that are refused before a model sees them."""

from typing import Any

import pytest

from export.server import json_examples
from export.server.errors import ServingError
from export.server.json_text import JsonObject

B64 = JsonObject([("b64", "aGk=")])


@pytest.mark.parametrize(
    "value", [1, [1, True, 3], 1.5, [], "a", [B64, "a"], 2**63 - 1]
)
def test_feature_of_one_kind(value: Any) -> None:
    json_examples.check(JsonObject([("x", value), ("y", 1.5)]))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "Feature: x has element with unexpected JSON type: Null"),
        ([[1]], "Feature: x has element with unexpected JSON type: Array"),
        (JsonObject(), "Feature: x has element with unexpected JSON type: Ob"),
        ([1, 1.5], "Unexpected element type in feature: x expecting type: int"),
        ([1.5, 1], "Unexpected element type in feature: x expecting type: flo"),
        (["a", 1], "Unexpected element type in feature: x expecting type: byt"),
        ([1, B64], "Unexpected element type in feature: x expecting type: int"),
        (2**63, "Feature: x has uint64 element. Only int64 is supported."),
        (JsonObject([("b64", "*")]), "Unable to base64 decode"),
    ],
)
def test_feature_that_is_refused(value: Any, message: str) -> None:
    with pytest.raises(ServingError, match=message):
        json_examples.check(JsonObject([("y", 1), ("x", value)]))


@pytest.mark.parametrize(
    ("example", "kind"),
    [([1], "Array"), (1, "Number"), (True, "True"), (None, "Null")],
)
def test_example_that_is_no_object(example: Any, kind: str) -> None:
    with pytest.raises(
        ServingError, match=f"Example must be JSON object but got JSON {kind}$"
    ):
        json_examples.check(example)
