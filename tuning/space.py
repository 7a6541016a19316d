"""What is searched: from a JSON file to keras-tuner's hyperparameters."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import keras_tuner

from tfvae import config_file, settings
from tfvae.config import FIELDS, Config
from tfvae.errors import InputError

# latent_dim and C span what one can reasonably ask of images of any size.
DEFAULT: dict[str, dict[str, Any]] = {
    "latent_dim": {"int": [2, 64], "log": True},
    "C": {"float": [0.05, 5000], "log": True},
}
KINDS = {"int": int, "float": float}
RANGE_KEYS = ("log", "num")
NUM_IN_GRID = 6
DIGITS = 6  # of a drawn number; more say nothing and are hard to read
# Trials that differ here do not measure the same thing.
NOT_SEARCHED = {
    "dataset": "the data",
    "data_dir": "the data",
    "image_size": "the data",
    "grayscale": "the data",
    "binarize": "the data",
    "dequantize": "the data",
    "max_resident_mb": "where the data are held",
    "condition": "what the likelihood is of",
    "mask": "what the likelihood is of",
    "model": "whether there is a likelihood",
    "seed": "how lucky a trial is",
    "epochs": "how long each trial is trained",
    "jit_compile": "how a step is compiled",
    "steps_per_execution": "how a step is run",
}
ACCEPTED = (
    '{"int": [LOW, HIGH]} or {"float": [LOW, HIGH]}, with "log": true for a '
    'log scale and "num": N for N values, or {"choice": [...]}'
)


@dataclasses.dataclass(frozen=True)
class Dimension:
    """One setting that is searched.

    Attributes:
      name: of the Config field.
      kind: "int", "float" or "choice".
      values: the two ends of a range, or the choices.
      log: whether a range is even on a log scale.
      num: how many values of a range there are, ends included; 0: all.
    """

    name: str
    kind: str
    values: tuple[Any, ...]
    log: bool = False
    num: int = 0

    @property
    def is_finite(self) -> bool:
        """Whether it has but a few values."""
        return self.kind == "choice" or self.num > 0

    def grid(self) -> list[Any]:
        """Returns `num` values (6 if that is 0), evenly spaced; or choices."""
        if self.kind == "choice":
            return list(self.values)
        low, high = self.values
        steps = (self.num or NUM_IN_GRID) - 1
        shares = [step / steps for step in range(steps + 1)] if steps else [0.0]
        spaced = (
            low * (high / low) ** share
            if self.log
            else low + share * (high - low)
            for share in shares
        )
        rounded = map(round if self.kind == "int" else _rounded, spaced)
        return list(dict.fromkeys(rounded))

    def text(self) -> str:
        """Returns what is searched, in words."""
        if self.kind == "choice":
            return ", ".join(map(settings.to_text, self.values))
        low, high = map(settings.to_text, self.values)
        scale = ", on a log scale" if self.log else ""
        count = f", {self.num} values" if self.num else ""
        noun = "whole numbers" if self.kind == "int" else "numbers"
        return f"{noun} from {low} to {high}{scale}{count}"


@dataclasses.dataclass(frozen=True)
class Space:
    """All that is searched.

    Attributes:
      dimensions: in the order of the file.
    """

    dimensions: tuple[Dimension, ...]

    @property
    def names(self) -> list[str]:
        """Of the settings that are searched."""
        return [dimension.name for dimension in self.dimensions]

    def hyperparameters(
        self, *, as_grid: bool = False
    ) -> keras_tuner.HyperParameters:
        """Returns the space as keras-tuner has it.

        Args:
          as_grid: give every range as the values of its grid.
        """
        hp = keras_tuner.HyperParameters()
        for dimension in self.dimensions:
            name, log = dimension.name, dimension.log
            if as_grid or dimension.is_finite:
                hp.Choice(name, _alike(dimension.grid()))
                continue
            declare = {"int": hp.Int, "float": hp.Float}[dimension.kind]
            sampling = "log" if log else "linear"
            declare(name, *dimension.values, sampling=sampling)
        return hp

    def config(self, base: Config, values: Mapping[str, Any]) -> Config:
        """Returns the config of a trial.

        Args:
          base: all that is not searched.
          values: as drawn; keras-tuner's own (`tuner/epochs`) are left out.

        Raises:
          InputError: values that contradict each other, or a setting of base.
        """
        return dataclasses.replace(base, **self.drawn(values))

    def drawn(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the settings that were drawn, each in its own type."""
        return {name: _value(name, values[name]) for name in self.names}

    def to_json(self) -> dict[str, dict[str, Any]]:
        """Returns the content of a space.json that gives this space."""
        content = {}
        for dimension in self.dimensions:
            entry: dict[str, Any] = {dimension.kind: list(dimension.values)}
            if dimension.log:
                entry["log"] = True
            if dimension.num:
                entry["num"] = dimension.num
            content[dimension.name] = entry
        return content


