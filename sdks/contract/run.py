"""Plays every case against every SDK, each installed from its built package, and then each SDK's own tests and example.

    python3 sdks/contract/run.py [--only python,node] [--case TEXT] [--target FOLDER] [--no-install]

``--case`` plays the cases whose name contains the text. ``--no-install`` takes what an earlier run has installed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor

import examples
import packages
from engine import TOKEN, Engine
from match import differs, line_differs

#: Far more than any case takes: one that hangs is told instead of waited for.
HANGS_AFTER = 120
CASES = os.path.join(packages.HERE, "cases")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--only", default=",".join(packages.INSTALLERS))
    arguments.add_argument("--case", default="")
    arguments.add_argument("--target", default=os.path.join(packages.REPOSITORY, "target", "sdks"))
    arguments.add_argument("--no-install", action="store_true")
    chosen = arguments.parse_args()
    drivers = install(chosen)
    cases = read_cases(chosen.case)
    if not cases:
        sys.exit("sdks: no case's name contains %r" % chosen.case)
    failures = []
    played = 0
    # Cases that wait for a bound take seconds and no processor.
    with ThreadPoolExecutor(max_workers=6) as pool:
        results = []
        for name, case in cases:
            for sdk, command in drivers.items():
                if sdk in case.get("only", drivers):
                    results.append((sdk, name, pool.submit(play, command, case)))
        for sdk, name, result in results:
            played += 1
            whys = result.result()
            for why in whys:
                failures.append("%s: %s: %s" % (sdk, name, why))
    for failure in failures:
        print("FAILED %s" % failure)
    if failures:
        sys.exit("sdks: %d of the contract's cases failed" % len({failure.split(": ")[1] for failure in failures}))
    if not chosen.case:
        with ThreadPoolExecutor() as pool:
            tests = [
                pool.submit(packages.OWN_TESTS[name], os.path.join(chosen.target, name))
                for name in drivers
                if name in packages.OWN_TESTS
            ]
            for test in tests:
                test.result()
        for name in drivers:
            if name in packages.EXAMPLES:
                why = examples.differs(packages.EXAMPLES[name](os.path.join(chosen.target, name)))
                if why:
                    sys.exit("sdks: %s: %s" % (name, why))
    print("sdks: %d cases hold, over %s" % (played, ", ".join(drivers)))


def install(chosen):
    """The command of each SDK's driver."""
    kept = os.path.join(chosen.target, "drivers.json")
    drivers = {}
    if os.path.exists(kept):
        with open(kept) as file:
            drivers = json.load(file)
    names = chosen.only.split(",")
    if not chosen.no_install:
        # Each waits for a tool of its own.
        with ThreadPoolExecutor() as pool:
            done = [(name, pool.submit(packages.INSTALLERS[name], os.path.join(chosen.target, name))) for name in names]
            drivers.update({name: command.result() for name, command in done})
        with open(kept, "w") as file:
            json.dump(drivers, file)
    return {name: drivers[name] for name in names}


def read_cases(part):
    cases = []
    for file in sorted(os.listdir(CASES)):
        name = file[: -len(".json")]
        if part in name:
            with open(os.path.join(CASES, file)) as text:
                cases.append((name, json.load(text)))
    return cases


