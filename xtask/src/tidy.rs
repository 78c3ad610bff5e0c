//! Rules about files and words that no compiler checks. They are also this crate's tests.

mod crates;
mod guards;
mod links;
mod rust_source;
mod sources;
mod words;

use crate::finding::Finding;
use crate::layers;
use crate::manifest;
use crate::repository::{Repository, TextFile};
use crate::step::Failure;

/// All findings of the layer table and of the rules here, in order of their places.
pub(crate) fn check(repository: &Repository) -> Result<Vec<Finding>, Failure> {
    let files = repository.text_files()?;
    let members = manifest::read_all(repository)?;
    let mut findings = layers::check(&members);
    findings.extend(crates::check(&members, &files));
    findings.extend(sources::check(&files));
    findings.extend(words::check(&files));
    findings.extend(links::check(repository, &files));
    findings.extend(guards::check(&files));
    findings.extend(check_changelog(&files));
    findings.sort();
    Ok(findings)
}

fn check_changelog(files: &[TextFile]) -> Option<Finding> {
    let has_section = files
        .iter()
        .find(|file| file.path == "CHANGELOG.md")
        .is_some_and(|file| file.text.lines().any(|line| line == "## Unreleased"));
    (!has_section).then(|| {
        Finding::new(
            "CHANGELOG.md",
            "changelog",
            "there is no line `## Unreleased`; changes are noted under it",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let findings = check(&Repository::find().unwrap()).unwrap();
        assert!(findings.is_empty(), "{}", Failure::Findings(findings));
    }

    #[test]
    fn a_changelog_without_a_place_for_the_next_change_is_found() {
        let file = |text: &str| TextFile {
            path: "CHANGELOG.md".to_owned(),
            text: text.to_owned(),
        };
        assert_eq!(
            check_changelog(&[file("# Changes\n\n## Unreleased\n")]),
            None
        );
        assert!(check_changelog(&[file("# Changes\n")]).is_some());
        assert!(check_changelog(&[]).is_some());
    }
}
