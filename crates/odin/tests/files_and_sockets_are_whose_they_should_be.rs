//! Modes and owners of everything in a data directory, and whom jobs run as. Root's server: the tests run as root.
#![allow(clippy::unwrap_used)]
#![allow(
    clippy::disallowed_methods,
    reason = "another user's command line is a process"
)]

mod faults;

use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use faults::{ODIN, Place};
use odin_testbed::{Server, sealed};

fn walk(path: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        }
        found.push(path);
    }
}

#[test]
fn every_file_and_socket_has_the_mode_that_is_documented() {
    let mut place = Place::new();
    place.deploy("prints", "never", "", "seq 10000\n");
    let run = place.run("prints");
    place.ended("prints", &run);
    // With what a server finds and makes at its second start.
    place.server.kill();
    place.server.restart();
    let again = place.run("prints");
    place.ended("prints", &again);

    let root = place.server.data_dir();
    let expected: BTreeMap<_, _> = [
        ("odin.sock", 0o660),
        ("executor.sock", 0o600),
        ("values.sock", 0o666),
        ("jobs", 0o711),
    ]
    .into();
    let mode = |path: &Path| path.symlink_metadata().unwrap().mode() & 0o7777;
    assert_eq!(mode(root), 0o711);
    let mut found = Vec::new();
    walk(root, &mut found);
    let mut sockets = 0;
    for path in found {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap();
        let kind = path.symlink_metadata().unwrap().file_type();
        sockets += usize::from(kind.is_socket());
        // A version's files are its owner's, below a directory that only the owner enters.
        let inside_version = name.starts_with("jobs/") && name.split('/').count() > 3;
        let is_job = name.starts_with("jobs/") && name.split('/').count() == 2;
        let wanted = match expected.get(name) {
            Some(&wanted) => wanted,
            None if inside_version || is_job => continue,
            None if kind.is_dir() => 0o700,
            None => 0o600,
        };
        assert_eq!(mode(&path), wanted, "{name} is {:o}", mode(&path));
    }
    assert_eq!(sockets, 3);
}

#[test]
fn a_data_directory_with_a_path_too_long_for_a_socket_works() {
    let directory = tempfile::tempdir().unwrap();
    let parent = directory.path().join("long".repeat(30));
    std::fs::create_dir(&parent).unwrap();
    let data_dir = parent.join("deep".repeat(30));
    let mut server = Server::start(Path::new(ODIN), &data_dir);
    assert!(server.socket.as_os_str().len() > 107);
    let file = directory.path().join("job.yml");
    std::fs::write(
        &file,
        "job: {name: j, command: 'echo ran', schedule: never}\n",
    )
    .unwrap();
    server.json(["deploy", "-f", file.to_str().unwrap()]);
    let ran = server.odin(["run", "-i", "j", "--wait"]);
    assert!(ran.status.success(), "{ran:?}");
    server.kill();
    server.restart();
    assert_eq!(server.executors().len(), 1);
    let ran = server.odin(["run", "-i", "j", "--wait"]);
    assert!(ran.status.success(), "{ran:?}");
}

/// The user `daemon`, whom every machine has, at the command line of a server that root runs.
struct Daemon {
    odin: PathBuf,
    socket: PathBuf,
}

impl Daemon {
    const UID: u32 = 1;

    fn at(place: &Place) -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "this test needs root, as continuous integration has: it acts as two users"
        );
        std::fs::set_permissions(place.directory.path(), PermissionsExt::from_mode(0o711)).unwrap();
        // The built program may lie where daemon cannot go.
        let odin = place.path("odin");
        std::fs::copy(ODIN, &odin).unwrap();
        // As if daemon were in the group `odin`, which this machine need not have.
        let socket = place.server.socket.clone();
        std::os::unix::fs::chown(&socket, None, Some(Self::UID)).unwrap();
        Self { odin, socket }
    }

    fn odin(&self, arguments: &[&str]) -> Output {
        sealed(&self.odin)
            .env("ODIN_SERVER", format!("unix:{}", self.socket.display()))
            .args(arguments)
            .uid(Self::UID)
            .gid(Self::UID)
            .output()
            .unwrap()
    }
}

#[test]
fn a_job_of_another_user_runs_as_that_user_and_sees_nothing_of_the_server() {
    let place = Place::new();
    let daemon = Daemon::at(&place);
    let home = place.path("daemon");
    std::fs::create_dir(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(Daemon::UID), Some(Daemon::UID)).unwrap();
    let data = place.server.data_dir().display();
    place.deploy("roots", "never", "", "echo secret\n");
    let roots = place.run("roots");
    place.ended("roots", &roots);
    let code = format!(
        "id -u; id -g; id -G; grep -E '^(Uid|Gid):' /proc/self/status; stat -c '%u %a' .
for file in {data}/*; do [ -S $file ] || cat $file/* $file && echo READ $file; ls $file && echo LISTED $file; done 2>/dev/null
ls {data} && echo LISTED; echo x > {data}/new && echo WROTE; exit 0\n"
    );
    let file = place.write_job("daemons", "never", "", &code);
    for name in ["daemons.yml", "daemons.sh"] {
        std::fs::set_permissions(place.path(name), PermissionsExt::from_mode(0o644)).unwrap();
    }
    let deployed = daemon.odin(&["deploy", "-f", file.to_str().unwrap()]);
    assert!(deployed.status.success(), "{deployed:?}");
    let ran = daemon.odin(&["run", "-i", "daemons", "--wait"]);
    assert!(ran.status.success(), "{ran:?}");

    let log = daemon.odin(&["log", "-i", "daemons"]);
    let log = String::from_utf8(log.stdout).unwrap();
    let lines: Vec<_> = log
        .lines()
        .skip(1)
        .filter(|line| !line.contains("Permission denied") && !line.contains("No such file"))
        .collect();
    let expected = [
        "1",
        "1",
        "1",
        "Uid:\t1\t1\t1\t1",
        "Gid:\t1\t1\t1\t1",
        "1 700",
    ];
    assert_eq!(lines, expected, "{log}");
    assert!(log.contains("uid=1") && log.contains("gid=1"), "{log}");

    // Root's job does not exist for daemon; root sees both.
    let refused = daemon.odin(&["log", "-i", "roots"]);
    assert_eq!(refused.status.code(), Some(4), "{refused:?}");
    let listed = daemon.odin(&["list"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(
        listed.contains("daemons") && !listed.contains("roots"),
        "{listed}"
    );
    let all = place.server.json(["list"]);
    assert_eq!(all["jobs"].as_array().unwrap().len(), 2);
}
