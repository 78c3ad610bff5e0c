//! `odin log -f`: what was, then what comes, until Ctrl-C.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};

use odin_testbed::Server;
use rustix::process::{Pid, Signal, kill_process};

const ODIN: &str = env!("CARGO_BIN_EXE_odin");

/// A follower whose lines are read as they come; a test that waits in vain is ended by its runner.
struct Following {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Following {
    fn start(server: &Server, what: &str) -> Self {
        let mut child = server
            .command()
            .args(["log", "-f", "-i", what])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next line that contains `part`, and those before it.
    fn until(&mut self, part: &str) -> Vec<String> {
        let mut seen = Vec::new();
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            let found = line.contains(part);
            seen.push(line);
            if found {
                return seen;
            }
        }
        panic!("{part} did not come: {seen:?}");
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn deploy(server: &Server, directory: &Path, name: &str, code: &str) {
    let file = directory.join(format!("{name}.yml"));
    std::fs::write(directory.join(format!("{name}.sh")), code).unwrap();
    let text = format!("job: {{name: {name}, language: sh, file: {name}.sh, schedule: never}}\n");
    std::fs::write(&file, text).unwrap();
    server.json(["deploy", "-f", file.to_str().unwrap()]);
}

#[test]
fn a_job_is_followed_from_what_was_to_what_comes() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(ODIN), &directory.path().join("data"));
    let code = "echo begin; [ -e \"$0.fail\" ] && exit 3; echo end\n";
    deploy(&server, directory.path(), "greets", code);
    server.json(["run", "-i", "greets", "--wait"]);

    let mut following = Following::start(&server, "greets");
    let before = following.until("end");
    assert!(
        before[0].contains("msg=exec") && before[1] == "begin",
        "{before:?}"
    );
    server.json(["run", "-i", "greets"]);
    let then = following.until("end");
    assert!(
        then[0].contains("msg=exec") && then[1..] == ["begin", "end"],
        "{then:?}"
    );

    let pid = Pid::from_raw(following.child.id().cast_signed()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    assert_eq!(following.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_run_is_followed_to_its_end_while_it_prints() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(ODIN), &directory.path().join("data"));
    let gate = directory.path().join("gate");
    let code = format!(
        "echo waiting; while [ ! -e {} ]; do sleep 0.02; done; exit 3\n",
        gate.display()
    );
    deploy(&server, directory.path(), "waits", &code);
    let run = server.json(["run", "-i", "waits"]);

    let mut following = Following::start(&server, run["id"].as_str().unwrap());
    let before = following.until("waiting");
    assert!(before[0].contains("level=info msg=exec"), "{before:?}");
    std::fs::write(&gate, "").unwrap();
    let after = following.until("msg=failed");
    assert!(after[0].contains("error=\"exit status 3\""), "{after:?}");
    assert_eq!(following.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_restart_of_the_server_ends_no_follower_and_loses_no_run() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(Path::new(ODIN), &directory.path().join("data"));
    deploy(
        &server,
        directory.path(),
        "counts",
        "echo \"run $ODIN_RUN_ID\"\n",
    );
    let mut following = Following::start(&server, "counts");
    let mut expected = Vec::new();
    for _ in 0..2 {
        let run = server.json(["run", "-i", "counts", "--wait"]);
        expected.push(format!("run {}", run["id"].as_str().unwrap()));
        following.until(expected.last().unwrap());
        server.kill();
        server.restart();
    }
    let run = server.json(["run", "-i", "counts"]);
    let lines = following.until(&format!("run {}", run["id"].as_str().unwrap()));
    let again: Vec<_> = lines
        .iter()
        .filter(|line| expected.contains(line))
        .collect();
    assert_eq!(again, [] as [&String; 0], "shown twice");
}
