"""No file that is read can hold code: nothing is unpickled, run or unpacked."""

import ast
import pathlib
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).parents[2]
FILES = [
    path
    for package in ("tfvae", "tuning", "export")
    for path in sorted((ROOT / package).rglob("*.py"))
]
UNPICKLING = {
    "cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve", "torch",
    "yaml",
}  # fmt: skip
# Between a process and its own child, through a pipe; never from a file.
ALLOWED = {"export/trial_run.py": {"pickle"}}
BY_NAME = {"eval", "exec", "compile", "__import__", "execfile"}
# The end of what is called: Keras's loaders run a Lambda layer's Python.
BY_END = (
    "models.load_model", "saving.load_model", "model_from_json",
    "model_from_config", "layers.Lambda", "tfkl.Lambda", "register_lambda",
    "enable_unsafe_deserialization", "torch.load", "yaml.load", "os.system",
    "os.popen", "tempfile.mktemp", "extractall", "archive.extract",
    "unpack_archive", "import_legacy",
)  # fmt: skip


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


def faults(source: str, name: str) -> list[str]:
    """Returns what of a source could run what a file holds."""
    tree = ast.parse(source)
    found = sorted(set(imports(tree)) & UNPICKLING - ALLOWED.get(name, set()))
    for called, node in calls(tree):
        told = {word.arg: ast.unparse(word.value) for word in node.keywords}
        if called in BY_NAME or called.endswith(BY_END):
            found.append(called)
        if called in ("np.load", "numpy.load", "np.lib.format.read_array") and (
            told.get("allow_pickle") != "False"
        ):
            found.append(f"{called} without allow_pickle=False")
        if told.get("shell") == "True":
            found.append(f"{called} through a shell")
    return found


@pytest.mark.parametrize(
    "path", FILES, ids=lambda path: str(path.relative_to(ROOT))
)
def test_source_runs_nothing_that_a_file_holds(path: pathlib.Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    assert faults(path.read_text(encoding="utf-8"), name) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from torch import load", "import yaml.nodes",
        "eval(x)", "np.load(path)", "np.load(path, allow_pickle=True)",
        "np.lib.format.read_array(file)", "tf_keras.models.load_model(path)",
        "tf_keras.layers.Lambda(f)", "archive.extractall()",
        "subprocess.run(command, shell=True)", "os.system(command)",
    ],
)  # fmt: skip
def test_fault_would_be_found(source: str) -> None:
    assert len(faults(source, "export/trial_run.pyc")) == 1


def test_fine_source_has_no_fault() -> None:
    source = "np.load(p, allow_pickle=False); re.compile(t); f.load_model(x)"
    assert faults(source, "it.py") == []
