"""Data sets that a dependency carries: nothing to download."""

import importlib.metadata

import numpy as np

from tfvae.data.sources import Source, random_parts


def digits() -> Source:
    """UCI handwritten digits: 1,797 grey images, 8x8x1, values 0 to 16.

    References:
      Alpaydin and Kaynak, 1998. Optical recognition of handwritten digits.
      https://archive.ics.uci.edu/dataset/80
    """
    # scikit-learn itself takes long to load, and its file is all that is used.
    package = importlib.metadata.distribution("scikit-learn")
    path = package.locate_file("sklearn/datasets/data/digits.csv.gz")
    table = np.loadtxt(str(path), np.int64, delimiter=",")  # pixels, label
    x = table[:, :-1].astype(np.uint8).reshape(-1, 8, 8, 1)
    return Source(random_parts(x, table[:, -1]), maximum=16)
