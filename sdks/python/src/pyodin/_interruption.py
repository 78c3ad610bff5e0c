"""Exceptions of the program's signal handlers, which may come in the middle of any call and belong to the program."""

import signal
import threading
from typing import Any, Set


def is_of_this_call(error: BaseException) -> bool:
    """Whether an error is one of the built-in function that was called where it was caught. The other that it can be there is a
    signal handler's: ``TimeoutError`` is an ``OSError``."""
    traceback = error.__traceback__
    return traceback is None or traceback.tb_next is None


def is_interruption(error: BaseException) -> bool:
    """Whether an error came out of a signal handler, where functions were called that have errors of their own."""
    traceback = error.__traceback__
    if traceback is None or threading.current_thread() is not threading.main_thread():
        return False
    codes = _codes_of_handlers()
    while traceback is not None:
        if traceback.tb_frame.f_code in codes:
            return True
        traceback = traceback.tb_next
    return False


def _codes_of_handlers() -> Set[Any]:
    codes = set()
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        if callable(handler):
            handler = getattr(handler, "func", handler)
            for function in (handler, getattr(type(handler), "__call__", None)):
                code = getattr(function, "__code__", None)
                if code is not None:
                    codes.add(code)
    return codes
