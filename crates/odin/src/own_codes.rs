//! The codes of errors that the command line finds by itself. Those of the server are in `odin-wire`.

use odin_wire::Exit;

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnCode {
    /// The code, or a family of codes where it ends with `/*`.
    pub(crate) code: &'static str,
    /// What a command ends with that meets it.
    pub(crate) exit: Exit,
    /// What it means.
    pub(crate) title: &'static str,
}

const fn row(code: &'static str, exit: Exit, title: &'static str) -> OwnCode {
    OwnCode { code, exit, title }
}

/// Every code, in alphabetical order.
pub(crate) const TABLE: &[OwnCode] = &[
    row("backup/cut-off", Exit::Failed, "A backup ends too early"),
    row(
        "backup/damaged",
        Exit::Failed,
        "A part of a backup is not what was written",
    ),
    row(
        "backup/disk-full",
        Exit::Failed,
        "There is no space left for a backup, or for what is in it",
    ),
    row(
        "backup/exists",
        Exit::Conflict,
        "A file is there already, and nothing is overwritten",
    ),
    row(
        "backup/io",
        Exit::Failed,
        "A backup, or what is in it, cannot be read or written",
    ),
    row(
        "backup/newer-version",
        Exit::Refused,
        "A newer Odin made the backup",
    ),
    row(
        "backup/not-a-backup",
        Exit::Refused,
        "The file is not a backup of Odin",
    ),
    row(
        "backup/state",
        Exit::Failed,
        "The state in a backup cannot be used",
    ),
    row("calendar/*", Exit::Refused, "A calendar has a mistake"),
    row(
        "cli/bad-address",
        Exit::Refused,
        "Not a server's address or port",
    ),
    row("cli/bad-duration", Exit::Refused, "Not a duration"),
    row(
        "cli/bad-environment",
        Exit::Refused,
        "A variable of the environment is not UTF-8",
    ),
    row("cli/bad-time", Exit::Refused, "Not a time"),
    row("cli/bad-token", Exit::Refused, "Not a token"),
    row(
        "cli/file",
        Exit::Refused,
        "A file cannot be read or written",
    ),
    row(
        "cli/no-randomness",
        Exit::Failed,
        "The system gives no random numbers",
    ),
    row("cli/no-runtime", Exit::Failed, "The command cannot start"),
    row(
        "cli/no-such-job",
        Exit::Refused,
        "A job is named that no job file of the folder has",
    ),
    row(
        "cli/not-a-fault",
        Exit::Refused,
        "`ODIN_FAULT`, which is for tests, names no fault",
    ),
    row(
        "cli/not-a-file",
        Exit::Refused,
        "A path names nothing that the command can use",
    ),
    row(
        "cli/not-supported-yet",
        Exit::Refused,
        "A flag that is not supported yet",
    ),
    row(
        "cli/nothing-set",
        Exit::Refused,
        "Nothing was typed for a secret",
    ),
    row(
        "cli/nothing-to-modify",
        Exit::Refused,
        "`modify` without a change",
    ),
    row("cli/output", Exit::Failed, "The output cannot be written"),
    row(
        "cli/same-job",
        Exit::Refused,
        "Two files of a directory are one job",
    ),
    row(
        "cli/same-run",
        Exit::Refused,
        "A run is compared with itself",
    ),
    row("cli/usage", Exit::Refused, "The arguments are refused"),
    row(
        "client/answer-too-large",
        Exit::Failed,
        "The server's answer is larger than a client takes",
    ),
    row(
        "client/cannot-connect",
        Exit::Unavailable,
        "The connection cannot be made",
    ),
    row(
        "client/connection-lost",
        Exit::Unavailable,
        "The connection broke before the answer was complete",
    ),
    row(
        "client/gone",
        Exit::NotFound,
        "A job was gone when its removal was repeated",
    ),
    row(
        "client/no-socket",
        Exit::Unavailable,
        "The node on the port has no unix socket",
    ),
    row(
        "client/not-odin",
        Exit::Unavailable,
        "What answers is not an Odin server",
    ),
    row(
        "client/not-running",
        Exit::Unavailable,
        "No server is running there",
    ),
    row(
        "client/socket-not-permitted",
        Exit::NotPermitted,
        "You may not use the socket",
    ),
    row(
        "client/strangers-socket",
        Exit::NotPermitted,
        "The port's node named a socket that neither root nor you hold",
    ),
    row(
        "client/timeout",
        Exit::Unavailable,
        "The server did not answer in time",
    ),
    row(
        "client/token-missing",
        Exit::NotPermitted,
        "A server named by URL needs a token",
    ),
    row(
        "convert/*",
        Exit::Failed,
        "The schedule cannot be said in the other notation",
    ),
    row("demo/*", Exit::Failed, "The demonstration failed"),
    row(
        "executor/*",
        Exit::Failed,
        "The executor cannot start or go on",
    ),
    row(
        "generate/bad-name",
        Exit::Refused,
        "Not a name for a job file",
    ),
    row(
        "generate/exists",
        Exit::Refused,
        "A file is there already, and nothing is overwritten",
    ),
    row("go/build-failed", Exit::Refused, "`go build` failed"),
    row(
        "go/not-a-program",
        Exit::Refused,
        "The Go file's package is not `main`",
    ),
    row(
        "go/not-installed",
        Exit::Refused,
        "`go` is not installed here",
    ),
    row(
        "go/not-startable",
        Exit::Refused,
        "`go build` cannot be started",
    ),
    row(
        "job/ambiguous-name",
        Exit::Refused,
        "Several jobs have this name",
    ),
    row(
        "recover/exists",
        Exit::Refused,
        "A file is there already, and nothing is overwritten",
    ),
    row(
        "restore/executor-runs",
        Exit::Conflict,
        "Jobs of the data that is to be replaced still run",
    ),
    row(
        "restore/log",
        Exit::Failed,
        "A new log cannot be begun from the restored state",
    ),
    row(
        "restore/not-empty",
        Exit::Conflict,
        "The data directory holds data already",
    ),
    row(
        "restore/state",
        Exit::Failed,
        "The restored state cannot be made ready",
    ),
    row(
        "server/bad-address",
        Exit::Refused,
        "Not an address to listen on",
    ),
    row(
        "server/bad-log-filter",
        Exit::Refused,
        "`ODIN_LOG` is no filter of log lines",
    ),
    row(
        "server/broken",
        Exit::Failed,
        "The log or the state failed while the server ran",
    ),
    row(
        "server/data-dir",
        Exit::Failed,
        "The data directory cannot be made or written",
    ),
    row(
        "server/data-dir-in-use",
        Exit::Failed,
        "Another server uses the data directory",
    ),
    row(
        "server/data-dir-newer",
        Exit::Failed,
        "A newer Odin wrote the data directory",
    ),
    row(
        "server/data-dir-older",
        Exit::Failed,
        "A build of Odin from before the first release wrote the data directory",
    ),
    row(
        "server/data-dir-owner",
        Exit::Failed,
        "The data directory belongs to another user",
    ),
    row(
        "server/disk-full",
        Exit::Failed,
        "There is no space left for the data",
    ),
    row(
        "server/executor",
        Exit::Failed,
        "The executor cannot be started",
    ),
    row(
        "server/listen",
        Exit::Failed,
        "An address cannot be listened on",
    ),
    row(
        "server/name",
        Exit::Refused,
        "Not a node's name, or one that another node has",
    ),
    row(
        "server/no-data-dir",
        Exit::Refused,
        "Nothing says where the data should be",
    ),
    row(
        "server/not-loopback",
        Exit::Failed,
        "An address beyond loopback, and there is no TLS yet",
    ),
    row(
        "server/port-in-use",
        Exit::Failed,
        "Another program listens on the port",
    ),
    row(
        "server/program",
        Exit::Failed,
        "The server cannot tell where its program is",
    ),
    row(
        "server/runtime",
        Exit::Failed,
        "The server cannot start threads",
    ),
    row(
        "server/signals",
        Exit::Failed,
        "The server cannot listen for signals",
    ),
    row(
        "server/storage",
        Exit::Failed,
        "The state or the log cannot be opened",
    ),
    row(
        "zones/*",
        Exit::Refused,
        "The machine's time zone database cannot be used",
    ),
];

