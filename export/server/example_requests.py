"""Classify, Regress and MultiInference: what they refuse.

They take tensorflow.Example messages, and signatures made for these. A model
of arrays has none, so all that is left of them here is what is refused; the
development server refuses the others as well, and says so.
"""

import dataclasses
from collections.abc import Iterable
from typing import NoReturn

from export.codes import Code
from export.protos import inference_pb2, meta_graph_pb2
from export.server.errors import ServingError
from export.server.predict import DEFAULT_SIGNATURE
from export.server.servable import Servable


@dataclasses.dataclass(frozen=True)
class Method:
    """What a signature of Examples must have.

    Attributes:
      kind: in the words of the messages.
      outputs: any of them will do.
      most_outputs: it may have.
      wrong_count: the message where it has more, or none.
      wrong_outputs: the message where `outputs` are missing.
    """

    kind: str
    outputs: tuple[str, ...]
    most_outputs: int
    wrong_count: str
    wrong_outputs: str


CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"
METHODS = {
    CLASSIFY: Method(
        kind="classification",
        outputs=("classes", "scores"),
        most_outputs=2,
        wrong_count="Expected one or two output Tensors, found {count}",
        wrong_outputs="Expected classification signature outputs to contain "
        'at least one of "classes" or "scores". Signature was: ',
    ),
    REGRESS: Method(
        kind="regression",
        outputs=("outputs",),
        most_outputs=1,
        wrong_count="Expected one output Tensor.",
        wrong_outputs="No regression outputs found in SignatureDef: ",
    ),
}
INPUT = "inputs"


def refuse(servable: Servable, *, signature_name: str, method: str) -> NoReturn:
    """Refuses to classify or to regress.

    Args:
      servable: a loaded version.
      signature_name: "" is `serving_default`.
      method: `CLASSIFY` or `REGRESS`.

    Raises:
      ServingError: always.
    """
    name = signature_name or DEFAULT_SIGNATURE
    if name not in servable.signatures:
        raise _wrong(f"No signature was found with the name: {name}")
    _check(servable.signatures[name], method=METHODS[method])
    raise _not_here(method)


def refuse_all(
    servable: Servable, tasks: Iterable[inference_pb2.InferenceTask]
) -> NoReturn:
    """Refuses a MultiInference request.

    Args:
      servable: a loaded version.
      tasks: at least one.

    Raises:
      ServingError: always.
    """
    models, done = set(), set()
    for task in tasks:
        if not task.model_spec.name:
            raise _wrong("Found ModelSpec with an empty model name.")
        models.add(task.model_spec.name)
        if len(models) > 1:
            raise _wrong(
                "All ModelSpecs in a MultiInferenceRequest must access the "
                "same model name."
            )
        name = task.model_spec.signature_name or DEFAULT_SIGNATURE
        if name in done:
            raise _wrong(f"Duplicate evaluation of signature: {name}")
        done.add(name)
        if name not in servable.signatures:
            raise _wrong(
                f"Requested signature not found in model graph: {name}"
            )
        if task.method_name not in METHODS:
            raise ServingError(
                Code.UNIMPLEMENTED,
                f"Unsupported signature method_name: {task.method_name}",
            )
        _check(servable.signatures[name], method=METHODS[task.method_name])
    raise _not_here("MultiInference")


def _check(signature: meta_graph_pb2.SignatureDef, *, method: Method) -> None:
    """Refuses a signature that does not take Examples."""
    if len(signature.inputs) != 1:
        raise _wrong("Expected one input Tensor.")
    count = len(signature.outputs)
    if not 1 <= count <= method.most_outputs:
        raise _wrong(method.wrong_count.format(count=count))
    if INPUT not in signature.inputs:
        raise _wrong(
            f"No {method.kind} inputs found in SignatureDef: {signature}"
        )
    if not any(name in signature.outputs for name in method.outputs):
        raise _wrong(f"{method.wrong_outputs}{signature}")


def _wrong(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)


def _not_here(method: str) -> ServingError:
    return ServingError(
        Code.UNIMPLEMENTED,
        f"the development server does not answer {method}; use Predict",
    )
