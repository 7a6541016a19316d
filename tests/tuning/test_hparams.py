"""A search in TensorBoard, read as TensorBoard reads it."""

import pathlib

import tensorflow as tf
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from tuning import hparams
from tuning.results import Result
from tuning.space import make_space

SPACE = make_space(
    {
        "latent_dim": {"int": [2, 64], "log": True},
        "C": {"float": [0.5, 50]},
        "hidden_units": {"choice": [[8], [8, 8]]},
    }
)
VALUES = {"latent_dim": 5, "C": 2.5, "hidden_units": (8, 8)}
FIGURES = {"nll": -3.5, "elbo": -4.0, "C_star": None, "best_epoch": 6}


def _read(folder: pathlib.Path) -> tuple[dict[str, object], dict[str, float]]:
    """Returns the plugin's data by tag, and the scalars of step 6."""
    events = event_accumulator.EventAccumulator(str(folder))
    events.Reload()
    plugin = {}
    for tag, content in events.PluginTagToContent("hparams").items():
        data = plugin_data_pb2.HParamsPluginData()
        data.ParseFromString(content)
        plugin[tag] = data
    scalars = {}
    for tag in events.Tags()["tensors"]:
        if tag in hparams.METRICS:
            (event,) = events.Tensors(tag)
            assert event.step == 6
            scalars[tag] = float(tf.make_ndarray(event.tensor_proto))
    return plugin, scalars


def test_a_trial_has_its_settings_and_figures(tmp_path: pathlib.Path) -> None:
    result = Result("07", "COMPLETED", VALUES, -3.5, FIGURES)
    hparams.write_trial(str(tmp_path), result, SPACE)
    plugin, scalars = _read(tmp_path / "07")
    assert scalars == {"nll": -3.5, "elbo": -4.0}
    begun = plugin["_hparams_/session_start_info"].session_start_info
    assert begun.hparams["latent_dim"].number_value == 5
    assert begun.hparams["C"].number_value == 2.5
    assert begun.hparams["hidden_units"].string_value == "8,8"
    experiment = plugin["_hparams_/experiment"].experiment
    assert [info.name for info in experiment.hparam_infos] == SPACE.names
    interval = experiment.hparam_infos[1].domain_interval
    assert (interval.min_value, interval.max_value) == (0.5, 50)
    choices = experiment.hparam_infos[2].domain_discrete.values
    assert [value.string_value for value in choices] == ["8", "8,8"]


def test_a_failed_trial_has_its_settings_alone(tmp_path: pathlib.Path) -> None:
    result = Result("1", "FAILED", VALUES, None, {}, "kl is not finite")
    hparams.write_trial(str(tmp_path), result, SPACE)
    plugin, scalars = _read(tmp_path / "1")
    assert scalars == {}
    assert "_hparams_/session_start_info" in plugin
