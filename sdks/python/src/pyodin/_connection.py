"""One connection to Odin: what was sent on it, and what came back.

Whoever has the turn calls, and may be interrupted anywhere by a signal handler's exception. The next one goes on where it
stopped: what the kernel took, and what it gave, is put down by the same step of C code that called it, and everything else
that changes is one attribute.
"""

import errno
import fcntl
import json
import os
import socket
from typing import Any, Dict, List, Optional, Tuple

from ._interruption import is_interruption, is_of_this_call
from ._queue import Queue

_SEND_BYTES = 64 << 10
_ANSWER_BYTES_MAX = 64 << 10
#: After so many reports, or bytes of them, their caller reads acknowledgements. The thread would have to take the interpreter
#: from its program for each, and until it has it, every system call of the program pays for waking it.
_READ_EVERY = 256
_READ_EVERY_BYTES = 256 << 10
_SOCKET_NAME_BYTES_MAX = 107
#: Programs that close the descriptors that they do not know then get the lowest numbers again: theirs must not become the
#: SDK's. And below the size that each process's table has from its start: a larger one costs milliseconds beside threads.
_DESCRIPTOR_MIN = 48

# What `map` calls the kernel with.
_NO_SIGNAL = (socket.MSG_NOSIGNAL,)
_ANSWER_BYTES = (_ANSWER_BYTES_MAX,)


class Descriptor:
    """A socket whose number may become another file's, when the program closes what it does not know."""

    def __init__(self, of: socket.socket) -> None:
        try:
            number = fcntl.fcntl(of.fileno(), fcntl.F_DUPFD_CLOEXEC, _DESCRIPTOR_MIN)
        except OSError:
            self.socket = of  # The program may have few descriptors.
        else:
            self.socket = socket.socket(of.family, of.type, of.proto, number)
            of.close()
        self.socket.setblocking(False)
        self._is = _identity(self.socket)

    def close(self) -> None:
        """Closes the socket; leaves the number alone when it is another file's."""
        if self._is is not None and _identity(self.socket) == self._is:
            self.socket.close()
        else:
            self.socket.detach()


def _identity(of: socket.socket) -> Optional[Tuple[int, int]]:
    try:
        found = os.fstat(of.fileno())
    except OSError:
        return None
    return found.st_dev, found.st_ino


class Connection:
    """A connection on which lines are numbered from 1, for the reports after number ``before``."""

    def __init__(self, descriptor: Descriptor, token: str, before: int) -> None:
        self.descriptor = descriptor
        self.socket = descriptor.socket
        #: There was no room for more when it was last tried.
        self.is_full = False
        #: It has ended, or its descriptor has.
        self.is_over = False
        self._before = before
        hello = json.dumps({"hello": 1, "token": token}).encode() + b"\n"
        #: What goes out: the bytes, the number of the last report in them, the bytes of all reports up to that, and how many
        #: bytes each call of the kernel took.
        self._out: Tuple[bytes, int, int, List[int]] = (hello, before, 0, [])
        self._received: List[bytes] = []
        #: Number and bytes of the last report that had been sent when answers were last read.
        self._read_at = (before, 0)

    def send(self, queue: Queue) -> None:
        """Sends until nothing is left or there is no room."""
        self.is_full = False
        send = self.socket.send
        while True:
            data, last, _, taken = self._out
            done = sum(taken)
            if done == len(data):
                if not self._fill(queue, last):
                    return
                continue
            try:
                # Whatever the program does with signals, a connection that has ended must not end it.
                taken += map(send, (data[done:] if done else data,), _NO_SIGNAL)
            except OSError as error:
                if not is_of_this_call(error):
                    raise
                self._failed(error)
                return

    def _failed(self, error: OSError) -> None:
        # A connection that Odin ended may have an answer that says why: it is over when that was read.
        if error.errno in (errno.EBADF, errno.ENOTSOCK):
            self.is_over = True
        self.is_full = True

    def _fill(self, queue: Queue, last: int) -> bool:
        """Makes lines of the reports after the last one; False when there are none."""
        reports = queue.reports
        if not reports:
            return False
        index = last + 1 - reports[0][2]
        count = len(reports)
        before = self._before
        if index == count - 1:
            rest, size, number = reports[index]
            self._out = (b'{"seq":%d,%b' % (number - before, rest), number, size, [])
            return True
        if index >= count:
            return False
        lines = []
        length = 0
        while index < count and length < _SEND_BYTES:
            rest, size, number = reports[index]
            lines.append(b'{"seq":%d,' % (number - before))
            lines.append(rest)
            length += len(rest)
            index += 1
        self._out = (b"".join(lines), number, size, [])
        return True

    def is_due_to_read(self) -> bool:
        """Whether so much was sent since answers were last read that whoever sends reads them, too."""
        _, last, size, _ = self._out
        read_last, read_size = self._read_at
        return last - read_last >= _READ_EVERY or size - read_size >= _READ_EVERY_BYTES

    def read(self) -> None:
        """Takes what there is of answers."""
        _, last, size, _ = self._out
        self._read_at = (last, size)
        try:
            self._received += map(self.socket.recv, _ANSWER_BYTES)
        except (BlockingIOError, InterruptedError) as error:
            if not is_of_this_call(error):
                raise
        except OSError as error:
            if not is_of_this_call(error):
                raise
            self.is_over = True

    def answers(self) -> List[Dict[str, Any]]:
        """What Odin answered, until it is forgotten with ``forget_answers``."""
        received = self._received
        if not received:
            return []
        lines = b"".join(received).split(b"\n")
        if not received[-1] or len(lines[-1]) > _ANSWER_BYTES_MAX:
            self.is_over = True
        answers = []
        for line in lines[:-1]:
            try:
                answer = json.loads(line.decode())
            except (ValueError, RecursionError) as error:
                if is_interruption(error):
                    raise
                continue
            if isinstance(answer, dict):
                answers.append(answer)
        return answers

    def forget_answers(self) -> None:
        """All that was received is dealt with, but for the beginning of a line."""
        rest = b"".join(self._received).rpartition(b"\n")[2]
        self._received = [rest] if rest else []

    def acknowledged(self, seq: int) -> int:
        """The number, among all, of the report that has this number here; at most that of the last one sent."""
        return min(self._before + seq, self._out[1])


def connect(path: str, token: str, before: int) -> Optional[Connection]:
    """A connection to the socket at this path; None when there is none to be had now."""
    try:
        attempt = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        attempt.setblocking(False)
        if _connect(attempt, path) != 0:
            attempt.close()
            return None
        return Connection(Descriptor(attempt), token, before)
    except OSError as error:
        if is_interruption(error):
            raise
        return None


def _connect(attempt: socket.socket, path: str) -> int:
    """Connects, also to a path that is longer than the kernel's addresses: by its folder."""
    if len(os.fsencode(path)) <= _SOCKET_NAME_BYTES_MAX:
        return attempt.connect_ex(path)
    folder, name = os.path.split(path)
    descriptor = os.open(folder, getattr(os, "O_PATH", os.O_RDONLY) | os.O_CLOEXEC)
    try:
        return attempt.connect_ex("/proc/self/fd/%d/%s" % (descriptor, name))
    finally:
        os.close(descriptor)
