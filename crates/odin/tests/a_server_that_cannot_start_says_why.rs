//! What a server needs and does not get: refused with a code, the next step and exit code 1, and nothing changed.
#![allow(clippy::unwrap_used)]
#![allow(
    clippy::disallowed_methods,
    reason = "servers of another user are processes"
)]

mod faults;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use faults::{ODIN, Place};
use odin_testbed::sealed;

/// What is on the disk: each path with what tells a change of it.
type Tree = BTreeMap<String, (u32, u32, u64, Vec<u8>)>;

fn tree(path: &Path) -> Tree {
    let mut found = Tree::new();
    if path.exists() {
        add(path, &mut found);
    }
    found
}

fn add(path: &Path, found: &mut Tree) {
    let name = path.display().to_string();
    // To look into the state folds its write-ahead log, which changes nothing of what it says.
    if name.contains("/state.db") {
        return;
    }
    let metadata = path.symlink_metadata().unwrap();
    // Who has the lock is written into it.
    let bytes = if metadata.is_file() && !name.ends_with("/LOCK") {
        std::fs::read(path).unwrap()
    } else {
        Vec::new()
    };
    let size = bytes.len() as u64;
    found.insert(name, (metadata.mode(), metadata.uid(), size, bytes));
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            add(&entry.unwrap().path(), found);
        }
    }
}

fn server(data_dir: &Path, http: &str) -> Command {
    let mut command = sealed(Path::new(ODIN));
    command
        .arg("server")
        .arg("--data-dir")
        .arg(data_dir)
        .args(["--http", http]);
    command
}

/// Waits for the end of a server that must not start; ends one that does.
fn ends(command: &mut Command) -> Output {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    // The line that says it is ready, or its end.
    stdout.read_line(&mut line).unwrap();
    if line.starts_with("ready") {
        child.kill().unwrap();
    }
    let mut output = child.wait_with_output().unwrap();
    output.stdout = line.into_bytes();
    output
}

/// Runs a server that must be refused with `code`, and leave what is at `data_dir` as it was.
#[track_caller]
fn refused(mut command: Command, data_dir: &Path, code: &str) -> String {
    let before = tree(data_dir);
    let output = ends(&mut command);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(&format!("error[{code}]")), "{stderr}");
    assert!(stderr.contains("help: "), "{stderr}");
    assert!(output.stdout.is_empty(), "{:?}", output.stdout);
    let after = tree(data_dir);
    let changed: Vec<_> = after
        .iter()
        .filter(|(path, what)| before.get(*path) != Some(what))
        .map(|(path, _)| path)
        .chain(before.keys().filter(|path| !after.contains_key(*path)))
        .collect();
    assert!(changed.is_empty(), "changed: {changed:?}");
    stderr
}

/// A data directory with a job and a run in it, and no server.
fn with_history() -> Place {
    let mut place = Place::new();
    place.deploy("prints", "never", "", "echo printed\n");
    let run = place.run("prints");
    place.ended("prints", &run);
    let executor = place.executor();
    assert!(place.server.terminate().success());
    faults::wait_until_gone(executor);
    place
}

#[test]
fn on_the_directory_of_another_server() {
    let place = Place::new();
    let data = place.server.data_dir();
    let pid = place.server.pid().to_string();
    // With its own port too: the directory is the better answer.
    for http in ["127.0.0.1:0", &place.server.http] {
        let output = ends(&mut server(data, http));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(
            stderr.contains("error[server/data-dir-in-use]") && stderr.contains(&pid),
            "{stderr}"
        );
    }
    // The first one is none the worse.
    assert_eq!(place.server.json(["list"])["jobs"], serde_json::json!([]));
    assert_eq!(place.server.executors().len(), 1);
}

#[test]
fn on_a_port_that_is_taken() {
    let place = Place::new();
    let other = place.path("other");
    refused(
        server(&other, &place.server.http),
        &other,
        "server/port-in-use",
    );
    assert!(!other.exists(), "a directory was made");
}

#[test]
fn on_something_that_is_no_directory() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "mine").unwrap();
    let stderr = refused(server(&file, "127.0.0.1:0"), &file, "server/data-dir");
    assert!(stderr.contains("not a directory"), "{stderr}");
    let below = file.join("below");
    refused(server(&below, "127.0.0.1:0"), &file, "server/data-dir");
}

