"""JSON files of a run: what is in them, or one line that says what is wrong."""

import json
import math
from typing import Any

import pytest

from tfvae import records
from tfvae.errors import InputError

DATA = {
    "event_shape": [8, 8, 1],
    "num_classes": 10,
    "support": "unit",
    "levels": 17,
    "num_examples": {"train": 5, "test": 2},
}
RESULT = {"versions": {"tfvae": "1"}, "best_epoch": 3, "test": {"elbo": 1.0}}
EVALUATION = {
    "active_units": 2,
    "num_examples": 7,
    "split": "test",
    "weights": "best",
    "nll": 1.5,
    "nll_stderr": 0.1,
    "num_samples": 10,
    "nll_curve": {"1": 2.0, "10": 1.5},
    "regularity": {"continuity": math.inf},
    "kl_per_dim": [1.0, 2.0],
    "of_later": None,
}
FILES = {
    "data.json": DATA,
    "result.json": RESULT,
    "evaluation.json": EVALUATION,
    "other.json": {},
}
DAMAGED = [
    b"", b"{", b'{"a": 1', b"text", b"\xff\xfe{", b"\x00" * 9, b"{} {}",
    b'{"a": 1,}', b"{'a': 1}", b'{"a": 1' + b"0" * 5000 + b"}",
]  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_sound_content_is_taken(name: str) -> None:
    text = json.dumps(FILES[name]).encode()
    content = records.parse_object(text, source=name, finite=False)
    assert content == FILES[name]
    records.check(content, name, source=name)


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
def test_what_is_no_json_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match=r"^a\.json is not JSON: ") as caught:
        records.parse(content, source="a.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"NaN", "a is not JSON: NaN is no number"),
        (b'{"b": [-Infinity]}', "-Infinity is no number"),
        (b"[1e999]", "1e999 is too large a number"),
    ],
)
def test_numbers_must_be_finite_where_that_is_asked(
    content: bytes, told: str
) -> None:
    with pytest.raises(InputError, match=told):
        records.parse(content, source="a")
    records.parse(content, source="a", finite=False)


@pytest.mark.parametrize("text", ["[", '{"a":'])
def test_deep_nesting_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"^a is nested too deeply\.$"):
        records.parse(text.encode() * 100_000, source="a")


@pytest.mark.parametrize("content", [b"[]", b"3", b"null", b'"a"'])
def test_object_is_what_is_asked_for(content: bytes) -> None:
    with pytest.raises(InputError, match=r"a must hold one JSON object\."):
        records.parse_object(content, source="a")


@pytest.mark.parametrize(
    ("name", "key", "value", "told"),
    [
        ("data.json", "event_shape", [], "a list of 1 or 3 whole numbers"),
        ("data.json", "event_shape", [8, 8], "a list of 1 or 3 whole numbers"),
        ("data.json", "event_shape", [8, 0, 1], "whole numbers above 0"),
        ("data.json", "event_shape", [8, 8.0, 1], "whole numbers above 0"),
        ("data.json", "event_shape", [2**40], "whole numbers above 0"),
        ("data.json", "event_shape", {"a": 1}, "a list of 1 or 3"),
        ("data.json", "num_classes", "ten", "whole number, 0 or more or null"),
        ("data.json", "num_classes", True, "whole number, 0 or more or null"),
        ("data.json", "num_classes", -1, "whole number, 0 or more or null"),
        ("data.json", "support", "all", '"binary", "unit" or "real"; got'),
        ("data.json", "support", ["unit"], '"binary", "unit" or "real"; got'),
        ("data.json", "levels", 2.5, "a whole number, 0 or more or null"),
        ("data.json", "num_examples", [1], "of whole numbers, with `train`"),
        ("data.json", "num_examples", {"test": 1}, "with `train`; got"),
        ("data.json", "num_examples", {"train": 1.5}, "with `train`; got"),
        ("result.json", "versions", [], "an object, each value text; got"),
        ("result.json", "versions", {"a": 1}, "each value text; got"),
        ("result.json", "best_epoch", 10**400, "a whole number"),
        ("evaluation.json", "active_units", 2.5, "a whole number"),
        ("evaluation.json", "split", 3, "must be text; got 3"),
        ("evaluation.json", "nll", math.nan, "must be a number; got nan"),
        ("evaluation.json", "nll", "1", "must be a number; got '1'"),
        ("evaluation.json", "nll", [1], "must be a number"),
        ("evaluation.json", "mse", 10**400, "must be a number; got a larger"),
        ("evaluation.json", "nll_curve", {"a": 1.0}, "numbers by whole"),
        ("evaluation.json", "nll_curve", [1.0], "numbers by whole"),
        ("evaluation.json", "nll_curve", {"1": None}, "numbers by whole"),
    ],
)
def test_wrong_values_are_refused(
    name: str, key: str, value: Any, told: str
) -> None:
    with pytest.raises(InputError, match=told) as caught:
        records.check(FILES[name] | {key: value}, name, source=f"r/{name}")
    assert str(caught.value).startswith(f"r/{name}: `{key}` must be ")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("name", "key"),
    [
        *(("data.json", key) for key in DATA if key != "levels"),
        *(("result.json", key) for key in ("versions", "best_epoch")),
        *(("evaluation.json", key) for key in (
            "active_units", "num_examples", "split", "weights",
            "nll_stderr", "num_samples", "nll_curve")),
    ],
)  # fmt: skip
def test_missing_values_are_told(name: str, key: str) -> None:
    content = {k: v for k, v in FILES[name].items() if k != key}
    with pytest.raises(InputError, match=f"^{name} has no `{key}`"):
        records.check(content, name, source=name)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ([1], "must be an object of finite numbers"),
        ({"epoch": 2, "loss": "a"}, "must be an object of finite numbers"),
        ({"epoch": 2, "loss": None}, "must be an object of finite numbers"),
        ({"epoch": 2, "loss": math.inf}, "must be an object of finite numbers"),
        ({"epoch": 2, "loss": [1.0]}, "must be an object of finite numbers"),
        ({"epoch": 3, "loss": 1.0}, "must be of epoch 2; got 3"),
        ({"loss": 1.0}, "must be of epoch 2; got None"),
    ],
)
def test_wrong_rows_are_refused(row: Any, told: str) -> None:
    with pytest.raises(InputError, match=f"^a, line 2 {told}"):
        records.check_row(row, epoch=2, source="a, line 2")
    records.check_row({"epoch": 2, "loss": 1}, epoch=2, source="a")
