"""Tiny models in plain numpy, by signature, and what is seen of their use."""

import json
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np

HEIGHT, WIDTH, LATENT, CLASSES, MOST = 3, 4, 2, 5, 4
IMAGE = (HEIGHT, WIDTH, 1)
RAMP = np.linspace(0.0, 1.0, HEIGHT * WIDTH, dtype=np.float32).reshape(IMAGE)
FLOAT, INT64, STRING, BOOL = "DT_FLOAT", "DT_INT64", "DT_STRING", "DT_BOOL"
NUMPY = {FLOAT: np.float32, INT64: np.int64, STRING: object, BOOL: np.bool_}
CARD = {
    "format_version": 1, "name": "toy", "dataset": "toys",
    "event_shape": list(IMAGE), "is_image": True, "latent_dim": LATENT,
    "value_range": [0.0, 1.0], "condition": "none", "num_classes": CLASSES,
    "prior": "standard_normal", "kl_per_dim": None, "latent_order": [0, 1],
    "max_batch_size": MOST,
}  # fmt: skip
Specs = dict[str, tuple[str, list[int]]]
Z: Specs = {"z": (FLOAT, [-1, LATENT])}
X: Specs = {"x": (FLOAT, [-1, *IMAGE])}
LABEL: Specs = {"label": (INT64, [-1])}
MASK: Specs = {
    "image": (FLOAT, [-1, *IMAGE]), "mask": (FLOAT, [-1, HEIGHT, WIDTH, 1])
}  # fmt: skip
SEED: Specs = {"seed": (INT64, [-1])}
PNG: Specs = {"png_bytes": (STRING, [-1])}


def image_of(z: np.ndarray) -> np.ndarray:
    """Returns what the toy decodes: [batch, 3, 4, 1], in [0, 1]."""
    weights = np.abs(np.tanh(z.sum(axis=1)))
    return weights[:, None, None, None].astype(np.float32) * RAMP


def code_of(seed: np.ndarray) -> np.ndarray:
    """Returns the toy's draw for each seed: [batch, 2]."""
    return np.stack([seed % 7, seed % 11], axis=1).astype(np.float32) / 10


def png_of(x: np.ndarray) -> np.ndarray:
    """Returns bytes that stand for each image; no text, and no PNG."""
    found = np.empty(len(x), object)
    found[:] = [b"\x89PNG\xff\x00" + each.tobytes() for each in x]
    return found


def _describe(row: np.ndarray) -> dict[str, np.ndarray]:
    cards = np.empty(len(row), object)
    cards.fill(json.dumps(CARD).encode())
    return {"card": cards}


def _echo(text: np.ndarray, number: np.ndarray, flag: np.ndarray) -> Any:
    return {"text_bytes": text, "number": number, "flag": flag}


