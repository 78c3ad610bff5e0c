//! Links as their users see them, against a real server.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Output;

use odin_testbed::Server;
use serde_json::Value;

const ODIN: &str = env!("CARGO_BIN_EXE_odin");

struct Place {
    server: Server,
    directory: tempfile::TempDir,
}

impl Place {
    /// A server with a job for each name, which runs when it is asked to.
    fn with_jobs(jobs: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::start(Path::new(ODIN), &directory.path().join("data"));
        let place = Self { server, directory };
        for (name, command) in jobs {
            place.deploy(name, &format!("command: \"{command}\", schedule: never"));
        }
        place
    }

    fn deploy(&self, name: &str, keys: &str) -> String {
        let path = self.directory.path().join(format!("{name}.yml"));
        std::fs::write(&path, format!("job: {{name: {name}, {keys}}}\n")).unwrap();
        let job = self.json(&["deploy", "-f", path.to_str().unwrap()]);
        job["id"].as_str().unwrap().to_owned()
    }

    fn odin(&self, arguments: &[&str]) -> Output {
        self.server.odin(arguments)
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.odin(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, arguments: &[&str], code: i32) -> String {
        let output = self.odin(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        stderr
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(&[arguments, &["--json"]].concat())).unwrap()
    }

    fn id(&self, name: &str) -> String {
        let job = self.json(&["describe", "-i", name]);
        job["id"].as_str().unwrap().to_owned()
    }

    /// Runs a job to its end, and waits until all that it started is over too.
    fn chain_of(&self, job: &str) -> Vec<Value> {
        self.odin(&["run", "-i", job, "--wait", "--json"]);
        let runs = self.json(&["runs", "-i", job]);
        let first = runs["runs"][0]["id"].as_str().unwrap().to_owned();
        self.server.wait_for("the end of the chain", |_| {
            let chain = self.json(&["runs", "--chain", &first]);
            let runs = chain["runs"].as_array().unwrap().clone();
            let over = runs.iter().all(|run| run["state"] == "finished");
            over.then_some(runs)
        })
    }
}

fn names(runs: &[Value]) -> Vec<&str> {
    runs.iter()
        .map(|run| run["job_name"].as_str().unwrap())
        .collect()
}

#[test]
fn a_chain_of_jobs_runs_in_order_and_each_run_names_the_one_before() {
    let place = Place::with_jobs(&[("fetch", "true"), ("build", "true"), ("mail", "date")]);
    let [fetch, build] = ["fetch", "build"].map(|name| place.id(name));
    let said = place.done(&["link", "-f", "fetch", "-t", &build]);
    assert!(
        said.starts_with(&format!("Job {fetch} linked to {build}!\n")),
        "{said}"
    );
    place.done(&["link", "-f", &build, "-t", "mail"]);
    let list = place.done(&["list"]);
    let row = list.lines().find(|line| line.starts_with(&fetch)).unwrap();
    assert!(row.contains(&format!("  {build}  ")), "{row}");

    let runs = place.chain_of("fetch");
    assert_eq!(names(&runs), ["fetch", "build", "mail"]);
    for pair in runs.windows(2) {
        assert_eq!(pair[1]["cause"], "link");
        assert_eq!(pair[1]["cause_run"], pair[0]["id"]);
        assert_eq!(pair[1]["root_run"], runs[0]["id"]);
        assert_eq!(pair[1]["root_cause"], "manual");
        assert_eq!(pair[0]["successors"][0]["run"], pair[1]["id"]);
        assert_eq!(pair[1]["queued_at"], pair[0]["finished_at"]);
    }
    let last = runs[2]["id"].as_str().unwrap();
    let words = place.done(&["runs", "--chain", last]);
    assert!(
        words.contains(&format!("link {}", runs[1]["id"].as_str().unwrap())),
        "{words}"
    );
}

#[test]
fn success_failure_and_always_start_what_they_say() {
    let place = Place::with_jobs(&[
        ("good", "true"),
        ("bad", "exit 3"),
        ("thanks", "true"),
        ("alarm", "true"),
        ("tidy", "true"),
    ]);
    for from in ["good", "bad"] {
        place.done(&["link", "-f", from, "-t", "thanks"]);
        place.done(&["link", "-f", from, "-t", "alarm", "--on", "failure"]);
        place.done(&["link", "-f", from, "-t", "tidy", "--on", "always"]);
    }
    let sorted = |job| {
        let runs = place.chain_of(job);
        let mut names: Vec<_> = names(&runs).into_iter().map(str::to_owned).collect();
        names.sort();
        names
    };
    assert_eq!(sorted("good"), ["good", "thanks", "tidy"]);
    assert_eq!(sorted("bad"), ["alarm", "bad", "tidy"]);
    place.done(&["unlink", "-f", "good", "-t", "tidy"]);
    assert_eq!(sorted("good"), ["good", "thanks"]);
}

#[test]
fn a_link_that_cannot_be_is_refused_and_the_cycle_is_named() {
    let place = Place::with_jobs(&[("a", "true"), ("b", "true"), ("c", "true")]);
    place.done(&["link", "-f", "a", "-t", "b"]);
    place.done(&["link", "-f", "b", "-t", "c"]);
    let closes = place.refused(&["link", "-f", "c", "-t", "a"], 2);
    assert!(closes.contains("c → a → b → c"), "{closes}");
    assert!(closes.contains("link/cycle"), "{closes}");
    for (arguments, exit, code) in [
        (["link", "-f", "a", "-t", "a"], 2, "link/to-itself"),
        (["link", "-f", "a", "-t", "b"], 6, "link/exists"),
        (["link", "-f", "a", "-t", "nobody"], 4, "job/not-found"),
        (["unlink", "-f", "a", "-t", "c"], 4, "link/not-found"),
    ] {
        let stderr = place.refused(&arguments, exit);
        assert!(stderr.contains(code), "{arguments:?}: {stderr}");
    }
    // Another end replaces the one that the link had.
    let link = place.json(&["link", "-f", "a", "-t", "b", "--on", "always"]);
    assert_eq!(link["on"], "always");
    let job = place.json(&["describe", "-i", "a"]);
    assert_eq!(job["links"], serde_json::json!([place.id("b")]));
    assert_eq!(job["successors"][0]["on"], "always");
}

#[test]
fn a_removed_job_says_which_links_went_with_it() {
    let place = Place::with_jobs(&[("a", "true"), ("b", "true"), ("c", "true")]);
    place.done(&["link", "-f", "a", "-t", "b"]);
    place.done(&["link", "-f", "b", "-t", "c"]);
    let words = place.done(&["remove", "-i", "b"]);
    assert!(words.starts_with("Job removed!\n"), "{words}");
    assert!(words.contains("  a ("), "{words}");
    assert!(words.contains("It is linked to c ("), "{words}");
    assert_eq!(names(&place.chain_of("a")), ["a"]);

    place.done(&["link", "-f", "a", "-t", "c"]);
    let removed = place.json(&["remove", "-i", "c"]);
    assert_eq!(removed["links"][0]["from_name"], "a");
    assert_eq!(
        place.json(&["describe", "-i", "a"])["links"],
        serde_json::json!([])
    );
}

#[test]
fn what_a_link_could_not_start_is_told_by_the_run_before() {
    let place = Place::with_jobs(&[("first", "true"), ("rests", "true")]);
    place.deploy(
        "busy",
        "command: sleep 600, schedule: never, concurrency: forbid",
    );
    place.done(&["pause", "-i", "rests"]);
    let busy = place.json(&["run", "-i", "busy"])["id"].clone();
    for to in ["rests", "busy"] {
        place.done(&["link", "-f", "first", "-t", to]);
    }
    let runs = place.chain_of("first");
    assert_eq!(names(&runs), ["first"]);
    let mut skipped: Vec<_> = runs[0]["successors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|successor| successor["skipped"].as_str().unwrap().to_owned())
        .collect();
    skipped.sort();
    let busy = busy.as_str().unwrap();
    let expected = [
        format!("{busy} was still active"),
        "the job was paused".into(),
    ];
    assert_eq!(skipped, expected);
    place.done(&["cancel", "-i", busy]);
}
