"""Which processes train together, as their environment tells each of them."""

import dataclasses
import itertools
import json
import math
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from tfvae.errors import InputError

PORT = 8471  # where nothing names another
HOST = r"[\w-]{1,63}(\.[\w-]{1,63})*\.?|\[[0-9a-f:.]+\]"
ADDRESS = re.compile(f"({HOST}):[0-9]{{1,5}}", re.ASCII | re.IGNORECASE)
MOST = 2**16 - 1  # of any number: ports, workers
RANGE = "[0-9]{1,9}(-[0-9]{1,9})?"
NAMES = rf"([\w.-]|\[{RANGE}(,{RANGE})*\])+"
NODES = re.compile(f"{NAMES}(,{NAMES})*")
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
            if not ADDRESS.fullmatch(address) or not _is_port(address):
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
    """Reads a cluster, {job: [address]}, and the task that this one is."""
    text = environment["TF_CONFIG"]
    try:
        content = json.loads(text)
        jobs, task = content["cluster"], content["task"]
        of_job = {job: list(jobs.get(job, [])) for job in TRAINING}
        others = sorted(set(jobs) - set(TRAINING))
        kind, index = str(task["type"]), _whole(task["index"], "index")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            'it must be JSON like {"cluster": {"worker": ["host:port", ...]}, '
            f'"task": {{"type": "worker", "index": 0}}}}; got {text[:200]!r}.'
        ) from error
    except RecursionError as error:
        raise InputError("it is nested too deeply.") from error
    if others or kind not in TRAINING:
        odd = [*others, kind][0]
        raise InputError(f"jobs must be {' and '.join(TRAINING)}; got {odd!r}.")
    if index >= len(of_job[kind]):
        raise InputError(
            f"this is {kind} {index} of {len(of_job[kind])}, numbered from 0."
        )
    before = len(of_job["chief"]) if kind == "worker" else 0
    addresses = [str(a) for job in TRAINING for a in of_job[job]]
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
    num = _read(environment, "TFVAE_NUM_WORKERS")
    port = _port(environment)
    if "{index}" not in host and num > 1:
        raise InputError(f"TFVAE_WORKER_HOST {host!r} must hold {{index}}.")
    return Cluster(
        tuple(f"{host.replace('{index}', str(i))}:{port}" for i in range(num)),
        _read(environment, "JOB_COMPLETION_INDEX"),
    )


def _from_slurm(environment: Environment) -> Cluster:
    """Reads a job step of Slurm, whose tasks fill one node after the other.

    Not by TensorFlow's resolver: it sorts the nodes by name, n10 before n2,
    which Slurm does not, and would look for workers where they are not.
    """
    names = (
        "SLURM_STEP_NODELIST", "SLURM_STEP_TASKS_PER_NODE",
        "SLURM_PROCID", "SLURM_NODEID", "SLURM_LOCALID",
    )  # fmt: skip
    for name in names:
        if name not in environment:
            raise InputError(f"{name} must be set, too, as srun does.")
    nodes, tasks = (environment[name] for name in names[:2])
    rank, *place = (_read(environment, name) for name in names[2:])
    hosts, counts = _hosts_of_slurm(nodes), _counts_of_slurm(tasks)
    num = _read(environment, "SLURM_STEP_NUM_TASKS")
    if len(hosts) != len(counts) or sum(counts) != num:
        raise InputError(
            f"{num} tasks are not {tasks} on each of the nodes {nodes}."
        )
    places = [(n, i) for n, count in enumerate(counts) for i in range(count)]
    if rank < num and list(places[rank]) != place:
        raise InputError(
            f"task {rank} must be number {places[rank][1]} on node "
            f"{hosts[places[rank][0]]}; give srun --distribution=block."
        )
    port = _port(environment)
    return Cluster(tuple(f"{hosts[n]}:{port + i}" for n, i in places), rank)


def _hosts_of_slurm(text: str) -> list[str]:
    """Returns the names that a list such as n[01-03,7],m5 stands for."""
    if not NODES.fullmatch(text):
        raise InputError(f"{text!r} is no list of nodes, as n[01-03,7],m5.")
    hosts: list[str] = []
    for part in re.findall(r"(?:[^,[]|\[[^]]*\])+", text):
        choices = [
            _numbers(piece[1:-1]) if piece.startswith("[") else [piece]
            for piece in re.findall(r"\[[^]]*\]|[^[]+", part)
        ]
        if math.prod(map(len, choices)) > MOST:
            raise InputError(f"{part!r} are too many nodes.")
        hosts += map("".join, itertools.product(*choices))
    return hosts


def _numbers(text: str) -> list[str]:
    """Returns the numbers of 01-03,7, each with as many digits as are given."""
    numbers: list[str] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        end = min(int(last or first), int(first) + MOST)
        numbers += (
            str(number).zfill(len(first))
            for number in range(int(first), end + 1)
        )
    return numbers


def _counts_of_slurm(text: str) -> list[int]:
    """Returns the numbers that a list such as 2(x3),1 stands for."""
    counts: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"([0-9]+)(?:\(x([0-9]+)\))?", part)
        count, times = found.groups("1") if found else (part, "1")
        number = _whole(count, "tasks of a node")
        counts += [number] * _whole(times, "nodes")
    return counts


def _port(environment: Environment) -> int:
    given = "TFVAE_PORT" in environment
    return _read(environment, "TFVAE_PORT") if given else PORT


def _is_port(address: str) -> bool:
    return 0 < int(address.rpartition(":")[2]) <= MOST


def _read(environment: Environment, name: str) -> int:
    return _whole(environment[name], name)


def _whole(value: Any, name: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", str(value)) or int(value) > MOST:
        raise InputError(
            f"{name} must be a whole number up to {MOST}; got {value!r}."
        )
    return int(value)


RESOLVERS: dict[str, Callable[[Environment], Cluster]] = {
    "TF_CONFIG": _from_tf_config,
    "JOB_COMPLETION_INDEX": _from_kubernetes,
    "SLURM_STEP_NUM_TASKS": _from_slurm,
}
