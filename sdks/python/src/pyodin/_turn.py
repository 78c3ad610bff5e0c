"""Turns at what one call at a time may touch, that nothing can leave taken.

A lock that a signal handler's exception leaves locked is locked for ever, and there is no place in a Python function
where such an exception cannot come. So a turn belongs to a frame, which is a call in progress: it is free once that call
has given it back or has ended, however it ended.
"""

import sys
from types import FrameType
from typing import Any, Dict, Optional

from ._interruption import is_of_this_call

_getframe = sys._getframe

#: A turn that was taken: by which frame, None when it was given back, and the turn after it, when that was taken.
_Taken = Dict[str, Any]


class Turn:
    """Nobody waits here: who does not get the turn goes on without."""

    def __init__(self) -> None:
        self._last: _Taken = {"by": None}

    def take(self) -> bool:
        """Whether the calling function has the turn now, until it gives it back or ends."""
        last = self._last
        if "next" in last:
            last = self._latest()
        holder = last["by"]
        if holder is not None and _is_in_progress(holder):
            return False
        mine: _Taken = {"by": _getframe(1)}
        # Of all that come after the same turn, one finds its own here.
        if last.setdefault("next", mine) is not mine:
            return False
        self._last = mine
        return True

    def give_back(self) -> None:
        """The calling function, which has the turn, has it no longer."""
        self._last["by"] = None

    def is_below(self) -> bool:
        """Whether a call that has the turn goes on when the caller returns: the caller is in a signal handler."""
        holder = self._latest()["by"]
        frame: Optional[FrameType] = _getframe(1)
        while frame is not None and frame is not holder:
            frame = frame.f_back
        return frame is not None

    def _latest(self) -> _Taken:
        last = self._last
        # A call may have ended after it took a turn, and before it said so.
        while "next" in last:
            last = last["next"]
        return last


def _is_in_progress(frame: FrameType) -> bool:
    try:
        # Refused for a call in progress; of one that has ended, nobody needs the variables.
        frame.clear()
    except RuntimeError as error:
        if not is_of_this_call(error):
            raise
        return True
    return False
