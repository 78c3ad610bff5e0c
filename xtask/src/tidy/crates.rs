//! Rules about each crate as a whole.

use crate::finding::Finding;
use crate::manifest::Crate;
use crate::repository::TextFile;

/// Crates whose own clippy.toml may leave a clock out, because making or running one is their business.
const MAY_READ_CLOCKS: [&str; 7] = [
    "odin-executor",
    "odin-node",
    "odin",
    "odin-simulator",
    "odin-testbed",
    "odin-torture",
    "xtask",
];

/// What every other crate's own clippy.toml must ban: it replaces the root's file whole.
const CLOCKS: [&str; 3] = [
    "std::time::SystemTime::now",
    "jiff::Timestamp::now",
    "std::thread::sleep",
];

pub(super) fn check(members: &[Crate], files: &[TextFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in members {
        check_manifest(member, &mut findings);
        check_first_line(member, files, &mut findings);
        check_clippy(member, files, &mut findings);
    }
    findings
}

fn check_manifest(member: &Crate, findings: &mut Vec<Finding>) {
    let place = format!("{}/Cargo.toml", member.folder);
    let folder_name = member.folder.rsplit('/').next().unwrap_or_default();
    // `sdks/` has a folder for each language.
    if folder_name != member.name && member.folder != "sdks/rust" {
        findings.push(Finding::new(
            &place,
            "crate names",
            format!(
                "the folder is `{folder_name}` and the crate `{}`",
                member.name
            ),
        ));
    }
    if !member.has_workspace_lints {
        findings.push(Finding::new(
            &place,
            "lints",
            "`[lints] workspace = true` is missing",
        ));
    }
    if member.has_features {
        findings.push(Finding::new(
            &place,
            "features",
            "there is one binary with one behaviour: no feature flags",
        ));
    }
    for dependency in &member.own_versions {
        findings.push(Finding::new(
            &place,
            "versions",
            format!(
                "`{dependency}` has a version of its own; write `{dependency}.workspace = true`"
            ),
        ));
    }
}

/// The first line of a crate is its one sentence.
fn check_first_line(member: &Crate, files: &[TextFile], findings: &mut Vec<Finding>) {
    let sources = ["lib.rs", "main.rs"].map(|name| format!("{}/src/{name}", member.folder));
    let Some(file) = sources
        .iter()
        .find_map(|path| files.iter().find(|file| file.path == *path))
    else {
        findings.push(Finding::new(
            &member.folder,
            "crate sentence",
            "there is neither src/lib.rs nor src/main.rs",
        ));
        return;
    };
    let first = file.text.lines().next().unwrap_or_default();
    let is_sentence = first
        .strip_prefix("//! ")
        .is_some_and(|sentence| sentence.ends_with(['.', ':']));
    if !is_sentence {
        findings.push(Finding::new(
            format!("{}:1", file.path),
            "crate sentence",
            "the first line says what the crate is, as `//! One sentence.`",
        ));
    }
}

fn check_clippy(member: &Crate, files: &[TextFile], findings: &mut Vec<Finding>) {
    if MAY_READ_CLOCKS.contains(&member.name.as_str()) {
        return;
    }
    let path = format!("{}/clippy.toml", member.folder);
    let Some(file) = files.iter().find(|file| file.path == path) else {
        return; // The root's file holds.
    };
    for clock in CLOCKS {
        if !file.text.contains(&format!("\"{clock}\"")) {
            findings.push(Finding::new(
                &path,
                "clocks",
                format!("`{clock}` must be banned here too: this file replaces the root's"),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest;

    #[track_caller]
    fn check_crate(manifest: &str, files: &[(&str, &str)], expected: &[&str]) {
        let member = manifest::parse("crates/odin-x", manifest).unwrap();
        let files: Vec<TextFile> = files
            .iter()
            .map(|(path, text)| TextFile {
                path: (*path).to_owned(),
                text: (*text).to_owned(),
            })
            .collect();
        let seen: Vec<&str> = check(&[member], &files).iter().map(|it| it.rule).collect();
        assert_eq!(seen, expected);
    }

    const GOOD: &str = "[package]\nname = \"odin-x\"\n[lints]\nworkspace = true\n";
    const LIB: (&str, &str) = ("crates/odin-x/src/lib.rs", "//! Does one thing.\n");

    #[test]
    fn a_crate_that_keeps_the_rules_has_no_findings() {
        check_crate(GOOD, &[LIB], &[]);
    }

    #[test]
    fn what_a_crate_leaves_out_is_named() {
        check_crate(
            "[package]\nname = \"odin-y\"\n[features]\nfast = []\n[dependencies]\nserde = \"1\"",
            &[("crates/odin-x/src/main.rs", "fn main() {}\n")],
            &[
                "crate names",
                "lints",
                "features",
                "versions",
                "crate sentence",
            ],
        );
        check_crate(GOOD, &[], &["crate sentence"]);
        check_crate(
            GOOD,
            &[
                LIB,
                ("crates/odin-x/clippy.toml", "disallowed-methods = []"),
            ],
            &["clocks", "clocks", "clocks"],
        );
    }
}
