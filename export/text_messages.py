"""Messages of the server's text files that its Python package lacks.

The batching, the monitoring and the TLS file. The real parser of text protocol
buffers reads them, so what is accepted here is what the server accepts.
"""

import functools
from typing import Any

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)

PACKAGE = "tensorflow.serving"
# message: {field: type}; a type in brackets may be repeated.
MESSAGES: dict[str, dict[str, str]] = {
    "BatchingParameters": {
        "max_batch_size": "Int64Value",
        "batch_timeout_micros": "Int64Value",
        "max_enqueued_batches": "Int64Value",
        "num_batch_threads": "Int64Value",
        "thread_pool_name": "StringValue",
        "allowed_batch_sizes": "[int64]",
        "pad_variable_length_inputs": "bool",
        "enable_large_batch_splitting": "BoolValue",
        "max_execution_batch_size": "Int64Value",
    },
    "PrometheusConfig": {"enable": "bool", "path": "string"},
    "MonitoringConfig": {"prometheus_config": "PrometheusConfig"},
    "SSLConfig": {
        "server_key": "string",
        "server_cert": "string",
        "custom_ca": "string",
        "client_verify": "bool",
    },
}
SCALARS = {
    "int64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
}


def make(name: str, **fields: Any) -> Any:
    """Returns a new message of `MESSAGES`.

    Args:
      name: of the message.
      **fields: their values.
    """
    return _classes()[name](**fields)


def read(name: str, text: str) -> Any:
    """Returns the message that a text file of the server holds.

    Args:
      name: of the message.
      text: of the file.

    Raises:
      ValueError: the text is not that of such a message.
    """
    message = make(name)
    try:
        return text_format.Parse(text, message)
    except text_format.ParseError as error:
        raise ValueError(str(error)) from error


@functools.cache
def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="server_text_files.proto", package=PACKAGE, syntax="proto3"
    )
    wrappers = descriptor_pb2.FileDescriptorProto()
    wrappers_pb2.DESCRIPTOR.CopyToProto(wrappers)
    file.dependency.append(wrappers.name)
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), start=1):
            _declare(message.field.add(name=field, number=number), kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(wrappers)
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"{PACKAGE}.{name}")
        )
        for name in MESSAGES
    }


def _declare(field: descriptor_pb2.FieldDescriptorProto, kind: str) -> None:
    field.label = (
        field.LABEL_REPEATED if kind.startswith("[") else field.LABEL_OPTIONAL
    )
    kind = kind.strip("[]")
    if kind in SCALARS:
        field.type = SCALARS[kind]
    else:
        field.type = field.TYPE_MESSAGE
        package = PACKAGE if kind in MESSAGES else "google.protobuf"
        field.type_name = f".{package}.{kind}"
