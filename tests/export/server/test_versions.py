"""Names that are versions, and the versions that a policy wants."""

import pathlib

import pytest

from export.codes import Code
from export.server import versions
from export.server.errors import ServingError
from tests.export.server.fake_models import make_config, make_versions

NAMES = {
    "5": 5,
    "00005": 5,
    "0": 0,
    "-9": -9,
    "+12": 12,
    "10 ": 10,
    " 7": 7,
    "\t8\n": 8,
    "9223372036854775807": 2**63 - 1,
    "-9223372036854775808": -(2**63),
    "9223372036854775808": None,
    "-9223372036854775809": None,
    "v6": None,
    "7.tmp": None,
    ".8": None,
    "tmp-14": None,
    "0x13": None,
    "1e1": None,
    "1.5": None,
    "12a": None,
    "1_0": None,
    "+-1": None,
    "- 1": None,
    "": None,
    " ": None,
    "٣": None,  # a digit, though not of ASCII
    "\u00a03": None,
}


@pytest.mark.parametrize("name", NAMES)
def test_name_is_read_as_the_server_reads_it(name: str) -> None:
    assert versions.parse(name) == NAMES[name]


def _find(base: pathlib.Path, policy: str = "", **values: object) -> dict:
    model = make_config({"m": base}).model_config_list.config[0]
    if policy:
        chosen = getattr(model.model_version_policy, policy)
        chosen.SetInParent()
        for name, value in values.items():
            if isinstance(value, list):
                getattr(chosen, name).extend(value)
            else:
                setattr(chosen, name, value)
    return {
        number: pathlib.Path(folder).name
        for number, folder in versions.find(model).items()
    }


@pytest.fixture
def base(tmp_path: pathlib.Path) -> pathlib.Path:
    """Returns a base path with five versions and three that are none."""
    names = ("1", "9", "00010", "-4", "+12", "13.tmp", ".staging-14", "v15")
    return make_versions(tmp_path, *names)


def test_latest_is_the_default(base: pathlib.Path) -> None:
    assert _find(base) == {12: "+12"}
    assert _find(base, "latest") == {12: "+12"}
    assert _find(base, "latest", num_versions=0) == {12: "+12"}


def test_latest_wants_as_many_as_it_says(base: pathlib.Path) -> None:
    found = _find(base, "latest", num_versions=3)
    assert found == {12: "+12", 10: "00010", 9: "9"}
    assert len(_find(base, "latest", num_versions=7)) == 5


def test_all_wants_every_version(base: pathlib.Path) -> None:
    assert sorted(_find(base, "all")) == [-4, 1, 9, 10, 12]


def test_specific_wants_the_named_ones_that_exist(base: pathlib.Path) -> None:
    found = _find(base, "specific", versions=[1, 10, 77])
    assert found == {1: "1", 10: "00010"}
    assert _find(base, "specific", versions=[77]) == {}


def test_of_two_names_of_a_version_one_counts(tmp_path: pathlib.Path) -> None:
    make_versions(tmp_path, "5", "00005", "+5")
    assert _find(tmp_path) == {5: "5"}
    assert _find(tmp_path, "specific", versions=[5]) == {5: "5"}
    assert _find(tmp_path, "all") == {5: "+5"}


def test_files_and_links_count_too(tmp_path: pathlib.Path) -> None:
    (tmp_path / "99").write_text("x")
    (tmp_path / "100").symlink_to("nowhere")
    assert sorted(_find(tmp_path, "all")) == [99, 100]


def test_empty_base_path_has_no_version(tmp_path: pathlib.Path) -> None:
    assert _find(tmp_path) == {}


def test_missing_base_path_is_told(tmp_path: pathlib.Path) -> None:
    gone = tmp_path / "gone"
    with pytest.raises(ServingError) as error:
        _find(gone)
    assert error.value.code == Code.INVALID_ARGUMENT
    assert error.value.message == (
        f"Could not find base path {gone} for servable m with error "
        f"NOT_FOUND: {gone} not found"
    )


def test_base_path_that_is_a_file_is_told(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ServingError, match="file; Not a directory") as error:
        _find(tmp_path / "file")
    assert error.value.code == Code.FAILED_PRECONDITION
