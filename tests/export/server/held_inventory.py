"""An inventory of fake models, driven by hand."""

import pathlib
from collections.abc import Mapping

from export.server.arrival import Arrival
from export.server.inventory import Inventory
from tests.export.server.fake_models import FakeLoad, make_versions, until


class Held:
    """An inventory of one model, `m`, and what it loads with."""

    def __init__(self, base: pathlib.Path) -> None:
        self.base, self.load = base, FakeLoad()
        self.inventory = Inventory(self.load, max_retries=2, retry_seconds=0)

    def start(self, *names: str) -> Arrival:
        """Starts, and returns the arrival of the first models."""
        arrival = self.inventory.expect(names)
        self.inventory.start(arrival)
        return arrival

    def want(self, *versions: int, name: str = "m") -> None:
        make_versions(self.base / name, *set(versions) - self.made(name))
        folders = {v: str(self.base / name / str(v)) for v in versions}
        self.inventory.want({name: folders})

    def made(self, name: str) -> set[int]:
        base = self.base / name
        return {int(p.name) for p in base.glob("*")} if base.exists() else set()

    def states(self, name: str = "m") -> Mapping[int, str]:
        statuses = self.inventory.statuses(name)
        return {number: each.state for number, each in statuses.items()}

    def settle(self, states: Mapping[int, str], name: str = "m") -> None:
        until(lambda: self.states(name) == states)
