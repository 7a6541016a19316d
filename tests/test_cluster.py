"""A process learns from its environment which job it belongs to."""

import json
import re
from typing import Any

import pytest

from tfvae import cluster
from tfvae.errors import InputError

SLURM = {
    "SLURM_STEP_NUM_TASKS": "2",
    "SLURM_STEP_NODELIST": "n[2,10]",
    "SLURM_STEP_TASKS_PER_NODE": "1(x2)",
    "SLURM_PROCID": "1",
    "SLURM_NODEID": "1",
    "SLURM_LOCALID": "0",
}
KUBERNETES = {
    "JOB_COMPLETION_INDEX": "2",
    "TFVAE_NUM_WORKERS": "3",
    "TFVAE_WORKER_HOST": "train-{index}.train",
}


def config(jobs: Any, kind: Any = "worker", index: Any = 0) -> dict[str, str]:
    """Returns the environment that a TF_CONFIG is."""
    task = {"type": kind, "index": index}
    return {"TF_CONFIG": json.dumps({"cluster": jobs, "task": task})}


def workers(*addresses: str) -> dict[str, str]:
    return config({"worker": addresses})


def test_tf_config_of_ours_is_read_back() -> None:
    addresses = ("a:1", "b.c-d:2", "[::1]:3")
    for index in range(3):
        text = cluster.tf_config(addresses, index)
        found = cluster.from_environment({"TF_CONFIG": text})
        assert found == cluster.Cluster(addresses, index)
        assert found.is_chief == (index == 0)


def test_chief_comes_before_workers() -> None:
    jobs = {"worker": ["b:2", "c:3"], "chief": ["a:1"]}
    places = [("chief", 0, 0), ("worker", 0, 1), ("worker", 1, 2)]
    for kind, index, place in places:
        found = cluster.from_environment(config(jobs, kind, index))
        assert found == cluster.Cluster(("a:1", "b:2", "c:3"), place)


def test_indexed_job_of_kubernetes() -> None:
    found = cluster.from_environment(KUBERNETES)
    assert found.addresses == tuple(
        f"train-{index}.train:8471" for index in range(3)
    )
    assert found.index == 2
    found = cluster.from_environment(KUBERNETES | {"TFVAE_PORT": "99"})
    assert found.addresses[1] == "train-1.train:99"


def test_slurm_keeps_the_order_of_nodes() -> None:
    found = cluster.from_environment(SLURM)
    assert found == cluster.Cluster(("n2:8471", "n10:8471"), 1)


@pytest.mark.parametrize(
    ("nodes", "tasks", "addresses"),
    [
        ("gpu1", "3", ["gpu1:70", "gpu1:71", "gpu1:72"]),
        ("b,a", "2,1", ["b:70", "b:71", "a:70"]),
        ("n[08-10],m", "1(x3),2", ["n08:70", "n09:70", "n10:70", "m:70"]),
        ("r[0-1]n[3,5]-x", "1(x4)", ["r0n3-x:70", "r0n5-x:70", "r1n3-x:70"]),
        ("node123456", "1", ["node123456:70"]),
    ],
)
def test_slurm_lists_nodes_and_tasks(
    nodes: str, tasks: str, addresses: list[str]
) -> None:
    num = {"3": 3, "2,1": 3, "1(x3),2": 5, "1(x4)": 4, "1": 1}[tasks]
    found = cluster.from_environment(
        SLURM
        | {
            "SLURM_STEP_NODELIST": nodes,
            "SLURM_STEP_TASKS_PER_NODE": tasks,
            "SLURM_STEP_NUM_TASKS": str(num),
            "SLURM_PROCID": "0",
            "SLURM_NODEID": "0",
            "TFVAE_PORT": "70",
        }
    )
    assert list(found.addresses[: len(addresses)]) == addresses
    assert len(found.addresses) == num


def test_tf_config_wins() -> None:
    found = cluster.from_environment(SLURM | KUBERNETES | workers("a:1"))
    assert found.addresses == ("a:1",)
    found = cluster.from_environment(SLURM | KUBERNETES)
    assert found.addresses[0] == "train-0.train:8471"


def test_no_job_at_all() -> None:
    with pytest.raises(
        InputError,
        match=r"^`strategy` multi_worker must be told of the other workers, by "
        r"TF_CONFIG, JOB_COMPLETION_INDEX, SLURM_STEP_NUM_TASKS; .*"
        r"python -m tfvae\.launch --workers=N -- FLAGS\.$",
    ):
        cluster.from_environment({"PATH": "/bin"})


