//! What a newcomer does in the first hour, against a real server.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Output;

use odin_testbed::Server;

const ODIN: &str = env!("CARGO_BIN_EXE_odin");

/// A server with a directory for job files beside it.
struct Place {
    server: Server,
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::start(Path::new(ODIN), &directory.path().join("data"));
        std::fs::create_dir(directory.path().join("jobs")).unwrap();
        Self { server, directory }
    }

    fn odin(&self, arguments: &[&str]) -> Output {
        self.server
            .command()
            .args(arguments)
            .current_dir(self.directory.path().join("jobs"))
            .output()
            .unwrap()
    }

    /// stdout of a command that must go well.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.odin(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// stderr of a command that must end with this code.
    fn refused(&self, arguments: &[&str], code: i32) -> String {
        let output = self.odin(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        stderr
    }

    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.done(&[arguments, &["--json"]].concat())).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.path().join("jobs").join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.path().join("jobs").join(name)).unwrap()
    }

    /// A job that runs when it is asked to.
    fn deploy(&self, name: &str, code: &str) {
        self.write(&format!("{name}.sh"), code);
        let file =
            format!("job: {{name: {name}, language: sh, file: {name}.sh, schedule: never}}\n");
        self.write(&format!("{name}.yml"), &file);
        self.done(&["deploy", "-f", &format!("{name}.yml")]);
    }
}

#[test]
fn a_generated_job_deploys_runs_and_is_read_by_every_command() {
    let place = Place::new();
    place.done(&["generate", "-f", "hello.yml", "-l", "bash"]);
    let file = place.read("hello.yml");
    place.refused(&["deploy", "-f", "hello.yml"], 2);
    let filled = file
        .replace("name: ''", "name: 'hello'")
        .replace("description: ''", "description: 'Says hello'")
        .replace("schedule: ''", "schedule: 'every January 1st at 09:00'");
    place.write("hello.yml", &filled);

    let printed = place.done(&["deploy", "-f", "hello.yml"]);
    let id = printed
        .strip_prefix("Job: ")
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .to_owned();
    assert!(
        printed.starts_with(&format!("Job: {id} deployed successfully\n")),
        "{printed}"
    );
    assert!(file.contains(&id), "the file's id is the job's");

    let list = place.done(&["list"]);
    let mut lines = list.lines();
    let heading: Vec<_> = lines
        .next()
        .unwrap()
        .split("  ")
        .filter(|it| !it.is_empty())
        .collect();
    let names: Vec<_> = heading.iter().map(|name| name.trim()).collect();
    assert_eq!(
        names,
        [
            "ID",
            "NAME",
            "LANGUAGE",
            "LINKS",
            "SCHEDULE",
            "STATE",
            "NEXT DUE",
            "LAST OUTCOME"
        ]
    );
    let row = lines.next().unwrap();
    assert!(
        row.starts_with(&format!(
            "{id}  hello  bash      <empty>  every January 1st"
        )),
        "{row}"
    );

    let run = place.json(&["run", "-i", "hello", "--wait"]);
    assert_eq!(
        (&run["outcome"], &run["exit_code"]),
        (&"succeeded".into(), &0.into())
    );
    let log = place.done(&["log", "-i", &id]);
    let (line, output) = log.split_once('\n').unwrap();
    assert!(line.starts_with("time=\""), "{line}");
    assert!(
        line.contains("Z\" level=info msg=exec file=hello.sh gid="),
        "{line}"
    );
    assert!(
        line.contains(&format!(" id={id} lang=bash node=master-node uid=")),
        "{line}"
    );
    assert!(output.starts_with("Hello from Odin, due at "), "{output}");

    assert!(
        place
            .done(&["describe", "-i", &id])
            .starts_with("hello - Says hello\n")
    );
    assert!(
        place
            .done(&["status", "-i", "hello"])
            .starts_with(&format!("hello ({id}): enabled\n"))
    );
    assert_eq!(
        place.json(&["runs", "-i", "hello"])["runs"][0]["id"],
        run["id"]
    );
    let not_due = place.refused(&["why", "hello", "2026-06-01 12:00"], 4);
    assert!(
        not_due.contains("was not due at 2026-06-01 12:00:00"),
        "{not_due}"
    );
    assert!(
        not_due.contains("the job was first deployed at "),
        "{not_due}"
    );
    let not_due = place.refused(&["why", "hello", "2998-06-01 12:00"], 4);
    assert!(not_due.contains("2999-01-01 09:00:00"), "{not_due}");
}

