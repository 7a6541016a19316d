"""The house holds: who may know whom, sizes, names, single homes."""

import ast
import configparser
import functools
import importlib
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGES = ("tfvae", "tuning", "export")
# From the bottom up. A module knows lower rooms and, without circles, its own.
LEVELS = (
    {
        "errors",
        "settings",
        "config",
        "plots",
        "replicas",
        "workers",
        "cluster",
        "storage",
    },
    {
        "distributions",
        "trunks",
        "convolutions",
        "objectives",
        "optimizers",
        "data",
        "noise",
        "faults",
        "latents",
        "page",
        "config_file",
        "records",
        "atomic",
        "holding",
        "folder",
        "strategy",
        "rendezvous",
        "pace",
        "step_errors",
    },
    {
        "batch",
        "condition",
        "networks",
        "learner",
        "vae",
        "baselines",
        "metrics",
    },
    {
        "resolve",
        "build",
        "weights",
        "checkpoints",
        "run_dir",
        "recorder",
        "provenance",
        "callbacks",
        "profiling",
        "progress",
        "watchers",
        "board",
        "examples",
        "figures",
        "loop",
        "training",
        "summary",
        "finish",
        "evaluation",
        "generation",
        "report_figures",
    },
    {
        "flags",
        "program",
        "membership",
        "job",
        "train",
        "launch",
        "evaluate",
        "generate",
        "report",
    },
    {"tuning", "export"},
)
# What the lowest rooms may share: the words for settings and for errors.
VOCABULARY = {"errors", "settings"}
HOMES = {
    "absl.flags": {"tfvae.flags"},
    "matplotlib": {"tfvae.plots"},
    "PIL": {"tfvae.plots"},
    "tensorflow_datasets": {"tfvae.data.tfds"},
    "keras_tuner": {"tuning"},
    "tensorflow_serving": {"export"},
}
TAKE_A_CONFIG = {
    "resolve", "build", "run_dir", "data.load", "config_file", "flags",
    "training", "membership", "launch", "summary", "examples", "train",
    "finish", "evaluation", "evaluate", "generation", "generate",
    "report_figures", "report",
}  # fmt: skip
MOST_FILE_LINES, MOST_FUNCTION_LINES = 300, 60


def _paths() -> list[pathlib.Path]:
    return [p for name in PACKAGES for p in sorted((ROOT / name).rglob("*.py"))]


