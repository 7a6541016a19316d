"""What the two transports have in common."""

from typing import NamedTuple, Protocol

from export.client.address import Target
from export.client.servable import Arrays, Signature
from export.protos import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
)

# Over which an answer is given up; protocol buffers hold no more, either.
MOST_ANSWER_BYTES = 2**31 - 1


class Metadata(NamedTuple):
    """What a server tells of a model.

    Attributes:
      spec: which version answered.
      signatures: of that version.
    """

    spec: model_pb2.ModelSpec
    signatures: get_model_metadata_pb2.SignatureDefMap


class Transport(Protocol):
    """One request, one answer; no check of arguments, no further try.

    Each method takes `timeout`, the seconds that are left for it, so that the
    server may know them, and raises ClientError where no good answer came.
    """

    async def predict(
        self,
        target: Target,
        signature: Signature,
        inputs: Arrays,
        *,
        timeout: float,
    ) -> Arrays:
        """Returns what a signature makes of inputs."""

    async def metadata(self, target: Target, *, timeout: float) -> Metadata:
        """Returns the signatures of a model, and whose they are."""

    async def status(
        self, target: Target, *, timeout: float
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Returns the states of a model's versions."""

    async def close(self) -> None:
        """Gives connections back."""
