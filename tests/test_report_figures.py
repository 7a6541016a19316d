"""Which figures a report has, for each kind of run, and what they show."""

import dataclasses
import pathlib
from typing import Any

import numpy as np
import pytest

from tests.conftest import replicas
from tfvae import build, page, plots, report_figures, resolve
from tfvae.config import Config
from tfvae.data.spec import DataSpec
from tfvae.data.split import ArraySplit, Splits
from tfvae.report_figures import Entry, Material, drawers, trained
from tfvae.run_dir import Run, RunDir

NUM = 13
ROWS = [
    {
        "epoch": n, "elbo": -n, "log_likelihood": -n, "kl": n, "C": n,
        "val_kl": n / 10, "val_log_likelihood": -100.0 * n, "seconds": 0.5,
    }
    for n in range(1, 41)
]  # fmt: skip
MEASURED = {
    "rate": 3.0, "distortion_nats": 5.0, "nll_curve": {"1": 9.0, "5": 8.0},
    "naive_curve": {"1": 19.0, "5": 18.0},
}  # fmt: skip
NO_IMAGES = "the data are no images"
NO_PRIOR = "an autoencoder has no prior"


def splits_of(event_shape: tuple[int, ...]) -> Splits:
    """Returns a few labelled examples, the same in every part."""
    rng = np.random.default_rng(0)
    x = rng.random([NUM, *event_shape]).astype(np.float32)
    split = ArraySplit(x, np.arange(NUM) % 3, 1.0)
    support = "real" if len(event_shape) == 1 else "unit"
    spec = DataSpec(event_shape, 3, support)
    return Splits(split, split, split, spec)


def gathered(
    path: pathlib.Path, event_shape: tuple[int, ...], **changes: Any
) -> Material:
    """Returns what the report of an untrained model is drawn from."""
    splits = splits_of(event_shape)
    spec = splits.spec
    settings = {"hidden_units": (4,), "filters": (2,), "latent_dim": 3}
    config = resolve.resolve(
        Config(**settings | changes), spec, num_examples=9, num_replicas=1
    )
    with replicas(1).scope():
        model = build.build_model(config, spec)
    run_dir = RunDir(str(path))
    run_dir.write_rows(ROWS)
    run = Run(config, spec, model, run_dir)
    return report_figures.gather(run, splits, MEASURED, seed=0)


def drawn_and_missing(material: Material) -> tuple[set[str], dict[str, str]]:
    """Returns the names of the figures, and {name: why there is none}."""
    drawn, missing = set(), {}
    for entry, figure in report_figures.make_figures(material):
        if isinstance(figure, str):
            missing[entry.name] = figure
        else:
            assert isinstance(figure.figure, plots.Figure)
            assert figure.caption.endswith(".")
            drawn.add(entry.name)
    return drawn, {name: reason for name, reason in missing.items() if reason}


def seen(monkeypatch: pytest.MonkeyPatch, plot: str) -> list[tuple]:
    """Returns a list that takes what a figure is plotted from."""
    calls: list[tuple] = []
    monkeypatch.setattr(
        plots, plot, lambda *args, **named: calls.append((*args, named))
    )
    return calls


IMAGE_FIGURES = {
    "curves", "rate and distortion", "reconstructed images",
    "errors by dimension", "sampled images", "interpolated images",
    "map of the codes", "KL of each latent", "traversed latents",
    "calibration", "convergence of the estimate",
}  # fmt: skip
VECTOR_FIGURES = IMAGE_FIGURES - {
    "reconstructed images", "sampled images", "interpolated images",
    "traversed latents",
}  # fmt: skip
NO_PICTURES = dict.fromkeys(IMAGE_FIGURES - VECTOR_FIGURES, NO_IMAGES)
AE_FIGURES = {
    "curves", "reconstructed images", "errors by dimension",
    "interpolated images", "map of the codes", "calibration",
}  # fmt: skip


