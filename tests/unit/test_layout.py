"""How the packages are laid out, and which may import which."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The rooms of each package from top to bottom. A room may import rooms beside it and below it.
LAYERS = {
    "server": (
        {"__main__"},
        {"control", "worker", "health"},
        {"server"},
        {"faults", "guard", "path"},
        {"metrics", "options"},
    ),
    "client": (
        {"__main__"},
        {"send", "converse", "probe", "trace", "check", "reconcile", "load", "health"},
        {"options"},
        {"wire", "account", "metrics"},
        {"verify", "timing"},
        {"output"},
    ),
    "chassis": (
        {"control"},
        {"admin", "page"},
        {"logs", "counters", "options"},
        {"address", "back_off", "descriptors", "encoding", "escaping", "failure", "kernel", "tls_files"},
    ),
}
BELOW = {"server": ("server", "chassis"), "client": ("client", "chassis"), "chassis": ("chassis",), "bench": ()}
# The enumerations of faults and transforms stand with what they name; metrics and options are below them.
ALLOWED = {
    ("stentor_server.metrics", "stentor_server.faults.fault"),
    ("stentor_server.options", "stentor_server.faults.fault"),
    ("stentor_server.options", "stentor_server.path.transform"),
}


def _name(path: Path) -> str:
    """Return the name under which a module of a package is imported."""
    return ".".join(path.relative_to(ROOT).parts[1:]).removesuffix(".py").removesuffix(".__init__")


MODULES = {
    _name(path): ast.parse(path.read_text(encoding="utf-8"))
    for package in LAYERS
    for path in sorted((ROOT / package).glob("stentor_*/**/*.py"))
}


def _imports(tree: ast.Module) -> set[str]:
    """Return the modules of the packages that a module imports, wherever in it."""
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            found = {f"{node.module}.{alias.name}" for alias in node.names}
            imported |= {name if name in MODULES else str(node.module) for name in found}
    return imported & MODULES.keys()


IMPORTS = {name: {each for each in _imports(tree) if (name, each) not in ALLOWED} for name, tree in MODULES.items()}


def _package(name: str) -> str:
    return name.partition(".")[0].removeprefix("stentor_")


def _part(name: str, depth: int) -> str:
    return ".".join(name.split(".")[:depth])


def _layer(name: str) -> int:
    """Return how far from the top a module lies; the package itself, which holds its version, lies at the bottom."""
    layers = LAYERS[_package(name)]
    _, *room = name.split(".")[:2]
    return next((at for at, rooms in enumerate(layers) if {*room} & rooms), -1) if room else len(layers)


def test_every_module_has_a_layer() -> None:
    """No room is missing from the layers, and no layer names a room that is gone."""
    assert [name for name in MODULES if _layer(name) < 0] == []
    for package, layers in LAYERS.items():
        rooms = {name.split(".")[1] for name in MODULES if _package(name) == package and "." in name}
        assert set().union(*layers) <= rooms


def test_imports_lead_downwards() -> None:
    """No module imports one of a layer above its own."""
    pairs = [(name, each) for name, imported in IMPORTS.items() for each in imported]
    within = [(name, each) for name, each in pairs if _package(name) == _package(each)]
    assert [(name, each) for name, each in within if _layer(name) > _layer(each)] == []


@pytest.mark.parametrize("depth", [2, 9], ids=["rooms", "modules"])
def test_no_import_runs_in_a_circle(depth: int) -> None:
    """The modules, and the rooms, can be put in an order in which each imports only earlier ones."""
    order: TopologicalSorter[str] = TopologicalSorter()
    for name, imported in IMPORTS.items():
        part = _part(name, depth)
        order.add(part, *({_part(each, depth) for each in imported} - {part}))
    try:
        order.prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_packages_keep_apart() -> None:
    """Server and client never import or name each other, and the chassis neither of them; workers start by name."""
    for module, tree in MODULES.items():
        strings = {str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        named = {_package(name) for name in _imports(tree) | strings if name.partition(".")[0] in MODULES}
        assert named <= {*BELOW[_package(module)]}, module


def test_benchmarks_know_the_services_from_outside() -> None:
    """What measures a server starts it as a user does."""
    for path in sorted((ROOT / "bench").glob("*.py")):
        assert _imports(ast.parse(path.read_text(encoding="utf-8"))) == set(), path
