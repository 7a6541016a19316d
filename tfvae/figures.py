"""Which pictures a run gets, from its model, its data and its rows."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from tfvae import plots
from tfvae.examples import Examples
from tfvae.generation import drawing, makers
from tfvae.generation.generated import Generated
from tfvae.learner import Learner
from tfvae.metrics import decoding
from tfvae.run_dir import Row
from tfvae.vae import VAE

NUM_PAIRS, NUM_SAMPLES, COLUMNS = 32, 64, 8
NUM_POINTS, MOST_NUMBERS = 2000, 2**22  # 16 MiB as float32
MANIFOLD_SIDE = 20
MOST_CLASSES, NUM_COMPLETED = 20, 10
NUM_QUANTILES, NUM_GRID = 4000, 400
CLOUDS_TITLE = "means of p(x|z)"


def num_examples(event_shape: tuple[int, ...]) -> int:
    """Returns how many examples of that shape `make_figures` is to be given."""
    fitting = MOST_NUMBERS // math.prod(event_shape)
    return min(NUM_POINTS, max(NUM_PAIRS, fitting))


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
            made = makers.manifold(model, side=MANIFOLD_SIDE)
            yield "manifold", drawing.rows(made)


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
        made = SAMPLES[model.condition.name](model, examples, seed)
        yield "samples", drawing.rows(made)


def _prior_samples(model: VAE, _: Examples, seed: int) -> Generated:
    return makers.sample(model, NUM_SAMPLES, seed=seed, columns=COLUMNS)


def _samples_of_classes(model: VAE, _: Examples, seed: int) -> Generated:
    num_classes = min(model.condition.num_classes, MOST_CLASSES)
    label = np.repeat(np.arange(num_classes), COLUMNS)
    return makers.sample(
        model,
        len(label),
        seed=seed,
        condition={"label": label},
        columns=COLUMNS,
        row_labels=[f"class {y}" for y in range(num_classes)],
    )


def _completions(model: VAE, examples: Examples, seed: int) -> Generated:
    rows = examples.take(slice(NUM_COMPLETED))
    num = COLUMNS - 2  # beside the original and its seen part
    mask = rows.condition["mask"]
    return makers.inpaint(model, rows.x, mask, num=num, seed=seed)


SAMPLES: dict[str, Callable[[VAE, Examples, int], Generated]] = {
    "none": _prior_samples,
    "label": _samples_of_classes,
    "mask": _completions,
}


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
    from scipy import stats  # takes long to load, and few runs need it

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