# By signature: inputs, outputs, function.
Table = dict[str, tuple[Specs, Specs, Callable[..., dict[str, Any]]]]
DECODER: Table = {
    "decode": (Z, X, lambda z: {"x": image_of(z)}),
    "decode_png": (Z, PNG, lambda z: {"png_bytes": png_of(image_of(z))}),
    "sample": (
        SEED, {**Z, **X},
        lambda seed: {"z": code_of(seed), "x": image_of(code_of(seed))},
    ),
    "sample_png": (
        SEED, {**Z, **PNG},
        lambda seed: {
            "z": code_of(seed), "png_bytes": png_of(image_of(code_of(seed)))
        },
    ),
    "describe": ({"row": (INT64, [-1])}, {"card": (STRING, [-1])}, _describe),
    "echo": (
        {"text": (STRING, [-1]), "number": (INT64, [-1]), "flag": (BOOL, [-1])},
        {
            "text_bytes": (STRING, [-1]), "number": (INT64, [-1]),
            "flag": (BOOL, [-1]),
        },
        _echo,
    ),
    "total": (
        {"numbers": (FLOAT, [-1])}, {"sum": (FLOAT, [])},
        lambda numbers: {"sum": numbers.sum(dtype=np.float32)},
    ),
    "wide": (
        {"number": (INT64, [-1])}, {"x": (FLOAT, [-1, 512])},
        lambda number: {"x": np.tile(number[:, None], 512)},
    ),
    "holes": (
        Z, {"y": (FLOAT, [-1, LATENT])},
        lambda z: {"y": np.where(z > 0, np.float32("nan"), np.float32("inf"))},
    ),
}  # fmt: skip
VAE: Table = {
    "encode": (
        X, {"loc": (FLOAT, [-1, LATENT]), "scale": (FLOAT, [-1, LATENT])},
        lambda x: {"loc": x[:, 0, 1:3, 0], "scale": x[:, 2, :2, 0] + 1},
    ),
    "reconstruct": (X, X, lambda x: {"x": x[:, ::-1]}),
    "score": (
        {**X, **SEED},
        {name: (FLOAT, [-1]) for name in ("elbo", "log_likelihood", "kl")},
        lambda x, seed: {
            "elbo": x[:, 1, 1, 0] - code_of(seed)[:, 0],
            "log_likelihood": x[:, 1, 1, 0], "kl": code_of(seed)[:, 0],
        },
    ),
    "describe": DECODER["describe"],
}  # fmt: skip
CONDITIONAL: Table = {
    "decode": (
        {**Z, **LABEL}, X,
        lambda z, label: {"x": image_of(z) * (label / 10)[:, None, None, None]},
    ),
    "sample": (
        {**SEED, **LABEL}, {**Z, **X},
        lambda seed, label: {
            "z": code_of(seed),
            "x": image_of(code_of(seed)) + (label / 50)[:, None, None, None],
        },
    ),
    "describe": DECODER["describe"],
}  # fmt: skip
COMPLETING: Table = {
    "sample": (
        {**SEED, **MASK}, {**Z, **X},
        lambda seed, image, mask: {
            "z": code_of(seed), "x": image + (1 - mask) / 2
        },
    ),
    "describe": DECODER["describe"],
}  # fmt: skip
VECTORS: Table = {  # of somebody else: without a card
    "decode": (Z, {"x": (FLOAT, [-1, 6])}, lambda z: {"x": np.tile(z, 3)}),
    "encode": (
        {"x": (FLOAT, [-1, 6])}, {"loc": (FLOAT, [-1, LATENT])},
        lambda x: {"loc": x[:, :2]},
    ),
    "other": ({"thing": (FLOAT, [-1])}, {"y": (FLOAT, [-1])}, lambda thing: {}),
}  # fmt: skip


class Toy:
    """What the two servers serve, and what they saw.

    Attributes:
      models: tables of signatures, by name.
      states: (version, state, code, message) of each version.
      seen: (model, version or label, signature, rows) of each prediction.
      headers: of the last request.
      refusals: errors that the next predictions answer with, as (HTTP status,
        code of gRPC, words).
      before: is called before each prediction.
    """

    def __init__(self) -> None:
        self.models: dict[str, Table] = {
            "decoder": DECODER, "vae": VAE, "conditional": CONDITIONAL,
            "completing": COMPLETING, "vectors": VECTORS,
        }  # fmt: skip
        self.states = [(2, "AVAILABLE", 0, ""), (1, "END", 0, "")]
        self.seen: list[tuple[str, str, str, int]] = []
        self.metadata_seen: list[str] = []
        self.headers: dict[str, str] = {}
        self.refusals: list[tuple[int, grpc.StatusCode, str]] = []
        self.before: Callable[[], None] = lambda: None

    def call(
        self, model: str, version: str, name: str, inputs: dict[str, Any]
    ) -> tuple[Specs, dict[str, np.ndarray]]:
        """Returns the outputs' specs and values."""
        self.before()
        rows = max(
            np.size(value[:1]) and len(value) for value in inputs.values()
        )
        self.seen.append((model, version, name, rows))
        specs, outputs, function = self.models[model][name]
        arrays = {
            of: np.asarray(inputs[of], NUMPY[kind])
            for of, (kind, _) in specs.items()
        }
        found = function(**arrays)
        return outputs, {
            of: np.asarray(found[of], NUMPY[kind])
            for of, (kind, _) in outputs.items()
        }
