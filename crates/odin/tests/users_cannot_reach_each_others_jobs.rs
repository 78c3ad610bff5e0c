//! What separates the jobs of two users on a server that root runs, and that nothing does on one that is not root's.
//! Needs root, as continuous integration has: it acts as two users.
#![allow(clippy::unwrap_used)]
#![allow(
    clippy::disallowed_methods,
    reason = "another user's command line is a process"
)]

mod faults;

use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use expect_test::expect;
use faults::{Place, open_to_all, program_of};
use odin_testbed::{Server, sealed};
use serde_json::json;

/// `daemon`, whose jobs are looked at, and `bin`, who looks: every Linux has both.
const DAEMON: u32 = 1;
const BIN: u32 = 2;
/// The group of the server's socket in this test, as `odin` is elsewhere.
const GROUP: u32 = 1;

/// Tries everything that another user's job might, and prints what came of each.
const LOOK: &str = r#"
import errno, json, os, socket
facts = json.load(open(os.environ["HERE"] + "/facts.json"))
data = facts["data"]

def read(path):
    with open(path, "rb") as file:
        file.read(16)

def connect(path, line=b""):
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(path)
        if line:
            peer.sendall(line)
            answer = json.loads(peer.makefile().readline())
            return answer.get("code", "let in")

def hello(token):
    return connect(data + "/values.sock", json.dumps({"hello": 1, "token": token}).encode() + b"\n")

def attempt(name, action, *arguments):
    try:
        found = action(*arguments)
        print(name + ":", found if isinstance(found, str) else "DONE")
    except OSError as error:
        print(name + ":", errno.errorcode[error.errno])

attempt("read the code", read, facts["code"] + "/holds.sh")
attempt("list the code", os.listdir, facts["code"])
attempt("list the versions", os.listdir, os.path.dirname(facts["code"]))
attempt("write beside the code", lambda path: open(path, "w"), facts["code"] + "/new")
attempt("read the secret", read, facts["secret"])
attempt("list the secrets", os.listdir, os.path.dirname(facts["secret"]))
for what in ["environ", "cwd/holds.sh", "fd/1"]:
    attempt("read /proc/JOB/" + what, read, "/proc/%d/%s" % (facts["job"], what))
attempt("signal the job", os.kill, facts["job"], 0)
attempt("say hello with its token", hello, facts["token"])
attempt("say hello with my own", hello, os.environ["ODIN_RUN_TOKEN"])
attempt("read its output", read, facts["output"])
for name in ["secrets.key", "local.token", "state.db", "LOCK", "executor/journal"]:
    attempt("read " + name, read, data + "/" + name)
for name in ["", "log", "bundles", "output", "executor", "jobs"]:
    attempt("list data/" + name, os.listdir, data + "/" + name)
for name in ["odin.sock", "executor.sock"]:
    attempt("connect to " + name, connect, data + "/" + name)
for name in ["server", "executor"]:
    attempt("read /proc/%s/environ" % name.upper(), read, "/proc/%d/environ" % facts[name])
    attempt("signal the " + name, os.kill, facts[name], 0)
"#;

/// A program and files that every user can get at, in a place whose server root runs.
struct Team {
    place: Place,
    odin: PathBuf,
}

impl Team {
    fn new() -> Self {
        let place = Place::new();
        let odin = open_to_all(place.directory.path());
        chown(&place.server.socket, None, Some(GROUP)).unwrap();
        Self { place, odin }
    }

    fn odin(&self, uid: u32, arguments: &[&str], input: &str) -> Output {
        let server = format!("unix:{}", self.place.server.socket.display());
        as_user(&self.odin, uid, &server, arguments, input)
    }

    #[track_caller]
    fn done(&self, uid: u32, arguments: &[&str], input: &str) -> String {
        let done = self.odin(uid, arguments, input);
        assert!(done.status.success(), "{arguments:?}: {done:?}");
        String::from_utf8(done.stdout).unwrap()
    }

    /// Deploys a job as this user; its code runs with this place's directory in `$HERE`.
    fn deploy(&self, uid: u32, name: &str, more: &str, code: &str) {
        let file = self.place.write_job(name, "never", more, code);
        for file in [&file, &file.with_extension("sh")] {
            std::fs::set_permissions(file, PermissionsExt::from_mode(0o644)).unwrap();
        }
        self.done(uid, &["deploy", "-f", file.to_str().unwrap()], "");
    }

