"""One report as a line of the values socket, and as a line for people."""

import re
import time
from typing import Any, Optional, Tuple

from . import _value

#: A status that is a number, as Odin reads it: what Unicode calls white space around it means nothing.
_SPACES = r"[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*"
_STATUS = re.compile("%s(?:[+]?0*([0-9]{1,5})|)%s" % (_SPACES, _SPACES))
_second: Tuple[int, str] = (-1, "")


def instant(nanoseconds: int) -> str:
    """An instant as RFC 3339 in UTC with microseconds."""
    global _second
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    known, text = _second
    if known != seconds:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        _second = (seconds, text)
    return "%s.%06dZ" % (text, rest // 1000)


def rest_of_line(
    kind: str, name: Any, value: Any, status: Optional[str] = None, unit: Optional[str] = None
) -> bytes:
    """A report's line, all but its number, which depends on the connection. ``status`` is of a result, ``unit`` of a metric."""
    text, type_name, cut_from = _value.encode(value)
    line = '"at":"%s","kind":"%s","name":%s,"value":%s' % (
        instant(time.time_ns()),
        kind,
        _value.encode_name(name),
        text,
    )
    if status is not None:
        line += ',"status":' + _value.encode_name(status)
    if unit is not None:
        line += ',"unit":' + _value.encode_name(unit)
    if type_name is not None:
        line += ',"type":"%s"' % type_name
    if cut_from is not None:
        line += ',"cut":%d' % cut_from
    return (line + "}\n").encode()


def line_for_people(
    kind: str, name: Any, value: Any, status: Optional[str] = None, unit: Optional[str] = None
) -> str:
    """What mock says of a report, all in printable characters."""
    text, _, _ = _value.encode(value)
    line = "odin: %s %s = %s" % (kind, _readable(_value.encode_name(name)), _readable(text))
    if unit is not None:
        line += " " + _readable(_value.encode_name(unit))[1:-1]
    if kind == "result":
        line += " (%s)" % outcome(status)
    # JSON leaves some of the characters alone that terminals obey.
    return "".join(
        letter if letter.isprintable() else "\\u%04x" % ord(letter) for letter in line
    )


def status_text(status: Any) -> str:
    """A result's status as text: numbers as their digits, whatever their type prints for them."""
    if isinstance(status, str):
        return str.__str__(status)
    # Longer ones are no status, and longer than what the interpreter prints.
    if isinstance(status, int) and not isinstance(status, bool) and status.bit_length() <= 64:
        return int.__repr__(status)
    return _value.as_text(status)


def outcome(status: Optional[str]) -> str:
    """What a result's status says of the run, as the server reads it: ``success``, ``warning`` or ``failure``."""
    if status is None:
        return "success"
    found = _STATUS.fullmatch(status)
    # What is longer than a name is cut on its way, and its mark is no number.
    if found is None or len(status.encode("utf-8", "replace")) > _value.NAME_BYTES_MAX:
        return "failure"
    number = int(found[1] or 0)
    if number == 0 or 200 <= number <= 299:
        return "success"
    return "warning" if 400 <= number <= 499 else "failure"


def _readable(json_text: str) -> str:
    """JSON with its letters as themselves."""
    import json

    return json.dumps(json.loads(json_text), ensure_ascii=False, separators=(",", ":"))
