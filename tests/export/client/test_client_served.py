"""The client against a model server, over REST and gRPC: equal to the bit."""

import io
import pathlib
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from export.client import Client, FailedPrecondition, InvalidArgument, NotFound
from tests.export.server_process import ServerProcess

pytestmark = pytest.mark.slow

MODELS = pathlib.Path(__file__).parents[1] / "recorded" / "models"
SHAPE, LATENT, CLASSES = (4, 4, 1), 3, 5
Z = np.random.default_rng(3).normal(size=[7, LATENT])
SEEDS = [0, 1, -1, 2**63 - 1, -(2**63), 2**53 + 1, 12]


def weights(seed: int, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    """Returns the weights that the recorded models were made with."""
    random = np.random.RandomState(seed)
    return [random.normal(0, 0.5, shape).astype(np.float32) for shape in shapes]


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    config = tmp_path_factory.mktemp("served") / "models.config"
    models = [
        f'config {{ name: "{name}" base_path: "{MODELS / name}" '
        'model_platform: "tensorflow" }'
        for name in ("decoder", "vae", "conditional", "types")
    ]
    config.write_text(f"model_config_list {{ {' '.join(models)} }}")
    with ServerProcess(f"--model_config_file={config}") as server:
        yield server.ready()


@pytest.fixture(params=["rest", "grpc"])
def client(
    server: ServerProcess, request: pytest.FixtureRequest
) -> Iterator[Client]:
    urls = {"rest": server.url, "grpc": f"grpc://{server.grpc_address}"}
    with Client(urls[request.param], timeout=20) as client:
        yield client


def test_decoded_images(client: Client) -> None:
    w, b = weights(2, (LATENT, 16), (16,))  # of version 2
    x = sigmoid(Z @ w + b).reshape(-1, *SHAPE)
    found = client.decode(Z)
    np.testing.assert_allclose(found, x, rtol=1e-5)
    pictures = client.decode_png(Z)
    for picture, image in zip(pictures, found, strict=True):
        with Image.open(io.BytesIO(picture)) as opened:
            np.testing.assert_array_equal(
                np.asarray(opened), np.round(255 * image[..., 0])
            )


def test_a_conditional_model(client: Client) -> None:
    w, b, table = weights(3, (LATENT, 16), (16,), (CLASSES, 16))
    label = np.arange(7) % CLASSES
    x = sigmoid(Z @ w + b + table[label]).reshape(-1, *SHAPE)
    found = client.predict(
        "decode", {"z": Z, "label": label}, model="conditional"
    )
    np.testing.assert_allclose(found["x"], x, rtol=1e-5)


def test_the_encoder(client: Client) -> None:
    w, b, u, c, s, d = weights(
        4, (LATENT, 16), (16,), (16, LATENT), (LATENT,), (16, LATENT), (LATENT,)
    )
    x = np.random.default_rng(5).uniform(size=[7, *SHAPE])
    flat = x.reshape(7, 16)
    found = client.encode(x)
    loc, scale = flat @ u + c, np.logaddexp(0, flat @ s + d)
    np.testing.assert_allclose(found["loc"], loc, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["scale"], scale, rtol=1e-4)
    np.testing.assert_allclose(
        client.reconstruct(x), sigmoid(loc @ w + b).reshape(x.shape), rtol=1e-4
    )
    found = client.score(x, SEEDS)
    np.testing.assert_allclose(
        found["elbo"], found["log_likelihood"] - found["kl"], rtol=1e-5
    )
    kl = (0.5 * (loc**2 + scale**2 - 1) - np.log(scale)).sum(axis=1)
    np.testing.assert_allclose(found["kl"], kl, rtol=1e-4)


def test_both_transports_answer_alike(server: ServerProcess) -> None:
    urls = server.url, f"grpc://{server.grpc_address}"
    found = []
    for url in urls:
        with Client(url, timeout=20, max_batch_size=3) as client:
            drawn = client.sample(SEEDS)
            alone = [client.sample([seed])["z"][0] for seed in SEEDS]
            np.testing.assert_array_equal(drawn["z"], alone)
            found.append((drawn, client.decode(Z), client.encode(drawn["x"])))
    for rest, grpc in zip(*found, strict=True):
        np.testing.assert_equal(rest, grpc)


def test_every_dtype(client: Client) -> None:
    extremes = {
        "float64": [0.1, 1e300, -1e-300], "int8": [-128, 0, 127],
        "int16": [-(2**15), 0, 2**15 - 1], "int32": [-(2**31), 0, 2**31 - 1],
        "int64": [-(2**63), 0, 2**63 - 1], "uint8": [0, 1, 255],
        "uint32": [0, 1, 2**32 - 1],
        "uint64": np.array([0, 1, 2**64 - 1], np.uint64),
        "bool": [True, False, True],
    }  # fmt: skip
    for name, values in extremes.items():
        found = client.predict(name, {"x": values}, model="types")["y"]
        assert found.dtype == np.dtype(name)
        assert found.tolist() == list(values)
    text = ["ä", b"\xff\0\xfe", ""]
    found = client.predict("string_bytes", {"x": text}, model="types")
    assert found["y_bytes"].tolist() == [b"\xc3\xa4", b"\xff\0\xfe", b""]


def test_signatures_without_rows(client: Client) -> None:
    ask = client.predict
    assert ask("scalar_out", {"x": [1, 2, 4]}, model="types")["y"] == 7
    found = ask("fixed", {"x": [[1, 2, 3], [4, 5, 6]]}, model="types")
    assert found["y"].tolist() == [[1, 2, 3], [4, 5, 6]]
    found = ask("scalar_and_batch_out", {"x": [1, 2, 4]}, model="types")
    assert found["total"] == 7
    assert found["y"].tolist() == [1, 2, 4]


def test_refusals(client: Client) -> None:
    with pytest.raises(NotFound, match="nobody"):
        client.status(model="nobody")
    with pytest.raises(NotFound, match="nobody"):
        client.predict("decode", {"z": Z}, model="nobody")
    with pytest.raises((InvalidArgument, FailedPrecondition), match="below 10"):
        client.predict("checked", {"x": [1, 99]}, model="types")
    with pytest.raises(InvalidArgument, match="No OpKernel was registered"):
        client.predict("python", {"x": [1]}, model="types")


def test_states(client: Client, server: ServerProcess) -> None:
    found = client.wait_ready(timeout=20)
    assert [(s.version, s.state) for s in found] == [(2, "AVAILABLE")]
    assert client.wait_ready(2, timeout=20) == client.status()
    assert client.describe() is None
    assert client.metadata().signature("decode").inputs["z"].shape == (None, 3)
    with Client(server.url, version=1) as other, pytest.raises(NotFound):
        other.decode(Z)


def test_many_batches(client: Client) -> None:
    parts = [Z[: 1 + number % 7] for number in range(60)]
    whole = client.decode(Z)
    for part, x in zip(
        parts, client.decode_all(parts, num_concurrent=8), strict=True
    ):
        np.testing.assert_allclose(x, whole[: len(part)], rtol=1e-6)
