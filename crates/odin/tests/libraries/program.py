"""A program that reports with pyodin, in the way that its argument names."""
import os
import sys
import threading

import pyodin

THREADS = 1000
odin = pyodin.Odin(config="fetch.yml")
here = os.environ["HERE"]


def seen(name, text="seen"):
    with open(os.path.join(here, name), "a") as file:
        file.write("%s\n" % text)


def types():
    deep = 1
    for _ in range(100):
        deep = [deep]
    odin.watch("a price", 101.5)
    odin.watch("big", 2**63)
    odin.watch("least", -(2**63))
    odin.watch("nan", float("nan"))
    odin.watch("text", 'a,b\n"c" 🙂')
    odin.watch("list", [1, {"a": None}])
    odin.watch("deep", deep)
    odin.watch("long", "x" * (1 << 20))
    odin.watch('a,b\n"c"\\ 🙂\u202e\x1b[2J', 1)
    odin.watch("", "no name")
    assert odin.condition("holds", 1 < 2) is True
    assert odin.condition("is empty", "") is False
    odin.metric("rows", 48213, "rows")
    odin.progress(3, 10)
    with odin.span("outer"):
        with odin.span("inner"):
            pass
    odin.result("three rows were missing", 404)


def halves():
    barrier = threading.Barrier(THREADS + 1)
    go = threading.Event()
    threading.stack_size(128 << 10)

    def say(thread):
        for n in range(3):
            odin.watch("n", thread * 6 + n)
        barrier.wait()
        go.wait()
        for n in range(3, 6):
            odin.watch("n", thread * 6 + n)

    threads = [threading.Thread(target=say, args=(thread,)) for thread in range(THREADS)]
    for thread in threads:
        thread.start()
    barrier.wait()
    seen("half")
    # Opening a pipe waits for who writes to it.
    open(os.path.join(here, "go")).close()
    go.set()
    for thread in threads:
        thread.join()
    delivery = odin.flush(60)
    assert delivery.undelivered == 0, delivery
    seen("all")
    odin.result("%d values" % (THREADS * 6), 200)


def endless():
    seen("pid", os.getpid())
    n = 0
    while True:
        for _ in range(20):
            odin.watch("n", n)
            n += 1
        delivery = odin.flush(60)
        if delivery.undelivered:
            sys.exit("%s" % delivery)
        seen("acknowledged", n)


{"types": types, "halves": halves, "endless": endless}[sys.argv[1]]()
