//! The gate: what must hold before a change goes in. Reads only; `fix` is the command that writes.

use crate::repository::Repository;
use crate::step::{Failure, cargo, run};
use crate::tidy as rules;

/// Everything, the quick checks first.
pub(crate) fn verify(repository: &Repository) -> Result<(), Failure> {
    tidy(repository)?;
    run(cargo(repository, &["fmt", "--all", "--check"]))?;
    run(cargo(
        repository,
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ],
    ))?;
    println!("verify: all rules hold");
    Ok(())
}

/// The layer table and the tidy rules, which need no build.
pub(crate) fn tidy(repository: &Repository) -> Result<(), Failure> {
    println!("» layers, tidy");
    let findings = rules::check(repository)?;
    if findings.is_empty() {
        Ok(())
    } else {
        Err(Failure::Findings(findings))
    }
}

/// Formats, and applies what clippy can apply. Works on a tree with changes: that is when it is wanted.
pub(crate) fn fix(repository: &Repository) -> Result<(), Failure> {
    run(cargo(
        repository,
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--fix",
            "--allow-dirty",
            "--allow-staged",
        ],
    ))?;
    run(cargo(repository, &["fmt", "--all"]))
}
