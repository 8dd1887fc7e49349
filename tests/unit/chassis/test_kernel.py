"""What a service needs of the kernel."""

import errno
import os

import pytest

from stentor_chassis import kernel
from stentor_chassis.failure import COULD_NOT_START, Failure


@pytest.mark.parametrize("name", kernel.CALLS)
def test_refused_call(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A call that a sandbox refuses is named, with what to do; without one, nothing happens."""
    kernel.check_calls()

    def refuse() -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setitem(kernel.CALLS, name, refuse)
    message = (
        rf"^the kernel refuses {name} \(Operation not permitted\).*: allow it in the sandbox.*or use a newer kernel$"
    )
    with pytest.raises(Failure, match=message) as failure:
        kernel.check_calls()
    assert failure.value.code == COULD_NOT_START
