"""Small models with known numbers, for tests of what a step does."""

import numpy as np
import tf_keras

import tfvae
from tfvae import trunks
from tfvae.distributions import posteriors, priors
from tfvae.distributions.likelihoods import Likelihood

LATENT_DIM = 2


def linear_encoder(num_dims: int, *, exact: bool = True) -> tf_keras.Model:
    """Returns q(z|x) with g and log h affine in x, and no prior but N(0, I)."""
    x = tf_keras.layers.Input([num_dims])
    heads = [
        tf_keras.layers.Dense(LATENT_DIM, name=name)(x)
        for name in ("loc", "log_scale")
    ]
    posterior = posteriors.MultivariateNormalDiag(
        posteriors.KLRegularizer(priors.StandardNormal(LATENT_DIM), exact=exact)
    )
    return tf_keras.Model(x, posterior(heads))


def linear_vae(
    num_dims: int, likelihood: Likelihood, *, exact: bool = True, **settings
) -> tfvae.VAE:
    """Returns a VAE whose numbers are set to fixed draws."""
    encoder = linear_encoder(num_dims, exact=exact)
    decoder = tfvae.make_decoder(
        trunks.dense([]), LATENT_DIM, (num_dims,), likelihood
    )
    model = tfvae.VAE(encoder, decoder, **settings)
    rng = np.random.default_rng(0)
    for variable in (*encoder.weights, *_decoder_variables(model)):
        variable.assign(0.5 * rng.normal(size=variable.shape))
    return model


def decoder_weights(model: tfvae.VAE) -> tuple[np.ndarray, np.ndarray]:
    """Returns (W, b) of f(z) = z W + b: [latent_dim, num_dims], [num_dims]."""
    kernel, offset = _decoder_variables(model)
    return kernel.numpy(), offset.numpy()[:, 0]


def make_deaf(model: tfvae.VAE) -> np.ndarray:
    """Makes f(z) = b at every z, and returns b: [num_dims]."""
    kernel, _ = _decoder_variables(model)
    kernel.assign(np.zeros(kernel.shape))
    return decoder_weights(model)[1]


def encode(model: tfvae.VAE, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns (loc, scale) of a linear encoder in numpy, each [batch, 2]."""
    loc, log_scale = (
        x @ layer.kernel.numpy() + layer.bias.numpy()
        for layer in map(model.encoder.get_layer, ("loc", "log_scale"))
    )
    return loc, np.exp(7 * np.tanh(log_scale / 7))


def _decoder_variables(model: tfvae.VAE) -> tuple:
    decoder = model.decoder
    return decoder.get_layer("head").kernel, decoder.get_layer("offset").b
