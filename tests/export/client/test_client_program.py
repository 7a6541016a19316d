"""python -m export.client: files of every mode, and what is refused."""

import io
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from export.client import __main__ as program
from export.client import progress
from export.client.request import ALWAYS, ENDINGS, MODES, Request
from tests.export.client import bad_servers, toy_server
from tests.export.client.toy_server import CARD, IMAGE, Toy
from tfvae.errors import FailedError, InputError

ROOT = pathlib.Path(__file__).parents[3]
URL = "http://127.0.0.1:1"
SEEDS = np.array([6, 7, 8, 9, 10])
OTHER: dict[str, Any] = {
    "out": "b.npz", "z": "1", "num": 3, "seed": 3, "label": (1,),
    "images": "a.npz", "mask": "a.png", "num_concurrent": 2,
}  # fmt: skip


@pytest.fixture
def served(toy: Toy) -> Iterator[str]:
    with toy_server.rest(toy) as url:
        yield url


@pytest.fixture(scope="module")
def always_served() -> Iterator[str]:
    with toy_server.rest(Toy()) as url:
        yield url


@pytest.fixture
def here(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(url: str, *argv: str) -> int:
    return program.main(["client", *argv, f"--url={url}"])


def _npz(url: str, *argv: str) -> dict[str, np.ndarray]:
    assert _run(url, *argv, "--out=out/a.npz") == 0
    with np.load("out/a.npz") as archive:
        return dict(archive)


def _pixels(path: str) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def test_sample_as_arrays(
    served: str, here: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = _npz(served, "sample", "--num=5", "--seed=6")
    assert list(found) == ["seed", "x", "z"]
    z = toy_server.code_of(SEEDS)
    np.testing.assert_array_equal(found["seed"], SEEDS)
    np.testing.assert_array_equal(found["z"], z)
    np.testing.assert_array_equal(found["x"], toy_server.image_of(z))
    assert capsys.readouterr().out == "written: out/a.npz\n"


def test_decode_as_arrays(served: str, here: pathlib.Path) -> None:
    z = np.array([[0.1, -2], [3, 4e-2], [5, 6]], np.float32)
    found = _npz(served, "--z=0.1,-2,3,4e-2,5,6", "decode")
    np.testing.assert_array_equal(found["z"], z)
    np.testing.assert_array_equal(found["x"], toy_server.image_of(z))
    np.savez("z.npz", z=z, other=3)
    again = _npz(served, "decode", "--z=z.npz")
    np.testing.assert_array_equal(again["x"], found["x"])


def test_what_is_made_of_images(served: str, here: pathlib.Path) -> None:
    levels = np.arange(3 * 12).reshape(3, *IMAGE).astype(np.uint8) * 7
    x = levels / np.float32(255)
    np.savez("bytes.npz", x=levels)
    np.savez("flat.npz", x=x[..., 0])
    folder = here / "folder"
    folder.mkdir()
    for number, each in enumerate(levels):
        Image.fromarray(each[..., 0]).save(folder / f"{number}.png")
    (folder / "notes.txt").write_text("no image")
    names = ",".join(f"folder/{number}.png" for number in range(3))
    for images in ("bytes.npz", "flat.npz", "folder", names):
        given = f"--images={images}"
        found = _npz(served, "encode", given)
        np.testing.assert_allclose(found["loc"], x[:, 0, 1:3, 0], rtol=1e-6)
        found = _npz(served, "reconstruct", given)
        np.testing.assert_allclose(found["x"], x[:, ::-1], rtol=1e-6)
        found = _npz(served, "score", given, "--seed=4")
        kl = toy_server.code_of(np.array([4, 5, 6]))[:, 0]
        np.testing.assert_array_equal(found["kl"], kl)


def test_one_image_is_written_as_it_was_served(
    served: str, toy: Toy, here: pathlib.Path
) -> None:
    assert _run(served, "sample", "--num=1", "--seed=6", "--out=a.png") == 0
    x = toy_server.image_of(toy_server.code_of(SEEDS[:1]))
    content = (here / "a.png").read_bytes()
    assert content == toy_server.png_of(x)[0]
    assert _run(served, "decode", "--z=1,2", "--out=b.PNG") == 0
    x = toy_server.image_of(np.array([[1, 2]]))
    assert (here / "b.PNG").read_bytes() == toy_server.png_of(x)[0]
    del toy.models["decoder"]["decode_png"]
    try:
        assert _run(served, "decode", "--z=1,2", "--out=c.png") == 0
    finally:
        toy.models["decoder"]["decode_png"] = (
            toy_server.Z, toy_server.PNG,
            lambda z: {"png_bytes": toy_server.png_of(toy_server.image_of(z))},
        )  # fmt: skip
    assert _pixels("c.png").shape[-1] == 3


def test_several_images_are_a_grid(served: str, here: pathlib.Path) -> None:
    assert _run(served, "sample", "--num=5", "--seed=6", "--out=a.png") == 0
    grid = _pixels("a.png")
    assert grid.shape[1] > 300
    np.savez("x.npz", x=np.linspace(0, 1, 24).reshape(2, *IMAGE))
    out = "--out=b.png"
    assert _run(served, "reconstruct", "--images=x.npz", out) == 0
    assert _pixels("b.png").shape[0] > 100
    # Lighter below, where each column is seen in reverse.
    assert not np.array_equal(_pixels("a.png"), _pixels("b.png"))


def test_classes_of_a_conditional_model(
    served: str, here: pathlib.Path
) -> None:
    model = "--model=conditional"
    found = _npz(served, "sample", model, "--num=7", "--seed=6")
    assert found["label"].tolist() == [0, 0, 1, 1, 2, 3, 4]
    found = _npz(served, "sample", model, "--num=3", "--label=4")
    assert found["label"].tolist() == [4, 4, 4]
    found = _npz(served, "decode", model, "--z=1,2,3,4", "--label=3,1")
    z = np.array([[1, 2], [3, 4]], np.float32)
    weights = np.array([0.3, 0.1])[:, None, None, None]
    np.testing.assert_allclose(
        found["x"], toy_server.image_of(z) * weights, rtol=1e-6
    )
    for label, got in (((), "none"), ((1, 2, 3), "3")):
        with pytest.raises(InputError) as refused:
            _npz(
                served, "decode", model, "--z=1,2,3,4",
                *([f"--label={','.join(map(str, label))}"] if label else []),
            )  # fmt: skip
        assert str(refused.value) == (
            "`label` must be one class, or one for each of 2 rows; got "
            f"{got}; give --label=N."
        )
    with pytest.raises(InputError, match="`label` must be from 0 to 4, a cla"):
        _npz(served, "sample", model, "--num=3", "--label=5")


def test_completions(served: str, here: pathlib.Path) -> None:
    x = np.linspace(0, 1, 12, dtype=np.float32).reshape(1, *IMAGE)
    mask = np.zeros([3, 4], np.uint8)
    mask[:, :2] = 255
    Image.fromarray(mask).save("mask.png")
    np.savez("mask.npz", mask=mask[None, :, :, None] > 0)
    np.savez("x.npz", x=x)
    np.savez("two.npz", x=np.repeat(x, 2, axis=0))
    model, seen = "--model=completing", (mask > 0)[..., None]
    for given in ("--mask=mask.png", "--mask=mask.npz"):
        found = _npz(
            served, "sample", model, "--num=3", "--images=x.npz", given
        )
        expected = np.where(seen, x, 0) + np.where(seen, 0, 0.5)
        np.testing.assert_allclose(found["x"], np.repeat(expected, 3, axis=0))
        np.testing.assert_array_equal(
            found["image"][2], np.where(seen, x, 0)[0]
        )
    for flags, words in (
        (
            ["--mask=mask.png"],
            "`sample` of `completing` needs `images`; give --",
        ),
        (
            ["--images=x.npz"],
            "`sample` of `completing` needs `mask`; give --mas",
        ),
        (
            ["--images=two.npz", "--mask=mask.png"],
            "`images` must give one, or one for each of 3 rows; got 2.",
        ),
    ):
        with pytest.raises(InputError, match=re.escape(words)):
            _npz(served, "sample", model, "--num=3", *flags)


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
        _run(always_served, *argv, "--out=a.npz")
    assert not (here / "a.npz").exists()


def test_what_no_flag_gives_is_named(
    served: str, toy: Toy, here: pathlib.Path
) -> None:
    toy.models["vectors"] = {"decode": toy_server.VECTORS["other"]}
    with pytest.raises(InputError) as refused:
        _run(served, "decode", "--model=vectors", "--out=a.npz")
    assert str(refused.value) == (
        "`decode` of `vectors` takes thing, which no flag gives; use "
        "export.client.Client."
    )


def test_pictures_that_there_are_not(served: str, here: pathlib.Path) -> None:
    with pytest.raises(InputError, match="vectors, of which there is no pict"):
        _run(served, "decode", "--model=vectors", "--z=1,2", "--out=a.png")
    with pytest.raises(InputError, match="at most 1,000 images; got 1,001; "):
        _run(served, "sample", "--num=1001", "--out=a.png")


def test_status_is_a_table(
    served: str, toy: Toy, capsys: pytest.CaptureFixture[str]
) -> None:
    toy.states = [(10, "END", 9, "a bad\n record"), (2, "AVAILABLE", 0, "")]
    assert _run(served, "status", "--model=decoder") == 0
    assert capsys.readouterr().out == (
        "model    version  state      reason\n"
        "decoder  10       END        a bad record\n"
        "decoder  2        AVAILABLE\n"
    )
    assert _run(served, "status") == 0
    assert "\nvae      2        AVAILABLE\n" in capsys.readouterr().out
    del toy.models["vae"]
    assert _run(served, "status") == 0
    assert "vae" not in capsys.readouterr().out
    del toy.models["decoder"]
    with pytest.raises(FailedError, match="NOT_FOUND: no vae"):
        _run(served, "status")


def test_failures_are_told(served: str, toy: Toy, here: pathlib.Path) -> None:
    toy.refusals = [(400, None, "in these\n words")] * 9  # type: ignore[list-item]
    with pytest.raises(FailedError, match="INVALID_ARGUMENT: in these"):
        _run(served, "sample", "--out=a.npz")
    port = bad_servers.refused_port()
    with pytest.raises(FailedError, match="cannot connect to http://127"):
        _run(f"http://127.0.0.1:{port}", "status")


def test_settings_reach_the_server(
    served: str, toy: Toy, here: pathlib.Path
) -> None:
    _npz(served, "sample", "--version=7", "--header=X-Token:  a: secret ")
    assert {version for _, version, _, _ in toy.seen} == {"versions/7"}
    assert toy.headers["X-Token"] == "a: secret"
    toy.seen.clear()
    _npz(served, "sample", "--num=9", "--version_label=canary")
    assert {version for _, version, _, _ in toy.seen} == {"labels/canary"}
    sizes = [rows for _, _, name, rows in toy.seen if name == "sample"]
    assert sorted(sizes) == [1, CARD["max_batch_size"], 4]


def test_every_setting_is_of_use_to_some_mode() -> None:
    used = {name for uses in MODES.values() for name in uses}
    assert used == set(OTHER)
    assert not used & set(ALWAYS)


@pytest.mark.parametrize("name", list(OTHER))
@pytest.mark.parametrize("mode", list(MODES))
def test_a_mode_takes_what_it_uses_and_nothing_else(
    mode: str, name: str
) -> None:
    given = {"mode": mode, "url": URL, "out": "a.npz", name: OTHER[name]}
    if mode == "status" and name != "out":
        del given["out"]
    if name in MODES[mode]:
        assert getattr(Request(**given), name) == OTHER[name]
        return
    with pytest.raises(InputError) as refused:
        Request(**given)
    takes = ", ".join(MODES[mode]) or "no settings"
    assert str(refused.value) == (
        f"`{name}` is of no use to {mode}, which takes {takes}."
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"mode": "smple"},
            "`mode` must be decode, sample, encode, reconstruct",
        ),
        (
            {"url": ""},
            "`url` must name the server; give --url=http://HOST:PORT",
        ),
        (
            {"out": ""},
            "`out` must name the file to write, one that ends in .png",
        ),
        ({"out": "a.jpg"}, "one that ends in .png, .npz; got 'a.jpg'."),
        (
            {"header": "secret"},
            "`header` must be \"Name: value\"; got 'secret'.",
        ),
        (
            {"version": 0},
            "`version` must be latest or a whole number of at leas",
        ),
        ({"timeout": 0.0}, "`timeout` must be a number above 0"),
        ({"num": 0}, "`num` must be a whole number of at least 1"),
        (
            {"mode": "score", "out": "a.png"},
            "`out` a.png: score gives numbers, no picture; give a FILE.npz.",
        ),
    ],
)
def test_wrong_settings_are_refused_by_the_program(
    given: dict, words: str
) -> None:
    settings = {"mode": "sample", "url": URL, "out": "a.npz", **given}
    with pytest.raises(InputError, match=re.escape(words)):
        Request(**settings)
    assert set(ENDINGS[".npz"]) == set(MODES) - {"status"}


