"""From a process and its flags to a place in a job, and the job's settings."""

import dataclasses
from typing import TYPE_CHECKING, Any

from tfvae import cluster, flags, program
from tfvae.config import Config
from tfvae.errors import InputError

if TYPE_CHECKING:  # TensorFlow takes seconds to load, and --help must not wait
    import tensorflow as tf

MULTI_WORKER = "multi_worker"
ALONE = {  # flags of a process alone, and why
    "num_virtual_devices": "a worker has one CPU; start more workers",
    "profile": "it looks at one process; profile a run of one",
}


def job_of(launch: flags.Launch) -> cluster.Cluster | None:
    """Returns the job that this process is a worker of; None: it is alone.

    Args:
      launch: how it was started.

    Raises:
      InputError: it should be in a job, and is told of none, or of what no
        worker can do.
    """
    if launch.strategy != MULTI_WORKER:
        return None
    for name, reason in ALONE.items():
        if getattr(launch, name):
            raise InputError(
                f"`{name}` cannot be with `strategy` multi_worker: {reason}."
            )
    return cluster.from_environment()


def join(
    job: cluster.Cluster,
    *,
    given: dict[str, Any],
    config: Config,
    timeout: int,
) -> tuple["tf.distribute.Strategy", Config]:
    """Meets the other workers, before TensorFlow first uses a device.

    Args:
      job: all of them.
      given: the settings that this one was given; equal on all.
      config: the run's, as this one knows them.
      timeout: seconds to wait for the others.

    Returns:
      strategy: to train under.
      config: the chief's.

    Raises:
      InputError: they were given other settings.
      LostWorkerError: not all came.
    """
    from tfvae import rendezvous, strategy

    settings = rendezvous.meet(
        job,
        given=given,
        settings=dataclasses.asdict(config),
        timeout=timeout,
    )
    if len(job.addresses) == 1:
        return strategy.make_strategy("mirrored"), Config(**settings)
    with program.quiet_start():
        made = strategy.multi_worker(job, timeout=timeout)
    return made, Config(**settings)
