"""Which steps are traced, to what time is ascribed, and what is written."""

import json
import pathlib
import types
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tfvae import build, resolve
from tfvae.config import Config
from tfvae.data.spec import DataSpec
from tfvae.folder import Folder
from tfvae.profiling import clock
from tfvae.profiling.profile import Profile
from tfvae.vae import VAE

STEPS = 6
SPEC = DataSpec((6,), None, "real")
X = np.random.default_rng(0).normal(size=[11, 6]).astype(np.float32)


class World:
    """A loop, a clock and a profiler: all that a profile sees of a run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.log = 0.0, list[str]()
        self.count = tf.Variable(0, dtype=tf.int64)
        watch = types.SimpleNamespace(perf_counter=lambda: self.now)
        monkeypatch.setattr(clock, "time", watch)
        profiler = tf.profiler.experimental
        monkeypatch.setattr(profiler, "start", lambda _: self._note("start"))
        monkeypatch.setattr(profiler, "stop", lambda: self._note("stop"))

    def _note(self, event: str) -> None:
        self.log.append(event)
        self.now += 1000  # of no account

    def run(self, profile: Profile, *, first: int, last: int, num: int) -> None:
        """Runs epochs [first, last), `num` steps an execution.

        A step takes 1 s, the other callbacks 0.25 s after an execution and 30 s
        after an epoch, validation 7 s, what begins an epoch 500 s.
        """
        slow = tf_keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda *_: self._spend(500),
            on_batch_end=lambda *_: self._spend(0.25),
            on_epoch_end=lambda *_: self._spend(30),
        )
        slow.on_train_batch_end = slow.on_batch_end
        told = profile.around([slow])
        for callback in told:
            callback.model = types.SimpleNamespace(train_step_count=self.count)
        for epoch in range(first, last):
            for callback in told:
                callback.on_epoch_begin(epoch)
            for end in range(num, STEPS + num, num):
                steps = min(num, STEPS - end + num)
                self.count.assign_add(steps)
                self.log.append(str(int(self.count.numpy())))
                self.now += steps
                for callback in told:
                    callback.on_train_batch_end(end - 1)
            self.now += 7
            for callback in told:
                callback.on_epoch_end(epoch)

    def _spend(self, seconds: float) -> None:
        self.now += seconds


def _profile(folder: pathlib.Path, num_epochs: int) -> Profile:
    return Profile(
        Folder(str(folder)), num_examples=11, steps_per_epoch=STEPS,
        num_epochs=num_epochs,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("epochs", "num", "most", "log"),
    [
        ((0, 3), 4, 200, "4 6 start 10 12 stop 16 18"),  # the second epoch
        ((0, 3), 4, 3, "4 6 start 10 stop 12 16 18"),  # no more than that
        ((4, 6), 4, 200, "4 6 start 10 12 stop"),  # resumed: it compiles anew
        ((0, 1), 2, 200, "2 4 start 6 stop"),  # the second half of the only one
        ((4, 5), 4, 200, "4 start 6 stop"),
    ],
)
def test_traced_is_what_follows_the_compiling_epoch(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    epochs: tuple[int, int],
    num: int,
    most: int,
    log: str,
) -> None:
    monkeypatch.setattr("tfvae.profiling.profile.MOST_TRACED_STEPS", most)
    world = World(monkeypatch)
    profile = _profile(tmp_path, epochs[1])
    world.run(profile, first=epochs[0], last=epochs[1], num=num)
    assert " ".join(world.log) == log


def test_time_is_ascribed_to_who_took_it(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tfvae.profiling.profile.MOST_TRACED_STEPS", 3)
    world = World(monkeypatch)
    profile = _profile(tmp_path, 3)
    world.run(profile, first=0, last=3, num=4)
    accounts = {
        part: vars(account) for part, account in profile.clock.accounts.items()
    }
    assert accounts[clock.TRACED] == {
        "steps": 4, "epochs": 0, "stepping": 4.0, "between": 0.25,
        "validation": 0.0, "closing": 0.0,
    }  # fmt: skip
    assert accounts[clock.TIMED] == {  # the rest of one epoch, all of another
        "steps": 8, "epochs": 2, "stepping": 8.0, "between": 0.75,
        "validation": 14.0, "closing": 60.0,
    }  # fmt: skip


def test_one_execution_is_no_profile(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(monkeypatch)
    profile = _profile(tmp_path, 1)
    world.run(profile, first=0, last=1, num=STEPS)
    assert world.log == ["6"]
    assert "give more --epochs" in profile.write()
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_profiled_run_is_the_same_run(tmp_path: pathlib.Path) -> None:
    weights = {}
    for name in ("plain", "profiled"):
        config = Config(hidden_units=(5,), latent_dim=2, epochs=3)
        config = resolve.resolve(config, SPEC, num_examples=11, num_replicas=1)
        model = build.build_model(config, SPEC)
        profile = Profile(
            Folder(str(tmp_path)), num_examples=11, steps_per_epoch=3,
            num_epochs=3,
        )  # fmt: skip
        _fit(model, profile.around([]) if name == "profiled" else [])
        weights[name] = [v.numpy() for v in model.learning_variables()]
    for one, other in zip(weights["plain"], weights["profiled"], strict=True):
        np.testing.assert_array_equal(one, other)
    text = profile.write()
    assert "trace of 3 steps" in text
    traces = tmp_path.glob("tensorboard/plugins/profile/*/*.xplane.pb")
    assert len(list(traces)) == 1
    written = json.loads((tmp_path / "profile.json").read_text())
    seconds = written["epoch_seconds"]
    assert 0 < seconds["compute"] < seconds["steps"]
    assert seconds["input"] is not None  # the steps take batches of tf.data
    assert min(seconds.values()) >= 0
    # 6-5, and 5-2 twice, 2-5-6 from z: two for each weight and pass
    assert written["flops_per_image"] == 2 * (2 * 30 + 3 * (20 + 10 + 30))
    assert written["flops_per_second"] == pytest.approx(
        240 * 2 * written["images_per_second"]
    )
    assert "MatMul" in " ".join(written["kernel_shares"])


def _fit(model: VAE, told: list[Any]) -> None:
    data = tf.data.Dataset.from_tensor_slices(X).batch(4)
    model.fit(data, epochs=3, validation_data=(X[:5],), callbacks=told,
              verbose=0)  # fmt: skip
