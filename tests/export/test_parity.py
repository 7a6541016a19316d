"""An answer that is not the run's, or not the same in a batch, is found."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from export import parity, trial_run
from export.signatures import Servable
from export.trial_run import Arrays
from tests.small_runs import NUM_CLASSES, build_model
from tfvae.data.spec import DataSpec
from tfvae.errors import FailedError
from tfvae.examples import Examples

SHAPE, CARD = (5, 4, 1), '{"name": "é"}'
SPEC = DataSpec(SHAPE, NUM_CLASSES, "unit", levels=4)


def examples(condition: str) -> Examples:
    rng = np.random.default_rng(0)
    x = rng.uniform(size=[6, *SHAPE]).astype(np.float32)
    mask = rng.integers(0, 2, [6, 5, 4, 1]).astype(np.float32)
    values = {
        "none": {},
        "label": {"label": rng.integers(0, NUM_CLASSES, 6)},
        "mask": {"image": x * mask, "mask": mask},
    }
    return Examples(x, None, values[condition])


@functools.cache
def made(**settings: Any) -> tuple[Any, Servable]:
    model = build_model(SHAPE, **settings)
    return model, Servable(model, SPEC, part="vae", card=CARD)


def check(
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[str, int, Arrays], Any] = lambda *_: None,
    **settings: Any,
) -> dict[str, float]:
    """Checks a model whose answers, in this process, were spoiled."""
    model, servable = made(**settings)

    def run(folder: str, requests: list[Any]) -> list[Arrays]:
        assert folder == "a folder"
        answers = []
        for name, inputs in requests:
            tensors = [tf.constant(value) for value in inputs.values()]
            outputs = servable.signatures[name](*tensors)
            answer = {key: value.numpy() for key, value in outputs.items()}
            spoil(name, len(tensors[0]), answer)
            answers.append(answer)
        return answers

    monkeypatch.setattr(trial_run, "run", run)
    inputs = parity.make_inputs(
        servable.inputs,
        examples(settings.get("condition", "none")),
        latent_dim=model.latent_dim,
    )
    expected = parity.Expected(model, CARD)
    return parity.check("a folder", "vae", inputs, expected)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"condition": "label", "likelihood": "bernoulli"},
        {"condition": "mask", "posterior": "tril"},
        {"prior": "mixture", "likelihood": "discretized_logistic"},
        {"model": "ae"},
    ],
    ids=str,
)
def test_a_served_model_answers_as_the_run(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    differences = check(monkeypatch, **settings)
    assert set(differences) == set(made(**settings)[1].signatures)
    assert max(differences.values()) <= 1e-5
    assert differences["describe"] == 0


def spoiled(
    name: str, key: str, change: Callable[[np.ndarray], Any], rows: int = 5
) -> Callable[[str, int, Arrays], None]:
    def spoil(asked: str, size: int, answer: Arrays) -> None:
        if asked == name and size == rows:
            answer[key] = change(answer[key])

    return spoil


@pytest.mark.parametrize(
    ("name", "key", "change", "message"),
    [
        ("decode", "x", lambda x: x + 2e-5, "x of signature decode differs"),
        ("encode", "scale", lambda s: s * 1.001, "scale of signature encode"),
        ("score", "kl", lambda kl: kl + np.nan, "kl of .* differs by nan"),
        ("sample", "z", lambda z: z[::-1], "z of signature sample differs"),
        ("encode", "loc", lambda loc: loc[:, :1], "loc of .* differs by inf"),
        ("describe", "card", lambda c: c + b" ", "card of signature describe"),
    ],
)  # fmt: skip
def test_an_answer_that_differs_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    key: str,
    change: Callable[[np.ndarray], Any],
    message: str,
) -> None:
    with pytest.raises(FailedError, match=f"{message}.*from the run's"):
        check(monkeypatch, spoiled(name, key, change))


def brighter(png_bytes: np.ndarray) -> np.ndarray:
    pixels = [tf.io.decode_png(one) + 2 for one in png_bytes]
    return np.array([tf.io.encode_png(one).numpy() for one in pixels], object)


def test_a_png_of_other_pixels_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spoil = spoiled("decode_png", "png_bytes", brighter)
    with pytest.raises(FailedError, match="png_bytes of signature decode_png"):
        check(monkeypatch, spoil)


def test_numbers_above_one_are_compared_by_their_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spoil = spoiled("score", "log_likelihood", lambda value: value * 1.000005)
    differences = check(monkeypatch, spoil, likelihood="bernoulli")
    assert 4e-6 < differences["score"] < 7e-6


def test_a_row_that_depends_on_its_batch_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spoil = spoiled("reconstruct", "x", lambda x: x + 1e-3, rows=1)
    with pytest.raises(FailedError, match=r"x of .* from those of its batch"):
        check(monkeypatch, spoil)


def test_a_draw_must_be_the_same_to_the_bit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spoil = spoiled("sample", "z", lambda z: np.nextafter(z, 9), rows=1)
    with pytest.raises(FailedError, match="sample draws another z for a seed"):
        check(monkeypatch, spoil)


def test_an_output_that_is_missing_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def spoil(name: str, _: int, answer: Arrays) -> None:
        if name == "encode":
            del answer["scale"]

    with pytest.raises(FailedError, match=r"encode answers \['loc'\], not \["):
        check(monkeypatch, spoil)
