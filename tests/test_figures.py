"""Which pictures a run gets, for each kind of data."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from tests.conftest import replicas
from tfvae import build, figures, plots, resolve
from tfvae.config import Config
from tfvae.data.spec import DataSpec
from tfvae.examples import Examples
from tfvae.vae import VAE

ROWS = [
    {"epoch": n, "elbo": -n, "log_likelihood": -n, "kl": n, "C": n}
    for n in (1, 2)
]


def _model(
    event_shape: tuple[int, ...], latent_dim: int, condition: str = "none"
) -> VAE:
    support = "real" if len(event_shape) == 1 else "unit"
    spec = DataSpec(event_shape, 3, support)
    config = Config(
        hidden_units=(4,), filters=(2,), latent_dim=latent_dim,
        condition=condition,
    )  # fmt: skip
    config = resolve.resolve(config, spec, num_examples=9, num_replicas=1)
    with replicas(1).scope():
        return build.build_model(config, spec)


def _examples(event_shape: tuple[int, ...], n: int, labelled: bool) -> Examples:
    draw = np.random.default_rng(0)
    x = draw.random([n, *event_shape]).astype(np.float32)
    return Examples(x, draw.integers(0, 3, n) if labelled else None, {})


def _pixels(figure: plots.Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


@pytest.mark.parametrize(
    ("event_shape", "latent_dim", "labelled", "names"),
    [
        ((5, 7, 1), 3, True, ["curves", "reconstructions", "samples"]),
        ((17, 33, 3), 3, False, ["curves", "reconstructions", "samples"]),
        (
            (5, 7, 3),
            2,
            False,
            ["curves", "reconstructions", "samples", "latent_map", "manifold"],
        ),
        ((2,), 3, False, ["curves", "samples"]),
        ((2,), 2, True, ["curves", "samples", "latent_map"]),
        ((6,), 2, False, ["curves", "latent_map"]),
        ((6,), 3, False, ["curves"]),
    ],
)
def test_every_kind_of_data_gets_its_figures(
    event_shape: tuple[int, ...],
    latent_dim: int,
    labelled: bool,
    names: list[str],
) -> None:
    made = dict(
        figures.make_figures(
            _model(event_shape, latent_dim),
            _examples(event_shape, 9, labelled),
            ROWS,
            seed=0,
        )
    )
    assert list(made) == names
    for figure in made.values():
        pixels = _pixels(figure)
        assert len(np.unique(pixels.reshape(-1, 4), axis=0)) > 2


def test_no_rows_no_curves() -> None:
    made = figures.make_figures(
        _model((6,), 3), _examples((6,), 9, False), [], seed=0
    )
    assert not list(made)


def _shown(
    monkeypatch: pytest.MonkeyPatch, examples: Examples, *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns (z, y) that the latent map is drawn of."""
    seen = []
    monkeypatch.setattr(plots, "latent_map", lambda *a: seen.append(a))
    model = _model((6,), 2)
    list(figures.make_figures(model, examples, ROWS, seed=seed))
    ((z, y),) = seen
    return z, y


def test_code_and_label_belong_to_one_example(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # More examples than a batch, sorted by class.
    examples = _examples((6,), 700, True)
    examples = dataclasses.replace(examples, labels=np.arange(700))
    z, y = _shown(monkeypatch, examples)
    assert z.shape == (700, 2)
    codes = _model((6,), 2).encode(examples.x[y]).mean().numpy()
    np.testing.assert_allclose(z, codes, rtol=1e-5, atol=1e-6)
    assert (y[:50] > 350).any()  # the first few are of every class
    assert (y[:50] < 350).any()


def test_equal_seeds_show_equal_examples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    examples = _examples((6,), 50, True)
    examples = dataclasses.replace(examples, labels=np.arange(50))
    orders = [_shown(monkeypatch, examples, seed=seed)[1] for seed in (0, 0, 1)]
    assert (orders[0] == orders[1]).all()
    assert (orders[0] != orders[2]).any()


def test_manifold_runs_over_the_quantiles_of_the_prior(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []
    model = _model((5, 7, 1), 2)
    original = model.decode
    monkeypatch.setattr(
        model,
        "decode",
        lambda z, *c: (seen.append(np.asarray(z)), original(z, *c))[1],
    )
    monkeypatch.setattr(figures, "MANIFOLD_SIDE", 4)
    made = figures.make_figures(
        model, _examples((5, 7, 1), 9, False), [], seed=0
    )
    dict(made)
    z = seen[-1].reshape(4, 4, 2)
    # quantiles 1/8, 3/8, 5/8, 7/8 of N(0, 1), from a table
    ticks = np.array([-1.1503494, -0.3186394, 0.3186394, 1.1503494])
    np.testing.assert_allclose(z[:, :, 0], np.tile(ticks, (4, 1)), rtol=1e-5)
    # the second latent rises upwards
    np.testing.assert_allclose(
        z[:, :, 1], np.tile(ticks[::-1, None], (1, 4)), rtol=1e-5
    )


def _samples(
    monkeypatch: pytest.MonkeyPatch, condition: str, examples: Examples
) -> np.ndarray:
    """Returns the images of the picture of samples: [rows, 8, ...]."""
    seen = []
    original = plots.labelled_rows

    def labelled_rows(images: np.ndarray, *words: Any) -> Any:
        seen.append(images)
        return original(images, *words)

    monkeypatch.setattr(plots, "labelled_rows", labelled_rows)
    model = _model((5, 7, 1), 3, condition)
    made = dict(figures.make_figures(model, examples, [], seed=0))
    assert list(made) == ["reconstructions", "samples"]
    return seen[-1]


def test_samples_of_classes_are_a_class_a_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    examples = _examples((5, 7, 1), 9, True)
    examples = dataclasses.replace(
        examples, condition={"label": examples.labels}
    )
    rows = _samples(monkeypatch, "label", examples)
    assert rows.shape[0] == 3
    model = _model((5, 7, 1), 3, "label")
    label = np.repeat([0, 1, 2], 8)
    expected = model.sample(24, seed=0, condition={"label": label})
    np.testing.assert_allclose(rows.reshape(24, 5, 7, 1), expected, rtol=1e-5)


def test_completions_stand_beside_original_and_seen_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    examples = _examples((5, 7, 1), 9, False)
    mask = np.random.default_rng(1).integers(0, 2, [9, 5, 7, 1]).astype("f")
    image = examples.x * mask
    examples = dataclasses.replace(
        examples, condition={"image": image, "mask": mask}
    )
    rows = _samples(monkeypatch, "mask", examples)
    assert rows.shape[0] == 9
    order = [
        int(np.argmin([np.abs(row[0] - x).sum() for x in examples.x]))
        for row in rows
    ]
    assert sorted(order) == list(range(9))
    seen = np.where(mask == 1, examples.x, 0.5)[order]
    np.testing.assert_array_equal(rows[:, 1], seen)
    for column in range(2, 8):
        kept = mask[order] == 1
        np.testing.assert_array_equal(
            rows[:, column][kept], examples.x[order][kept]
        )
        assert not np.array_equal(rows[:, column], rows[:, column - 1])
