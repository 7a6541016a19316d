"""Statuses and configurations over real gRPC channels."""

from collections.abc import Iterator

import pytest

from export.protos import (
    get_model_status_pb2,
    model_management_pb2,
    model_pb2,
    model_service_pb2_grpc,
)
from tests.export.server import served_models
from tests.export.server.grpc_calls import refusal, served

Stub = model_service_pb2_grpc.ModelServiceStub
StatusRequest = get_model_status_pb2.GetModelStatusRequest
Status = get_model_status_pb2.ModelVersionStatus


@pytest.fixture(scope="module")
def manager() -> served_models.HeldModels:
    return served_models.HeldModels(served_models.load("decoder"))


@pytest.fixture(scope="module")
def stub(manager: served_models.HeldModels) -> Iterator[Stub]:
    with served(manager) as channel:
        yield Stub(channel)


def _status(**spec: object) -> StatusRequest:
    return StatusRequest(model_spec=model_pb2.ModelSpec(**spec))


def test_every_version_is_told(stub: Stub) -> None:
    for spec in ({}, {"version_label": "unknown"}):
        response = stub.GetModelStatus(_status(name="decoder", **spec))
        failed, good = response.model_version_status
        assert (failed.version, failed.state) == (7, Status.END)
        assert failed.status.error_code == 15
        assert failed.status.error_message == "bit rot"
        assert (good.version, good.state) == (5, Status.AVAILABLE)
        assert good.status.error_code == 0


def test_one_version_is_told(
    stub: Stub, manager: served_models.HeldModels
) -> None:
    request = _status(name="decoder", version={"value": 5})
    (status,) = stub.GetModelStatus(request).model_version_status
    assert status.version == 5
    assert manager.asked[-1] == ("decoder", 5, None)
    request = _status(name="decoder", version={"value": 0})
    assert not stub.GetModelStatus(request).model_version_status
    assert manager.asked[-1] == ("decoder", 0, None)


def test_refusals(stub: Stub) -> None:
    call = stub.GetModelStatus
    assert refusal(call, StatusRequest()) == (
        "INVALID_ARGUMENT", "Missing ModelSpec",
    )  # fmt: skip
    assert refusal(call, _status(name="nope")) == ("NOT_FOUND", "no nope")


def test_a_configuration_is_handed_on(
    stub: Stub, manager: served_models.HeldModels
) -> None:
    request = model_management_pb2.ReloadConfigRequest()
    request.config.model_config_list.config.add(name="a", base_path="/a")
    response = stub.HandleReloadConfigRequest(request)
    assert response.status.error_code == 0
    assert manager.configs == [request.config]


def test_a_wrong_configuration_is_refused(stub: Stub) -> None:
    call = stub.HandleReloadConfigRequest
    request = model_management_pb2.ReloadConfigRequest()
    assert refusal(call, request) == (
        "INVALID_ARGUMENT",
        "ServerModelConfig type not supported by HandleReloadConfigRequest. "
        "Only ModelConfigList is currently supported",
    )
    request.config.model_config_list.SetInParent()
    assert refusal(call, request) == ("FAILED_PRECONDITION", "no models")
