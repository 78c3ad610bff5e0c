//! Sinks against real receivers: PostgreSQL, which is killed and comes back, and Prometheus. `.ci/run` installs both.
#![allow(clippy::unwrap_used)]
#![allow(
    clippy::disallowed_methods,
    reason = "receivers are processes, which are waited for with a bound in time"
)]

mod faults;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use faults::{Place, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const ODIN: &str = env!("CARGO_BIN_EXE_odin");

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The newest PostgreSQL that is installed.
fn postgres_programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is installed: apt-get install postgresql");
    let mut found: Vec<PathBuf> = versions.map(|it| it.unwrap().path().join("bin")).collect();
    found.sort();
    found.pop().unwrap()
}

/// A database server of its own, as the user that its package made: it refuses to be root's.
struct Database {
    programs: PathBuf,
    directory: tempfile::TempDir,
    port: u16,
    ids: (u32, u32),
    process: Option<Process>,
}

impl Database {
    fn new() -> Self {
        let id = |flag| {
            let out = Command::new("id")
                .args([flag, "postgres"])
                .output()
                .unwrap();
            String::from_utf8(out.stdout)
                .unwrap()
                .trim()
                .parse()
                .unwrap()
        };
        let ids = (id("-u"), id("-g"));
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::chown(directory.path(), Some(ids.0), Some(ids.1)).unwrap();
        let mut database = Self {
            programs: postgres_programs(),
            directory,
            port: free_port(),
            ids,
            process: None,
        };
        let password = database.directory.path().join("password");
        std::fs::write(&password, "correct-horse\n").unwrap();
        let made = database
            .program("initdb")
            .args([
                "--auth=scram-sha-256",
                "--username=odin",
                "--no-sync",
                "-E",
                "UTF8",
            ])
            .arg(format!("--pwfile={}", password.display()))
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        database.start();
        database
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command
            .uid(self.ids.0)
            .gid(self.ids.1)
            .current_dir(self.directory.path())
            .env("PGDATA", self.directory.path().join("data"))
            .env("PGPASSWORD", "correct-horse");
        command
    }

