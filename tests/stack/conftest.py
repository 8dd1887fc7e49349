"""Fixtures of the stack tests. Where no Docker engine answers they fail: `make test-stack` starts one."""

from collections.abc import Iterator

import pytest

from stack.compose import Stack


@pytest.fixture(scope="session")
def built_stack() -> Iterator[Stack]:
    """The compose project, built and up; taken down with all it made when the tests are over."""
    stack = Stack()
    try:
        stack.compose("build")
        stack.up()
        yield stack
    finally:
        stack.down()


@pytest.fixture
def stack(built_stack: Stack) -> Stack:
    """The stack, healthy and with one client, whatever the test before did to it."""
    built_stack.up("--scale", "client=1")
    built_stack.exchanges_go_on()
    return built_stack
