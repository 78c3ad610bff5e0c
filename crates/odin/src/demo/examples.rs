//! The examples of the repository, as the binary carries them.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// An example: its files, and the facts that prove that it did its work.
pub(super) struct Example {
    pub(super) name: &'static str,
    files: &'static [(&'static str, &'static str)],
    expected: &'static str,
}

macro_rules! example {
    ($name:literal, [$($file:literal),+ $(,)?]) => {
        Example {
            name: $name,
            files: &[$(($file, include_str!(concat!("../../../../examples/", $name, "/", $file)))),+],
            expected: include_str!(concat!("../../../../examples/", $name, "/expected.json")),
        }
    };
}

pub(super) const EXAMPLES: [Example; 4] = [
    example!("prune-stale-files", ["job.yml", "prune.sh"]),
    example!(
        "migrate-database",
        [
            "job.yml",
            "migrate.py",
            "migrations/001_create_rooms.sql",
            "migrations/002_create_bookings.sql",
            "migrations/003_rename_seats.sql",
        ]
    ),
    example!("refresh-token", ["job.yml", "refresh_token.py"]),
    example!("scrape-timetable", ["job.yml", "scrape_timetable.py"]),
];

/// The facts of an `expected.json`; `examples/README.md` says when they hold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    #[serde(default)]
    output_contains: Vec<String>,
    files: Vec<ExpectedFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedFile {
    path: String,
    #[serde(default)]
    contains: Vec<String>,
    #[serde(default)]
    absent: bool,
    mode: Option<String>,
}

impl Example {
    /// Writes the example's files below `into`, with `env` in place of the values in its job file. The job file.
    pub(super) fn write(&self, into: &Path, env: &BTreeMap<&str, String>) -> io::Result<PathBuf> {
        let directory = into.join(self.name);
        for (name, text) in self.files {
            let path = directory.join(name);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            let text = if *name == "job.yml" {
                with_env(text, env)
            } else {
                (*text).to_owned()
            };
            std::fs::write(path, text)?;
        }
        Ok(directory.join("job.yml"))
    }

    /// What is not as it should be, given all that its succeeded runs printed on stdout, run by run.
    pub(super) fn unproven(&self, env: &BTreeMap<&str, String>, outputs: &[String]) -> Vec<String> {
        let expected: Expected =
            serde_json::from_str(self.expected).expect("the examples' tests read it too");
        let mut missing = Vec::new();
        let said = |output: &String| {
            expected
                .output_contains
                .iter()
                .all(|text| output.contains(text))
        };
        if !outputs.iter().any(said) {
            missing.push(format!("no run printed {:?}", expected.output_contains));
        }
        missing.extend(expected.files.iter().filter_map(|file| file.unproven(env)));
        missing
    }
}

impl ExpectedFile {
    fn unproven(&self, env: &BTreeMap<&str, String>) -> Option<String> {
        let mut path = self.path.clone();
        for (key, value) in env {
            path = path.replace(&format!("${{{key}}}"), value);
        }
        let path = Path::new(&path);
        if self.absent {
            return path
                .symlink_metadata()
                .is_ok()
                .then(|| format!("{} is still there", path.display()));
        }
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => return Some(format!("{}: {error}", path.display())),
        };
        let holds = |text: &&String| {
            bytes
                .windows(text.len().max(1))
                .any(|window| window == text.as_bytes())
        };
        if let Some(text) = self.contains.iter().find(|text| !holds(text)) {
            return Some(format!("{} does not hold {text:?}", path.display()));
        }
        let mode =
            std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode() & 0o777);
        let wanted = self.mode.as_ref()?;
        (format!("{mode:04o}") != *wanted)
            .then(|| format!("{} has mode {mode:04o}, not {wanted}", path.display()))
    }
}

/// The job file with these values of `env:`, each of which stands on a line of its own.
fn with_env(text: &str, env: &BTreeMap<&str, String>) -> String {
    let replaced = text.lines().map(|line| {
        let key = line.trim_start().split_once(": \"").map(|(key, _)| key);
        match key.and_then(|key| env.get_key_value(key)) {
            Some((key, value)) => format!("    {key}: {}", serde_json::Value::from(value.as_str())),
            None => line.to_owned(),
        }
    });
    replaced.map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(work_dir: &Path) -> BTreeMap<&'static str, String> {
        BTreeMap::from([("WORK_DIR", work_dir.display().to_string())])
    }

    #[test]
    fn every_example_takes_its_places_from_the_demo() {
        let temp = tempfile::tempdir().unwrap();
        for example in &EXAMPLES {
            let job_file = example
                .write(temp.path(), &env(Path::new("/somewhere")))
                .unwrap();
            let text = std::fs::read_to_string(job_file).unwrap();
            assert!(
                text.contains("    WORK_DIR: \"/somewhere\"\n"),
                "{}",
                example.name
            );
            assert!(!text.contains("~/"), "{}", example.name);
        }
    }

    #[test]
    fn an_example_that_did_nothing_is_not_proven() {
        let temp = tempfile::tempdir().unwrap();
        for example in &EXAMPLES {
            let missing = example.unproven(&env(temp.path()), &[]);
            assert!(missing.len() > 1, "{}: {missing:?}", example.name);
        }
    }
}
