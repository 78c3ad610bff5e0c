"""The connection to Odin.

A caller puts its report on a list, which needs no lock, and then sends what is there if nobody else is sending. So a
report has left the process when the call returns, but when the socket is full or another thread is at it; and no call
waits, not even one in a signal handler that interrupted another one. A thread reads the acknowledgements, sends what
callers could not, and connects again.

A signal handler that ends a call with an exception, wherever that is, loses no report and doubles none: see ``_turn``,
``_queue`` and ``_connection``.
"""

import _thread
import os
import select
import socket
import sys
import time
from collections import deque
from typing import Any, Deque, Dict, NamedTuple, Optional, Tuple

from . import _report
from ._connection import Connection, Descriptor, connect
from ._interruption import is_interruption, is_of_this_call
from ._queue import QUEUE_BYTES_MAX, QUEUE_REPORTS_MAX, Queue
from ._turn import Turn

__all__ = ["END_WITHIN", "QUEUE_BYTES_MAX", "QUEUE_REPORTS_MAX", "Delivery", "Link", "say"]

#: Seconds that the end of a program waits for acknowledgements, at most.
END_WITHIN = 5.0

_CONNECT_AGAIN_MIN = 0.02
_CONNECT_AGAIN_MAX = 1.0
#: Seconds after which callers try again to send when the socket was full, and after which the thread does.
_WRITE_AGAIN = 0.001
_THREAD_WRITES_AGAIN = 0.02
#: Reports that callers leave to the next one or to the thread meanwhile.
_LEFT_MAX = 32
#: Seconds after which the thread tries again to get the turn, at first and at most: a call has it for microseconds, but when a
#: signal handler runs in the middle of it.
_TURN_AGAIN_MIN = 0.001
_TURN_AGAIN_MAX = 0.02
#: Seconds that a flush waits without a look of its own.
_LOOK_AGAIN = 1.0
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
        self._connection: Optional[Connection] = None
        self._wakes: Optional[Tuple[Descriptor, Descriptor]] = None
        self.begin()

    def begin(self) -> None:
        """A new process: what its parent had to say is its parent's, connection included."""
        inherited = (self._connection and self._connection.descriptor, *(self._wakes or ()))
        self._turn = Turn()
        self._queue = Queue()
        self._connection = None
        #: The thread waits for the first, callers wake it by the second.
        self._wakes = None
        #: Of the threads that were started, what the interpreter calls them: one, but for a process that can have none.
        self._threads: Deque[int] = deque()
        self._thread_ended = False
        #: The kernel's number of the thread.
        self.thread_id: Optional[int] = None
        self._write_at = 0.0
        self._refused: Optional[str] = None
        self._refused_for_now: Optional[str] = None
        self._connect_at = 0.0
        self._connect_after = _CONNECT_AGAIN_MIN
        #: Those who wait for acknowledgements: each has a lock that it has taken, and the thread releases.
        self._waiters: Deque[_thread.LockType] = deque()
        self._dropped_reported = 0
        self._drops_are_due = False
        self._said: Optional[Delivery] = None
        for descriptor in inherited:
            if descriptor is not None:
                descriptor.close()

    def send(self, rest_of_line: bytes, always: bool = False) -> None:
        """Takes a report on its way."""
        queue = self._queue
        if self._refused is not None or not (queue.has_room() or self._make_room() or always):
            queue.drop()
            return
        try:
            queue.incoming.append(rest_of_line)
            self._send_incoming()
        except BaseException:
            # A signal handler ended this call: the thread does the rest of it.
            self._wake_thread()
            raise

    def _make_room(self) -> bool:
        turn = self._turn
        if turn.take():
            self._queue.take_in()
            if self._connection is not None:
                self._read(self._connection)
            turn.give_back()
            self._send_incoming()
        return self._queue.has_room()

    def _send_incoming(self) -> None:
        turn, queue, connection = self._turn, self._queue, self._connection
        if connection is not None and connection.is_full and len(queue.incoming) < _LEFT_MAX:
            if time.monotonic() < self._write_at:
                return  # The thread comes in any case.
        # Whoever has the turn looks again after giving it back, so nothing is left lying.
        while queue.incoming and turn.take():
            queue.take_in()
            wake = self._send(queue)
            turn.give_back()
            if wake:
                self._wake_thread()
                return

    def _send(self, queue: Queue) -> bool:
        """The part of a caller, who has the turn: whether the thread has something to do then."""
        if not self._threads:
            self._start()
        connection = self._connection
        if connection is None:
            return True
        was_full = connection.is_full
        if was_full and time.monotonic() < self._write_at:
            return False  # There were so many that they had to be taken in.
        connection.send(queue)
        if connection.is_due_to_read():
            self._read(connection)
            if self._waiters:
                return True
        if not connection.is_full:
            return False
        self._write_at = time.monotonic() + _WRITE_AGAIN
        return connection.is_over or not was_full

    def flush(self, within: float) -> Delivery:
        """Waits until all is acknowledged, or nothing more will be, or the seconds are over."""
        until = time.monotonic() + within
        if self._turn.is_below():
            # In a signal handler, in the middle of a call of the same thread: only that one can go on.
            return self._delivery()
        self._send_incoming()
        while self._refused is None and self._queue.waiting():
            left = until - time.monotonic()
            if left <= 0:
                break
            if self._threads and not self._thread_ended:
                self._wait(min(left, _LOOK_AGAIN))
            else:
                self._step(min(left, _LOOK_AGAIN))
        return self._delivery()

    def _wait(self, within: float) -> None:
        """Waits for the thread to say that all is acknowledged, or nothing more will be."""
        waiter = _thread.allocate_lock()
        waiter.acquire()
        self._waiters.append(waiter)
        try:
            self._wake_thread()
            waiter.acquire(timeout=within)
        finally:
            try:
                self._waiters.remove(waiter)
            except ValueError as error:
                if not is_of_this_call(error):
                    raise

    def _delivery(self) -> Delivery:
        waiting, dropped = self._queue.waiting(), self._queue.dropped
        undelivered = waiting + dropped
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
        delivery = self.flush(END_WITHIN)
        if delivery.undelivered and delivery != self._said:
            self._said = delivery
            say("odin: %s" % (delivery,))

    # Below: by who has the turn, or by the thread.

    def _start(self) -> None:
        """On a process's first report: connects, so that the report leaves at once, and starts the thread."""
        if self._wakes is None:
            self._wakes = _wakes()
        if self._connection is None:
            self._connect()
        self._register_end()
        try:
            self._threads.extend(map(_thread.start_new_thread, (self._serve,), ((),)))
        except RuntimeError as error:
            if not is_of_this_call(error):
                raise
            # The interpreter ends, or the system has no thread left: flush does what it would.
            self._thread_ended = True
            self._threads.append(0)

    def _register_end(self) -> None:
        """A forked child of multiprocessing ends without the exit functions of the interpreter."""
        process = sys.modules.get("multiprocessing.process")
        util = sys.modules.get("multiprocessing.util")
        if process is None or util is None or process.parent_process() is None:
            return
        util.Finalize(None, self.finish, exitpriority=-100)

    def _wake_thread(self) -> None:
        wakes = self._wakes
        if wakes is not None:
            try:
                wakes[1].socket.send(b"\0")
            except OSError as error:
                if not is_of_this_call(error):
                    raise
                # It is awake: there are wakes that it has not read, or both ends were closed.

    def _serve(self) -> None:
        self.thread_id = _thread.get_native_id()
        try:
            while True:
                self._step(None)
        finally:
            self._thread_ended = True

    def _step(self, within: Optional[float]) -> None:
        """Waits for something to do, and does it."""
        wakes, connection, ready = self._poll(within)
        turn, queue = self._turn, self._queue
        again = _TURN_AGAIN_MIN
        while not turn.take():
            time.sleep(again)
            again = min(again * 2, _TURN_AGAIN_MAX)
        if wakes is self._wakes:
            self._hear_wakes(wakes)
        queue.take_in()
        if self._connection is None:
            if queue.reports and self._refused is None and time.monotonic() >= self._connect_at:
                self._connect()
        elif connection is self._connection:
            events = ready.get(connection.socket.fileno(), 0)
            if events & ~select.POLLOUT:
                connection.read()
            # Also those that a caller had read when it was interrupted.
            self._take_answers(connection)
            if events & select.POLLOUT or not ready:
                connection.is_full = False
        connection = self._connection
        if connection is not None and not connection.is_full:
            connection.send(queue)
        self._report_dropped()
        turn.give_back()
        self._send_incoming()
        if queue.waiting() == 0 or self._refused is not None:
            self._release_waiters()

    def _poll(
        self, within: Optional[float]
    ) -> Tuple[Optional[Tuple[Descriptor, Descriptor]], Optional[Connection], Dict[int, int]]:
        poll = select.poll()
        wakes, connection = self._wakes, self._connection
        timeout = within
        if wakes is None:
            timeout = _LOOK_AGAIN if within is None else within
        else:
            _register(poll, wakes[0], select.POLLIN)
        if connection is not None:
            # Its end is told of in any case, acknowledgements and room only when somebody waits for them.
            events = select.POLLRDHUP
            if self._waiters or within is not None:
                events |= select.POLLIN | (select.POLLOUT if connection.is_full else 0)
            elif connection.is_full:
                timeout = _THREAD_WRITES_AGAIN
            _register(poll, connection.descriptor, events)
        elif self._queue.waiting() and self._refused is None:
            left = max(0.0, self._connect_at - time.monotonic())
            timeout = left if within is None else min(left, within)
        return wakes, connection, dict(poll.poll(None if timeout is None else timeout * 1000))

    def _hear_wakes(self, wakes: Optional[Tuple[Descriptor, Descriptor]]) -> None:
        """Takes the wakes that are there. Programs close descriptors that they do not know: there are new ones then."""
        try:
            while wakes is not None and wakes[0].socket.recv(4096):
                pass
        except BlockingIOError as error:
            if not is_of_this_call(error):
                raise
            return
        except OSError as error:
            if not is_of_this_call(error):
                raise
        self._wakes = _wakes()
        for end in wakes or ():
            end.close()

    def _connect(self) -> None:
        reports = self._queue.reports
        if not reports:
            return
        connection = connect(self._path, self._token, reports[0][2] - 1)
        self._connect_later()
        self._connection = connection
        if connection is not None:
            connection.send(self._queue)

    def _connect_later(self) -> None:
        self._connect_at = time.monotonic() + self._connect_after
        self._connect_after = min(self._connect_after * 2, _CONNECT_AGAIN_MAX)

    def _read(self, connection: Connection) -> None:
        """Takes what Odin answers, if there is anything."""
        connection.read()
        self._take_answers(connection)

    def _take_answers(self, connection: Connection) -> None:
        for answer in connection.answers():
            self._take_answer(connection, answer)
        connection.forget_answers()
        if connection.is_over and self._connection is connection:
            self._connect_later()
            self._connection = None
            connection.descriptor.close()

    def _take_answer(self, connection: Connection, answer: Dict[str, Any]) -> None:
        seq = answer.get("ack")
        if isinstance(seq, int):
            self._refused_for_now = None
            self._connect_after = _CONNECT_AGAIN_MIN
            self._queue.acknowledge(connection.acknowledged(seq))
            if self._queue.dropped > self._dropped_reported and self._has_room_again():
                self._drops_are_due = True
                self._wake_thread()
        elif "code" in answer:
            why = "%s (%s)" % (answer.get("error"), answer["code"])
            if answer["code"] in _ASK_AGAIN:
                self._refused_for_now = why
            else:
                self._refused = why

    def _has_room_again(self) -> bool:
        return self._queue.waiting() < QUEUE_REPORTS_MAX // 2

    def _report_dropped(self) -> None:
        """Once there is room again, how many reports were dropped is a value of the run."""
        if self._drops_are_due:
            self._drops_are_due = False
            dropped = self._dropped_reported = self._queue.dropped
            self._queue.incoming.append(_report.rest_of_line("watch", _DROPPED_NAME, dropped))

    def _release_waiters(self) -> None:
        while self._waiters:
            try:
                self._waiters.popleft().release()
            except (IndexError, RuntimeError) as error:
                if not is_of_this_call(error):
                    raise
                return  # It has just gone by itself.


def _register(poll: "select.poll", descriptor: Descriptor, events: int) -> None:
    number = descriptor.socket.fileno()
    # Who has the turn may have closed it just now.
    if number >= 0:
        poll.register(number, events)


def _wakes() -> Optional[Tuple[Descriptor, Descriptor]]:
    """Two ends; None when the process can have no more descriptors."""
    try:
        one, other = socket.socketpair()
        return Descriptor(one), Descriptor(other)
    except OSError as error:
        if is_interruption(error):
            raise
        return None


def say(line: str) -> None:
    """Says a line on stderr. One that is closed hears nothing."""
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError) as error:
        if is_interruption(error):
            raise
