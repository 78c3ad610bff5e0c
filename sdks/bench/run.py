"""Measures what a call costs in the caller, in each language, with an HTTP POST for each value beside it.

    python3 sdks/bench/run.py [--target FOLDER]

Takes the packages that `cargo xtask sdks` has installed. The other end is one program for all, in Go.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(HERE))
GO_MODULE = "github.com/theycallmemac/odin/odin-libraries/go/odinlib"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--target", default=os.path.join(REPOSITORY, "target", "sdks"))
    target = arguments.parse_args().target
    if not os.path.exists(os.path.join(target, "drivers.json")):
        sys.exit("sdks: the packages are not installed: `cargo xtask sdks` does that")
    programs = {"python": python(target), "node": node(target), "go": go(target), "rust": rust(target)}
    print("microseconds of the caller: median and 99th percentile")
    print("| | watch, 2,000 in a row (mean of each 2,000) | watch, one in 2 ms | HTTP POST of a value |")
    print("| --- | --- | --- | --- |")
    for name, command in programs.items():
        print("| %s | %s |" % (name, " | ".join(measure(command, programs["go"][0]))), flush=True)


def measure(command, server):
    with tempfile.TemporaryDirectory() as folder:
        socket = os.path.join(folder, "values.sock")
        with subprocess.Popen([server, "serve", socket], stdout=subprocess.PIPE, text=True) as other_end:
            port = other_end.stdout.readline().strip()
            environment = dict(os.environ, ODIN_SOCKET=socket, ODIN_RUN_TOKEN="t")
            done = subprocess.run(command + ["measure", port], env=environment, stdout=subprocess.PIPE, text=True, check=True)
            other_end.kill()
    return ["%.1f, %.1f" % tuple(map(float, line.split())) for line in done.stdout.splitlines()]


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
