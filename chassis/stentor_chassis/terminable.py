"""Lets SIGTERM end a container's first process from its first import on.

The kernel keeps a signal without a handler from process 1, so that a container told to stop while it starts would be
waited for, and killed. Imported before anything that takes time; a service takes the signal over when it runs.
"""

import os
import signal

if os.getpid() == 1:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
