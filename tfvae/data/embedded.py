"""Data sets that a dependency carries: nothing to download."""

import numpy as np
from sklearn import datasets

from tfvae.data.sources import Source, random_parts


def digits() -> Source:
    """UCI handwritten digits: 1,797 grey images, 8x8x1, values 0 to 16.

    References:
      Alpaydin and Kaynak, 1998. Optical recognition of handwritten digits.
      https://archive.ics.uci.edu/dataset/80
    """
    bunch = datasets.load_digits()
    x = bunch.images.astype(np.uint8)[..., np.newaxis]
    return Source(random_parts(x, bunch.target.astype(np.int64)), maximum=16)
