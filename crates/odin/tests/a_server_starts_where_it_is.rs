//! What a server takes from the machine and the shell that it is started on.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use odin_testbed::Server;

const ODIN: &str = env!("CARGO_BIN_EXE_odin");

/// A server with this in its environment, and the directory that it is in.
fn server(environment: &[(&str, &str)]) -> (Server, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let server = Server::try_start_in(Path::new(ODIN), &data_dir, &[], environment).unwrap();
    (server, directory)
}

#[test]
fn jobs_that_name_no_zone_are_due_in_the_machines() {
    let (server, directory) = server(&[("TZ", "Asia/Tokyo")]);
    let deploy = |name: &str, more: &str| {
        let file = directory.path().join(name).with_extension("yml");
        let job = format!("job: {{name: {name}, command: ls, {more}}}\n");
        std::fs::write(&file, job).unwrap();
        let job = server.json([Path::new("deploy"), Path::new("-f"), &file]);
        let due = job["next_due"].as_str().unwrap().split_once('T').unwrap().1;
        (job["timezone"].as_str().unwrap().to_owned(), due.to_owned())
    };
    let noon = "schedule: every day at 12:00";
    for (name, more, zone, due) in [
        ("here", noon.to_owned(), "Asia/Tokyo", "03:00:00Z"),
        (
            "there",
            format!("{noon}, timezone: Asia/Kolkata"),
            "Asia/Kolkata",
            "06:30:00Z",
        ),
        (
            "elsewhere",
            format!("{noon} in America/Bogota"),
            "America/Bogota",
            "17:00:00Z",
        ),
    ] {
        assert_eq!(deploy(name, &more), (zone.to_owned(), due.to_owned()));
    }
}

#[test]
fn a_log_that_goes_to_a_file_has_no_colours() {
    let (server, directory) = server(&[("NO_COLOR", ""), ("TERM", "xterm-256color")]);
    let log = std::fs::read_to_string(directory.path().join("data.stderr")).unwrap();
    assert!(log.contains("leading"), "{log:?}");
    assert!(!log.contains('\u{1b}'), "{log:?}");
    drop(server);
}
