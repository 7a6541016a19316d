"""A search in TensorBoard: its HParams table, an entry a trial."""

import os
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorboard.plugins.hparams import api

from tfvae import settings
from tuning.results import Result
from tuning.space import Dimension, Space

METRICS = ("nll", "elbo", "rate", "distortion_nats", "mse", "C_star")


def write_trial(folder: str, result: Result, space: Space) -> None:
    """Writes what TensorBoard's HParams table shows of a trial that has ended.

    Args:
      folder: of the search's TensorBoard files.
      result: of the trial; its epoch is the step of its metrics.
      space: that it was drawn from.
    """
    writer = tf.summary.create_file_writer(os.path.join(folder, result.trial))
    with writer.as_default():
        api.hparams_config(
            hparams=[_hparam(dimension) for dimension in space.dimensions],
            metrics=[api.Metric(name) for name in METRICS],
        )
        api.hparams(
            _values(result.values, space), trial_id=f"trial {result.trial}"
        )
        for name in METRICS:
            value = result.figures.get(name)
            if value is not None:
                step = result.figures["best_epoch"]
                tf.summary.scalar(name, value, step=step)
    writer.close()


def _hparam(dimension: Dimension) -> api.HParam:
    if dimension.kind == "choice":
        texts = [settings.to_text(value) for value in dimension.values]
        return api.HParam(dimension.name, api.Discrete(texts))
    interval = {"int": api.IntInterval, "float": api.RealInterval}
    return api.HParam(
        dimension.name, interval[dimension.kind](*dimension.values)
    )


def _values(drawn: Mapping[str, Any], space: Space) -> dict[str, Any]:
    return {
        dimension.name: settings.to_text(drawn[dimension.name])
        if dimension.kind == "choice"
        else drawn[dimension.name]
        for dimension in space.dimensions
    }