    fn start(&mut self) {
        let child = self
            .program("postgres")
            .args(["-h", "127.0.0.1", "-F", "-k"])
            .arg(self.directory.path())
            .args(["-p", &self.port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.process = Some(Process(child));
        wait_for("a database", || {
            (!self.ask("SELECT 1").is_empty()).then_some(())
        });
    }

    /// Ends it at once: connections break.
    fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        let pid = Pid::from_child(&process.0);
        kill_process(pid, Signal::QUIT).unwrap();
        process.0.wait().unwrap();
    }

    /// What a query answers, a row a line; empty where it fails.
    fn ask(&self, query: &str) -> String {
        let out = self
            .program("psql")
            .args([
                "-h",
                "127.0.0.1",
                "-U",
                "odin",
                "-d",
                "postgres",
                "-At",
                "-c",
                query,
            ])
            .args(["-p", &self.port.to_string()])
            .output()
            .unwrap();
        String::from_utf8(out.stdout).unwrap()
    }
}

fn set_secret(place: &Place, name: &str, value: &str) {
    let path = place.path("value");
    std::fs::write(&path, value).unwrap();
    let done = place
        .server
        .odin(["secret", "set", name, "--from-file", path.to_str().unwrap()]);
    assert!(done.status.success(), "{done:?}");
}

fn settled(place: &Place, name: &str, sent: u64) {
    place.server.wait_for("a sink that is up to date", |_| {
        let seen = place.server.json(["sink", "status", name]);
        (seen["behind"] == 0 && seen["sent"] == sent).then_some(())
    });
}

/// Reports what is hard to quote.
fn reporting() -> String {
    format!(
        "{ODIN} watch \"it's; \\\"odd\\\", ü😀\" -- \"a,b\\\\c\"\n\
         {ODIN} watch price -- 101.5\n\
         {ODIN} watch big -- 9223372036854775807\n\
         {ODIN} watch none -- NaN\n\
         {ODIN} condition full true\n\
         exit 3\n"
    )
}

#[test]
fn postgresql_gets_each_row_once_over_its_own_crash_and_the_servers() {
    let mut database = Database::new();
    let mut place = Place::new();
    place.deploy("fetch", "never", "", &reporting());
    set_secret(&place, "PG_PASSWORD", "wrong");
    let url = format!("postgres://odin@127.0.0.1:{}/postgres", database.port);
    let set = [
        "sink",
        "set",
        "db",
        "--postgres",
        &url,
        "--secret",
        "PG_PASSWORD",
    ];
    place.server.json(set);
    let first = place.run("fetch");
    place.ended("fetch", &first);
    let failing = place.server.wait_for("a sink that fails", |_| {
        let seen = place.server.json(["sink", "status", "db"]);
        (seen["state"] == "failing").then_some(seen)
    });
    let error = failing["error"].as_str().unwrap();
    assert!(error.contains("password authentication failed"), "{error}");
    set_secret(&place, "PG_PASSWORD", "correct-horse");
    settled(&place, "db", 6);
    let rows = database.ask(
        "SELECT kind, name, type, value, value_text FROM odin_values WHERE run <> '' ORDER BY number",
    );
    assert_eq!(
        rows,
        "watch|it's; \"odd\", ü😀|text||a,b\\c\n\
         watch|price|number|101.5|101.5\n\
         watch|big|number|9.223372036854776e+18|9223372036854775807\n\
         watch|none|number|NaN|NaN\n\
         condition|full|boolean|1|true\n"
    );
    let run = database.ask("SELECT run, job_name, outcome, exit_code, attempts FROM odin_runs");
    assert_eq!(run, format!("{first}|fetch|failed|3|1\n"));

    database.stop();
    let second = place.run("fetch");
    place.ended("fetch", &second);
    place.server.kill();
    place.server.restart();
    database.start();
    settled(&place, "db", 12);
    assert_eq!(
        database.ask("SELECT count(*), count(DISTINCT run) FROM odin_values"),
        "10|2\n"
    );
    assert_eq!(database.ask("SELECT count(*) FROM odin_runs"), "2\n");
}

fn get(port: u16, path: &str) -> Option<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let head = format!("GET {path} HTTP/1.0\r\nHost: prometheus\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}

fn start_prometheus(directory: &Path, port: u16) -> Process {
    let config = directory.join("prometheus.yml");
    std::fs::write(&config, "global: {}\n").unwrap();
    let child = Command::new("/usr/bin/prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            directory.join("tsdb").display()
        ))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--web.enable-remote-write-receiver")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("Prometheus is installed: apt-get install prometheus");
    Process(child)
}

#[test]
fn prometheus_gets_numbers_conditions_and_the_lengths_of_runs() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let place = Place::new();
    place.deploy("fetch", "never", "", &reporting());
    let url = format!("http://127.0.0.1:{port}/api/v1/write");
    place
        .server
        .json(["sink", "set", "prom", "--remote-write", &url]);
    let run = place.run("fetch");
    place.ended("fetch", &run);
    place.server.wait_for("a sink that fails", |_| {
        let seen = place.server.json(["sink", "status", "prom"]);
        (seen["state"] == "failing").then_some(())
    });
    let _prometheus = start_prometheus(directory.path(), port);
    settled(&place, "prom", 6);
    let query = "/api/v1/query?query=%7B__name__%3D~%22odin_.%2B%22%7D";
    let answer = wait_for("the samples", || {
        get(port, query).filter(|it| {
            it["data"]["result"]
                .as_array()
                .is_some_and(|it| it.len() >= 7)
        })
    });
    let mut seen: Vec<String> = answer["data"]["result"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            let labels = &it["metric"];
            assert_eq!(labels["odin_job"], "fetch");
            let name = labels["__name__"].as_str().unwrap();
            let value = match name {
                "odin_value" => format!("{} {}", labels["name"], it["value"][1]),
                _ => labels["outcome"].to_string(),
            };
            format!("{name} {value}")
        })
        .collect();
    seen.sort();
    assert_eq!(
        seen,
        [
            "odin_run_duration_seconds \"failed\"",
            "odin_run_finished \"failed\"",
            "odin_run_wait_seconds \"failed\"",
            "odin_value \"big\" \"9223372036854776000\"",
            "odin_value \"full\" \"1\"",
            "odin_value \"none\" \"NaN\"",
            "odin_value \"price\" \"101.5\"",
        ]
    );
}
