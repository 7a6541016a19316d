"""What the manager of the models heeds of the server's flags."""

import dataclasses

from export.batching import BatchingParameters


@dataclasses.dataclass(frozen=True)
class Options:
    """Named and preset as the flags of tensorflow_model_server.

    Attributes:
      file_system_poll_wait_seconds: between two looks at the base paths; 0:
        looks once; below: never.
      model_config_file: looked at again every
        `model_config_file_poll_wait_seconds`; 0: never.
      max_num_load_retries: after a failed load.
      load_retry_interval_micros: between two tries.
      allow_version_labels_for_unavailable_models: whether a label that is not
        yet in use may point at a version that is not yet available.
      saved_model_tags: of the graph in a saved model.
      enable_model_warmup: whether a version's warm-up records are run.
      num_request_iterations_for_warmup: how often each is run; 0 is once.
      enable_batching: whether requests are joined into batches.
      batching_parameters: for every model; None: the defaults.
      enable_per_model_batching_parameters: whether they are read from each
        version's own file; a version without it is then not batched.
      session_config: a serialised ConfigProto.
    """

    file_system_poll_wait_seconds: float = 1
    model_config_file: str = ""
    model_config_file_poll_wait_seconds: float = 0
    max_num_load_retries: int = 5
    load_retry_interval_micros: int = 60_000_000
    allow_version_labels_for_unavailable_models: bool = False
    saved_model_tags: tuple[str, ...] = ("serve",)
    enable_model_warmup: bool = True
    num_request_iterations_for_warmup: int = 0
    enable_batching: bool = False
    batching_parameters: BatchingParameters | None = None
    enable_per_model_batching_parameters: bool = False
    session_config: bytes = b""
