"""What is served is what the model computes, row by row."""

import functools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from export import graph_checks
from export.protos import meta_graph_pb2
from export.signatures import SIGNATURES, Servable, row_normals
from tests.small_runs import NUM_CLASSES, build_model
from tfvae.data.spec import DataSpec
from tfvae.distributions.likelihoods import LIKELIHOODS
from tfvae.learner import Learner

SHAPE = (5, 4, 1)
SPEC = DataSpec(SHAPE, NUM_CLASSES, "unit", levels=4)
BATCH = 3
SEEDS = np.array([7, -(2**61), 2**40 + 7])


@functools.cache
def served(part: str = "vae", **settings: Any) -> tuple[Learner, Servable]:
    model = build_model(SHAPE, **{"likelihood": "bernoulli"} | settings)
    return model, Servable(model, SPEC, part=part, card='{"name": "é"}')


def call(servable: Servable, name: str, **inputs: Any) -> dict[str, Any]:
    specs = servable.inputs[name]
    tensors = [tf.constant(inputs[key], specs[key].dtype) for key in specs]
    outputs = servable.signatures[name](*tensors)
    return {key: value.numpy() for key, value in outputs.items()}


def images() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform(size=[BATCH, *SHAPE]).astype(np.float32)


@pytest.mark.parametrize(
    ("part", "settings", "names"),
    [
        ("decoder", {}, "decode decode_png sample sample_png"),
        ("vae", {}, "decode decode_png sample sample_png encode reconstruct "
         "score"),
        ("decoder", {"model": "ae"}, "decode decode_png"),
        ("vae", {"model": "ae"}, "decode decode_png encode reconstruct"),
    ],
)  # fmt: skip
def test_names_of_the_signatures(
    part: str, settings: dict[str, Any], names: str
) -> None:
    _, servable = served(part, **settings)
    expected = {*names.split(), "describe", "serving_default"}
    assert set(servable.signatures) == expected


def test_the_default_decodes_or_encodes() -> None:
    _, vae = served()
    _, decoder = served("decoder")
    assert vae.signatures["serving_default"] is vae.signatures["encode"]
    assert decoder.signatures["serving_default"] is decoder.signatures["decode"]


@pytest.mark.parametrize("support", ["unit", "real"])
def test_data_that_are_no_images_give_no_png(support: str) -> None:
    model = build_model((3,), support=support)
    spec = DataSpec((3,), None, support)
    servable = Servable(model, spec, part="decoder", card="")
    assert not {"decode_png", "sample_png"} & set(servable.signatures)


def test_the_decoder_holds_its_own_variables_only() -> None:
    model, servable = served("decoder")
    names = {v.ref() for v in servable.variables}
    assert names == {v.ref() for v in model.decoder.variables}


def test_encode_and_reconstruct_are_those_of_the_model() -> None:
    model, servable = served()
    x = images()
    qz = model.encode(x)
    encoded = call(servable, "encode", x=x)
    np.testing.assert_allclose(encoded["loc"], qz.mean(), rtol=1e-5)
    np.testing.assert_allclose(encoded["scale"], qz.stddev(), rtol=1e-5)
    np.testing.assert_allclose(
        call(servable, "reconstruct", x=x)["x"],
        model.reconstruct(x),
        rtol=1e-5,
    )


def test_score_is_the_closed_form() -> None:
    model, servable = served()
    x = images()
    answer = call(servable, "score", x=x, seed=SEEDS)
    loc, scale = call(servable, "encode", x=x).values()
    # KL(N(m, s^2) || N(0, 1))
    kl = np.sum((loc**2 + scale**2 - 1) / 2 - np.log(scale), axis=1)
    np.testing.assert_allclose(answer["kl"], kl, rtol=1e-5)
    eps = [tf.random.stateless_normal([4], [s, 4], alg="philox") for s in SEEDS]
    p = model.decode(loc + scale * np.stack(eps)).mean().numpy()
    log_p = x * np.log(p) + (1 - x) * np.log1p(-p)
    np.testing.assert_allclose(
        answer["log_likelihood"], log_p.sum(axis=(1, 2, 3)), rtol=1e-5
    )
    np.testing.assert_allclose(
        answer["elbo"], answer["log_likelihood"] - answer["kl"], rtol=1e-5
    )


PRIORS = ("standard_normal", "mixture", "realnvp")


@pytest.mark.parametrize("prior", PRIORS)
def test_a_draw_depends_on_its_own_seed_alone(prior: str) -> None:
    _, servable = served("decoder", prior=prior)
    batch = call(servable, "sample", seed=SEEDS)["z"]
    turned = call(servable, "sample", seed=[*SEEDS[::-1], 5])["z"]
    np.testing.assert_array_equal(batch, turned[2::-1])
    alone = [call(servable, "sample", seed=[s])["z"][0] for s in SEEDS]
    np.testing.assert_array_equal(batch, alone)
    assert len(np.unique(batch[:, 0])) == BATCH


