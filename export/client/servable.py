"""What a client knows of a served model: its signatures, and its card."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from export.c_api import DTYPES
from export.client.errors import BadAnswer
from export.protos import get_model_metadata_pb2, meta_graph_pb2, model_pb2
from tfvae.errors import InputError

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Tensor:
    """What a tensor of a signature is declared to be.

    Attributes:
      dtype: as numpy has it; object: strings of bytes.
      shape: None in it: any size; None: any shape.
    """

    dtype: np.dtype
    shape: tuple[int | None, ...] | None

    @property
    def is_batched(self) -> bool:
        """Whether the first dimension is free."""
        return self.shape is None or self.shape[:1] == (None,)

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of a shape may be this tensor."""
        if self.shape is None:
            return True
        return len(shape) == len(self.shape) and all(
            declared in (None, size)
            for declared, size in zip(self.shape, shape, strict=True)
        )

    def shape_text(self) -> str:
        """Returns the shape in words, as "[batch, 3]"."""
        if self.shape is None:
            return "of any shape"
        sizes = ["any" if size is None else str(size) for size in self.shape]
        if self.is_batched:
            sizes[0] = "batch"
        return f"[{', '.join(sizes)}]"


@dataclasses.dataclass(frozen=True)
class Signature:
    """One function of a servable.

    Attributes:
      name: of the signature.
      inputs: by name.
      outputs: by name.
    """

    name: str
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]

    @property
    def is_batched(self) -> bool:
        """Whether requests may be split, and their answers joined."""
        tensors = [*self.inputs.values(), *self.outputs.values()]
        return bool(self.inputs) and all(t.is_batched for t in tensors)


@dataclasses.dataclass(frozen=True)
class Servable:
    """What a server has told of one of its models.

    Attributes:
      name: of the model.
      signatures: by name.
      card: what `describe` answers; None: the servable has no such signature.
      version: that these are of; None: the server did not say.
    """

    name: str
    signatures: Mapping[str, Signature]
    card: Mapping[str, Any] | None = None
    version: int | None = None

    def signature(self, name: str) -> Signature:
        """Returns one of its signatures.

        Raises:
          InputError: it has none of that name.
        """
        if name not in self.signatures:
            known = ", ".join(sorted(self.signatures)) or "none"
            raise InputError(
                f"the servable `{self.name}` has no signature {name!r}; it "
                f"has {known}."
            )
        return self.signatures[name]


def read_signatures(
    found: get_model_metadata_pb2.SignatureDefMap,
) -> dict[str, Signature]:
    """Returns the signatures that metadata tell of.

    Inputs and outputs are in order of their names, since protocol buffers
    keep none. Signatures with tensors of which numpy has no type are left
    out, as the operation that sets a model up is.
    """
    return {
        name: Signature(
            name, _tensors(signature.inputs), _tensors(signature.outputs)
        )
        for name, signature in found.signature_def.items()
        if all(
            info.dtype in DTYPES
            for infos in (signature.inputs, signature.outputs)
            for info in infos.values()
        )
    }


def read_version(found: model_pb2.ModelSpec) -> int | None:
    """Returns the version that metadata are of; None: they do not say."""
    return found.version.value if found.HasField("version") else None


def read_card(text: bytes) -> dict[str, Any]:
    """Returns the card that `describe` answered with.

    Raises:
      BadAnswer: it is no JSON object, or lacks what a client needs.
    """
    try:
        card = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadAnswer(f"the card is not JSON: {error}") from error
    for name, is_good in CARD.items():
        if not isinstance(card, dict) or not is_good(card.get(name, "")):
            raise BadAnswer(f"the card has no {name} that can be used")
    return card


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and value >= 0


def _is_range(value: Any) -> bool:
    if value is None:
        return True
    return (
        isinstance(value, list)
        and [type(end) for end in value] == [float, float]
        and value[0] <= value[1]
    )


# What is read of a card, and whether a value can be used.
CARD: dict[str, Callable[[Any], bool]] = {
    "value_range": _is_range,
    "num_classes": _is_count,
    "max_batch_size": _is_count,
}


def _tensors(
    infos: Mapping[str, meta_graph_pb2.TensorInfo],
) -> dict[str, Tensor]:
    return {
        name: Tensor(np.dtype(DTYPES[info.dtype]), _shape(info))
        for name, info in sorted(infos.items())
    }


def _shape(info: meta_graph_pb2.TensorInfo) -> tuple[int | None, ...] | None:
    if info.tensor_shape.unknown_rank:
        return None
    sizes = (dim.size for dim in info.tensor_shape.dim)
    return tuple(None if size < 0 else size for size in sizes)
