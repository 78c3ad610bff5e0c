"""What a call is about, by the text of the program."""

import ast
import linecache
import sys
from types import CodeType, FrameType
from typing import Dict, Optional, Tuple

#: Sources longer than this are not looked at: the name is then the place.
_SOURCE_BYTES_MAX = 1 << 20
#: Call sites that are remembered. At the bound all are forgotten.
_SITES_MAX = 1000
_sites: Dict[Tuple[CodeType, int], str] = {}
_trees: Dict[str, Optional[ast.AST]] = {}


def argument_name(depth: int) -> str:
    """The text of the first argument of the call ``depth`` frames up, such as ``html.status_code != 200``; the place of
    the call, such as ``job.py:12``, when the text is not to be had."""
    frame = sys._getframe(depth + 1)
    site = (frame.f_code, frame.f_lasti)
    name = _sites.get(site)
    if name is None:
        name = _read(frame)
        if len(_sites) >= _SITES_MAX:
            _sites.clear()
        _sites[site] = name
    return name


def _read(frame: FrameType) -> str:
    file, line = frame.f_code.co_filename, frame.f_lineno
    place = "%s:%d" % (file.rsplit("/", 1)[-1], line)
    lines = linecache.getlines(file, frame.f_globals)
    source = "".join(lines)
    if not source or len(source) > _SOURCE_BYTES_MAX:
        return place
    if file not in _trees:
        try:
            _trees[file] = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError):
            _trees[file] = None
    tree = _trees[file]
    if tree is None:
        return place
    call = _find(tree, _position(frame), line)
    text = call and call.args and ast.get_source_segment(source, call.args[0])
    return " ".join(text.split()) if text else place


def _position(frame: FrameType) -> Optional[Tuple[int, int]]:
    """Line and column of what the frame does; only newer interpreters know."""
    positions = getattr(frame.f_code, "co_positions", None)
    if positions is None:
        return None
    for number, (line, _, column, _) in enumerate(positions()):
        if number == frame.f_lasti // 2 and line is not None and column is not None:
            return line, column
    return None


def _find(tree: ast.AST, position: Optional[Tuple[int, int]], line: int) -> Optional[ast.Call]:
    """The call at a position; without one, the only call on the line that may be of these functions."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if position is not None:
            if (node.lineno, node.col_offset) == position and _is_ours(node):
                return node
        elif node.lineno <= line <= (node.end_lineno or line) and _is_ours(node):
            found.append(node)
    return found[0] if len(found) == 1 else None


def _is_ours(call: ast.Call) -> bool:
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in ("watch", "condition")
