"""The connection to Odin.

A caller puts its report on a list, which needs no lock, and then sends what is there if nobody else is sending. So a
report has left the process when the call returns, but when the socket is full or another thread is at it; and no call
waits, not even one in a signal handler that interrupted another one. A thread reads the acknowledgements, sends what
callers could not, and connects again.
"""

import json
import os
import select
import socket
import sys
import threading
import time
from collections import deque
from typing import Deque, NamedTuple, Optional

from . import _report

#: Reports that wait for their acknowledgement, at most. At the bound new ones are dropped and counted.
QUEUE_REPORTS_MAX = 10_000
#: Bytes of them, at most.
QUEUE_BYTES_MAX = 8 << 20
#: Seconds that the end of a program waits for acknowledgements, at most.
END_WITHIN = 5.0

_SEND_BYTES = 64 << 10
_ANSWER_BYTES_MAX = 64 << 10
_CONNECT_AGAIN_MIN = 0.02
_CONNECT_AGAIN_MAX = 1.0
#: After so many reports, or bytes of them, their caller reads acknowledgements. The thread would have to take the interpreter
#: from its program for each, and until it has it, every system call of the program pays for waking it.
_READ_EVERY = 256
_READ_EVERY_BYTES = 256 << 10
#: Seconds after which callers try again to send when the socket was full, and after which the thread does.
_WRITE_AGAIN = 0.001
_THREAD_WRITES_AGAIN = 0.02
_SOCKET_NAME_BYTES_MAX = 107
_ASK_AGAIN = ("values/too-many-connections", "values/hello-late")
_DROPPED_NAME = "odin.reports_dropped"


class Delivery(NamedTuple):
    """What became of the reports made so far."""

    #: Reports that nobody has acknowledged: dropped, refused, or not answered in time. Some may have arrived.
    undelivered: int
    #: Why, in words, when there are any.
    why: Optional[str] = None

    def __str__(self) -> str:
        if self.undelivered == 0:
            return "all reports reached Odin"
        what = "1 report was" if self.undelivered == 1 else "%d reports were" % self.undelivered
        return "%s not delivered: %s" % (what, self.why)


