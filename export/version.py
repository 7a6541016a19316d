"""One version of one servable: written to a folder, and verified there."""

import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from export import card as card_lib
from export import graph_checks, integrity, parity, trial_run, warmup
from export.batching import FILE as BATCHING_FILE
from export.batching import BatchingParameters
from export.protos import types_pb2
from export.signatures import Servable
from tfvae import storage
from tfvae.errors import FailedError
from tfvae.examples import Examples
from tfvae.folder import Folder
from tfvae.run_dir import Run

MAX_BATCH_SIZE = 64  # more rows in one request are refused
PARAMETERS = BatchingParameters(
    max_batch_size=MAX_BATCH_SIZE,
    batch_timeout_micros=0,  # what waits is joined; nothing waits to be joined
    max_enqueued_batches=1000,
    allowed_batch_sizes=(1, 4, 16, MAX_BATCH_SIZE),
)


@dataclasses.dataclass(frozen=True)
class Report:
    """What was written and found.

    Attributes:
      weights_bytes: of the variables.
      total_bytes: of all files of the version.
      num_operations: of the graph and its functions.
      num_warmup_records: all of which were run.
      differences: {signature: the largest difference to the run}.
    """

    weights_bytes: int
    total_bytes: int
    num_operations: int
    num_warmup_records: int
    differences: dict[str, float]


def write_version(
    folder: str,
    run: Run,
    part: str,
    *,
    card: dict[str, Any],
    examples: Examples,
    tune: Callable[[str], BatchingParameters] | None = None,
) -> Report:
    """Writes a version of a servable and verifies it.

    Args:
      folder: to write in; empty.
      run: trained.
      part: "decoder" or "vae".
      card: what it says of itself.
      examples: held-out, with which the saved model is compared with the run.
      tune: from the folder of a verified version to how requests to it are to
        be joined; None: as `PARAMETERS` say.

    Raises:
      FailedError: it is not what it should be.
      OSError: it cannot be written.
    """
    text = card_lib.to_text(card)
    servable = Servable(run.model, run.spec, part=part, card=text)
    with storage.os_errors(folder):
        servable.save(folder)
    # Before all checks, so that what these read is what the sums are of.
    files = integrity.sums(folder)
    num_records = _write_batching(folder, part, servable, PARAMETERS)
    graph = graph_checks.read_meta_graph(os.path.join(folder, "saved_model.pb"))
    num_operations = graph_checks.check_operations(graph)
    signatures = graph_checks.signatures_of(graph)
    graph_checks.check_signatures(signatures, servable.signatures)
    check_weights(folder, servable.variables)
    inputs = parity.make_inputs(
        servable.inputs, examples, latent_dim=run.config.latent_dim
    )
    differences = parity.check(
        folder, part, inputs, parity.Expected(run.model, text)
    )
    if tune is not None:
        num_records = _write_batching(folder, part, servable, tune(folder))
        trial_run.run(folder, [])
    manifest = _manifest(run, servable, signatures, differences)
    Folder(folder).write_json(
        integrity.MANIFEST,
        {"part": part, "card": card, "files": files} | manifest,
    )
    return Report(
        weights_bytes=sum(v.numpy().nbytes for v in servable.variables),
        total_bytes=_size(folder),
        num_operations=num_operations,
        num_warmup_records=num_records,
        differences=differences,
    )


def _write_batching(
    folder: str, part: str, servable: Servable, parameters: BatchingParameters
) -> int:
    """Writes how requests are joined, and warms the batch sizes that follow.

    Returns:
      num_records: of the warm-up file.
    """
    text = parameters.text().encode()
    Folder(folder).write(BATCHING_FILE, lambda file: file.write(text))
    records = list(
        warmup.requests(
            servable.inputs,
            model=part,
            batch_sizes=parameters.allowed_batch_sizes or (1, MAX_BATCH_SIZE),
        )
    )
    with storage.os_errors(folder):
        warmup.write(os.path.join(folder, warmup.FILE), records)
    return len(records)


def _manifest(
    run: Run,
    servable: Servable,
    signatures: graph_checks.Signatures,
    differences: dict[str, float],
) -> dict[str, Any]:
    """Returns where a version came from and what was found."""
    return {
        "format_version": card_lib.FORMAT_VERSION,
        "config": dataclasses.asdict(run.config),
        "signatures": {
            name: _described(signature)
            for name, signature in sorted(signatures.items())
        },
        "weights_sha256": weights_sha256(servable.variables),
        "num_weights": _num_weights(servable.variables),
        "versions": _versions(),
        "parity": {"tolerance": parity.TOLERANCE, "differences": differences},
    }


def check_weights(folder: str, variables: Sequence[tf.Variable]) -> None:
    """Checks that the saved weights are those of the model, and no more.

    Args:
      folder: of the SavedModel.
      variables: that it should hold.

    Raises:
      FailedError: others are saved, as an optimizer's slots would be.
    """
    reader = tf.train.load_checkpoint(
        os.path.join(folder, "variables", "variables")
    )
    saved = sum(
        int(np.prod(shape))
        for name, shape in reader.get_variable_to_shape_map().items()
        if name.endswith("VARIABLE_VALUE")
    )
    expected = _num_weights(variables)
    if saved != expected:
        raise FailedError(
            f"{saved:,} weights were saved, not the model's {expected:,}; it "
            "was not published."
        )


def weights_sha256(variables: Sequence[tf.Variable]) -> str:
    """Returns the hash of all weights, in their order: shapes and bytes."""
    digest = hashlib.sha256()
    for variable in variables:
        digest.update(json.dumps(variable.shape.as_list()).encode())
        digest.update(np.ascontiguousarray(variable.numpy()).tobytes())
    return digest.hexdigest()


def _num_weights(variables: Sequence[tf.Variable]) -> int:
    return sum(int(v.shape.num_elements()) for v in variables)


def _described(signature: Any) -> dict[str, Any]:
    """Returns {"inputs": {name: {"dtype", "shape"}}, "outputs": ...}."""
    return {
        side: {
            name: {
                "dtype": types_pb2.DataType.Name(tensor.dtype),
                "shape": [dim.size for dim in tensor.tensor_shape.dim],
            }
            for name, tensor in sorted(getattr(signature, side).items())
        }
        for side in ("inputs", "outputs")
    }


def _versions() -> dict[str, str]:
    import tfvae

    return {
        "tfvae": tfvae.__version__,
        "tensorflow": tf.__version__,
        "python": sys.version.split()[0],
    }


def _size(folder: str) -> int:
    return sum(
        os.path.getsize(os.path.join(directory, name))
        for directory, _, names in os.walk(folder)
        for name in names
    )
