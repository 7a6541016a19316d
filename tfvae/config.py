"""Config: every setting of a run, written once; no TensorFlow here.

Flags, `--help`, config.json and the table in README are made from it. What is
learned is Config; how it is launched (`flags.Launch`) is not.
"""

import dataclasses
import json
from typing import Any

from tfvae import settings
from tfvae.errors import InputError
from tfvae.settings import setting

LARGEST_LAYER = 2**16  # whatever is above would not fit into a machine
LARGEST_BATCH = 2**20
LARGEST_SIDE = 2**13  # of an image


@dataclasses.dataclass(frozen=True)
class Config:
    """Every setting of a run.

    Raises:
      InputError: a value is of the wrong type, out of bounds, or contradicts
        another.
    """

    dataset: str = setting(
        "digits",
        "digits, ring, pinwheel, linear_gaussian, density1d, sprites, any TFDS "
        "image set by its TFDS name (mnist, cifar10, ...), npz:PATH (x, or "
        "x_train and x_test; y is optional) or images:DIR (PNG and JPEG; "
        "sub-folders are labels)",
    )
    data_dir: str = setting(
        "", "where TFDS keeps prepared data; empty: its own", identity=False
    )
    image_size: int = setting(
        0, "side to which images are resized; 0: as they are", number=int,
        minimum=0, maximum=LARGEST_SIDE,
    )  # fmt: skip
    grayscale: bool = setting(
        False, "turn colour images into one channel", is_switch=True
    )
    binarize: str = setting(
        "none",
        "Bernoulli draws with the pixel as probability: static (drawn once) "
        "or dynamic (drawn anew each epoch)",
        words=("none", "static", "dynamic"),
    )
    dequantize: bool = setting(
        False,
        "add uniform noise to whole levels, x = (k + u) / levels, so that a "
        "density on 8-bit data is bounded",
        is_switch=True,
    )
    max_resident_mb: int = setting(
        1024,
        "data up to this size are held in memory, larger ones stream from disk",
        number=int, minimum=0,
    )  # fmt: skip
    model: str = setting(
        "vae",
        "ae: the deterministic autoencoder, a baseline",
        words=("vae", "ae"),
    )
    condition: str = setting(
        "none",
        "what the networks are told of each example: its class (label), or a "
        "part of the image (mask), which they complete",
        words=("none", "label", "mask"),
    )
    mask: str = setting(
        "mixed",
        "condition=mask: which pixels are seen; drawn anew for each image "
        "(mixed, halves, quadrants, blocks, scattered) or always the same",
        words=(
            "mixed", "halves", "quadrants", "blocks", "scattered", "left",
            "right", "top", "bottom", "quadrant", "two_quadrants",
            "three_quadrants", "border",
        ),
    )  # fmt: skip
    architecture: str = setting(
        "auto",
        "auto: conv for images of 16 pixels and more, else mlp",
        words=("auto", "mlp", "conv"),
    )
    hidden_units: str | tuple[int, ...] = setting(
        "auto",
        "units of each hidden dense layer of the encoder, mirrored in the "
        "decoder (conv: between the convolutions and the latents); none: no "
        "hidden layer; auto: 512,512 for mlp, 256 for conv",
        words=("auto",), number=int, minimum=1, maximum=LARGEST_LAYER,
        is_list=True,
    )  # fmt: skip
    filters: tuple[int, ...] = setting(
        (32, 64),
        "conv: filters of each layer; each halves height and width",
        number=int, minimum=1, maximum=LARGEST_LAYER, is_list=True,
    )  # fmt: skip
    activation: str = setting(
        "gelu",
        "between hidden layers",
        words=("relu", "elu", "gelu", "silu", "softplus", "tanh"),
    )
    latent_dim: int = setting(
        16, "dimensions of the latent z", number=int, minimum=1,
        maximum=LARGEST_LAYER,
    )  # fmt: skip
    likelihood: str = setting(
        "auto",
        "p(x|z); auto: bernoulli for binary data, else gaussian; "
        "discretized_*, categorical and quantized_gaussian give each level of "
        "8-bit data a probability",
        words=(
            "auto", "gaussian", "bernoulli", "continuous_bernoulli", "beta",
            "laplace", "student_t", "discretized_logistic",
            "discretized_logistic_mixture", "categorical", "quantized_gaussian",
        ),
    )  # fmt: skip
    C: str | float = setting(
        "auto",
        "weight of the reconstruction; gaussian: C = 1 / (2 c), c the noise "
        "variance: learned (a trainable scale), optimal (c = mean squared "
        "error, in closed form), per_pixel (the decoder gives a variance for "
        "each dimension) or a number; auto: optimal for gaussian, learned for "
        "quantized_gaussian, else 1",
        words=("auto", "learned", "optimal", "per_pixel"), number=float,
        minimum=1e-9, maximum=1e9,
    )  # fmt: skip
    beta: str | float = setting(
        "none",
        "weight of the KL where the likelihood is not gaussian: C = 1 / beta",
        words=("none",), number=float, minimum=1e-9, maximum=1e9,
    )  # fmt: skip
    kl_schedule: str = setting(
        "off",
        "KL warm-up: from 0 to 1 over the first EPOCHS (linear), or anew "
        "every EPOCHS, rising in the first half of each (cyclical)",
        words=("off",),
        pattern=r"(linear|cyclical):[1-9]\d{0,5}",
        pattern_text="linear:EPOCHS or cyclical:EPOCHS",
    )
    free_bits: str | float = setting(
        "off",
        "nats below which no latent dimension's KL is counted",
        words=("off",), number=float, above=0, maximum=1e6,
    )  # fmt: skip
    capacity: str = setting(
        "off",
        "nats to which the KL is led up, over the first EPOCHS or half of the "
        "run",
        words=("off",),
        pattern=r"\d{1,6}(\.\d+)?(:[1-9]\d{0,5})?",
        pattern_text="NATS or NATS:EPOCHS",
    )
    posterior: str = setting(
        "diag",
        "q(z|x): a normal with a diagonal or a full covariance (tril), or an "
        "inverse autoregressive flow",
        words=("diag", "tril", "iaf"),
    )
    prior: str = setting(
        "standard_normal",
        "p(z): fixed, or learned: a mixture of normals, a mixture of the "
        "posteriors of learned pseudo-inputs (vamp), a flow (realnvp)",
        words=("standard_normal", "mixture", "vamp", "realnvp"),
    )
    num_components: int = setting(
        50, "of the priors mixture and vamp", number=int, minimum=1,
        maximum=LARGEST_LAYER,
    )  # fmt: skip
    objective: str = setting(
        "elbo",
        "what is maximised: a bound on log p(x) (elbo; iwae, miwae, piwae and "
        "ciwae by importance weights), or the elbo with a penalty on the total "
        "correlation (beta_tc, factor), the covariance (dip: I, dip_ii) or the "
        "distance of the latents from the prior (mmd: InfoVAE)",
        words=(
            "elbo", "iwae", "miwae", "piwae", "ciwae", "beta_tc", "factor",
            "dip", "dip_ii", "mmd",
        ),
    )  # fmt: skip
    objective_weight: str | float = setting(
        "auto",
        "of the objective's own term; auto: beta_tc 6 and factor 10 (on the "
        "total correlation), dip 10 and dip_ii 1 (off the diagonal), mmd 10, "
        "ciwae 0.05 (of the elbo)",
        words=("auto",), number=float, minimum=0, maximum=1e6,
    )  # fmt: skip
    info_alpha: float = setting(
        0.0,
        "mmd: 1 - alpha weighs the KL; 1: none (a Wasserstein autoencoder)",
        number=float, minimum=0, maximum=1,
    )  # fmt: skip
    num_samples: str | int = setting(
        "auto",
        "draws of z for each example in training; auto: 1, but 5 for iwae and "
        "ciwae, 16 for miwae and piwae",
        words=("auto",), number=int, minimum=1, maximum=10000,
    )  # fmt: skip
    num_groups: int = setting(
        4,
        "miwae, piwae: groups into which the draws fall",
        number=int, minimum=1, maximum=10000,
    )  # fmt: skip
    epochs: int = setting(30, "passes over the data", number=int, minimum=1)
    batch_size: int = setting(
        128, "global: shared out over the replicas", number=int, minimum=1,
        maximum=LARGEST_BATCH,
    )  # fmt: skip
    optimizer: str = setting(
        "adam", "update rule", words=("adam", "rmsprop", "sgd")
    )
    learning_rate: float = setting(
        1e-3, "step size at the start", number=float, above=0, maximum=1e6
    )
    learning_rate_schedule: str = setting(
        "cosine",
        "constant, or cosine: falls to 0 over the run",
        words=("constant", "cosine"),
    )
    early_stopping: int = setting(
        0,
        "stop after this many epochs without a better val_elbo; 0: never",
        number=int, minimum=0,
    )  # fmt: skip
    seed: int = setting(
        0,
        "of initial weights, order and noise",
        number=int, minimum=0, maximum=2**32 - 1,
    )  # fmt: skip
    precision: str = setting(
        "float32",
        "of the hidden layers; losses and densities are always float32",
        words=("float32", "bfloat16", "float16"),
    )
    jit_compile: str = setting(
        "auto",
        "compile each step by XLA; auto: where it was measured to be faster",
        words=("auto", "on", "off"), identity=False,
    )  # fmt: skip
    steps_per_execution: str | int = setting(
        "auto",
        "steps run between two returns to Python",
        words=("auto",), number=int, minimum=1, identity=False,
    )  # fmt: skip

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = settings.check(field, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
        if self.beta != "none" and self.C != "auto":
            raise InputError(
                "`beta` and `C` are one setting (C = 1 / beta); give one."
            )
        for name in ("kl_schedule", "capacity"):
            warm_up = int(getattr(self, name).partition(":")[2] or 0)
            if warm_up > self.epochs:
                raise InputError(
                    f"`{name}` must end within the run: {warm_up} epochs "
                    f"of warm-up, but `epochs` is {self.epochs}."
                )

    def to_json(self) -> str:
        """Returns the settings as a JSON object, one a line."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    def differences(self, other: "Config") -> dict[str, tuple[Any, Any]]:
        """Returns {name: (own, other's)} for settings that define the run."""
        pairs = {
            field.name: (getattr(self, field.name), getattr(other, field.name))
            for field in dataclasses.fields(self)
            if settings.rule_of(field).identity
        }
        return {
            name: pair for name, pair in pairs.items() if pair[0] != pair[1]
        }


FIELDS = {field.name: field for field in dataclasses.fields(Config)}
