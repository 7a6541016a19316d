"""The calls of the REST interface: JSON in, JSON out."""

import json
from typing import Any, NoReturn

from google.protobuf import json_format

from export.codes import Code
from export.protos import meta_graph_pb2, model_pb2
from export.server import (
    example_requests,
    json_answer,
    json_echo,
    json_examples,
    json_tensors,
    json_text,
)
from export.server.address import Address
from export.server.errors import ServingError
from export.server.json_text import JsonObject
from export.server.manager import Manager
from export.server.metrics import Metrics
from export.server.predict import DEFAULT_SIGNATURE, predict
from export.server.servable import Servable

SIGNATURE, INSTANCES, INPUTS = "signature_name", "instances", "inputs"
EXAMPLES, CONTEXT = "examples", "context"
METHODS = {
    "classify": example_requests.CLASSIFY,
    "regress": example_requests.REGRESS,
}


def status(manager: Manager, address: Address) -> str:
    """Returns the states of a model's versions.

    A label does not narrow them down, known or not.

    Raises:
      ServingError: there is no such model or version.
    """
    _check_name(address)
    statuses = manager.statuses(address.model, version=address.version)
    found = [
        {
            "version": str(status.version),
            "state": status.state,
            "status": {
                "error_code": status.code.name,
                "error_message": status.message,
            },
        }
        for status in statuses
    ]
    return _print({"model_version_status": found})


def metadata(manager: Manager, address: Address) -> str:
    """Returns the signatures of a model.

    Raises:
      ServingError: it is not available.
    """
    _check_name(address)
    with _use(manager, address) as servable:
        spec = model_pb2.ModelSpec(name=servable.name)
        spec.version.value = servable.version
        signatures = {
            name: _signature(signature)
            for name, signature in servable.signatures.items()
        }
    return (
        f'{{\n"model_spec":{_print(_to_dict(spec))},\n"metadata": '
        f'{{"signature_def": {_print({"signature_def": signatures})}}}\n}}\n'
    )


def run_predict(
    manager: Manager, address: Address, body: bytes, *, metrics: Metrics
) -> str:
    """Returns a signature's answer to the inputs in a body.

    Raises:
      ServingError: the body is wrong, the model is not available, or it
        failed.
    """
    document = _read(body)
    name = _signature_name(document)
    with _use(manager, address) as servable:
        inputs = _inputs(servable, name)
        if INSTANCES in document:
            tensors = json_tensors.read_rows(_rows(document), inputs)
            write = json_answer.from_rows
        elif INPUTS in document:
            tensors = json_tensors.read_columns(document[INPUTS], inputs)
            write = json_answer.from_columns
        else:
            _invalid("Missing 'inputs' or 'instances' key")
        outputs = predict(
            servable, signature_name=name, inputs=tensors, metrics=metrics
        )
    return write(outputs)


def run_examples(manager: Manager, address: Address, body: bytes) -> NoReturn:
    """Refuses to classify or to regress, in the server's words.

    Raises:
      ServingError: always: the body is wrong, the model is not available, or
        its signatures are made to predict.
    """
    document = _read(body)
    name = _signature_name(document)
    if CONTEXT in document:
        json_examples.check(document[CONTEXT])
    if EXAMPLES not in document:
        _refuse(
            document,
            "When method is classify, key 'examples' is expected and was not "
            "found",
        )
    examples = document[EXAMPLES]
    if not isinstance(examples, list):
        _refuse(document, "Expecting 'examples' value to be an list/array")
    if not examples:
        _refuse(document, "'examples' value is an empty array")
    for example in examples:
        json_examples.check(example)
    with _use(manager, address) as servable:
        example_requests.refuse(
            servable, signature_name=name, method=METHODS[address.action]
        )


def _check_name(address: Address) -> None:
    if not address.model:
        _invalid("Missing model name in request.")


def _use(manager: Manager, address: Address) -> Any:
    return manager.use(
        address.model, version=address.version, label=address.label
    )


def _read(body: bytes) -> JsonObject:
    if not body:
        _invalid("JSON Parse error: The document is empty")
    try:
        document = json_text.read(body)
    except json_text.JsonError as error:
        _invalid(f"JSON Parse error: {error} at offset: {error.offset}")
    if not isinstance(document, JsonObject):
        _refuse(document, "Is not object")
    return document


def _signature_name(document: JsonObject) -> str:
    name = document.get(SIGNATURE, "")
    if not isinstance(name, str):
        _refuse(
            document,
            "not formatted correctly. 'signature_name' key must be a string "
            "value.",
        )
    return name


def _inputs(servable: Servable, name: str) -> json_tensors.Inputs:
    signature = servable.signatures.get(name or DEFAULT_SIGNATURE)
    if signature is None:
        _invalid(
            f'Serving signature name: "{name or DEFAULT_SIGNATURE}" not found '
            "in signature def"
        )
    if not signature.inputs:
        _invalid(f"Failed to get input map for signature: {name or 'DEFAULT'}")
    return signature.inputs


def _rows(document: JsonObject) -> list[Any]:
    if INPUTS in document:
        _refuse(
            document,
            "Not formatted correctly expecting only one of 'inputs' or "
            "'instances' keys to exist ",
        )
    rows = document[INSTANCES]
    if not isinstance(rows, list):
        _refuse(document, "Expecting 'instances' to be an list/array")
    if not rows:
        _refuse(document, "No values in 'instances' array")
    return rows


def _signature(signature: meta_graph_pb2.SignatureDef) -> dict[str, Any]:
    """Returns a signature for JSON, without its defaults."""
    kept = meta_graph_pb2.SignatureDef()
    kept.CopyFrom(signature)
    kept.defaults.clear()
    return _to_dict(kept)


def _to_dict(message: Any) -> dict[str, Any]:
    return json_format.MessageToDict(
        message,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
    )


def _print(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _refuse(value: Any, message: str) -> NoReturn:
    _invalid(f"JSON Value: {json_echo.to_text(value)} {message}")


def _invalid(message: str) -> NoReturn:
    raise ServingError(Code.INVALID_ARGUMENT, message)
