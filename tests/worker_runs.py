"""Several runs, one after the other, by each process of a job.

python -m tests.worker_runs FOLDER: the folder's runs.json holds the settings of
each; every process leaves the weights that it ends with.
"""

import json
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae import cluster, membership, program, resolve, train, training
from tfvae.config import Config
from tfvae.data.load import load_data
from tfvae.run_dir import RunDir
from tfvae.workers import Workers


def fit(
    settings: dict[str, Any],
    path: pathlib.Path,
    strategy: tf.distribute.Strategy,
    *,
    is_chief: bool = True,
) -> dict[str, np.ndarray]:
    """Trains a run; returns weights and last figures, by name.

    Args:
      settings: of a Config.
      path: of its run folder.
      strategy: to train under.
      is_chief: whether this process writes the folder.
    """
    config = Config(**settings)
    splits = load_data(config)
    config = resolve.resolve(
        config,
        splits.spec,
        num_examples=splits.train.num_examples,
        num_replicas=strategy.num_replicas_in_sync,
    )
    run_dir = RunDir(str(path), writes=is_chief)
    run_dir.prepare()
    run_dir.write_config(config, splits.spec)
    model, recorder = train._build(config, splits, run_dir, strategy)
    training.fit(config, model, splits, recorder)
    measured = training.measure(config, model, splits.test)
    rows = recorder.rows[-1] | {f"test_{k}": v for k, v in measured.items()}
    figures = {
        name: np.array(value)
        for name, value in rows.items()
        if "seconds" not in name and "per_second" not in name
    }
    weights = {
        f"variable {index}": variable.numpy()
        for index, variable in enumerate(model.variables)
    }
    return figures | weights


def main(argv: list[str]) -> int:
    """Trains the folder's runs as one worker of several."""
    folder = pathlib.Path(argv[1])
    job = cluster.from_environment()
    with program.quiet_start():
        program.start_tensorflow(uses_devices=False)
    strategy, _ = membership.join(job, given={}, config=Config(), timeout=120)
    tf.config.experimental.enable_op_determinism()
    _tell_each_other(strategy, job)
    for name, settings in json.loads(
        (folder / "runs.json").read_text()
    ).items():
        ended = fit(settings, folder / name, strategy, is_chief=job.is_chief)
        np.savez(folder / f"{name}-{job.index}.npz", **ended)
    return 0


def _tell_each_other(
    strategy: tf.distribute.Strategy, job: cluster.Cluster
) -> None:
    workers = Workers(strategy)
    assert (workers.num_workers, workers.index) == (
        len(job.addresses), job.index,
    )  # fmt: skip
    assert workers.is_chief == job.is_chief
    for sign in (1, -1):
        given = range(1, workers.num_workers + 1)
        assert workers.largest(sign * given[job.index]) == max(
            sign * value for value in given
        )
    workers.wait()
    for content in (b"", b"a", bytes(range(255)) * 9):
        own = content if job.is_chief else b"other" * job.index
        assert workers.share(own) == content


if __name__ == "__main__":
    program.run_main(main)
