//! Whether the files of a data directory are whose they should be, and nobody else's to read.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::check::Check;

/// Names in a data directory with the most that their modes may allow. What is not there yet is no matter.
const MODES: [(&str, u32); 17] = [
    ("", 0o711),
    ("state.db", 0o600),
    ("state.db-wal", 0o600),
    ("log", 0o700),
    ("history", 0o700),
    ("output", 0o700),
    ("bundles", 0o700),
    ("executor", 0o700),
    ("jobs", 0o711),
    ("backup", 0o700),
    ("restore", 0o700),
    ("odin.sock", 0o660),
    ("executor.sock", 0o600),
    ("values.sock", 0o666),
    ("local.token", 0o600),
    ("secrets.key", 0o600),
    ("LOCK", 0o600),
];

/// A file or directory as it is.
#[derive(Debug, Clone)]
struct Found {
    path: PathBuf,
    mode: u32,
    uid: u32,
    /// What its mode may allow.
    mode_max: u32,
}

/// Looks at the files whose names are known: to do so takes no right to list them.
pub(super) fn look(data_dir: &Path, uid: u32) -> Vec<Check> {
    let mut found = Vec::new();
    for (name, mode_max) in MODES {
        let path = match name {
            "" => data_dir.to_owned(),
            name => data_dir.join(name),
        };
        match path.symlink_metadata() {
            Ok(metadata) => found.push(Found {
                path,
                mode: metadata.mode() & 0o7777,
                uid: metadata.uid(),
                mode_max,
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                let detail = format!("{} cannot be looked at: {error}", path.display());
                let help = "Run `odin doctor` as the server's user.";
                return vec![Check::warning("data directory", detail, help)];
            }
        }
    }
    checks(data_dir, &found, uid)
}

fn checks(data_dir: &Path, found: &[Found], uid: u32) -> Vec<Check> {
    let mut checks = Vec::new();
    for file in found {
        let path = file.path.display();
        if file.uid != uid {
            checks.push(Check::problem(
                "data directory",
                format!(
                    "{path} belongs to uid {} and the server is uid {uid}",
                    file.uid
                ),
                format!("Give it back: `chown {uid} {path}`."),
            ));
        }
        if file.mode & !file.mode_max != 0 {
            checks.push(Check::problem(
                "data directory",
                format!(
                    "{path} has mode {:04o}: others than the server's user get at it",
                    file.mode
                ),
                format!("Close it: `chmod {:04o} {path}`.", file.mode_max),
            ));
        }
    }
    if checks.is_empty() {
        let detail = format!("{}: owners and modes are right", data_dir.display());
        checks.push(Check::ok("data directory", detail));
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::check::drawn;
    use expect_test::expect;

    #[test]
    fn what_others_can_read_or_own_is_a_problem_with_the_command_that_mends_it() {
        let file = |name: &str, mode, uid, mode_max| Found {
            path: Path::new("/d").join(name),
            mode,
            uid,
            mode_max,
        };
        let right = [file("log", 0o700, 7, 0o700), file("LOCK", 0o400, 7, 0o600)];
        let wrong = [
            file("secrets.key", 0o644, 7, 0o600),
            file("log", 0o700, 8, 0o700),
        ];
        let of = |found: &[Found]| drawn(&checks(Path::new("/d"), found, 7));
        expect![[r#"
            ok       data directory  /d: owners and modes are right
            no problems, no warnings
        "#]]
        .assert_eq(&of(&right));
        expect![[r#"
            problem  data directory  /d/secrets.key has mode 0644: others than the server's user get at it
                                     help: Close it: `chmod 0600 /d/secrets.key`.
            problem  data directory  /d/log belongs to uid 8 and the server is uid 7
                                     help: Give it back: `chown 7 /d/log`.
            2 problems, no warnings
        "#]].assert_eq(&of(&wrong));
    }
}
