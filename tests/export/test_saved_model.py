"""python -m export.saved_model: what it publishes, and what it refuses."""

import hashlib
import json
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from export import (
    batching,
    batching_sweep,
    c_api,
    saved_model,
    trial_run,
    version,
)
from export.protos import meta_graph_pb2
from tests.export.server_process import ServerProcess
from tests.small_runs import image_set, save_run
from tfvae.errors import FailedError, InputError
from tfvae.run_dir import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("run")
    return save_run(
        folder / "colour", dataset=image_set(folder), condition="label"
    )


@pytest.fixture(scope="module")
def export_dir(
    run: Run, tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("export")
    arguments = [f"--run_dir={run.run_dir}", f"--export_dir={folder}"]
    assert saved_model.main(["saved_model", *arguments]) == 0
    return folder


def manifest(export_dir: pathlib.Path, part: str) -> dict[str, Any]:
    path = export_dir / part / "1" / "assets.extra" / "tfvae.json"
    return json.loads(path.read_text())


FILES = {
    "saved_model.pb", "fingerprint.pb", "batching_params.pbtxt",
    "variables/variables.index", "variables/variables.data-00000-of-00001",
    "assets.extra/tfvae.json", "assets.extra/tf_serving_warmup_requests",
}  # fmt: skip


@pytest.mark.slow
def test_a_version_holds_what_a_server_reads(export_dir: pathlib.Path) -> None:
    for part in ("decoder", "vae"):
        folder = export_dir / part / "1"
        assert {
            str(path.relative_to(folder))
            for path in folder.rglob("*")
            if path.is_file()
        } == FILES
    names = {path.name for path in export_dir.iterdir()}
    assert {"models.config", "monitoring.config", "compose.yaml"} < names


@pytest.mark.slow
def test_the_manifest_says_what_was_published(
    export_dir: pathlib.Path, run: Run
) -> None:
    found = manifest(export_dir, "vae")
    assert found["config"]["condition"] == "label"
    assert found["config"]["latent_dim"] == 4
    assert found["signatures"]["score"] == {
        "inputs": {
            "label": {"dtype": "DT_INT64", "shape": [-1]},
            "seed": {"dtype": "DT_INT64", "shape": [-1]},
            "x": {"dtype": "DT_FLOAT", "shape": [-1, 9, 7, 3]},
        },
        "outputs": {
            name: {"dtype": "DT_FLOAT", "shape": [-1]}
            for name in ("elbo", "kl", "log_likelihood")
        },
    }
    assert max(found["parity"]["differences"].values()) <= 1e-5
    assert found["versions"]["tensorflow"] == tf.__version__
    networks = (run.model.encoder, run.model.decoder)
    sizes = [int(np.prod(v.shape)) for n in networks for v in n.variables]
    num_calibrations = 1  # of C, which is a count that no function reads
    assert found["num_weights"] == sum(sizes) - num_calibrations


@pytest.mark.slow
def test_the_card_says_what_a_client_needs(export_dir: pathlib.Path) -> None:
    card = manifest(export_dir, "decoder")["card"]
    kl = card.pop("kl_per_dim")
    order = card.pop("latent_order")
    assert sorted(order) == [0, 1, 2, 3]
    assert [kl[i] for i in order] == sorted(kl, reverse=True)
    assert card == {
        "format_version": 1,
        "name": "colour",
        "dataset": "npz:images.npz",  # and no folder of the machine
        "event_shape": [9, 7, 3],
        "is_image": True,
        "latent_dim": 4,
        "value_range": [0.0, 1.0],
        "condition": "label",
        "num_classes": 3,
        "prior": "standard_normal",
        "max_batch_size": 64,
    }


@pytest.mark.slow
def test_served_values_are_those_of_the_run(
    export_dir: pathlib.Path, run: Run
) -> None:
    session = c_api.Session(str(export_dir / "decoder" / "1"))
    graph = meta_graph_pb2.MetaGraphDef.FromString(session.meta_graph)
    signature = graph.signature_def["decode"]
    z = np.random.default_rng(0).normal(size=[5, 4]).astype(np.float32)
    label = np.array([0, 2, 1, 1, 0])
    feeds = {
        signature.inputs[name].name: value
        for name, value in {"z": z, "label": label}.items()
    }
    (x,) = session.run(feeds, [signature.outputs["x"].name])
    expected = run.model.decode(z, {"label": label}).mean()
    np.testing.assert_allclose(x, expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_openvino_reads_it_and_computes_the_same(
    export_dir: pathlib.Path, run: Run
) -> None:
    openvino = pytest.importorskip("openvino")
    core = openvino.Core()
    z = np.random.default_rng(0).normal(size=[3, 4]).astype(np.float32)
    label = np.array([0, 2, 1])
    model = core.read_model(str(export_dir / "decoder" / "1"))
    compiled = core.compile_model(
        model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    x = compiled({"z": z, "label": label})[0]
    expected = run.model.decode(z, {"label": label}).mean()
    np.testing.assert_allclose(x, expected, atol=1e-4)


@pytest.mark.slow
def test_a_second_export_has_the_next_number_and_old_ones_go(
    export_dir: pathlib.Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        f"--run_dir={run.run_dir}", f"--export_dir={export_dir}",
        "--parts=decoder", "--keep=1",
    ]  # fmt: skip
    for number in ("2", "7"):
        flag = [] if number == "2" else ["--version=7"]
        saved_model.main(["saved_model", *arguments, *flag])
        out = capsys.readouterr().out
        assert f"published: {export_dir}/decoder/{number}\n" in out
        assert "not served yet: python -m export.rollout promote" in out
    # 1 is the one that models.config names.
    assert f"removed:   {export_dir}/decoder/2\n" in out
    numbers = {path.name for path in (export_dir / "decoder").iterdir()}
    assert numbers == {"1", "7"}


@pytest.mark.slow
def test_what_fails_in_a_fresh_process_is_not_published(
    tmp_path: pathlib.Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = version.warmup.write

    def write_of_another_model(path: str, records: list[Any]) -> None:
        records[0].inputs["z"].tensor_shape.dim[1].size = 9
        real(path, records)

    monkeypatch.setattr(version.warmup, "write", write_of_another_model)
    arguments = [f"--run_dir={run.run_dir}", f"--export_dir={tmp_path}"]
    with pytest.raises(
        FailedError, match=r"fails in a fresh process: .*not published"
    ):
        saved_model.main(["saved_model", *arguments])
    assert not list((tmp_path / "decoder").iterdir())


@pytest.mark.slow
def test_batching_is_tuned_before_a_version_is_published(
    tmp_path: pathlib.Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(batching_sweep, "SECONDS", 0.01)
    monkeypatch.setattr(batching_sweep, "ROUNDS", 1)
    monkeypatch.setattr(batching_sweep, "choose", lambda points: points[3])
    arguments = [
        "saved_model", f"--run_dir={run.run_dir}", f"--export_dir={tmp_path}",
        "--parts=decoder", "--tune_batching",
    ]  # fmt: skip
    assert saved_model.main(arguments) == 0
    assert "<- chosen" in capsys.readouterr().out
    folder = tmp_path / "decoder" / "1"
    parameters = batching.read((folder / "batching_params.pbtxt").read_text())
    assert parameters.allowed_batch_sizes == (1, 2, 4, 8, 16, 32, 64)
    assert parameters.max_execution_batch_size == 16
    record = json.loads(
        (folder / "assets.extra" / "batching_sweep.json").read_text()
    )
    assert [p["chosen"] for p in record["points"]].index(True) == 3
    records = tf.data.TFRecordDataset(
        str(folder / "assets.extra" / "tf_serving_warmup_requests")
    )
    num_signatures = 6
    assert len([*records]) == num_signatures * 7


@pytest.mark.slow
def test_warm_up_that_fails_after_tuning_is_not_published(
    tmp_path: pathlib.Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = version.warmup.requests

    def requests(*args: Any, batch_sizes: Any, **kwargs: Any) -> Any:
        for request in real(*args, batch_sizes=batch_sizes, **kwargs):
            if batch_sizes == (3,):
                request.model_spec.signature_name = "unknown"
            yield request

    monkeypatch.setattr(version.warmup, "requests", requests)
    tuned = batching.BatchingParameters(allowed_batch_sizes=(3,))
    monkeypatch.setattr(batching_sweep, "tune", lambda *_, **__: tuned)
    arguments = [f"--run_dir={run.run_dir}", f"--export_dir={tmp_path}"]
    with pytest.raises(FailedError, match=r"fails in a fresh process: "):
        saved_model.main(["saved_model", *arguments, "--tune_batching"])
    assert not list((tmp_path / "decoder").iterdir())


@pytest.mark.slow
def test_versions_that_a_server_holds_stay(
    tmp_path: pathlib.Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "saved_model", f"--run_dir={run.run_dir}", f"--export_dir={tmp_path}",
        "--parts=decoder",
    ]  # fmt: skip
    for _ in range(3):
        saved_model.main(arguments)
    flags = [
        "--model_name=decoder", f"--model_base_path={tmp_path / 'decoder'}",
        "--file_system_poll_wait_seconds=0",
    ]  # fmt: skip
    with ServerProcess(*flags) as server:
        server.ready()
        keep = ["--keep=1", f"--url={server.url}"]
        saved_model.main([*arguments, *keep])
    assert "removed:   " in capsys.readouterr().out
    # 1 is in models.config, 3 is held by the server, 4 is the newest.
    numbers = {path.name for path in (tmp_path / "decoder").iterdir()}
    assert numbers == {"1", "3", "4"}
    with pytest.raises(FailedError, match=r"does not say .* none was removed"):
        saved_model.main([*arguments, *keep])


def test_a_process_that_dies_is_told(tmp_path: pathlib.Path) -> None:
    with pytest.raises(
        FailedError, match=r"fails in a fresh process: NOT_FOUND"
    ):
        trial_run.run(str(tmp_path), [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "`run_dir` must name the folder"),
        (["--run_dir=r"], "`export_dir` must name the folder to publish in"),
        (["--run_dir=r", "--export_dir=e"], "`run_dir` r holds no run"),
        (["--parts=encoder"], "`parts` must be decoder,vae"),
        (["--version=-1"], "`version` must be"),
        (["--tune_batching=3"], "--tune_batching=3: .*boolean"),
    ],
)
def test_wrong_input_is_named(
    arguments: list[str], message: str, tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        saved_model.main(["saved_model", *arguments])


def test_the_hash_is_of_shapes_and_values() -> None:
    a = tf.Variable([[1.0, 2.0, 3.0]])
    b = tf.Variable([[1.0], [2.0], [3.0]])
    expected = hashlib.sha256(b"[1, 3]" + a.numpy().tobytes()).hexdigest()
    assert version.weights_sha256([a]) == expected
    assert version.weights_sha256([b]) != expected


def test_other_weights_than_the_model_s_are_refused(
    tmp_path: pathlib.Path,
) -> None:
    root = tf.Module()
    root.kept, root.slot = tf.Variable([1.0, 2.0]), tf.Variable([3.0])
    tf.saved_model.save(root, str(tmp_path))
    with pytest.raises(FailedError, match=r"3 weights were saved, not .* 2;"):
        version.check_weights(str(tmp_path), [root.kept])
