//! Whether the files of sealed history are there and are what was written.

use std::path::{Path, PathBuf};

use odin_node::history::{self, HistoryStatus};

use super::check::Check;

const NAME: &str = "history";

/// Reads every byte of the history of a data directory: seconds for a gigabyte. Nothing without a state.
pub(super) fn look(data_dir: &Path) -> Vec<Check> {
    let state = data_dir.join("state.db");
    if !state.is_file() {
        return Vec::new();
    }
    match history::look(&state) {
        Ok(status) => checks(&status),
        Err(error) => vec![Check::warning(
            NAME,
            format!("{} cannot be read: {error}", state.display()),
            "Run `odin doctor` as the server's user, of the server's version.",
        )],
    }
}

fn checks(status: &HistoryStatus) -> Vec<Check> {
    let faults = status.faults.iter().map(fault);
    let mut checks: Vec<_> = faults.collect();
    if checks.is_empty() {
        let runs: u64 = status.files.iter().map(|file| file.runs).sum();
        let detail = match status.files.len() {
            0 => "no runs are in files yet".to_owned(),
            files => format!("{files} files with {runs} runs: every checksum is right"),
        };
        checks.push(Check::ok(NAME, detail));
    }
    checks
}

fn fault((path, what): &(PathBuf, String)) -> Check {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let help = format!(
        "Take it out of a backup, with the server stopped: `tar --zstd -xOf BACKUP history/{name} > {}`. \
         What is not in it is served.",
        path.display()
    );
    Check::problem(NAME, format!("{}: {what}", path.display()), help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::check::drawn;
    use expect_test::expect;
    use odin_node::history::HistoryFileStatus;

    #[test]
    fn a_damaged_file_is_named_with_the_command_that_brings_it_back() {
        let file = HistoryFileStatus {
            number: 1,
            path: "/d/history/00000001.odinhistory".into(),
            bytes: 4096,
            runs: 12,
        };
        let mut status = HistoryStatus::default();
        let of = |status: &HistoryStatus| drawn(&checks(status));
        expect![[r#"
            ok       history  no runs are in files yet
            no problems, no warnings
        "#]]
        .assert_eq(&of(&status));
        status.files.push(file.clone());
        expect![[r#"
            ok       history  1 files with 12 runs: every checksum is right
            no problems, no warnings
        "#]]
        .assert_eq(&of(&status));
        status
            .faults
            .push((file.path, "a checksum is wrong".into()));
        let said = of(&status);
        assert!(
            said.contains("problem  history  /d/history/00000001.odinhistory: a checksum is wrong")
                && said.contains("tar --zstd -xOf BACKUP history/00000001.odinhistory")
                && said.contains("1 problem, no warnings"),
            "{said}"
        );
    }
}
