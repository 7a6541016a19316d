"""What a search is: what is varied, how trials are made and compared."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from tfvae import config_file, flags
from tfvae.config import Config
from tfvae.errors import InputError
from tuning import space as space_lib
from tuning.objective import DIRECTIONS, Protocol
from tuning.space import Space

OWN = ("algorithm", "objective", "nll_samples", "nll_examples", "factor")
NUM = "max_trials"  # more of them are the same search


@dataclasses.dataclass(frozen=True)
class Plan:
    """A search's settings; two searches that differ here are different ones.

    Attributes:
      base: all settings that are not searched.
      space: the rest.
      algorithm: by which settings are drawn.
      objective: name of what trials are compared by.
      nll_samples: draws for each example of the nll.
      nll_examples: of the validation set, for the nll; 0: all.
      factor: of hyperband.
      max_trials: how many settings are tried, or "auto"; of no account where
        two searches are compared.
    """

    base: Config
    space: Space
    algorithm: str
    objective: str
    nll_samples: int
    nll_examples: int
    factor: int
    max_trials: str | int = "auto"

    @property
    def direction(self) -> str:
        """Of the objective: "min" or "max"."""
        return DIRECTIONS[self.objective]

    @property
    def protocol(self) -> Protocol:
        """How trials are measured."""
        return Protocol(self.nll_samples, self.nll_examples, self.base.seed)

    def to_json(self) -> dict[str, Any]:
        """Returns what `from_json` makes this plan of."""
        own = {name: getattr(self, name) for name in (*OWN, NUM)}
        base = dataclasses.asdict(self.base)
        return own | {"space": self.space.to_json(), "config": base}

    @classmethod
    def from_json(cls, content: Mapping[str, Any], *, source: str) -> "Plan":
        """Returns the plan that a search's settings.json holds.

        Args:
          content: of the file.
          source: its path, for messages.

        Raises:
          InputError: settings that are missing, unknown or ill-typed.
        """
        keys = {*OWN, NUM, "space", "config"}
        missing = sorted(keys - set(content))
        if missing:
            raise InputError(
                f"{source} is not of a search: it lacks {missing[0]}."
            )
        base = Config(**config_file.checked(content["config"], source=source))
        space = space_lib.make_space(content["space"])
        return cls(base, space, **{n: content[n] for n in (*OWN, NUM)})

    def differences(self, other: "Plan") -> dict[str, tuple[Any, Any]]:
        """Returns {name: (own, other's)} of what makes them two searches."""
        names = (*OWN, "space")
        pairs = {n: (getattr(self, n), getattr(other, n)) for n in names}
        differing = {n: pair for n, pair in pairs.items() if pair[0] != pair[1]}
        return differing | self.base.differences(other.base)


def make_plan(
    line: flags.CommandLine, held: Plan | None, *, directory: str
) -> Plan:
    """Returns the plan that a command line asks for.

    Precedence: default, the plan that the folder holds, --config, a flag.

    Args:
      line: of `tuning.search`.
      held: the plan of the search that is gone on with; None: a new one.
      directory: of the search, for messages.

    Raises:
      InputError: a setting both given and searched, nothing that is searched,
        or another plan than the one held.
    """
    asked, given = line.launch, dict(line.given)
    own = {
        name: getattr(held if held and name not in line.flags else asked, name)
        for name in (*OWN, NUM)
    }
    if own["objective"] not in DIRECTIONS:  # it is train's
        given["objective"] = own["objective"]
        own["objective"] = held.objective if held else "nll"
    known = dataclasses.asdict(held.base) if held else {}
    base = Config(**known | given)
    plan = Plan(base, _space(asked.space, held, line.flags), **own)
    if held:
        _check_same(plan, held, directory)
    return plan


def _space(path: str, held: Plan | None, given: frozenset[str]) -> Space:
    if path or held:
        assert path or held is not None
        space = space_lib.read_space(path) if path else held.space  # type: ignore[union-attr]
        for name in space.names:
            if name in given:
                raise InputError(
                    f"`{name}` is both given and searched; leave the flag out, "
                    "or take it out of `space`."
                )
        return space
    fixed = given | ({"C"} if "beta" in given else set())
    left = {n: v for n, v in space_lib.DEFAULT.items() if n not in fixed}
    if not left:
        raise InputError(
            "nothing is left to search, as both `latent_dim` and `C` are "
            "given; leave one out, or give --space=space.json."
        )
    return space_lib.make_space(left)


def _check_same(plan: Plan, held: Plan, directory: str) -> None:
    differences = [
        f"{name}={_text(theirs)} there, {_text(own)} asked for"
        for name, (own, theirs) in plan.differences(held).items()
    ]
    if differences:
        raise InputError(
            f"`directory` {directory} holds another search "
            f"({'; '.join(differences)}); give another folder, or --overwrite "
            "to start anew."
        )


def _text(value: Any) -> str:
    if isinstance(value, Space):
        return "; ".join(f"{d.name}: {d.text()}" for d in value.dimensions)
    return str(value)
