"""How each figure of a report is drawn, and what is said below it."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from tfvae import latents, plots
from tfvae.examples import Examples
from tfvae.generation import drawing, makers
from tfvae.metrics import latent, residuals
from tfvae.report_figures.material import Material
from tfvae.vae import VAE

MOST_LATENTS = 10  # that are traversed
VALUES = (-3, -2, -1, 0, 1, 2, 3)  # of each
NUM_PAIRS, NUM_STEPS = 6, 8  # of images between which a path leads
MOST_EPOCHS = 5  # on the path through rate and distortion
MOST_RESIDUALS = 2**22
SMALLEST_VARIANCE = 1e-30  # of codes that are all the same
SAMPLES = {
    "none": "Codes drawn from the prior, decoded.",
    "label": "A class a row, from 0: codes drawn from the prior, decoded as "
    "that class.",
    "mask": "Test images, the part of each that the model sees, and its ways "
    "to complete it, for codes drawn from the prior.",
}


class Drawn(NamedTuple):
    """A figure and what the report says below it."""

    figure: plots.Figure
    caption: str


Draw: TypeAlias = Callable[[Material], Drawn]


def drawn(name: str, caption: str) -> Draw:
    """Returns what takes a figure that every run gets."""
    return lambda m: Drawn(m.drawn[name], caption)


def rate_distortion(m: Material) -> Drawn:
    """Rate and distortion of some epochs, and of the evaluated model."""
    count = min(MOST_EPOCHS, len(m.rows))
    epochs = np.unique(np.geomspace(1, len(m.rows), count).round().astype(int))
    points = {
        f"epoch {epoch}": (row["val_kl"], -row["val_log_likelihood"])
        for epoch, row in ((epoch, m.rows[epoch - 1]) for epoch in epochs)
    }
    points["evaluated"] = (m.measured["rate"], m.measured["distortion_nats"])
    return Drawn(
        plots.rate_distortion(points),
        "What the code costs against what the reconstruction loses: after some "
        "epochs on the validation set, and as evaluated. Along a grey line the "
        "elbo is the same.",
    )


def error_map(m: Material) -> Drawn:
    """The squared error of each pixel (a mean over channels) or feature."""
    x, condition = m.examples.x, m.examples.condition
    error = residuals.squared_error_per_dim(m.run.model, x, condition)
    if m.run.spec.is_image:
        error = error.mean(axis=-1)  # [height, width]
    where = " in which it is hidden" if "mask" in condition else ""
    part = "pixel" if m.run.spec.is_image else "feature"
    return Drawn(
        plots.error_map(error),
        f"Where reconstructions are wrong: {part} by {part}, the mean over "
        f"{len(x):,} test examples{where}.",
    )


def samples(m: Material) -> Drawn:
    """What the decoder makes of draws from the prior."""
    return Drawn(m.drawn["samples"], SAMPLES[m.run.model.condition.name])


def latent_map(m: Material) -> Drawn:
    """Mean codes in the plane, by PCA where there are more than two."""
    labels = m.examples.labels
    coloured = "" if labels is None else ", coloured by label"
    if m.run.model.latent_dim == 2:
        return Drawn(
            m.drawn["latent_map"],
            f"Where the encoder puts {len(m.z):,} test examples{coloured}.",
        )
    centred = m.z - m.z.mean(axis=0, dtype=np.float64)
    _, scales, axes = np.linalg.svd(centred, full_matrices=False)
    variances = np.square(scales)
    first, second = variances[:2] / max(variances.sum(), SMALLEST_VARIANCE)
    figure = plots.latent_map(
        centred @ axes[:2].T,
        labels,
        title="latent map: z = g(x) of the test set, by PCA",
        axis_names=(
            f"first component ({first:.0%} of the variance)",
            f"second component ({second:.0%})",
        ),
    )
    return Drawn(
        figure,
        f"Where the encoder puts {len(m.z):,} test examples{coloured}: the "
        f"plane in which their {m.z.shape[1]} latents vary most.",
    )


def kl_bars(m: Material) -> Drawn:
    """The KL of each latent, collapsed ones marked."""
    assert m.kl_per_dim is not None
    return Drawn(
        plots.kl_bars(m.kl_per_dim, latent.active_units(m.z)),
        f"Means over {len(m.z):,} test examples. A latent has collapsed where "
        "its mean code hardly depends on x (a variance of at most 0.01).",
    )


def traversals(m: Material) -> Drawn:
    """One code as one latent at a time changes."""
    kl = m.kl_per_dim
    # Without a KL of each latent, how far its mean code varies.
    weights, unit = (m.z.var(axis=0), "") if kl is None else (kl, " nats")
    dims = latents.by_kl(weights)[:MOST_LATENTS].tolist()
    made = makers.traverse(
        m.run.model,
        m.z[0],
        dims,
        values=VALUES,
        condition=m.examples.take(slice(1)).condition,
        row_labels=[f"z[{i}]: {weights[i]:.2g}{unit}" for i in dims],
    )
    measure = "the variance of its mean code" if kl is None else "its KL"
    return Drawn(
        drawing.rows(made),
        "The code of one test image, with one latent at a time set to the "
        f"value above the column. Beside each latent {measure}; the "
        "largest come first.",
    )


def interpolation(m: Material) -> Drawn:
    """Paths between the codes of two images, a row each."""
    first, second = (m.examples.take(ids) for ids in pairs(m.examples).T)
    made = makers.interpolate(
        m.run.model,
        first.x,
        second.x,
        num_steps=NUM_STEPS,
        condition=first.condition,
    )
    return Drawn(
        drawing.rows(made),
        "From the code of one test image to that of another; both ends are "
        "reconstructions.",
    )


def pairs(examples: Examples) -> np.ndarray:
    """Returns the indices of two images for each path: [paths, 2].

    Where the model is told a label, both images have it.
    """
    groups = [np.arange(len(examples))]
    if "label" in examples.condition:
        label = examples.condition["label"]
        groups = [np.flatnonzero(label == y)[:2] for y in np.unique(label)]
    both = [ids[: len(ids) // 2 * 2].reshape(-1, 2) for ids in groups]
    return np.concatenate(both)[:NUM_PAIRS]


def calibration(m: Material) -> Drawn:
    """Standardised residuals against N(0, 1)."""
    num = max(1, MOST_RESIDUALS // m.run.spec.num_dims)
    shown = m.examples.take(slice(num))
    r = residuals.standardised(
        m.run.model, shown.x, shown.condition, seed=m.seed
    )
    code = "drawn from `q(z|x)`" if isinstance(m.run.model, VAE) else "= `g(x)`"
    return Drawn(
        plots.calibration(r),
        f"Errors of {len(shown):,} test examples in units of the noise in "
        f"`p(x|z)`, at z {code}. N(0, 1) where `p(x|z)` is right; wider where "
        "held-out errors exceed the learned noise; a peak with long tails "
        "where one c does not fit all dimensions (`--C=per_pixel` gives each "
        "its own).",
    )


def convergence(m: Material) -> Drawn:
    """Estimates of -log p(x) over the number of draws."""
    curves = {"importance-weighted: z ~ q(z|x)": m.measured["nll_curve"]}
    if "naive_curve" in m.measured:
        curves["naive: z ~ p(z)"] = m.measured["naive_curve"]
    return Drawn(
        plots.convergence(curves, exact=m.measured.get("exact_model_nll")),
        "How the estimate of `-log p(x)` falls with the number of draws; while "
        "it falls, more draws (`--num_samples`) tighten it.",
    )
