"""Search over the settings of `tfvae.config.Config`."""
