"""Folders and configurations change under a server, as once recorded.

The scenarios and what was seen of TensorFlow Serving: recorded/lifecycle.json.
They run against our server, and against the one TF_MODEL_SERVER names.
"""

import base64
import concurrent.futures
import functools
import json
import os
import pathlib
import shutil
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest

from tests.export import server_process
from tests.export.server_process import ServerProcess

RECORDED = pathlib.Path(__file__).parents[1] / "recorded"
SCENARIOS = json.loads((RECORDED / "lifecycle.json").read_text())["scenarios"]
FLAGS = (
    "--file_system_poll_wait_seconds=1",
    "--max_num_load_retries=1",
    "--load_retry_interval_micros=200000",
)
MODEL = "/v1/models/decoder"
REQUEST = {"instances": [[0.1, -0.2, 0.3]]}
# The first number of the answer tells whose weights gave it.
FIRST_PIXEL = {"decoder/1": 0.513862371, "decoder/2": 0.310302019}
QUIET_SECONDS, LONGEST_SECONDS = 3.5, 30.0
AT_ONCE = 12  # they mostly wait
Action = dict[str, Any]


class Scenario:
    """A recorded scenario that is played again."""

    def __init__(self, recorded: dict, folder: pathlib.Path) -> None:
        self.recorded, self.base = recorded, folder / "base"
        self.base.mkdir(parents=True)
        for action in recorded["setup"]:
            self.act(action)
        config = folder / "models.config"
        models = (
            [f"--model_config_file={config}"]
            if config.exists()
            else ["--model_name=decoder", f"--model_base_path={self.base}"]
        )
        self.flags = [*models, *FLAGS, *recorded.get("flags", [])]

    def play(self) -> list[dict]:
        """Returns what is seen after each step."""
        seen, steps = [], self.recorded["steps"]
        with ServerProcess(*self.flags) as server:
            if "listens" not in steps[0]["expect"]:
                server.ready()
            for step in steps:
                for action in step["do"]:
                    self.act(action)
                if "listens" in step["expect"]:
                    listens = server.listens(step["within"])
                    seen.append({"listens": listens, "exited": server.exited()})
                else:
                    with httpx.Client(base_url=server.url) as client:
                        seen.append(self.settled(client))
        return seen

    def act(self, action: Action) -> None:
        """Does one thing to the files."""
        for kind, do in ACTIONS.items():
            if kind in action:
                do(self, **action)

    def settled(self, client: httpx.Client) -> dict:
        """Returns what is seen once nothing has changed for a while."""
        start = since = time.monotonic()
        seen: dict = {}
        while time.monotonic() - since < QUIET_SECONDS:
            assert time.monotonic() - start < LONGEST_SECONDS, seen
            now = self.look(client)
            if now != seen:
                seen, since = now, time.monotonic()
            time.sleep(0.3)
        return seen

    def look(self, client: httpx.Client) -> dict:
        """Returns the status of all versions, and who answers."""
        response = client.get(MODEL)
        statuses = response.json().get("model_version_status", [])
        seen: dict = {
            "http": response.status_code,
            "versions": [
                {"version": each["version"], "state": each["state"]}
                | each["status"]
                for each in statuses
            ],
        }
        for each in seen["versions"]:
            message = each["error_message"].replace(str(self.base), "{base}")
            each["error_message"] = message
        seen["predict"], weights = _ask(client, MODEL)
        if weights:
            seen["weights"] = weights
        for label in self.recorded.get("labels", []):
            code, weights = _ask(client, f"{MODEL}/labels/{label}")
            seen.setdefault("labels", {})[label] = weights or code
        return seen


def _ask(client: httpx.Client, model: str) -> tuple[int, str]:
    """Returns the HTTP status of a prediction, and whose weights gave it."""
    response = client.post(f"{model}:predict", json=REQUEST)
    if response.status_code != 200:
        return response.status_code, ""
    first = response.json()["predictions"][0][0][0][0]
    (weights,) = [
        name for name, pixel in FIRST_PIXEL.items() if abs(first - pixel) < 1e-5
    ]
    return 200, weights


def _copy(scenario: Scenario, copy: str, to: str) -> None:
    shutil.copytree(RECORDED / "models" / copy, scenario.base / to)


def _mkdir(scenario: Scenario, mkdir: str) -> None:
    (scenario.base / mkdir).mkdir()


def _rename(scenario: Scenario, rename: str, to: str) -> None:
    (scenario.base / rename).rename(scenario.base / to)


def _remove(scenario: Scenario, remove: str) -> None:
    path = scenario.base / remove
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _truncate(scenario: Scenario, truncate: str, **size: int) -> None:
    os.truncate(scenario.base / truncate, size["bytes"])


def _symlink(scenario: Scenario, symlink: str, to: str) -> None:
    (scenario.base / symlink).symlink_to(to)


def _write(scenario: Scenario, write: str, **content: str) -> None:
    path = scenario.base / write
    path.parent.mkdir(exist_ok=True)
    if "text" in content:
        path.write_text(content["text"])
    else:
        path.write_bytes(base64.b64decode(content["base64"]))


def _config(scenario: Scenario, config: str) -> None:
    new = scenario.base.parent / "models.config.new"
    new.write_text(config.replace("{base}", str(scenario.base)))
    new.rename(new.with_suffix(""))


ACTIONS: dict[str, Callable] = {
    "copy": _copy,
    "mkdir": _mkdir,
    "rename": _rename,
    "remove": _remove,
    "truncate": _truncate,
    "symlink": _symlink,
    "write": _write,
    "config": _config,
}


@functools.cache
def _played(folder: pathlib.Path) -> Sequence[concurrent.futures.Future]:
    """Returns what is seen in every scenario; all run side by side."""
    pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
    return [
        pool.submit(Scenario(recorded, folder / recorded["id"]).play)
        for recorded in SCENARIOS
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Returns a folder for all scenarios."""
    return tmp_path_factory.mktemp("scenarios")


def _comparable(seen: dict) -> dict:
    """Leaves out the messages, where another server than ours is asked."""
    if not server_process.REAL or "versions" not in seen:
        return seen
    versions = [
        each | {"error_message": bool(each["error_message"])}
        for each in seen["versions"]
    ]
    return seen | {"versions": versions}


@pytest.mark.slow
@pytest.mark.parametrize(
    "index", [pytest.param(i, id=s["id"]) for i, s in enumerate(SCENARIOS)]
)
def test_server_does_what_was_recorded(
    index: int, folder: pathlib.Path
) -> None:
    expected = [step["expect"] for step in SCENARIOS[index]["steps"]]
    seen = _played(folder)[index].result()
    assert [_comparable(each) for each in seen] == [
        _comparable(each) for each in expected
    ]
