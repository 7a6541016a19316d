"""From a name to a strategy; splitting the CPU."""

import pytest
import tensorflow as tf

from tfvae import strategy
from tfvae.errors import InputError
from tfvae.flags import LAUNCH_FIELDS
from tfvae.settings import rule_of


def test_flag_offers_the_strategies_that_there_are() -> None:
    words = rule_of(LAUNCH_FIELDS["strategy"]).words
    assert set(words) == set(strategy.STRATEGIES)


def test_one_device_is_one_replica() -> None:
    made = strategy.make_strategy("one_device")
    assert made.num_replicas_in_sync == 1
    assert made is tf.distribute.get_strategy()


def test_mirrored_takes_every_logical_cpu_where_there_is_no_gpu() -> None:
    if tf.config.list_logical_devices("GPU"):
        pytest.skip("there is a GPU")
    made = strategy.make_strategy("mirrored")
    assert isinstance(made, tf.distribute.MirroredStrategy)
    assert made.num_replicas_in_sync == 4  # as conftest.py split it
    devices = {name[-5:] for name in made.extended.worker_devices}
    assert devices == {"CPU:0", "CPU:1", "CPU:2", "CPU:3"}


def test_mirrored_takes_the_gpus_where_there_are_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def logical_devices(kind: str) -> list[tf.config.LogicalDevice]:
        number = {"GPU": 3, "CPU": 5}[kind]
        return [
            tf.config.LogicalDevice(f"/device:{kind}:{n}", kind)
            for n in range(number)
        ]

    monkeypatch.setattr(tf.config, "list_logical_devices", logical_devices)
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", asked.append)
    strategy.make_strategy("mirrored")
    assert asked == [["/device:GPU:0", "/device:GPU:1", "/device:GPU:2"]]


def test_mirrored_over_one_device_is_no_strategy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # XLA cannot compile a step across a replica, be it the only one.
    one = [tf.config.LogicalDevice("/device:CPU:0", "CPU")]
    monkeypatch.setattr(
        tf.config, "list_logical_devices", lambda kind: one * (kind == "CPU")
    )
    made = strategy.make_strategy("mirrored")
    assert made is tf.distribute.get_strategy()


def test_unknown_name_is_refused() -> None:
    with pytest.raises(KeyError, match="horovod"):
        strategy.make_strategy("horovod")


def test_split_cpu_that_comes_too_late_is_refused() -> None:
    tf.config.list_logical_devices()
    with pytest.raises(
        InputError,
        match=r"`num_virtual_devices`=3 comes too late: TensorFlow has used "
        r"the CPU already; set it first\.",
    ):
        strategy.split_cpu(3)
