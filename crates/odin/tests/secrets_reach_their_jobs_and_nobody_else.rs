//! Secrets from the command line to real jobs: given as variables and files, masked in what is printed, in no file of
//! the data directory. Root's server: the tests run as root.
#![allow(clippy::unwrap_used)]
#![allow(
    clippy::disallowed_methods,
    reason = "another user's command line is a process"
)]

mod faults;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use faults::{ODIN, Place, wait_until_gone};
use odin_testbed::sealed;
use rustix::process::Signal;

const VALUE: &str = "correct-horse+battery/staple";

fn odin(place: &Place, arguments: &[&str], input: &str) -> Output {
    let mut command = place.server.command();
    command.args(arguments);
    with_input(command, input)
}

fn with_input(mut command: Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

#[track_caller]
fn set(place: &Place, name: &str, value: &str) {
    let done = odin(place, &["secret", "set", name], value);
    assert!(done.status.success(), "{done:?}");
}

#[track_caller]
fn refused(done: &Output, exit: i32, words: &str) {
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(exit), "{said}");
    assert!(said.contains(words), "{said}");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn files(path: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(path).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.symlink_metadata().map(|it| it.file_type()) {
            Ok(kind) if kind.is_dir() => files(&path, found),
            Ok(kind) if kind.is_file() => found.push(path),
            _ => {}
        }
    }
}

/// Looks for a text in every byte of every file.
#[track_caller]
fn assert_in_no_file(directory: &Path, needle: &str) {
    let mut found = Vec::new();
    files(directory, &mut found);
    assert!(found.len() > 5, "{found:?}");
    for path in found {
        let bytes = std::fs::read(&path).unwrap_or_default();
        let holds = bytes
            .windows(needle.len())
            .any(|it| it == needle.as_bytes());
        assert!(!holds, "{} holds the secret", path.display());
    }
}

#[test]
fn a_secret_is_given_as_a_variable_and_as_a_file_and_is_on_no_disk() {
    let mut place = Place::new();
    set(&place, "API_KEY", &format!("{VALUE}\n"));
    set(&place, "TLS_KEY", VALUE);
    let more = "  secrets: {API_KEY: env, TLS_KEY: file}\n";
    place.deploy(
        "uses",
        "never",
        more,
        "[ \"$API_KEY\" = \"$(cat $TLS_KEY)\" ] && echo same; echo $API_KEY | wc -c
stat -c '%a %u' $TLS_KEY; stat -f -c %T $TLS_KEY; echo \"$TLS_KEY\" > $HERE/path
echo \"key=$API_KEY.\"; echo $API_KEY >&2; printf %s \"$API_KEY\" | base64 -w0 | sed 's/=*$//'; echo
python3 -c 'import os, json, urllib.parse as u; k = os.environ[\"API_KEY\"]; print(u.quote(k, safe=\"\"), json.dumps(k))'
for i in $(seq 20000); do echo \"$i $API_KEY\"; done\n",
    );
    let run = place.run("uses");
    let ended = place.ended("uses", &run);
    assert_eq!(ended["outcome"], "succeeded", "{ended}");
    let output = text(&place.output(&run));
    assert!(
        output.starts_with("same\n29\n400 0\ntmpfs\nkey=***.\n"),
        "{}",
        &output[..200]
    );
    assert!(output.contains("\n*** \"***\"\n"), "{}", &output[..300]);
    assert!(output.contains("\n20000 ***\n"));
    assert!(!output.contains("horse"));
    let path = place.evidence("path");
    assert!(!Path::new(path.trim()).exists(), "{path}");
    // What was stored before and after a restart, and what a new executor finds.
    place.server.terminate();
    place.server.restart();
    set(&place, "API_KEY", "another-value");
    let run = place.run("uses");
    place.ended("uses", &run);
    assert!(text(&place.output(&run)).contains("key=***."));
    place.server.terminate();
    assert_in_no_file(place.server.data_dir(), VALUE);
    assert_in_no_file(place.server.data_dir(), "another-value");
    place.server.restart();
}

