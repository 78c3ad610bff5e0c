//! A backup of a working server, restored into another directory: jobs, history and output are there, and what became
//! due meanwhile is answered.
#![allow(clippy::unwrap_used)]

mod faults;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use faults::{ODIN, Place};
use odin_testbed::{Server, sealed};
use serde_json::Value;

/// The grace of the job of every second.
const GRACE: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The command line without a server.
fn odin(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    sealed(Path::new(ODIN))
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

#[track_caller]
fn refused(output: &Output, exit: i32, code: &str) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{said}");
    assert!(said.contains(code), "{said}");
}

fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A server with a job of every second, a run with output in a file, one that runs, and a secret; and its backup.
struct Bed {
    place: Place,
    backup: PathBuf,
    printed: String,
    running: String,
}

fn bed(flags: &[&str]) -> Bed {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(ODIN), &directory.path().join("data"));
    let place = Place { server, directory };
    place.deploy(
        "ticks",
        "every second",
        "  missed: once\n  grace: 1s\n",
        "echo tick\n",
    );
    place.deploy(
        "prints",
        "never",
        "",
        "head -c 200000 /dev/zero | tr '\\0' x\n",
    );
    place.deploy("sleeps", "never", "", "sleep 1000\n");
    let secret = place.directory.path().join("secret");
    std::fs::write(&secret, "a-long-secret").unwrap();
    let set = place
        .server
        .odin(["secret", "set", "TOKEN", "--from-file", shown(&secret)]);
    assert!(set.status.success(), "{}", text(&set.stderr));
    let printed = place.run("prints");
    place.ended("prints", &printed);
    let running = place.run("sleeps");
    faults::wait_for("a run that runs and a tick", || {
        let run = place.server.json(["runs", "-i", "sleeps"])["runs"][0].clone();
        let ticks = place.server.json(["runs", "-i", "ticks"]);
        let ticked = ticks["runs"]
            .as_array()
            .unwrap()
            .iter()
            .any(|run| run["outcome"] == "succeeded");
        (run["state"] == "running" && ticked).then_some(())
    });
    let backup = place.directory.path().join("backup.tar.zst");
    let made = place
        .server
        .odin([&["backup", shown(&backup)], flags].concat());
    assert!(made.status.success(), "{}", text(&made.stderr));
    Bed {
        place,
        backup,
        printed,
        running,
    }
}

