"""Makes the calls of a case with the Python SDK. What comes back is printed as lines of JSON."""

import base64
import json
import logging
import os
import subprocess
import sys
import threading
import time

import pyodin


def value_of(given):
    ((kind, what),) = given.items()
    if kind == "int":
        return int(what)
    if kind == "float":
        return float(what)
    if kind == "repeat":
        return what[0] * what[1]
    if kind == "bytes":
        return base64.b64decode(what)
    if kind == "bytes_repeat":
        return bytes([what[0]]) * what[1]
    if kind == "list":
        return [1] * what
    if kind == "deep":
        value = []
        for _ in range(what - 1):
            value = [value]
        return value
    return {"text": what, "bool": what, "json": what, "null": None}[kind]


def say(**what):
    print(json.dumps(what), flush=True)


def name_of(given):
    return value_of(given) if isinstance(given, dict) else given


# Without a handler of its own a logger's lines are printed, which the cases do not ask of the other languages.
logging.getLogger("contract").addHandler(logging.NullHandler())


def play(odin, steps):
    for step in steps:
        ((call, what),) = step.items()
        if call == "watch":
            odin.watch(name_of(what[0]), value_of(what[1]))
        elif call == "condition":
            say(returned=odin.condition(what[0], what[1]))
        elif call == "result":
            odin.result(*what)
        elif call == "progress":
            odin.progress(*what)
        elif call == "metric":
            odin.metric(what[0], value_of(what[1]), what[2])
        elif call == "artifact":
            odin.artifact(what)
        elif call == "span":
            try:
                with odin.span(what["name"]):
                    play(odin, what["steps"])
                    if "error" in what:
                        raise ValueError(what["error"])
            except ValueError:
                pass
        elif call == "log":
            handler = pyodin.OdinHandler(odin)
            level = {"debug": 10, "info": 20, "warning": 30, "error": 40}[what[0]]
            handler.handle(logging.LogRecord("contract", level, "", 0, what[1], (), None))
        elif call == "mock":
            odin.mock()
        elif call == "many":
            for _ in range(what["count"]):
                odin.watch(what["name"], value_of(what["value"]))
        elif call == "threads":
            threads = [
                threading.Thread(target=lambda: [odin.watch("t", n) for n in range(what["each"])])
                for _ in range(what["count"])
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        elif call == "child":
            case = {"steps": what}
            subprocess.run([sys.executable, __file__, json.dumps(case)], check=True)
        elif call == "flush":
            say(undelivered=odin.flush(what / 1000).undelivered)
        elif call == "signal":
            say(signal=what)
            sys.stdin.readline()
        elif call == "pause":
            time.sleep(what / 1000)
        elif call == "forever":
            number = 0
            while True:
                odin.watch(what, number)
                number += 1
        elif call == "crash":
            os.kill(os.getpid(), 9)
        else:
            raise ValueError(call)


play(pyodin.Odin(config="contract.yml"), json.loads(sys.argv[1])["steps"])
