"""Each fuzzer finds nothing in the seconds that there are."""

import importlib.util
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SECONDS = 1
# The most memory of a process is reckoned from that of its parent on, so what
# is bounded here is what one call takes.
MEMORY = ("-rss_limit_mb=0", "-malloc_limit_mb=1000")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("atheris") is None,
        reason="atheris has no wheel for this Python",
    ),
]


@pytest.mark.parametrize(
    ("name", "fewest"),
    [("npz", 500), ("images", 200), ("json_codec", 1000)],
)
def test_fuzzer_finds_nothing(
    name: str, fewest: int, tmp_path: pathlib.Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"tests.fuzz.{name}", f"--seconds={SECONDS}",
         f"-artifact_prefix={tmp_path}/", *MEMORY],
        cwd=ROOT, capture_output=True, text=True, check=False,
        errors="replace", timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    (executions,) = re.findall(r"executed_units: (\d+)", done.stderr)
    assert int(executions) > fewest
    assert list(tmp_path.iterdir()) == []