def play(command, case):
    """What is wrong with how an SDK plays a case."""
    folder = tempfile.mkdtemp(prefix="odin-sdk-")
    try:
        return Play(command, case, folder).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Play:
    """One case and one program."""

    def __init__(self, command, case, folder):
        self.folder = folder
        made = os.path.join(folder, "made.txt")
        with open(made, "w") as file:
            file.write("12345")
        text = json.dumps(case).replace("${FILE}", made).replace("${FOLDER}", folder)
        self.case = json.loads(text)
        self.command = command + [json.dumps({"steps": self.case["steps"]})]
        self.whys = []
        self.printed = []
        self.kind = case.get("socket", "there")
        inside = os.path.join(folder, "d" * 120) if self.kind == "long" else folder
        os.makedirs(inside, exist_ok=True)
        path = os.path.join(inside, "values.sock")
        self.engine = Engine(path, case.get("connections", [{}]))

    def run(self):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ODIN_")}
        environment.pop("TRACEPARENT", None)
        environment.pop("PYTHONPATH", None)
        if self.kind != "none":
            environment.update(ODIN_SOCKET=self.engine.path, ODIN_RUN_TOKEN=TOKEN)
        environment.update(self.case.get("env", {}))
        if self.kind in ("there", "long"):
            self.engine.listen()
        elif self.kind == "stale":
            self.engine.listen()
            self.engine.listener.shutdown(2)
            self.engine.listener.close()
            self.engine.listener = None
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with subprocess.Popen(self.command, env=environment, cwd=self.folder, **pipes) as program:
            timer = threading.Timer(HANGS_AFTER, program.kill)
            timer.start()
            errors = []
            reader = threading.Thread(target=lambda: errors.append(program.stderr.read()))
            reader.start()
            if "kill_after" in self.case:
                self.engine.wait_for_lines(self.case["kill_after"], HANGS_AFTER)
                program.kill()
            for line in program.stdout:
                self.answer(json.loads(line), program)
            code = program.wait()
            reader.join()
            if not timer.is_alive():
                self.whys.append("hung for %d seconds" % HANGS_AFTER)
            timer.cancel()
        self.engine.wait_for_the_end_of_all(HANGS_AFTER)
        acknowledged = self.engine.acknowledged
        self.engine.close()
        if self.case.get("acknowledged_before_the_end") and not acknowledged:
            self.whys.append("it ended before the acknowledgement")
        self.judge(code, errors[0].decode("utf-8", "replace"))
        return self.whys

    def answer(self, said, program):
        if "signal" not in said:
            self.printed.append(said)
            return
        what = said["signal"]
        if what == "restart":
            self.engine.close()
            self.engine.listen()
        elif what == "listen":
            if os.path.exists(self.engine.path):
                os.unlink(self.engine.path)
            self.engine.listen()
        else:
            {"close": self.engine.close, "hear": self.engine.hear}[what]()
        program.stdin.write(b"go\n")
        program.stdin.flush()

    def judge(self, code, stderr):
        case, engine = self.case, self.engine
        self.whys += engine.faults
        for key in ("returned", "undelivered"):
            seen = [said[key] for said in self.printed if key in said]
            self.compare(key, seen, case.get({"returned": "returns"}.get(key, key), []), differs)
        expected = case.get("exit", 0)
        if expected is not None and code != expected:
            self.whys.append("the exit code is %d, not %d: %s" % (code, expected, stderr))
        self.compare("stderr", stderr.splitlines(), case.get("stderr", []), differs)
        lines = engine.arrived
        if not case.get("any_lines"):
            self.compare("line", lines, case.get("lines", []), line_differs)
        if "last_connection" in case:
            self.compare("line", engine.lines[-1] if engine.lines else [], case["last_connection"], line_differs)
        if "count" in case and len(lines) != case["count"]:
            self.whys.append("%d lines came, not %d" % (len(lines), case["count"]))
        for wanted in case.get("has", []):
            if not any(line_differs(line, wanted, {}) is None for line in lines):
                self.whys.append("no line is %s" % wanted)
        if "consecutive" in case and [line["value"] for line in lines] != list(range(len(lines))):
            self.whys.append("values are missing or not in order")
        if "kill_after" in case and len(lines) < case["kill_after"]:
            self.whys.append("only %d lines came" % len(lines))

    def compare(self, what, seen, expected, by):
        ids = {}
        if len(seen) != len(expected):
            self.whys.append("%s: %d came, not %d: %.300r" % (what, len(seen), len(expected), seen))
            return
        for number, (one, other) in enumerate(zip(seen, expected), 1):
            why = by(one, other, ids)
            if why:
                self.whys.append("%s %d: %s" % (what, number, why))


if __name__ == "__main__":
    main()
