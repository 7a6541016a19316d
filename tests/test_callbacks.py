"""What happens between epochs: rows, weights, checkpoints, stopping."""

import pathlib
import re
import signal
from typing import Any

import numpy as np
import pytest

from tfvae import build, callbacks, resolve
from tfvae.config import Config
from tfvae.data.spec import DataSpec
from tfvae.errors import TrainingError
from tfvae.recorder import Recorder
from tfvae.run_dir import RunDir
from tfvae.vae import VAE

SPEC = DataSpec((6,), None, "real")
X = np.random.default_rng(0).normal(size=[11, 6]).astype(np.float32)
STEPS = 3  # batches of 4, 4 and 3


def _model() -> VAE:
    config = Config(
        hidden_units=(5,), latent_dim=2, epochs=4,
        learning_rate_schedule="constant", learning_rate=0.01,
    )  # fmt: skip
    config = resolve.resolve(config, SPEC, num_examples=11, num_replicas=1)
    return build.build_model(config, SPEC)


def _recorder(path: pathlib.Path, model: VAE | None = None) -> Any:
    recorder = Recorder(
        model or _model(),
        RunDir(str(path)),
        num_examples=11,
        steps_per_epoch=STEPS,
    )
    recorder.set_model(model)
    return recorder


def _fit(model: VAE, *more: Any, epochs: int = 2) -> Any:
    return model.fit(
        X, batch_size=4, epochs=epochs, validation_data=(X[:5],),
        shuffle=False, callbacks=list(more), verbose=0,
    )  # fmt: skip


def test_rows_are_what_keras_logs_and_the_rest(tmp_path: pathlib.Path) -> None:
    model = _model()
    recorder = _recorder(tmp_path, model)
    history = _fit(model, recorder).history
    rows = RunDir(str(tmp_path)).read_rows()
    assert rows == recorder.rows
    assert [row["epoch"] for row in rows] == [1, 2]
    names = ("loss", "elbo", "log_likelihood", "kl", "val_elbo", "val_mse")
    for row, index in zip(rows, range(2), strict=True):
        for name in names:
            assert row[name] == pytest.approx(history[name][index], rel=1e-7)
        assert row["learning_rate"] == pytest.approx(0.01)
        assert row["images_per_second"] * row["seconds"] == pytest.approx(11)
    assert rows[-1]["C"] == model.likelihood.current_C()
    assert rows[0]["C"] != rows[1]["C"]