@pytest.mark.parametrize(
    ("event_shape", "changes", "drawn", "missing"),
    [
        ((5, 7, 1), {}, IMAGE_FIGURES, {}),
        ((5, 7, 3), {"latent_dim": 2}, IMAGE_FIGURES | {"manifold"}, {}),
        (
            (5, 7, 1),
            {"latent_dim": 1, "likelihood": "bernoulli"},
            IMAGE_FIGURES - {"map of the codes", "calibration"},
            {
                "map of the codes": "a map needs two latents and two examples",
                "calibration": "p(x|z) is not gaussian",
            },
        ),
        ((5, 7, 1), {"condition": "label"}, IMAGE_FIGURES, {}),
        (
            (5, 7, 1),
            {"condition": "mask"},
            IMAGE_FIGURES - {"interpolated images"},
            {
                "interpolated images": "a code holds what is hidden of its own "
                "image alone"
            },
        ),
        (
            (5, 7, 1),
            {"posterior": "iaf"},
            IMAGE_FIGURES - {"KL of each latent"},
            {
                "KL of each latent": "the KL of a single latent has no closed "
                "form here"
            },
        ),
        (
            (5, 7, 1),
            {"model": "ae"},
            AE_FIGURES,
            dict.fromkeys(IMAGE_FIGURES - AE_FIGURES, NO_PRIOR),
        ),
        ((6,), {"C": "per_pixel"}, VECTOR_FIGURES, NO_PICTURES),
        ((6,), {"condition": "label"}, VECTOR_FIGURES, NO_PICTURES),
        ((2,), {}, VECTOR_FIGURES | {"points in the plane"}, NO_PICTURES),
        ((1,), {}, VECTOR_FIGURES | {"density"}, NO_PICTURES),
        (
            (2,),
            {"model": "ae", "latent_dim": 1},
            {
                "curves", "errors by dimension", "points in the plane",
                "calibration",
            },
            {
                **NO_PICTURES,
                "rate and distortion": NO_PRIOR,
                "map of the codes": "a map needs two latents and two examples",
                "KL of each latent": NO_PRIOR,
                "convergence of the estimate": NO_PRIOR,
            },
        ),
    ],
    ids=[
        "image", "plane", "bernoulli", "label", "mask", "iaf", "ae", "vector",
        "labelled_vector", "points", "numbers", "ae_of_points",
    ],
)  # fmt: skip
def test_every_kind_of_run_gets_its_figures(
    event_shape: tuple[int, ...],
    changes: dict[str, Any],
    drawn: set[str],
    missing: dict[str, str],
    tmp_path: pathlib.Path,
) -> None:
    material = gathered(tmp_path, event_shape, **changes)
    assert drawn_and_missing(material) == (drawn, missing)


def test_every_figure_is_described() -> None:
    names = [entry.name for entry in report_figures.FIGURES]
    assert len(set(names)) == len(names)
    for entry in report_figures.FIGURES:
        assert isinstance(entry, Entry)
        assert entry.alt.endswith(".")
        assert entry.section


def test_code_belongs_to_its_example(tmp_path: pathlib.Path) -> None:
    material = gathered(tmp_path, (5, 7, 1))
    codes = material.run.model.code(material.examples.x).numpy()
    np.testing.assert_allclose(material.z, codes, rtol=1e-5, atol=1e-6)
    rows = np.random.default_rng(0).random([NUM, 5, 7, 1]).astype(np.float32)
    first_pixels = material.examples.x[:, 0, 0, 0]
    ids = [int(np.flatnonzero(rows[:, 0, 0, 0] == p)[0]) for p in first_pixels]
    assert sorted(ids) == list(range(NUM))
    assert ids != list(range(NUM))  # in random order: some sets are sorted
    np.testing.assert_array_equal(material.examples.labels, np.array(ids) % 3)


def test_kl_of_each_latent_is_the_closed_form(tmp_path: pathlib.Path) -> None:
    material = gathered(tmp_path, (6,))
    qz = material.run.model.encode(material.examples.x)
    loc, scale = qz.mean().numpy(), qz.stddev().numpy()
    # KL(N(m, s^2) || N(0, 1)) = (m^2 + s^2 - 1) / 2 - log s
    expected = ((loc**2 + scale**2 - 1) / 2 - np.log(scale)).mean(axis=0)
    np.testing.assert_allclose(material.kl_per_dim, expected, rtol=1e-4)