def refused(environment: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        cluster.from_environment(environment)


SHAPE = 'TF_CONFIG: it must be JSON like {"cluster": {"worker": ["host:port"'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "3",
        '"worker"',
        "{}",
        '{"cluster": {"worker": ["a:1"]}}',
        '{"task": {"type": "worker", "index": 0}}',
        '{"cluster": [], "task": {"type": "worker", "index": 0}}',
        '{"cluster": [{}], "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": 3}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": null}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker"}}',
        '{"cluster": {"worker": ["a:1"]}, "task": ["worker", 0]}',
        '{"cluster": {"worker": ["a:1"]}, "task": null}',
        b'{"cluster": \xff}'.decode("utf-8", "surrogateescape"),
    ],
)
def test_tf_config_of_another_shape(text: str) -> None:
    refused({"TF_CONFIG": text}, SHAPE)


@pytest.mark.parametrize(
    "index", [True, False, -1, 1.0, 1e300, "x", "", None, [0], {}, 10**9, "1e1"]
)
def test_tf_config_with_an_odd_index(index: Any) -> None:
    refused(config({"worker": ["a:1", "b:1"]}, index=index), SHAPE)


def test_tf_config_that_is_nested_deeply() -> None:
    deep = "[" * 100_000
    refused({"TF_CONFIG": deep}, "TF_CONFIG: it is nested too deeply.")


@pytest.mark.parametrize(
    ("kind", "index", "message"),
    [
        ("worker", 2, "this is worker 2 of 2, numbered from 0."),
        ("chief", 0, "this is chief 0 of 0, numbered from 0."),
        ("ps", 0, "jobs must be chief and worker; got 'ps'."),
        ("evaluator", 0, "jobs must be chief and worker; got 'evaluator'."),
        (["worker"], 0, "jobs must be chief and worker; got \"['worker']\"."),
    ],
)
def test_tf_config_of_another_task(kind: Any, index: int, message: str) -> None:
    jobs = {"worker": ["a:1", "b:2"]}
    refused(config(jobs, kind, index), f"TF_CONFIG: {message}")


def test_chief_beyond_the_only_one_is_no_worker() -> None:
    jobs = {"chief": ["a:1"], "worker": ["b:2", "c:3"]}
    refused(config(jobs, "chief", 1), "this is chief 1 of 1, numbered from 0.")


def test_tf_config_with_other_jobs() -> None:
    jobs = {"worker": ["a:1"], "ps": ["b:2"]}
    refused(config(jobs), "TF_CONFIG: jobs must be chief and worker; got 'ps'.")


@pytest.mark.parametrize(
    "address",
    [
        "", "a", "a:", ":1", "a:0", "a:65536", "a:123456", "a:1:2", "a:x",
        "a:\u00b2", "a:-1", "a b:1", "a..b:1", ".a:1", "a/b:1", "grpc://a:1",
        "\u00e9:1", "a" * 64 + ":1", "a:1\n", "[:1", "[g::1]:1", "5", "::1",
    ],
)  # fmt: skip
def test_address_that_is_none(address: str) -> None:
    refused(
        workers("good:1", address),
        f"TF_CONFIG: worker address {address!r} is no host:port.",
    )


def test_address_that_is_given_twice() -> None:
    refused(
        workers("a:1", "b:2", "a:1"),
        "TF_CONFIG: two workers have one address: a:1, b:2, a:1.",
    )


def test_cluster_checks_its_index() -> None:
    with pytest.raises(
        InputError, match=r"^this is worker 2 of a job of 2, numbered from 0\.$"
    ):
        cluster.Cluster(("a:1", "b:2"), 2)
    with pytest.raises(InputError, match="this is worker -1 of a job of 2"):
        cluster.Cluster(("a:1", "b:2"), -1)


@pytest.mark.parametrize("name", ["TFVAE_NUM_WORKERS", "TFVAE_WORKER_HOST"])
def test_kubernetes_needs_all_its_variables(name: str) -> None:
    environment = {k: v for k, v in KUBERNETES.items() if k != name}
    refused(environment, f"JOB_COMPLETION_INDEX: {name} must be set, too: ")