#[test]
fn a_job_is_changed_paused_resumed_recovered_and_removed() {
    let place = Place::new();
    place.deploy("tidy", "echo tidy\n");
    place.refused(&["modify", "-i", "tidy"], 2);
    let refusal = place.refused(&["modify", "-i", "tidy", "-s", "every florp"], 2);
    assert!(
        refusal.contains("error[schedule/") && refusal.contains("^^^^^"),
        "{refusal}"
    );
    place.done(&[
        "modify",
        "-i",
        "tidy",
        "-n",
        "tidy_up",
        "-s",
        "every hour",
        "-d",
        "Tidies, up",
    ]);
    let job = place.json(&["describe", "-i", "tidy_up"]);
    assert_eq!(
        (&job["schedule"], &job["description"]),
        (&"every hour".into(), &"Tidies, up".into())
    );

    place.done(&["pause", "-i", "tidy_up"]);
    assert_eq!(place.json(&["status", "-i", "tidy_up"])["state"], "paused");
    place.refused(&["pause", "-i", "tidy_up"], 6);
    place.done(&["resume", "-i", "tidy_up"]);

    let refusal = place.refused(&["recover", "-i", "tidy_up"], 2);
    assert!(refusal.contains("there already"), "{refusal}");
    let original = place.read("tidy.sh");
    std::fs::remove_file(place.directory.path().join("jobs/tidy.sh")).unwrap();
    std::fs::remove_file(place.directory.path().join("jobs/tidy.yml")).unwrap();
    let recovered = place.odin(&["recover", "-i", "tidy_up"]);
    assert_eq!(
        String::from_utf8(recovered.stdout).unwrap(),
        "File: tidy.sh recovered!\nFile: tidy.yml recovered!\n"
    );
    // The files are those that were deployed: deploying them again would take the changes back.
    assert_eq!(
        String::from_utf8(recovered.stderr).unwrap(),
        "note: the job's name was modified after tidy.yml was deployed, and is now \"tidy_up\"\n\
         note: the job's description was modified after tidy.yml was deployed, and is now \"Tidies, up\"\n\
         note: the job's schedule was modified after tidy.yml was deployed, and is now \"every hour\"\n"
    );
    assert_eq!(place.read("tidy.sh"), original);

    assert_eq!(place.done(&["remove", "-i", "tidy_up"]), "Job removed!\n");
    place.refused(&["remove", "-i", "tidy_up"], 4);
    assert_eq!(place.done(&["list"]).lines().count(), 1);
}

