"""Facts about the tree itself: who may know whom, what it weighs, what must not stand in it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import impasto

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "server" / "impasto"
SOURCES = sorted(PACKAGE.rglob("*.py"))

ROOMS = [
    "errors",
    "selector",
    "values",
    "job",
    "files",
    "raster",
    "models",
    "styles",
    "runtime",
    "engines",
    "regions",
    "paint",
    "client",
    "backends",
    "daemon",
    "hotfolder",
    "installer",
    "cli",
    "__main__",
]
"""A room imports only from rooms before it."""

STRANGERS = {
    ("models", "job"),
    ("engines", "files"),
    ("regions", "engines"),
    ("hotfolder", "daemon"),
}
"""Rooms that must not know another one although it comes before them."""

HEAVY = {"torch", "torchvision", "segment_anything", "ray"}
WITH_TORCH = {
    "impasto.runtime.torch_executor",
    "impasto.regions.vit_encoder",
    *(
        f"impasto.engines.{name}"
        for name in [
            "vgg",
            "convolution",
            "descent",
            "losses",
            "objective",
            "lattice",
            "wct_network",
            "teaching",
        ]
    ),
}
"""Modules that import torch at their top, and are imported by others only where torch is wanted."""


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def module_of(path: Path) -> str:
    return ".".join(("impasto", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


def imported(path: Path, at_once: bool = False) -> Iterator[str]:
    """Full name of all that a file imports (or of what it imports as soon as it is imported itself)."""
    package = module_of(path).split(".")[: None if path.name == "__init__.py" else -1]
    tree = ast.parse(path.read_text("utf-8"))
    for node in tree.body if at_once else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *filter(None, [node.module])])
            yield from (f"{name}.{alias.name}" for alias in node.names)


def rooms_known_to(path: Path) -> set[str]:
    names = (name.split(".") for name in imported(path))
    return {parts[1] for parts in names if parts[0] == "impasto" and len(parts) > 1} - {"__version__"}


def tracked() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    paths = (ROOT / name for name in listing.decode().split("\0") if name)
    return [path for path in paths if path.is_file()]


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_a_room_knows_only_rooms_before_it(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        assert not rooms_known_to(path)
        return
    allowed = set(ROOMS[: ROOMS.index(room) + 1]) - {other for here, other in STRANGERS if here == room}
    assert rooms_known_to(path) <= allowed


@pytest.mark.parametrize("path", sorted((PACKAGE / "client").glob("*.py")), ids=module_of)
def test_the_client_stands_alone(path: Path) -> None:
    """It is copied into plug-ins, whose Python may be 3.10 and has nothing installed but rpyc."""
    ast.parse(path.read_text("utf-8"), feature_version=(3, 10))
    assert rooms_known_to(path) <= {"client"}
    others = {name.split(".")[0] for name in imported(path)} - {"impasto"}
    assert others <= sys.stdlib_module_names | {"rpyc"}


def test_only_the_command_line_prints_and_exits() -> None:
    leavers = {"print", "exit", "quit", "sys.exit", "SystemExit"}
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        if room_of(path) not in ("cli", "__main__")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in leavers
    ]
    assert found == []


def run_python(code: str) -> str:
    """What a fresh Python prints; torch and its like cannot be imported in it."""
    block = f"import sys; sys.modules.update(dict.fromkeys({sorted(HEAVY)!r}))\n"
    done = subprocess.run([sys.executable, "-c", block + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_module_but_torchs_own_is_imported_without_torch() -> None:
    modules = [module_of(path) for path in SOURCES if path.name != "__main__.py"]
    imports = "\n".join(f"import {module}" for module in modules if module not in WITH_TORCH)
    run_python(imports)


def test_modules_that_need_torch_are_few_and_named() -> None:
    at_once = {module_of(path): {name.split(".")[0] for name in imported(path, True)} for path in SOURCES}
    assert {module for module, names in at_once.items() if names & HEAVY} == WITH_TORCH


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("impasto.cli", {"numpy", "openvino", "PIL", "pyvips", "rpyc"}),
        ("impasto.cli.stylize", {"openvino", "torch"}),
        ("impasto.client", {"numpy", "openvino", "PIL", "pyvips"}),
    ],
)
def test_a_quick_start_leaves_the_heavy_ones_for_later(module: str, unwanted: set[str]) -> None:
    loaded = run_python(f"import {module}; print(*(name for name in sys.modules if sys.modules[name]))")
    assert not unwanted & set(loaded.split())


def test_the_version_is_said_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == impasto.__version__


@pytest.mark.parametrize(
    ("files", "megabytes"),
    [
        ("server/impasto/models/bundled/*.safetensors", 10),
        ("server/impasto/models/bundled/*/*", 3.5),
        ("examples/*", 2),
    ],
    ids=["weights", "pictures", "examples"],
)
def test_what_is_shipped_is_small(files: str, megabytes: float) -> None:
    sizes = [path.stat().st_size for path in ROOT.glob(files)]
    assert 0 < sum(sizes) < megabytes * 1e6


def test_constraints_pin_each_package_once() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line)] == []
    names = [line.partition("==")[0] for line in lines]
    assert names == sorted(set(names))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = [
        *project["project"]["dependencies"],
        *(name for extra in project["project"]["optional-dependencies"].values() for name in extra),
        *(name for group in project["dependency-groups"].values() for name in group),
    ]
    bare = {re.split(r"[\[<>=]", name)[0] for name in wanted}
    assert bare - {"impasto"} <= set(names)


HOSTS = re.compile(
    r"pypi\.org|pythonhosted\.org|download\.pytorch\.org/whl|npmjs\.(org|com)|debian\.org/debian"
    r"|--(extra-)?index-url|--find-links"
)
PATHS = re.compile(r"(?<![\w.:/-])/(root/|opt/\w|work/|mnt/|home/\w|Users/\w)|\b[A-Z]:\\Users")


def test_no_tracked_file_names_a_registry_or_a_path_of_one_machine() -> None:
    found = []
    for path in tracked():
        data = path.read_bytes()
        if path == Path(__file__) or b"\0" in data:
            continue
        for number, line in enumerate(data.decode("utf-8").splitlines(), 1):
            if HOSTS.search(line) or PATHS.search(line) or f"{ROOT}/" in line:
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []
