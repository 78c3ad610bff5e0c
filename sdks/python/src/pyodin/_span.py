"""Spans: named lengths of time that nest."""

import contextvars
import functools
import inspect
import os
import re
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Optional, Tuple, Type, TypeVar

from . import _report, _value
from ._interruption import is_of_this_call

if TYPE_CHECKING:
    from ._odin import Odin

#: An error's text in a span, in characters at most; what is longer is cut.
_ERROR_MAX = 256
_TRACE_PARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_open: "contextvars.ContextVar[Optional[str]]" = contextvars.ContextVar("odin_span", default=None)
_trace: Optional[Tuple[str, Optional[str]]] = None

Function = TypeVar("Function", bound=Callable[..., Any])


def _process_trace() -> Tuple[str, Optional[str]]:
    """The trace of this process, and the span in it that the process is."""
    global _trace
    if _trace is None:
        found = _TRACE_PARENT.fullmatch(os.environ.get("TRACEPARENT", ""))
        if found is None or not found[1].strip("0") or not found[2].strip("0"):
            _trace = (os.urandom(16).hex(), None)
        else:
            _trace = (found[1], found[2])
    return _trace


class Span:
    """A named length of time: ``with odin.span("load"):``, ``async with``, or a decorator of a function.

    A span that begins inside another one, in the same thread or task, is its child. One that ends with an exception has
    that as its error. It is reported at its end, by the process in which it began. A decorated generator's lasts from its
    first value that is asked for until it is exhausted or closed.
    """

    def __init__(self, odin: "Odin", name: str) -> None:
        self._odin = odin
        self._name = name
        self._error: Optional[str] = None
        self._id = ""

    def fail(self, reason: Any) -> None:
        """Marks what the span is about as failed, with the reason."""
        self._error = _value.as_text(reason)[:_ERROR_MAX]

    def __enter__(self) -> "Span":
        self._begin()
        self._token = _open.set(self._id)
        return self

    def _begin(self) -> None:
        self._id = os.urandom(8).hex()
        self._parent = _open.get() or _process_trace()[1]
        self._process = os.getpid()
        self._began_at = time.time_ns()
        self._began = time.monotonic()

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        _close(self._token)
        if error is not None:
            self._ended_with(error)
        self._end()

    def _ended_with(self, error: BaseException) -> None:
        # `result` ends a program by an exception of success, too.
        if not (isinstance(error, SystemExit) and not error.code):
            self.fail(error)

    def _end(self) -> None:
        seconds = time.monotonic() - self._began
        if self._process != os.getpid():
            return  # A forked child leaves what its parent is in the middle of.
        value = {
            "id": self._id,
            "parent": self._parent,
            "trace": _process_trace()[0],
            "start": _report.instant(self._began_at),
            "seconds": seconds,
            "error": self._error,
        }
        self._odin._send("span", self._name, value)

    async def __aenter__(self) -> "Span":
        return self.__enter__()

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: Function) -> Function:
        """Every call of the function is a span of its own."""
        odin, name = self._odin, self._name
        if inspect.isgeneratorfunction(function):
            return _of_generator(odin, name, function)  # type: ignore[no-any-return]

        if inspect.isasyncgenfunction(function):
            return _of_async_generator(odin, name, function)  # type: ignore[no-any-return]
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                with Span(odin, name):
                    return await function(*args, **kwargs)

            return awaited  # type: ignore[return-value]

        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            with Span(odin, name):
                return function(*args, **kwargs)

        return called  # type: ignore[return-value]


def _close(token: "contextvars.Token[Optional[str]]") -> None:
    try:
        _open.reset(token)
    except ValueError as error:
        if not is_of_this_call(error):
            raise
        # Ended in another task than it began in.


# A generator's span is open while the generator runs, and not while its caller does something with a value.


def _of_generator(odin: "Odin", name: str, function: Any) -> Any:
    @functools.wraps(function)
    def generated(*args: Any, **kwargs: Any) -> Any:
        span = Span(odin, name)
        span._begin()
        generator = function(*args, **kwargs)
        step, argument = generator.send, None
        try:
            while True:
                token = _open.set(span._id)
                try:
                    value = step(argument)
                except StopIteration as end:
                    return end.value
                finally:
                    _close(token)
                try:
                    step, argument = generator.send, (yield value)
                except GeneratorExit:
                    generator.close()
                    raise
                except BaseException as error:
                    step, argument = generator.throw, error
        except GeneratorExit:
            raise
        except BaseException as error:
            span._ended_with(error)
            raise
        finally:
            span._end()

    return generated


def _of_async_generator(odin: "Odin", name: str, function: Any) -> Any:
    @functools.wraps(function)
    async def generated(*args: Any, **kwargs: Any) -> Any:
        span = Span(odin, name)
        span._begin()
        generator = function(*args, **kwargs)
        step, argument = generator.asend, None
        try:
            while True:
                token = _open.set(span._id)
                try:
                    value = await step(argument)
                except StopAsyncIteration:
                    return
                finally:
                    _close(token)
                try:
                    step, argument = generator.asend, (yield value)
                except GeneratorExit:
                    await generator.aclose()
                    raise
                except BaseException as error:
                    step, argument = generator.athrow, error
        except GeneratorExit:
            raise
        except BaseException as error:
            span._ended_with(error)
            raise
        finally:
            span._end()

    return generated
