"""A board during training, which it leaves alone, and under TensorBoard."""

import json
import pathlib
import random
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tests import boards
from tests.boards import HEIGHT, SEED, WIDTH, Known, Shown, assert_tiled
from tests.conftest import replicas
from tfvae import build, resolve
from tfvae.board import Board
from tfvae.config import Config
from tfvae.data.spec import DataSpec
from tfvae.examples import Examples
from tfvae.learner import Learner
from tfvae.run_dir import RunDir

EPOCHS = 2


def _model(num_replicas: int = 1, **settings: Any) -> Learner:
    config = Config(
        **{"latent_dim": 2, "hidden_units": (5,), "batch_size": 6} | settings
    )
    spec = DataSpec((HEIGHT, WIDTH, 1), 3, "unit")
    config = resolve.resolve(
        config, spec, num_examples=11, num_replicas=num_replicas
    )
    with replicas(num_replicas).scope():
        model = build.build_model(config, spec, num_examples=11)
        model.optimizer.build(model.learning_variables())
    return model


def _fit(
    model: Learner, make_callbacks: Callable[[], list[Board]] = list
) -> list[bytes | float]:
    """Returns all numbers after training, and what is drawn next."""
    tf_keras.utils.set_random_seed(3)
    batches = tf.data.Dataset.from_tensor_slices(boards.images(11)).batch(6)
    model.fit(batches, epochs=EPOCHS, callbacks=make_callbacks(), verbose=0)
    numpys = np.random.random()  # noqa: NPY002
    drawn = [random.random(), numpys, float(tf.random.uniform([]))]
    return [*(v.numpy().tobytes() for v in _variables(model)), *drawn]


def _variables(model: Learner) -> list[tf.Variable]:
    return [*model.variables, *model.optimizer.variables]


@pytest.mark.slow
@pytest.mark.parametrize(
    "num_replicas", [1, pytest.param(2, marks=pytest.mark.slow)]
)
def test_training_is_the_same_to_the_bit(
    tmp_path: pathlib.Path, num_replicas: int
) -> None:
    model, x = _model(num_replicas), boards.images(11)
    start = [v.numpy() for v in _variables(model)]
    without = _fit(model)
    for variable, value in zip(_variables(model), start, strict=True):
        variable.assign(value)

    def make() -> list[Board]:
        run_dir, examples = (
            RunDir(str(tmp_path)),
            Examples(x, np.arange(11), {}),
        )
        return [Board(model, run_dir, examples, num_epochs=EPOCHS, seed=SEED)]

    assert _fit(model, make) == without
    assert [v.tobytes() for v in start] != without[: len(start)]
    # What is shown is of the model as it is by then.
    shown = Shown(tmp_path)
    codes = model.encode(x[shown.labels()]).mean().numpy()
    np.testing.assert_allclose(shown.codes(), codes, rtol=1e-4, atol=1e-5)
    pictures = shown.pictures()
    assert {step for _, step in pictures} == {0, 1}
    rows = model.sample(64, seed=SEED).numpy().reshape(8, 8, HEIGHT, WIDTH, 1)
    assert_tiled(pictures["samples", 1], [[*row] for row in rows.clip(0, 1)])
    assert (pictures["samples", 0] != pictures["samples", 1]).any()


