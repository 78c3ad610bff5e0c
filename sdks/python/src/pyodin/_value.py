"""Values as JSON: types kept, lengths bounded, and what is cut marked."""

import base64
import datetime
import decimal
import json
import math
from json.encoder import encode_basestring_ascii
from typing import Any, Callable, Dict, List, Optional, Tuple

from ._interruption import is_interruption

#: A value's text in UTF-8, or its JSON, at most. What is longer is cut and marked.
VALUE_BYTES_MAX = 4096
#: A name's bytes in UTF-8, at most. What is longer is cut and ends with an ellipsis.
NAME_BYTES_MAX = 256
#: How deep JSON may be nested to be sent as JSON; what is deeper is sent as text.
DEPTH_MAX = 64

#: Names are few and come again and again. At the bound all are forgotten.
_NAMES_MAX = 1000
_names: Dict[str, str] = {}


#: A value's JSON, its type where JSON cannot say it, and how many bytes it would have had when it was cut.
Encoded = Tuple[str, Optional[str], Optional[int]]


def encode_name(name: Any) -> str:
    """A name within its bound, as JSON."""
    known = _names.get(name) if type(name) is str else None
    if known is not None:
        return known
    text = well_formed(name if type(name) is str else as_text(name))
    whole = text.encode()
    if len(whole) > NAME_BYTES_MAX:
        text = _begin(whole, NAME_BYTES_MAX - 3) + "…"
    encoded = encode_basestring_ascii(text)
    if type(name) is str and len(name) <= NAME_BYTES_MAX:
        if len(_names) >= _NAMES_MAX:
            _names.clear()
        _names[name] = encoded
    return encoded


def encode(value: Any) -> Encoded:
    """Any value. Never raises: what JSON has no form for is sent as its text."""
    encoder = _ENCODERS.get(type(value))
    if encoder is not None:
        return encoder(value)
    try:
        return _encode_other(value)
    except Exception as error:
        # Some stand for others, and raise whatever they are asked.
        if is_interruption(error):
            raise
        return encode_text(as_text(value))


def _encode_other(value: Any) -> Encoded:
    for kind, encoder in _SUBCLASSES:
        if issubclass(type(value), kind):
            return encoder(value)
    # Scalars of array libraries know their plain selves.
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", None) == 0:
        plain = item()
        known = _ENCODERS.get(type(plain))
        return known(plain) if known else encode_text(as_text(plain))
    return encode_text(as_text(value))


def encode_text(text: str, type_name: Optional[str] = None) -> Encoded:
    """Text within its bound."""
    text = well_formed(text)
    # No character has more than four bytes.
    if len(text) <= VALUE_BYTES_MAX // 4:
        return encode_basestring_ascii(text), type_name, None
    whole = text.encode()
    if len(whole) <= VALUE_BYTES_MAX:
        return encode_basestring_ascii(text), type_name, None
    mark = "… [cut: %d bytes]" % len(whole)
    kept = _begin(whole, VALUE_BYTES_MAX - len(mark.encode()))
    return encode_basestring_ascii(kept + mark), type_name, len(whole)


def as_text(value: Any) -> str:
    """What a value's own type prints for it; its type's name when even that fails."""
    try:
        # By its type, here and below: what a value says of its class may be another's, or an error.
        if issubclass(type(value), BaseException):
            return "%s: %s" % (type(value).__name__, value)
        if issubclass(type(value), (datetime.datetime, datetime.date, datetime.time)):
            return str(value.isoformat())
        return str(value)
    except Exception as error:
        if is_interruption(error):
            raise
        return "<%s>" % type(value).__name__


def well_formed(text: str) -> str:
    """Text that has a form in UTF-8: halves of surrogate pairs, which have none, become question marks."""
    if text.isascii():
        return str(text)
    return text.encode("utf-8", "replace").decode()


def _begin(whole: bytes, bytes_max: int) -> str:
    """The longest beginning that ends between characters."""
    return whole[:bytes_max].decode("utf-8", "ignore")