    /// What a job of this user that tries everything came to.
    fn looks(&self, uid: u32) -> String {
        self.deploy(uid, "looks", "", "exec python3 $HERE/look.py\n");
        self.done(uid, &["run", "-i", "looks", "--wait"], "");
        let log = self.done(uid, &["log", "-i", "looks"], "");
        log.split_once('\n').unwrap().1.to_owned()
    }
}

/// The command line of a user who is in the group of the socket.
fn as_user(odin: &Path, uid: u32, server: &str, arguments: &[&str], input: &str) -> Output {
    let mut command = sealed(odin);
    command.env("ODIN_SERVER", server).args(arguments);
    command.uid(uid).gid(GROUP);
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = pipes.stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may not read what it refuses.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// A directory of one user alone.
fn own_directory(path: &Path, uid: u32) {
    std::fs::create_dir(path).unwrap();
    chown(path, Some(uid), Some(uid)).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o711)).unwrap();
}

fn public(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o644)).unwrap();
}

#[test]
fn on_roots_server_a_job_reaches_nothing_of_another_users() {
    let team = Team::new();
    let place = &team.place;
    own_directory(&place.path("of-daemon"), DAEMON);
    team.done(DAEMON, &["secret", "set", "KEY"], "correct-horse-battery");
    team.deploy(
        DAEMON,
        "holds",
        "  secrets: {KEY: file}\n",
        "seq 2000; for it in \"$PWD\" \"$KEY\" $$ $ODIN_RUN_TOKEN; do echo \"$it\"; done > $HERE/of-daemon/part
mv $HERE/of-daemon/part $HERE/of-daemon/facts; exec sleep 600\n",
    );
    let run = team.done(DAEMON, &["run", "-i", "holds", "--json"], "");
    let run: serde_json::Value = serde_json::from_str(&run).unwrap();
    let run = run["id"].as_str().unwrap();
    let told = place.wait_for_evidence("of-daemon/facts");
    let told: Vec<&str> = told.lines().collect();
    let data = place.server.data_dir();
    let facts = json!({
        "data": data,
        "code": told[0],
        "secret": told[1],
        "job": told[2].parse::<u32>().unwrap(),
        "token": told[3],
        "output": data.join(format!("output/{run}.1")),
        "server": place.server.pid(),
        "executor": place.executor(),
    });
    // What nobody may reach by name is there.
    let output = Path::new(facts["output"].as_str().unwrap());
    faults::wait_for("the output's file", || output.exists().then_some(()));
    assert!(data.join("executor/journal").exists());
    public(&place.path("facts.json"), &facts.to_string());
    public(&place.path("look.py"), LOOK);

    // To its owner's other jobs it is open: each of the attempts is a real one.
    expect![[r#"
        read the code: DONE
        list the code: DONE
        list the versions: EACCES
        write beside the code: DONE
        read the secret: DONE
        list the secrets: EACCES
        read /proc/JOB/environ: DONE
        read /proc/JOB/cwd/holds.sh: DONE
        read /proc/JOB/fd/1: EACCES
        signal the job: DONE
        say hello with its token: let in
        say hello with my own: let in
        read its output: EACCES
        read secrets.key: EACCES
        read local.token: EACCES
        read state.db: EACCES
        read LOCK: EACCES
        read executor/journal: EACCES
        list data/: EACCES
        list data/log: EACCES
        list data/bundles: EACCES
        list data/output: EACCES
        list data/executor: EACCES
        list data/jobs: EACCES
        connect to odin.sock: DONE
        connect to executor.sock: EACCES
        read /proc/SERVER/environ: EACCES
        signal the server: EPERM
        read /proc/EXECUTOR/environ: EACCES
        signal the executor: EPERM
    "#]]
    .assert_eq(&team.looks(DAEMON));
    expect![[r#"
        read the code: EACCES
        list the code: EACCES
        list the versions: EACCES
        write beside the code: EACCES
        read the secret: EACCES
        list the secrets: EACCES
        read /proc/JOB/environ: EACCES
        read /proc/JOB/cwd/holds.sh: EACCES
        read /proc/JOB/fd/1: EACCES
        signal the job: EPERM
        say hello with its token: values/not-permitted
        say hello with my own: let in
        read its output: EACCES
        read secrets.key: EACCES
        read local.token: EACCES
        read state.db: EACCES
        read LOCK: EACCES
        read executor/journal: EACCES
        list data/: EACCES
        list data/log: EACCES
        list data/bundles: EACCES
        list data/output: EACCES
        list data/executor: EACCES
        list data/jobs: EACCES
        connect to odin.sock: EACCES
        connect to executor.sock: EACCES
        read /proc/SERVER/environ: EACCES
        signal the server: EPERM
        read /proc/EXECUTOR/environ: EACCES
        signal the executor: EPERM
    "#]]
    .assert_eq(&team.looks(BIN));

    // By the API, which both may use, the job is not there for others, nor its run.
    for arguments in [
        ["describe", "-i", "holds"],
        ["log", "-i", "holds"],
        ["log", "-i", run],
        ["cancel", "-i", run],
        ["recover", "-i", "holds"],
        ["remove", "-i", "holds"],
    ] {
        let refused = team.odin(BIN, &arguments, "");
        assert_eq!(refused.status.code(), Some(4), "{arguments:?}: {refused:?}");
    }
    let secrets = team.done(BIN, &["secret", "list"], "");
    assert!(!secrets.contains("KEY"), "{secrets}");
    // And it still runs.
    assert_eq!(place.one_run("holds", run)["state"], "running");
    team.done(DAEMON, &["cancel", "-i", run], "");
    place.ended("holds", run);
}

#[test]
fn a_server_that_is_not_root_runs_its_own_users_jobs_and_says_that_nothing_separates_them() {
    let directory = tempfile::tempdir().unwrap();
    let odin = open_to_all(directory.path());
    // A path too long for a socket: it is bound through /proc, which is root's for a process that is not dumped.
    let own = directory.path().join("long".repeat(30));
    own_directory(&own, DAEMON);
    let wrapper = program_of(directory.path(), DAEMON);
    let server = Server::start(&wrapper, &own.join("data"));
    assert!(server.socket.as_os_str().len() > 107);
    let said = std::fs::read_to_string(own.join("data.stderr")).unwrap();
    assert!(said.contains("nothing separates them"), "{said}");

    // Neither lets another process of its own user look into it, and the executor starts jobs all the same.
    let pids = [
        server.pid(),
        server.wait_for("an executor", |it| it.executors().first().copied()),
    ];
    let job = directory.path().join("looks.yml");
    let code = format!(
        "id -u; cat /proc/{}/environ || cat /proc/{}/environ || echo neither; cat ../../../local.token > /dev/null && echo token",
        pids[0], pids[1]
    );
    let text = format!("job: {{name: looks, command: '{code}', schedule: never}}\n");
    public(&job, &text);
    let job = job.to_str().unwrap();
    let deployed = server.odin(["deploy", "-f", job]);
    let warned = String::from_utf8_lossy(&deployed.stderr);
    assert!(deployed.status.success(), "{warned}");
    assert!(
        warned.contains("this server runs as daemon, not as root: nothing separates its jobs"),
        "{warned}"
    );
    let ran = server.odin(["run", "-i", "looks", "--wait"]);
    assert!(ran.status.success(), "{ran:?}");
    let log = String::from_utf8(server.odin(["log", "-i", "looks"]).stdout).unwrap();
    let printed: Vec<&str> = log
        .lines()
        .skip(1)
        .filter(|line| !line.starts_with("cat: "))
        .collect();
    // The server's files are open to its jobs: they are one user. This is what is warned of.
    assert_eq!(printed, ["1", "neither", "token"], "{log}");
    for pid in pids {
        let process = format!("/proc/{pid}");
        let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
        assert!(status.contains("\nUid:\t1\t1\t1\t1\n"), "{status}");
        let owner = std::fs::metadata(format!("{process}/environ"))
            .unwrap()
            .uid();
        assert_eq!(owner, 0, "{process} may be dumped");
    }

    // Root, and others who get at the socket, are refused: it could run nothing as them.
    let at = format!("unix:{}", server.socket.display());
    for uid in [0, BIN] {
        let refused = as_user(&odin, uid, &at, &["deploy", "-f", job], "");
        let words = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(5), "{words}");
        assert!(
            words.contains("auth/not-root") && words.contains("daemon"),
            "{words}"
        );
    }
    let doctor = server.json(["doctor"]);
    let checks = doctor["checks"].as_array().unwrap();
    let user = checks.iter().find(|check| check["name"] == "user").unwrap();
    assert_eq!(user["state"], "warning");
    let detail = user["detail"].as_str().unwrap();
    assert!(detail.contains("nothing separates them"), "{detail}");
    for name in ["executor", "data directory", "server"] {
        let check = checks.iter().find(|check| check["name"] == name).unwrap();
        assert_eq!(check["state"], "ok", "{check}");
    }
}
