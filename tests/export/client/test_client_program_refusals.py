"""python -m export.client: wrong input and failures, told in one error."""

import pathlib
import re
from collections.abc import Iterator

import numpy as np
import pytest

from export.client import __main__ as program
from tests.export.client import bad_servers, toy_models, toy_server
from tests.export.client.program_runs import run
from tests.export.client.toy_models import IMAGE, Toy
from tfvae.errors import FailedError, InputError


@pytest.fixture(scope="module")
def always_served() -> Iterator[str]:
    with toy_server.rest(Toy()) as url:
        yield url


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["decode"], "`decode` of `decoder` needs `z`; give --z=0.1,0.2,"),
        (["decode", "--z=1,2,3"], "`z` must be numbers with commas between"),
        (["decode", "--z=a,b"], "a multiple of 2, or FILE.npz; got 'a,b'."),
        (["decode", "--z=1,nan"], "`z` must be finite in float32; got nan at"),
        (["decode", "--z=no.npz"], "`z` no.npz cannot be read: "),
        (["decode", "--z=x.npz"], "`z` x.npz must hold `z`; it holds x."),
        (["decode", "--z=1,2", "--label=3"], "`label` is of no use to "),
        (["encode"], "`encode` of `vae` needs `images`; give --images="),
        (["encode", "--images=no.png"], "cannot read the image no.png: "),
        (["encode", "--images=empty"], "`images` empty holds no PNG or JPEG"),
        (["encode", "--images=x.npz"], "`x` must lie in [0, 1]; got values"),
        (["encode", "--images=text.npz"], "`images` text.npz cannot be read: "),
        (
            ["encode", "--model=vectors", "--images=no.png"],
            "the model takes no images; give --images=FILE.npz that holds `x`.",
        ),
        (["score", "--model=decoder", "--images=x.npz"], "has no signature"),
        (["sample", "--seed=9223372036854775807"], "`seed` must lie in int64"),
    ],
)  # fmt: skip
def test_wrong_input_is_refused(
    always_served: str, here: pathlib.Path, argv: list[str], words: str
) -> None:
    (here / "empty").mkdir()
    (here / "text.npz").write_text("no archive")
    np.savez("x.npz", x=np.full([2, *IMAGE], 3.0))
    with pytest.raises(InputError, match=re.escape(words)):
        run(always_served, *argv, "--out=a.npz")
    assert not (here / "a.npz").exists()


def test_what_no_flag_gives_is_named(
    served: str, toy: Toy, here: pathlib.Path
) -> None:
    toy.models["vectors"] = {"decode": toy_models.VECTORS["other"]}
    with pytest.raises(InputError) as refused:
        run(served, "decode", "--model=vectors", "--out=a.npz")
    assert str(refused.value) == (
        "`decode` of `vectors` takes thing, which no flag gives; use "
        "export.client.Client."
    )


def test_pictures_that_there_are_not(served: str, here: pathlib.Path) -> None:
    with pytest.raises(InputError, match="vectors, of which there is no pict"):
        run(served, "decode", "--model=vectors", "--z=1,2", "--out=a.png")
    with pytest.raises(InputError, match="at most 1,000 images; got 1,001; "):
        run(served, "sample", "--num=1001", "--out=a.png")


def test_failures_are_told(served: str, toy: Toy, here: pathlib.Path) -> None:
    toy.refusals = [(400, None, "in these\n words")] * 9  # type: ignore[list-item]
    with pytest.raises(FailedError, match="INVALID_ARGUMENT: in these"):
        run(served, "sample", "--out=a.npz")
    port = bad_servers.refused_port()
    with pytest.raises(FailedError, match="cannot connect to http://127"):
        run(f"http://127.0.0.1:{port}", "status")


def test_a_file_that_cannot_be_written(
    served: str, here: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "a.npz").mkdir()
    with pytest.raises(InputError, match="npz cannot be written: it is a fo"):
        run(served, "sample", "--out=a.npz")

    def full(path: str, write: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(program.atomic, "write_whole", full)
    with pytest.raises(InputError, match="cannot be written: No space left on"):
        run(served, "sample", "--out=b.npz")
