"""Pictures of what was generated."""

import math

from tfvae import plots
from tfvae.generation.generated import Generated


def rows(generated: Generated) -> plots.Figure:
    """Its rows of images, with title and labels."""
    return plots.labelled_rows(
        generated.x,
        generated.title,
        generated.row_labels,
        generated.column_labels,
    )


def png(generated: Generated) -> bytes:
    """`rows` as a PNG file."""
    return plots.png_bytes(rows(generated))


def gif(generated: Generated) -> bytes:
    """An animation of the columns, all rows side by side."""
    num_columns = math.ceil(math.sqrt(len(generated.x)))
    return plots.gif_bytes(
        generated.x.swapaxes(0, 1), num_columns, generated.title
    )
