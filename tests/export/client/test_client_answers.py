"""Bodies of requests, and answers that keep their promise or do not."""

import json
import re

import numpy as np
import pytest

from export.client import BadAnswer, answers, rest_json
from export.client.servable import (
    Servable,
    Signature,
    Tensor,
    read_card,
    read_signatures,
)
from export.protos import get_model_metadata_pb2, get_model_status_pb2

FLOAT, INT = np.dtype(np.float32), np.dtype(np.int64)
BYTES, BYTE = np.dtype(object), np.dtype(np.uint8)
Z = {"z": Tensor(FLOAT, (None, 2))}
X = {"x": Tensor(FLOAT, (None, 3))}
ONE = Signature("one", Z, X)
TWO = Signature("two", Z, {**X, "n": Tensor(INT, (None,))})
WHOLE = Signature("whole", {"s": Tensor(FLOAT, ())}, {"y": Tensor(FLOAT, ())})
PAIR = Signature(
    "pair", WHOLE.inputs, {"y": Tensor(FLOAT, ()), "n": Tensor(INT, (None,))}
)
BIG = 2**63 - 1


def _one(tensor: Tensor) -> Signature:
    return Signature("one", Z, {"y": tensor})


def test_rows_are_written_in_full() -> None:
    signature = Signature(
        "s",
        {
            **Z,
            "seed": Tensor(INT, (None,)),
            "text": Tensor(BYTES, (None, 2)),
        },
        X,
    )
    text = np.array([[b"\0\xff", b"hi"], [b"", b"\xc3"]], object)
    arrays = {
        "z": np.array([[0.1, -2], [3, 4e-20]], np.float32),
        "seed": np.array([BIG, -1]),
        "text": text,
    }
    found = json.loads(rest_json.write_request(signature, arrays))
    assert found["signature_name"] == "s"
    first, second = found["instances"]
    assert first["seed"] == BIG
    assert second["seed"] == -1
    assert first["text"] == [{"b64": "AP8="}, {"b64": "aGk="}]
    assert second["text"] == [{"b64": ""}, {"b64": "ww=="}]
    z = np.array([first["z"], second["z"]], np.float32)
    np.testing.assert_array_equal(z, arrays["z"])  # to the last bit


def test_without_rows_columns_are_written() -> None:
    body = rest_json.write_request(WHOLE, {"s": np.array(3, np.float32)})
    assert json.loads(body) == {"signature_name": "whole", "inputs": {"s": 3.0}}


@pytest.mark.parametrize(
    ("signature", "body", "expected"),
    [
        (ONE, '{"predictions": [[1.0, 2, NaN]]}', {"x": [[1, 2, np.nan]]}),
        (
            ONE,
            '{"predictions": [[-Infinity, 1e39, 1e-50]]}',
            {"x": [[-np.inf, np.inf, 0]]},
        ),
        (
            TWO,
            f'{{"predictions": [{{"n": {BIG}, "x": [1, 2, 3]}}]}}',
            {"x": [[1, 2, 3]], "n": [BIG]},
        ),
        (WHOLE, '{"outputs": 3.5}', {"y": 3.5}),
        (PAIR, '{"outputs": {"n": [4, 5], "y": 1}}', {"y": 1, "n": [4, 5]}),
        (ONE, '{"predictions": []}', {"x": []}),
        (_one(Tensor(np.dtype(bool), (None,))), '{"predictions": [true]}',
         {"y": [True]}),
        (_one(Tensor(BYTE, (None,))), '{"predictions": [0, 255]}',
         {"y": [0, 255]}),
        (_one(Tensor(BYTES, (None,))),
         '{"predictions": [{"b64": "/wA="}, "\u00e4"]}',
         {"y": [b"\xff\0", b"\xc3\xa4"]}),
        (_one(Tensor(BYTES, (None, 2))), '{"predictions": [["a", "b"]]}',
         {"y": [[b"a", b"b"]]}),
    ],
)  # fmt: skip
def test_an_answer_is_read(
    signature: Signature, body: str, expected: dict
) -> None:
    found = rest_json.read_answer(signature, body.encode())
    assert list(found) == list(signature.outputs)
    for name, values in expected.items():
        assert found[name].dtype == signature.outputs[name].dtype
        if found[name].dtype == object:
            assert found[name].tolist() == values
        else:
            np.testing.assert_array_equal(found[name], values)


