//! One word per thing (docs/glossary.md): names that say the same with another word.
//!
//! Few words, each of which has no other meaning here: a rule with false alarms is a rule that people learn to
//! silence. What is looked at: names that Rust code declares, and prose in `docs/` and comments for the phrases.

use super::rust_source;
use crate::finding::Finding;
use crate::repository::TextFile;

/// A word that no declared name may hold as one of its parts, and the word of the glossary.
const IN_NAMES: [(&str, &str); 8] = [
    ("manager", "the thing itself, or `scheduler`"),
    ("worker", "`agent` or `executor`"),
    ("slave", "`follower`"),
    ("master", "`leader`"),
    ("shim", "`executor`"),
    ("trigger", "`occurrence`, `link` or `cause`"),
    ("cronjob", "`job`"),
    ("pipeline", "`workflow`"),
];

/// The name that the first node has, by contract.
const NAME_BY_CONTRACT: &str = "master-node";

/// A phrase that no prose may hold, and the word of the glossary.
const IN_PROSE: [(&str, &str); 6] = [
    ("slave", "follower"),
    ("worker node", "node"),
    ("master node", "leader"),
    ("cron job", "job"),
    ("job instance", "run"),
    ("job execution", "run"),
];

const DECLARING: [&str; 8] = [
    "fn", "struct", "enum", "trait", "mod", "type", "const", "static",
];

pub(super) fn check(files: &[TextFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        if file.path.starts_with("xtask/") || file.path == "docs/glossary.md" {
            continue; // They list the words.
        }
        if file.path.ends_with(".rs") {
            for line in rust_source::lines(&file.text) {
                check_names(file, &line, &mut findings);
                check_prose(file, line.number, line.comment, &mut findings);
            }
        } else if file.path.ends_with(".md") && !file.path.starts_with("docs/decisions/") {
            // A decision may name what was rejected.
            for (index, line) in file.text.lines().enumerate() {
                check_prose(file, index + 1, line, &mut findings);
            }
        }
    }
    findings
}

fn check_names(file: &TextFile, line: &rust_source::Line<'_>, findings: &mut Vec<Finding>) {
    let mut words = line
        .code
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        if !DECLARING.contains(&word) {
            continue;
        }
        let Some(name) = words.next() else { return };
        let parts = parts(name);
        if let Some((_, instead)) = IN_NAMES
            .iter()
            .find(|(word, _)| parts.iter().any(|part| part == word))
        {
            findings.push(Finding::new(
                format!("{}:{}", file.path, line.number),
                "words",
                format!("`{name}`: the word here is {instead} (docs/glossary.md)"),
            ));
        }
    }
}

fn check_prose(file: &TextFile, number: usize, prose: &str, findings: &mut Vec<Finding>) {
    let prose = prose.to_lowercase().replace(NAME_BY_CONTRACT, "");
    for (phrase, instead) in IN_PROSE {
        if prose.contains(phrase) {
            findings.push(Finding::new(
                format!("{}:{number}", file.path),
                "words",
                format!("`{phrase}`: the word here is `{instead}` (docs/glossary.md)"),
            ));
        }
    }
}

/// `JobManager` and `job_manager` as `job`, `manager`.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut previous_is_lower = false;
    for c in name.chars() {
        if c == '_' || (c.is_uppercase() && previous_is_lower) {
            parts.push(String::new());
        }
        if c != '_' {
            let last = parts.len() - 1;
            parts[last].extend(c.to_lowercase());
        }
        previous_is_lower = c.is_lowercase() || c.is_numeric();
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_file(path: &str, text: &str, expected: usize) {
        let file = TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        assert_eq!(check(&[file]).len(), expected, "{path}: {text}");
    }

    #[test]
    fn a_second_word_for_a_thing_is_found_where_it_is_declared() {
        for (text, expected) in [
            ("pub struct JobManager;", 1),
            ("fn start_worker() {}", 1),
            ("builder.worker_threads(2);", 0),
            ("const MASTERY: u8 = 1;", 0),
            ("// the worker node", 1),
            ("/// The first node is `master-node` unless named.", 0),
            ("let x = \"slave\";", 0),
        ] {
            check_file("crates/odin-x/src/a.rs", text, expected);
        }
        check_file("docs/a.md", "A cron job runs.", 1);
        check_file("docs/glossary.md", "A cron job runs.", 0);
    }
}
