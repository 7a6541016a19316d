"""A server's version labels: where they lead, and where they may move."""

import pathlib

import pytest

from export.codes import Code
from export.server.errors import ServingError
from tests.export.server.fake_models import make_config
from tests.export.server.managers import (
    Make,
    ready,
    refusal,
    served,
    settle,
    states,
)


def test_labels_lead_to_versions(make: Make, base: pathlib.Path) -> None:
    manager = ready(
        make(
            make_config(
                {"m": base},
                specific=[1, 2],
                labels={"stable": 1, "canary": 2, "gone": 7},
            ),
            allow_version_labels_for_unavailable_models=True,
        )
    )
    assert served(manager, label="stable") == 1
    assert served(manager, label="canary") == 2
    assert refusal(lambda: served(manager, label="gone")) == (
        Code.NOT_FOUND,
        "Servable not found for request: Specific(m, 7)",
    )
    for label in ("nope", "Stable", ""):
        assert refusal(lambda label=label: served(manager, label=label)) == (
            Code.INVALID_ARGUMENT,
            f"Unrecognized servable version label: {label}",
        )


def test_label_moves_only_to_an_available_version(
    make: Make, base: pathlib.Path
) -> None:
    manager = ready(make(make_config({"m": base}, specific=[1])))
    manager.reload(make_config({"m": base}, specific=[1], labels={"s": 1}))
    both = {"specific": [1, 2], "labels": {"s": 2}}
    with pytest.raises(ServingError, match="version 2 of model m, which is"):
        manager.reload(make_config({"m": base}, **both))
    # A refused configuration changes nothing.
    manager.poll()
    assert states(manager) == {1: "AVAILABLE"}
    assert served(manager, label="s") == 1
    manager.reload(make_config({"m": base}, specific=[1, 2], labels={"s": 1}))
    manager.poll()
    settle(manager, {1: "AVAILABLE", 2: "AVAILABLE"})
    manager.reload(make_config({"m": base}, **both))
    assert served(manager, label="s") == 2


def test_label_in_use_is_not_moved_to_a_version_that_is_gone(
    make: Make, base: pathlib.Path
) -> None:
    config = make_config({"m": base}, specific=[1], labels={"s": 1})
    manager = ready(
        make(config, allow_version_labels_for_unavailable_models=True)
    )
    labels = {"s": 7, "new": 7}
    with pytest.raises(ServingError, match="label to version 7 of model m, "):
        manager.reload(make_config({"m": base}, labels=labels))
    manager.reload(make_config({"m": base}, specific=[2], labels={"new": 7}))
    manager.poll()
    settle(manager, {2: "AVAILABLE", 1: "END"})
    manager.reload(make_config({"m": base}, labels={"s": 2}))
    with pytest.raises(ServingError, match="label to version 1 of model m, "):
        manager.reload(make_config({"m": base}, labels={"s": 1}))
