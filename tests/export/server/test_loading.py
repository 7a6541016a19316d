"""What is loaded from a version's folder, and why some cannot be."""

import os
import pathlib
import shutil
from collections.abc import Callable

import numpy as np
import pytest

from export.batching import BatchingParameters
from export.codes import Code
from export.protos import saved_model_pb2
from export.server import loading
from export.server.batching_session import BatchingSession
from export.server.errors import ServingError
from export.server.lifecycle import Version
from export.server.metrics import Metrics
from export.server.options import Options
from export.server.predict import predict
from tests.export.server import served_models

Z = np.float32([[0.1, -0.2, 0.3], [0.5, 0.4, -0.6]])
PER_MODEL = {
    "enable_batching": True,
    "enable_per_model_batching_parameters": True,
}


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """Returns a copy of the recorded decoder's first version."""
    source = served_models.MODELS / "decoder" / "1"
    return pathlib.Path(shutil.copytree(source, tmp_path / "1"))


def _load(folder: pathlib.Path, **options: object) -> tuple:
    """Returns a version that is loaded, and the metrics."""
    metrics = Metrics()
    loader = loading.Loader(Options(**options), metrics=metrics)
    return loader.load("decoder", version=1, folder=str(folder)), metrics


def _refusal(folder: pathlib.Path, **options: object) -> tuple[Code, str]:
    with pytest.raises(ServingError) as error:
        _load(folder, **options)
    return error.value.code, error.value.message


def _decode(servable: object) -> np.ndarray:
    return predict(servable, signature_name="", inputs={"z": Z})["x"]


def test_version_is_loaded_and_runs(folder: pathlib.Path) -> None:
    servable, metrics = _load(folder)
    assert (servable.name, servable.version) == ("decoder", 1)
    assert servable.folder == str(folder)
    assert "decode_png" in servable.signatures
    assert _decode(servable)[0, 0, 0, 0] == pytest.approx(0.513862371)
    labels = f'model_path="{folder}",status="success"'
    name = ":tensorflow:cc:saved_model:load_attempt_count"
    assert f"{name}{{{labels}}} 1" in metrics.text()
    servable.session.close()


def test_what_cannot_be_loaded_keeps_tensorflow_s_words(
    folder: pathlib.Path,
) -> None:
    os.truncate(folder / "saved_model.pb", 1000)
    metrics = Metrics()
    loader = loading.Loader(Options(), metrics=metrics)
    with pytest.raises(ServingError, match="Read less bytes than") as error:
        loader.load("decoder", version=1, folder=str(folder))
    assert error.value.code == Code.OUT_OF_RANGE
    assert f'model_path="{folder}",status="fail"}} 1' in metrics.text()


def test_folder_without_a_graph_holds_no_model(folder: pathlib.Path) -> None:
    (folder / "saved_model.pb").unlink()
    assert _refusal(folder) == (
        Code.NOT_FOUND,
        "Specified file path does not appear to contain a SavedModel bundle "
        "(should have a file called `saved_model.pb`)\n"
        f"Specified file path: {folder}",
    )


def test_graph_may_be_text(folder: pathlib.Path) -> None:
    graph = folder / "saved_model.pb"
    message = saved_model_pb2.SavedModel.FromString(graph.read_bytes())
    graph.with_suffix(".pbtxt").write_text(str(message))
    graph.unlink()
    servable, _ = _load(folder)
    assert _decode(servable).shape == (2, 4, 4, 1)
    servable.session.close()


def test_tags_choose_the_graph(folder: pathlib.Path) -> None:
    code, message = _refusal(folder, saved_model_tags=("train",))
    assert code == Code.NOT_FOUND
    assert "train" in message


