"""Small models written in numpy, for a server in the explorer's tests."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Row = dict[str, Any]
DTYPES = {
    "z": "DT_FLOAT", "x": "DT_FLOAT", "image": "DT_FLOAT", "mask": "DT_FLOAT",
    "loc": "DT_FLOAT", "scale": "DT_FLOAT", "seed": "DT_INT64",
    "label": "DT_INT64", "row": "DT_INT64", "card": "DT_STRING",
}  # fmt: skip
IMAGE, VECTOR = (6, 8, 1), (5,)
KL = (0.5, 3.0, 0.001, 1.25, 0.002, 2.0, 0.003, 0.004, 0.005, 0.0)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Returns 1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-x))


class Weights:
    """Fixed weights of one model.

    Args:
      latent_dim: of z.
      event_shape: of x.
      num_classes: 0: no label.
    """

    def __init__(
        self, latent_dim: int, event_shape: tuple[int, ...], num_classes: int
    ) -> None:
        draw = np.random.RandomState(latent_dim)
        size = int(np.prod(event_shape))
        self.latent_dim, self.event_shape = latent_dim, event_shape
        self.num_classes = num_classes
        self.decoder = draw.normal(size=(latent_dim, size))
        self.classes = draw.normal(size=(num_classes, size))
        self.encoder = draw.normal(size=(size, latent_dim))

    def decode(self, row: Row) -> np.ndarray:
        """Returns x of one row; a seen part stays as it is."""
        logits = np.array(row["z"]) @ self.decoder
        if row.get("label", self.num_classes) < self.num_classes:
            logits += self.classes[row["label"]]
        x = sigmoid(logits).reshape(self.event_shape)
        if "mask" not in row:
            return x
        mask, image = np.array(row["mask"]), np.array(row["image"])
        return np.where(mask > 0.5, image, x)

    def encode(self, row: Row) -> np.ndarray:
        """Returns loc of one row."""
        return np.array(row["x"]).reshape(-1) @ self.encoder / 10

    def sample(self, row: Row) -> np.ndarray:
        """Returns z of one row, which its seed alone decides."""
        draw = np.random.RandomState(row["seed"])
        return draw.normal(size=self.latent_dim)


@dataclasses.dataclass
class Model:
    """Signatures by name: inputs, outputs, and the function of one row."""

    weights: Weights
    signatures: dict[str, tuple[tuple[str, ...], Callable[[Row], Row]]]
    outputs: dict[str, tuple[str, ...]]


def model(
    weights: Weights,
    *,
    card: Mapping[str, Any] | None = None,
    condition: tuple[str, ...] = (),
    has_encoder: bool = True,
) -> Model:
    """Returns a model; `card` None: one that does not describe itself."""

    def sample(row: Row) -> Row:
        z = weights.sample(row)
        return {"z": z, "x": weights.decode({**row, "z": z})}

    def reconstruct(row: Row) -> Row:
        return {"x": weights.decode({**row, "z": weights.encode(row)})}

    def encode(row: Row) -> Row:
        return {"loc": weights.encode(row), "scale": weights.encode(row) ** 2}

    signatures: dict[str, Any] = {
        "decode": (("z", *condition), lambda row: {"x": weights.decode(row)}),
        "sample": (("seed", *condition), sample),
    }
    outputs = {"decode": ("x",), "sample": ("z", "x")}
    if has_encoder:
        signatures["encode"] = (("x", *condition), encode)
        signatures["reconstruct"] = (("x", *condition), reconstruct)
        outputs |= {"encode": ("loc", "scale"), "reconstruct": ("x",)}
    if card is not None:
        text = json.dumps(card)
        signatures["describe"] = (("row",), lambda row: {"card": text})
        outputs["describe"] = ("card",)
    return Model(weights, signatures, outputs)


def card_of(weights: Weights, **changes: Any) -> dict[str, Any]:
    """Returns the card of a model with these weights."""
    order = range(weights.latent_dim)
    return {
        "format_version": 1, "name": "toy", "dataset": "toy",
        "event_shape": list(weights.event_shape),
        "is_image": len(weights.event_shape) == 3,
        "latent_dim": weights.latent_dim, "value_range": [0.0, 1.0],
        "condition": "none", "num_classes": weights.num_classes,
        "prior": "standard_normal", "kl_per_dim": None,
        "latent_order": list(order), "max_batch_size": 64, **changes,
    }  # fmt: skip


def models() -> dict[str, Model]:
    """Returns {name: model}, one of each kind that the explorer knows."""
    plain, classes = Weights(10, IMAGE, 0), Weights(3, IMAGE, 4)
    vector = Weights(2, VECTOR, 0)
    order = sorted(range(10), key=lambda index: -KL[index])
    by_kl = card_of(plain, kl_per_dim=KL, latent_order=order)
    return {
        "vae": model(plain, card=by_kl),
        "bare": model(classes, condition=("label",), has_encoder=False),
        "cvae": model(
            classes, card=card_of(classes, condition="label"),
            condition=("label",),
        ),
        "mask": model(
            plain, card=card_of(plain, condition="mask", max_batch_size=5),
            condition=("image", "mask"),
        ),
        "vector": model(vector, card=card_of(vector, value_range=None)),
    }  # fmt: skip


def metadata(asked: Model) -> Row:
    """Returns what the server says of a model's signatures."""
    shapes = {
        "z": (asked.weights.latent_dim,),
        "x": asked.weights.event_shape,
        "image": asked.weights.event_shape,
        "mask": (*asked.weights.event_shape[:2], 1),
        "loc": (asked.weights.latent_dim,),
        "scale": (asked.weights.latent_dim,),
    }

    def tensors(names: tuple[str, ...]) -> Row:
        return {
            name: {
                "dtype": DTYPES[name],
                "tensor_shape": {
                    "dim": [
                        {"size": str(size), "name": ""}
                        for size in (-1, *shapes.get(name, ()))
                    ]
                },
            }
            for name in names
        }

    table = {
        name: {
            "inputs": tensors(inputs),
            "outputs": tensors(asked.outputs[name]),
        }
        for name, (inputs, _) in asked.signatures.items()
    }
    return {"metadata": {"signature_def": {"signature_def": table}}}