class Link:
    """What this process has to say, on its way to the socket at ``path``."""

    def __init__(self, path: str, token: str) -> None:
        self._path = path
        self._token = token
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """A new process: what its parent had to say is its parent's, connection included."""
        inherited = [getattr(self, name, None) for name in ("_socket", "_wake", "_wakeup")]
        self._lock = threading.Lock()
        self._lock_of = 0
        #: Taken from nobody, put there by callers.
        self._incoming: Deque[bytes] = deque()
        #: All below belongs to who holds the lock.
        self._unsent: Deque[bytes] = deque()
        self._unacknowledged: Deque[bytes] = deque()
        self._acknowledged = 0
        self._bytes = 0
        self._line = b""
        self._answers = b""
        #: Reports that were sent since answers were last read, and bytes of them.
        self._unheard = (0, 0)
        self._socket: Optional[socket.socket] = None
        self._is_full = False
        self._write_at = 0.0
        self._refused: Optional[str] = None
        self._refused_for_now: Optional[str] = None
        self._connect_at = 0.0
        self._connect_after = _CONNECT_AGAIN_MIN
        self._thread: Optional[threading.Thread] = None
        self._is_registered = False
        self._settled = threading.Event()
        self._flushing = 0
        # Re-entrant: a signal handler may count while its own thread does.
        self._count = threading.RLock()
        self._dropped = 0
        self._dropped_reported = 0
        self._wake: Optional[socket.socket] = None
        self._wakeup: Optional[socket.socket] = None
        for end in inherited:
            if end is not None:
                end.close()

    def send(self, rest_of_line: bytes, always: bool = False) -> None:
        """Takes a report on its way."""
        if self._refused is not None or (self._has_no_room() and not self._make_room() and not always):
            with self._count:
                self._dropped += 1
            return
        self._incoming.append(rest_of_line)
        self._send_incoming()

    def _has_no_room(self) -> bool:
        return self._waiting() >= QUEUE_REPORTS_MAX or self._bytes >= QUEUE_BYTES_MAX

    def _make_room(self) -> bool:
        if self._lock.acquire(False):
            self._lock_of = threading.get_ident()
            try:
                if self._socket is not None:
                    self._read()
            finally:
                self._lock_of = 0
                self._lock.release()
            self._send_incoming()
        return not self._has_no_room()

    def _send_incoming(self) -> None:
        # Whoever has the lock looks again after giving it back, so nothing is left lying.
        while self._incoming and self._lock.acquire(False):
            self._lock_of = threading.get_ident()
            try:
                if self._thread is None:
                    self._start()
                was_full = self._is_full
                if was_full and time.monotonic() < self._write_at:
                    self._take_incoming()
                else:
                    self._write()
                    self._read_now_and_then()
                wake = self._socket is None or (self._is_full and not was_full)
            finally:
                self._lock_of = 0
                self._lock.release()
            if wake:
                self._wake_thread()
                return

    def flush(self, within: float) -> Delivery:
        """Waits until all is acknowledged, or nothing more will be, or the seconds are over."""
        until = time.monotonic() + within
        if self._lock_of == threading.get_ident():
            # In a signal handler, in the middle of a call of the same thread: only that one can go on.
            return self._delivery()
        self._send_incoming()
        self._flushing += 1
        self._wake_thread()
        try:
            while self._refused is None:
                self._settled.clear()
                if self._waiting() == 0:
                    break
                left = until - time.monotonic()
                if left <= 0:
                    break
                thread = self._thread
                if thread is not None and thread.is_alive():
                    self._settled.wait(min(left, 1.0))
                else:
                    self._step(left)
        finally:
            self._flushing -= 1
        return self._delivery()

    def _waiting(self) -> int:
        return len(self._incoming) + len(self._unsent) + len(self._unacknowledged)

    def _delivery(self) -> Delivery:
        waiting = self._waiting()
        undelivered = waiting + self._dropped
        if undelivered == 0:
            return Delivery(0)
        if self._refused is not None:
            return Delivery(undelivered, self._refused)
        if waiting == 0:
            return Delivery(undelivered, "the queue was full")
        why = self._refused_for_now or "Odin did not acknowledge in time"
        return Delivery(undelivered, why)

    def finish(self) -> None:
        """Waits for the acknowledgements, and says on stderr what is missing."""
        if self._thread is None and not self._incoming:
            return
        delivery = self.flush(END_WITHIN)
        if delivery.undelivered:
            with self._count:
                say("odin: %s" % (delivery,))

    # Below: by who holds the lock, or by the thread.

    def _start(self) -> None:
        """On a process's first report: connects, so that the report leaves at once, and starts the thread."""
        self._wake, self._wakeup = socket.socketpair()
        self._wake.setblocking(False)
        self._wakeup.setblocking(False)
        self._connect()
        thread = threading.Thread(target=self._serve, name="odin-reports", daemon=True)
        self._thread = thread
        try:
            thread.start()
        except RuntimeError:
            pass  # The interpreter ends, or the system has no thread left: flush does what it would.
        self._register()

    def _register(self) -> None:
        """A forked child of multiprocessing ends without the exit functions of the interpreter."""
        process = sys.modules.get("multiprocessing.process")
        util = sys.modules.get("multiprocessing.util")
        if process is None or util is None or process.parent_process() is None:
            return
        util.Finalize(None, self.finish, exitpriority=-100)

    def _wake_thread(self) -> None:
        wakeup = self._wakeup
        if wakeup is not None:
            try:
                wakeup.send(b"\0")
            except OSError:
                pass  # It is awake: there are wakes that it has not read.

    def _serve(self) -> None:
        link_is_mine = self._wake
        while self._wake is link_is_mine:
            self._step(None)

    def _step(self, within: Optional[float]) -> None:
        """Waits for something to do, and does it."""
        wake = self._wake
        if wake is None:
            return
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        connection = self._socket
        timeout = within
        if connection is not None:
            # Its end is told of in any case, acknowledgements and room only when somebody waits for them.
            events = select.POLLRDHUP
            if self._flushing or within is not None:
                events |= select.POLLIN | (select.POLLOUT if self._is_full else 0)
            elif self._is_full:
                timeout = _THREAD_WRITES_AGAIN
            poll.register(connection, events)
        elif self._waiting() and self._refused is None:
            left = max(0.0, self._connect_at - time.monotonic())
            timeout = left if within is None else min(left, within)
        ready = dict(poll.poll(None if timeout is None else timeout * 1000))
        if wake.fileno() in ready:
            try:
                while wake.recv(4096):
                    pass
            except OSError:
                pass
        with self._lock:
            self._lock_of = threading.get_ident()
            try:
                self._take_incoming()
                if self._socket is None:
                    if self._unsent and self._refused is None and time.monotonic() >= self._connect_at:
                        self._connect()
                elif connection is self._socket:
                    events = ready.get(connection.fileno(), 0)
                    if events & ~select.POLLOUT:
                        self._read()
                    if events & select.POLLOUT or not ready:
                        self._is_full = False
                if not self._is_full:
                    self._write()
            finally:
                self._lock_of = 0
        self._send_incoming()
        if self._waiting() == 0 or self._refused is not None:
            self._settled.set()

    def _take_incoming(self) -> None:
        while self._incoming:
            try:
                rest = self._incoming.popleft()
            except IndexError:
                return
            self._bytes += len(rest)
            self._unsent.append(rest)

    def _connect(self) -> None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            _connect(connection, self._path)
        except OSError:
            connection.close()
            self._connect_later()
            return
        self._socket = connection
        self._is_full = False
        self._answers = b""
        self._line = json.dumps({"hello": 1, "token": self._token}).encode() + b"\n"
        self._acknowledged = 0
        self._connect_later()
        self._write()

    def _connect_later(self) -> None:
        self._connect_at = time.monotonic() + self._connect_after
        self._connect_after = min(self._connect_after * 2, _CONNECT_AGAIN_MAX)

    def _write(self) -> None:
        """Sends until nothing is left or there is no room."""
        self._take_incoming()
        connection = self._socket
        if connection is None:
            return
        self._is_full = False
        while True:
            if not self._line:
                if not self._unsent:
                    return
                self._line = self._next_lines()
            try:
                # Whatever the program does with signals, a connection that has ended must not end it.
                sent = connection.send(self._line, socket.MSG_NOSIGNAL)
            except OSError:
                # There is no room, or the connection has ended: the thread reads why, and that it is over.
                self._is_full = True
                self._write_at = time.monotonic() + _WRITE_AGAIN
                return
            self._line = self._line[sent:]

    def _next_lines(self) -> bytes:
        seq = self._acknowledged + len(self._unacknowledged)
        reports, unheard_size = self._unheard
        if len(self._unsent) == 1:
            rest = self._unsent.popleft()
            self._unacknowledged.append(rest)
            self._unheard = (reports + 1, unheard_size + len(rest))
            return b'{"seq":%d,%b' % (seq + 1, rest)
        lines = []
        size = 0
        while self._unsent and size < _SEND_BYTES:
            rest = self._unsent.popleft()
            self._unacknowledged.append(rest)
            seq += 1
            lines.append(b'{"seq":%d,' % seq)
            lines.append(rest)
            size += len(rest)
        self._unheard = (reports + len(lines) // 2, unheard_size + size)
        return b"".join(lines)

    def _read_now_and_then(self) -> None:
        reports, size = self._unheard
        if self._socket is not None and (reports >= _READ_EVERY or size >= _READ_EVERY_BYTES):
            self._read()
            if self._flushing:
                self._wake_thread()

    def _read(self) -> None:
        """Takes what Odin answers, if there is anything."""
        assert self._socket is not None
        self._unheard = (0, 0)
        try:
            more = self._socket.recv(_ANSWER_BYTES_MAX)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            more = b""
        if not more or len(self._answers) > _ANSWER_BYTES_MAX:
            self._end_connection()
            return
        *lines, self._answers = (self._answers + more).split(b"\n")
        for line in lines:
            self._take_answer(line)

    def _take_answer(self, line: bytes) -> None:
        try:
            answer = json.loads(line.decode())
        except ValueError:
            return
        if not isinstance(answer, dict):
            return
        seq = answer.get("ack")
        if isinstance(seq, int):
            self._refused_for_now = None
            self._connect_after = _CONNECT_AGAIN_MIN
            for _ in range(min(seq - self._acknowledged, len(self._unacknowledged))):
                self._bytes -= len(self._unacknowledged.popleft())
                self._acknowledged += 1
            self._report_dropped()
        elif "code" in answer:
            why = "%s (%s)" % (answer.get("error"), answer["code"])
            if answer["code"] in _ASK_AGAIN:
                self._refused_for_now = why
            else:
                self._refused = why

    def _end_connection(self) -> None:
        assert self._socket is not None
        self._socket.close()
        self._socket = None
        self._line = b""
        self._is_full = False
        self._acknowledged = 0
        self._unsent.extendleft(reversed(self._unacknowledged))
        self._unacknowledged.clear()
        self._connect_later()

    def _report_dropped(self) -> None:
        """Once there is room again, how many reports were dropped is a value of the run."""
        dropped = self._dropped
        if dropped > self._dropped_reported and self._waiting() < QUEUE_REPORTS_MAX // 2:
            self._dropped_reported = dropped
            self._incoming.append(_report.rest_of_line("watch", _DROPPED_NAME, dropped))


def _connect(connection: socket.socket, path: str) -> None:
    """Connects, also to a path that is longer than the kernel's addresses: by its folder."""
    if len(os.fsencode(path)) <= _SOCKET_NAME_BYTES_MAX:
        connection.connect(path)
        return
    folder, name = os.path.split(path)
    descriptor = os.open(folder, getattr(os, "O_PATH", os.O_RDONLY) | os.O_CLOEXEC)
    try:
        connection.connect("/proc/self/fd/%d/%s" % (descriptor, name))
    finally:
        os.close(descriptor)


def say(line: str) -> None:
    """Says a line on stderr. One that is closed hears nothing."""
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        pass