def read_space(path: str) -> Space:
    """Reads a space.json.

    Raises:
      InputError: the file is missing, no JSON object, or names what cannot be
        searched.
    """
    content = config_file.read_object(path, flag="space")
    if not content:
        raise InputError(
            f"`space` {path} is empty; name a setting in it, or leave the flag "
            "out."
        )
    return make_space(content)


def make_space(content: Mapping[str, Any]) -> Space:
    """Returns the space that a space.json's content describes.

    Args:
      content: {setting: what is searched of it}.

    Raises:
      InputError: an unknown setting, one that trials cannot differ in, or
        values that the setting does not accept.
    """
    return Space(tuple(_dimension(*entry) for entry in content.items()))


def _dimension(name: str, entry: Any) -> Dimension:
    if name not in FIELDS:
        raise settings.unknown("setting in `space`:", name, FIELDS)
    if name in NOT_SEARCHED:
        raise InputError(
            f"`space`: {name} decides {NOT_SEARCHED[name]}, so trials that "
            "differ in it cannot be compared; give it as a flag."
        )
    keys = dict(entry) if isinstance(entry, dict) else {}
    kinds = [kind for kind in (*KINDS, "choice") if kind in keys]
    known = {*kinds, *RANGE_KEYS} if kinds != ["choice"] else {"choice"}
    if len(kinds) != 1 or set(keys) - known:
        raise InputError(
            f"`space`: {name} must be {ACCEPTED}; got {json.dumps(entry)}."
        )
    (kind,) = kinds
    values = keys[kind]
    if not isinstance(values, list) or not values:
        raise InputError(
            f"`space`: {name} must be {ACCEPTED}; got {json.dumps(entry)}."
        )
    if kind == "choice":
        return Dimension(name, kind, _choices(name, values))
    return _range(name, kind, keys)


def _choices(name: str, values: list[Any]) -> tuple[Any, ...]:
    checked = tuple(_checked(name, value) for value in values)
    if len(set(checked)) < len(checked):
        raise InputError(f"`space`: {name} names a choice twice: {values}.")
    return checked


def _range(name: str, kind: str, entry: Mapping[str, Any]) -> Dimension:
    ends, log, num = entry[kind], entry.get("log", False), entry.get("num", 0)
    rule = settings.rule_of(FIELDS[name])
    if rule.is_list or rule.number is not KINDS[kind]:
        raise InputError(
            f"`space`: {name} is no single {kind} (it is {rule.accepted()}); "
            'give {"choice": [...]}.'
        )
    is_pair = len(ends) == 2 and all(
        isinstance(end, int | float) and not isinstance(end, bool)
        for end in ends
    )
    if not is_pair or not ends[0] < ends[1]:
        raise InputError(
            f"`space`: {name} must go from a number to a larger one; got "
            f"{json.dumps(ends)}."
        )
    low, high = (_checked(name, end) for end in ends)
    if not isinstance(log, bool) or (log and low <= 0):
        raise InputError(
            f"`space`: {name}'s log must be true or false, and true only for "
            f"numbers above 0; got {json.dumps(log)} from {low}."
        )
    if not isinstance(num, int) or isinstance(num, bool) or num < 0 or num == 1:
        raise InputError(
            f"`space`: {name}'s num must be a whole number of at least 2; got "
            f"{json.dumps(num)}."
        )
    return Dimension(name, kind, (low, high), log, num)


def _checked(name: str, value: Any) -> Any:
    try:
        return settings.check(FIELDS[name], value)
    except InputError as error:
        raise InputError(f"`space`: {error}") from error


def _alike(values: list[Any]) -> list[Any]:
    """Returns values of one type, as keras-tuner asks: else as text."""
    kinds = {type(value) for value in values}
    if kinds <= {int} or kinds <= {float} or kinds <= {str}:
        return values
    return [settings.to_text(value) for value in values]


def _value(name: str, drawn: Any) -> Any:
    """Returns what was drawn as the setting takes it."""
    if isinstance(drawn, str):
        return settings.read_text(FIELDS[name], drawn)
    return _rounded(drawn) if isinstance(drawn, float) else drawn


def _rounded(number: float) -> float:
    return float(f"{number:.{DIGITS}g}")