def _encode_int(value: int) -> Encoded:
    # Digits beyond this are refused by the interpreter itself, and too long for a value.
    if value.bit_length() > 13_000:
        return encode_text(hex(value))
    return int.__repr__(value), None, None


def _encode_float(value: float) -> Encoded:
    if math.isfinite(value):
        return float.__repr__(value), None, None
    text = "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return '"%s"' % text, "number", None


def _encode_decimal(value: decimal.Decimal) -> Encoded:
    if not value.is_finite():
        return _encode_float(float("nan") if value.is_nan() else float(value))
    text = str(value)
    return (text, None, None) if len(text) <= VALUE_BYTES_MAX else encode_text(text)


def _encode_bytes(value: Any) -> Encoded:
    whole = bytes(value)
    try:
        return encode_text(whole.decode())
    except UnicodeDecodeError:
        pass
    kept = whole[: (VALUE_BYTES_MAX - 64) // 4 * 3]
    letters = base64.b64encode(kept).decode()
    if len(kept) == len(whole):
        return '{"base64":"%s"}' % letters, None, None
    return '{"base64":"%s","cut":%d}' % (letters, len(whole)), None, len(whole)


def _encode_container(value: Any) -> Encoded:
    try:
        try:
            text = _dumps(value)
        except (ValueError, TypeError) as error:
            if is_interruption(error):
                raise
            # NaN, which JSON has not, or keys that are no text.
            text = _dumps(_plain(value, 0))
    except Exception as error:
        if is_interruption(error):
            raise
        return encode_text(as_text(value))
    text = well_formed(text)
    size = len(text.encode())
    if size > VALUE_BYTES_MAX or _depth(text) > DEPTH_MAX:
        return encode_text(text, "json")
    return text, None, None


def _dumps(value: Any) -> str:
    return json.dumps(
        value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_inner
    )


def _inner(value: Any) -> Any:
    """What stands for a value that JSON has no form for, inside of one that it has."""
    if issubclass(type(value), (set, frozenset)):
        return list(value)
    text, _, _ = encode(value)
    return json.loads(text)


def _plain(value: Any, depth: int) -> Any:
    if depth > 500:
        raise RecursionError
    if issubclass(type(value), dict):
        return {
            key if isinstance(key, str) else as_text(key): _plain(inner, depth + 1)
            for key, inner in value.items()
        }
    if issubclass(type(value), (list, tuple, set, frozenset)):
        return [_plain(inner, depth + 1) for inner in value]
    if issubclass(type(value), float) and not math.isfinite(value):
        return json.loads(_encode_float(value)[0])
    return value


def _depth(text: str) -> int:
    """How deep a JSON text is nested."""
    if text.count("[") + text.count("{") <= DEPTH_MAX:
        return 0  # It cannot be too deep.
    depth = deepest = 0
    in_string = escaped = False
    for letter in text:
        if in_string:
            if escaped:
                escaped = False
            elif letter == "\\":
                escaped = True
            elif letter == '"':
                in_string = False
        elif letter == '"':
            in_string = True
        elif letter in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif letter in "]}":
            depth -= 1
    return deepest


_Encoder = Callable[[Any], Encoded]
_ENCODERS: Dict[type, _Encoder] = {
    str: encode_text,
    int: _encode_int,
    float: _encode_float,
    bool: lambda value: ("true" if value else "false", None, None),
    type(None): lambda value: ("null", None, None),
    bytes: _encode_bytes,
    bytearray: _encode_bytes,
    memoryview: _encode_bytes,
    dict: _encode_container,
    list: _encode_container,
    tuple: _encode_container,
    set: _encode_container,
    frozenset: _encode_container,
    decimal.Decimal: _encode_decimal,
}
_SUBCLASSES: List[Tuple[Any, _Encoder]] = [
    (int, _encode_int),
    (float, _encode_float),
    (str, lambda value: encode_text(str.__str__(value))),
    ((dict, list, tuple), _encode_container),
    (decimal.Decimal, _encode_decimal),
]
