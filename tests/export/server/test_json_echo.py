"""A request's JSON in an error message."""

import math
from typing import Any

import pytest

from export.server import json_echo
from export.server.json_text import JsonObject


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (-7, "-7"),
        (0.5, "0.5"),
        ('a"\\/\x7fé', '"a\\"\\\\/\x7fé"'),
        ("\b\f\n\r\t\x01\x1f", '"\\b\\f\\n\\r\\t\\u0001\\u001F"'),
        ([], "[]"),
        ([1, [2, []], "x"], '[1, [2, []], "x"]'),
        (JsonObject(), "{}"),
        (
            JsonObject([("a", 1), ("b\n", [JsonObject([("c", [])])])]),
            '{\n    "a": 1,\n    "b\\n": [{\n            "c": []\n        }]'
            "\n}",
        ),
        (math.nan, ""),
        ([1, math.inf, 2], "[1, "),
        (
            JsonObject([("a", [[1, -math.inf]]), ("b", 2)]),
            '{\n    "a": [[1, ',
        ),
    ],
)
def test_text_of_a_value(value: Any, text: str) -> None:
    assert json_echo.to_text(value) == text
