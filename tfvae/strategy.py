"""From a name to a tf.distribute strategy."""

from collections.abc import Callable

import tensorflow as tf

from tfvae.errors import InputError


def split_cpu(num_devices: int) -> None:
    """Splits the CPU into logical devices, before TensorFlow first uses it.

    Raises:
      InputError: TensorFlow has used the CPU already.
    """
    cpu = tf.config.list_physical_devices("CPU")[0]
    device = tf.config.LogicalDeviceConfiguration()
    try:
        tf.config.set_logical_device_configuration(cpu, [device] * num_devices)
    except RuntimeError as error:
        raise InputError(
            f"`num_virtual_devices`={num_devices} comes too late: TensorFlow "
            "has used the CPU already; set it first."
        ) from error


def make_strategy(name: str) -> tf.distribute.Strategy:
    """Returns the strategy of that name; see `STRATEGIES`.

    Raises:
      KeyError: no strategy has that name.
    """
    return STRATEGIES[name]()


def _one_device() -> tf.distribute.Strategy:
    return tf.distribute.get_strategy()


def _mirrored() -> tf.distribute.Strategy:
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    devices = tf.config.list_logical_devices(kind)
    if len(devices) == 1:  # nothing to mirror, and XLA cannot cross a replica
        return _one_device()
    return tf.distribute.MirroredStrategy([device.name for device in devices])


STRATEGIES: dict[str, Callable[[], tf.distribute.Strategy]] = {
    "one_device": _one_device,
    "mirrored": _mirrored,
}
