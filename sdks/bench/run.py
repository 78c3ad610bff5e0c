"""Measures what a call costs in the caller, in each language, in runs of a real server.

    cargo build --release -p odin && cargo xtask sdks && python3 sdks/bench/run.py [--odin FILE] [--target FOLDER] [--only python,go]

Beside each call, in the same program: the line that it sends, made with the language's own means and only kept in memory,
and what the first libraries did, an HTTP POST for each value. Takes the packages that `cargo xtask sdks` has installed.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(HERE))
GO_MODULE = "github.com/theycallmemac/odin/odin-libraries/go/odinlib"
#: What the programs print, a line each: a measure's median and 99th percentile.
MEASURES = {
    "row": "2,000 in a row (mean of each 2,000)",
    "work2": "one in 2 ms of work",
    "work20": "one in 20 ms of work",
    "sleep2": "one after 2 ms of sleep",
    "post": "HTTP POST of a value",
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--odin", default=os.path.join(REPOSITORY, "target", "release", "odin"))
    arguments.add_argument("--target", default=os.path.join(REPOSITORY, "target", "sdks"))
    arguments.add_argument("--only", default="python,node,go,rust")
    chosen = arguments.parse_args()
    # Runs have a folder of their own.
    chosen.target = os.path.abspath(chosen.target)
    if not os.path.exists(os.path.join(chosen.target, "drivers.json")):
        sys.exit("sdks: the packages are not installed: `cargo xtask sdks` does that")
    if not os.path.exists(chosen.odin):
        sys.exit("sdks: there is no %s: `cargo build --release -p odin` makes it" % chosen.odin)
    server = go(chosen.target)[0]
    print("microseconds of the caller: median and 99th percentile; in brackets the median of its line alone")
    print("| | %s |" % " | ".join(MEASURES.values()))
    print("| --- |%s" % (" --- |" * len(MEASURES)))
    for language in chosen.only.split(","):
        command = {"python": python, "node": node, "go": go, "rust": rust}[language](chosen.target)
        figures = measure(os.path.abspath(chosen.odin), command, server)
        print("| %s | %s |" % (language.capitalize(), " | ".join(figures)), flush=True)


def measure(odin, command, server):
    """The program's figures, as a run of a server of its own."""
    with tempfile.TemporaryDirectory() as folder:
        node = [odin, "server", "--data-dir", os.path.join(folder, "data"), "--http", ":0", "--raft", ":0"]
        with subprocess.Popen(node, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running, \
                subprocess.Popen([server, "serve"], stdout=subprocess.PIPE, text=True) as web:
            try:
                socket = next(filter(None, (re.search("socket=(\\S+)", line) for line in running.stdout))).group(1)
                return run(odin, folder, socket, command + ["measure", web.stdout.readline().strip()])
            finally:
                web.kill()
                running.terminate()


def run(odin, folder, socket, command):
    job = os.path.join(folder, "bench.yml")
    with open(job, "w") as file:
        file.write("job: {name: bench, schedule: never, command: %s, keep: {values: 1GiB}}\n" % json.dumps(command))
    ask = lambda *words: subprocess.run([odin, "--server", "unix:" + socket, *words], stdout=subprocess.PIPE, text=True)
    done = ask("--json", "execute", "-f", job, "--wait")
    id = json.loads(done.stdout)["id"]
    output = ask("log", "-i", id).stdout
    found = dict(re.findall(r"^(\w+) ([\d. ]+)$", output, re.MULTILINE))
    if done.returncode != 0 or not set(MEASURES) <= set(found):
        sys.exit("sdks: the bench failed: %s" % output)
    return [figure(found, name) for name in MEASURES]


def figure(found, name):
    median, late = found[name].split()
    alone = found.get("line_" + name)
    text = "%.1f, %.1f" % (float(median), float(late))
    return text + (" (%.1f)" % float(alone.split()[0]) if alone else "")


def python(target):
    return [os.path.join(target, "python", "environment", "bin", "python"), os.path.join(HERE, "bench.py")]


def node(target):
    shutil.copy(os.path.join(HERE, "bench.mjs"), os.path.join(target, "node"))
    return ["node", os.path.join(target, "node", "bench.mjs")]


def go(target):
    folder = os.path.join(target, "go", "bench")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(os.path.join(HERE, "go"), folder)
    with open(os.path.join(folder, "go.mod"), "w") as manifest:
        manifest.write(
            "module bench\n\ngo 1.21\n\nrequire %s v0.0.0\n\nreplace %s => ../module\n" % (GO_MODULE, GO_MODULE)
        )
    environment = dict(os.environ, GOFLAGS="-mod=mod", GOPROXY="off", CGO_ENABLED="0", GOTOOLCHAIN="local")
    subprocess.run(["go", "build", "-o", "bench", "."], cwd=folder, env=environment, check=True)
    return [os.path.join(folder, "bench")]


def rust(target):
    folder = os.path.join(target, "rust", "bench")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(os.path.join(HERE, "rust"), folder)
    (package,) = os.listdir(os.path.join(target, "rust", "package"))
    with open(os.path.join(folder, "Cargo.toml"), "w") as manifest:
        manifest.write(
            '[package]\nname = "bench"\nedition = "2024"\n\n[workspace]\n\n[dependencies]\n'
            'odin-sdk = { path = "../package/%s" }\n' % package
        )
    built = os.path.join(target, "rust", "target")
    environment = dict(os.environ, CARGO_TARGET_DIR=built)
    cargo = os.environ.get("CARGO", "cargo")
    subprocess.run([cargo, "build", "--quiet", "--release", "--offline"], cwd=folder, env=environment, check=True)
    return [os.path.join(built, "release", "bench")]


if __name__ == "__main__":
    main()
