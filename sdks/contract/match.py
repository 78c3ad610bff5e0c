"""Whether what came is what a case says: equal with its type, or as one of these says."""

import re

from engine import INSTANT


def differs(seen, expected, ids):
    """Why ``seen`` is not what was expected; None when it is."""
    if isinstance(expected, dict) and any(key.startswith("$") for key in expected):
        return None if _is(seen, expected, ids) else "%.120r is not %s" % (seen, expected)
    if isinstance(expected, dict):
        if not isinstance(seen, dict) or set(seen) != set(expected):
            return "%.200r does not have the members %s" % (seen, sorted(expected))
        found = (differs(seen[key], value, ids) for key, value in expected.items())
        return next((why for why in found if why), None)
    is_number = isinstance(expected, float) and type(seen) in (int, float)
    if type(seen) is not type(expected) and not is_number:
        return "%.120r is not %.120r" % (seen, expected)
    return None if seen == expected else "%.120r is not %.120r" % (seen, expected)


def line_differs(seen, expected, ids):
    """The same for a line, of which a case leaves out what is checked of every line."""
    seen = {key: value for key, value in seen.items() if key not in ("seq", "at")}
    if "status" not in expected:
        seen.pop("status", None)
    return differs(seen, expected, ids)


def _is(seen, expected, ids):
    for key, what in expected.items():
        if key == "$ends":
            good = isinstance(seen, str) and seen.endswith(what)
        elif key == "$bytes":
            good = what[0] <= len(seen.encode()) <= what[1]
        elif key == "$text":
            good = isinstance(seen, str) and seen != ""
        elif key == "$number":
            good = type(seen) in (int, float) and seen >= 0
        elif key == "$between":
            good = type(seen) is int and what[0] <= seen <= what[1]
        elif key == "$instant":
            good = INSTANT.fullmatch(seen) is not None
        elif key == "$id":
            others = [known for name, known in ids.items() if isinstance(name, str)]
            good = re.fullmatch("[0-9a-f]{16}", seen) is not None and seen not in others
            # A child is reported before its parent, so what others say of an id is looked at when it comes.
            good = good and ids.get(("said", what), seen) == seen
            ids[what] = seen
        elif key == "$same":
            good = ids.setdefault(("said", what), seen) == seen and seen == ids.get(what, seen)
        else:
            raise KeyError(key)
        if not good:
            return False
    return True
