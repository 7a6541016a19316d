"""Both transports give the same: values, checks, splits, tries, states."""

import grpc
import numpy as np
import pytest

from export.client import (
    BadAnswer,
    Client,
    InvalidArgument,
    NotFound,
    ServerError,
    Unavailable,
)
from tests.export.client import toy_server
from tests.export.client.toy_server import CARD, IMAGE, Toy
from tfvae.errors import InputError

Z = np.array([[0.1, -0.2], [1, 2], [0, 0], [4, -5], [0.3, 0.3], [2, 1], [7, 0]])
UNAVAILABLE = (503, grpc.StatusCode.UNAVAILABLE, "queue is full")
# The status of REST, the code of gRPC, the error.
REFUSALS = (
    (404, grpc.StatusCode.NOT_FOUND, "NotFound"),
    (409, grpc.StatusCode.ABORTED, "Aborted"),
    (403, grpc.StatusCode.PERMISSION_DENIED, "PermissionDenied"),
    (401, grpc.StatusCode.UNAUTHENTICATED, "Unauthenticated"),
    (429, grpc.StatusCode.RESOURCE_EXHAUSTED, "ResourceExhausted"),
    (499, grpc.StatusCode.CANCELLED, "Cancelled"),
    (500, grpc.StatusCode.INTERNAL, "Internal"),
    (501, grpc.StatusCode.UNIMPLEMENTED, "Unimplemented"),
    (504, grpc.StatusCode.DEADLINE_EXCEEDED, "DeadlineExceeded"),
    (599, grpc.StatusCode.UNKNOWN, "Unknown"),
    (413, grpc.StatusCode.INVALID_ARGUMENT, "InvalidArgument"),
)
WRONG = (400, grpc.StatusCode.INVALID_ARGUMENT, "In[0] is not a matrix")


def test_values_are_the_server_s(client: Client) -> None:
    x = toy_server.image_of(Z.astype(np.float32))
    np.testing.assert_array_equal(client.decode(Z), x)
    assert client.decode_png(Z[:3]) == toy_server.png_of(x[:3]).tolist()
    seeds = np.array([3, 2**63 - 1, -5])
    code = toy_server.code_of(seeds)
    found = client.sample(seeds)
    assert list(found) == ["x", "z"]
    np.testing.assert_array_equal(found["z"], code)
    np.testing.assert_array_equal(found["x"], toy_server.image_of(code))
    found = client.sample_png(seeds)
    assert list(found) == ["png_bytes", "z"]
    assert found["png_bytes"].tolist() == (
        toy_server.png_of(toy_server.image_of(code)).tolist()
    )


def test_the_encoder_s_values_are_the_server_s(
    client: Client, toy: Toy
) -> None:
    x = toy_server.image_of(Z[:3])
    found = client.encode(x)
    np.testing.assert_array_equal(found["loc"], x[:, 0, 1:3, 0])
    np.testing.assert_array_equal(found["scale"], x[:, 2, :2, 0] + 1)
    np.testing.assert_array_equal(client.reconstruct(x), x[:, ::-1])
    found = client.score(x, [4, 5, 6])
    kl = toy_server.code_of(np.array([4, 5, 6]))[:, 0]
    np.testing.assert_array_equal(found["kl"], kl)
    np.testing.assert_array_equal(found["log_likelihood"], x[:, 1, 1, 0])
    np.testing.assert_array_equal(found["elbo"], x[:, 1, 1, 0] - kl)
    asked = {(model, name) for model, _, name, _ in toy.seen}
    assert asked - {("vae", "describe")} == {
        ("vae", "encode"), ("vae", "reconstruct"), ("vae", "score"),
    }  # fmt: skip


def test_every_dtype_arrives_unchanged(client: Client) -> None:
    text = [b"\xff\x00a\x00", "\u00e4", ""]
    numbers = [2**63 - 1, -(2**63), 2**53 + 1]
    found = client.predict(
        "echo", {"text": text, "number": numbers, "flag": [True, False, True]}
    )
    assert found["text_bytes"].tolist() == [text[0], b"\xc3\xa4", b""]
    assert found["number"].tolist() == numbers
    assert found["number"].dtype == np.int64
    assert found["flag"].tolist() == [True, False, True]
    assert found["flag"].dtype == np.bool_


def test_what_is_not_finite_can_be_answered(client: Client) -> None:
    found = client.predict("holes", {"z": [[1, -1], [-1, 1], [1, 1]]})["y"]
    nan, inf = float("nan"), float("inf")
    np.testing.assert_array_equal(found, [[nan, inf], [inf, nan], [nan, nan]])


def test_a_signature_without_rows_is_called_too(client: Client) -> None:
    found = client.predict("total", {"numbers": [1, 2, 3, 4, 5, 6]})["sum"]
    assert found.shape == ()
    assert found == 21


def test_more_rows_than_the_server_takes_are_split(
    client: Client, toy: Toy
) -> None:
    assert client.decode(Z).shape == (7, *IMAGE)
    assert [rows for _, _, name, rows in toy.seen if name == "decode"] == [4, 3]


def test_own_limit_counts_where_it_is_smaller(url: str, toy: Toy) -> None:
    for most, expected in ((3, [3, 3, 1]), (9, [4, 3])):
        toy.seen.clear()
        with Client(url, max_batch_size=most) as client:
            client.decode(Z)
        found = [rows for _, _, name, rows in toy.seen if name == "decode"]
        assert found == expected


