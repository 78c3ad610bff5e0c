"""What a call costs in Python: `bench.py measure PORT`."""

import sys
import time
import urllib.request

import pyodin

odin = pyodin.Odin(config="bench.yml")
now = time.perf_counter


def post(number):
    body = ("watch,price,%d.5,a37b187f5930,1606000000" % number).encode()
    with urllib.request.urlopen("http://127.0.0.1:%s/stats/add" % sys.argv[2], body) as answer:
        answer.read()


together, alone, posts = [], [], []
for _ in range(60):
    began = now()
    for number in range(2000):
        odin.watch("price", number + 0.5)
    together.append((now() - began) / 2000)
    assert odin.flush(60).undelivered == 0
for number in range(500):
    time.sleep(0.002)
    began = now()
    odin.watch("price", number + 0.5)
    alone.append(now() - began)
for number in range(500):
    began = now()
    post(number)
    posts.append(now() - began)
for figures in (together, alone, posts):
    figures.sort()
    print(figures[len(figures) // 2] * 1e6, figures[len(figures) * 99 // 100] * 1e6)
