"""The numbers of evaluation.json, in words and units."""

from typing import Any

from tfvae import page

NATS, BITS = "nats", "bits"
# By key; a dot leads into a part. {unit, what it is}, in the table's order.
MEANINGS = {
    "nll": (NATS, "bound on -log p(x) by importance weights; lower is better"),
    "nll_draws_stderr": (
        NATS,
        "the part of its standard error that draws make",
    ),
    "exact_nll": (NATS, "-log p(x) of the data's own density"),
    "exact_model_nll": (NATS, "-log p(x) of this model, in closed form"),
    "bits_per_dim": (BITS, "nll of a dimension, on the scale of whole levels"),
    "elbo": (NATS, "lower bound on log p(x): -distortion_nats - rate"),
    "distortion_nats": (NATS, "-log p(x|z) at z drawn from q(z|x)"),
    "rate": (NATS, "KL of q(z|x) from p(z): what the code costs"),
    "mutual_information": (NATS, "part of the rate that tells examples apart"),
    "mutual_information_bound": (NATS, "the most that it can be: log examples"),
    "aggregate_kl": (NATS, "the rest: KL of q(z), over all x, from p(z)"),
    "C": ("", "weight of the reconstruction; gaussian: 1 / (2 c)"),
    "mse": ("", "squared error of the reconstruction, mean over dimensions"),
    "hidden_mse": ("", "the same, of hidden pixels alone"),
    "hidden_share": ("", "share of the pixels that are hidden"),
    "pca_mse": ("", "mse of PCA with as many components"),
    "pca_hidden_mse": ("", "hidden_mse of PCA, which expects what is hidden"),
    "ae_mse": ("", "mse of an autoencoder of the same networks"),
    "active_units": ("", "latents whose mean code varies by more than 0.01"),
    "regularity.continuity": (
        "",
        "energy of decoded straight paths over that of straight decoded "
        "paths; 1 at best",
    ),
    "regularity.completeness": (
        "",
        "share of draws of the prior that decode to something typical",
    ),
    "regularity.recall": ("", "share of the examples that such draws cover"),
    "ae_regularity.continuity": ("", "of the autoencoder"),
    "ae_regularity.completeness": ("", "of the autoencoder"),
    "ae_regularity.recall": ("", "of the autoencoder"),
    "disentanglement.mig": ("", "mutual information gap"),
    "disentanglement.sap": ("", "separated attribute predictability"),
    "disentanglement.dci_disentanglement": ("", "one factor a latent"),
    "disentanglement.dci_completeness": ("", "one latent a factor"),
    "disentanglement.dci_informativeness": ("", "factors told by the code"),
    "disentanglement.factor_vae": ("", "fixed factors told by variances"),
}
# Said above the table, or beside another number.
ELSEWHERE = (
    "nll_stderr", "num_samples", "num_examples", "naive_num_examples", "seed",
)  # fmt: skip
# Name, key, and what is said below it.
CARDS = (
    ("-log p(x)", "nll", "± {nll_stderr:.2g} nats, {num_samples:,} draws"),
    ("bits per dimension", "bits_per_dim", "on whole levels"),
    ("elbo", "elbo", "nats"),
    ("rate", "rate", "nats of KL"),
    ("squared error", "mse", "mean over dimensions"),
    ("hidden pixels", "hidden_mse", "their squared error"),
)


def number(value: float) -> str:
    """Returns a number as the page shows it: five digits, or all of a count."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.5g}"


def table(measured: dict[str, Any]) -> page.Table:
    """Returns every number with its unit and its meaning.

    Args:
      measured: what evaluation.json holds.
    """
    numbers = {k: v for k, v in _flat(measured).items() if k not in ELSEWHERE}
    order = [key for key in MEANINGS if key in numbers]
    order += [key for key in numbers if key not in MEANINGS]
    rows = []
    for key in order:
        shown = number(numbers[key])
        if key == "nll":
            shown += f" ± {measured['nll_stderr']:.2g}"
        rows.append((key, shown, *MEANINGS.get(key, ("", ""))))
    return page.Table(
        _protocol(measured), ("figure", "value", "unit", "what it is"),
        tuple(rows), numbers=(1,),
    )  # fmt: skip


def cards(measured: dict[str, Any], *, latent_dim: int) -> list[page.Card]:
    """Returns the key figures.

    Args:
      measured: what evaluation.json holds.
      latent_dim: of the model.
    """
    shown = [
        page.Card(name, f"{measured[key]:.4g}", note.format(**measured))
        for name, key, note in CARDS
        if key in measured
    ]
    active = f"{measured['active_units']} of {latent_dim}"
    return [*shown, page.Card("latents in use", active, "active units")]


def _protocol(measured: dict[str, Any]) -> str:
    draws = (
        f"; nll by {measured['num_samples']:,} draws of each"
        if "nll" in measured
        else ""
    )
    mask = f", mask {measured['mask']}" if measured.get("mask") else ""
    return (
        f"Means over {measured['num_examples']:,} examples of the "
        f"{measured['split']} set{mask}, the {measured['weights']} weights"
        f"{draws}"
    )


def _flat(measured: dict[str, Any]) -> dict[str, float]:
    """Returns all numbers, those of a part by "part.name"."""
    parts = {
        f"{part}.{name}": value
        for part, values in measured.items()
        if isinstance(values, dict) and not part.endswith("_curve")
        for name, value in values.items()
    }
    return {
        name: value
        for name, value in {**measured, **parts}.items()
        if isinstance(value, int | float)
    }
