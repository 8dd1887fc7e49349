"""The machine of a measurement."""

import json
import os
import platform
import sys

import pytest

from bench import machine


def test_what_a_figure_depends_on() -> None:
    """Processor, cores and kernel are named, and Python."""
    assert {"processor", "cores", "virtual", "kernel"} == set(machine.machine())
    assert machine.tools()["python"] == sys.version.split()[0]


def test_nothing_else_is_told() -> None:
    """Neither the name of the machine nor a path of it is."""
    told = json.dumps([machine.machine(), machine.tools()])
    assert platform.node() not in told
    assert os.path.expanduser("~") not in told


def test_missing_tools_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not installed has no version."""
    monkeypatch.setattr(machine, "TOOLS", {"nothing": ("no-such-program", "--version")})
    assert "nothing" not in machine.tools()
