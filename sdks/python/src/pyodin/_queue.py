"""Reports that wait for their acknowledgement.

Callers may be interrupted anywhere by a signal handler's exception. So what has to happen together here is one step of C
code, between whose parts no handler runs: a chain of iterators that `extend` takes one item through.
"""

from collections import deque
from itertools import accumulate, count, islice, tee
from typing import Deque, Tuple

#: Reports that wait for their acknowledgement, at most. At the bound new ones are dropped and counted.
QUEUE_REPORTS_MAX = 10_000
#: Bytes of them, at most.
QUEUE_BYTES_MAX = 8 << 20
#: No report's line is longer: names, values, statuses and units have bounds, and a byte of them at most six in JSON.
_LINE_BYTES_MAX = 32 << 10
#: So many have room whatever their size.
_FEW = QUEUE_BYTES_MAX // _LINE_BYTES_MAX

#: A report's line without its number on a connection; the bytes of all lines up to it; its number among all.
Report = Tuple[bytes, int, int]


class Queue:
    """Anybody may add to it; the rest is for who has the turn."""

    def __init__(self) -> None:
        #: Taken from by who has the turn, put there by callers.
        self.incoming: Deque[bytes] = deque()
        #: Numbered from 1 without gaps, in this order.
        self.reports: Deque[Report] = deque()
        lines, again = tee(iter(self.incoming.popleft, None))
        self._numbered = zip(lines, accumulate(map(len, again)), count(1))
        self._drops = count(1)
        self._dropped: Deque[int] = deque([0], maxlen=1)

    def take_in(self) -> None:
        """Numbers what callers have added."""
        self.reports.extend(islice(self._numbered, len(self.incoming)))

    def acknowledge(self, number: int) -> None:
        """Forgets the reports up to this number."""
        reports = self.reports
        while reports and reports[0][2] <= number:
            reports.popleft()

    def waiting(self) -> int:
        """How many reports are not acknowledged."""
        return len(self.incoming) + len(self.reports)

    def has_room(self) -> bool:
        """Whether one more report may wait."""
        incoming = len(self.incoming)
        waiting = incoming + len(self.reports)
        if waiting < _FEW:
            return True
        if waiting >= QUEUE_REPORTS_MAX:
            return False
        left = QUEUE_BYTES_MAX - self._bytes()
        # Those that are not taken in are measured when their number alone does not tell.
        return incoming * _LINE_BYTES_MAX < left or sum(map(len, tuple(self.incoming))) < left

    def _bytes(self) -> int:
        try:
            line, before, _ = self.reports[0]
            return self.reports[-1][1] - before + len(line)
        except IndexError:
            return 0  # Who has the turn has just forgotten the last one.

    def drop(self) -> None:
        """Counts a report for which there was no room."""
        self._dropped.extend(islice(self._drops, 1))

    @property
    def dropped(self) -> int:
        """How many were dropped so far."""
        return self._dropped[-1]