def _module(path: pathlib.Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def _tree(path: pathlib.Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


@functools.cache
def _imports(path: pathlib.Path) -> tuple[str, ...]:
    """Returns every imported name, wherever in the file it is imported."""
    found = []
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in {path}"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return tuple(found)


@functools.cache
def _own_imports(path: pathlib.Path) -> frozenset[str]:
    """Returns the modules of ours that a file imports."""
    found = set()
    for name in _imports(path):
        if name.split(".")[0] in PACKAGES:
            found.add(name if _is_module(name) else name.rpartition(".")[0])
    return frozenset(found)


def _room(module: str) -> str:
    package, _, rest = module.partition(".")
    return rest.split(".")[0] if package == "tfvae" else package


def _level(room: str) -> int:
    (level,) = [n for n, rooms in enumerate(LEVELS) if room in rooms]
    return level


PATHS = _paths()
MODULES = {_module(path): path for path in PATHS}
FILES = [pytest.param(path, id=_module(path)) for path in PATHS]


@pytest.mark.parametrize("path", FILES)
def test_file_knows_only_what_is_below_it(path: pathlib.Path) -> None:
    room = _room(_module(path))
    if not room:  # tfvae/__init__.py
        assert _own_imports(path) == set()
        return
    for imported in _own_imports(path) - {"tfvae"}:
        other = _room(imported)
        assert _level(other) <= _level(room), f"{room} imports {imported}"
        if _level(room) == 0 and other != room:
            assert other in VOCABULARY, f"{room} imports {imported}"


def test_no_circle_of_imports() -> None:
    graph = {name: _own_imports(path) for name, path in MODULES.items()}
    done: set[str] = set()
    while ready := {n for n in graph if graph[n] & set(graph) <= done} - done:
        done |= ready
    assert set(graph) - done == set()


@pytest.mark.parametrize("path", FILES)
def test_tuning_and_export_are_nobody_s_business(path: pathlib.Path) -> None:
    own = _module(path).split(".")[0]
    others = {name.split(".")[0] for name in _own_imports(path)}
    assert others <= {"tfvae", own}


def test_only_builders_and_programs_take_a_whole_config() -> None:
    takers = {
        name.removeprefix("tfvae.")
        for name, path in MODULES.items()
        if "tfvae.config" in _own_imports(path) and name.startswith("tfvae.")
    }
    assert takers <= TAKE_A_CONFIG
    assert {"build", "run_dir", "data.load"} <= takers


@pytest.mark.parametrize("library", sorted(HOMES))
def test_library_has_one_home(library: str) -> None:
    homes = {
        name
        for name, path in MODULES.items()
        if any(f"{i}.".startswith(f"{library}.") for i in _imports(path))
    }
    allowed = HOMES[library]
    assert all(
        any(f"{name}.".startswith(f"{home}.") for home in allowed)
        for name in homes
    )
    if library in ("absl.flags", "tensorflow_datasets"):
        assert homes == allowed


def test_strategies_are_made_in_strategy_only() -> None:
    makers = {
        name
        for name, path in MODULES.items()
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith("Strategy")
    }
    assert makers == {"tfvae.strategy"}


@pytest.mark.parametrize("path", FILES)
def test_file_and_its_functions_are_short(path: pathlib.Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_FILE_LINES
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef):
            lines = node.end_lineno - node.lineno + 1 - _docstring_lines(node)
            assert lines <= MOST_FUNCTION_LINES, f"{node.name}: {lines} lines"


def _docstring_lines(node: ast.FunctionDef) -> int:
    if ast.get_docstring(node) is None:
        return 0
    return node.body[0].end_lineno - node.body[0].lineno + 1


@pytest.mark.parametrize("path", FILES)
def test_no_error_is_swallowed(path: pathlib.Path) -> None:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None
            names = ast.unparse(node.type)
            assert "Exception" not in names.strip("()").split(", ")
            if "BaseException" in names:  # may look, but must not keep it
                assert isinstance(node.body[-1], ast.Raise)


def test_no_module_is_named_utils() -> None:
    assert not [n for n in MODULES if "util" in n or "helper" in n]


@pytest.mark.parametrize("path", FILES)
def test_public_code_says_what_it_does(path: pathlib.Path) -> None:
    assert ast.get_docstring(_tree(path)), "module without a docstring"
    for owner in (_tree(path), *ast.walk(_tree(path))):
        if not isinstance(owner, ast.Module | ast.ClassDef):
            continue
        if owner is not _tree(path) and owner.name.startswith("_"):
            continue
        for node in owner.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and (
                not node.name.startswith("_")
            ):
                summary = ast.get_docstring(node)
                assert summary, f"{node.name} has no docstring"
                assert summary.splitlines()[0].rstrip()[-1] in ".:;,?", (
                    node.name
                )


@pytest.mark.parametrize("path", FILES)
def test_public_functions_are_typed(path: pathlib.Path) -> None:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            assert node.returns is not None, node.name
            arguments = [*node.args.args, *node.args.kwonlyargs]
            for argument in arguments:
                if argument.arg not in ("self", "cls"):
                    assert argument.annotation is not None, node.name


def test_public_names_resolve_and_are_sorted() -> None:
    tfvae = importlib.import_module("tfvae")
    assert tfvae.__all__ == sorted(set(tfvae.__all__))
    for name in tfvae.__all__:
        value = getattr(tfvae, name)
        home = getattr(value, "__module__", None)
        assert home is not None
        assert home.startswith("tfvae.")
        assert value.__name__ == name
    assert set(dir(tfvae)) == {*tfvae.__all__, "__version__"}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tfvae.nothing  # noqa: B018


def test_wheel_holds_every_package() -> None:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    listed = set(parser["options"]["packages"].split())
    on_disk = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in PATHS
        if path.name == "__init__.py"
    }
    assert listed == on_disk
    assert {p.parent for p in PATHS} == {
        ROOT.joinpath(*name.split(".")) for name in listed
    }


def test_wheel_holds_every_file_that_is_no_python() -> None:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    data = {
        path
        for package, globs in parser["options.package_data"].items()
        for glob in globs.split(",")
        for path in ROOT.joinpath(*package.split(".")).glob(glob.strip())
    }
    others = {
        path
        for name in PACKAGES
        for path in (ROOT / name).rglob("*.*")
        if path.suffix not in (".py", ".pyc")
        and "/." not in str(path.relative_to(ROOT))  # caches of tools
    }
    assert others == data


def _run(
    code_or_module: list[str], cwd: pathlib.Path
) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *code_or_module],
        cwd=cwd, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_import_of_tfvae_loads_no_heavy_library() -> None:
    code = (
        "import sys, tfvae, tfvae.config, tfvae.flags, tfvae.train; "
        "print(*(name for name in ('tensorflow', 'matplotlib', 'keras_tuner', "
        "'tensorflow_datasets', 'tensorflow_probability', 'numpy') if name in "
        "sys.modules))"
    )
    result = _run(["-c", code], ROOT)
    assert (result.returncode, result.stdout.strip()) == (0, ""), result.stderr


def test_train_needs_neither_tuning_nor_export(tmp_path: pathlib.Path) -> None:
    shutil.copytree(ROOT / "tfvae", tmp_path / "tfvae")
    result = _run(["-m", "tfvae.train", "--help"], tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Trains a variational autoencoder.")
    assert "--latent_dim" in result.stdout
