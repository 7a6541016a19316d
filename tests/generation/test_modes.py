"""What each mode makes of a run, its data and what is asked for."""

import pathlib

import numpy as np
import pytest

from tests.small_runs import image_set, save_run
from tfvae.data.load import load_data
from tfvae.errors import InputError
from tfvae.generation import inputs, modes
from tfvae.generation.generated import Generated
from tfvae.generation.request import MODES, Generation
from tfvae.run_dir import Run

TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Runs of the same images by what is peculiar to them."""
    folder = tmp_path_factory.mktemp("runs")
    peculiar = {
        "plain": {}, "flat": {"latent_dim": 2}, "ae": {"model": "ae"},
        "mixture": {"prior": "mixture"}, "mask": {"condition": "mask"},
        "label": {"condition": "label", "latent_dim": 2},
    }  # fmt: skip
    dataset = image_set(folder)
    return {
        name: save_run(folder / name, dataset=dataset, **settings)
        for name, settings in peculiar.items()
    }


@pytest.fixture(scope="module")
def test_set(runs: dict[str, Run]) -> tuple[np.ndarray, np.ndarray]:
    test = load_data(runs["plain"].config).test
    assert test.y is not None
    return np.float32(test.x / 255), test.y


def make(run: Run, mode: str, out: str = "a.png", **asked) -> Generated:
    return modes.generate(run, Generation(mode=mode, out=out, **asked))


def test_data_are_looked_for_where_they_are_said_to_be(
    runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(
        inputs, "load_data", lambda c: (seen.append(c), load_data(c))[1]
    )
    for given in ({}, {"data_dir": "there"}):
        make(runs["plain"], "reconstruct", **given)
    assert [config.data_dir for config in seen] == ["", "there"]
    assert runs["plain"].config.data_dir == ""


def test_every_mode_has_a_maker() -> None:
    assert list(modes.MAKERS) == list(MODES)


def test_samples_are_those_of_the_model(runs: dict[str, Run]) -> None:
    made = make(runs["plain"], "sample", seed=3)
    assert made.x.shape == (8, 8, 9, 7, 3)
    expected = runs["plain"].model.sample(64, seed=3)
    np.testing.assert_allclose(made.arrays()["x"], expected, **TOLERANCE)
    assert make(runs["plain"], "sample", num=101).x.shape[:2] == (10, 11)
    assert make(runs["plain"], "sample", num=5).x.shape[:2] == (1, 5)
    drawn = make(runs["plain"], "sample", seed=3, shown="draw", temperature=0.5)
    assert drawn.title.startswith("sample: a draw of p(x|z)")
    np.testing.assert_array_equal(drawn.z, made.z / 2)


@pytest.mark.parametrize("mode", list(modes.PARTS))
def test_arrays_in_parts_are_those_of_the_whole(
    mode: str, runs: dict[str, Run]
) -> None:
    asked = Generation(mode=mode, out="a.npz", num=7, seed=3)
    made = modes.in_parts(runs["label"], asked)
    whole = modes.generate(runs["label"], asked).arrays()
    assert list(made.arrays) == list(whole)
    for name, array in whole.items():
        in_parts = np.concatenate(list(made.arrays[name]))
        assert in_parts.dtype == array.dtype
        np.testing.assert_allclose(in_parts, array, **TOLERANCE)


def test_classes_take_turns(runs: dict[str, Run]) -> None:
    made = make(runs["label"], "sample", num=7)
    assert made.row_labels == ("class 0", "class 1", "class 2")
    assert made.x.shape[:2] == (3, 3)
    assert made.more["label"].tolist() == [0, 0, 0, 1, 1, 2, 2]
    made = make(runs["label"], "sample", num=4, label=(2, 0))
    assert made.row_labels == ("class 2", "class 0")
    assert made.more["label"].tolist() == [2, 2, 0, 0]
    made = make(runs["label"], "sample", num=2)
    assert made.row_labels == ("class 0", "class 1")
    assert made.more["label"].tolist() == [0, 1]
    made = make(runs["label"], "sample", label=(1,))
    assert (made.row_labels, made.x.shape[:2]) == ((), (8, 8))
    assert (made.more["label"] == 1).all()
    assert made.title.endswith("class 1")


def test_reconstructions_of_named_examples(
    runs: dict[str, Run], test_set: tuple[np.ndarray, np.ndarray]
) -> None:
    x, y = test_set
    made = make(runs["label"], "reconstruct", indices=(5, 2)).arrays()
    np.testing.assert_allclose(made["image"], x[[5, 2]], rtol=1e-6)
    expected = runs["label"].model.reconstruct(x[[5, 2]], {"label": y[[5, 2]]})
    np.testing.assert_allclose(made["x"], expected, **TOLERANCE)
    assert len(make(runs["plain"], "reconstruct", num=11).arrays()["x"]) == 11
    # The test split holds fewer than are asked for.
    assert make(runs["plain"], "reconstruct").more["image"].shape[0] == 20


def test_paths_join_indices_in_pairs(
    runs: dict[str, Run], test_set: tuple[np.ndarray, np.ndarray]
) -> None:
    made = make(runs["plain"], "interpolate", indices=(3, 0, 7, 4), steps=5)
    assert made.x.shape[:2] == (2, 5)
    for column, ids in ((0, [3, 7]), (-1, [0, 4])):
        expected = runs["plain"].model.reconstruct(test_set[0][ids])
        np.testing.assert_allclose(made.x[:, column], expected, **TOLERANCE)
    spherical = make(
        runs["plain"], "interpolate", indices=(3, 0), path="spherical"
    )
    assert spherical.x.shape[:2] == (1, 9)
    assert "spherical path" in spherical.title


def test_random_paths_have_two_ends(runs: dict[str, Run]) -> None:
    made = make(runs["plain"], "interpolate", num=3)
    ends = np.concatenate([made.more["x_from"], made.more["x_to"]])
    assert len(np.unique(ends.reshape(6, -1), axis=0)) == 6
    # 20 examples give 10 pairs at most.
    many = make(runs["plain"], "interpolate", out="a.gif", num=30)
    assert many.x.shape[:2] == (10, 30)


def test_paths_of_classes_stay_in_one(
    runs: dict[str, Run], test_set: tuple[np.ndarray, np.ndarray]
) -> None:
    x, y = test_set
    classes = {
        image.tobytes(): label for image, label in zip(x, y, strict=True)
    }
    made = make(runs["label"], "interpolate", num=6, steps=4)
    assert len(made.x) == 6
    labels = made.more["label"].reshape(6, 4)
    for row in range(6):
        ends = made.more["x_from"][row], made.more["x_to"][row]
        assert (ends[0] != ends[1]).any()
        assert {classes[end.tobytes()] for end in ends} == {labels[row, 0]}
    assert set(labels.ravel()) == {0, 1, 2}
    first, other = (int(np.flatnonzero(y == label)[0]) for label in (0, 1))
    with pytest.raises(
        InputError, match="some are of 0 and 1; give others, or"
    ):
        make(runs["label"], "interpolate", indices=(first, other))
    made = make(
        runs["label"], "interpolate", indices=(first, other), label=(2,)
    )
    assert (made.more["label"] == 2).all()


def test_wrong_ends_of_paths_are_refused(
    runs: dict[str, Run], tmp_path: pathlib.Path
) -> None:
    with pytest.raises(InputError, match="`indices` must name the two ends of"):
        make(runs["plain"], "interpolate", indices=(1, 2, 3))
    x = np.random.default_rng(0).uniform(size=[30, 6, 5])
    np.savez(tmp_path / "x.npz", x=x, y=np.arange(30))
    run = save_run(
        tmp_path / "run", dataset=f"npz:{tmp_path / 'x.npz'}", condition="label"
    )
    with pytest.raises(InputError, match="no two examples of one class; give "):
        make(run, "interpolate")


def test_latents_are_traversed_in_the_order_of_their_kl(
    runs: dict[str, Run], test_set: tuple[np.ndarray, np.ndarray]
) -> None:
    model = runs["plain"].model
    made = make(runs["plain"], "traverse", indices=(6,), span=2)
    posterior = model.encode(test_set[0])
    loc, scale = posterior.mean().numpy(), posterior.stddev().numpy()
    # KL(N(loc, scale^2) || N(0, 1))
    kl = ((loc**2 + scale**2 - 1) / 2 - np.log(scale)).mean(axis=0)
    order = sorted(range(4), key=lambda dim: -kl[dim])
    assert made.more["dims"].tolist() == order
    assert made.row_labels == tuple(
        f"z[{dim}]  KL {kl[dim]:.2f}" for dim in order
    )
    np.testing.assert_allclose(
        made.more["values"], np.linspace(-2, 2, 9), rtol=1e-6
    )
    z = model.code(test_set[0][6:7]).numpy()[0]
    rest = np.delete(made.z[0], order[0], axis=1)
    np.testing.assert_allclose(
        rest, np.tile(np.delete(z, order[0]), [9, 1]), **TOLERANCE
    )
    named = make(runs["plain"], "traverse", dims=(2, 0), steps=3)
    assert named.row_labels == ("z[2]", "z[0]")
    assert named.x.shape[:2] == (2, 3)


@pytest.mark.parametrize("name", ["ae", "mixture"])
def test_latents_without_a_kl_go_by_their_variance(
    name: str, runs: dict[str, Run], test_set: tuple[np.ndarray, np.ndarray]
) -> None:
    made = make(runs[name], "traverse")
    variance = runs[name].model.code(test_set[0]).numpy().var(axis=0)
    order = sorted(range(4), key=lambda dim: -variance[dim])
    assert made.more["dims"].tolist() == order
    assert made.row_labels[0] == f"z[{order[0]}]  var {variance.max():.2f}"


def test_wrong_traversals_are_refused(runs: dict[str, Run]) -> None:
    with pytest.raises(
        InputError, match=r"`dims` must be from 0 to 3, .*got 1, 4"
    ):
        make(runs["plain"], "traverse", dims=(1, 4))
    with pytest.raises(
        InputError, match="starts from one example; got 2; give"
    ):
        make(runs["plain"], "traverse", indices=(1, 4))


def test_manifold_shows_one_class(runs: dict[str, Run]) -> None:
    assert make(runs["flat"], "manifold").x.shape[:2] == (20, 20)
    made = make(runs["label"], "manifold", steps=3)
    assert made.x.shape[:2] == (3, 3)
    assert made.title.endswith("class 0")
    made = make(runs["label"], "manifold", steps=3, label=(2,))
    assert made.title.endswith("class 2")
    with pytest.raises(
        InputError, match="manifold shows one class; got 2; give"
    ):
        make(runs["label"], "manifold", label=(1, 2))


def test_completions_of_named_examples(
    runs: dict[str, Run], test_set: tuple[np.ndarray, np.ndarray]
) -> None:
    made = make(runs["mask"], "inpaint", indices=(4, 1), num=3, mask="bottom")
    assert made.x.shape == (2, 5, 9, 7, 3)
    for row, index in enumerate((4, 1)):
        for completion in made.more["completions"][row]:
            np.testing.assert_array_equal(
                completion[4:], test_set[0][index, 4:]
            )
    made = make(runs["mask"], "inpaint")
    assert made.x.shape[:2] == (8, 10)
    assert len(np.unique(made.more["mask"], axis=0)) > 1
    with pytest.raises(
        InputError, match="`inpaint` needs a run that was train"
    ):
        make(runs["plain"], "inpaint")


def test_run_of_masks_reconstructs_and_traverses(
    runs: dict[str, Run], test_set: tuple[np.ndarray, np.ndarray]
) -> None:
    made = make(runs["mask"], "reconstruct", indices=(4, 1), mask="bottom")
    np.testing.assert_array_equal(
        made.arrays()["x"][:, 4:], test_set[0][[4, 1], 4:]
    )
    made = make(runs["mask"], "traverse", indices=(4,), mask="bottom")
    x = made.arrays()["x"]
    expected = np.broadcast_to(test_set[0][4, 4:], x[:, 4:].shape)
    np.testing.assert_array_equal(x[:, 4:], expected)


def test_mean_code_of_one_class_is_added_and_of_another_taken_away(
    runs: dict[str, Run], test_set: tuple[np.ndarray, np.ndarray]
) -> None:
    x, y = test_set
    made = make(
        runs["plain"], "arithmetic", plus="2", minus="0", indices=(3, 9),
        strengths=(0.0, 2.0),
    )  # fmt: skip
    codes = runs["plain"].model.code(x).numpy()
    direction = codes[y == 2].mean(axis=0) - codes[y == 0].mean(axis=0)
    np.testing.assert_allclose(made.z[:, 0], codes[[3, 9]], **TOLERANCE)
    np.testing.assert_allclose(
        made.z[:, 1], codes[[3, 9]] + 2 * direction, **TOLERANCE
    )
    assert make(
        runs["label"], "arithmetic", plus="2", minus="0"
    ).x.shape[:2] == (8, 5)  # fmt: skip


def test_more_than_fits_is_refused(
    runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modes, "MOST_NUMBERS", 9 * 7 * 3 * 40)
    with pytest.raises(InputError, match="41 x of 189 numbers do not fit into"):
        make(runs["plain"], "sample", num=41)
    make(runs["plain"], "sample", num=40)
    with pytest.raises(
        InputError, match=r"42 x of 189 .* make at most 40 at a"
    ):
        make(runs["mask"], "inpaint", indices=(1, 2, 3), num=14)
