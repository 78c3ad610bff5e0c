//! Hundreds of job files with something wrong, each deployed by the real command to a real server.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use odin_job_file::{Defaults, read};
use odin_testbed::Server;

const ODIN: &str = env!("CARGO_BIN_EXE_odin");

/// A file that is right, line by line.
const GOOD: [(&str, &str); 4] = [
    ("name", "bad"),
    ("language", "sh"),
    ("file", "a.sh"),
    ("schedule", "never"),
];

/// Every key of a job, those of later versions, and some that no version has.
const KEYS: [&str; 24] = [
    "id",
    "name",
    "description",
    "language",
    "file",
    "files",
    "command",
    "schedule",
    "runs",
    "timezone",
    "args",
    "env",
    "timeout",
    "grace",
    "missed",
    "concurrency",
    "retries",
    "limits",
    "nodes",
    "secrets",
    "on_lost",
    "Name",
    "scheduel",
    "<<",
];

/// What people, editors and attackers write where something else belongs.
const VALUES: [&str; 30] = [
    "",
    "~",
    "[]",
    "{}",
    "[[a]]",
    "{a: [b]}",
    "-1",
    "1.5h",
    "yes please",
    "\"\\0\"",
    "\"\\e[31m\"",
    "\"a\\nb\"",
    "&x 1",
    "*x",
    "!!python/object x",
    "\"open",
    "'open",
    "@",
    "`",
    "%x",
    "a: b",
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    "nowhere/at/all",
    "\u{202e}",
    "99999999999999999999999d",
    "every February 30th at 10:00",
    "{policy: all, limit: 100000}",
    "queue",
];

fn with(key: &str, value: &str) -> String {
    let mut text = "job:\n".to_owned();
    for (other, right) in GOOD.iter().filter(|(other, _)| *other != key) {
        text += &format!("  {other}: {right}\n");
    }
    text + &format!("  {key}: {value}\n")
}

/// Whether reading the text alone finds nothing wrong, and it names no file but the one that is there.
fn is_right(text: &str) -> bool {
    read(text, &Defaults::default())
        .is_ok_and(|file| text.contains("file: a.sh") && file.files.is_empty())
}

fn bad_files() -> Vec<String> {
    let valued = KEYS
        .iter()
        .flat_map(|key| VALUES.iter().map(|value| with(key, value)));
    let whole = with("description", "x");
    let cut = (0..whole.len()).map(|end| whole[..end].to_owned());
    let others = [
        "- a",
        "x",
        "job:\n\tname: x",
        "job: {}\n---\njob: {}",
        "provider: {name: odin}",
        "workflow: {}",
    ];
    let others = others.into_iter().map(str::to_owned).chain([
        "[".repeat(10_000),
        "{a: ".repeat(5_000),
        whole.replace('\n', "\r\n") + "  name: again\r\n",
        with("description", &"x".repeat(300_000)),
    ]);
    let all = valued.chain(cut).chain(others);
    // A file that is only odd is another test's.
    all.filter(|text| !is_right(text)).collect()
}

#[test]
fn each_is_refused_in_words_and_none_is_deployed() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(ODIN), &directory.path().join("data"));
    std::fs::write(directory.path().join("a.sh"), "true\n").unwrap();
    let file = directory.path().join("bad.yml");
    let files = bad_files();
    assert!(files.len() > 500, "only {} are left", files.len());
    let mut let_through = Vec::new();
    for text in &files {
        std::fs::write(&file, text).unwrap();
        let output = server.odin([Path::new("deploy"), Path::new("-f"), &file]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let shown = &text[..text.floor_char_boundary(200)];
        if output.status.success() {
            let_through.push(shown);
            continue;
        }
        assert_eq!(output.status.code(), Some(2), "{shown}\n{stderr}");
        assert!(stderr.starts_with("error["), "{shown}\n{stderr}");
        assert!(stderr.contains("help: "), "{shown}\n{stderr}");
        let is_plain = |c: char| c == '\n' || !c.is_control();
        assert!(stderr.chars().all(is_plain), "{shown}\n{stderr:?}");
        assert_eq!(output.stdout, b"", "{shown}");
    }
    assert_eq!(let_through, [] as [&str; 0]);
    let jobs = &server.json(["list"])["jobs"];
    assert_eq!(jobs.as_array().unwrap().len(), 0, "{jobs}");
}