def test_checkpoint_is_written_last(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the checkpoint claims is done must be on disk before it is.
    model = _model()
    recorder = _recorder(tmp_path, model)
    recorder.rows = [{"epoch": 1, "val_elbo": 1.0}]
    order: list[str] = []
    original = recorder.run_dir.write
    monkeypatch.setattr(
        recorder.run_dir,
        "write",
        lambda name, write: (order.append(name), original(name, write)),
    )
    monkeypatch.setattr(
        recorder.checkpoints, "save", lambda step: order.append(f"ckpt {step}")
    )
    model.train_step_count.assign(6)
    recorder.epoch_seconds.assign(2.0)
    recorder.on_epoch_end(1, {"val_elbo": 0.5})
    last, rows = "weights/last.npz", "metrics.jsonl"
    assert order == [last, rows, "ckpt 6"]
    order.clear()
    model.train_step_count.assign(9)
    recorder.on_epoch_end(2, {"val_elbo": 1.5})
    assert order == ["weights/best.npz", last, rows, "ckpt 9"]
    assert recorder.best_epoch() == 3


@pytest.mark.parametrize(
    ("values", "best"),
    [([], 0), ([-3.0], 1), ([-3.0, -1.0, -2.0], 2), ([-1.0, -1.0], 1)],
)
def test_best_epoch_is_the_first_of_the_highest_val_elbo(
    tmp_path: pathlib.Path, values: list[float], best: int
) -> None:
    recorder = _recorder(tmp_path)
    recorder.rows = [
        {"epoch": n, "val_elbo": value, "elbo": -value}
        for n, value in enumerate(values, 1)
    ]
    assert recorder.best_epoch() == best


@pytest.mark.parametrize(
    ("values", "best", "since"),
    [
        ([9.0], 1, 0),  # none counts yet: the best of what there is
        ([9.0, 8.0], 1, 0),
        ([9.0, 8.0, 1.0], 3, 0),  # the first that counts
        ([9.0, 8.0, 1.0, 0.0, 2.0, 1.0, 0.5], 5, 2),
    ],
)
def test_epochs_of_warm_up_are_never_the_best(
    tmp_path: pathlib.Path, values: list[float], best: int, since: int
) -> None:
    recorder = _recorder(tmp_path)
    recorder.counts = lambda epoch: epoch > 2
    recorder.rows = [
        {"epoch": n, "val_elbo": value} for n, value in enumerate(values, 1)
    ]
    assert recorder.best_epoch() == best
    assert recorder.epochs_since_best() == since


def test_saves_are_as_far_apart_as_asked(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _model()
    recorder = _recorder(tmp_path, model)
    recorder.save_seconds = 1e9
    saved: list[int] = []
    monkeypatch.setattr(recorder.checkpoints, "save", saved.append)
    _fit(model, recorder, epochs=3)
    assert saved == [3 * STEPS]  # at the end only
    assert len(RunDir(str(tmp_path)).read_rows()) == 3
    with np.load(tmp_path / "weights" / "last.npz") as last:
        np.testing.assert_array_equal(
            last["decoder/000/kernel"], model.decoder.variables[0]
        )
    recorder.save_rest()
    assert len(saved) == 1
    recorder.save_seconds = 0.0
    _fit(model, recorder, epochs=2)
    assert saved[1:] == [4 * STEPS, 5 * STEPS]


@pytest.mark.slow
def test_recorder_goes_on_from_the_last_checkpoint(
    tmp_path: pathlib.Path,
) -> None:
    model = _model()
    recorder = _recorder(tmp_path, model)
    assert (recorder.first_step, recorder.rows) == (0, [])
    _fit(model, recorder)
    # A row that was written, while its checkpoint was not, is not counted.
    extra = [*recorder.rows, {"epoch": 3, "val_elbo": 0.0}]
    RunDir(str(tmp_path)).write_rows(extra)
    resumed = _recorder(tmp_path)
    assert resumed.first_step == 2 * STEPS
    assert resumed.rows == recorder.rows


@pytest.mark.parametrize(
    ("patience", "values", "due"),
    [
        (0, [3.0, 2.0, 1.0, 0.0], False),
        (2, [], False),
        (2, [3.0, 2.0], False),
        (2, [3.0, 2.0, 1.0], True),
        (2, [1.0, 2.0, 3.0], False),
        (2, [3.0, 2.0, 4.0, 1.0, 0.0], True),
        (3, [3.0, 2.0, 4.0, 1.0, 0.0], False),
    ],
)
def test_stop_early_counts_epochs_since_the_best(
    tmp_path: pathlib.Path, patience: int, values: list[float], due: bool
) -> None:
    model = _model()
    recorder = _recorder(tmp_path, model)
    recorder.rows = [
        {"epoch": n, "val_elbo": value} for n, value in enumerate(values, 1)
    ]
    early = callbacks.StopEarly(recorder, patience)
    early.set_model(model)
    model.stop_training = False
    assert early.is_due() == due
    early.on_epoch_end(len(values))
    assert model.stop_training == due


@pytest.mark.parametrize(
    ("quantity", "step", "num_rows", "told"),
    [
        ("kl", 0, 0, "kl is not finite at step 0 (epoch 1); no epoch was "
         "finished; try a lower --learning_rate."),
        ("gradient", 2, 0, "gradient is not finite at step 2 (epoch 1); no "
         "epoch was finished; try a lower --learning_rate."),
        ("loss", 7, 2, "loss is not finite at step 7 (epoch 3); the weights "
         "of epoch 2 are in {}/weights; try a lower --learning_rate."),
    ],
)  # fmt: skip
def test_fault_is_told_with_quantity_step_and_epoch(
    tmp_path: pathlib.Path, quantity: str, step: int, num_rows: int, told: str
) -> None:
    model = _model()
    recorder = _recorder(tmp_path, model)
    recorder.rows = [{"epoch": n + 1} for n in range(num_rows)]
    stop = callbacks.StopOnFault(recorder)
    stop.set_model(model)
    stop.on_train_batch_end(0)  # nothing is wrong yet
    model.faults.first_step.assign(step)
    names = ("log_likelihood", "kl", "loss", "gradient")
    model.faults.quantity.assign(names.index(quantity))
    with pytest.raises(TrainingError, match=re.escape(told.format(tmp_path))):
        stop.on_train_batch_end(0)


def test_fault_keeps_the_last_good_weights(tmp_path: pathlib.Path) -> None:
    model = _model()
    recorder = _recorder(tmp_path, model)
    stop = callbacks.StopOnFault(recorder)
    _fit(model, stop, recorder, epochs=1)
    before = (tmp_path / "weights" / "last.npz").read_bytes()
    bad = X.copy()
    bad[5, 2] = np.nan  # in the second batch of the epoch: step 4
    with pytest.raises(
        TrainingError, match=r"log_likelihood is not finite at step 4 "
        r"\(epoch 2\); the weights of epoch 1 are in ",
    ):  # fmt: skip
        model.fit(
            bad, batch_size=4, initial_epoch=1, epochs=2, shuffle=False,
            callbacks=[stop, recorder], verbose=0,
        )  # fmt: skip
    assert (tmp_path / "weights" / "last.npz").read_bytes() == before
    assert recorder.checkpoints.newest_whole() == STEPS


def test_figure_of_validation_that_is_not_finite_is_told(
    tmp_path: pathlib.Path,
) -> None:
    model = _model()
    recorder = _recorder(tmp_path, model)
    recorder.epoch_seconds.assign(2.0)
    with pytest.raises(
        TrainingError,
        match="val_kl is not finite after epoch 1; no epoch was finished; try "
        "a lower --learning_rate",
    ):
        recorder.on_epoch_end(0, {"val_elbo": -1.0, "val_kl": float("inf")})
    assert not (tmp_path / "metrics.jsonl").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("count", "saves"), [(4, [4]), (5, [5]), (6, []), (3, [])]
)
def test_signal_saves_within_an_epoch_only(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    count: int,
    saves: list[int],
) -> None:
    model = _model()
    recorder = _recorder(tmp_path, model)
    saved: list[int] = []
    monkeypatch.setattr(recorder.checkpoints, "save", saved.append)
    before = signal.getsignal(number)
    with callbacks.StopOnSignal(recorder) as stop:
        stop.set_model(model)
        model.train_step_count.assign(count)
        stop.on_train_batch_end(0)
        stop.on_epoch_end(0)  # no signal: nothing happens
        assert signal.getsignal(number) != before
        signal.raise_signal(number)
        assert signal.getsignal(number) == before  # a second one acts at once
        if saves:
            with pytest.raises(callbacks.Interrupted, match=number.name):
                stop.on_train_batch_end(0)
        else:  # the epoch is saved, by the recorder or by now
            stop.on_train_batch_end(0)
            assert saved == []
            with pytest.raises(callbacks.Interrupted, match=number.name):
                stop.on_epoch_end(0)
    assert saved == [count]
    assert signal.getsignal(number) == before


def test_throughput_leaves_out_the_epoch_that_compiles() -> None:
    rows = [{"seconds": seconds} for seconds in (9.0, 0.5, 1.5)]
    assert callbacks.throughput(rows, 100) == 100.0  # 2 * 100 / 2 s
    assert callbacks.throughput(rows[:2], 100) == 200.0
    assert callbacks.throughput(rows[:1], 90) == 10.0