@pytest.mark.parametrize("prior", PRIORS)
def test_the_upper_half_of_a_seed_counts(prior: str) -> None:
    _, servable = served("decoder", prior=prior)
    z = call(servable, "sample", seed=[7, 7 + 2**32, 7 - 2**32])["z"]
    assert len(np.unique(z[:, 0])) == 3


def test_draws_are_standard_normal_and_independent() -> None:
    z = row_normals(tf.range(2000, dtype=tf.int64), 2, 3).numpy()
    assert stats.kstest(z.ravel(), "norm").pvalue > 1e-3
    assert np.abs(np.corrcoef(z.T) - np.eye(3)).max() < 4 / np.sqrt(2000)
    assert abs(np.corrcoef(z[:-1, 0], z[1:, 0])[0, 1]) < 4 / np.sqrt(2000)


def test_streams_differ() -> None:
    seed = tf.constant([3, 4], tf.int64)
    assert not np.any(row_normals(seed, 2, 5) == row_normals(seed, 4, 5))


def test_a_draw_of_a_vamp_prior_is_of_its_own_seed() -> None:
    model = build_model(SHAPE, prior="vamp", num_components=3)
    servable = Servable(model, SPEC, part="decoder", card="")
    z = call(servable, "sample", seed=[5, 6, 5])["z"]
    np.testing.assert_array_equal(z[0], z[2])
    assert np.all(z[0] != z[1])


def test_png_holds_the_rounded_pixels() -> None:
    model, servable = served("decoder")
    drawn = call(servable, "sample_png", seed=SEEDS)
    x = model.decode(drawn["z"]).mean().numpy()
    for png, image in zip(drawn["png_bytes"], x, strict=True):
        assert png[:8] == b"\x89PNG\r\n\x1a\n"
        pixels = tf.io.decode_png(png).numpy()
        np.testing.assert_allclose(pixels, 255 * image, atol=0.5 + 1e-3)


def test_a_label_moves_the_image() -> None:
    model, servable = served("decoder", condition="label")
    z = np.zeros([BATCH, 4], np.float32)
    labels = np.array([2, 0, 1])
    x = call(servable, "decode", z=z, label=labels)["x"]
    expected = model.decode(z, {"label": labels}).mean()
    np.testing.assert_allclose(x, expected, rtol=1e-5)
    assert np.abs(x[0] - x[1]).max() > 1e-3


def test_seen_pixels_stay_as_they_are() -> None:
    _, servable = served("vae", condition="mask")
    image = images()
    mask = (images() > 0.5).astype(np.float32)
    x = call(servable, "sample", seed=SEEDS, image=image, mask=mask)["x"]
    seen = mask == 1
    np.testing.assert_array_equal(x[seen], image[seen])
    assert np.all(x[~seen] != image[~seen])


def test_the_card_is_told_for_every_row() -> None:
    _, servable = served("decoder", condition="label")
    assert list(servable.inputs["describe"]) == ["row"]
    cards = call(servable, "describe", row=[4, 5, 6])["card"]
    assert [card.decode() for card in cards] == ['{"name": "é"}'] * 3


@pytest.mark.slow
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_every_likelihood_can_be_served(likelihood: str) -> None:
    _, servable = served(likelihood=likelihood)
    for function in servable.signatures.values():
        graph = meta_graph_pb2.MetaGraphDef()
        text = function.graph.as_graph_def().SerializeToString()
        graph.graph_def.MergeFromString(text)
        assert graph_checks.check_operations(graph) > 2
        for tensor in function.structured_outputs.values():
            assert tensor.shape[0] is None
            assert None not in tensor.shape[1:]


@pytest.mark.parametrize("posterior", ["tril", "iaf"])
def test_scale_of_other_posteriors_is_their_deviation(posterior: str) -> None:
    model, servable = served(posterior=posterior)
    x = images()
    draws = np.random.default_rng(1).normal(size=[20_000, 1, 4])
    z = model.encode(x).bijector.forward(draws.astype(np.float32)).numpy()
    scale = call(servable, "encode", x=x)["scale"]
    # iaf: by 64 draws; its deviation is known to one part in sqrt(128)
    tolerance = 0.03 if posterior == "tril" else 0.35
    np.testing.assert_allclose(scale, z.std(axis=0), rtol=tolerance)


def test_every_signature_has_a_free_batch_dimension_only() -> None:
    _, servable = served(condition="mask")
    assert set(SIGNATURES) <= set(servable.signatures)
    for name, function in servable.signatures.items():
        tensors = [*servable.inputs[name].values()]
        tensors += function.structured_outputs.values()
        for tensor in tensors:
            assert tensor.shape[0] is None
            assert None not in tensor.shape[1:]
