"""Plays each SDK's example outside Odin: it says what it would report, and does its work."""

import os
import re
import subprocess
import tempfile

#: What the example says of two folders with 5 and 7 bytes.
MEASURED = [
    r'odin: progress "progress" = \{"done":1,"total":2\}',
    r'odin: progress "progress" = \{"done":2,"total":2\}',
    r'odin: span "measure" = \{"id":"[0-9a-f]{16}",.*"error":null\}',
    r'odin: metric "size" = 12 bytes',
    r'odin: watch "largest" = \{"name":"b \\"c\\"","bytes":7\}',
    r'odin: artifact "sizes.csv" = \{"path":"/.*/sizes.csv","bytes":18\}',
]
GOOD = [r'odin: condition "within the limit" = true', r'odin: result "2 folders, 12 bytes" = 0 \(success\)']
TOO_MUCH = [r'odin: condition "within the limit" = false', r'odin: result "12 bytes are more than 11" = 400 \(warning\)']


def differs(command):
    """What is wrong with what an example does, or None."""
    for limit, decided in (("12", GOOD), ("11", TOO_MUCH)):
        why = played(command, limit, MEASURED + decided)
        if why:
            return "the example %s, with a limit of %s" % (why, limit)
    return None


def played(command, limit, expected):
    with tempfile.TemporaryDirectory(prefix="odin-sdk-") as folder:
        for name, content in (("a/file", "12345"), ('b "c"/d/file', "1234567"), ("not a folder", "1")):
            path = os.path.join(folder, "in", name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(content)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ODIN_")}
        output = os.path.join(folder, "sizes.csv")
        environment.update(ODIN_MOCK="1", FOLDER=os.path.join(folder, "in"), OUTPUT=output, LIMIT_BYTES=limit)
        program = subprocess.run(command, env=environment, cwd=folder, stderr=subprocess.PIPE, text=True, timeout=60)
        lines = program.stderr.splitlines()
        if program.returncode != 0 or len(lines) != len(expected):
            return "ended with %d and said: %s" % (program.returncode, program.stderr)
        for line, form in zip(lines, expected):
            if not re.fullmatch(form, line):
                return "said `%s`, which is not `%s`" % (line, form)
        with open(output) as file:
            written = file.read()
        return None if written == '"a",5\n"b \\"c\\"",7\n' else "wrote %r" % written