#[test]
fn what_is_left_of_a_secret_that_a_report_cuts_is_masked() {
    let mut place = Place::new();
    set(&place, "API_KEY", VALUE);
    // A name may have 256 bytes: the secret is cut in its middle.
    let code = format!(
        "{ODIN} watch \"$(printf 'n%.0s' $(seq 240))$API_KEY\" 1
         {ODIN} watch text \"$(printf 't%.0s' $(seq 4060))$API_KEY$(printf 'x%.0s' $(seq 100))\"
         {ODIN} result \"$(printf 'r%.0s' $(seq 245))$API_KEY\" 500\n"
    );
    place.deploy("cuts", "never", "  secrets: [API_KEY]\n", &code);
    let run = place.run("cuts");
    let ended = place.ended("cuts", &run);
    let reason = format!("{}***… (status 500); exit code 1", "r".repeat(245));
    assert_eq!(ended["reason"], reason.as_str());
    let latest = place.server.json(["stats", "-i", "cuts"]);
    let latest = latest["values"].as_array().unwrap();
    assert_eq!(latest[1]["name"], format!("{}***…", "n".repeat(240)));
    let value = latest[2]["value"].as_str().unwrap();
    assert!(value.ends_with("tt***… [cut: 4188 bytes]"), "{value}");
    place.server.terminate();
    assert_in_no_file(place.server.data_dir(), &VALUE[..5]);
    place.server.restart();
}

#[test]
fn what_is_not_possible_is_refused_and_says_why() {
    let place = Place::new();
    let file = place.write_job("uses", "never", "  secrets: [API_KEY]\n", "true\n");
    let file = file.to_str().unwrap();
    let deploy = |place: &Place| odin(place, &["deploy", "-f", file], "");
    refused(&deploy(&place), 2, "has no secret `API_KEY`");
    refused(&odin(&place, &["secret", "set", "A-B"], VALUE), 2, "'-'");
    refused(
        &odin(&place, &["secret", "set", "A"], ""),
        2,
        "1 to 65536 bytes",
    );
    refused(
        &odin(&place, &["secret", "remove", "API_KEY"], ""),
        4,
        "API_KEY",
    );
    set(&place, "API_KEY", VALUE);
    let deployed = deploy(&place);
    assert!(deployed.status.success(), "{deployed:?}");
    let removed = odin(&place, &["secret", "remove", "API_KEY"], "");
    refused(&removed, 6, "used by `uses`");
    let listed = text(&odin(&place, &["secret", "list"], "").stdout);
    assert!(
        listed.contains("API_KEY") && listed.contains("uses"),
        "{listed}"
    );
    let short = odin(
        &place,
        &["secret", "set", "PIN", "--from-file", "/dev/null"],
        "",
    );
    refused(&short, 2, "bytes");
    let short = odin(&place, &["secret", "set", "PIN"], "1234");
    refused(&short, 0, "not masked");
    let forced = odin(&place, &["secret", "remove", "API_KEY", "--force"], "");
    assert!(forced.status.success(), "{forced:?}");
    let run = place.run("uses");
    let ended = place.ended("uses", &run);
    assert_eq!(ended["outcome"], "not_startable", "{ended}");
    assert!(ended["reason"].to_string().contains("API_KEY"), "{ended}");
}

#[test]
fn a_lost_key_is_said_and_what_needs_it_does_not_start() {
    let mut place = Place::new();
    set(&place, "API_KEY", VALUE);
    place.deploy("uses", "never", "  secrets: [API_KEY]\n", "echo $API_KEY\n");
    place.deploy("free", "never", "", "echo free\n");
    let key = place.server.data_dir().join("secrets.key");
    let aside = place.path("key");
    place.server.terminate();
    std::fs::rename(&key, &aside).unwrap();
    place.server.restart();
    assert!(
        !key.exists(),
        "a new key was made while secrets need the old one"
    );
    let run = place.run("uses");
    let ended = place.ended("uses", &run);
    assert_eq!(ended["outcome"], "not_startable", "{ended}");
    assert!(
        ended["reason"].to_string().contains("secret/key-missing"),
        "{ended}"
    );
    let free = place.run("free");
    assert_eq!(place.ended("free", &free)["outcome"], "succeeded");
    let set_again = odin(&place, &["secret", "set", "OTHER"], VALUE);
    refused(&set_again, 1, "secrets.key is missing");
    place.server.terminate();
    std::fs::rename(&aside, &key).unwrap();
    place.server.restart();
    let run = place.run("uses");
    assert_eq!(place.ended("uses", &run)["outcome"], "succeeded");
    assert_eq!(text(&place.output(&run)), "***\n");
}

#[test]
fn an_armed_run_starts_without_the_server_and_files_go_with_a_killed_executor() {
    let mut place = Place::new();
    set(&place, "API_KEY", VALUE);
    place.deploy(
        "uses",
        "never",
        "  secrets: {API_KEY: file}\n",
        "echo $API_KEY > $HERE/path; cat $API_KEY; sleep 600\n",
    );
    place.run("uses");
    let path = place.wait_for_evidence("path");
    let directory = Path::new(path.trim()).parent().unwrap().to_owned();
    assert!(Path::new(path.trim()).exists());
    let executor = place.executor();
    place.server.kill();
    faults::signal(executor, Signal::KILL);
    wait_until_gone(executor);
    place.server.restart();
    place.executor();
    faults::wait_for("the files of the killed executor to go", || {
        (!directory.exists()).then_some(())
    });
}