def test_a_string_that_is_no_text_is_read() -> None:
    found = rest_json.read_answer(
        _one(Tensor(BYTES, (None,))), b'{"predictions": ["\xff\xfe"]}'
    )
    assert found["y"].tolist() == [b"\xff\xfe"]


@pytest.mark.parametrize(
    ("tensor", "body", "words"),
    [
        (X["x"], "[[1, 2], [3]]", "`y` cannot be read: "),
        (X["x"], '["1"]', "`y` should be float32; got <U1"),
        (X["x"], "[null]", "`y` should be float32; got object"),
        (X["x"], "[true]", "`y` should be float32; got bool"),
        (X["x"], '{"a": 1}', "`y` should be float32; got object"),
        (Tensor(INT, None), "[1.0]", "`y` should be int64; got 1.0"),
        (
            Tensor(INT, None),
            f"[{2**63}]",
            "should be int64; got 9223372036854775808",
        ),
        (Tensor(INT, None), "[true]", "`y` should be int64; got True"),
        (Tensor(INT, None), "[[1], [2, 3]]", "`y` should be int64; got [1]"),
        (Tensor(INT, None), "[[1, 2], 3]", "`y` should be int64; got [1, 2]"),
        (Tensor(BYTE, None), "[256]", "`y` should be uint8; got 256"),
        (Tensor(BYTE, None), "[-1]", "`y` should be uint8; got -1"),
        (Tensor(BYTES, None), "[1]", "`y` cannot be read: 'no string: 1'"),
        (Tensor(BYTES, None), '[{"b64": "!"}]', "cannot be read: 'no base64: "),
        (Tensor(BYTES, None), '[{"b64": 3}]', 'cannot be read: "no string: '),
        (Tensor(BYTES, None), '[["a"], "b"]', "`y` cannot be read: "),
        (Tensor(BYTES, None), '["\\ud800"]', "`y` cannot be read: "),
        (
            Tensor(np.dtype(np.complex64), None),
            "[1]",
            "should be complex64; got",
        ),
    ],
)
def test_nonsense_is_no_tensor(tensor: Tensor, body: str, words: str) -> None:
    with pytest.raises(BadAnswer, match=re.escape(words)):
        rest_json.read_answer(
            _one(tensor), f'{{"predictions": {body}}}'.encode()
        )


@pytest.mark.parametrize(
    ("signature", "body", "words"),
    [
        (ONE, b'{"outputs": [[1, 2, 3]]}', "an answer without 'predictions'"),
        (WHOLE, b'{"predictions": 1}', "an answer without 'outputs'"),
        (TWO, b'{"predictions": [{"x": [1, 2, 3]}]}', "without all of x, n: "),
        (TWO, b'{"predictions": [[1, 2, 3]]}', "without all of x, n: "),
        (TWO, b'{"predictions": 3}', "without all of x, n: '3'"),
        (PAIR, b'{"outputs": {"y": 3}}', "without all of y, n: "),
        (ONE, b"\xff\xfe", "an answer that is not JSON"),
    ],
)
def test_nonsense_is_no_answer(
    signature: Signature, body: bytes, words: str
) -> None:
    with pytest.raises(BadAnswer, match=re.escape(words)):
        rest_json.read_answer(signature, body)


def test_nonsense_is_no_message() -> None:
    into = get_model_status_pb2.GetModelStatusResponse()
    for found in ([], "a", {"model_version_status": [3]}):
        with pytest.raises(BadAnswer, match="not understood: "):
            rest_json.read_message(found, into)
    into.Clear()
    rest_json.read_message({"from a later server": 1}, into)
    assert not into.model_version_status