#[test]
fn on_a_directory_that_is_another_users() {
    assert!(
        rustix::process::geteuid().is_root(),
        "this test needs root, as continuous integration has: it starts servers as two users"
    );
    let directory = tempfile::tempdir().unwrap();
    let open =
        |path: &Path| std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    open(directory.path());
    let odin = directory.path().join("odin");
    std::fs::copy(ODIN, &odin).unwrap();
    let roots = directory.path().join("roots");
    std::fs::create_dir(&roots).unwrap();
    open(&roots);
    let daemons = directory.path().join("daemons");
    std::fs::create_dir(&daemons).unwrap();
    std::os::unix::fs::chown(&daemons, Some(1), Some(1)).unwrap();

    let as_daemon = |data_dir: &Path| {
        let mut command = sealed(&odin);
        command.arg("server").arg("--data-dir").arg(data_dir);
        command.args(["--http", "127.0.0.1:0"]).uid(1).gid(1);
        command
    };
    let stderr = refused(as_daemon(&roots), &roots, "server/data-dir-owner");
    assert!(stderr.contains("uid 0"), "{stderr}");
    let stderr = refused(as_daemon(&roots.join("new")), &roots, "server/data-dir");
    assert!(stderr.contains("Permission denied"), "{stderr}");
    let stderr = refused(
        server(&daemons, "127.0.0.1:0"),
        &daemons,
        "server/data-dir-owner",
    );
    assert!(stderr.contains("uid 1"), "{stderr}");
}

/// A SQLite file of one page without tables, with the two numbers of its header that say what it is.
fn sqlite_file(application_id: [u8; 4], user_version: u32) -> Vec<u8> {
    let mut page = vec![0; 512];
    page[..16].copy_from_slice(b"SQLite format 3\0");
    // Pages of 512 bytes, of the rollback form, with the fractions that every file has.
    page[16..24].copy_from_slice(&[2, 0, 1, 1, 0, 64, 32, 32]);
    page[31] = 1;
    page[44..48].copy_from_slice(&[0, 0, 0, 4]);
    page[56..60].copy_from_slice(&[0, 0, 0, 1]);
    page[60..64].copy_from_slice(&user_version.to_be_bytes());
    page[68..72].copy_from_slice(&application_id);
    // An empty table of tables.
    page[100] = 13;
    page[105] = 2;
    page
}

#[test]
fn on_data_of_a_newer_version() {
    let place = with_history();
    let data = place.server.data_dir();
    for rest in ["state.db-wal", "state.db-shm"] {
        std::fs::remove_file(data.join(rest)).unwrap();
    }
    let state = data.join("state.db");
    std::fs::write(&state, sqlite_file(*b"Odin", 99)).unwrap();
    let before = std::fs::read(&state).unwrap();
    let stderr = refused(server(data, "127.0.0.1:0"), data, "server/data-dir-newer");
    assert!(stderr.contains("99"), "{stderr}");
    assert_eq!(std::fs::read(&state).unwrap(), before);
}

#[test]
fn on_a_state_whose_log_is_lost_until_the_log_is_back() {
    let mut place = with_history();
    let data = place.server.data_dir().to_owned();
    let (entries, aside) = (data.join("log/entries"), place.path("aside"));
    std::fs::rename(&entries, &aside).unwrap();
    let stderr = refused(server(&data, "127.0.0.1:0"), &data, "server/storage");
    assert!(stderr.contains("the log was lost"), "{stderr}");
    std::fs::rename(&aside, &entries).unwrap();
    place.server.restart();
    assert_eq!(place.runs("prints")[0]["outcome"], "succeeded");
}

#[test]
fn on_a_state_that_is_somebody_elses() {
    let place = with_history();
    let data = place.server.data_dir();
    for rest in ["state.db-wal", "state.db-shm"] {
        std::fs::remove_file(data.join(rest)).unwrap();
    }
    let state = data.join("state.db");
    for other in [sqlite_file(*b"Mine", 1), b"no database at all".repeat(100)] {
        std::fs::write(&state, &other).unwrap();
        refused(server(data, "127.0.0.1:0"), data, "server/storage");
        assert_eq!(std::fs::read(&state).unwrap(), other);
    }
}
