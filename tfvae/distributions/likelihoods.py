"""p(x|z): the table of distribution layers that close a decoder.

A likelihood turns the decoder's last activations into a distribution over x,
and says what weighs the distortion.
"""

from tfvae.distributions.bernoulli import Bernoulli, ContinuousBernoulli
from tfvae.distributions.densities import Beta, Laplace, StudentT
from tfvae.distributions.discrete import (
    Categorical,
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
    QuantizedGaussian,
)
from tfvae.distributions.gaussian import Gaussian
from tfvae.distributions.likelihood import Likelihood

__all__ = ["LIKELIHOODS", "Bernoulli", "Gaussian", "Likelihood"]

LIKELIHOODS: dict[str, type[Likelihood]] = {
    "gaussian": Gaussian,
    "bernoulli": Bernoulli,
    "continuous_bernoulli": ContinuousBernoulli,
    "beta": Beta,
    "laplace": Laplace,
    "student_t": StudentT,
    "discretized_logistic": DiscretizedLogistic,
    "discretized_logistic_mixture": DiscretizedLogisticMixture,
    "categorical": Categorical,
    "quantized_gaussian": QuantizedGaussian,
}
