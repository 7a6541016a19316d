"""ModelService: which versions there are, over gRPC."""

import grpc

from export.codes import Code
from export.protos import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
)
from export.server.errors import ServingError
from export.server.grpc_errors import answered
from export.server.manager import Manager


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """Answers as the real server does.

    Args:
      manager: holds the models.
    """

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    @answered
    def GetModelStatus(
        self,
        request: get_model_status_pb2.GetModelStatusRequest,
        context: grpc.ServicerContext,
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Tells the states of one version, or of all; labels do not count."""
        if not request.HasField("model_spec"):
            raise ServingError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
        spec = request.model_spec
        version = spec.version.value if spec.HasField("version") else None
        response = get_model_status_pb2.GetModelStatusResponse()
        for status in self._manager.statuses(spec.name, version=version):
            response.model_version_status.add(
                version=status.version,
                state=status.state,
                status={
                    "error_code": status.code,
                    "error_message": status.message,
                },
            )
        return response

    @answered
    def HandleReloadConfigRequest(
        self,
        request: model_management_pb2.ReloadConfigRequest,
        context: grpc.ServicerContext,
    ) -> model_management_pb2.ReloadConfigResponse:
        """Puts another configuration in the place of the present one.

        Unlike at the real server, its models must lie beside the first ones.
        """
        if not request.config.HasField("model_config_list"):
            raise ServingError(
                Code.INVALID_ARGUMENT,
                "ServerModelConfig type not supported by "
                "HandleReloadConfigRequest. Only ModelConfigList is currently "
                "supported",
            )
        self._manager.reload(request.config, is_wanted=context.is_active)
        response = model_management_pb2.ReloadConfigResponse()
        response.status.error_code = Code.OK
        return response
