"""Signals during the start of a process. Imported before slow imports.

The kernel does not deliver signals without a handler to process 1, so SIGTERM gets a handler at once: a container can
be stopped while it starts. SIGHUP, which replaces workers, is ignored until there are workers; other commands
call `restore_sighup`, and a service asks whether its terminal closed. Ctrl-C exits at once until `restore_sigint`,
instead of with a traceback of imports.
"""

import os
import signal

from stentor_chassis.failure import INTERRUPTED


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


if os.getpid() == 1:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
_HANGUP = signal.signal(signal.SIGHUP, signal.SIG_IGN)
_HAD_TERMINAL = _has_terminal()
_INTERRUPT = signal.getsignal(signal.SIGINT)
if _INTERRUPT is signal.default_int_handler:  # not if the parent process ignored it
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))


def restore_sighup() -> None:
    """Let SIGHUP end the process again, such as when its terminal closes, unless the parent process ignored it."""
    signal.signal(signal.SIGHUP, _HANGUP)


def terminal_lost() -> bool:
    """Return whether the terminal of this process has closed, unless the parent process, such as nohup, ignored that.

    By this a service can tell why it got SIGHUP.
    """
    return _HAD_TERMINAL and _HANGUP is not signal.SIG_IGN and not _has_terminal()


def restore_sigint() -> None:
    """Let SIGINT raise `KeyboardInterrupt` again."""
    signal.signal(signal.SIGINT, _INTERRUPT)