def test_own_limit_counts_without_a_card(url: str, toy: Toy) -> None:
    with Client(url, model="vectors", max_batch_size=5) as client:
        found = client.decode(Z)
        assert client.describe() is None
    np.testing.assert_array_equal(found, np.tile(Z.astype(np.float32), 3))
    assert [rows for *_, rows in toy.seen] == [5, 2]


def test_card_and_signatures_are_asked_for_once(
    client: Client, toy: Toy
) -> None:
    for rows in (1, 2, 3):
        client.decode(Z[:rows])
    assert toy.metadata_seen == ["decoder"]
    assert [name for _, _, name, _ in toy.seen].count("describe") == 1
    assert client.describe() == CARD  # on demand it is asked for anew
    assert toy.metadata_seen == ["decoder", "decoder"]
    assert client.metadata().signature("decode").inputs["z"].shape == (None, 2)


def test_nothing_wrong_is_sent(client: Client, toy: Toy) -> None:
    client.decode(Z[:1])
    toy.seen.clear()
    with pytest.raises(InputError, match=r"`z` must be \[batch, 2\]"):
        client.decode(Z[:, :1])
    assert [name for _, _, name, _ in toy.seen] == ["describe"]


def test_a_new_version_with_other_inputs_is_understood(
    client: Client, toy: Toy
) -> None:
    client.decode(Z[:3])
    toy.models["decoder"] = {
        "decode": (
            {"z": ("DT_FLOAT", [-1, 3])}, {"x": ("DT_FLOAT", [-1, 3])},
            lambda z: {"x": z},
        )
    }  # fmt: skip
    z = np.arange(12.0).reshape(4, 3)
    np.testing.assert_array_equal(client.decode(z), z)


def test_after_a_refusal_the_signatures_are_asked_for_anew(
    client: Client, toy: Toy
) -> None:
    client.decode(Z)
    toy.refusals = [WRONG]
    with pytest.raises(InvalidArgument) as refused:
        client.decode(Z)
    assert refused.value.message == "In[0] is not a matrix"
    assert str(refused.value) == "INVALID_ARGUMENT: In[0] is not a matrix"
    client.decode(Z)
    assert toy.metadata_seen == ["decoder", "decoder"]


def test_only_what_is_unavailable_is_tried_again(url: str, toy: Toy) -> None:
    with Client(url, num_retries=2) as client:
        client.describe()
        toy.seen.clear()
        toy.refusals = [UNAVAILABLE, UNAVAILABLE]
        assert client.decode(Z[:3]).shape == (3, *IMAGE)
        toy.refusals = [UNAVAILABLE] * 5
        with pytest.raises(Unavailable, match="UNAVAILABLE: queue is full"):
            client.decode(Z[:3])
        assert len(toy.refusals) == 2  # one try and two more
        toy.refusals = [WRONG, WRONG]
        with pytest.raises(InvalidArgument):
            client.decode(Z[:3])
        assert len(toy.refusals) == 1
    assert [name for _, _, name, _ in toy.seen].count("decode") == 1


def test_a_refusal_has_its_type_and_words(client: Client, toy: Toy) -> None:
    for status, code, kind in REFUSALS:
        toy.refusals = [(status, code, "in these words")]
        with pytest.raises(ServerError, match="in these words") as refused:
            client.predict("decode", {"z": Z}, model="vectors")
        assert type(refused.value).__name__ == kind


def test_an_unknown_model_is_not_found(client: Client) -> None:
    for ask in (client.status, client.metadata, client.describe):
        with pytest.raises(NotFound, match="no nobody"):
            ask(model="nobody")
    with pytest.raises(NotFound, match="no nobody"):
        client.predict("decode", {"z": Z}, model="nobody")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ""),
        ({"version": 7}, "versions/7"),
        ({"version_label": "st-able"}, "labels/st-able"),
    ],
)
def test_the_version_is_the_one_that_is_meant(
    url: str, toy: Toy, settings: dict, expected: str
) -> None:
    with Client(url, **settings) as client:
        client.decode(Z[:3])
    assert {version for _, version, _, _ in toy.seen} == {expected}


def test_names_of_models_are_escaped(url: str, toy: Toy) -> None:
    toy.models["a/b:c d"] = toy.models["decoder"]
    with Client(url, model="a/b:c d") as client:
        client.decode(Z[:3])
        assert client.status()
    assert toy.seen[-1][0] == "a/b:c d"


def test_headers_go_with_every_request(url: str, toy: Toy) -> None:
    headers = {"X-Token": "a secret", "authorization": "Bearer b"}
    with Client(url, headers=headers) as client:
        for ask in (client.status, client.describe, lambda: client.decode(Z)):
            toy.headers = {}
            ask()
            seen = {k.lower(): v for k, v in toy.headers.items()}
            assert seen["x-token"] == "a secret"
            assert seen["authorization"] == "Bearer b"


def test_somebody_else_s_signatures_mean_something_else(
    client: Client, toy: Toy
) -> None:
    toy.models["theirs"] = {
        "describe": toy_server.VAE["encode"],
        "decode": toy_server.VAE["encode"],
    }
    assert client.describe(model="theirs") is None
    toy.models["decoder"] = {
        name: (
            {"z": specs["x"]},
            outputs,
            lambda z: {"loc": z[:, 0, :2, 0], "scale": z[:, 0, :2, 0]},
        )
        for name, (specs, outputs, _) in toy.models["theirs"].items()
    }
    with pytest.raises(BadAnswer) as bad:
        client.decode(np.zeros([3, *IMAGE]))
    assert str(bad.value) == "the model answers loc, scale, not 'x'"
