"""From a command line to settings: flags made from Config and Launch."""

import dataclasses
import re
import shlex
import textwrap
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from absl import flags as absl_flags

from tfvae import config_file, settings
from tfvae.config import FIELDS
from tfvae.errors import InputError
from tfvae.settings import setting


@dataclasses.dataclass(frozen=True)
class Launch:
    """How a run is launched; nothing here changes what is learned."""

    run_dir: str = setting(
        "",
        "folder of the run; one that is there already is resumed; empty: "
        "runs/<dataset>-<time>",
    )
    config: str = setting(
        "", "a config.json; flags on the command line win over it"
    )
    overwrite: bool = setting(
        False, "start anew where the folder holds a run", is_switch=True
    )
    strategy: str = setting(
        "one_device",
        "mirrored: all GPUs, or the CPU's devices where there are none; "
        "multi_worker: all processes that TF_CONFIG, Slurm or an indexed job "
        "of Kubernetes names (tfvae.launch starts them here)",
        words=("one_device", "mirrored", "multi_worker"),
    )
    worker_timeout: int = setting(
        300,
        "multi_worker: seconds to wait at the start for all workers",
        number=int, minimum=1, maximum=86400,
    )  # fmt: skip
    num_virtual_devices: int = setting(
        0,
        "split the CPU into this many logical devices, to try mirrored "
        "without GPUs",
        number=int, minimum=0,
    )  # fmt: skip
    profile: bool = setting(
        False,
        "trace some steps for TensorBoard, and say where an epoch's time goes",
        is_switch=True,
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            settings.check(field, getattr(self, field.name))


# absl's own flags, which read files, and let unknown flags pass.
NOT_OURS = re.compile("--?(flagfile|undefok)(=.*)?")
Settings = TypeVar("Settings")
Fields = dict[str, dataclasses.Field]
LAUNCH_FIELDS: Fields = {
    field.name: field for field in dataclasses.fields(Launch)
}


@dataclasses.dataclass(frozen=True)
class CommandLine(Generic[Settings]):
    """What a command line said.

    Attributes:
      launch: the program's own settings.
      given: the Config fields that `--config` or a flag names.
      flags: names of all flags that are present.
    """

    launch: Settings
    given: dict[str, Any]
    flags: frozenset[str]


class HelpRequested(Exception):
    """`--help` was given; the text to print is the message."""


def parse(
    kind: type[Settings],
    argv: Sequence[str],
    *,
    summary: str,
    title: str = "Launch:",
) -> CommandLine[Settings]:
    """Reads the command line of a program that takes every Config field.

    Args:
      kind: dataclass of the program's own settings, of which one is `config`.
        Where it has a field of Config's name, the flag is the program's.
      argv: the program's name and its arguments.
      summary: first lines of `--help`.
      title: above the program's own settings in `--help`.

    Returns:
      The program's settings, and those Config fields that `--config` or a
      flag names (a flag wins).

    Raises:
      HelpRequested: the text of `--help`.
      InputError: an unknown flag, a wrong value, or a stray argument.
    """
    own = fields_of(kind)
    of_config = {n: field for n, field in FIELDS.items() if n not in own}
    fields = own | of_config
    present = _present(argv, fields)
    if "help" in present:
        saved = "Settings of the run (saved in its config.json):"
        raise HelpRequested(_help(summary, {title: own, saved: of_config}))
    values = _values(present, fields)
    launch = kind(**{k: v for k, v in values.items() if k in own})
    path = values.get("config", "")
    given = config_file.read_json(path) if path else {}
    given |= {k: v for k, v in values.items() if k in of_config}
    return CommandLine(launch, given, frozenset(present))


def parse_as(
    kind: type[Settings],
    argv: Sequence[str],
    *,
    summary: str,
    positional: str = "",
) -> Settings:
    """Reads the command line of a program with settings of its own.

    Args:
      kind: dataclass whose fields are declared by `setting`.
      argv: the program's name and its arguments.
      summary: first lines of `--help`.
      positional: the field that is given as a bare word, in any place among
        the flags, and must be given; empty: none.

    Raises:
      HelpRequested: the text of `--help`.
      InputError: an unknown flag, a wrong value, a stray argument, or none
        where there must be one.
    """
    fields = fields_of(kind)
    present = _present(argv, fields, positional=positional)
    if "help" in present:
        flags = {name: fields[name] for name in fields if name != positional}
        raise HelpRequested(_help(summary, {"Flags:": flags}))
    if positional and positional not in present:
        accepted = settings.rule_of(fields[positional]).accepted()
        raise InputError(
            f"`{positional}` is missing: it must be {accepted}; see --help."
        )
    return kind(**_values(present, fields))


def fields_of(kind: type) -> Fields:
    """Returns the fields of a dataclass by name."""
    return {field.name: field for field in dataclasses.fields(kind)}


def to_argv(launch: Any) -> str:
    """Returns the flags, as one types them, that differ from the defaults.

    Args:
      launch: a program's own settings.
    """
    return " ".join(
        shlex.quote(f"--{name}={settings.to_text(getattr(launch, name))}")
        for name, field in fields_of(type(launch)).items()
        if getattr(launch, name) != field.default
    )


def markdown_table(fields: Fields) -> str:
    """Returns README's table of settings: flag, default, accepted, meaning."""
    rows = [
        "| flag | default | accepts | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for name, field in fields.items():
        rule = settings.rule_of(field)
        accepted = "text" if rule.is_free_text() else rule.accepted()
        default = settings.to_text(field.default)
        cell = f"`{default}`" if default else ""
        meaning = rule.help.replace("|", "\\|")
        rows.append(f"| `--{name}` | {cell} | {accepted} | {meaning} |")
    return "\n".join(rows)


def _values(present: dict[str, str], fields: Fields) -> dict[str, Any]:
    return {
        name: settings.read_text(fields[name], text)
        for name, text in present.items()
    }


def _help(summary: str, groups: dict[str, Fields]) -> str:
    lines = [summary]
    for title, fields in groups.items():
        lines += ["", title]
        for name, field in fields.items():
            lines += _help_lines(name, field)
    return "\n".join(lines)


def _present(
    argv: Sequence[str], fields: Fields, *, positional: str = ""
) -> dict[str, str]:
    """Returns {name: text} for the flags, and the word, that `argv` holds."""
    values = absl_flags.FlagValues()
    absl_flags.DEFINE_bool("help", None, "this text", flag_values=values)
    flags = {name: fields[name] for name in fields if name != positional}
    for name, field in flags.items():
        rule = settings.rule_of(field)
        define = (
            absl_flags.DEFINE_bool
            if rule.is_switch
            else absl_flags.DEFINE_string
        )
        define(name, None, rule.help, flag_values=values)
    for argument in argv[1:]:
        if not_ours := NOT_OURS.fullmatch(argument):
            raise settings.unknown("flag", not_ours[1], flags)
    try:
        stray = values(list(argv))[1:]
    except absl_flags.UnrecognizedFlagError as error:
        raise settings.unknown("flag", error.flagname, flags) from error
    except RecursionError as error:  # in absl's search for a flag like it
        raise InputError(
            "unknown flag, a very long one; see --help."
        ) from error
    except (absl_flags.Error, ValueError) as error:
        raise InputError(str(error).rstrip(".") + "; see --help.") from error
    word = {positional: stray.pop(0)} if positional and stray else {}
    if stray:
        raise InputError(
            f"unexpected argument {stray[0]!r}; settings are given as "
            "--name=value, see --help."
        )
    return word | {
        name: settings.to_text(values[name].value)
        for name in ("help", *flags)
        if values[name].value is not None
    }


def _help_lines(name: str, field: dataclasses.Field) -> list[str]:
    rule, default = settings.rule_of(field), settings.to_text(field.default)
    accepted = "" if rule.is_free_text() else f" [{rule.accepted()}]"
    text = f"{rule.help}.{accepted}" + (
        f" Default: {default}." if default else ""
    )
    indent = " " * 6
    wrapped = textwrap.wrap(
        text, 78, initial_indent=indent, subsequent_indent=indent,
        break_on_hyphens=False,
    )  # fmt: skip
    return [f"  --{name}", *wrapped]
