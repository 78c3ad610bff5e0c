"""Builds each SDK's package and installs it in a folder of its own, as a user of its registry would have it."""

import os
import shutil
import subprocess
import sys
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
SDKS = os.path.dirname(HERE)
REPOSITORY = os.path.dirname(SDKS)
DRIVERS = os.path.join(HERE, "drivers")


def run(command, **options):
    """Runs a command, and ends with what it printed when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        sys.exit("sdks: `%s` failed:\n%s" % (" ".join(command), done.stdout))


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return folder


def python(folder):
    """A wheel, in a new virtual environment. Gives the command that plays a case."""
    source = os.path.join(fresh(folder), "source")
    # Building writes beside the sources, which are the repository's.
    shutil.copytree(os.path.join(SDKS, "python"), source, ignore=shutil.ignore_patterns("__pycache__"))
    environment = os.path.join(folder, "environment")
    run([sys.executable, "-m", "venv", environment])
    pip = [os.path.join(environment, "bin", "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    run(pip + ["wheel", "--no-deps", "--wheel-dir", folder, source])
    wheels = [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".whl")]
    run(pip + ["install", "--no-index", "--no-deps"] + wheels)
    shutil.rmtree(source)
    return [os.path.join(environment, "bin", "python"), os.path.join(DRIVERS, "driver.py")]


def node(folder):
    """A tarball of `npm pack`, installed in an empty folder."""
    fresh(folder)
    run(["npm", "pack", "--silent", "--pack-destination", folder], cwd=os.path.join(SDKS, "node"))
    tarball = next(name for name in os.listdir(folder) if name.endswith(".tgz"))
    run(["npm", "install", "--silent", "--offline", "--no-audit", "--no-fund", "./" + tarball], cwd=folder)
    # A program finds its packages beside itself.
    shutil.copy(os.path.join(DRIVERS, "driver.mjs"), folder)
    return ["node", os.path.join(folder, "driver.mjs")]


def go(folder):
    """A copy of the module without its tests, as the module proxy would serve it."""
    module = os.path.join(fresh(folder), "module")
    shutil.copytree(os.path.join(SDKS, "go"), module, ignore=shutil.ignore_patterns("*_test.go", "examples"))
    driver = os.path.join(folder, "driver")
    shutil.copytree(os.path.join(DRIVERS, "go"), driver)
    name = "github.com/theycallmemac/odin/odin-libraries/go/odinlib"
    with open(os.path.join(driver, "go.mod"), "w") as manifest:
        manifest.write(
            "module driver\n\ngo 1.21\n\nrequire %s v0.0.0\n\nreplace %s => ../module\n" % (name, name)
        )
    environment = dict(os.environ, GOFLAGS="-mod=mod", GOPROXY="off", CGO_ENABLED="0", GOTOOLCHAIN="local")
    program = os.path.join(folder, "play")
    run(["go", "build", "-o", program, "."], cwd=driver, env=environment)
    return [program]


def rust(folder):
    """What `cargo package` makes, unpacked, as the registry would serve it."""
    os.makedirs(folder, exist_ok=True)
    target = os.path.join(folder, "target")
    cargo = os.environ.get("CARGO", "cargo")
    environment = dict(os.environ, CARGO_TARGET_DIR=target)
    run(
        [cargo, "package", "--quiet", "--package", "odin-sdk", "--no-verify", "--allow-dirty", "--offline"],
        cwd=REPOSITORY,
        env=environment,
    )
    packed = os.path.join(target, "package")
    crate = max(
        (os.path.join(packed, name) for name in os.listdir(packed) if name.endswith(".crate")),
        key=os.path.getmtime,
    )
    package = fresh(os.path.join(folder, "package"))
    with tarfile.open(crate) as archive:
        archive.extractall(package)
    # Everything in it has one time, by which cargo would take a changed crate for the one that it has built.
    for folder_of, _, names in os.walk(package):
        for name in names:
            os.utime(os.path.join(folder_of, name))
    (unpacked,) = os.listdir(package)
    driver = fresh(os.path.join(folder, "driver"))
    shutil.copytree(os.path.join(DRIVERS, "rust", "src"), os.path.join(driver, "src"))
    # The same versions as everywhere else in the repository.
    shutil.copy(os.path.join(REPOSITORY, "Cargo.lock"), driver)
    with open(os.path.join(driver, "Cargo.toml"), "w") as manifest:
        manifest.write(
            '[package]\nname = "driver"\nedition = "2024"\n\n[workspace]\n\n[dependencies]\n'
            'odin-sdk = { path = "../package/%s" }\nserde_json = "1"\n' % unpacked
        )
    run([cargo, "build", "--quiet", "--offline"], cwd=driver, env=environment)
    return [os.path.join(target, "debug", "driver")]


def python_tests(folder):
    program = os.path.join(folder, "environment", "bin", "python")
    run([program, "-m", "unittest", "discover", "--start-directory", os.path.join(SDKS, "python", "tests")])


def node_tests(folder):
    tests = os.path.join(SDKS, "node", "test")
    shutil.copytree(tests, folder, dirs_exist_ok=True)
    run(["node", "--test"], cwd=folder)
    compiler = shutil.which("tsc")
    if compiler:
        run([compiler, "--project", os.path.join(folder, "types")])
    else:
        print("sdks: there is no tsc, so the types of the Node package were not checked: "
              "npm install --prefix target/tsc typescript")


def go_tests(folder):
    environment = dict(os.environ, GOFLAGS="-mod=mod", GOPROXY="off", GOTOOLCHAIN="local")
    for command in (["go", "vet", "./..."], ["go", "test", "./..."]):
        run(command, cwd=os.path.join(SDKS, "go"), env=environment)


def node_example(folder):
    # A program finds its packages beside itself.
    return ["node", shutil.copy(os.path.join(SDKS, "node", "examples", "folder_sizes.mjs"), folder)]


def go_example(folder):
    environment = dict(os.environ, GOFLAGS="-mod=mod", GOPROXY="off", CGO_ENABLED="0", GOTOOLCHAIN="local")
    program = os.path.join(folder, "example")
    run(["go", "build", "-o", program, "./examples/folder_sizes"], cwd=os.path.join(SDKS, "go"), env=environment)
    return [program]


def rust_example(folder):
    target = os.path.join(folder, "target")
    driver = os.path.join(folder, "driver")
    os.makedirs(os.path.join(driver, "src", "bin"), exist_ok=True)
    shutil.copy(os.path.join(SDKS, "rust", "examples", "folder_sizes.rs"), os.path.join(driver, "src", "bin"))
    command = [os.environ.get("CARGO", "cargo"), "build", "--quiet", "--offline", "--bin", "folder_sizes"]
    run(command, cwd=driver, env=dict(os.environ, CARGO_TARGET_DIR=target))
    return [os.path.join(target, "debug", "folder_sizes")]


#: The commands of the examples. Python's fetch pages, and its own tests play them.
EXAMPLES = {"node": node_example, "go": go_example, "rust": rust_example}

#: The tests that an SDK has of its own. Rust's are the workspace's.
OWN_TESTS = {"python": python_tests, "node": node_tests, "go": go_tests}

INSTALLERS = {"python": python, "node": node, "go": go, "rust": rust}
