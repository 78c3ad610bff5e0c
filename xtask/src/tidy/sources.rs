//! Rules about single files: names, lengths, leftovers, and what only some crates may call.

use super::rust_source;
use crate::finding::Finding;
use crate::repository::TextFile;

/// The longest file, without its unit tests.
const LINES_MAX: usize = 600;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 10] = [
    "util", "utils", "common", "helper", "helpers", "manager", "misc", "core", "stuff", "base",
];

/// Marks of work that was left. Written in two parts so that this file does not hold them.
const LEFTOVERS: [&str; 7] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("HA", "CK"),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("#[ign", "ore"),
];

/// Folders of people's own machines.
const HOMES: [&str; 2] = [concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Calls that belong to few crates, and which.
const CALLS: [(&str, &[&str], &str); 2] = [
    (
        "process::Command",
        &[
            "odin-executor",
            "odin",
            "odin-simulator",
            "odin-testbed",
            "odin-torture",
        ],
        "processes are started by odin-executor, and by odin for builds and tests",
    ),
    (
        "process::exit",
        &["odin-executor", "odin", "odin-torture"],
        "a library returns: ending the process is the program's decision",
    ),
];

pub(super) fn check(files: &[TextFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        check_leftovers(file, &mut findings);
        check_homes(file, &mut findings);
        if file.path.ends_with(".rs") {
            check_name(file, &mut findings);
            check_length(file, &mut findings);
            check_calls(file, &mut findings);
        }
        if file.path == "crates/odin-model/src/run.rs" {
            check_transitions(file, &mut findings);
        }
    }
    findings
}

fn check_leftovers(file: &TextFile, findings: &mut Vec<Finding>) {
    for (index, line) in file.text.lines().enumerate() {
        for mark in LEFTOVERS.iter().filter(|mark| line.contains(**mark)) {
            findings.push(Finding::new(
                format!("{}:{}", file.path, index + 1),
                "leftovers",
                format!("`{mark}` was left here"),
            ));
        }
    }
}

/// Tests may name a made-up home as data; what runs may not.
fn check_homes(file: &TextFile, findings: &mut Vec<Finding>) {
    if file.path.contains("/tests/") {
        return;
    }
    let lines = if file.path.ends_with(".rs") {
        rust_source::code_line_count(&file.text)
    } else {
        usize::MAX
    };
    for (index, line) in file.text.lines().take(lines).enumerate() {
        for home in HOMES.iter().filter(|home| line.contains(**home)) {
            findings.push(Finding::new(
                format!("{}:{}", file.path, index + 1),
                "homes",
                format!("a path under `{home}` is somebody's own; use `~` or a temporary folder"),
            ));
        }
    }
}

fn check_name(file: &TextFile, findings: &mut Vec<Finding>) {
    let empty = file.path.split('/').find_map(|part| {
        let stem = part.strip_suffix(".rs").unwrap_or(part);
        stem.split(['_', '-'])
            .find(|word| EMPTY_NAMES.contains(word))
    });
    if let Some(word) = empty {
        findings.push(Finding::new(
            &file.path,
            "file names",
            format!("`{word}` says nothing about what is inside; name the thing"),
        ));
    }
}

fn check_length(file: &TextFile, findings: &mut Vec<Finding>) {
    // A file of integration tests is as long as its cases are.
    if file.path.contains("/tests/") {
        return;
    }
    let lines = rust_source::code_line_count(&file.text);
    if lines > LINES_MAX {
        findings.push(Finding::new(
            &file.path,
            "file length",
            format!("{lines} lines without the tests; at most {LINES_MAX}: split it by concept"),
        ));
    }
}

fn check_calls(file: &TextFile, findings: &mut Vec<Finding>) {
    let Some((name, inside)) = file
        .path
        .strip_prefix("crates/")
        .and_then(|path| path.split_once('/'))
    else {
        return;
    };
    if !inside.starts_with("src/") {
        return;
    }
    for line in rust_source::lines(&file.text) {
        for (call, allowed, why) in CALLS {
            if line.code.contains(call) && !allowed.contains(&name) {
                findings.push(Finding::new(
                    format!("{}:{}", file.path, line.number),
                    "calls",
                    format!("`{call}` is not for `{name}`: {why}"),
                ));
            }
        }
    }
}

/// `clippy::wildcard_enum_match_arm` does not see a wildcard over a tuple of enums, and the transition function
/// matches on one. A new state or event must not compile until it is placed.
fn check_transitions(file: &TextFile, findings: &mut Vec<Finding>) {
    for line in rust_source::lines(&file.text) {
        let code = line.code.trim_start();
        if code.starts_with("_ =>") || code.starts_with("(_, _)") {
            findings.push(Finding::new(
                format!("{}:{}", file.path, line.number),
                "transitions",
                "write every pair of state and event; no `_ =>` in this file",
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_file(path: &str, text: &str, expected: &[&str]) {
        let file = TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let seen: Vec<&str> = check(&[file]).iter().map(|it| it.rule).collect();
        assert_eq!(seen, expected, "{path}: {text}");
    }

    #[test]
    fn each_rule_finds_what_it_is_for_and_nothing_else() {
        let long = "// x\n".repeat(601);
        let tested = format!(
            "{}#[cfg(test)]\nmod tests {{\n{long}}}\n",
            "// x\n".repeat(600)
        );
        for (path, text, expected) in [
            ("docs/a.md", concat!("TO", "DO later"), &["leftovers"][..]),
            ("docs/a.md", "to do later", &[]),
            ("examples/a.sh", concat!("cd /ho", "me/ada"), &["homes"]),
            ("crates/odin-x/src/utils.rs", "", &["file names"]),
            ("crates/odin-x/src/job_manager.rs", "", &["file names"]),
            ("crates/odin-x/src/coredump.rs", "", &[]),
            ("crates/odin-x/src/a.rs", long.as_str(), &["file length"]),
            ("crates/odin-x/src/a.rs", tested.as_str(), &[]),
            ("crates/odin-x/tests/a.rs", long.as_str(), &[]),
            (
                "crates/odin-store/src/a.rs",
                "use std::process::Command;",
                &["calls"],
            ),
            (
                "crates/odin-store/src/a.rs",
                "// std::process::Command",
                &[],
            ),
            (
                "crates/odin-executor/src/a.rs",
                "use std::process::Command;",
                &[],
            ),
            (
                "crates/odin-store/tests/a.rs",
                "use std::process::Command;",
                &[],
            ),
            (
                "crates/odin-model/src/run.rs",
                "    _ => Err(x),",
                &["transitions"],
            ),
            ("crates/odin-model/src/job.rs", "    _ => Err(x),", &[]),
        ] {
            check_file(path, text, expected);
        }
    }
}