@pytest.mark.parametrize(
    "name", ["TFVAE_NUM_WORKERS", "JOB_COMPLETION_INDEX", "TFVAE_PORT"]
)
@pytest.mark.parametrize(
    "text", ["", "-1", "two", "1.5", " 1", "\u0663", "70000", "9" * 5000]
)
def test_kubernetes_takes_whole_numbers(name: str, text: str) -> None:
    refused(
        KUBERNETES | {name: text},
        f"JOB_COMPLETION_INDEX: {name} must be a whole number up to 65535; "
        f"got {text!r}.",
    )


def test_kubernetes_host_must_tell_pods_apart() -> None:
    host = {"TFVAE_WORKER_HOST": "train"}
    refused(
        KUBERNETES | host,
        "JOB_COMPLETION_INDEX: TFVAE_WORKER_HOST 'train' must hold {index}.",
    )
    alone = {"TFVAE_NUM_WORKERS": "1", "JOB_COMPLETION_INDEX": "0"}
    found = cluster.from_environment(KUBERNETES | host | alone)
    assert found.addresses == ("train:8471",)


@pytest.mark.parametrize("index", ["3", "65535"])
def test_kubernetes_index_beyond_the_workers(index: str) -> None:
    refused(
        KUBERNETES | {"JOB_COMPLETION_INDEX": index},
        f"this is worker {index} of a job of 3, numbered from 0.",
    )


@pytest.mark.parametrize("name", sorted(set(SLURM) - {"SLURM_STEP_NUM_TASKS"}))
def test_slurm_needs_all_its_variables(name: str) -> None:
    environment = {k: v for k, v in SLURM.items() if k != name}
    refused(
        environment,
        f"SLURM_STEP_NUM_TASKS: {name} must be set, too, as srun does.",
    )


@pytest.mark.parametrize(
    "nodes", ["", "n[1", "n]", "n[]", "n[a-b]", "n,", ",n", "n,,m", "n[1-2-3]"]
)
def test_slurm_nodes_that_are_no_list(nodes: str) -> None:
    refused(
        SLURM | {"SLURM_STEP_NODELIST": nodes},
        f"{nodes!r} is no list of nodes, as n[01-03,7],m5.",
    )


@pytest.mark.parametrize("nodes", ["n[1-999999999]", "n[0-999]m[0-999]"])
def test_slurm_nodes_beyond_count(nodes: str) -> None:
    refused(
        SLURM | {"SLURM_STEP_NODELIST": nodes},
        f"{nodes!r} are too many nodes.",
    )


@pytest.mark.parametrize("tasks", ["", "a", "2(x", "1(x2)b", "-1", "99999"])
def test_slurm_tasks_that_are_no_list(tasks: str) -> None:
    refused(
        SLURM | {"SLURM_STEP_TASKS_PER_NODE": tasks},
        f"tasks of a node must be a whole number up to 65535; got {tasks!r}.",
    )
    refused(
        SLURM | {"SLURM_STEP_TASKS_PER_NODE": "1(x99999)"},
        "nodes must be a whole number up to 65535; got '99999'.",
    )


@pytest.mark.parametrize(
    ("nodes", "tasks"), [("n[2,10]", "2"), ("n2", "1(x2)"), ("n[3-2]", "1")]
)
def test_slurm_counts_that_do_not_agree(nodes: str, tasks: str) -> None:
    refused(
        SLURM
        | {
            "SLURM_STEP_NODELIST": nodes,
            "SLURM_STEP_TASKS_PER_NODE": tasks,
        },
        f"2 tasks are not {tasks} on each of the nodes {nodes}.",
    )


def test_slurm_tasks_that_go_around_the_nodes() -> None:
    cyclic = {
        "SLURM_STEP_NUM_TASKS": "4",
        "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
        "SLURM_PROCID": "1",
        "SLURM_NODEID": "1",
        "SLURM_LOCALID": "0",
    }
    refused(
        SLURM | cyclic,
        "task 1 must be number 1 on node n2; give srun --distribution=block.",
    )
    block = {"SLURM_NODEID": "0", "SLURM_LOCALID": "1"}
    assert cluster.from_environment(SLURM | cyclic | block).index == 1


def test_slurm_rank_beyond_the_tasks() -> None:
    refused(
        SLURM | {"SLURM_PROCID": "2"},
        "this is worker 2 of a job of 2, numbered from 0.",
    )