/// The title of a code, of its own or of its family.
pub(crate) fn title_of(code: &str) -> Option<&'static str> {
    let matches = |row: &&OwnCode| match row.code.strip_suffix('*') {
        Some(family) => code.starts_with(family),
        None => row.code == code,
    };
    TABLE.iter().find(matches).map(|row| row.title)
}

/// What the reference page says that a command with this code ends with. `None`: the code has no row of its own.
pub(crate) fn exit_of(code: &str) -> Option<Exit> {
    TABLE
        .iter()
        .find(|row| row.code == code)
        .map(|row| row.exit)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::path::Path;

    /// The table as a section of the reference page.
    pub(crate) fn section() -> String {
        let mut text = String::from(
            "\n## Error codes\n\n\
             Errors of the server have [codes of their own](errors.md); the command line adds these. `x/*` stands for\n\
             every code of that prefix.\n\n| code | exit | meaning |\n| --- | --- | --- |\n",
        );
        for row in TABLE {
            text += &format!("| `{}` | {} | {} |\n", row.code, row.exit.code(), row.title);
        }
        text
    }

    #[test]
    fn the_table_is_in_order_and_no_code_is_there_twice() {
        assert!(TABLE.is_sorted_by(|a, b| a.code < b.code));
    }

    /// Codes that this crate and the client write, outside their tests.
    fn codes_in(directory: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                codes_in(&path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap();
            let literals = text.split('"').skip(1).step_by(2);
            let is_code = |literal: &&str| {
                let (family, name) = literal.split_once('/').unwrap_or_default();
                let word = |text: &str| {
                    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
                };
                let families = [
                    "cli", "client", "go", "generate", "recover", "demo", "executor", "server",
                ];
                families.contains(&family) && word(name)
            };
            found.extend(literals.filter(is_code).map(str::to_owned));
        }
    }

    #[test]
    fn every_code_that_is_written_in_the_source_is_in_the_table() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = Vec::new();
        codes_in(&here.join("src"), &mut found);
        codes_in(&here.join("../odin-client/src"), &mut found);
        codes_in(&here.join("../odin-node/src"), &mut found);
        assert!(
            found.len() > 20,
            "the search finds nothing any more: {found:?}"
        );
        let missing: Vec<_> = found
            .iter()
            .filter(|code| title_of(code).is_none())
            .collect();
        assert_eq!(missing, [] as [&String; 0]);
    }
}
