"""What a call costs in Python: `bench.py measure PORT`."""

import datetime
import json
import sys
import time
import urllib.request

import pyodin

odin = pyodin.Odin(config="bench.yml")
now = time.perf_counter
kept = []


def watch(number):
    odin.watch("price", number + 0.5)


def line(number):
    at = datetime.datetime.now(datetime.timezone.utc).isoformat()
    report = {"seq": number, "at": at, "kind": "watch", "name": "price", "value": number + 0.5}
    kept.append(json.dumps(report).encode() + b"\n")


def post(number):
    body = ("watch,price,%d.5,a37b187f5930,1606000000" % number).encode()
    with urllib.request.urlopen("http://127.0.0.1:%s/stats/add" % sys.argv[2], body) as answer:
        answer.read()


def work(seconds):
    until = now() + seconds
    numbers = list(range(1000))
    while now() < until:
        numbers = [number * 3 % 1001 for number in numbers]


def in_a_row(call):
    times = []
    for _ in range(60):
        began = now()
        for number in range(2000):
            call(number)
        times.append((now() - began) / 2000)
        assert odin.flush(60).undelivered == 0
    return times


def each_after(call, pause, seconds, count):
    times = []
    for number in range(count):
        pause(seconds)
        began = now()
        call(number)
        times.append(now() - began)
    return times


def say(name, times):
    times.sort()
    print(name, times[len(times) // 2] * 1e6, times[len(times) * 99 // 100] * 1e6, flush=True)


for prefix, call in (("", watch), ("line_", line)):
    say(prefix + "row", in_a_row(call))
    say(prefix + "work2", each_after(call, work, 0.002, 500))
    say(prefix + "work20", each_after(call, work, 0.02, 200))
    say(prefix + "sleep2", each_after(call, time.sleep, 0.002, 500))
say("post", each_after(post, time.sleep, 0, 500))
