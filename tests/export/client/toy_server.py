"""A tiny model behind real sockets, over REST and over gRPC, in plain numpy.

The JSON is written by hand as the recorded answers have it, so that the
client is not its own reference.
"""

import base64
import concurrent.futures
import contextlib
import http.server
import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np

from export.protos import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

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


@contextlib.contextmanager
def rest(toy: Toy, *, port: int = 0) -> Iterator[str]:
    """Yields the URL at which a toy is served over REST."""

    class Handler(_RestHandler):
        served = toy

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", port), Handler
    ) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class _RestHandler(http.server.BaseHTTPRequestHandler):
    served: Toy
    protocol_version = "HTTP/1.1"
    # Headers and body in one packet; else each answer waits 40 milliseconds.
    wbufsize = -1

    def log_message(self, *_: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        self.served.headers = dict(self.headers)
        model, _ = self._model(self.path.removesuffix("/metadata"))
        if model not in self.served.models:
            self._answer(404, {"error": f"no {model}"})
        elif self.path.endswith("/metadata"):
            self.served.metadata_seen.append(model)
            self._answer(200, _metadata(model, self.served.models[model]))
        else:
            self._answer(200, {"model_version_status": _states(self.served)})

    def do_POST(self) -> None:
        toy = self.served
        toy.headers = dict(self.headers)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if toy.refusals:
            status, _, words = toy.refusals.pop(0)
            self._answer(status, {"error": words})
            return
        asked = json.loads(body)
        model, version = self._model(self.path.removesuffix(":predict"))
        rows = asked.get("instances")
        inputs = asked.get("inputs")
        if rows is not None:
            inputs = {name: [row[name] for row in rows] for name in rows[0]}
        decoded = {name: _from_json(value) for name, value in inputs.items()}
        specs, found = toy.call(
            model, version, asked["signature_name"], decoded
        )
        columns = {of: _to_json(of, found[of]) for of in specs}
        if rows is None:
            self._answer(200, {"outputs": _unnamed(columns)})
            return
        listed = zip(*columns.values(), strict=True)
        answers = [dict(zip(columns, row, strict=True)) for row in listed]
        self._answer(200, {"predictions": [_unnamed(row) for row in answers]})

    def _model(self, path: str) -> tuple[str, str]:
        """Returns the names in a path, which are escaped there."""
        assert ":" not in path
        parts = [urllib.parse.unquote(part) for part in path.split("/")[3:]]
        return parts[0], "/".join(parts[1:])

    def _answer(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _unnamed(columns: dict[str, Any]) -> Any:
    return columns if len(columns) > 1 else next(iter(columns.values()))


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_json(part) for part in value]
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value


def _to_json(name: str, array: np.ndarray) -> Any:
    if array.dtype != object:
        return array.tolist()
    if name.endswith("_bytes"):
        return [{"b64": base64.b64encode(each).decode()} for each in array]
    return [each.decode() for each in array]


def _metadata(model: str, table: Table) -> dict[str, Any]:
    def infos(specs: Specs) -> dict[str, Any]:
        return {
            name: {
                "dtype": kind, "name": f"{name}:0",
                "tensor_shape": {
                    "dim": [{"size": str(n), "name": ""} for n in shape],
                    "unknown_rank": False,
                },
            }
            for name, (kind, shape) in specs.items()
        }  # fmt: skip

    signatures: dict[str, Any] = {
        name: {
            "inputs": infos(inputs), "outputs": infos(outputs),
            "method_name": "tensorflow/serving/predict", "defaults": {},
        }
        for name, (inputs, outputs, _) in table.items()
    }  # fmt: skip
    signatures["__saved_model_init_op"] = {
        "inputs": {}, "method_name": "", "defaults": {},
        "outputs": {
            "__saved_model_init_op": {
                "name": "NoOp", "dtype": "DT_INVALID",
                "tensor_shape": {"dim": [], "unknown_rank": True},
            }
        },
    }  # fmt: skip
    spec = {"name": model, "version": "2", "signature_name": ""}
    defs = {"signature_def": {"signature_def": signatures}}
    return {"model_spec": spec, "metadata": defs}


CODE_NAMES = {0: "OK", 5: "NOT_FOUND", 9: "FAILED_PRECONDITION"}


def _states(toy: Toy) -> list[dict[str, Any]]:
    return [
        {
            "version": str(version), "state": state,
            "status": {
                "error_code": CODE_NAMES[code], "error_message": message
            },
        }
        for version, state, code, message in toy.states
    ]  # fmt: skip


class _Service(
    prediction_service_pb2_grpc.PredictionServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
):
    def __init__(self, toy: Toy) -> None:
        self.toy = toy

    def Predict(self, request: Any, context: Any) -> Any:
        self._look(context)
        if self.toy.refusals:
            _, code, words = self.toy.refusals.pop(0)
            context.abort(code, words)
        spec = request.model_spec
        inputs = {
            name: _from_proto(proto) for name, proto in request.inputs.items()
        }
        version = {"version": f"versions/{spec.version.value}"}.get(
            spec.WhichOneof("version_choice") or "",
            f"labels/{spec.version_label}" if spec.version_label else "",
        )
        _, found = self.toy.call(
            spec.name, version, spec.signature_name, inputs
        )
        response = predict_pb2.PredictResponse()
        for name, array in found.items():
            _fill(response.outputs[name], array)
        return response

    def GetModelMetadata(self, request: Any, context: Any) -> Any:
        self._look(context)
        assert list(request.metadata_field) == ["signature_def"]
        name = request.model_spec.name
        if name not in self.toy.models:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no {name}")
        self.toy.metadata_seen.append(name)
        found = get_model_metadata_pb2.SignatureDefMap()
        for signature, (inputs, outputs, _) in self.toy.models[name].items():
            made = found.signature_def[signature]
            for specs, infos in (
                (inputs, made.inputs), (outputs, made.outputs)
            ):  # fmt: skip
                for of, (kind, shape) in specs.items():
                    infos[of].dtype = {FLOAT: 1, INT64: 9, STRING: 7, BOOL: 10}[
                        kind
                    ]
                    for size in shape:
                        infos[of].tensor_shape.dim.add(size=size)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.metadata["signature_def"].Pack(found)
        return response

    def GetModelStatus(self, request: Any, context: Any) -> Any:
        self._look(context)
        if request.model_spec.name not in self.toy.models:
            context.abort(
                grpc.StatusCode.NOT_FOUND, f"no {request.model_spec.name}"
            )
        response = get_model_status_pb2.GetModelStatusResponse()
        for version, state, code, message in self.toy.states:
            one = response.model_version_status.add(version=version)
            one.state = get_model_status_pb2.ModelVersionStatus.State.Value(
                state
            )
            one.status.error_code = code
            one.status.error_message = message
        return response

    def _look(self, context: Any) -> None:
        self.toy.headers = dict(context.invocation_metadata())


def _from_proto(proto: Any) -> np.ndarray:
    shape = [dim.size for dim in proto.tensor_shape.dim]
    if proto.dtype == 7:
        array = np.empty(shape[0], object)
        array[:] = list(proto.string_val) or _pieces(proto.tensor_content)
        return array
    dtype = {1: np.float32, 9: np.int64, 10: np.bool_}[proto.dtype]
    return np.frombuffer(proto.tensor_content, dtype).reshape(shape)


def _pieces(content: bytes) -> list[bytes]:
    """Returns strings of fewer than 128 bytes each, after their lengths."""
    for count in range(1, len(content)):
        lengths = list(content[:count])
        if count + sum(lengths) == len(content):
            found, place = [], count
            for length in lengths:
                found.append(content[place : place + length])
                place += length
            return found
    return [b""]


def _fill(proto: Any, array: np.ndarray) -> None:
    number, field = {
        "f": (1, "float_val"), "i": (9, "int64_val"), "O": (7, "string_val"),
        "b": (10, "bool_val"),
    }[array.dtype.kind]  # fmt: skip
    proto.dtype = number
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    getattr(proto, field).extend(array.reshape(-1).tolist())


@contextlib.contextmanager
def over_grpc(toy: Toy, *, port: int = 0) -> Iterator[str]:
    """Yields the URL at which a toy is served over gRPC."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        server = grpc.server(
            pool, options=[("grpc.max_send_message_length", -1)]
        )
        service = _Service(toy)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            service, server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            service, server
        )
        port = server.add_insecure_port(f"127.0.0.1:{port}")
        server.start()
        try:
            yield f"grpc://127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


TRANSPORTS = {"rest": rest, "grpc": over_grpc}
