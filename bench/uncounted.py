"""Stentor's server without its counters, to see what they cost.

There is no option for that. So a copy of its package is made in which every statement that counts is left out.
"""

import ast
import shutil
from pathlib import Path

SERVER = Path(__file__).parents[1] / "server" / "stentor_server"
_ROWS = {"row", "_row"}  # as whoever counts calls the worker's slots
_HISTOGRAMS = {"_durations"}


def uncounted(folder: Path) -> Path:
    """Write the copy into a folder of its own in `folder`; return that, to be searched before what is installed."""
    path = folder / "uncounted"
    package = path / SERVER.name
    shutil.copytree(SERVER, package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("path/connection.py", "server.py"):
        module = package / name
        module.write_text(without_counting(module.read_text(encoding="utf-8")), encoding="utf-8")
    return path


def without_counting(source: str) -> str:
    """Return the source of a module without additions to slots of a row, and observations of histograms."""
    return ast.unparse(_WithoutCounting().visit(ast.parse(source)))


class _WithoutCounting(ast.NodeTransformer):
    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        counts = isinstance(node.target, ast.Subscript) and _name(node.target.value) in _ROWS
        return ast.copy_location(ast.Pass(), node) if counts else node

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        match node.value:
            case ast.Call(func=ast.Attribute(value=histogram)) if _name(histogram) in _HISTOGRAMS:
                return ast.copy_location(ast.Pass(), node)
        return node


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""