#[test]
fn jobs_history_and_output_are_there_and_later_runs_sort_after() {
    let Bed {
        mut place,
        backup,
        printed,
        running,
    } = bed(&["--with-key"]);
    assert_eq!(mode(&backup), 0o600);
    let again = place.server.odin(["backup", shown(&backup)]);
    refused(&again, 6, "backup/exists");
    let checked = odin(&["backup", shown(&backup), "--check", "--json"], &[]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    let checked: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(
        (&checked["jobs"], &checked["with_key"]),
        (&3.into(), &true.into())
    );
    assert_eq!(checked["ledger"]["sound"], true, "{checked}");
    // More seconds than the backup's ledger was ahead of it, and than the last of these runs are ahead of now, so that
    // it knows nothing of some that are later than their grace.
    let taken_at = checked["taken_at"].as_str().unwrap().to_owned();
    place.server.wait_for("ticks after the backup", |server| {
        let runs = server.json(["runs", "-i", "ticks", "--limit", "1000"]);
        let due = |run: &Value| run["due_at"].as_str().unwrap() > taken_at.as_str();
        let runs = runs["runs"].as_array().unwrap();
        (runs.iter().filter(|run| due(run)).count() >= 16).then_some(())
    });
    let old_runs = place
        .server
        .json(["runs", "-i", "ticks", "--limit", "1000"]);
    place.server.terminate();

    let new = place.directory.path().join("restored");
    let dry = odin(
        &[
            "restore",
            shown(&backup),
            "--data-dir",
            shown(&new),
            "--dry-run",
        ],
        &[],
    );
    assert!(dry.status.success(), "{}", text(&dry.stderr));
    assert!(
        text(&dry.stdout).contains(&running),
        "{}",
        text(&dry.stdout)
    );
    assert!(!new.exists());
    let restored = odin(
        &[
            "restore",
            shown(&backup),
            "--data-dir",
            shown(&new),
            "--json",
        ],
        &[],
    );
    assert!(restored.status.success(), "{}", text(&restored.stderr));
    let restored: Value = serde_json::from_slice(&restored.stdout).unwrap();
    assert_eq!(restored["generation"], 1);
    let lost = restored["lost_runs"].as_array().unwrap();
    assert!(lost.contains(&running.clone().into()), "{restored}");
    assert_eq!(restored["secrets"]["keys_missing"], serde_json::json!([]));
    assert_eq!(mode(&new), 0o711);
    assert_eq!(mode(&new.join("secrets.key")), 0o600);

    // While the old one is off: two with the same jobs would both start them.
    let server = Server::start(Path::new(ODIN), &new);
    let run = server.json(["runs", "-i", "sleeps"])["runs"][0].clone();
    assert_eq!(
        (&run["id"], &run["outcome"]),
        (&running.into(), &"lost".into())
    );
    let output = server.odin(["log", "-i", &printed]);
    assert!(text(&output.stdout).contains(&"x".repeat(100_000)));
    let newest = old_runs["runs"][0]["id"].as_str().unwrap().to_owned();
    let later = server.wait_for("ticks after the restore", |server| {
        let runs = server.json(["runs", "-i", "ticks", "--limit", "1000"]);
        let runs = runs["runs"].as_array().unwrap().clone();
        let later: Vec<_> = runs
            .iter()
            .filter(|run| run["id"].as_str().unwrap() > newest.as_str())
            .cloned()
            .collect();
        (later.len() >= 3).then_some(later)
    });
    assert!(
        later
            .iter()
            .all(|run| run["id"].as_str().unwrap() > newest.as_str())
    );
    // What became due between is answered. What the backup's ledger has, up to some seconds ahead of it, stands; of what
    // was later than its grace when the restored server decided, the latest is started and the others coalesced.
    let first = old_runs["runs"].as_array().unwrap().last().unwrap()["due_at"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut due: jiff::Timestamp = first.parse().unwrap();
    let last: jiff::Timestamp = later[0]["due_at"].as_str().unwrap().parse().unwrap();
    let mut missed = std::collections::BTreeMap::<jiff::Timestamp, Vec<String>>::new();
    while due <= last {
        let answer = server.json(["why", "ticks", &due.to_string()]);
        let outcome = answer["outcome"]
            .as_str()
            .unwrap_or_else(|| panic!("{due} has no outcome: {answer}"));
        let decided_at: jiff::Timestamp = answer["decided_at"].as_str().unwrap().parse().unwrap();
        if decided_at.duration_since(due) > GRACE {
            let decided = missed.entry(decided_at).or_default();
            decided.push(outcome.to_owned());
        } else {
            assert_eq!(outcome, "started", "{due}: {answer}");
        }
        due += jiff::SignedDuration::from_secs(1);
    }
    for outcomes in missed.values() {
        let (latest, others) = outcomes.split_last().unwrap();
        assert_eq!(latest, "started", "{missed:?}");
        assert!(others.iter().all(|it| it == "coalesced"), "{missed:?}");
    }
    assert!(missed.values().any(|it| it.len() > 1), "{missed:?}");
    let verified = server.json(["verify"]);
    assert_eq!(verified["sound"], true, "{verified}");
    let shown = server.json(["run", "-i", "prints", "--wait"]);
    assert_eq!(shown["outcome"], "succeeded", "the bundle is there");
}

#[test]
fn data_that_is_there_is_kept_and_a_bad_backup_changes_nothing() {
    let Bed {
        mut place, backup, ..
    } = bed(&[]);
    let data = place.server.data_dir().to_owned();
    let here = shown(&data).to_owned();
    let restore = |more: &[&str]| {
        odin(
            &[&["restore", shown(&backup), "--data-dir", &here], more].concat(),
            &[],
        )
    };
    refused(&restore(&["--force"]), 1, "server/data-dir-in-use");
    // The run that sleeps keeps the executor.
    place.server.terminate();
    refused(&restore(&["--force"]), 6, "restore/executor-runs");
    place.server.restart();
    let run = place.server.json(["runs", "-i", "sleeps"])["runs"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    place.server.json(["cancel", "-i", &run]);
    place.ended("sleeps", &run);
    place.server.terminate();
    refused(&restore(&[]), 6, "restore/not-empty");
    let before = std::fs::read(data.join("state.db")).unwrap();
    let bytes = std::fs::read(&backup).unwrap();
    let bad = place.directory.path().join("bad");
    for cut in [bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&bad, &bytes[..cut]).unwrap();
        let output = odin(
            &["restore", shown(&bad), "--data-dir", &here, "--force"],
            &[],
        );
        refused(&output, 1, "backup/");
        assert_eq!(std::fs::read(data.join("state.db")).unwrap(), before);
        assert!(!data.join("restore").exists());
    }
    // Without its own key, it goes on with the one that is there.
    let output = restore(&["--force"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(
        said.contains("replaced-") && said.contains("those that were there"),
        "{said}"
    );
    place.server.restart();
    let names = place.server.json(["list"]);
    assert_eq!(names["jobs"].as_array().unwrap().len(), 3);
    let aside = std::fs::read_dir(&data).unwrap().flatten();
    let aside: Vec<_> = aside
        .filter(|it| it.file_name().to_string_lossy().starts_with("replaced-"))
        .collect();
    assert_eq!(
        std::fs::read(aside[0].path().join("state.db")).unwrap(),
        before
    );
}

#[test]
fn a_restore_that_is_killed_at_any_step_leaves_the_old_or_the_new() {
    let Bed {
        mut place, backup, ..
    } = bed(&["--with-key"]);
    let run = place.server.json(["runs", "-i", "sleeps"])["runs"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    place.server.json(["cancel", "-i", &run]);
    place.ended("sleeps", &run);
    place.deploy("later", "never", "", "true\n");
    place.server.terminate();
    let data = place.server.data_dir().to_owned();
    // The old data has a job that the backup does not have.
    let mut steps: Vec<String> = ["restore-commit-before", "restore-commit-after"]
        .map(str::to_owned)
        .into();
    steps.extend([1, 8, 13, 16].map(|nth| format!("restore-move:{nth}")));
    let pristine = place.directory.path().join("pristine");
    copy(&data, &pristine);
    let (mut killed, mut whole) = (0, 0);
    for step in &steps {
        std::fs::remove_dir_all(&data).unwrap();
        copy(&pristine, &data);
        let arguments = [
            "restore",
            shown(&backup),
            "--data-dir",
            shown(&data),
            "--force",
        ];
        let output = odin(&arguments, &[("ODIN_FAULT", step)]);
        killed += usize::from(!output.status.success());
        let is_old = step == "restore-commit-before";
        // Whoever opens the directory next finishes it.
        place.server.restart();
        let list = place.server.json(["list"]);
        let jobs = list["jobs"].as_array().unwrap();
        assert_eq!(jobs.len(), if is_old { 4 } else { 3 }, "{step}: {list}");
        whole += usize::from(!is_old);
        assert!(!data.join("restore").exists(), "{step}");
        place.server.kill();
        // Kept by nothing: the next round begins from the copy.
        for executor in place.server.executors() {
            faults::signal(executor, rustix::process::Signal::KILL);
            faults::wait_until_gone(executor);
        }
    }
    assert!(
        killed >= 4,
        "{killed} of {} steps were reached",
        steps.len()
    );
    assert_eq!(whole, steps.len() - 1);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
}

#[test]
fn a_backup_that_is_killed_leaves_no_file_that_looks_whole() {
    let Bed { place, backup, .. } = bed(&[]);
    let other = place.directory.path().join("other.tar.zst");
    let mut command = place.server.command();
    let output = command
        .args(["backup", shown(&other)])
        .env("ODIN_FAULT", "backup-rename-before")
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(
        !other.exists()
            && place
                .directory
                .path()
                .join("other.tar.zst.partial")
                .exists()
    );
    // The next one writes over what is left of it.
    let output = place.server.odin(["backup", shown(&other)]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        !place
            .directory
            .path()
            .join("other.tar.zst.partial")
            .exists()
    );
    assert!(
        odin(&["backup", shown(&backup), "--check"], &[])
            .status
            .success()
    );

    // The server is killed in the middle.
    let mut place = place;
    place.server.kill();
    place
        .server
        .set_environment(&[("ODIN_FAULT", "server-backup-middle")]);
    place.server.restart();
    let third = place.directory.path().join("third.tar.zst");
    let output = place.server.odin(["backup", shown(&third)]);
    assert!(!output.status.success());
    assert!(!third.exists());
    let left = place.server.data_dir().join("backup");
    assert!(left.exists());
    place.server.kill();
    place.server.set_environment(&[]);
    place.server.restart();
    assert!(!left.exists(), "a start removes what was held still");
    let output = place.server.odin(["backup", shown(&third)]);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn what_people_were_told_before_the_backup_they_are_not_told_again() {
    let place = Place::new();
    let told = place.path("told");
    let line = format!("echo $ODIN_MESSAGE_ID >> {}", shown(&told));
    let set = ["notify", "channel", "set", "desk", "--command", &line];
    let set = place.server.odin([&set[..], &["--gather", "0s"]].concat());
    assert!(set.status.success(), "{}", text(&set.stderr));
    let notify = "  notify: {on: [failure], to: [desk]}\n";
    let fail = |place: &Place, job: &str| {
        let run = place.run(job);
        assert_eq!(place.ended(job, &run)["outcome"], "failed");
    };
    let wait_for_lines = |count: usize| {
        faults::wait_for("a message", || {
            let lines = std::fs::read_to_string(&told).unwrap_or_default();
            (lines.lines().count() >= count).then_some(lines)
        })
    };
    for job in ["first", "second"] {
        place.deploy(job, "never", notify, "exit 3\n");
    }
    fail(&place, "first");
    wait_for_lines(1);
    place
        .server
        .wait_for("the note that it was sent", |server| {
            let sent = server.json(["notify", "deliveries", "desk"]);
            (sent["deliveries"][0]["state"] == "sent").then_some(())
        });
    let alerts = place.server.json(["alerts"]);
    let backup = place.path("backup.tar.zst");
    place.server.json(["backup", shown(&backup)]);

    let Place {
        mut server,
        directory,
    } = place;
    server.terminate();
    let new = directory.path().join("restored");
    let arguments = ["restore", shown(&backup), "--data-dir", shown(&new)];
    let restored = odin(&arguments, &[]);
    assert!(restored.status.success(), "{}", text(&restored.stderr));
    let server = Server::start(Path::new(ODIN), &new);
    let place = Place { server, directory };
    assert_eq!(place.server.json(["alerts"])["alerts"], alerts["alerts"]);
    let sent = place.server.json(["notify", "deliveries", "desk"]);
    assert_eq!(sent["deliveries"][0]["state"], "sent", "{sent}");
    // Messages of a channel go in their order: what was to be sent again would come before this.
    fail(&place, "second");
    let lines = wait_for_lines(2);
    assert_eq!(lines.lines().count(), 2, "{lines}");
    faults::assert_no_line_twice(&lines);
}
