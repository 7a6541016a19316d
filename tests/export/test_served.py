"""An export, served: what the run computes, over REST and gRPC, under load."""

import concurrent.futures
import pathlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from export import saved_model
from export.client import Client
from export.client import __main__ as client_program
from tests.export.server_process import ServerProcess
from tests.small_runs import save_run
from tfvae.run_dir import Run

pytestmark = pytest.mark.slow
NUM_ALONE = 16
SEEDS = np.random.default_rng(0).integers(-(2**62), 2**62, 64)
TRANSPORTS = ("http", "grpc")
Served = tuple[Run, ServerProcess]


@pytest.fixture(scope="module", params=["digits", "mnist"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A run of digits, and a conditional one of MNIST, both untrained."""
    folder = tmp_path_factory.mktemp(request.param)
    settings: dict[str, Any] = {"dataset": request.param, "hidden_units": (64,)}
    if request.param == "mnist":
        tfds_dir = request.getfixturevalue("tfds_dir")
        settings |= {"data_dir": tfds_dir, "condition": "label"}
    run = save_run(folder / "run", **settings)
    arguments = [f"--run_dir={run.run_dir}", f"--export_dir={folder / 'E'}"]
    saved_model.main(["saved_model", *arguments])
    with ServerProcess(f"--export_dir={folder / 'E'}") as server:
        yield run, server.ready()


def client(server: ServerProcess, transport: str) -> Client:
    grpc = f"grpc://{server.grpc_address}"
    return Client(server.url if transport == "http" else grpc)


def condition_of(run: Run, num: int) -> dict[str, Any]:
    labels = np.arange(num) % 10
    return {name: labels for name in run.model.condition.inputs}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_answers_are_the_run_s(served: Served, transport: str) -> None:
    run, server = served
    rng = np.random.default_rng(1)
    model, condition = run.model, condition_of(run, 5)
    z = rng.normal(size=[5, 4]).astype(np.float32)
    x = rng.uniform(size=[5, *run.spec.event_shape]).astype(np.float32)
    with client(server, transport) as asked:
        decoded = asked.decode(z, **condition)
        encoded = asked.encode(x, **condition)
        reconstructed = asked.reconstruct(x, **condition)
        drawn = asked.sample(SEEDS[:5], **condition)
        scored = asked.score(x, SEEDS[:5], **condition)
    qz = model.encode(x, condition)
    pairs: list[tuple[Any, Any]] = [
        (decoded, model.decode(z, condition).mean()),
        (encoded["loc"], qz.mean()),
        (encoded["scale"], qz.stddev()),
        (reconstructed, model.reconstruct(x, condition)),
        (drawn["x"], model.decode(drawn["z"], condition).mean()),
        (scored["elbo"], scored["log_likelihood"] - scored["kl"]),
    ]
    for seen, expected in pairs:
        np.testing.assert_allclose(seen, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_card_comes_with_the_model(served: Served, transport: str) -> None:
    run, server = served
    with client(server, transport) as asked:
        for model in ("decoder", "vae"):
            card = asked.describe(model=model)
            assert card is not None
            assert card["event_shape"] == list(run.spec.event_shape)
            assert card["condition"] == run.config.condition


def load(
    server: ServerProcess, run: Run, stop: threading.Event, index: int
) -> int:
    """Asks for samples of 1 to 9 rows until it is told to stop."""
    rng, count = np.random.default_rng(index), 0
    with client(server, TRANSPORTS[index % 2]) as asked:
        while not stop.is_set():
            num = int(rng.integers(1, 10))
            seeds = rng.integers(0, 2**40, num)
            asked.sample(seeds, **condition_of(run, num))
            count += 1
    return count


def under_load(served: Served, ask: Callable[[], Any]) -> Any:
    """Returns what `ask` returns while 8 clients load the server."""
    run, server = served
    stop = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(load, server, run, stop, i) for i in range(8)]
        try:
            return ask()
        finally:
            stop.set()
            assert all(done.result() > 0 for done in clients)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_seed_gives_the_same_bits_whatever_shares_the_batch(
    served: Served, transport: str
) -> None:
    run, server = served
    labels = condition_of(run, 64)

    def alone() -> np.ndarray:
        return np.concatenate(
            [
                asked.sample(
                    SEEDS[i : i + 1],
                    **{name: v[i : i + 1] for name, v in labels.items()},
                )["z"]
                for i in range(NUM_ALONE)
            ]
        )

    with client(server, transport) as asked:
        batch = asked.sample(SEEDS, **labels)["z"]
        assert batch.shape == (64, 4)
        first = batch[:NUM_ALONE].tobytes()
        assert alone().tobytes() == first
        assert under_load(served, alone).tobytes() == first


def test_the_program_waits_for_a_server_that_starts(
    served: Served, tmp_path: pathlib.Path
) -> None:
    run, _ = served
    export_dir = pathlib.Path(run.run_dir.path).with_name("E")
    with ServerProcess(f"--export_dir={export_dir}") as starting:
        arguments = [f"--url={starting.url}", "--wait=60", "--num=3"]
        out = f"--out={tmp_path / 'x.npz'}"
        assert client_program.main(["client", "sample", *arguments, out]) == 0
    with np.load(tmp_path / "x.npz") as arrays:
        assert arrays["x"].shape == (3, *run.spec.event_shape)


def test_the_explorer_is_served(served: Served) -> None:
    import httpx

    _, server = served
    answer = httpx.get(f"{server.url}/explorer")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")


def test_a_folder_without_an_export_is_refused(tmp_path: pathlib.Path) -> None:
    with ServerProcess(f"--export_dir={tmp_path / 'nothing'}") as server:
        assert not server.listens(10)
        assert server.process.wait(10) == 2
        assert "nothing" in server.output()