def test_a_file_that_cannot_be_written(
    served: str, here: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "a.npz").mkdir()
    with pytest.raises(InputError, match="npz cannot be written: it is a fo"):
        _run(served, "sample", "--out=a.npz")

    def full(path: str, write: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(program.atomic, "write_whole", full)
    with pytest.raises(InputError, match="cannot be written: No space left on"):
        _run(served, "sample", "--out=b.npz")


def test_lines_tell_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [(1000, "a"), (500, "b"), (700, "c")]
    monkeypatch.setattr(progress, "SECONDS_A_LINE", 0)
    assert list(progress.shown(answers, total=2200, what="decode")) == [*"abc"]
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "decode: 1,000 of 2,200 rows", "decode: 1,500 of 2,200 rows",
    ]  # fmt: skip
    assert err == ""
    monkeypatch.setattr(progress, "SECONDS_A_LINE", 5)
    assert list(progress.shown(answers, total=2200, what="decode")) == [*"abc"]
    assert capsys.readouterr().out == ""


def test_a_terminal_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    list(progress.shown([(3, "a"), (4, "b")], total=7, what="decode"))
    assert "decode: 100%" in terminal.getvalue()
    assert "7/7" in terminal.getvalue()


@pytest.mark.slow
def test_the_program_from_a_shell(toy: Toy, tmp_path: pathlib.Path) -> None:
    def shell(*argv: str) -> tuple[int, str, str]:
        ended = subprocess.run(
            [sys.executable, "-m", "export.client", *argv],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        return ended.returncode, ended.stdout, ended.stderr

    code, out, err = shell("--help")
    assert (code, err) == (0, "")
    assert out.startswith("Asks a model server")
    path = tmp_path / "a.npz"
    with toy_server.rest(toy) as url:
        asked = ["sample", f"--url={url}", f"--out={path}"]
        assert shell(*asked) == (0, f"written: {path}\n", "")
        toy.refusals = [(400, None, "one\ntwo")] * 9  # type: ignore[list-item]
        failed = shell(*asked)
    assert failed == (1, "", "export.client: INVALID_ARGUMENT: one two\n")
    code, out, err = shell("sample", "--out=a.npz")
    assert (code, out) == (2, "")
    assert err.startswith("export.client: `url` must name the server; ")
    assert err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "loaded"),
    [
        ("import export.client.__main__", "httpx grpc numpy tensorflow"),
        ("import export.client.request", "httpx grpc numpy tensorflow"),
        ("import export.client.synchronous", "tensorflow matplotlib"),
    ],
)
def test_nothing_heavy_is_loaded(code: str, loaded: str) -> None:
    check = f"{code}, sys; print(*({loaded.split()} & sys.modules.keys()))"
    check = check.replace("['", "{'").replace("']", "'}")
    ended = subprocess.run(
        [sys.executable, "-c", check],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert ended.stdout.strip() == ""
