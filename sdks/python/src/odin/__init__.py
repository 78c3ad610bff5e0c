"""The short form of :mod:`pyodin`: names are taken from the program's own text.

>>> import odin
>>> odin.config("listeners.yml")
>>> listeners = 41
>>> odin.condition(listeners > 40)
True
>>> odin.watch("people listening", listeners)
"""

from typing import Any, NoReturn, Optional, Union, overload

import pyodin as _pyodin
from pyodin import Delivery, OdinHandler, Span

from ._call import argument_name as _argument_name

__all__ = [
    "Delivery",
    "OdinHandler",
    "Span",
    "artifact",
    "condition",
    "config",
    "flush",
    "metric",
    "mock",
    "progress",
    "result",
    "span",
    "watch",
]

_odin = _pyodin.Odin("odin_job.yml")
_MISSING = object()


def config(file: str = "odin_job.yml") -> None:
    """Names the program's job file. It is not read and need not be there: a run knows its job."""
    _odin.config = file


def mock() -> None:
    """Outside Odin, says on stderr what would be reported. Inside it changes nothing."""
    _odin.mock()


@overload
def watch(value: Any, /) -> None: ...
@overload
def watch(name: str, value: Any) -> None: ...
def watch(name: Any, value: Any = _MISSING) -> None:
    """Reports a value. Without a name it is reported under the text of the argument: ``watch(rows[0])`` as ``rows[0]``."""
    if value is _MISSING:
        name, value = _argument_name(1), name
    _odin.watch(name, value)


@overload
def condition(expression: Any, /) -> bool: ...
@overload
def condition(name: str, expression: Any) -> bool: ...
def condition(name: Any, expression: Any = _MISSING) -> bool:
    """Reports whether something holds, and returns that. Without a name it is reported under the text of the argument."""
    if expression is _MISSING:
        name, expression = _argument_name(1), name
    return _odin.condition(name, expression)


def result(message: str, status: Union[int, str] = 0) -> NoReturn:
    """Reports what came of the program and ends it; see :meth:`pyodin.Odin.result`."""
    _odin.result(message, status)


def progress(done: Union[int, float], total: Union[int, float, None] = None) -> None:
    """Reports how far the program is; ``total`` is left out when nobody knows."""
    _odin.progress(done, total)


def metric(name: str, value: Union[int, float], unit: Optional[str] = None) -> None:
    """Reports a number with its unit, for example ``"ms"`` or ``"bytes"``."""
    _odin.metric(name, value, unit)


def artifact(path: Any) -> None:
    """Reports a file that the program made; see :meth:`pyodin.Odin.artifact`."""
    _odin.artifact(path)


def span(name: str) -> Span:
    """A named length of time: a context manager, and a decorator of functions."""
    return _odin.span(name)


def flush(within: float = _pyodin.END_WITHIN) -> Delivery:
    """Waits until everything reported so far is acknowledged, so many seconds at most, and says what is not."""
    return _odin.flush(within)
