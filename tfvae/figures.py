"""Which pictures a run gets, from its model, its data and its rows."""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
from scipy import stats

from tfvae import plots
from tfvae.data import pipeline
from tfvae.data.split import Split
from tfvae.learner import Learner
from tfvae.run_dir import Row
from tfvae.vae import VAE

NUM_PAIRS, NUM_SAMPLES, COLUMNS = 32, 64, 8
NUM_POINTS = 2000
MANIFOLD_SIDE = 20
NUM_QUANTILES, NUM_GRID = 4000, 400
BATCH = 256
CLOUDS_TITLE = "means of p(x|z)"


def make_figures(
    model: Learner,
    test: Split,
    rows: list[Row],
    *,
    binarize: str,
    dequantize: bool = False,
    seed: int,
    log_prob: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Iterator[tuple[str, plots.Figure]]:
    """Yields (name, figure) of every picture that makes sense for the data.

    Args:
      model: trained.
      test: held-out examples; at most 2,000, drawn at random, are shown.
      rows: of metrics.jsonl.
      binarize: as the run was trained.
      dequantize: as the run was trained.
      seed: of the run; equal seeds show equal examples.
      log_prob: exact log p(x) of the data's own density, where it is known.
    """
    if rows:
        yield "curves", plots.curves(rows)
    x, y = _random_examples(
        test, binarize=binarize, dequantize=dequantize, seed=seed
    )
    if x.ndim == 4:
        yield from _pictures(model, x[:NUM_PAIRS], seed)
    elif x.shape[1] == 2:
        yield "samples", plots.scatter(_clouds(model, x, seed), CLOUDS_TITLE)
    elif x.shape[1] == 1 and isinstance(model, VAE):
        yield "density", _density(model, x[:, 0], log_prob)
    if model.latent_dim == 2:
        z = np.concatenate([
            model.code(x[start : start + BATCH]).numpy()
            for start in range(0, len(x), BATCH)
        ])  # fmt: skip
        yield "latent_map", plots.latent_map(z, y)
        if x.ndim == 4 and isinstance(model, VAE):
            yield "manifold", _manifold(model)


def _pictures(
    model: Learner, x: np.ndarray, seed: int
) -> Iterator[tuple[str, plots.Figure]]:
    reconstructed = model.reconstruct(x).numpy()
    yield "reconstructions", plots.reconstructions(x, reconstructed, COLUMNS)
    if isinstance(model, VAE):
        samples = model.sample(NUM_SAMPLES, seed=seed).numpy()
        title = "prior samples: mean of p(x|z), z ~ p(z)"
        yield "samples", plots.image_grid(samples, COLUMNS, title)


def _clouds(model: Learner, x: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    clouds = {"data": x, "reconstructions": model.reconstruct(x).numpy()}
    if isinstance(model, VAE):
        clouds["prior samples"] = model.sample(len(x), seed=seed).numpy()
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
    # z = Phi^-1(u), u uniform on (0, 1)
    ticks = stats.norm.ppf((np.arange(MANIFOLD_SIDE) + 0.5) / MANIFOLD_SIDE)
    z_1, z_2 = np.meshgrid(ticks, ticks[::-1])
    z = np.stack([z_1.ravel(), z_2.ravel()], axis=1).astype(np.float32)
    images = np.concatenate([
        model.decode(tf.constant(z[start : start + BATCH])).mean().numpy()
        for start in range(0, len(z), BATCH)
    ])  # fmt: skip
    title = "manifold: mean of p(x|z) over the quantiles of p(z)"
    return plots.image_grid(images, MANIFOLD_SIDE, title)


def _random_examples(
    split: Split, *, binarize: str, dequantize: bool, seed: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns (x, y) of at most NUM_POINTS random examples.

    Random, because some test sets are sorted by class.
    """
    order = np.random.default_rng(seed).permutation(split.num_examples)
    chosen = np.sort(order[:NUM_POINTS])
    batches = pipeline.eval_batches(
        split, BATCH, seed=seed, binarize=binarize, dequantize=dequantize
    )
    parts, first = [], 0
    for batch in batches.as_numpy_iterator():
        inside = chosen[(chosen >= first) & (chosen < first + len(batch))]
        parts.append(batch[inside - first])
        first += len(batch)
    shuffle = np.random.default_rng(seed).permutation(len(chosen))
    y = split.labels()
    x = np.concatenate(parts)[shuffle]
    return x, None if y is None else y[chosen][shuffle]
