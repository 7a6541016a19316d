"""The page of a search, from one trial to many, from none that completed."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import pytest

from tests.test_page import Outline, assert_stands_alone
from tuning import page
from tuning.importance import importance
from tuning.results import Result
from tuning.space import Dimension, Space

LATENT_DIM = Dimension("latent_dim", "int", (2, 64), log=True)
C = Dimension("C", "float", (0.05, 5000.0), log=True)
ARCHITECTURE = Dimension("architecture", "choice", ("mlp", "conv"))
FIGURES = {
    "nll": -632.5, "nll_stderr": 2.5, "elbo": -640.0, "rate": 53.0,
    "distortion_nats": -685.0, "mse": 0.0108, "C_at_end": 37.5,
    "C_star": 46.25, "best_epoch": 28, "epochs": 30, "seed": 0,
    "num_parameters": 12345, "seconds": 75.0, "train_seconds": 50.0,
}  # fmt: skip
COMMANDS = {"serve it": "python -m export.saved_model --run_dir=D/best/run"}


def completed(
    trial: str, values: dict[str, Any], nll: float, **figures: Any
) -> Result:
    """Returns a completed trial."""
    given = FIGURES | {"nll": nll} | figures
    return Result(trial, "COMPLETED", values, nll, given)


def failed(trial: str, values: dict[str, Any], message: str) -> Result:
    """Returns a failed trial."""
    return Result(trial, "FAILED", values, None, {}, message)


@pytest.fixture
def written(tmp_path: pathlib.Path) -> Any:
    """Writes a page and returns what it consists of."""

    def write(
        results: Sequence[Result],
        *dimensions: Dimension,
        objective: str = "nll",
        direction: str = "min",
    ) -> Outline:
        path = str(tmp_path / "new" / "report.html")
        answer = page.write(
            path, results, space=Space(dimensions), objective=objective,
            direction=direction, title="digits: a search", commands=COMMANDS,
        )  # fmt: skip
        assert answer == path
        outline = Outline(pathlib.Path(path).read_text(encoding="utf-8"))
        assert_stands_alone(outline)
        for _, text in outline.texts:
            assert not {"nan", "None", "inf"} & set(text.split())
        return outline

    return write


TRIALS = [
    completed("00", {"latent_dim": 4, "C": 800.0}, 35615.0, mse=0.0098,
              C_at_end=800.0),
    failed("01", {"latent_dim": 64, "C": 4812.0}, "loss is not finite"),
    completed("02", {"latent_dim": 12, "C": 37.5}, -632.5),
    Result("03", "RUNNING", {"latent_dim": 8, "C": 2.0}, None, {}),
    completed("04", {"latent_dim": 6, "C": 90.0}, -600.0, C_at_end=90.0),
]  # fmt: skip


def cards(outline: Outline) -> dict[str, tuple[str, str]]:
    """Returns {name: (value, note)}."""
    texts = [*outline.texts, ("", "")]
    found = {}
    for (tag, name), (_, value), after in zip(
        texts, texts[1:], texts[2:], strict=False
    ):
        if tag == "dt":
            found[name] = (value, after[1] if after[0] == "dd" else "")
    return found


def test_page_says_what_is_best(written: Any) -> None:
    outline = written(TRIALS, LATENT_DIM, C)
    assert outline.text_of("h1") == ["digits: a search"]
    assert outline.text_of("h2") == [
        "What was searched", "What came of it", "All trials", "What is next",
    ]  # fmt: skip
    assert cards(outline) == {
        "best nll (nats)": ("-632.5", "± 2.5, trial 02"),
        "its C": ("37.5", "C* = 46.25"),
        "its latent_dim": ("12", "dimensions of z"),
        "trials completed": ("3", "1 failed, 1 running"),
        "time in trials": ("3 min 45 s", "2 min 30 s of it training"),
    }
    (text,) = [t for t in outline.text_of("p") if "factor of 2" in t]
    assert text.endswith(
        "The best trial's C = 37.5 lies within a factor of 2 of its C* = "
        "46.25: it is 0.81 times as large."
    )
    assert "# serve it\n" + COMMANDS["serve it"] in outline.text_of("code")


def test_page_says_what_was_searched_and_why_so(written: Any) -> None:
    outline = written(TRIALS, LATENT_DIM, C)
    cells = outline.text_of("td")
    assert cells[:2] == [
        "whole numbers from 2 to 64, on a log scale",
        "numbers from 0.05 to 5000, on a log scale",
    ]
    text = " ".join(outline.text_of("p"))
    assert "It is normalised" in text
    assert "the smallest C has the smallest loss" in text
    assert (
        "Here trial 00 has the smallest squared error, and an nll of 35615 "
        "nats; that of the best trial is -632.5." in text
    )


def test_table_has_the_best_first_and_the_failed_last(written: Any) -> None:
    outline = written(TRIALS, LATENT_DIM, C)
    names = outline.text_of("th")
    assert names[names.index("trial") :] == [
        "trial", "latent_dim", "C", "nll", "C*", "elbo", "rate", "distortion",
        "mse", "best epoch", "epochs", "seconds", "outcome",
        "02", "04", "00", "03", "01",
    ]  # fmt: skip
    cells = outline.text_of("td")[2:]
    assert cells[:12] == [
        "12", "37.5", "-632.5 ± 2.5", "46.25", "-640", "53", "-685", "0.0108",
        "28", "30", "75", "completed",
    ]  # fmt: skip
    assert cells[-6:] == [
        "8", "2", "running", "64", "4812", "failed: loss is not finite"
    ]  # fmt: skip
    assert len(outline.all("img")) == 3
    assert any("8 completed trials" in text for text in outline.text_of("p"))


def test_importance_is_shown_where_it_can_be_told(written: Any) -> None:
    results = [
        completed(f"{k:02d}", {"latent_dim": 2 + k % 3, "C": 1.7**k}, float(k))
        for k in range(12)
    ]
    assert importance(results, log={"C", "latent_dim"})
    outline = written(results, LATENT_DIM, C)
    assert len(outline.all("img")) == 4
    (alt,) = [
        i["alt"] for i in outline.all("img") if "matters most" in i["alt"]
    ]
    assert "C matters most" in alt
    assert not [t for t in outline.text_of("p") if "cannot be told" in t]


def test_what_is_searched_on_a_log_scale_is_shown_on_one(
    written: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scales = []

    def note(*_: Any, log: set[str], **__: Any) -> tuple:
        scales.append(log)
        return ()

    monkeypatch.setattr(page, "importance", note)
    monkeypatch.setattr(page.page_figures, "pictures", note)
    written(TRIALS, dataclasses.replace(LATENT_DIM, log=False), C)
    assert scales == [{"C"}, {"C"}]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (23.125, "within a factor of 2 of its C* = 46.25: it is 0.5 times"),
        (23.0, "not within a factor of 2 of its C* = 46.25: it is 0.5 times"),
        (92.5, "within a factor of 2 of its C* = 46.25: it is 2 times"),
        (462.5, "not within a factor of 2 of its C* = 46.25: it is 10 times"),
    ],
)
def test_page_says_whether_C_is_near_its_closed_form(
    written: Any, value: float, words: str
) -> None:
    results = [completed("0", {"C": value}, 1.0, C_at_end=value)]
    (text,) = [
        t for t in written(results, C).text_of("p") if "factor of 2" in t
    ]
    assert f"lies {words} as large." in text


def test_one_trial_is_a_page(written: Any) -> None:
    outline = written(TRIALS[2:3], LATENT_DIM, C)
    assert len(outline.all("img")) == 3
    assert cards(outline)["trials completed"] == ("1", "0 failed")
    assert "Here trial" not in " ".join(outline.text_of("p"))


def test_page_says_that_all_trials_failed(written: Any) -> None:
    results = [failed("00", {"C": 4e3}, "it diverged"), failed("01", {}, "")]
    outline = written(results, C)
    assert outline.all("img") == []
    assert cards(outline) == {"trials completed": ("0", "2 failed")}
    assert "No trial has completed: there is nothing to show." in (
        outline.text_of("p")
    )
    cells = outline.text_of("td")
    assert cells[1:] == ["4000", "failed: it diverged", "failed"]


def test_no_trial_at_all_is_a_page(written: Any) -> None:
    outline = written([], C)
    assert cards(outline) == {"trials completed": ("0", "0 failed")}


def test_page_without_C_and_latent_dim(written: Any) -> None:
    results = [
        completed("00", {"architecture": "mlp"}, 5.0, C_star=None, elbo=3.0),
        completed("01", {"architecture": "conv"}, 6.0, C_star=None, elbo=4.0),
    ]
    results = [
        Result(r.trial, r.status, r.values, r.figures["elbo"], r.figures)
        for r in results
    ]
    outline = written(
        results, ARCHITECTURE, objective="elbo", direction="max"
    )  # fmt: skip
    assert cards(outline)["best elbo (nats)"] == ("4", "trial 01")
    assert cards(outline)["its C"] == ("37.5", "")
    text = " ".join(outline.text_of("p"))
    assert "C*" not in text
    assert "Why not the loss" not in text
    assert "higher is better" in text
    names = outline.text_of("th")
    assert names[names.index("trial") :][:5] == [
        "trial", "architecture", "elbo", "C at the end", "nll",
    ]  # fmt: skip
    assert len(outline.all("img")) == 2
    names = names[names.index("trial") :]
    attributes = outline.all("th")[-len(names) :]
    numbers = {
        name: attribute.get("class") == "number"
        for name, attribute in zip(names, attributes, strict=True)
    }
    assert not numbers["architecture"]
    assert numbers["elbo"]


def test_page_of_autoencoders(written: Any) -> None:
    figures = {"mse": 0.5, "loss": 3.0, "best_epoch": 1, "epochs": 2,
               "seconds": 4000.0, "train_seconds": 9.0}  # fmt: skip
    results = [
        Result("00", "COMPLETED", {"latent_dim": 3}, 0.5, figures),
        Result("01", "COMPLETED", {"latent_dim": 9}, 0.25, figures),
    ]
    outline = written(results, LATENT_DIM, objective="mse")
    assert cards(outline) == {
        "best mse per dimension": ("0.25", "trial 01"),
        "its latent_dim": ("9", "dimensions of z"),
        "trials completed": ("2", "0 failed"),
        "time in trials": ("2 h 13 min", "18 s of it training"),
    }
    assert "none to sample from" in " ".join(outline.text_of("p"))
    assert len(outline.all("img")) == 1


@pytest.mark.parametrize("objective", ["nll", "elbo", "mse", "loss"])
def test_each_criterion_is_explained(written: Any, objective: str) -> None:
    outline = written([], LATENT_DIM, objective=objective)
    assert objective in outline.text_of("code")
    assert any("Trials are compared by" in t for t in outline.text_of("p"))


def test_rungs_of_hyperband_are_rows_of_their_own(written: Any) -> None:
    values = {"latent_dim": 8, "C": 30.0}
    results = [
        completed("00", values, 9.0, epochs=3),
        completed("01", values, 5.0, epochs=30),
    ]
    outline = written(results, LATENT_DIM, C)
    assert outline.text_of("th")[-2:] == ["01", "00"]
    assert cards(outline)["trials completed"] == ("2", "0 failed")