#[test]
fn the_memory_of_server_and_executor_is_not_dumped_and_jobs_keep_their_limits() {
    let place = Place::new();
    place.deploy("limits", "never", "", "ulimit -Hc; ulimit -Sc\n");
    let run = place.run("limits");
    place.ended("limits", &run);
    let own = |flag: &str| {
        let shell = Command::new("bash")
            .args(["-c", &format!("ulimit {flag}")])
            .output()
            .unwrap();
        text(&shell.stdout)
    };
    assert_eq!(text(&place.output(&run)), own("-Hc") + &own("-Sc"));
    // A process whose memory may be dumped has files in /proc that belong to its user: both do here, as root's do.
    // What the kernel says of the executor's own limit is plain.
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", place.executor())).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
}

/// The user `daemon`, whom every machine has.
const DAEMON: u32 = 1;

#[test]
fn another_user_can_use_only_what_is_shared_and_read_nothing() {
    let place = Place::new();
    assert!(
        rustix::process::geteuid().is_root(),
        "this test needs root, as continuous integration has: it acts as two users"
    );
    std::fs::set_permissions(place.directory.path(), PermissionsExt::from_mode(0o711)).unwrap();
    let program = place.path("odin");
    std::fs::copy(ODIN, &program).unwrap();
    let socket = place.server.socket.clone();
    std::os::unix::fs::chown(&socket, None, Some(DAEMON)).unwrap();
    let daemon = |arguments: &[&str], input: &str| {
        let mut command = sealed(&program);
        command
            .env("ODIN_SERVER", format!("unix:{}", socket.display()))
            .args(arguments)
            .uid(DAEMON)
            .gid(DAEMON);
        with_input(command, input)
    };
    set(&place, "ROOTS", VALUE);
    place.deploy(
        "holds",
        "never",
        "  secrets: {ROOTS: file}\n",
        "echo $ROOTS > $HERE/path; echo $$ > $HERE/pid; sleep 600\n",
    );
    let held = place.run("holds");
    let path = place.wait_for_evidence("path");
    let pid = place.wait_for_evidence("pid");
    let code = format!(
        "cat {path} && echo READ; ls $(dirname {path}) && echo LISTED; cat /proc/{}/environ && echo READ
cat {data}/secrets.key && echo READ; exit 0\n",
        pid.trim(),
        path = path.trim(),
        data = place.server.data_dir().display(),
    );
    let file = place.write_job("looks", "never", "", &code);
    let uses = place.write_job(
        "uses",
        "never",
        "  secrets: [ROOTS]\n",
        "echo \"<$ROOTS>\"\n",
    );
    for name in ["looks.yml", "looks.sh", "uses.yml", "uses.sh"] {
        std::fs::set_permissions(place.path(name), PermissionsExt::from_mode(0o644)).unwrap();
    }
    let deployed = daemon(&["deploy", "-f", file.to_str().unwrap()], "");
    assert!(deployed.status.success(), "{deployed:?}");
    let ran = daemon(&["run", "-i", "looks", "--wait"], "");
    assert!(ran.status.success(), "{ran:?}");
    let log = text(&daemon(&["log", "-i", "looks"], "").stdout);
    assert!(!log.contains("READ") && !log.contains("LISTED"), "{log}");
    assert_eq!(log.matches("Permission denied").count(), 4, "{log}");

    let uses = uses.to_str().unwrap();
    refused(
        &daemon(&["deploy", "-f", uses], ""),
        2,
        "daemon has no secret `ROOTS`",
    );
    refused(
        &daemon(&["secret", "share", "ROOTS", "--with", "daemon"], ""),
        5,
        "admin",
    );
    let shared = odin(
        &place,
        &["secret", "share", "ROOTS", "--with", "daemon"],
        "",
    );
    assert!(shared.status.success(), "{shared:?}");
    let deployed = daemon(&["deploy", "-f", uses], "");
    assert!(deployed.status.success(), "{deployed:?}");
    let ran = daemon(&["run", "-i", "uses", "--wait"], "");
    assert!(ran.status.success(), "{ran:?}");
    let log = text(&daemon(&["log", "-i", "uses"], "").stdout);
    assert!(log.contains("<***>"), "{log}");
    let listed = text(&daemon(&["secret", "list", "--json"], "").stdout);
    assert!(
        listed.contains("ROOTS") && !listed.contains("holds"),
        "{listed}"
    );
    let unshared = odin(
        &place,
        &["secret", "unshare", "ROOTS", "--with", "daemon"],
        "",
    );
    refused(&unshared, 6, "used by `uses`");
    place.server.json(["cancel", "-i", &held]);
    place.ended("holds", &held);
}
