"""The files beside an export's models, from which servers are started."""

from export import deployment, models_config
from tfvae.folder import Folder

COMPOSE, KUBERNETES = "compose.yaml", "kubernetes.yaml"
PROMETHEUS = "prometheus.yml"


def write(
    export_dir: str, *, names: tuple[str, ...], cors: bool = False
) -> list[str]:
    """Writes what is missing, each file by rename.

    A model that models.config lacks is added, with its labels at the first
    version that is there. What stands in the files already is left: labels
    are moved by a rollout alone, and the others may have been edited.

    Args:
      export_dir: the export folder.
      names: of the models that were published.
      cors: whether pages of other origins may call REST.

    Returns:
      The paths of the files that are new or changed.

    Raises:
      InputError: models.config is there, and holds no configuration.
    """
    with models_config.edit(export_dir) as config:
        known = {model.name for model in config.model_config_list.config}
        new = [name for name in names if name not in known]
        for name in new:
            versions = models_config.published(export_dir, name)
            models_config.add(config, name, version=versions[0])
        models = [model.name for model in config.model_config_list.config]
    written = [models_config.MODELS] if new else []
    texts = {
        deployment.MONITORING_FILE: deployment.MONITORING,
        COMPOSE: deployment.compose(models, cors=cors),
        PROMETHEUS: deployment.PROMETHEUS,
        KUBERNETES: deployment.kubernetes(models, cors=cors),
    }
    folder = Folder(export_dir)
    for name, text in texts.items():
        if not folder.has(name):
            _write(folder, name, text.encode())
            written.append(name)
    return [folder.file(name) for name in written]


def _write(folder: Folder, name: str, content: bytes) -> None:
    folder.write(name, lambda file: file.write(content))
