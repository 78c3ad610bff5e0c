"""The other end of the values socket, as a case wants it: late, gone, deaf, or saying no."""

import contextlib
import json
import os
import re
import socket
import threading

TOKEN = "0123456789abcdef0123456789abcdef"
KEYS = {"seq", "at", "kind", "name", "value", "status", "unit", "type", "cut"}
KINDS = {"watch", "condition", "result", "progress", "metric", "artifact", "span"}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.(\d{3}|\d{6})Z")


class Engine:
    """Listens at ``path``; each connection behaves as its entry of ``connections``, the last entry being for all others."""

    def __init__(self, path, connections):
        self.path = path
        self.behaviours = connections
        self.changed = threading.Condition()
        self.lines = []  # Of each connection, those that came.
        self.arrived = []  # All of them, in the order in which they came.
        self.faults = []
        self.acknowledged = 0
        self.open = []
        self.hears = False
        self.listener = None

    def listen(self):
        listener = socket.socket(socket.AF_UNIX)
        folder = os.open(os.path.dirname(self.path), os.O_PATH)
        listener.bind("/proc/self/fd/%d/%s" % (folder, os.path.basename(self.path)))
        os.close(folder)
        listener.listen(128)
        self.listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def close(self):
        """As a process that ends: the listener and all connections go; the name of the socket goes, too."""
        if self.listener is not None:
            # A thread in accept holds the socket open: it has to be woken.
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
            os.unlink(self.path)
        with self.changed:
            connections, self.open = self.open, []
        for connection in connections:
            connection.shutdown(socket.SHUT_RDWR)

    def hear(self):
        with self.changed:
            self.hears = True
            self.changed.notify_all()

    def wait_for_the_end_of_all(self, timeout):
        with self.changed:
            return self.changed.wait_for(lambda: not self.open, timeout)

    def wait_for_lines(self, count, timeout):
        with self.changed:
            return self.changed.wait_for(lambda: len(self.arrived) >= count, timeout)

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self.changed:
                number = len(self.lines)
                self.lines.append([])
                self.open.append(connection)
            behaviour = self.behaviours[min(number, len(self.behaviours) - 1)]
            args = (connection, number, behaviour)
            threading.Thread(target=self._serve, args=args, daemon=True).start()

    def _serve(self, connection, number, behaviour):
        try:
            # The file holds the socket open, too.
            with contextlib.ExitStack() as stack:
                stack.enter_context(connection)
                self._talk(connection, number, behaviour, stack)
        except OSError:
            pass
        finally:
            with self.changed:
                if connection in self.open:
                    self.open.remove(connection)
                self.changed.notify_all()

    def _talk(self, connection, number, behaviour, stack):
        lines = stack.enter_context(connection.makefile("rb", buffering=1 << 16))
        hello = json.loads(lines.readline(65537) or b"{}")
        if hello != {"hello": 1, "token": TOKEN}:
            self.faults.append("hello: %r" % hello)
        say = lambda what: connection.sendall((what if isinstance(what, str) else json.dumps(what)).encode() + b"\n")
        if "refuse" in behaviour:
            say(behaviour["refuse"])
            return
        say({"ok": True})
        for noise in behaviour.get("noise", []):
            say(noise)
        if behaviour.get("deaf"):
            with self.changed:
                self.changed.wait_for(lambda: self.hears)
        how = behaviour.get("ack", "each")
        timer = None
        seen = 0
        for chunk in _chunks(connection, lines):
            with self.changed:
                for line in chunk[: behaviour.get("at", len(chunk) + seen) - seen]:
                    seen += 1
                    self._take(line, number, seen)
                self.changed.notify_all()
            if how == "each":
                # Who is gone needs no answer, and may have said more before.
                with contextlib.suppress(OSError):
                    say({"ack": seen})
            elif how == "late" and timer is None:
                # After everything has come: nothing more does before this.
                timer = threading.Timer(0.3, lambda: (self._acknowledge_late(), say({"ack": 1 << 40})))
                timer.start()
            if behaviour.get("at") == seen:
                say(behaviour["say"])
                return

    def _acknowledge_late(self):
        self.acknowledged += 1

    def _take(self, line, connection, number):
        report = check_line(line, number, self.faults)
        if report is not None:
            self.lines[connection].append(report)
            self.arrived.append(report)


def _chunks(connection, lines):
    """The whole lines of a connection, as many at a time as have come. What follows the last one at the end is the
    beginning of a line that its program did not finish."""
    rest = b""
    more = lines.peek()
    lines.read(len(more)) if more else None
    while more:
        *whole, rest = (rest + more).split(b"\n")
        if whole:
            yield [line + b"\n" for line in whole]
        more = connection.recv(65536)


def check_line(line, number, faults):
    """What holds of every line, whatever its case."""
    fault = lambda what: faults.append("%s: %.200r" % (what, line))
    if len(line) > 65536:
        fault("too long")

    def no_constant(name):
        fault(name)

    try:
        report = json.loads(line.decode("utf-8"), parse_constant=no_constant)
        json.dumps(report, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        fault(str(error))
        return None
    if not isinstance(report, dict) or set(report) - KEYS or not {"seq", "at", "kind", "name", "value"} <= set(report):
        fault("keys")
        return None
    if type(report["seq"]) is not int or report["seq"] != number:
        fault("seq is not %d" % number)
    if not INSTANT.fullmatch(report["at"]):
        fault("at")
    if report["kind"] not in KINDS:
        fault("kind")
    if not isinstance(report["name"], str) or len(report["name"].encode()) > 256:
        fault("name")
    return report