@pytest.mark.parametrize("condition", ["label", "mask"])
def test_conditional_model_is_told_what_it_needs(
    tmp_path: pathlib.Path, condition: str
) -> None:
    model, x = _model(condition=condition), boards.images(11)
    y = np.arange(11) % 3
    mask = np.zeros([11, HEIGHT, WIDTH, 1], np.float32)
    mask[:, :2] = 1
    given = {
        "label": {"label": y},
        "mask": {"image": x * mask, "mask": mask},
    }[condition]
    shown = boards.show(tmp_path, model, Examples(x, np.arange(11), given))
    order = shown.labels()
    codes = model.code(x, given).numpy()[order]
    np.testing.assert_allclose(shown.codes(), codes, rtol=1e-4, atol=1e-5)
    samples = shown.pictures()["samples", 0]
    size = {"label": (3, 8), "mask": (8, 9)}[condition]  # rows, columns
    assert samples.shape[0] == size[0] * (HEIGHT + 1) + 1
    assert samples.shape[1] == size[1] * (WIDTH + 1) + 1
    if condition == "mask":  # what is seen is kept in every completion
        rows = (x * mask + 0.5 * (1 - mask))[order][:8]
        for column in range(9):
            left = 1 + column * (WIDTH + 1)
            for row in range(8):
                top = 1 + row * (HEIGHT + 1)
                seen = samples[top : top + 2, left : left + WIDTH]
                expected = 255 * rows[row][:2]
                np.testing.assert_allclose(seen, expected, atol=0.51)


def test_autoencoder_has_no_samples(tmp_path: pathlib.Path) -> None:
    model, x = _model(model="ae", latent_dim=4), boards.images(3)
    shown = boards.show(tmp_path, model, Examples(x, np.arange(3), {}))
    assert set(shown.pictures()) == {("reconstructions", 0)}
    codes = model.encoder(x[shown.labels()]).numpy()
    np.testing.assert_allclose(shown.codes(4), codes, rtol=1e-4, atol=1e-5)


Get = Callable[..., bytes]


@pytest.fixture
def start(tmp_path: pathlib.Path) -> Iterator[Callable[[], Get]]:
    """Starts TensorBoard over the run; gives a function from path to bytes."""
    processes: list[subprocess.Popen] = []

    def start_process() -> Get:
        process = subprocess.Popen(
            [sys.executable, "-m", "tensorboard.main", "--host=127.0.0.1",
             "--port=0", f"--logdir={tmp_path}/tensorboard"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        processes.append(process)
        assert process.stderr is not None
        found = (re.search(r"http://127\S+", line) for line in process.stderr)
        address = next(match[0] for match in found if match)

        def get(path: str, **query: str) -> bytes:
            url = f"{address}data/plugin/{path}?{urllib.parse.urlencode(query)}"
            with urllib.request.urlopen(url, timeout=30) as answer:
                return answer.read()

        return get

    yield start_process
    for process in processes:
        process.terminate()
        process.communicate(timeout=30)


@pytest.mark.slow
def test_tensorboard_serves_the_newest_codes_while_it_runs(
    tmp_path: pathlib.Path, start: Callable[[], Get]
) -> None:
    model, examples = Known(), Examples(boards.images(11), np.arange(11), {})
    board = Board(
        model, RunDir(str(tmp_path)), examples, num_epochs=4, seed=SEED
    )
    board.set_model(model)
    board.on_epoch_end(0)
    get, shown = start(), Shown(tmp_path)
    deadline = time.monotonic() + 60
    while "pictures" not in (tags := json.loads(get("images/tags"))):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert set(tags["pictures"]) == {"reconstructions", "samples"}
    served = []
    for step in (0, 3):
        if step:
            board.examples.x[:] /= 2  # so that the codes are others
            board.on_epoch_end(step)
        info = json.loads(get("projector/info", run="pictures"))
        (embedding,) = info["embeddings"]
        of_it = {"run": "pictures", "name": embedding["tensorName"]}
        assert of_it["name"] == f"codes, step {step}"
        codes = np.frombuffer(get("projector/tensor", **of_it), np.float32)
        served.append(codes.reshape(11, 3)[:, :2])
        np.testing.assert_array_equal(served[-1], shown.codes())
        labels = get("projector/metadata", **of_it).split()
        assert [int(label) for label in labels] == shown.labels()
        sprite = (shown.folder / "sprite.png").read_bytes()
        assert get("projector/sprite_image", **of_it) == sprite
    assert (served[0] == 2 * served[1]).all()
