"""Output files that options name."""

import contextlib
import errno
import fcntl
import os
import re
import secrets
import signal
import stat
from collections.abc import Iterator

from stentor_chassis.descriptors import write_all
from stentor_chassis.failure import INTERNAL_ERROR, READER_GONE, Failure
from stentor_chassis.options.option import wrong_value

_MOST_LINKS = 40  # as many as the kernel follows
_DESCRIPTORS = re.compile(r"/proc/(\d+)/(?:task/\d+/)?fd")  # files that a process has open
_ROOT = 0
_ENDING = {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM}


class OutputFile:
    """A file checked before the work begins; its old content is replaced only by a complete new one."""

    def __init__(self, option: str, path: str) -> None:
        """Check `path`, the value of the running command's option `option`.

        Raises:
            click.BadParameter: it cannot be written.

        """
        self._path = path
        try:
            with opened_folder(path) as (folder, name):
                self._fd = _opened_special(folder, name)
                if self._fd is None:
                    _check_replaceable(folder, name)
        except OSError as error:
            raise wrong_value(option, f"cannot write {path}: {error.strerror}") from error

    def write(self, data: bytes) -> None:
        """Replace the content with `data`; can be called once.

        Raises:
            Failure: it cannot be written, or its reader is gone; then the message is empty.

        """
        try:
            if self._fd is None:
                replace(self._path, data)
                return
            try:
                write_all(self._fd, data)
            finally:
                os.close(self._fd)
        except BrokenPipeError as error:
            raise Failure(READER_GONE, "") from error
        except OSError as error:
            raise Failure(INTERNAL_ERROR, f"cannot write {self._path}: {error.strerror}") from error


@contextlib.contextmanager
def opened_folder(path: str) -> Iterator[tuple[int, str]]:
    """Follow the links of a path; yield the final folder, open, and the name in it, which is not a link.

    Other users may be able to write to that folder, and can swap its files for links at any moment. A caller that uses
    the name relative to the open folder, without following links, cannot be led elsewhere.

    Raises:
        OSError: there is no such folder, or the path ends in a link owned by neither this user nor root.

    """
    for _ in range(_MOST_LINKS):
        place, name = os.path.split(path)
        if not name:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        folder = os.open(place or ".", os.O_PATH | os.O_DIRECTORY)
        try:
            target = _link_target(folder, name)
            if not target:
                yield folder, name
                return
        finally:
            os.close(folder)
        path = os.path.join(place, target)
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def replace(path: str, data: bytes, mode: int = 0o666) -> None:
    """Replace `path` atomically with a file that contains `data`.

    A file owned by this user keeps its permissions; a new one gets `mode`, less the umask.

    Raises:
        OSError: that is impossible; nothing has changed.

    """
    with opened_folder(path) as (folder, name), _signals_held_back():
        fd, temporary = _new_file(folder, mode)
        try:
            with contextlib.suppress(FileNotFoundError):
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
                    os.fchmod(fd, found.st_mode & 0o777)
            write_all(fd, data)
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.unlink(temporary, dir_fd=folder)
            raise
        finally:
            os.close(fd)


@contextlib.contextmanager
def _signals_held_back() -> Iterator[None]:
    """Delay signals that end the process, so that none leaves a temporary file behind.

    By handlers, because a mask would not apply to the threads of libraries.
    """
    held: list[int] = []
    before = {number: signal.signal(number, lambda number, _frame: held.append(number)) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for got in held:
            signal.raise_signal(got)


def _new_file(folder: int, mode: int) -> tuple[int, str]:
    """Create a file with an unpredictable name; return its descriptor and name."""
    name = f".stentor-{secrets.token_hex(8)}"
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=folder), name


def _link_target(folder: int, name: str) -> str:
    """Return the target of a link; empty if the name is not a link to follow.

    Links to the open files of a process are not followed: their text may name a different file.
    """
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return ""
    if not stat.S_ISLNK(found.st_mode) or _process_of(folder):
        return ""
    if found.st_uid not in {os.geteuid(), _ROOT}:
        raise PermissionError(errno.EACCES, "it is a link owned by another user")
    return os.readlink(name, dir_fd=folder)


def _process_of(folder: int) -> int:
    """Return the process whose descriptors a folder such as /dev/fd lists; 0 for any other folder."""
    match = _DESCRIPTORS.fullmatch(os.readlink(f"/proc/self/fd/{folder}"))
    return int(match[1]) if match else 0


def _opened_special(folder: int, name: str) -> int | None:
    """Open a pipe, a device or an open file of a process, which is written in place; None for a regular file.

    Opened only once: to the reader of a pipe, a second opening would be another writer.
    """
    process = _process_of(folder)
    if process == os.getpid() and name.isdecimal():
        if fcntl.fcntl(int(name), fcntl.F_GETFL) & (os.O_WRONLY | os.O_RDWR) == os.O_RDONLY:
            raise OSError(errno.EBADF, "it is open for reading only")
        return os.dup(int(name))  # if it is a file, later output is appended
    try:
        fd = os.open(name, os.O_WRONLY | (os.O_APPEND if process else os.O_NOFOLLOW), dir_fd=folder)
    except FileNotFoundError:
        return None
    if process or not stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    return None


def _check_replaceable(folder: int, name: str) -> None:
    """Raise `OSError` if no file can be created or replaced there; change nothing."""
    with _signals_held_back():
        fd, temporary = _new_file(folder, 0o600)
        os.close(fd)
        os.unlink(temporary, dir_fd=folder)
    around = os.fstat(folder)
    with contextlib.suppress(FileNotFoundError):
        owner = os.stat(name, dir_fd=folder, follow_symlinks=False).st_uid
        if around.st_mode & stat.S_ISVTX and os.geteuid() not in {owner, around.st_uid, _ROOT}:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
