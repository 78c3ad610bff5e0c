"""The Python SDK where it is more than the contract that all SDKs share."""

import json
import multiprocessing
import os
import re
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.join(HERE, "..", "examples")
README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "README.md")


class Engine:
    """Acknowledges everything, and keeps it."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "values.sock")
        self.lines = []
        self.changed = threading.Condition()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, connection.makefile("rb") as lines:
            lines.readline()
            try:
                connection.sendall(b'{"ok":true}\n')
                for line in lines:
                    report = json.loads(line)
                    with self.changed:
                        self.lines.append(report)
                        self.changed.notify_all()
                    connection.sendall(b'{"ack":%d}\n' % report["seq"])
            except OSError:
                return  # The program is gone, or has closed its end.

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.folder.cleanup()


class Inside(unittest.TestCase):
    """Programs that an engine runs."""

    def setUp(self):
        self.engine = Engine()
        self.addCleanup(self.engine.close)

    def play(self, program, code=0, stderr="", **variables):
        """What a program reports: kind, name and value of each."""
        file = os.path.join(self.engine.folder.name, "job.py")
        with open(file, "w") as text:
            text.write(textwrap.dedent(program))
        environment = dict(os.environ, ODIN_SOCKET=self.engine.path, ODIN_RUN_TOKEN="t", **variables)
        # From 3.12 on the interpreter warns of every fork beside a thread, and the SDK has one.
        environment["PYTHONWARNINGS"] = "ignore::DeprecationWarning"
        done = subprocess.run(
            [sys.executable, file], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120
        )
        self.assertEqual((done.returncode, done.stderr.decode()), (code, stderr))
        return [(line["kind"], line["name"], line["value"]) for line in self.engine.lines]

    def test_the_short_form_names_values_by_the_text_of_the_program(self):
        seen = self.play(
            """
            import odin
            odin.config("x.yml")
            rows = [1, 2]
            odin.watch(rows)
            odin.watch(rows[0])
            odin.watch("named", rows[1])
            if odin.condition(rows[0] !=
                              200):
                odin.watch(value := 7)
            eval("odin.watch(1 + 1)")
            odin.result("There are " + str(rows[1]))
            """
        )
        self.assertEqual(
            seen,
            [
                ("watch", "rows", [1, 2]),
                ("watch", "rows[0]", 1),
                ("watch", "named", 2),
                ("condition", "rows[0] != 200", True),
                ("watch", "value := 7", 7),
                ("watch", "<string>:1", 2),
                ("result", "There are 2", 0),
            ],
        )

    def play_example(self, name):
        """An example as it is, with stand-ins for the network and for docker."""
        docker = os.path.join(self.engine.folder.name, "docker")
        with open(docker, "w") as file:
            file.write("#!/bin/sh\nexit 0\n")
        os.chmod(docker, 0o755)
        with open(os.path.join(EXAMPLES, name)) as file:
            program = file.read()
        path = self.engine.folder.name + ":" + os.environ["PATH"]
        return self.play(program, PYTHONPATH=os.path.join(HERE, "network"), PATH=path)

    def test_the_programs_of_the_first_documents_run_as_they_stand(self):
        page = "https://en.wikipedia.org/wiki/Odin"
        for name, expected in [
            (
                "random_page.py",
                [
                    ("watch", "url fetched", page),
                    ("condition", "check if url is empty", True),
                    ("result", "fetched successfully", 0),
                ],
            ),
            (
                "scrape_dcufm.py",
                [
                    ("condition", "html.status_code != 200", False),
                    ("watch", "html", "<Response [200]>"),
                    ("watch", "data", "<td>41</td>"),
                    ("watch", "table_row", "<td>41</td>"),
                    ("watch", "listeners", "41"),
                    ("result", "There are 41 people listening.", 0),
                ],
            ),
            (
                "docker_prune.py",
                [("watch", "x", 0), ("condition", "x == 0", True), ("result", "Prune successful!", 0)],
            ),
        ]:
            self.engine.lines.clear()
            self.assertEqual(self.play_example(name), expected, name)

    def test_a_forked_child_has_a_connection_of_its_own_and_loses_nothing(self):
        seen = self.play(
            """
            import os, pyodin
            odin = pyodin.Odin()
            odin.watch("parent", 1)
            child = os.fork()
            if child == 0:
                odin.watch("child", 2)
                odin.flush()
                os._exit(0)
            os.waitpid(child, 0)
            odin.watch("parent", 3)
            """
        )
        self.assertEqual(seen, [("watch", "parent", 1), ("watch", "child", 2), ("watch", "parent", 3)])

    def test_children_of_multiprocessing_report_however_they_were_started(self):
        for method in multiprocessing.get_all_start_methods():
            self.engine.lines.clear()
            seen = self.play(
                """
                import multiprocessing, pyodin
                odin = pyodin.Odin()
                def report(number):
                    odin.watch("n", number)
                if __name__ == "__main__":
                    multiprocessing.set_start_method(%r)
                    odin.watch("n", 0)
                    children = [multiprocessing.Process(target=report, args=(n,)) for n in range(1, 5)]
                    for child in children:
                        child.start()
                    for child in children:
                        child.join()
                """
                % method
            )
            self.assertEqual(sorted(value for _, _, value in seen), [0, 1, 2, 3, 4], method)

    def test_acknowledgements_wake_no_thread_that_would_want_the_interpreter(self):
        seen = self.play(
            """
            import array, fcntl, pyodin, termios, time
            odin = pyodin.Odin()
            odin.watch("a", 0)
            odin.flush()
            link = odin._client.link
            def wakes():
                with open("/proc/self/task/%d/status" % link.thread_id) as status:
                    return next(int(line.split()[1]) for line in status if line.startswith("voluntary"))
            def answered():
                unread = array.array("i", [0])
                fcntl.ioctl(link._connection.socket, termios.FIONREAD, unread)
                # The thread may still wait for the answers that flush asked for, and read one.
                return unread[0], link._connection._out[1] - len(link._queue.reports)
            before = wakes()
            for number in range(1, 101):
                earlier = answered()
                odin.watch("a", number)
                while answered() == earlier:
                    time.sleep(0)
            assert wakes() - before < 10, wakes() - before
            """
        )
        self.assertEqual([value for _, _, value in seen], list(range(101)))

    def test_a_signal_handler_may_report_whatever_it_interrupts(self):
        seen = self.play(
            """
            import itertools, pyodin, signal
            odin = pyodin.Odin()
            numbers = itertools.count()
            handled = []
            def handle(number, frame):
                # One handler may interrupt another one.
                number = next(numbers)
                odin.watch("handler", number)
                handled.append(number)
            signal.signal(signal.SIGALRM, handle)
            signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
            while len(handled) < 200:
                odin.watch("main", 1)
                if odin._client.link._queue.waiting() > 5000:
                    odin.flush()
            signal.setitimer(signal.ITIMER_REAL, 0)
            odin.watch("handled", len(handled))
            """
        )
        count = next(value for _, name, value in seen if name == "handled")
        handled = [value for _, name, value in seen if name == "handler"]
        self.assertEqual(sorted(handled), list(range(count)))

    def test_an_exception_of_a_signal_handler_loses_no_report_and_doubles_none_wherever_it_comes(self):
        for calls, stride in [(2, 1), (300, 9973)]:
            self.engine.lines.clear()
            seen = self.play(
                """
                import os, pyodin, signal, sys

                class Interrupted(TimeoutError):
                    pass

                def interrupt(number, frame):
                    raise Interrupted

                signal.signal(signal.SIGUSR1, interrupt)

                def interrupt_at(step):
                    # Before the given instruction of whatever is called from here on.
                    left = step
                    def trace(frame, event, argument):
                        nonlocal left
                        frame.f_trace_opcodes = True
                        if event == "opcode":
                            left -= 1
                            if left < 0:
                                sys.settrace(None)
                                interrupt(None, None)
                        return trace
                    # Python 3.12 looks whether any frame asks for it.
                    sys._getframe().f_trace_opcodes = True
                    sys.settrace(trace)

                def play(odin, step):
                    # Whether the exception came; what was said by calls that returned is in the last report.
                    returned, was_interrupted = [], False
                    interrupt_at(step)
                    try:
                        for number in range(%d):
                            odin.watch("w", [step, number])
                            returned.append(number)
                        odin.flush()
                        sys.settrace(None)
                    except Interrupted:
                        was_interrupted = True
                    odin.watch("returned", [step, returned])
                    assert odin.flush(30).undelivered == 0
                    return was_interrupted

                odin = pyodin.Odin()
                step, status = 0, 0
                while status == 0:
                    child = os.fork()
                    if child == 0:
                        code = 9
                        try:
                            code = 0 if play(odin, step) else 1
                        finally:
                            os._exit(code)
                    status = os.waitpid(child, 0)[1] >> 8
                    step += %d
                assert status == 1, (step, status)
                odin.result("%%d steps" %% step)
                """
                % (calls, stride)
            )
            self.assertGreater(int(seen[-1][1].split()[0]), 500)
            arrived, returned = {}, {}
            for _, name, value in seen[:-1]:
                if name == "w":
                    arrived.setdefault(value[0], []).append(value[1])
                else:
                    returned[value[0]] = value[1]
            for step, numbers in returned.items():
                # The call that was interrupted may have taken its report.
                may_have = [numbers, numbers + [len(numbers)]]
                self.assertIn(arrived.get(step, []), may_have, "interrupted at step %d" % step)

    def test_calls_that_time_out_again_and_again_lose_no_report(self):
        seen = self.play(
            """
            import pyodin, random, signal, time
            class TimedOut(TimeoutError):
                pass
            def time_out(number, frame):
                raise TimedOut
            signal.signal(signal.SIGALRM, time_out)
            odin = pyodin.Odin()
            number, interrupted = 0, []
            for _ in range(300):
                try:
                    signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0002, 0.0012))
                    while True:
                        number += 1
                        odin.watch("n", number)
                        time.sleep(0.0001)
                except TimedOut:
                    interrupted.append(number)
            for number in interrupted:
                odin.watch("interrupted", number)
            odin.result("done", 404)
            """
        )
        numbers = [value for _, name, value in seen if name == "n"]
        self.assertEqual(numbers, sorted(set(numbers)))
        interrupted = {value for _, name, value in seen if name == "interrupted"}
        self.assertLessEqual(set(range(1, max(interrupted))) - interrupted, set(numbers))
        self.assertEqual(seen[-1], ("result", "done", 404))

    def test_a_signal_handler_may_end_the_program_with_a_result(self):
        seen = self.play(
            """
            import os, pyodin, signal
            odin = pyodin.Odin()
            signal.signal(signal.SIGTERM, lambda *_: odin.result("terminated", 500))
            odin.watch("a", 1)
            os.kill(os.getpid(), signal.SIGTERM)
            """,
            code=1,
        )
        self.assertEqual(seen, [("watch", "a", 1), ("result", "terminated", 500)])

    def test_a_result_of_another_thread_ends_the_process(self):
        seen = self.play(
            """
            import pyodin, threading
            odin = pyodin.Odin()
            threading.Thread(target=lambda: odin.result("done", 404)).start()
            threading.Event().wait()
            """
        )
        self.assertEqual(seen, [("result", "done", 404)])

    def test_an_exit_function_may_report(self):
        seen = self.play(
            """
            import atexit, pyodin
            odin = pyodin.Odin()
            atexit.register(odin.watch, "late", 1)
            """
        )
        self.assertEqual(seen, [("watch", "late", 1)])

    def test_spans_follow_tasks_decorators_and_exceptions(self):
        self.play(
            """
            import asyncio, pyodin
            odin = pyodin.Odin()
            @odin.span("function")
            async def task(number):
                async with odin.span("inner %d" % number):
                    await asyncio.sleep(0)
            async def main():
                with odin.span("main"):
                    await asyncio.gather(task(1), task(2))
            asyncio.run(main())
            try:
                with odin.span("failing"):
                    raise KeyError("k")
            except KeyError:
                pass
            with odin.span("ending"):
                odin.result("done")
            """
        )
        spans = [line for line in self.engine.lines if line["kind"] == "span"]
        name_of = {line["value"]["id"]: line["name"] for line in spans}
        seen = sorted((line["name"], name_of.get(line["value"]["parent"]), line["value"]["error"]) for line in spans)
        self.assertEqual(
            seen,
            [
                ("ending", None, None),
                ("failing", None, "KeyError: 'k'"),
                ("function", "main", None),
                ("function", "main", None),
                ("inner 1", "function", None),
                ("inner 2", "function", None),
                ("main", None, None),
            ],
        )

    def test_a_forked_child_leaves_the_span_that_its_parent_is_in(self):
        seen = self.play(
            """
            import os, pyodin, sys
            odin = pyodin.Odin()
            with odin.span("outer"):
                child = os.fork()
                if child == 0:
                    with odin.span("inner"):
                        sys.exit(0)
                os.waitpid(child, 0)
            """
        )
        self.assertEqual([name for _, name, _ in seen], ["inner", "outer"])
        self.assertEqual(seen[0][2]["parent"], seen[1][2]["id"])

    def test_a_generators_span_lasts_until_it_is_exhausted(self):
        self.play(
            """
            import asyncio, pyodin
            odin = pyodin.Odin()
            @odin.span("pages")
            def pages(count):
                seen = []
                for number in range(count):
                    with odin.span("page"):
                        pass
                    try:
                        seen.append((yield number))
                    except KeyError:
                        seen.append("thrown")
                return seen
            def both():
                return (yield from pages(2))
            one = both()
            next(one)
            with odin.span("between"):
                pass
            one.throw(KeyError())
            try:
                one.send(3)
            except StopIteration as end:
                assert end.value == ["thrown", 3], end.value
            closed = pages(5)
            next(closed)
            closed.close()
            @odin.span("failing")
            async def failing():
                try:
                    assert (yield 1) is None
                except KeyError:
                    yield 2
                with odin.span("last"):
                    await asyncio.sleep(0)
                raise ValueError("no")
            async def main():
                values = failing()
                assert await values.__anext__() == 1
                assert await values.athrow(KeyError()) == 2
                try:
                    await values.__anext__()
                except ValueError:
                    pass
                values = failing()
                await values.__anext__()
                await values.aclose()
            asyncio.run(main())
            """
        )
        spans = [line for line in self.engine.lines if line["kind"] == "span"]
        name_of = {line["value"]["id"]: line["name"] for line in spans}
        seen = [(line["name"], name_of.get(line["value"]["parent"]), line["value"]["error"]) for line in spans]
        self.assertEqual(
            seen,
            [
                ("page", "pages", None),
                ("between", None, None),
                ("page", "pages", None),
                ("pages", None, None),
                ("page", "pages", None),
                ("pages", None, None),
                ("last", "failing", None),
                ("failing", None, "ValueError: no"),
                ("failing", None, None),
            ],
        )
        whole = next(line["value"] for line in spans if line["name"] == "pages")
        between = next(line["value"] for line in spans if line["name"] == "between")
        self.assertGreater(whole["seconds"], between["seconds"])

    def test_a_log_is_reported_and_printed_as_before(self):
        for before, more, printed in [
            ("pass", "pass", "to be seen\nalso\n"),
            ("logging.basicConfig()", "pass", "WARNING:root:to be seen\nWARNING:some.where:also\n"),
            ("pass", "logging.getLogger('some').addHandler(logging.NullHandler())", "to be seen\n"),
        ]:
            self.engine.lines.clear()
            seen = self.play(
                """
                import logging, pyodin
                %s
                logging.getLogger().addHandler(pyodin.OdinHandler())
                %s
                logging.warning("to be seen")
                logging.info("of no interest")
                logging.getLogger("some.where").warning("also")
                """
                % (before, more),
                stderr=printed,
            )
            self.assertEqual([value for _, _, value in seen], ["to be seen", "also"])

    def test_a_status_is_read_as_the_server_reads_it(self):
        for status, code, text in [
            ("http.HTTPStatus.OK", 0, "200"),
            ("http.HTTPStatus.NOT_FOUND", 0, "404"),
            ("http.HTTPStatus.BAD_GATEWAY", 1, "502"),
            ("'200\\x1c'", 1, "200\x1c"),
            ("'0' * 300", 1, "0" * 253 + "…"),
            ("True", 1, "True"),
        ]:
            self.engine.lines.clear()
            self.play("import http, pyodin; pyodin.Odin().result('m', %s)" % status, code=code)
            self.assertEqual(self.engine.lines[0]["status"], text)

    def test_what_cannot_be_looked_at_is_reported_all_the_same(self):
        seen = self.play(
            """
            import os, pyodin, tempfile
            odin = pyodin.Odin(pathType="relative")
            class Proxy:
                def __getattribute__(self, name):
                    raise KeyError("not bound: " + name)
            class Other:
                __class__ = property(lambda self: 1 / 0)
                def __str__(self):
                    return "other"
            class Odd(dict):
                def items(self):
                    raise KeyError("odd")
            for value in [Proxy(), Other(), {"a": [Other()]}, Odd({(1,): 2})]:
                odin.watch("v", value)
            odin.artifact("a\\0b")
            os.chdir(tempfile.mkdtemp())
            os.rmdir(os.getcwd())
            odin.artifact("x")
            odin.artifact(None)
            """
        )
        self.assertEqual([value for _, name, value in seen if name == "v"][1:3], ["other", {"a": ["other"]}])
        paths = [(name, value["path"], value["error"]) for kind, name, value in seen if kind == "artifact"]
        self.assertEqual(paths[1], ("x", "x", "No such file or directory"))
        self.assertEqual([name for name, _, _ in paths], ["a\0b", "x", "None"])
        self.assertEqual(len(seen), 7)

    def test_who_closes_all_descriptors_is_connected_again(self):
        seen = self.play(
            """
            import os, pyodin, socket
            odin = pyodin.Odin()
            odin.watch("n", 1)
            odin.flush()
            for number in range(2, 5):
                os.closerange(3, 256)
                # These may get the numbers of what was closed.
                mine, other = socket.socketpair()
                odin.watch("n", number)
                odin.flush()
                other.setblocking(False)
                try:
                    raise SystemExit("it came to the program: %r" % other.recv(100))
                except BlockingIOError:
                    pass
                mine.close()
                other.close()
            """
        )
        self.assertEqual([value for _, _, value in seen], [1, 2, 3, 4])

    def test_values_of_any_type_arrive(self):
        seen = self.play(
            """
            import datetime, decimal, enum, pathlib, pyodin
            odin = pyodin.Odin()
            class Color(enum.IntEnum):
                RED = 3
            class Bad:
                def __str__(self):
                    raise ValueError
            cycle = []
            cycle.append(cycle)
            deep = []
            for _ in range(100000):
                deep = [deep]
            for value in [
                10**300, 10**5000, Color.RED, decimal.Decimal("0.10"), pathlib.PurePath("/a"),
                datetime.date(2026, 1, 2), ValueError("x"), Bad(), cycle, (1, 2), {(1, 2): float("inf")},
                "\\ud800", {"a": "\\ud800"}, bytearray(b"a"), 1 + 2j,
            ]:
                odin.watch("v", value)
            odin.watch("deep", deep)
            del deep
            """
        )
        values = [value for _, name, value in seen if name == "v"]
        self.assertTrue(values[1].startswith("0x"))
        del values[1]
        self.assertEqual(
            values,
            [10**300, 3, 0.1, "/a", "2026-01-02", "ValueError: x", "<Bad>", "[[...]]", [1, 2],
             {"(1, 2)": "Infinity"}, "?", {"a": "?"}, "a", "(1+2j)"],
        )  # fmt: skip

    def test_the_snippets_of_the_readme_run(self):
        with open(README) as file:
            snippets = re.findall("```python\n(.*?)```", file.read(), re.S)
        self.assertEqual(len(snippets), 3)
        for snippet in snippets:
            environment = dict(os.environ, ODIN_MOCK="1")
            done = subprocess.run(
                [sys.executable, "-c", snippet], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            self.assertEqual(done.returncode, 0, done.stderr.decode())
            self.assertIn("odin: ", done.stderr.decode())


if __name__ == "__main__":
    unittest.main()
