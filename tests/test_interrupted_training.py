"""Training in process that is interrupted or dies goes on to the same end."""

import json
import os
import pathlib
import signal
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.runs import assert_same_run, rows_of
from tests.tiny_train import NUM_TRAIN, TINY, train
from tfvae import program
from tfvae import recorder as recorder_lib
from tfvae.recorder import Recorder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Folder of a run that nothing disturbed."""
    path = tmp_path_factory.mktemp("runs") / "finished"
    assert train(path, *TINY) == 0
    return path


def _signal_at_step(
    monkeypatch: pytest.MonkeyPatch, number: int, step: int
) -> None:
    """Sends this process a signal once, as that step ends."""
    original = Recorder.on_train_batch_end
    sent = []

    def on_train_batch_end(self: Any, batch: int, logs: Any = None) -> None:
        original(self, batch, logs)
        if int(self.model.train_step_count.numpy()) == step and not sent:
            sent.append(step)
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Recorder, "on_train_batch_end", on_train_batch_end)


@pytest.mark.parametrize(
    ("number", "step", "status"),
    [
        pytest.param(
            signal.SIGINT, 6, 130, id="ctrl_c", marks=pytest.mark.slow
        ),
        pytest.param(
            signal.SIGTERM, 7, 143, id="sigterm", marks=pytest.mark.slow
        ),
        pytest.param(
            signal.SIGINT, 8, 130, id="epoch_end", marks=pytest.mark.slow
        ),
    ],
)
def test_interrupted_run_goes_on_to_the_same_end(
    finished: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: int,
    step: int,
    status: int,
) -> None:
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    _signal_at_step(monkeypatch, number, step)
    assert train(tmp_path, *TINY) == status
    name = signal.Signals(number).name
    out = capsys.readouterr().out
    assert f"stopped by {name}; all that was learned is saved." in out
    go_on = f"  python -m tfvae.train --run_dir={tmp_path}"
    assert out.splitlines()[-1] == go_on
    # An epoch that is trained to its end is validated by the next command.
    assert len(rows_of(tmp_path)) == (step - 1) // 4
    assert not (tmp_path / "result.json").exists()
    assert handlers == [
        signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)
    ]
    assert train(tmp_path) == 0
    assert_same_run(finished, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_interrupted_in_validation_goes_on_to_the_same_end(
    finished: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
) -> None:
    original = Recorder.on_test_begin
    begun: list[int] = []

    def on_test_begin(self: Any, logs: Any = None) -> None:
        original(self, logs)
        begun.append(len(self.rows))
        if len(begun) == 2:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Recorder, "on_test_begin", on_test_begin)
    assert (
        train(tmp_path, *TINY)
        == program.STATUS_OF_SIGNAL[signal.Signals(number).name]
    )
    # The epoch is trained and saved; it has no row yet.
    assert begun == [0, 1]
    assert len(rows_of(tmp_path)) == 1
    steps = 4
    assert (tmp_path / "checkpoints" / f"ckpt-{2 * steps}.json").exists()
    assert train(tmp_path) == 0
    assert begun == [0, 1, 1, 2]
    assert_same_run(tmp_path, finished)


@pytest.mark.slow
def test_interrupted_epoch_counts_its_time_once(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(np.arange(0.0, 1000.0).tolist())
    ticks = types.SimpleNamespace(perf_counter=lambda: next(clock))
    monkeypatch.setattr(recorder_lib, "time", ticks)
    _signal_at_step(monkeypatch, signal.SIGINT, 2)
    flags = (*TINY, "--epochs=1")
    assert train(tmp_path, *flags) == 130
    assert train(tmp_path) == 0
    row = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert row["seconds"] == 4.0  # a tick a step, two before and two after
    assert row["images_per_second"] == NUM_TRAIN / 4.0


@pytest.mark.slow
def test_ctrl_c_while_finishing_tells_how_to_go_on(
    finished: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from tfvae import figures

    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(figures, "make_figures", interrupted)
        assert train(tmp_path, *TINY) == 130
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"  python -m tfvae.train --run_dir={tmp_path}"
    assert not (tmp_path / "result.json").exists()
    assert train(tmp_path) == 0
    assert_same_run(finished, tmp_path)
    ours, theirs = (
        json.loads((path / "result.json").read_text())
        for path in (tmp_path, finished)
    )
    assert ours["test"] == theirs["test"]


class _Killed(BaseException):
    """Stands for SIGKILL: nothing of ours catches it."""


def _count_writes(
    monkeypatch: pytest.MonkeyPatch, at: int, *, late: bool
) -> Callable[[], int]:
    """Dies at the `at`-th write, within it or (`late`) after its rename."""
    from tfvae import run_dir as run_dir_lib

    original = run_dir_lib.RunDir.write
    count = 0

    def write(self: Any, name: str, write_fn: Callable[..., Any]) -> None:
        nonlocal count
        count += 1
        if count == at and not late:

            def write_half(file: Any) -> None:
                write_fn(file)
                file.truncate(file.tell() // 2)
                file.flush()
                raise _Killed

            original(self, name, write_half)
        original(self, name, write_fn)
        if count == at:
            raise _Killed

    monkeypatch.setattr(run_dir_lib.RunDir, "write", write)
    return lambda: count


# Writes: probe, data, config; each epoch best, last, rows and, in the first and
# last, what TensorBoard shows; figures, result.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("at", "late"),
    [(at, at % 2 == 0) for at in (1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 17, 18)]
    + [(1, True), (4, False), (18, False)],
)
def test_death_at_any_write_loses_nothing(
    finished: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    at: int,
    late: bool,
) -> None:
    with monkeypatch.context() as patch:
        count = _count_writes(patch, at, late=late)
        with pytest.raises(_Killed):
            train(tmp_path, *TINY)
        assert count() == at
    assert train(tmp_path, *TINY) == 0
    assert_same_run(finished, tmp_path)
    assert (tmp_path / "result.json").exists()
    names = [entry.name for entry in tmp_path.rglob("*")]
    assert not [name for name in names if "partial" in name]


@pytest.mark.slow
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_death_around_a_checkpoint_loses_at_most_an_epoch(
    finished: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    done: bool,
) -> None:
    original = Recorder.save

    def save(self: Any) -> None:
        dies = int(self.model.train_step_count.numpy()) == 8
        if done or not dies:
            original(self)
        if dies:
            raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "save", save)
        with pytest.raises(_Killed):
            train(tmp_path, *TINY)
    assert len(rows_of(tmp_path)) == 2
    assert train(tmp_path) == 0
    assert_same_run(finished, tmp_path)