def test_map_shows_the_two_largest_components(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    material = gathered(tmp_path, (6,), latent_dim=4)
    calls = seen(monkeypatch, "latent_map")
    drawers.latent_map(material)
    ((shown, labels, named),) = calls
    variances = np.sort(np.linalg.eigvalsh(np.cov(material.z.T)))[::-1]
    np.testing.assert_allclose(
        np.cov(shown.T), np.diag(variances[:2]), rtol=1e-4, atol=1e-9
    )
    np.testing.assert_array_equal(labels, material.examples.labels)
    shares = variances / variances.sum()
    assert f"({shares[0]:.0%} of the variance)" in named["axis_names"][0]
    assert f"({shares[1]:.0%})" in named["axis_names"][1]


def test_codes_that_are_all_the_same_have_a_map(
    tmp_path: pathlib.Path,
) -> None:
    material = gathered(tmp_path, (6,))
    material = dataclasses.replace(material, z=np.zeros([NUM, 3], np.float32))
    figure, caption = drawers.latent_map(material)
    assert "(0% of the variance)" in figure.axes[0].get_xlabel()
    assert f"{NUM} test examples, coloured by label" in caption


def test_traversal_takes_the_largest_kl_first(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawers, "MOST_LATENTS", 2)
    material = gathered(tmp_path, (5, 7, 1))
    material = dataclasses.replace(material, kl_per_dim=np.array([0.2, 3, 1.5]))
    calls = seen(monkeypatch, "labelled_rows")
    drawers.traversals(material)
    ((x, _, row_labels, column_labels, _),) = calls
    assert row_labels == ("z[1]: 3 nats", "z[2]: 1.5 nats")
    assert column_labels == ("-3", "-2", "-1", "0", "1", "2", "3")
    # First row, second column: the first example's code with z[1] = -2.
    z = material.z[:1].copy()
    z[0, 1] = -2
    expected = material.run.model.decode(z).mean().numpy()[0]
    np.testing.assert_allclose(x[0, 1], expected, rtol=1e-5, atol=1e-6)


def test_paths_lead_from_one_image_to_another(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    material = gathered(tmp_path, (5, 7, 1), condition="label")
    calls = seen(monkeypatch, "labelled_rows")
    drawers.interpolation(material)
    ((x, *_),) = calls
    examples, ids = material.examples, drawers.pairs(material.examples)
    assert len(set(ids.ravel())) == ids.size
    first, second = examples.labels[ids].T
    np.testing.assert_array_equal(first, [0, 1, 2])
    np.testing.assert_array_equal(second, [0, 1, 2])
    ends = material.run.model.reconstruct(
        examples.x[ids[:, 1]], {"label": second}
    )
    np.testing.assert_allclose(x[:, -1], ends, rtol=1e-5, atol=1e-6)


def test_pairs_do_not_look_at_labels_that_the_model_is_not_told(
    tmp_path: pathlib.Path,
) -> None:
    examples = gathered(tmp_path, (5, 7, 1)).examples
    np.testing.assert_array_equal(
        drawers.pairs(examples), np.arange(12).reshape(6, 2)
    )
    assert drawers.pairs(examples.take(slice(1))).shape == (0, 2)


def test_one_example_has_no_path(tmp_path: pathlib.Path) -> None:
    material = gathered(tmp_path, (5, 7, 1))
    material = dataclasses.replace(
        material, examples=material.examples.take(slice(1)), z=material.z[:1]
    )
    _, missing = drawn_and_missing(material)
    assert missing == {
        "interpolated images": "a path needs two test images (of a class, "
        "where the model is told it)",
        "map of the codes": "a map needs two latents and two examples",
    }


def test_path_through_rate_and_distortion_ends_at_the_evaluation(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    material = gathered(tmp_path, (6,))
    calls = seen(monkeypatch, "rate_distortion")
    drawers.rate_distortion(material)
    ((points, _),) = calls
    # 5 of 40 epochs, 40^(k / 4) = 1, 2.51, 6.32, 15.9, 40
    assert points == {
        f"epoch {n}": (n / 10, 100.0 * n) for n in (1, 3, 6, 16, 40)
    } | {"evaluated": (3.0, 5.0)}
    material = dataclasses.replace(material, rows=[])
    assert drawn_and_missing(material)[1] == {
        **NO_PICTURES,
        "rate and distortion": "no epoch is recorded",
    }


def test_error_of_a_pixel_is_a_mean_over_channels(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    material = gathered(tmp_path, (5, 7, 3))
    calls = seen(monkeypatch, "error_map")
    drawers.error_map(material)
    ((error, _),) = calls
    x = material.examples.x
    left = x - material.run.model.reconstruct(x).numpy()
    np.testing.assert_allclose(error, np.mean(left**2, axis=(0, 3)), rtol=1e-4)


def test_residuals_are_those_of_as_many_examples_as_memory_takes(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawers, "MOST_RESIDUALS", 4 * 35 + 34)
    material = gathered(tmp_path, (5, 7, 1))
    calls = seen(monkeypatch, "calibration")
    drawers.calibration(material)
    ((residuals, _),) = calls
    assert residuals.shape == (4 * 35,)


def test_latents_without_a_kl_of_their_own_go_by_their_variance(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    material = gathered(tmp_path, (5, 7, 1), prior="realnvp")
    assert material.kl_per_dim is None
    calls = seen(monkeypatch, "labelled_rows")
    _, caption = drawers.traversals(material)
    variances = np.var(material.z, axis=0)
    order = sorted(range(3), key=lambda i: -variances[i])
    assert calls[0][2] == tuple(f"z[{i}]: {variances[i]:.2g}" for i in order)
    assert "the variance of its mean code" in caption


def test_warnings_of_the_training_stand_beside_the_run(
    tmp_path: pathlib.Path,
) -> None:
    for likelihood, num in (("gaussian", 0), ("bernoulli", 1)):
        material = gathered(tmp_path, (5, 7, 1), likelihood=likelihood)
        section = trained.section(
            material.run, splits_of((5, 7, 1)), weights="last"
        )
        texts = [b.text for b in section.blocks if isinstance(b, page.Prose)]
        assert len(texts) == num
        assert all(
            text.startswith("Warning: the data are not binary")
            for text in texts
        )
