"""A density of one dimension and the map that turns N(0, 1) into it."""

import dataclasses

import numpy as np
from scipy import special

NUM_HALVINGS = 64  # leave nothing of a float64's 53 bits


@dataclasses.dataclass(frozen=True)
class GaussianMixture:
    """p(x) = sum_k weights[k] N(x; locs[k], scales[k]^2).

    Attributes:
      weights: of the components, positive; their sum is 1.
      locs: means of the components.
      scales: their standard deviations.
    """

    weights: tuple[float, ...]
    locs: tuple[float, ...]
    scales: tuple[float, ...]

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Returns log p(x): [batch], nats, for x [batch, 1]."""
        return self._log_density(x).sum(axis=-1)

    def cdf(self, x: np.ndarray) -> np.ndarray:
        """Returns F(x), of the shape of x."""
        return special.ndtr(self._standardised(x)) @ self.weights

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Returns F^-1(u), of the shape of u, for u in [0, 1]."""
        return self.transform(special.ndtri(u))

    def transform(self, z: np.ndarray) -> np.ndarray:
        """Returns f(z) = F^-1(Phi(z)), of the shape of z.

        f turns z ~ N(0, 1) into x ~ p. Found by halving; the upper half is
        solved for 1 - F, which is exact where F rounds to 1.

        References:
          Doersch, 2016. Tutorial on Variational Autoencoders, section 2.4.1
          and appendix A. https://arxiv.org/abs/1606.05908
        """
        z = np.asarray(z, np.float64)
        # x lies between the components' own quantiles.
        ends = np.asarray(self.locs) + np.multiply.outer(z, self.scales)
        low, high = ends.min(axis=-1), ends.max(axis=-1)
        tail = special.ndtr(-np.abs(z))
        for _ in range(NUM_HALVINGS):
            middle = (low + high) / 2
            sign = np.where(z < 0, 1.0, -1.0)
            # F(x) for z < 0, else 1 - F(x)
            terms = sign[..., np.newaxis] * self._standardised(middle)
            part = special.ndtr(terms) @ self.weights
            is_left = sign * (part - tail) < 0
            low = np.where(is_left, middle, low)
            high = np.where(is_left, high, middle)
        return (low + high) / 2

    def derivative(self, z: np.ndarray) -> np.ndarray:
        """Returns f'(z) = phi(z) / p(f(z)), of the shape of z."""
        log_phi = -(np.square(z) + np.log(2 * np.pi)) / 2
        return np.exp(log_phi - self._log_density(self.transform(z)))

    def _log_density(self, x: np.ndarray) -> np.ndarray:
        """Returns log p(x), nats, of the shape of x."""
        squared = np.square(self._standardised(x))
        log_factors = np.log(self.weights) - np.log(self.scales)
        return special.logsumexp(
            log_factors - (squared + np.log(2 * np.pi)) / 2, axis=-1
        )

    def _standardised(self, x: np.ndarray) -> np.ndarray:
        """Returns (x - locs) / scales: [*x.shape, components]."""
        x = np.asarray(x, np.float64)[..., np.newaxis]
        return (x - self.locs) / self.scales
