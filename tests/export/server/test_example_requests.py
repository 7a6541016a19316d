"""What Classify, Regress and MultiInference refuse."""

import pytest

from export.codes import Code
from export.protos import inference_pb2, meta_graph_pb2
from export.server import example_requests
from export.server.errors import ServingError
from export.server.example_requests import CLASSIFY, REGRESS
from export.server.servable import Servable

WRONG = Code.INVALID_ARGUMENT


def _servable(**signatures: tuple[str, str]) -> Servable:
    """Returns a model of signatures, each {name: (inputs, outputs)}."""
    graph = meta_graph_pb2.MetaGraphDef()
    for name, (inputs, outputs) in signatures.items():
        signature = graph.signature_def[name]
        for alias in inputs.split():
            signature.inputs[alias].name = f"{alias}:0"
        for alias in outputs.split():
            signature.outputs[alias].name = f"{alias}:0"
    return Servable("m", 1, "", graph, None)


MODEL = _servable(
    serving_default=("x", "y"),
    no_outputs=("inputs", ""),
    two_inputs=("inputs x", "classes"),
    two_outputs=("inputs", "x y"),
    three_outputs=("inputs", "classes scores y"),
    other_output=("inputs", "x"),
    classify=("inputs", "scores"),
    regress=("inputs", "outputs"),
)


@pytest.mark.parametrize(
    ("method", "signature_name", "code", "words"),
    [
        (CLASSIFY, "nope", WRONG, "No signature was found with the name: nope"),
        (CLASSIFY, "two_inputs", WRONG, "Expected one input Tensor."),
        (
            CLASSIFY, "three_outputs", WRONG,
            "Expected one or two output Tensors, found 3",
        ),
        (
            CLASSIFY, "no_outputs", WRONG,
            "Expected one or two output Tensors, found 0",
        ),
        (
            CLASSIFY, "", WRONG,
            'No classification inputs found in SignatureDef: inputs {\n  key: '
            '"x"',
        ),
        (
            CLASSIFY, "two_outputs", WRONG,
            "Expected classification signature outputs to contain at least "
            'one of "classes" or "scores". Signature was: inputs {',
        ),
        (
            CLASSIFY, "classify", Code.UNIMPLEMENTED,
            "the development server does not answer "
            "tensorflow/serving/classify; use Predict",
        ),
        (REGRESS, "two_outputs", WRONG, "Expected one output Tensor."),
        (
            REGRESS, "", WRONG,
            "No regression inputs found in SignatureDef: inputs {",
        ),
        (
            REGRESS, "other_output", WRONG,
            "No regression outputs found in SignatureDef: inputs {",
        ),
        (
            REGRESS, "regress", Code.UNIMPLEMENTED,
            "the development server does not answer "
            "tensorflow/serving/regress; use Predict",
        ),
    ],
)  # fmt: skip
def test_a_signature_is_refused(
    method: str, signature_name: str, code: Code, words: str
) -> None:
    with pytest.raises(ServingError) as caught:
        example_requests.refuse(
            MODEL, signature_name=signature_name, method=method
        )
    assert caught.value.code == code
    assert caught.value.message.startswith(words)


def _task(
    signature_name: str, method: str = CLASSIFY, *, name: str = "m"
) -> inference_pb2.InferenceTask:
    return inference_pb2.InferenceTask(
        model_spec={"name": name, "signature_name": signature_name},
        method_name=method,
    )


@pytest.mark.parametrize(
    ("tasks", "code", "words"),
    [
        (
            [_task("classify", name="")], WRONG,
            "Found ModelSpec with an empty model name.",
        ),
        (
            [_task("classify"), _task("regress", name="n")], WRONG,
            "All ModelSpecs in a MultiInferenceRequest must access the same "
            "model name.",
        ),
        (
            [_task("classify"), _task("classify")], WRONG,
            "Duplicate evaluation of signature: classify",
        ),
        (
            [_task("nope")], WRONG,
            "Requested signature not found in model graph: nope",
        ),
        (
            [_task("", "a/b")], Code.UNIMPLEMENTED,
            "Unsupported signature method_name: a/b",
        ),
        (
            [_task("classify"), _task("")], WRONG,
            "No classification inputs found in SignatureDef: ",
        ),
        (
            [_task("classify"), _task("regress", REGRESS)], Code.UNIMPLEMENTED,
            "the development server does not answer MultiInference",
        ),
    ],
)  # fmt: skip
def test_multi_inference_is_refused(
    tasks: list, code: Code, words: str
) -> None:
    with pytest.raises(ServingError) as caught:
        example_requests.refuse_all(MODEL, tasks)
    assert caught.value.code == code
    assert caught.value.message.startswith(words)
