"""Which pictures a run gets, for each kind of data."""

import dataclasses

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from tests.conftest import replicas
from tfvae import build, figures, plots, resolve
from tfvae.config import Config
from tfvae.data.spec import DataSpec
from tfvae.data.split import ArraySplit
from tfvae.vae import VAE

ROWS = [
    {"epoch": n, "elbo": -n, "log_likelihood": -n, "kl": n, "C": n}
    for n in (1, 2)
]


def _model(event_shape: tuple[int, ...], latent_dim: int) -> VAE:
    support = "real" if len(event_shape) == 1 else "unit"
    spec = DataSpec(event_shape, None, support)
    config = Config(hidden_units=(4,), filters=(2,), latent_dim=latent_dim)
    config = resolve.resolve(config, spec, num_examples=9, num_replicas=1)
    with replicas(1).scope():
        return build.build_model(config, spec)


def _split(event_shape: tuple[int, ...], n: int, labelled: bool) -> ArraySplit:
    draw = np.random.default_rng(0)
    x = draw.random([n, *event_shape]).astype(np.float32)
    return ArraySplit(x, draw.integers(0, 3, n) if labelled else None, 1.0)


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
            _split(event_shape, 9, labelled),
            ROWS,
            binarize="none",
            seed=0,
        )
    )
    assert list(made) == names
    for figure in made.values():
        pixels = _pixels(figure)
        assert len(np.unique(pixels.reshape(-1, 4), axis=0)) > 2


def test_no_rows_no_curves() -> None:
    made = figures.make_figures(
        _model((6,), 3), _split((6,), 9, False), [], binarize="none", seed=0
    )
    assert not list(made)


def _shown(
    monkeypatch: pytest.MonkeyPatch, split: ArraySplit, **settings: object
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns (z, y) that the latent map is drawn of."""
    seen = []
    monkeypatch.setattr(plots, "latent_map", lambda *a: seen.append(a))
    model = _model((6,), 2)
    settings = {"binarize": "none", "seed": 0} | settings
    list(figures.make_figures(model, split, ROWS, **settings))
    ((z, y),) = seen
    return z, y


def test_code_and_label_belong_to_one_example(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # More examples than a batch, and than are shown, sorted by class.
    monkeypatch.setattr(figures, "NUM_POINTS", 300)
    split = _split((6,), 700, True)
    split = dataclasses.replace(split, y=np.arange(700))
    z, y = _shown(monkeypatch, split)
    assert z.shape == (300, 2)
    assert len(set(y)) == 300
    assert y.min() < 70
    assert y.max() > 630
    codes = _model((6,), 2).encode(split.x[y]).mean().numpy()
    np.testing.assert_allclose(z, codes, rtol=1e-5, atol=1e-6)
    assert (y != np.sort(y)).any()  # the first few are of every class


def test_equal_seeds_show_equal_examples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    split = dataclasses.replace(_split((6,), 50, True), y=np.arange(50))
    orders = [_shown(monkeypatch, split, seed=seed)[1] for seed in (0, 0, 1)]
    assert (orders[0] == orders[1]).all()
    assert (orders[0] != orders[2]).any()


def test_dynamic_data_are_shown_as_they_were_trained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []
    monkeypatch.setattr(plots, "reconstructions", lambda x, *_: seen.append(x))
    for binarize in ("none", "dynamic"):
        list(
            figures.make_figures(
                _model((5, 7, 1), 3), _split((5, 7, 1), 9, False), [],
                binarize=binarize, seed=0,
            )
        )  # fmt: skip
    assert len(np.unique(seen[0])) > 2
    assert set(np.unique(seen[1])) == {0.0, 1.0}


def test_manifold_runs_over_the_quantiles_of_the_prior(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []
    model = _model((5, 7, 1), 2)
    original = model.decode
    monkeypatch.setattr(
        model, "decode", lambda z: (seen.append(np.asarray(z)), original(z))[1]
    )
    monkeypatch.setattr(figures, "MANIFOLD_SIDE", 4)
    made = figures.make_figures(
        model, _split((5, 7, 1), 9, False), [], binarize="none", seed=0
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