@pytest.mark.parametrize(
    ("outputs", "rows", "words"),
    [
        ({}, 2, "the answer of `one` has no 'x'"),
        (
            {"x": np.zeros([2, 3])}, 2,
            "`x` should be float32; the answer has float64",
        ),
        (
            {"x": np.zeros([2, 4], np.float32)}, 2,
            "`x` should be [batch, 3]; the answer has the shape [2, 4]",
        ),
        (
            {"x": np.zeros([3, 3], np.float32)}, 2,
            "`x` should have 2 rows; the answer has the shape [3, 3]",
        ),
    ],
)  # fmt: skip
def test_promises_are_kept(outputs: dict, rows: int, words: str) -> None:
    with pytest.raises(BadAnswer) as bad:
        answers.checked_outputs(ONE, outputs, rows)
    assert str(bad.value) == words


def test_what_was_not_promised_is_left_out() -> None:
    x = np.zeros([2, 3], np.float32)
    found = answers.checked_outputs(ONE, {"extra": x, "x": x}, 2)
    assert list(found) == ["x"]
    assert answers.checked_outputs(WHOLE, {"y": x[0, 0]}, None)["y"] == 0


def test_parts_are_joined() -> None:
    parts = [
        {"x": np.full([n, 3], n), "n": np.full([n], 10 * n)} for n in (2, 1, 3)
    ]
    found = answers.joined(parts)
    assert found["n"].tolist() == [20, 20, 10, 30, 30, 30]
    assert found["x"].shape == (6, 3)
    with pytest.raises(BadAnswer, match="the answers do not fit together: "):
        answers.joined([{"x": np.zeros([2, 3])}, {"x": np.zeros([2, 4])}])


CARD = {"value_range": [0.0, 1.0], "num_classes": 0, "max_batch_size": 8}


def test_a_card_is_read() -> None:
    for card in (CARD, {**CARD, "value_range": None, "later": [1]}):
        assert read_card(json.dumps(card).encode()) == card


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "the card is not JSON: "),
        (b"[" * 100_000, "the card is not JSON: "),
        (b"\xff", "the card is not JSON: "),
        (b"[]", "the card has no value_range that can be used"),
        (b"{}", "the card has no value_range that can be used"),
    ],
)
def test_nonsense_is_no_card(text: bytes, words: str) -> None:
    with pytest.raises(BadAnswer, match=words):
        read_card(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("value_range", [0.0]), ("value_range", [1.0, 0.0]),
        ("value_range", ["0", "1"]), ("value_range", 3),
        ("num_classes", "3"), ("num_classes", -1), ("num_classes", None),
        ("max_batch_size", 1.5), ("max_batch_size", [1]),
    ],
)  # fmt: skip
def test_a_card_of_another_form_is_none(name: str, value: object) -> None:
    text = json.dumps({**CARD, name: value}).encode()
    with pytest.raises(BadAnswer, match=f"the card has no {name} that can be"):
        read_card(text)


def test_metadata_are_read() -> None:
    found = get_model_metadata_pb2.SignatureDefMap()
    one = found.signature_def["one"]
    one.inputs["z"].dtype = 1
    for size in (-1, 2):
        one.inputs["z"].tensor_shape.dim.add(size=size)
    one.outputs["any"].dtype = 7
    one.outputs["any"].tensor_shape.unknown_rank = True
    one.outputs["n"].dtype = 9
    found.signature_def["__saved_model_init_op"].outputs["op"].dtype = 0
    assert read_signatures(found) == {
        "one": Signature(
            "one",
            {"z": Tensor(FLOAT, (None, 2))},
            {"any": Tensor(BYTES, None), "n": Tensor(INT, ())},
        )
    }


def test_what_may_be_split() -> None:
    assert ONE.is_batched
    assert _one(Tensor(FLOAT, None)).is_batched
    assert not WHOLE.is_batched
    assert not _one(Tensor(FLOAT, (3, None))).is_batched
    assert not Signature("nothing", {}, X).is_batched


def test_shapes_in_words() -> None:
    assert Tensor(FLOAT, (None, 3, None)).shape_text() == "[batch, 3, any]"
    assert Tensor(FLOAT, (0, None)).shape_text() == "[0, any]"
    assert Tensor(FLOAT, ()).shape_text() == "[]"
    assert Tensor(FLOAT, None).shape_text() == "of any shape"
    assert Servable("m", {"b": ONE, "a": ONE}).signature("a") is ONE
