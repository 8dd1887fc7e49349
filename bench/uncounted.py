"""Stentor's server without its counters, to measure their cost.

No option switches them off, so this makes a copy of the package without the statements that count.
"""

import ast
import shutil
from pathlib import Path

SERVER = Path(__file__).parents[1] / "server" / "stentor_server"
_ROWS = {"row", "_row"}  # names of a worker's slots of the shared counters


def uncounted(folder: Path) -> Path:
    """Write the copy below `folder`; return the folder that Python has to search first."""
    packages = folder / "uncounted"
    shutil.copytree(SERVER, packages / SERVER.name, ignore=shutil.ignore_patterns("__pycache__"))
    for module in packages.rglob("*.py"):
        module.write_text(without_counting(module.read_text(encoding="utf-8")), encoding="utf-8")
    return packages


def without_counting(source: str) -> str:
    """Return a module without additions to slots of a row and without observations of histograms."""
    return ast.unparse(_WithoutCounting().visit(ast.parse(source)))


class _WithoutCounting(ast.NodeTransformer):
    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        match node.target:
            case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name)) if name in _ROWS:
                return ast.copy_location(ast.Pass(), node)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        match node.value:
            case ast.Call(func=ast.Attribute(attr="observe")):
                return ast.copy_location(ast.Pass(), node)
        return node
