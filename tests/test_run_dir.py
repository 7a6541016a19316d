"""A run on disk: whole files, exact round trips, errors that tell."""

import json
import pathlib
from typing import IO, Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from matplotlib.figure import Figure

from tests.conftest import replicas
from tfvae import build, resolve, storage
from tfvae.config import Config
from tfvae.data.spec import DataSpec
from tfvae.errors import InputError, MissingRunError
from tfvae.run_dir import RunDir, load_run
from tfvae.vae import VAE

SPEC = DataSpec((4, 3, 1), 10, "unit")
SIZES = {"train": 21, "validation": 5, "test": 7}


def _config(**settings: Any) -> Config:
    config = Config(hidden_units=(6,), latent_dim=2, **settings)
    return resolve.resolve(config, SPEC, num_examples=21, num_replicas=1)


def _trained(config: Config, seed: int = 3) -> VAE:
    """A model none of whose variables is where it began."""
    model = build.build_model(config, SPEC)
    draw = np.random.default_rng(seed)
    for variable in (*model.encoder.variables, *model.decoder.variables):
        variable.assign(
            draw.normal(size=variable.shape).astype(np.float32) * 0.3
        )
    return model


@pytest.fixture
def run_dir(tmp_path: pathlib.Path) -> RunDir:
    return RunDir(str(tmp_path / "a" / "run"))


@pytest.fixture
def saved(run_dir: RunDir) -> tuple[RunDir, VAE]:
    """A folder with a run's weights, and the model that they are of."""
    config = _config()
    run_dir.prepare()
    run_dir.write_config(config, SPEC, **SIZES)
    model = _trained(config)
    run_dir.save_weights(model, "best")
    return run_dir, model


def _entries(run_dir: RunDir) -> set[str]:
    return {entry.name for entry in pathlib.Path(run_dir.path).iterdir()}


def test_file_appears_only_when_it_is_whole(run_dir: RunDir) -> None:
    seen: list[set[str]] = []

    def write(file: IO[bytes]) -> None:
        file.write(b"one")
        file.flush()
        seen.append(_entries(run_dir))
        file.write(b"two")

    run_dir.write("name.json", write)
    assert seen == [{".name.json.partial"}]
    assert _entries(run_dir) == {"name.json"}
    assert pathlib.Path(run_dir.file("name.json")).read_bytes() == b"onetwo"


def test_write_that_fails_leaves_the_old_file(run_dir: RunDir) -> None:
    run_dir.write("name", lambda file: file.write(b"the old content"))

    def fail(file: IO[bytes]) -> None:
        file.write(b"the new")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run_dir.write("name", fail)
    old = pathlib.Path(run_dir.file("name"))
    assert old.read_bytes() == b"the old content"
    run_dir.write("name", lambda file: file.write(b"x"))  # shorter than before
    assert old.read_bytes() == b"x"
    assert _entries(run_dir) == {"name"}


def test_partial_file_of_a_killed_run_is_no_run(run_dir: RunDir) -> None:
    folder = pathlib.Path(run_dir.path)
    folder.mkdir(parents=True)
    (folder / ".config.json.partial").write_text('{"epochs": 3')
    (folder / ".writable").touch()
    assert not run_dir.holds_run()
    assert not run_dir.is_complete()
    run_dir.prepare()


def test_config_and_data_come_back_as_they_were(run_dir: RunDir) -> None:
    config = _config(
        dataset="npz:a/b.npz", learning_rate=0.1 + 0.2, C=1 / 3, seed=2**32 - 1
    )
    run_dir.write_config(config, SPEC, **SIZES)
    assert Config(**run_dir.read_settings()) == config
    assert run_dir.read_data() == (SPEC, SIZES)
    vector = DataSpec((6,), None, "real")
    run_dir.write_config(config, vector, **SIZES)
    assert run_dir.read_data() == (vector, SIZES)


