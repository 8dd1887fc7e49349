"""Lets the right signals end a process from its first import on. Imported before anything that takes time.

The kernel keeps a signal without a handler from process 1, so that a container told to stop while it starts would be
waited for, and killed: SIGTERM has one at once. SIGHUP, which replaces workers, is ignored until there are any, and
would else end a service that starts. A service takes both over when it runs; what is none calls `heed_hangup`.
"""

import os
import signal

if os.getpid() == 1:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
_HANGUP = signal.signal(signal.SIGHUP, signal.SIG_IGN)


def heed_hangup() -> None:
    """Let SIGHUP end the process again, as when its terminal is closed, unless it was started to ignore that."""
    signal.signal(signal.SIGHUP, _HANGUP)