def test_session_config_reaches_tensorflow(folder: pathlib.Path) -> None:
    code, _ = _refusal(folder, session_config=b"\xff")
    assert code == Code.INVALID_ARGUMENT


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Returns the sessions that have been closed."""
    sessions: list[object] = []
    for kind in (loading.c_api.Session, BatchingSession):
        close = kind.close

        def noted(session: object, close: Callable = close) -> None:
            sessions.append(session)
            close(session)

        monkeypatch.setattr(kind, "close", noted)
    return sessions


@pytest.mark.parametrize("batching", [False, True])
def test_failed_warm_up_fails_the_load_and_frees_it(
    batching: bool, folder: pathlib.Path, closed: list[object]
) -> None:
    path = folder / "assets.extra" / "tf_serving_warmup_requests"
    path.parent.mkdir()
    path.write_text("this is not a record file")
    code, _ = _refusal(folder, enable_batching=batching)
    assert code == Code.DATA_LOSS
    assert len(closed) == 1 + batching
    servable, _ = _load(folder, enable_model_warmup=False)
    servable.session.close()


def test_warm_up_is_repeated_as_asked(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        loading.warm_up, "run",
        lambda servable, iterations, metrics: asked.append(iterations),
    )  # fmt: skip
    for number in (0, 3):
        servable, _ = _load(folder, num_request_iterations_for_warmup=number)
        servable.session.close()
    assert asked == [1, 3]


def test_batching_joins_requests_where_asked(folder: pathlib.Path) -> None:
    servable, _ = _load(
        folder,
        enable_batching=True,
        batching_parameters=BatchingParameters(max_batch_size=1),
    )
    with pytest.raises(ServingError, match="Task size 2 is larger than max"):
        _decode(servable)
    servable.session.close()


def test_batching_has_defaults(folder: pathlib.Path) -> None:
    servable, _ = _load(folder, enable_batching=True)
    assert isinstance(servable.session, BatchingSession)
    assert _decode(servable).shape == (2, 4, 4, 1)
    servable.session.close()


@pytest.mark.parametrize(
    "options", [{}, {"enable_per_model_batching_parameters": True}]
)
def test_without_batching_its_files_do_not_count(
    options: dict, folder: pathlib.Path
) -> None:
    (folder / "batching_params.pbtxt").write_text("max_batch_size { value: ")
    servable, _ = _load(folder, **options)
    servable.session.close()


def test_per_model_batching_takes_the_version_s_file(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "batching_params.pbtxt"
    path.write_text(
        "max_batch_size { value: 3 } num_batch_threads { value: 7 }"
    )
    taken = []
    monkeypatch.setattr(
        loading, "BatchingSession",
        lambda session, parameters, **_: taken.append(parameters) or session,
    )  # fmt: skip
    common = BatchingParameters(
        max_batch_size=9, num_batch_threads=2, thread_pool_name="pool"
    )
    servable, _ = _load(folder, batching_parameters=common, **PER_MODEL)
    servable.session.close()
    # The threads are common to all models.
    assert taken == [
        BatchingParameters(
            max_batch_size=3, num_batch_threads=2, thread_pool_name="pool"
        )
    ]


def test_per_model_batching_spares_a_version_without_the_file(
    folder: pathlib.Path,
) -> None:
    (folder / "batching_params.pbtxt").unlink()
    servable, _ = _load(folder, **PER_MODEL)
    assert not isinstance(servable.session, BatchingSession)
    servable.session.close()


LAST = (
    "Last entry in allowed_batch_sizes must match max_batch_size; last entry "
    "was 4; expected 8"
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"max_batch_size { value: ", "Invalid protobuf file: '{path}'"),
        (b"\xff", "Invalid protobuf file: '{path}'"),
        (b"max_batch_size { value: 8 } allowed_batch_sizes: 4", LAST),
    ],
)
def test_wrong_batching_file_fails_the_load_and_frees_it(
    content: bytes, message: str, folder: pathlib.Path, closed: list[object]
) -> None:
    path = folder / "batching_params.pbtxt"
    path.write_bytes(content)
    assert _refusal(folder, **PER_MODEL) == (
        Code.INVALID_ARGUMENT,
        message.format(path=path),
    )
    assert len(closed) == 1


def test_batching_file_that_cannot_be_read_fails_the_load(
    folder: pathlib.Path,
) -> None:
    path = folder / "batching_params.pbtxt"
    path.unlink()
    path.mkdir()
    assert _refusal(folder, **PER_MODEL) == (
        Code.FAILED_PRECONDITION,
        f"{path}; Is a directory",
    )


def test_wrong_common_parameters_are_refused_at_once() -> None:
    wrong = BatchingParameters(max_batch_size=8, allowed_batch_sizes=(4,))
    with pytest.raises(ServingError) as error:
        loading.Loader(
            Options(enable_batching=True, batching_parameters=wrong),
            metrics=Metrics(),
        )
    assert error.value.message == LAST
    loading.Loader(Options(batching_parameters=wrong), metrics=Metrics())


def _look(folder: pathlib.Path) -> str:
    """Returns why a folder cannot be looked through, less the first words."""
    version = Version("m", 4, str(folder))
    start = (
        "Error while attempting to reserve resources to load servable "
        "{name: m version: 4}: "
    )
    with pytest.raises(ServingError) as error:
        loading.look_through(version)
    assert error.value.message.startswith(start)
    message = error.value.message.removeprefix(start)
    return f"{error.value.code.name}: {message}"


def test_folder_is_looked_through(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("gone")
    (tmp_path / "4" / "variables").mkdir(parents=True)
    (tmp_path / "4" / "variables" / "data").write_text("x")
    loading.look_through(Version("m", 4, str(tmp_path / "4")))
    (tmp_path / "4" / "variables" / "index").symlink_to("gone")
    for name, message in (
        ("gone", "NOT_FOUND: {path} not found"),
        ("link", "NOT_FOUND: {path} not found"),
        ("file", "FAILED_PRECONDITION: {path}; Not a directory"),
        ("4", "NOT_FOUND: {path}/variables/index; No such file or directory"),
    ):
        path = tmp_path / name
        assert _look(path) == message.format(path=path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_folder_that_may_not_be_read_is_told(tmp_path: pathlib.Path) -> None:
    (tmp_path / "4").mkdir(mode=0)
    assert _look(tmp_path / "4").startswith("PERMISSION_DENIED: ")
