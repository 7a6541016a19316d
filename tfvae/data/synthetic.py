"""Synthetic data whose density, or whose generating function, is known."""

import dataclasses

import numpy as np
from scipy import stats

from tfvae.data.mixture import GaussianMixture
from tfvae.data.sources import PARTS, Source

NUM_EXAMPLES = {"train": 10000, "validation": 1000, "test": 1000}


def ring() -> Source:
    """Points g(z) = z/10 + z/|z| with z ~ N(0, I), in the plane.

    References:
      Doersch, 2016. Tutorial on Variational Autoencoders, figure 2.
      https://arxiv.org/abs/1606.05908
    """

    def draw(rng: np.random.Generator, size: int) -> np.ndarray:
        z = rng.normal(size=[size, 2])
        return z / 10 + z / np.linalg.norm(z, axis=1, keepdims=True)

    parts = {part: (draw(*_rng(part, 1)), None) for part in PARTS}
    return Source(parts, log_prob=ring_log_prob)


def ring_log_prob(x: np.ndarray) -> np.ndarray:
    """Returns log p(x) of `ring`: [batch], nats, for x [batch, 2].

    |x| = 1 + r / 10 with r = |z|, whose density is r exp(-r^2 / 2), and the
    angle is uniform: p(x) = 10 r exp(-r^2 / 2) / (2 pi |x|). Inside the unit
    circle it is 0, and log p(x) is -inf.
    """
    norm = np.linalg.norm(np.asarray(x, np.float64), axis=1)
    r = np.maximum(10 * (norm - 1), 0)
    with np.errstate(divide="ignore"):  # log 0
        return np.log(10 * r / (2 * np.pi * norm)) - r**2 / 2


def pinwheel() -> Source:
    """Five arms in the plane; the label is the arm.

    Each arm is N((1, 0), diag(0.3, 0.1)^2), turned by an angle that grows with
    exp of the distance from the centre.

    References:
      Johnson et al., 2016. Composing graphical models with neural networks
      for structured representations and fast inference, section 5.
      https://arxiv.org/abs/1603.06277
    """
    num_arms, rate = 5, 0.25

    def draw(
        rng: np.random.Generator, size: int
    ) -> tuple[np.ndarray, np.ndarray]:
        arm = rng.integers(num_arms, size=size)
        points = rng.normal(size=[size, 2]) * [0.3, 0.1] + [1.0, 0.0]
        angle = 2 * np.pi * arm / num_arms + rate * np.exp(points[:, 0])
        cos, sin = np.cos(angle), np.sin(angle)
        rotation = np.stack([cos, -sin, sin, cos], axis=1).reshape(-1, 2, 2)
        return np.einsum("nij,nj->ni", rotation, points), arm

    return Source({part: draw(*_rng(part, 2)) for part in PARTS})


@dataclasses.dataclass(frozen=True)
class LinearGaussian:
    """x = W z + b + sqrt(c) e, with z ~ N(0, I) and e ~ N(0, I).

    Attributes:
      W: [features, latent_dim].
      b: [features].
      c: variance of the noise.
    """

    W: np.ndarray
    b: np.ndarray
    c: float

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Returns log N(x; b, W W^T + c I): [batch], nats, for x [batch, D]."""
        covariance = self.W @ self.W.T + self.c * np.eye(len(self.b))
        return stats.multivariate_normal(self.b, covariance).logpdf(x)


def linear_gaussian_model() -> LinearGaussian:
    """Returns the fixed model of `linear_gaussian`: 8 features, 3 latents."""
    rng = np.random.default_rng(0)
    return LinearGaussian(rng.normal(size=[8, 3]), rng.normal(size=[8]), c=0.1)


def linear_gaussian() -> Source:
    """Draws from `linear_gaussian_model`, for which log p(x) is exact."""
    model = linear_gaussian_model()

    def draw(rng: np.random.Generator, size: int) -> np.ndarray:
        z = rng.normal(size=[size, model.W.shape[1]])
        noise = rng.normal(size=[size, len(model.b)])
        return z @ model.W.T + model.b + np.sqrt(model.c) * noise

    parts = {part: (draw(*_rng(part, 3)), None) for part in PARTS}
    return Source(parts, log_prob=model.log_prob)


def density1d_model() -> GaussianMixture:
    """Returns the fixed density of `density1d`: two modes, one dimension."""
    return GaussianMixture(
        weights=(0.4, 0.6), locs=(-1.0, 1.0), scales=(0.4, 0.6)
    )


def density1d() -> Source:
    """Draws f(z), z ~ N(0, 1), of `density1d_model`: log p(x) is exact.

    f = F^-1(Phi(z)) is what a decoder must find, see `GaussianMixture`.
    """
    model = density1d_model()

    def draw(rng: np.random.Generator, size: int) -> np.ndarray:
        return model.transform(rng.normal(size=[size, 1]))

    parts = {part: (draw(*_rng(part, 4)), None) for part in PARTS}
    return Source(parts, log_prob=model.log_prob)


def _rng(part: str, stream: int) -> tuple[np.random.Generator, int]:
    seed = [stream, PARTS.index(part)]
    return np.random.default_rng(seed), NUM_EXAMPLES[part]
