"""What workers tell each other, where there is one alone.

Several processes: test_multi_worker.py.
"""

import pytest
import tensorflow as tf

from tests.conftest import replicas
from tfvae.workers import Workers


@pytest.mark.parametrize("num_replicas", [1, 3])
def test_one_process_is_the_chief_and_alone(num_replicas: int) -> None:
    workers = Workers(replicas(num_replicas))
    assert (workers.num_workers, workers.index) == (1, 0)
    assert workers.is_chief


@pytest.mark.parametrize("num_replicas", [1, 3])
def test_one_process_keeps_what_it_has(
    num_replicas: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise AssertionError("nobody is to be asked")

    monkeypatch.setattr(Workers, "_gathered", fail)
    monkeypatch.setattr(Workers, "_of_first_replica", fail)
    workers = Workers(replicas(num_replicas))
    assert [workers.largest(n) for n in (-(2**40), 0, 7)] == [-(2**40), 0, 7]
    workers.wait()
    for content in (b"", b"abc", bytes(range(256))):
        assert workers.share(content) == content


def test_content_passes_through_the_replicas() -> None:
    # As if there were another process, whose replicas come after.
    workers = Workers(replicas(2))
    workers.num_workers = 2
    for content in (b"a", b"abcd", bytes(range(255)) * 9, b""):
        assert workers.share(content) == content
    for value in (-(2**31), -3, 2**31 - 1):
        assert workers.largest(value) == value


def test_place_is_read_from_the_strategy() -> None:
    class Resolver:
        task_id = 2

        def cluster_spec(self) -> tf.train.ClusterSpec:
            return tf.train.ClusterSpec({"worker": ["a:1", "b:2", "c:3"]})

    class Strategy:
        cluster_resolver = Resolver()

    workers = Workers(Strategy())
    assert (workers.num_workers, workers.index) == (3, 2)
    assert not workers.is_chief
