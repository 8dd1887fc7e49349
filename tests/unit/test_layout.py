"""How the packages and their tests are laid out."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("chassis", "server", "client")
FOLDERS = {package: ROOT / package / f"stentor_{package}" for package in PACKAGES}
MODULES = [
    (package, module)
    for package, folder in FOLDERS.items()
    for module in sorted(folder.rglob("*.py"))
    if module.name != "__init__.py"
]
# The peers are programs in several languages, with tests in common.
BENCH = [("bench", module) for module in sorted((ROOT / "bench").glob("*.py")) if module.name != "__init__.py"]
FORBIDDEN = {
    "chassis": {"stentor_server", "stentor_client"},
    "server": {"stentor_client"},
    "client": {"stentor_server"},
}


def _name(case: object) -> str:
    return case.stem if isinstance(case, Path) else str(case)


def _imports(module: Path) -> set[str]:
    """Return the top-level packages that a module imports, wherever in it."""
    imported: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            imported.add(str(node.module).partition(".")[0])
    return imported


def test_there_are_modules() -> None:
    """The packages are where the tests look for them."""
    assert set(PACKAGES) == {package for package, _ in MODULES}


@pytest.mark.parametrize("module", [module for _, module in BENCH], ids=_name)
def test_benchmarks_know_the_services_from_outside(module: Path) -> None:
    """What measures a server starts it as a user does."""
    assert {name for name in _imports(module) if name.startswith("stentor")} == set()


@pytest.mark.parametrize(("package", "module"), MODULES, ids=_name)
def test_packages_keep_apart(package: str, module: Path) -> None:
    """Server and client never import each other, and the chassis neither of them."""
    assert set() == _imports(module) & FORBIDDEN[package]


def test_workers_are_started_by_names_of_modules() -> None:
    """No service names a module of the other in its code either."""
    for package, module in MODULES:
        strings = {node.value for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Constant)}
        named = {str(value).partition(".")[0] for value in strings}
        assert set() == named & FORBIDDEN[package]
