"""What programs call."""

import atexit
import logging
import os
import sys
import threading
from typing import Any, Dict, NoReturn, Optional, Union

from . import _link, _report, _value
from ._interruption import is_interruption
from ._link import Delivery
from ._span import Span

_clients: Dict[str, "_Client"] = {}


class _Client:
    """What all Odins of a process share."""

    def __init__(self) -> None:
        path = os.environ.get("ODIN_SOCKET", "")
        self.link: Optional[_link.Link] = None
        if path and os.path.exists(path):
            self.link = _link.Link(path, os.environ.get("ODIN_RUN_TOKEN", ""))
        self.is_mock = os.environ.get("ODIN_MOCK", "") not in ("", "0")
        self._is_registered = False

    def register(self) -> None:
        """Sees to it that the ends of this process and the beginnings of its forked children are heard of."""
        if self.link is None or self._is_registered:
            return
        # Twice, by two threads or for a signal handler in between, does no harm.
        os.register_at_fork(after_in_child=self.link.begin)
        atexit.register(self.link.finish)
        self._is_registered = True


def _shared() -> "_Client":
    client = _clients.get("shared")
    if client is None:
        # Of several threads at their first call, one gives its own to all.
        client = _clients.setdefault("shared", _Client())
    client.register()
    return client


class Odin:
    """Reports what a program sees to the Odin that runs it.

    All Odins of a process share one connection. Any thread, task, signal handler or forked child may use them. Outside Odin
    every call returns what it would inside and does nothing else, unless ``mock`` or ``ODIN_MOCK=1`` asks for it to be said
    on stderr. No call waits for Odin but :meth:`flush`, :meth:`result` and the end of the program, which wait until
    everything is acknowledged, 5 seconds at most.

    :param config: the name of the program's job file. It is not read and need not be there: a run knows its job.
    :param test: the same as a call of :meth:`mock`.
    :param path_type: taken, as ``pathType`` is, for programs that were written for earlier versions; it changes nothing.
    """

    def __init__(
        self,
        config: str = "odin_job.yml",
        test: bool = False,
        path_type: str = "absolute",
        pathType: str = "absolute",
    ) -> None:
        self.config = config
        self._client = _shared()
        if test:
            self.mock()

    @property
    def is_inside(self) -> bool:
        """Whether Odin runs this program: whether the socket that ``ODIN_SOCKET`` names was there at the first call."""
        return self._client.link is not None

    @property
    def job_id(self) -> Optional[str]:
        """The job's id; None outside Odin."""
        return os.environ.get("ODIN_JOB_ID")

    @property
    def run_id(self) -> Optional[str]:
        """The run's id; None outside Odin."""
        return os.environ.get("ODIN_RUN_ID")

    def mock(self) -> None:
        """Outside Odin, says on stderr what would be reported. Inside it changes nothing."""
        self._client.is_mock = True

    def watch(self, name: str, value: Any) -> None:
        """Reports a value under a name. Numbers, booleans, text and what JSON has a form for keep their type; bytes are text
        when they are UTF-8; anything else is sent as its ``str``."""
        self._send("watch", name, value)

    def condition(self, name: str, expression: Any) -> bool:
        """Reports whether something holds, and returns that."""
        holds = bool(expression)
        self._send("condition", name, holds)
        return holds

    def result(self, message: str, status: Union[int, str] = 0) -> NoReturn:
        """Reports what came of the program and ends it. Status 0 and 200 to 299 are success, 400 to 499 a warning, anything
        else is a failure; the exit code is 1 for a failure, else 0. In the main thread it raises :class:`SystemExit`, so
        that what is open is closed; in another one it ends the process at once.
        """
        text = _report.status_text(status)
        self._send("result", message, status, status=text, always=True)
        code = 1 if _report.outcome(text) == "failure" else 0
        if threading.current_thread() is threading.main_thread():
            self.flush()
            sys.exit(code)
        if self._client.link is not None:
            self._client.link.finish()
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (AttributeError, OSError, ValueError):
                pass  # Of another thread, where no signal handler runs.
        os._exit(code)

    def progress(self, done: Union[int, float], total: Union[int, float, None] = None) -> None:
        """Reports how far the program is; ``total`` is left out when nobody knows."""
        self._send("progress", "progress", {"done": done, "total": total})

    def metric(self, name: str, value: Union[int, float], unit: Optional[str] = None) -> None:
        """Reports a number with its unit, for example ``"ms"`` or ``"bytes"``."""
        self._send("metric", name, value, unit=unit or None)

    def artifact(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """Reports a file that the program made: where it is and how many bytes it has. The file stays where it is. One that
        cannot be looked at is reported with the error."""
        text = _value.as_text(path)
        value: Dict[str, Any] = {"path": text}
        try:
            text = value["path"] = os.fsdecode(path)
            value["path"] = os.path.abspath(text)
            value["bytes"] = os.stat(text).st_size
        except Exception as error:
            if is_interruption(error):
                raise
            value["error"] = getattr(error, "strerror", None) or str(error)
        self._send("artifact", os.path.basename(text) or text, value)

    def span(self, name: str) -> Span:
        """A named length of time: a context manager, and a decorator of functions."""
        return Span(self, name)

    def flush(self, within: float = _link.END_WITHIN) -> Delivery:
        """Waits until everything reported so far is acknowledged, so many seconds at most, and says what is not."""
        link = self._client.link
        return Delivery(0) if link is None else link.flush(within)

    def _send(
        self,
        kind: str,
        name: Any,
        value: Any,
        status: Optional[str] = None,
        unit: Optional[str] = None,
        always: bool = False,
    ) -> None:
        link = self._client.link
        if link is not None:
            link.send(_report.rest_of_line(kind, name, value, status, unit), always)
        elif self._client.is_mock:
            _link.say(_report.line_for_people(kind, name, value, status, unit))


class OdinHandler(logging.Handler):
    """Reports the lines of a program's log: ``logging.getLogger().addHandler(OdinHandler())``.

    A line is a watch named after its level, ``log.debug``, ``log.info``, ``log.warning`` or ``log.error``; critical ones
    are errors too. What else the program does with its log stays as it is: where nobody else handles a line, it is printed
    as by a program that has set up no logging, warnings and errors on stderr. ``logging.basicConfig`` does nothing once there
    is a handler, so it comes before this one is added.
    """

    def __init__(self, odin: Optional[Odin] = None, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self._odin = odin or Odin()

    def emit(self, record: logging.LogRecord) -> None:
        """Reports one line."""
        _print_if_nobody_else_does(record)
        try:
            for name, least in (("error", 40), ("warning", 30), ("info", 20), ("debug", 0)):
                if record.levelno >= least:
                    self._odin.watch("log." + name, self.format(record))
                    return
        except Exception as error:
            if is_interruption(error):
                raise
            self.handleError(record)


def _print_if_nobody_else_does(record: logging.LogRecord) -> None:
    """What the interpreter does for a line that no handler takes, which one that only reports would take from the program."""
    last = logging.lastResort
    if last is None or record.levelno < last.level:
        return
    logger: Optional[logging.Logger] = logging.getLogger(record.name)
    while logger is not None:
        if not all(isinstance(handler, OdinHandler) for handler in logger.handlers):
            return
        logger = logger.parent if logger.propagate else None
    last.handle(record)
