"""Whether an answer is what the signature promised, and parts of it joined."""

from collections.abc import Mapping, Sequence

import numpy as np

from export.client.errors import BadAnswer
from export.client.servable import Arrays, Signature


def checked_outputs(
    signature: Signature,
    outputs: Mapping[str, np.ndarray],
    num_rows: int | None,
) -> Arrays:
    """Returns the outputs of a signature, none left out and none added.

    Args:
      signature: that was called.
      outputs: by name.
      num_rows: of the request; None where the signature has no rows.

    Raises:
      BadAnswer: an output is missing, or has another dtype, shape or number
        of rows than was promised.
    """
    for name, tensor in signature.outputs.items():
        if name not in outputs:
            raise BadAnswer(f"the answer of `{signature.name}` has no {name!r}")
        array = outputs[name]
        if array.dtype != tensor.dtype:
            raise BadAnswer(
                f"`{name}` should be {tensor.dtype}; the answer has "
                f"{array.dtype}"
            )
        if not tensor.fits(array.shape):
            raise BadAnswer(
                f"`{name}` should be {tensor.shape_text()}; the answer has the "
                f"shape {list(array.shape)}"
            )
        if num_rows is not None and array.shape[:1] != (num_rows,):
            raise BadAnswer(
                f"`{name}` should have {num_rows} rows; the answer has the "
                f"shape {list(array.shape)}"
            )
    return {name: outputs[name] for name in signature.outputs}


def joined(parts: Sequence[Arrays]) -> Arrays:
    """Returns the answers to the parts of a request as one.

    Raises:
      BadAnswer: their rows differ in shape.
    """
    if len(parts) == 1:
        return parts[0]
    try:
        return {
            name: np.concatenate([part[name] for part in parts])
            for name in parts[0]
        }
    except ValueError as error:
        raise BadAnswer(f"the answers do not fit together: {error}") from error
