"""Distribution layers: p(x|z), q(z|x), p(z)."""