def test_config_is_written_last(
    run_dir: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = []
    monkeypatch.setattr(run_dir, "write", lambda name, _: names.append(name))
    run_dir.write_config(_config(), SPEC, **SIZES)
    assert names == ["data.json", "config.json"]


def test_rows_come_back_as_they_were(run_dir: RunDir) -> None:
    assert run_dir.read_rows() == []
    rows = [
        {"epoch": n, "loss": 0.1 + 0.2 * n, "C": 1e-300 / n, "kl": 1 / 3}
        for n in (1, 2, 3)
    ]
    run_dir.write_rows(rows)
    assert run_dir.read_rows() == rows
    assert run_dir.read_rows(num_epochs=2) == rows[:2]
    assert run_dir.read_rows(num_epochs=0) == []
    run_dir.write_rows(rows[:1])
    lines = pathlib.Path(run_dir.file("metrics.jsonl")).read_text()
    assert [json.loads(line) for line in lines.splitlines()] == rows[:1]


def test_weights_come_back_bit_by_bit(saved: tuple[RunDir, VAE]) -> None:
    run_dir, model = saved
    other = _trained(_config(), seed=4)
    run_dir.load_weights(other, "best")
    pairs = zip(
        (*model.encoder.variables, *model.decoder.variables),
        (*other.encoder.variables, *other.decoder.variables),
        strict=True,
    )
    for one, two in pairs:
        assert one.numpy().tobytes() == two.numpy().tobytes()


def test_weights_are_saved_under_a_strategy(run_dir: RunDir) -> None:
    with replicas(2).scope():
        model = _trained(_config())
    run_dir.save_weights(model, "last")
    with replicas(3).scope():
        other = build.build_model(_config(), SPEC)
    run_dir.load_weights(other, "last")
    x = tf.random.stateless_uniform([5, 4, 3, 1], [0, 1])
    np.testing.assert_array_equal(model.reconstruct(x), other.reconstruct(x))


def test_names_of_weights_do_not_depend_on_earlier_models(
    run_dir: RunDir,
) -> None:
    names = []
    for num_before in (0, 3):
        tf_keras.backend.clear_session()
        for _ in range(num_before):
            tf_keras.layers.Dense(2)
        run_dir.save_weights(_trained(_config()), "last")
        with np.load(run_dir.file("weights", "last.npz")) as arrays:
            names.append(sorted(arrays))
    assert names[0] == names[1]


@pytest.mark.parametrize("C", ["optimal", "learned", 3.0])
def test_loaded_run_gives_the_model_s_own_outputs(
    run_dir: RunDir, C: str | float
) -> None:
    config = _config(C=C)
    run_dir.write_config(config, SPEC, **SIZES)
    model = _trained(config)
    run_dir.save_weights(model, "best")
    run_dir.save_weights(_trained(config, seed=5), "last")
    run = load_run(run_dir.path)
    assert (run.config, run.spec) == (config, SPEC)
    assert run.run_dir.path == run_dir.path
    x = tf.random.stateless_uniform([5, 4, 3, 1], [0, 1])
    for method, argument in (("reconstruct", x), ("sample", 3)):
        ours, theirs = (
            getattr(m, method)(argument).numpy() for m in (run.model, model)
        )
        assert ours.tobytes() == theirs.tobytes()
    ours, theirs = run.model.encode(x), model.encode(x)
    assert ours.stddev().numpy().tobytes() == theirs.stddev().numpy().tobytes()
    assert run.model.likelihood.current_C() == model.likelihood.current_C()
    last = load_run(run_dir.path, which="last").model
    assert (last.reconstruct(x).numpy() != model.reconstruct(x).numpy()).any()


def test_missing_run_is_told(tmp_path: pathlib.Path) -> None:
    with pytest.raises(
        MissingRunError, match=r"holds no run \(no config\.json\)\."
    ):
        load_run(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        load_run(str(tmp_path / "nowhere"))


def test_missing_data_file_is_told(saved: tuple[RunDir, VAE]) -> None:
    run_dir, _ = saved
    pathlib.Path(run_dir.file("data.json")).unlink()
    with pytest.raises(
        MissingRunError, match=r"holds no data\.json: no run has begun there"
    ):
        load_run(run_dir.path)


def test_missing_weights_are_told(saved: tuple[RunDir, VAE]) -> None:
    run_dir, _ = saved
    with pytest.raises(
        MissingRunError,
        match=r"holds no last weights yet; train for an epoch first\.",
    ):
        load_run(run_dir.path, which="last")


def test_config_that_is_damaged_is_told(saved: tuple[RunDir, VAE]) -> None:
    run_dir, _ = saved
    path = pathlib.Path(run_dir.file("config.json"))
    path.write_text(path.read_text()[:40])
    with pytest.raises(InputError, match=r"config\.json is not JSON"):
        load_run(run_dir.path)


def test_folder_with_other_files_is_refused(run_dir: RunDir) -> None:
    folder = pathlib.Path(run_dir.path)
    folder.mkdir(parents=True)
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(
        InputError,
        match=r"holds files that are no run \(thesis\.tex\); give an empty or "
        r"new folder\.",
    ):
        run_dir.prepare()
    assert _entries(run_dir) == {"thesis.tex"}


def test_folder_that_cannot_be_made_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        InputError,
        match=r"file/run cannot be written: Not a directory; give another\.",
    ):
        RunDir(str(tmp_path / "file" / "run")).prepare()


def test_clear_removes_the_run_and_nothing_else(
    saved: tuple[RunDir, VAE],
) -> None:
    run_dir, model = saved
    run_dir.write_rows([{"epoch": 1}])
    run_dir.write_json("result.json", {})
    run_dir.save_figure("curves", Figure())
    run_dir.checkpoints(model).save(1)
    folder = pathlib.Path(run_dir.path)
    (folder / "tensorboard" / "train").mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    run_dir.clear()
    assert _entries(run_dir) == {"notes.txt"}
    assert not run_dir.holds_run()
    run_dir.clear()  # nothing there: nothing happens


def test_what_a_broken_off_clear_leaves_is_never_gone_on_with(
    saved: tuple[RunDir, VAE], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir, model = saved
    run_dir.write_json("result.json", {})
    run_dir.checkpoints(model).save(1)
    # Each removal in turn is the last.
    remove = storage.remove

    def remove_and_die(path: str) -> None:
        if storage.exists(path):
            remove(path)
            raise SystemExit

    monkeypatch.setattr(storage, "remove", remove_and_die)
    kinds = []
    while _entries(run_dir):
        with pytest.raises(SystemExit):
            run_dir.clear()
        newest = run_dir.checkpoints(model).newest_whole()
        kinds.append((run_dir.is_complete(), newest == 1))
        assert not run_dir.is_complete()
        if not run_dir.holds_run():
            assert _entries(run_dir) == set()
    assert kinds[0] == (False, True)
    assert set(kinds[1:]) == {(False, False)}


@pytest.mark.parametrize("empty", [True, False])
def test_only_an_empty_folder_is_removed(run_dir: RunDir, empty: bool) -> None:
    run_dir.prepare()
    assert _entries(run_dir) == set()
    if not empty:
        pathlib.Path(run_dir.file("config.json")).write_text("{}")
    run_dir.remove_if_empty()
    assert pathlib.Path(run_dir.path).exists() != empty


def test_checkpoint_holds_all_that_training_moves(run_dir: RunDir) -> None:
    x = np.random.default_rng(0).random([9, 4, 3, 1]).astype(np.float32)
    model = build.build_model(_config(), SPEC)
    model.fit(x, batch_size=4, epochs=2, verbose=0, shuffle=False)
    more = tf.Variable(2.5)
    run_dir.checkpoints(model, more=more).save(6)
    other, other_more = build.build_model(_config(), SPEC), tf.Variable(0.0)
    checkpoints = run_dir.checkpoints(other, more=other_more)
    assert checkpoints.newest_whole() == 6
    checkpoints.restore(6)
    assert float(other_more) == 2.5
    assert int(other.train_step_count) == 6
    assert int(other.optimizer.iterations) == 6
    for m in (model, other):
        m.fit(x, batch_size=4, epochs=1, verbose=0, shuffle=False)
    for one, two in zip(
        (*model.variables, *model.optimizer.variables),
        (*other.variables, *other.optimizer.variables),
        strict=True,
    ):
        assert one.numpy().tobytes() == two.numpy().tobytes()
