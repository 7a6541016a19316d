"""Each mode against numpy on a linear model, and with conditions."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

import tfvae
from tests import models
from tests.small_runs import build_model
from tfvae.errors import InputError
from tfvae.generation import generated, makers
from tfvae.generation.generated import Generated
from tfvae.learner import Learner

NUM_DIMS = 5
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}
X = np.random.default_rng(2).normal(size=[7, NUM_DIMS]).astype(np.float32)


@pytest.fixture(scope="module")
def linear() -> tfvae.VAE:
    return models.linear_vae(NUM_DIMS, tfvae.Gaussian(C=8.0))


def f(model: tfvae.VAE, z: np.ndarray) -> np.ndarray:
    """Returns the mean of p(x|z) in numpy."""
    matrix, b = models.decoder_weights(model)
    return z @ matrix + b


def g(model: tfvae.VAE, x: np.ndarray) -> np.ndarray:
    """Returns the mean of q(z|x) in numpy."""
    return models.encode(model, x)[0]


def test_samples_fill_rows_and_leave_the_rest_empty(linear: tfvae.VAE) -> None:
    made = makers.sample(linear, 7, seed=1, columns=3)
    assert made.x.shape == (3, 3, NUM_DIMS)
    assert made.title == "sample: mean of p(x|z), z ~ p(z)"
    arrays = made.arrays()
    assert arrays["x"].shape == (7, NUM_DIMS)
    np.testing.assert_allclose(arrays["x"], f(linear, arrays["z"]), **TOLERANCE)
    assert np.isnan(made.z[2, 1:]).all()
    assert (made.x[2, 1:] == generated.EMPTY).all()
    np.testing.assert_array_equal(made.x[1, 2], arrays["x"][5])


def test_temperature_zero_gives_the_mean_of_the_prior(
    linear: tfvae.VAE,
) -> None:
    made = makers.sample(linear, 3, seed=1, temperature=0)
    assert made.title.endswith("z ~ p(z), temperature 0")
    _, b = models.decoder_weights(linear)
    np.testing.assert_allclose(
        made.arrays()["x"], np.tile(b, [3, 1]), **TOLERANCE
    )


def test_samples_are_shared_out_over_named_rows(linear: tfvae.VAE) -> None:
    made = makers.sample(linear, 8, seed=1, row_labels=("a", "b", "c"))
    assert made.row_labels == ("a", "b", "c")
    is_made = ~np.isnan(made.z[..., 0])
    assert is_made.sum(axis=1).tolist() == [3, 3, 2]
    plain = makers.sample(linear, 8, seed=1).arrays()
    np.testing.assert_array_equal(made.arrays()["z"], plain["z"])


def test_draw_adds_noise_and_says_so(linear: tfvae.VAE) -> None:
    mean = makers.sample(linear, 4, seed=1)
    drawn = makers.sample(linear, 4, seed=1, shown="draw")
    assert drawn.title == "sample: a draw of p(x|z), z ~ p(z)"
    np.testing.assert_array_equal(drawn.z, mean.z)
    assert (drawn.arrays()["x"] != mean.arrays()["x"]).all()


def test_reconstruction_lies_below_its_original(linear: tfvae.VAE) -> None:
    made = makers.reconstruct(linear, X, columns=4)
    assert made.x.shape == (4, 4, NUM_DIMS)
    np.testing.assert_array_equal(made.x[0], X[:4])
    np.testing.assert_array_equal(made.x[2, :3], X[4:])
    assert np.isnan(made.z[[0, 2]]).all()
    arrays = made.arrays()
    np.testing.assert_allclose(arrays["z"], g(linear, X), **TOLERANCE)
    np.testing.assert_allclose(
        arrays["x"], f(linear, g(linear, X)), **TOLERANCE
    )
    np.testing.assert_array_equal(made.x[1], arrays["x"][:4])
    np.testing.assert_array_equal(arrays["image"], X)


@pytest.mark.parametrize("path", ["linear", "spherical"])
def test_ends_of_a_path_are_reconstructions(
    linear: tfvae.VAE, path: str
) -> None:
    made = makers.interpolate(linear, X[:3], X[3:6], num_steps=5, path=path)
    assert made.x.shape == (3, 5, NUM_DIMS)
    assert f"on a {path} path" in made.title
    assert made.column_labels == ("0.00", "0.25", "0.50", "0.75", "1.00")
    for column, x in ((0, X[:3]), (-1, X[3:6])):
        np.testing.assert_allclose(
            made.x[:, column], linear.reconstruct(x), **TOLERANCE
        )
    z_from, z_to = g(linear, X[:3]), g(linear, X[3:6])
    middle = made.z[:, 2]
    if path == "linear":
        np.testing.assert_allclose(middle, (z_from + z_to) / 2, **TOLERANCE)
    else:
        norms = (np.linalg.norm(z, axis=1) for z in (z_from, z_to))
        np.testing.assert_allclose(
            np.linalg.norm(middle, axis=1), sum(norms) / 2, **TOLERANCE
        )
    np.testing.assert_allclose(made.x[:, 2], f(linear, middle), **TOLERANCE)
    np.testing.assert_array_equal(made.more["x_from"], X[:3])
    np.testing.assert_array_equal(made.more["x_to"], X[3:6])


def test_traversal_changes_one_latent_alone(linear: tfvae.VAE) -> None:
    z = np.array([0.4, -0.9], np.float32)
    made = makers.traverse(linear, z, [1, 0], values=[-2.0, 0.0, 2.5])
    expected = [
        [[0.4, -2], [0.4, 0], [0.4, 2.5]],
        [[-2, -0.9], [0, -0.9], [2.5, -0.9]],
    ]
    np.testing.assert_array_equal(made.z, np.array(expected, np.float32))
    np.testing.assert_allclose(made.x, f(linear, made.z), **TOLERANCE)
    assert made.row_labels == ("z[1]", "z[0]")
    assert made.column_labels == ("-2", "0", "2.5")
    assert made.more["dims"].tolist() == [1, 0]
    assert made.more["values"].tolist() == [-2, 0, 2.5]
    named = makers.traverse(linear, z, [1], values=[1.0], row_labels=["one"])
    assert named.row_labels == ("one",)


def test_manifold_runs_over_the_quantiles(linear: tfvae.VAE) -> None:
    made = makers.manifold(linear, side=3)
    low, high = stats.norm.ppf([1 / 6, 5 / 6])
    np.testing.assert_allclose(made.z[0, 0], [low, high], rtol=1e-6)
    np.testing.assert_allclose(made.z[0, 2], [high, high], rtol=1e-6)
    np.testing.assert_allclose(made.z[2, 0], [low, low], rtol=1e-6)
    np.testing.assert_allclose(made.z[1, 1], [0, 0], atol=1e-6)
    np.testing.assert_allclose(made.x, f(linear, made.z), **TOLERANCE)


def test_direction_is_added_by_its_strength(linear: tfvae.VAE) -> None:
    direction = np.array([0.5, -2.0], np.float32)
    made = makers.arithmetic(
        linear, X[:3], direction, strengths=[-1.0, 0.0, 0.25, 3.0]
    )
    assert made.column_labels == ("-1", "+0", "+0.25", "+3")
    for column, strength in enumerate([-1, 0, 0.25, 3]):
        z = g(linear, X[:3]) + strength * direction
        np.testing.assert_allclose(made.z[:, column], z, **TOLERANCE)
        np.testing.assert_allclose(made.x[:, column], f(linear, z), **TOLERANCE)
    np.testing.assert_array_equal(made.more["image"], X[:3])
    np.testing.assert_array_equal(made.more["direction"], direction)
    assert made.more["strengths"].tolist() == [-1, 0, 0.25, 3]


RNG = np.random.default_rng(0)
SHAPE = (6, 4, 3)
IMAGES = RNG.uniform(size=[3, *SHAPE]).astype(np.float32)
MASKS = RNG.integers(0, 2, [3, 6, 4, 1]).astype(np.float32)


@pytest.fixture(scope="module")
def completing() -> Learner:
    return build_model(SHAPE, condition="mask")


@pytest.mark.parametrize("shown", ["mean", "draw"])
@pytest.mark.parametrize("same_mask", [False, True])
def test_seen_pixels_stay_and_hidden_ones_differ(
    completing: Learner, shown: str, same_mask: bool
) -> None:
    mask = MASKS[0] if same_mask else MASKS
    made = makers.inpaint(completing, IMAGES, mask, num=5, seed=2, shown=shown)
    assert made.x.shape == (3, 7, *SHAPE)
    assert made.column_labels == ("image", "seen", "", "", "", "", "")
    completions = made.more["completions"]
    assert completions.shape == (3, 5, *SHAPE)
    masks = np.broadcast_to(mask, [3, 6, 4, 1])
    np.testing.assert_array_equal(made.more["mask"], masks)
    np.testing.assert_array_equal(made.more["image"], IMAGES)
    seen = np.broadcast_to(masks[:, np.newaxis] == 1, completions.shape)
    originals = np.broadcast_to(IMAGES[:, np.newaxis], completions.shape)
    np.testing.assert_array_equal(completions[seen], originals[seen])
    for one in range(3):
        for other in range(one + 1, 5):
            differ = completions[:, one] != completions[:, other]
            assert differ[~seen[:, 0]].mean() > 0.9
    np.testing.assert_array_equal(made.x[:, 0], IMAGES)
    np.testing.assert_array_equal(
        made.x[:, 1], np.where(masks == 1, IMAGES, 0.5)
    )
    arrays = made.arrays()
    np.testing.assert_array_equal(arrays["x"], completions.reshape(15, *SHAPE))
    assert len(np.unique(arrays["z"], axis=0)) == 15


def test_completions_look_at_no_hidden_pixel(completing: Learner) -> None:
    other = np.where(MASKS == 1, IMAGES, 1 - IMAGES).astype(np.float32)
    first, second = (
        makers.inpaint(completing, x, MASKS, num=2, seed=0)
        for x in (IMAGES, other)
    )
    np.testing.assert_array_equal(
        first.more["completions"], second.more["completions"]
    )


CLASSES = np.array([2, 0, 1])
LABELLED: dict[str, Callable[[Learner, dict], Generated]] = {
    "sample": lambda m, c: makers.sample(m, 3, seed=0, condition=c),
    "reconstruct": lambda m, c: makers.reconstruct(m, IMAGES, condition=c),
    "interpolate": lambda m, c: makers.interpolate(
        m, IMAGES, IMAGES[::-1], num_steps=4, condition=c
    ),
    "arithmetic": lambda m, c: makers.arithmetic(
        m, IMAGES, np.ones(4, np.float32), strengths=[1.0, 2.0], condition=c
    ),
    "traverse": lambda m, c: makers.traverse(
        m, np.zeros(4), [1, 3], values=[-1.0, 0.0, 1.0],
        condition={"label": c["label"][:1]},
    ),
    "manifold": lambda m, c: makers.manifold(
        m, side=3, condition={"label": c["label"][:1]}
    ),
}  # fmt: skip


@pytest.mark.parametrize("mode", list(LABELLED))
def test_each_row_keeps_its_class(mode: str) -> None:
    latent_dim = 2 if mode == "manifold" else 4
    model = build_model(SHAPE, condition="label", latent_dim=latent_dim)
    made = LABELLED[mode](model, {"label": CLASSES})
    arrays = made.arrays()
    labels = arrays["label"]
    assert len(labels) == len(arrays["x"])
    if mode in ("traverse", "manifold"):
        assert (labels == 2).all()
        assert made.title.endswith("class 2")
    else:
        assert (np.unique(labels) == [0, 1, 2]).all()
    # p(x|z, y) of the z that is given, asked of the model
    x = model.decode(arrays["z"], {"label": labels}).mean()
    np.testing.assert_allclose(arrays["x"], x, **TOLERANCE)


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (
            lambda m: makers.sample(m, 3, seed=0), {"model": "ae"},
            "`sample` draws from a prior, which an autoencoder has not",
        ),
        (
            lambda m: makers.manifold(m, side=3),
            {"model": "ae", "latent_dim": 2},
            "`manifold` draws from a prior, which an autoencoder has not",
        ),
        (
            lambda m: makers.manifold(m, side=3), {"latent_dim": 3},
            "the plane of two latents; the run has latent_dim=3; use trav",
        ),
        (
            lambda m: makers.sample(m, 3, seed=0, temperature=0.5),
            {"prior": "mixture"}, "prior is learned, give --temperature=1",
        ),
        (
            lambda m: makers.inpaint(m, IMAGES, MASKS, num=2, seed=0), {},
            "trained with --condition=mask; this one has --condition=none",
        ),
    ],
)  # fmt: skip
def test_what_a_model_cannot_do_is_refused(
    make: Callable[[Learner], Generated],
    settings: dict[str, object],
    message: str,
) -> None:
    with pytest.raises(InputError, match=message):
        make(build_model(SHAPE, **settings))
