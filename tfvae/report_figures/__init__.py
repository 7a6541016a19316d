"""Which figures a report shows of a run, and why one is missing.

A figure is one entry of `FIGURES`: where it stands, what it needs, how it is
drawn.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tfvae.report_figures import drawers
from tfvae.report_figures.drawers import Draw, Drawn
from tfvae.report_figures.material import Material, gather
from tfvae.vae import VAE

__all__ = ["FIGURES", "Drawn", "Entry", "Material", "gather", "make_figures"]


class Need(NamedTuple):
    """What a figure cannot be drawn without.

    Attributes:
      holds: whether the run has it.
      otherwise: why the figure is missing; empty where nobody would miss it.
    """

    holds: Callable[[Material], bool]
    otherwise: str


class Entry(NamedTuple):
    """One figure of the report.

    Attributes:
      section: of the page.
      name: in words.
      alt: what is seen, for those who do not see it.
      needs: all of which must hold.
      draw: makes it.
    """

    section: str
    name: str
    alt: str
    needs: tuple[Need, ...]
    draw: Draw


def make_figures(material: Material) -> Iterator[tuple[Entry, Drawn | str]]:
    """Yields every entry with its figure, or with why there is none."""
    for entry in FIGURES:
        missing = [need for need in entry.needs if not need.holds(material)]
        if missing:
            yield entry, missing[0].otherwise
        else:
            yield entry, entry.draw(material)


def _with_others(name: str) -> Need:
    """It is one of the figures that every run gets."""
    return Need(lambda m: name in m.drawn, "")


PRIOR = Need(
    lambda m: isinstance(m.run.model, VAE), "an autoencoder has no prior"
)
IMAGES = Need(lambda m: m.run.spec.is_image, "the data are no images")
VECTORS = Need(lambda m: not m.run.spec.is_image, "")
EPOCHS = Need(lambda m: bool(m.rows), "no epoch is recorded")
PAIRS = Need(
    lambda m: len(drawers.pairs(m.examples)) > 0,
    "a path needs two test images (of a class, where the model is told it)",
)
PLANE = Need(
    lambda m: m.run.model.latent_dim > 1 and len(m.examples) > 1,
    "a map needs two latents and two examples",
)
CLOSED_FORM = Need(
    lambda m: m.kl_per_dim is not None,
    "the KL of a single latent has no closed form here",
)
GAUSSIAN = Need(
    lambda m: m.run.config.likelihood == "gaussian", "p(x|z) is not gaussian"
)
WHOLE_CODES = Need(
    lambda m: m.run.model.condition.name != "mask",
    "a code holds what is hidden of its own image alone",
)

FIGURES = (
    Entry(
        "Training",
        "curves",
        "Lines over the epochs: lower bound, log p(x|z), KL and C.",
        (_with_others("curves"),),
        drawers.drawn(
            "curves",
            "Means over the examples of an epoch; the validation set is not "
            "learned from.",
        ),
    ),
    Entry(
        "Training",
        "rate and distortion",
        "Points in the plane of rate and distortion, one for each of some "
        "epochs and one for the evaluated model.",
        (PRIOR, EPOCHS),
        drawers.rate_distortion,
    ),
    Entry(
        "Reconstruction",
        "reconstructed images",
        "Rows of test images, below each row their reconstructions.",
        (IMAGES,),
        drawers.drawn(
            "reconstructions",
            "Test images, below each the mean of `p(x|z)` at its mean code.",
        ),
    ),
    Entry(
        "Reconstruction",
        "errors by dimension",
        "The squared error of every pixel or feature.",
        (),
        drawers.error_map,
    ),
    Entry(
        "Reconstruction",
        "points in the plane",
        "Clouds of points: data, reconstructions, samples of the prior.",
        (VECTORS, _with_others("samples")),
        drawers.drawn(
            "samples",
            "Test points, and means of `p(x|z)` at their codes and (but for an "
            "autoencoder) at codes drawn from the prior.",
        ),
    ),
    Entry(
        "Generation",
        "sampled images",
        "Images that the decoder makes of codes drawn from the prior.",
        (IMAGES, PRIOR),
        drawers.samples,
    ),
    Entry(
        "Generation",
        "density",
        "A histogram of the data and the model's density.",
        (_with_others("density"),),
        drawers.drawn(
            "density",
            "The model's density, from codes drawn from the prior, over a "
            "histogram of the data.",
        ),
    ),
    Entry(
        "Generation",
        "interpolated images",
        "Rows of images that change step by step into another.",
        (IMAGES, WHOLE_CODES, PAIRS),
        drawers.interpolation,
    ),
    Entry(
        "Latent space",
        "map of the codes",
        "Test examples as points in the plane.",
        (PLANE,),
        drawers.latent_map,
    ),
    Entry(
        "Latent space",
        "KL of each latent",
        "Bars, one a latent, the largest KL first.",
        (PRIOR, CLOSED_FORM),
        drawers.kl_bars,
    ),
    Entry(
        "Latent space",
        "traversed latents",
        "Rows of images, a latent a row, its value rising to the right.",
        (IMAGES, PRIOR),
        drawers.traversals,
    ),
    Entry(
        "Latent space",
        "manifold",
        "A grid of decoded codes over the plane of both latents.",
        (_with_others("manifold"),),
        drawers.drawn(
            "manifold",
            "Codes over the quantiles of the prior, decoded: every cell is as "
            "probable as any other.",
        ),
    ),
    Entry(
        "Likelihood",
        "calibration",
        "A histogram of residuals below the density of N(0, 1).",
        (GAUSSIAN,),
        drawers.calibration,
    ),
    Entry(
        "Likelihood",
        "convergence of the estimate",
        "Lines of -log p(x) over the number of draws.",
        (PRIOR,),
        drawers.convergence,
    ),
)
