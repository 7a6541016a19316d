"""Sums of the graph and the weights: damage is named, once, in one line."""

import hashlib
import json
import pathlib
from typing import Any

import pytest

from export import integrity
from export.codes import Code
from export.server import loading
from export.server.errors import ServingError
from export.server.metrics import Metrics
from export.server.options import Options
from tfvae.errors import FailedError

FILES = {
    "saved_model.pb": b"a graph",
    "variables/variables.index": b"names",
    "variables/variables.data-00000-of-00001": bytes(range(200)),
}


def write(folder: pathlib.Path, manifest: Any) -> str:
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "assets.extra").mkdir()
    text = manifest if isinstance(manifest, str) else json.dumps(manifest)
    (folder / "assets.extra" / "tfvae.json").write_text(text)
    return str(folder)


def sums() -> dict[str, dict[str, Any]]:
    return {
        name: {
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        for name, content in FILES.items()
    }


def test_sums_are_of_graph_and_weights(tmp_path: pathlib.Path) -> None:
    folder = write(tmp_path, {})
    (tmp_path / "batching_params.pbtxt").write_text("may be edited")
    assert integrity.sums(folder) == sums()


def test_what_was_published_passes(tmp_path: pathlib.Path) -> None:
    integrity.check(write(tmp_path, {"files": sums()}))


@pytest.mark.parametrize("manifest", [{}, {"format_version": 1}])
def test_old_exports_pass(tmp_path: pathlib.Path, manifest: Any) -> None:
    integrity.check(write(tmp_path, manifest))


def test_models_of_other_programs_pass(tmp_path: pathlib.Path) -> None:
    integrity.check(str(tmp_path))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["flipped", "cut", "missing", "folder"])
def test_damage_is_named(
    tmp_path: pathlib.Path, name: str, damage: str
) -> None:
    folder = write(tmp_path, {"files": sums()})
    content, path = FILES[name], tmp_path / name
    path.unlink()
    if damage == "flipped":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "cut":
        path.write_bytes(content[:-1])
    elif damage == "folder":
        path.mkdir()
    words = {
        "flipped": f"{name} has another sha256 sum",
        "cut": f"{name} has {len(content) - 1} bytes, not {len(content)}",
        "missing": f"{name}.* is missing|{name}: No such file[^;]*",
        "folder": f"{name}: Is a directory",
    }
    with pytest.raises(
        FailedError, match=f"is not what was published: .*({words[damage]}); "
    ) as told:
        integrity.check(folder)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "manifest",
    [
        "", "{", "[]", "3", '"x"', "null", '{"files": []}', '{"files": null}',
        '{"files": {"saved_model.pb": 3}}', "[" * 100_000, "\0",
    ],
)  # fmt: skip
def test_damaged_manifest_is_named(
    tmp_path: pathlib.Path, manifest: str
) -> None:
    with pytest.raises(FailedError, match=r"extra/tfvae.json cannot be read; "):
        integrity.check(write(tmp_path, manifest))


def test_manifest_leads_to_no_other_files(tmp_path: pathlib.Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"secret")
    entry = {"bytes": 6, "sha256": hashlib.sha256(b"secret").hexdigest()}
    (tmp_path / "1").mkdir()
    for name in ("../outside", str(outside)):
        folder = write(
            tmp_path / name.replace("/", "_"),
            {"files": sums() | {name: entry}},
        )
        with pytest.raises(FailedError, match="outside is missing"):
            integrity.check(folder)


def test_development_server_does_not_load_what_is_damaged(
    tmp_path: pathlib.Path,
) -> None:
    folder = write(tmp_path, {"files": sums()})
    loader = loading.Loader(Options(), metrics=Metrics())
    (tmp_path / "saved_model.pb").write_bytes(b"a grapH")
    with pytest.raises(
        ServingError, match=r"not what was published: saved_model.pb has anoth"
    ) as told:
        loader.load("vae", version=1, folder=folder)
    assert told.value.code == Code.DATA_LOSS