#[test]
fn exit_codes_say_how_a_run_ended() {
    let place = Place::new();
    place.deploy("fails", "echo oops >&2; exit 3\n");
    let output = place.odin(&["run", "-i", "fails", "--wait"]);
    assert_eq!(output.status.code(), Some(1));
    let line = String::from_utf8(output.stdout).unwrap();
    assert!(line.contains(" failed after "), "{line}");
    assert!(line.ends_with(": exit status 3\n"), "{line}");
    let log = place.done(&["log", "-i", "fails"]);
    assert!(
        log.contains(" level=warning msg=failed error=\"exit status 3\" file=fails.sh "),
        "{log}"
    );
    assert!(log.ends_with("\noops\n"), "{log}");

    let output = place.odin(&["execute", "-f", "fails.yml", "--wait", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let run: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(run["outcome"], "failed");
    assert_eq!(place.json(&["list"])["jobs"].as_array().unwrap().len(), 1);

    place.deploy("sleeps", "sleep 600\n");
    let run = place.json(&["run", "-i", "sleeps"]);
    let id = run["id"].as_str().unwrap();
    place.done(&["cancel", "-i", id]);
    place.server.wait_for("the cancelled run", |_| {
        let runs = place.json(&["runs", "-i", "sleeps"]);
        (runs["runs"][0]["outcome"] == "cancelled").then_some(())
    });
    place.refused(&["cancel", "-i", id], 6);
    place.refused(&["cancel", "-i", "r0000000000000"], 4);
    place.refused(&["describe", "-i", "nobody"], 4);
}

#[test]
fn a_directory_is_deployed_and_each_refused_file_is_reported() {
    let place = Place::new();
    place.write("a.sh", "echo a\n");
    place.write(
        "a.yml",
        "job: {name: a, language: sh, file: a.sh, schedule: never}\n",
    );
    place.write(
        "b.yaml",
        "job: {name: b, command: 'echo b', schedule: every hour}\n",
    );
    place.write(
        "c.yml",
        "job: {name: c, command: x, schedule: every florp}\n",
    );
    place.write("compose.yml", "services: {}\n");
    let refusal = place.refused(&["deploy", "-f", "."], 2);
    assert!(refusal.contains("--> ./c.yml:1:"), "{refusal}");
    assert!(
        refusal.contains("compose.yml is not a job file"),
        "{refusal}"
    );
    let list = place.json(&["list"]);
    let names: Vec<_> = list["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| &job["name"])
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn the_server_is_found_by_port_socket_and_token() {
    let place = Place::new();
    let port = place.server.http.rsplit(':').next().unwrap().to_owned();
    let nodes = place.done(&["nodes", "get", "-p", &format!(":{port}")]);
    let row: Vec<_> = nodes.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[1..3], ["master-node", &format!(":{port}")]);

    let url = format!("http://127.0.0.1:{port}");
    place.refused(&["list", "--server", &url], 5);
    place.refused(&["list", "--server", &url, "--token", "wrong"], 5);
    let token = std::fs::read_to_string(place.server.data_dir().join("local.token")).unwrap();
    place.done(&["list", "--server", &url, "--token", token.trim()]);
    let socket = format!("unix:{}", place.server.socket.display());
    place.done(&["list", "--server", &socket]);
}

#[test]
fn a_reader_that_goes_away_ends_a_command_quietly() {
    let place = Place::new();
    place.deploy(
        "talks",
        "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done\n",
    );
    place.done(&["run", "-i", "talks", "--wait"]);
    let mut child = place
        .server
        .command()
        .args(["log", "-i", "talks"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), output.stderr.as_slice()),
        (Some(0), &b""[..])
    );
    // All of it is there for who reads it.
    let log = place.done(&["log", "-i", "talks"]);
    assert_eq!(log.lines().count(), 20_001);
}

#[test]
fn a_due_time_has_an_answer_and_json_has_the_documented_names() {
    let place = Place::new();
    place.write(
        "ticks.yml",
        "job: {name: ticks, command: 'echo tick', schedule: every second}\n",
    );
    let job = place.json(&["deploy", "-f", "ticks.yml"]);
    has_names(
        &job,
        "id name description language file schedule timezone owner state version next_due links last_outcome",
    );
    let due_at = place.server.wait_for("a run of the schedule", |_| {
        let list = place.json(&["runs", "-i", "ticks"]);
        has_names(&list, "runs next");
        let runs = list["runs"].as_array().unwrap();
        let over = runs.iter().find(|run| run["outcome"] == "succeeded")?;
        has_names(
            over,
            "id job job_name version cause due_at state outcome exit_code signal reason node attempt queued_at \
             started_at finished_at",
        );
        Some(over["due_at"].as_str().unwrap().to_owned())
    });
    let answer = place.json(&["why", "ticks", &due_at]);
    has_names(&answer, "due_at outcome reason run");
    assert_eq!(
        (&answer["due_at"], &answer["outcome"]),
        (&due_at.as_str().into(), &"started".into())
    );
    let words = place.done(&["why", "ticks", &due_at]);
    assert!(words.contains(": started, on time\n"), "{words}");

    place.done(&["pause", "-i", "ticks"]);
    let log = place.json(&["log", "-i", "ticks"]);
    has_names(&log, "runs next");
    let run = log["runs"]
        .as_array()
        .unwrap()
        .iter()
        .find(|run| run["outcome"] == "succeeded");
    assert_eq!(run.unwrap()["output"][0]["text"], "tick\n");
    has_names(
        &place.json(&["nodes", "get"])["nodes"][0],
        "id name pid http raft role state",
    );
    has_names(
        &place.json(&["list"])["jobs"][0],
        "id name state last_outcome",
    );
}

/// Names separated by spaces, each of which the object has.
fn has_names(object: &serde_json::Value, names: &str) {
    for name in names.split_whitespace() {
        assert!(
            object.get(name).is_some(),
            "`{name}` is missing in {object}"
        );
    }
}

#[test]
fn a_job_is_found_by_name_only_where_one_job_has_it() {
    let place = Place::new();
    place.deploy("twin", "echo 1\n");
    // A hidden job of the same name is no second one.
    place.done(&["execute", "-f", "twin.yml", "--wait"]);
    place.done(&["run", "-i", "twin", "--wait"]);
    // A name in the form of an id.
    place.deploy("a37b187f5930", "echo 2\n");
    let job = place.json(&["describe", "-i", "a37b187f5930"]);
    assert_eq!(job["name"], "a37b187f5930");
    place.refused(&["describe", "-i", "a37b187f593f"], 4);
    place.refused(&["log", "-i", "r0000000000000"], 4);
}
