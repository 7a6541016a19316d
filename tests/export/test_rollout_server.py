"""What a rollout learns of its server, and what it takes for none."""

import concurrent.futures
import pathlib
from typing import Any

import grpc
import pytest

from export import models_config, rollout_steps
from export.client import Client, VersionStatus
from export.codes import Code
from export.protos import (
    get_model_metadata_pb2,
    prediction_service_pb2_grpc,
)
from tests.export import status_server
from tests.export.rollouts import config, folder, run, server
from tfvae.errors import FailedError, InputError

__all__ = ["folder", "server"]  # fixtures


class Quoted(status_server.StatusServer):
    """Knows its model by the name that stands in a path."""

    def read(self) -> None:
        super().read()
        for table in (self.known, self.served, self.labels):
            table["a%20b"] = table["a b"]


def test_states_are_read(tmp_path: pathlib.Path) -> None:
    with models_config.edit(str(tmp_path)) as config:
        models_config.add(config, "a b", version=3)
        models_config.serve(config.model_config_list.config[0], [4, 5])
    stand_in = Quoted(tmp_path)
    stand_in.known["a b"] = {2}
    stand_in.loading, stand_in.broken = {4}, {5: "bits\nrot"}
    with status_server.running(stand_in):
        assert rollout_steps.states(stand_in.url + "/", "a b") == {
            2: VersionStatus(2, "END"),
            3: VersionStatus(3, "AVAILABLE"),
            4: VersionStatus(4, "LOADING"),
            5: VersionStatus(5, "END", Code.DATA_LOSS, "bits\nrot"),
        }
        assert rollout_steps.states(stand_in.url, "b") == {}
        with Client(stand_in.url, version_label="stable") as client:
            assert client.metadata(model="a b").version == 3
    assert stand_in.paths[0] == "/v1/models/a%20b"
    assert "/v1/models/a%20b/labels/stable/metadata" in stand_in.paths


@pytest.mark.parametrize(
    ("status", "failed"),
    [
        (VersionStatus(1, "END", Code.NOT_FOUND, "gone"), True),
        (VersionStatus(1, "END"), False),
        (VersionStatus(1, "LOADING", Code.NOT_FOUND, "tries again"), False),
        (VersionStatus(1, "AVAILABLE"), False),
    ],
)
def test_only_an_end_with_an_error_is_a_failure(
    status: VersionStatus, failed: bool
) -> None:
    assert status.has_failed == failed


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((200, "<html>"), "an answer that is no JSON object"),
        ((200, [1]), "an answer that is no JSON object"),
        ((200, {}), "a status without versions"),
        ((200, {"model_version_status": 3}), "not understood"),
        ((403, {"error": "no"}), "PERMISSION_DENIED: no"),
        ((500, {}), "INTERNAL: HTTP status 500"),
        ((503, ""), "UNAVAILABLE: HTTP status 503"),
    ],
)
@pytest.mark.parametrize("action", ["promote", "status"])
def test_something_else_at_the_url_changes_nothing(
    folder: pathlib.Path,
    server: status_server.StatusServer,
    monkeypatch: pytest.MonkeyPatch,
    answer: tuple[int, Any],
    words: str,
    action: str,
) -> None:
    monkeypatch.setattr(server, "answer", lambda path: answer)
    before = config(folder)
    end = "; nothing was changed" if action == "promote" else ""
    with pytest.raises(
        FailedError,
        match=f"^no server of models at {server.url}: {words}.*{end}",
    ):
        run(folder, action, f"--url={server.url}")
    assert config(folder) == before


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((400, {"error": "Unrecognized label"}), "leads to no version"),
        ((404, {"error": "Servable not found"}), "leads to no version"),
        ((200, {}), "cannot be seen: no server of models at .*: metadata wi"),
        (
            (200, {"model_spec": {"version": "x"}, "metadata": {
                "signature_def": {}
            }}),
            "cannot be seen: no server of models at .*: not understood",
        ),
        ((503, ""), "cannot be seen: no server of models at .*: UNAVAILABLE"),
    ],
)  # fmt: skip
def test_label_that_cannot_be_seen_is_told(
    folder: pathlib.Path,
    server: status_server.StatusServer,
    monkeypatch: pytest.MonkeyPatch,
    answer: tuple[int, Any],
    words: str,
) -> None:
    good, before = server.answer, config(folder)
    monkeypatch.setattr(
        server,
        "answer",
        lambda path: answer if "labels" in path else good(path),
    )
    with pytest.raises(
        FailedError,
        match=f"stable of decoder has not moved to 3 in time: it {words}.*"
        r"; models\.config is as it was",
    ):
        run(folder, "promote", f"--url={server.url}", "--timeout=0.2")
    assert config(folder) == before


@pytest.mark.parametrize("action", ["promote", "status"])
def test_text_that_is_no_address_is_told(
    folder: pathlib.Path, action: str
) -> None:
    before = config(folder)
    with pytest.raises(InputError, match="`url` must begin with http://"):
        run(folder, action, "--url=localhost:8501")
    assert config(folder) == before


class Labels(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers for two labels, with models that have no signatures."""

    def GetModelMetadata(self, request: Any, context: Any) -> Any:
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        versions = {"stable": 3, "canary": 4}
        label = request.model_spec.version_label
        if label:
            response.model_spec.version.value = versions[label]
        response.metadata["signature_def"].Pack(
            get_model_metadata_pb2.SignatureDefMap()
        )
        return response


def test_version_behind_a_label_is_told_over_grpc() -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        listening = grpc.server(pool)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            Labels(), listening
        )
        url = f"grpc://127.0.0.1:{listening.add_insecure_port('127.0.0.1:0')}"
        listening.start()
        try:
            for label, version in (("stable", 3), ("canary", 4), ("", None)):
                with Client(url, version_label=label, timeout=5) as client:
                    assert client.metadata().version == version
        finally:
            listening.stop(None).wait()
