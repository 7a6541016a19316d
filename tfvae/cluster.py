"""Which processes train together, as their environment tells each of them."""

import dataclasses
import json
import os
import re
from collections.abc import Callable, Mapping

from tfvae.errors import InputError

PORT = 8471  # where nothing names another
ADDRESS = re.compile(r"[^\s/:]+:[0-9]{1,5}|\[[0-9a-fA-F:.]+\]:[0-9]{1,5}")
# What TF_CONFIG may call a process that trains, in the order of their ranks.
TRAINING = ("chief", "worker")

Environment = Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The workers of a job, of which the first is the chief.

    Attributes:
      addresses: host:port of each.
      index: this process's place among them.
    """

    addresses: tuple[str, ...]
    index: int

    def __post_init__(self) -> None:
        for address in self.addresses:
            port = int(address.rpartition(":")[2] or 0)
            if not ADDRESS.fullmatch(address) or not 0 < port < 2**16:
                raise InputError(f"worker address {address!r} is no host:port.")
        if len(set(self.addresses)) < len(self.addresses):
            raise InputError(
                f"two workers have one address: {', '.join(self.addresses)}."
            )
        if not 0 <= self.index < len(self.addresses):
            raise InputError(
                f"this is worker {self.index} of a job of "
                f"{len(self.addresses)}, numbered from 0."
            )

    @property
    def is_chief(self) -> bool:
        """Whether this process reads and writes the run folder."""
        return self.index == 0


def from_environment(environment: Environment = os.environ) -> Cluster:
    """Returns the job that this process belongs to.

    The first that is there of: TF_CONFIG (as tfvae.launch sets it), an indexed
    job of Kubernetes (JOB_COMPLETION_INDEX), a job step of Slurm (under srun).

    Args:
      environment: variables of the process.

    Raises:
      InputError: none is there, or one that cannot be used.
    """
    for name, read in RESOLVERS.items():
        if name in environment:
            try:
                return read(environment)
            except InputError as error:
                raise InputError(f"{name}: {error}") from error
    raise InputError(
        "`strategy` multi_worker must be told of the other workers, by "
        f"{', '.join(RESOLVERS)}; to start workers on this machine: "
        "python -m tfvae.launch --workers=N -- FLAGS."
    )


def tf_config(addresses: tuple[str, ...], index: int) -> str:
    """Returns the TF_CONFIG of one worker.

    Args:
      addresses: host:port of each worker.
      index: of the one that is told.
    """
    return json.dumps({
        "cluster": {"worker": list(addresses)},
        "task": {"type": "worker", "index": index},
    })  # fmt: skip


def _from_tf_config(environment: Environment) -> Cluster:
    """Reads {"cluster": {job: [address]}, "task": {"type": job, "index": i}}."""
    try:
        content = json.loads(environment["TF_CONFIG"])
        jobs, task = content["cluster"], content["task"]
        addresses = [str(a) for job in TRAINING for a in jobs.get(job, [])]
        kind, index = task["type"], int(task["index"])
        others = set(jobs) - set(TRAINING)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            'it must be JSON like {"cluster": {"worker": ["host:port", ...]}, '
            f'"task": {{"type": "worker", "index": 0}}}}; got '
            f"{environment['TF_CONFIG']!r}."
        ) from error
    if others or kind not in TRAINING:
        odd = sorted(others or {str(kind)})[0]
        raise InputError(
            f"jobs must be {' and '.join(TRAINING)}; got {odd!r}."
        )
    before = len(jobs.get("chief", [])) if kind == "worker" else 0
    return Cluster(tuple(addresses), before + index)


def _from_kubernetes(environment: Environment) -> Cluster:
    """Reads an indexed job's pods: each has a name made from its index."""
    names = ("TFVAE_NUM_WORKERS", "TFVAE_WORKER_HOST")
    missing = [name for name in names if name not in environment]
    if missing:
        raise InputError(
            f"{missing[0]} must be set, too: the number of workers, and the "
            "host of each with {index} in its place, as in train-{index}.train."
        )
    host = environment["TFVAE_WORKER_HOST"]
    num = _whole(environment, "TFVAE_NUM_WORKERS")
    port = _port(environment)
    if "{index}" not in host and num > 1:
        raise InputError(f"TFVAE_WORKER_HOST {host!r} must hold {{index}}.")
    return Cluster(
        tuple(f"{host.replace('{index}', str(i))}:{port}" for i in range(num)),
        _whole(environment, "JOB_COMPLETION_INDEX"),
    )


def _from_slurm(environment: Environment) -> Cluster:
    """Reads a job step of Slurm, by TensorFlow's resolver."""
    from tensorflow.distribute.cluster_resolver import SlurmClusterResolver

    port = _port(environment)
    num = _whole(environment, "SLURM_STEP_NUM_TASKS")
    try:
        # Slurm gives each task its GPUs; the resolver fails where there are
        # none, so it is told of one a task and does nothing with them.
        resolver = SlurmClusterResolver(
            port_base=port, gpus_per_node=num, gpus_per_task=1,
            auto_set_gpu=False,
        )  # fmt: skip
        spec = resolver.cluster_spec()
    except (RuntimeError, ValueError, KeyError) as error:
        raise InputError(f"no job step of Slurm: {error}.") from error
    return Cluster(tuple(spec.job_tasks("worker")), resolver.task_id)


def _port(environment: Environment) -> int:
    given = "TFVAE_PORT" in environment
    return _whole(environment, "TFVAE_PORT") if given else PORT


def _whole(environment: Environment, name: str) -> int:
    text = environment[name]
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise InputError(f"{name} must be a whole number; got {text!r}.")
    return int(text)


RESOLVERS: dict[str, Callable[[Environment], Cluster]] = {
    "TF_CONFIG": _from_tf_config,
    "JOB_COMPLETION_INDEX": _from_kubernetes,
    "SLURM_STEP_NUM_TASKS": _from_slurm,
}
