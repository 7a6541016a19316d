"""What a program answers with one line and exit status 2: wrong input."""


class InputError(ValueError):
    """The user's input is wrong: a flag, a file, a folder, a data set."""


class MissingRunError(InputError, FileNotFoundError):
    """A folder that should hold a run does not."""


class TrainingError(RuntimeError):
    """Training cannot go on, though the input was accepted (exit status 1)."""
