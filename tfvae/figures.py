"""Which pictures a run gets, from its model, its data and its rows."""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
from scipy import stats

from tfvae import latents, plots
from tfvae.examples import Examples
from tfvae.learner import Learner
from tfvae.metrics import decoding
from tfvae.run_dir import Row
from tfvae.vae import VAE

EMPTY = 0.5  # grey, where a pixel is hidden
NUM_PAIRS, NUM_SAMPLES, COLUMNS = 32, 64, 8
NUM_POINTS = 2000
MANIFOLD_SIDE = 20
MOST_CLASSES, NUM_COMPLETED = 20, 10
NUM_QUANTILES, NUM_GRID = 4000, 400
CLOUDS_TITLE = "means of p(x|z)"


def make_figures(
    model: Learner,
    examples: Examples,
    rows: list[Row],
    *,
    seed: int,
    log_prob: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Iterator[tuple[str, plots.Figure]]:
    """Yields (name, figure) of every picture that makes sense for the data.

    Args:
      model: trained.
      examples: held-out; the pictures show random ones of them.
      rows: of metrics.jsonl.
      seed: of the run; equal seeds show equal examples.
      log_prob: exact log p(x) of the data's own density, where it is known.
    """
    if rows:
        yield "curves", plots.curves(rows)
    order = np.random.default_rng(seed).permutation(len(examples))
    shown = examples.take(order)
    x = shown.x
    if x.ndim == 4:
        yield from _pictures(model, shown, seed)
    elif x.shape[1] == 2:
        clouds = _clouds(model, shown, seed)
        yield "samples", plots.scatter(clouds, CLOUDS_TITLE)
    elif x.shape[1] == 1 and isinstance(model, VAE) and not shown.condition:
        yield "density", _density(model, x[:, 0], log_prob)
    if model.latent_dim == 2:
        z = decoding.batched(model.code, x, shown.condition)
        yield "latent_map", plots.latent_map(z, shown.labels)
        if x.ndim == 4 and isinstance(model, VAE) and not shown.condition:
            yield "manifold", _manifold(model)


def _pictures(
    model: Learner, examples: Examples, seed: int
) -> Iterator[tuple[str, plots.Figure]]:
    pairs = examples.take(slice(NUM_PAIRS))
    reconstructed = model.reconstruct(pairs.x, pairs.condition).numpy()
    yield (
        "reconstructions",
        plots.reconstructions(pairs.x, reconstructed, COLUMNS),
    )
    if isinstance(model, VAE):
        samples = {
            "none": _prior_samples,
            "label": _samples_of_classes,
            "mask": _completions,
        }[model.condition.name]
        yield "samples", samples(model, examples, seed)


def _prior_samples(model: VAE, _: Examples, seed: int) -> plots.Figure:
    samples = model.sample(NUM_SAMPLES, seed=seed).numpy()
    title = "prior samples: mean of p(x|z), z ~ p(z)"
    return plots.image_grid(samples, COLUMNS, title)


def _samples_of_classes(model: VAE, _: Examples, seed: int) -> plots.Figure:
    num_classes = min(model.condition.num_classes, MOST_CLASSES)
    label = np.repeat(np.arange(num_classes), COLUMNS)
    samples = model.sample(
        len(label), seed=seed, condition={"label": label}
    ).numpy()
    title = "a class a row: mean of p(x|z, y), z ~ p(z)"
    return plots.image_grid(samples, COLUMNS, title)


def _completions(model: VAE, examples: Examples, seed: int) -> plots.Figure:
    rows = examples.take(slice(NUM_COMPLETED))
    num = COLUMNS - 2  # beside the original and its seen part
    condition = {k: np.repeat(v, num, 0) for k, v in rows.condition.items()}
    samples = model.sample(
        num * len(rows), seed=seed, condition=condition
    ).numpy()
    image, mask = rows.condition["image"], rows.condition["mask"]
    seen = np.where(mask > 0.5, image, EMPTY)  # grey where hidden
    samples = samples.reshape(len(rows), num, *rows.x.shape[1:])
    parts = [rows.x[:, np.newaxis], seen[:, np.newaxis], samples]
    images = np.concatenate(parts, axis=1).reshape(-1, *rows.x.shape[1:])
    title = (
        "original, seen part, completions: mean of p(x|z, seen part), z ~ p(z)"
    )
    return plots.image_grid(images, COLUMNS, title)


def _clouds(
    model: Learner, examples: Examples, seed: int
) -> dict[str, np.ndarray]:
    x, condition = examples.x, examples.condition
    reconstructed = model.reconstruct(x, condition).numpy()
    clouds = {"data": x, "reconstructions": reconstructed}
    if isinstance(model, VAE):
        clouds["prior samples"] = model.sample(
            len(x), seed=seed, condition=condition
        ).numpy()
    return clouds


def _density(
    model: VAE,
    x: np.ndarray,
    log_prob: Callable[[np.ndarray], np.ndarray] | None,
) -> plots.Figure:
    """Draws p(x) and, of one latent, f(z) beside what theory makes of both.

    With one latent and little noise, f = F^-1(Phi(z)) gives the data's own
    density (Doersch, 2016, section 2.4.1); F^-1 is taken from the data.
    """
    probs = (np.arange(NUM_QUANTILES) + 0.5) / NUM_QUANTILES
    z = stats.norm.ppf(probs).astype(np.float32)
    points = (
        z[:, np.newaxis]
        if model.latent_dim == 1
        else model.prior.sample(NUM_QUANTILES, seed=tf.constant([0, 1])).numpy()
    )
    margin = 0.15 * np.ptp(x)
    grid = np.linspace(x.min() - margin, x.max() + margin, NUM_GRID)
    column = grid[:, np.newaxis].astype(np.float32)
    # p(x) = mean over z ~ p(z) of p(x|z)
    log_px = model.decode(points).log_prob(column[:, np.newaxis])
    densities = {"model": np.exp(log_px).mean(axis=1)}
    if log_prob is not None:
        densities["the data's own"] = np.exp(log_prob(column))
    if model.latent_dim > 1:
        return plots.density(x, grid, densities, None)
    f = model.decode(points).mean().numpy()[:, 0]
    exact = np.quantile(x, probs)
    turned = exact[::-1] if f[-1] < f[0] else exact
    maps = {"model": f, "$F^{-1}(\\Phi(z))$, from the data": turned}
    return plots.density(x, grid, densities, (z, maps))


def _manifold(model: VAE) -> plots.Figure:
    """Decodes a grid of equal prior probability per cell."""
    z = latents.quantile_grid(MANIFOLD_SIDE)
    images = decoding.batched(lambda z: model.decode(z).mean(), z)
    title = "manifold: mean of p(x|z) over the quantiles of p(z)"
    return plots.image_grid(images, MANIFOLD_SIDE, title)
