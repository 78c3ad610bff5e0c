//! The one table of error codes: what each means, its HTTP status and the exit code of a command that meets it.

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCode {
    /// The code, or a family of codes where it ends with `/*`.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What it means.
    pub title: &'static str,
    /// The usual next step; empty where there is none.
    pub help: &'static str,
}

const fn row(
    code: &'static str,
    status: u16,
    title: &'static str,
    help: &'static str,
) -> ErrorCode {
    ErrorCode {
        code,
        status,
        title,
        help,
    }
}

/// Every code, in alphabetical order. A family stands for the codes of its prefix that have no row of their own.
pub const TABLE: &[ErrorCode] = &[
    row(
        "alert/bad-id",
        400,
        "Not an alert's id",
        "`odin alerts` shows the ids of open alerts.",
    ),
    row("alert/bad-kind", 400, "Not a kind of alert", ""),
    row(
        "alert/bad-reason",
        422,
        "A reason is missing or too long",
        "Say in a sentence why: --reason \"…\".",
    ),
    row(
        "alert/not-found",
        404,
        "No such alert",
        "`odin alerts` shows open alerts; --all shows resolved ones too.",
    ),
    row("alert/over", 409, "The alert is resolved already", ""),
    row(
        "auth/not-root",
        403,
        "This server runs only its own user's jobs",
        "Deploy as the user who runs the server, or ask for a server that root runs.",
    ),
    row(
        "auth/required",
        401,
        "A token is needed",
        "Use the unix socket, or send `Authorization: Bearer TOKEN` with the token in the data directory's local.token.",
    ),
    row(
        "auth/unknown-user",
        403,
        "The server does not know this user",
        "Connect as a user that the server's machine has.",
    ),
    row(
        "auth/wrong-host",
        403,
        "The request was made for another host",
        "Use the address that the server printed at its start.",
    ),
    row(
        "auth/wrong-token",
        401,
        "The token is not valid",
        "Use the token in the data directory's local.token.",
    ),
    row(
        "backup/under-way",
        409,
        "Another backup is being written",
        "Wait until it is done: a node writes one at a time.",
    ),
    row(
        "bundle/*",
        422,
        "The bundle is refused",
        "Deploy again with this version of odin.",
    ),
    row("bundle/not-here", 404, "The bundle is not on this node", ""),
    row(
        "calendar/bad-file",
        422,
        "The calendar cannot be read",
        "Mend the line that is named: a calendar is iCalendar text, or one date in each line.",
    ),
    row(
        "calendar/bad-name",
        422,
        "This cannot be the name of a calendar",
        "Begin with a letter; letters, digits, `-` and `_` may follow.",
    ),
    row(
        "calendar/in-use",
        409,
        "Jobs use the calendar",
        "Change their schedules first, or remove it all the same with --force: they are not due until it is back.",
    ),
    row(
        "calendar/not-found",
        404,
        "No such calendar",
        "See `odin calendar list`.",
    ),
    row(
        "calendar/not-permitted",
        403,
        "The calendar belongs to somebody else",
        "Ask its owner or an admin to change it, or set one of another name.",
    ),
    row(
        "calendar/too-many",
        409,
        "There are as many calendars as there may be",
        "Remove one that no job uses.",
    ),
    row(
        "catch-up/bad-times",
        422,
        "Not the due times of a catch-up",
        "Ask with a window: `odin catch-up --from A --to B`.",
    ),
    row(
        "catch-up/bad-window",
        422,
        "Not a window to catch up",
        "`--from` comes before `--to`, and both are in the past.",
    ),
    row(
        "catch-up/too-many-times",
        422,
        "The window has too many due times",
        "Choose a shorter one.",
    ),
    row(
        "channel/bad-name",
        400,
        "Not a channel's name",
        "Use lower-case letters, digits, `-`, `_` and `.`: ops.",
    ),
    row(
        "channel/bad-target",
        422,
        "The channel cannot be set up like this",
        "",
    ),
    row(
        "channel/in-use",
        409,
        "Jobs send word to the channel",
        "Deploy them without it, or force it: their alerts are then only listed.",
    ),
    row(
        "channel/not-found",
        404,
        "No such channel",
        "`odin notify channel list` shows the channels.",
    ),
    row(
        "channel/too-many",
        409,
        "There are as many channels as there may be",
        "Remove one that nobody uses.",
    ),
    row(
        "channel/undeliverable",
        502,
        "The channel did not take the message",
        "See what the last step says; `odin notify test` tries it again.",
    ),
    row(
        "cluster/command-too-large",
        422,
        "The change is too large for one log entry",
        "Shorten the description, the arguments or the environment.",
    ),
    row(
        "cluster/no-leader",
        503,
        "No leader",
        "Try again in a few seconds; `odin nodes get` shows the nodes.",
    ),
    row(
        "cluster/outcome-unknown",
        503,
        "It is not known whether the change was made",
        "Look before you repeat it; a request with an idempotency key may be repeated.",
    ),
    row("file/*", 422, "The job file has mistakes", ""),
    row(
        "internal/error",
        500,
        "Odin made a mistake",
        "The server's log has the details; please report it.",
    ),
    row("job/already", 409, "The job is in that state already", ""),
    row(
        "job/bad-description",
        422,
        "Not a job's description",
        "Leave out control characters.",
    ),
    row(
        "job/bad-id",
        400,
        "Not a job's id",
        "`odin list` shows the ids of your jobs.",
    ),
    row("job/bad-name", 422, "Not a job's name", ""),
    row(
        "job/conflict",
        412,
        "The job was changed in the meantime",
        "Look at the job again, then repeat.",
    ),
    row(
        "job/due-out-of-date",
        409,
        "The job comes due faster than it can be changed",
        "Pause it first.",
    ),
    row(
        "job/due-undecided",
        409,
        "The job is due right now, and not decided yet",
        "Try again in a moment.",
    ),
    row(
        "job/id-taken",
        409,
        "The id is taken",
        "Leave `id` out of the job file, or choose another.",
    ),
    row(
        "job/limit-not-enforceable",
        422,
        "The machine cannot hold runs to the limits",
        "Remove the limit, write `best_effort: true` beside it, or prepare the machine as docs/guides/limits.md says.",
    ),
    row(
        "job/name-taken",
        409,
        "The name is taken",
        "Choose another name, or use the other job's id.",
    ),
    row(
        "job/no-such-channel",
        422,
        "The job names a channel that is not there",
        "`odin notify channel list` shows the channels; an admin sets one up.",
    ),
    row(
        "job/no-such-secret",
        422,
        "The job names a secret that its owner does not have",
        "Set it with `odin secret set NAME`, or have an admin share one.",
    ),
    row(
        "job/no-such-version",
        404,
        "The job has no such version",
        "",
    ),
    row(
        "job/not-found",
        404,
        "No such job",
        "`odin list` shows your jobs.",
    ),
    row(
        "job/not-permitted",
        403,
        "You may not change this job",
        "Ask its owner.",
    ),
    row(
        "job/queue-full",
        409,
        "As many runs of the job wait as may",
        "Wait for some of them, or raise `waiting` in the job's `concurrency`.",
    ),
    row(
        "job/still-active",
        409,
        "The job forbids overlapping runs, and one is active",
        "Wait for it, or stop it with `odin cancel`.",
    ),
    row("ledger/not-due", 404, "The job was not due then", ""),
    row("ledger/not-kept", 404, "No longer in the ledger", ""),
    row(
        "ledger/not-yet",
        404,
        "That occurrence is not decided yet",
        "",
    ),
    row(
        "link/chain-too-long",
        422,
        "Too many jobs would follow one another",
        "Let one job do the work of several.",
    ),
    row(
        "link/cycle",
        422,
        "The link would close a cycle",
        "Take one of the other links of the cycle away first, with `odin unlink`.",
    ),
    row(
        "link/exists",
        409,
        "The jobs are linked already",
        "`--on` changes at which end the link counts.",
    ),
    row(
        "link/not-found",
        404,
        "The jobs are not linked",
        "`odin list` shows the links of your jobs.",
    ),
    row(
        "link/to-itself",
        422,
        "A job cannot be linked to itself",
        "A schedule such as `every minute` repeats a job.",
    ),
    row(
        "link/too-many",
        422,
        "The job is linked to as many jobs as it may",
        "Link some of them to one of the others.",
    ),
    row(
        "link/too-many-connected",
        422,
        "Too many jobs hang together by links",
        "Take links away that are not needed.",
    ),
    row(
        "link/two-owners",
        422,
        "The jobs belong to different users",
        "Deploy both as one user.",
    ),
    row(
        "node/name-taken",
        409,
        "The node's name is taken",
        "Choose another with --name.",
    ),
    row(
        "request/bad-body",
        400,
        "The request's body cannot be read",
        "",
    ),
    row(
        "request/bad-key",
        400,
        "Not an idempotency key",
        "Send 1 to 128 printable ASCII characters.",
    ),
    row(
        "request/bad-query",
        400,
        "The request's query cannot be read",
        "/api/v1/openapi.json lists what it takes.",
    ),
    row(
        "request/bad-where",
        422,
        "The condition on values has a mistake",
        "",
    ),
    row(
        "request/key-reused",
        422,
        "The idempotency key was used for another request",
        "Choose a new key.",
    ),
    row(
        "request/method-not-allowed",
        405,
        "The path does not take this method",
        "/api/v1/openapi.json lists what it takes.",
    ),
    row(
        "request/no-such-path",
        404,
        "No such path",
        "/api/v1/openapi.json lists the paths.",
    ),
    row(
        "request/role-needed",
        403,
        "Your role does not suffice",
        "Ask an admin.",
    ),
    row(
        "request/timeout",
        408,
        "The request took too long to arrive",
        "",
    ),
    row(
        "request/too-large",
        413,
        "The request's body is too large",
        "",
    ),
    row(
        "request/unsupported-media-type",
        415,
        "The request's body has another content type",
        "",
    ),
    row(
        "run/bad-id",
        400,
        "Not a run's id",
        "`odin runs` shows the ids of a job's runs.",
    ),
    row(
        "run/not-found",
        404,
        "No such run",
        "`odin runs` shows a job's runs.",
    ),
    row(
        "run/output-not-here",
        404,
        "The run's output is not on this node",
        "Ask the node that the run names.",
    ),
    row("run/over", 409, "The run is over", ""),
    row("schedule/*", 422, "The schedule has a mistake", ""),
    row(
        "secret/bad-name",
        400,
        "Not a secret's name",
        "Use letters, digits and `_`, as for a variable: API_KEY.",
    ),
    row(
        "secret/bad-value",
        422,
        "Not a secret's value",
        "Keep what is larger in a file of its own, and the key to it in the secret.",
    ),
    row(
        "secret/damaged",
        500,
        "A stored secret cannot be opened",
        "Set it again.",
    ),
    row(
        "secret/in-use",
        409,
        "Jobs, channels or sinks use the secret",
        "Deploy or set them without it, or force it: jobs' next runs end as not_startable, what channels and sinks would send waits.",
    ),
    row(
        "secret/key-missing",
        500,
        "The node does not have the key of the secrets",
        "Put secrets.key back into the data directory and restart the server. If it is lost: remove the secrets with --force, restart, set them again.",
    ),
    row(
        "secret/no-such-user",
        404,
        "No such user",
        "Name a user that the server's machine has.",
    ),
    row(
        "secret/not-found",
        404,
        "No such secret",
        "`odin secret list` shows your secrets.",
    ),
    row(
        "secret/not-shared",
        404,
        "The secret is not shared with that user",
        "",
    ),
    row(
        "secret/own-share",
        409,
        "A secret is its owner's anyway",
        "",
    ),
    row(
        "secret/share-taken",
        409,
        "The user shares another secret of that name already",
        "End that share first, or set this one under another name.",
    ),
    row(
        "secret/too-many",
        409,
        "The owner has as many secrets as there may be",
        "Remove some that no job uses.",
    ),
    row(
        "server/busy",
        503,
        "The server has as much to do as it takes at once",
        "Try again in a few seconds.",
    ),
    row(
        "server/stopping",
        503,
        "The server is stopping",
        "Try again in a few seconds.",
    ),
    row(
        "silence/bad-time",
        422,
        "A silence cannot last that long",
        "",
    ),
    row(
        "silence/not-found",
        404,
        "No such silence",
        "`odin alerts silences` shows those in force.",
    ),
    row(
        "silence/too-many",
        409,
        "There are as many silences as there may be",
        "End one that is no longer needed.",
    ),
    row(
        "sink/bad-name",
        400,
        "Not a sink's name",
        "Use lower-case letters, digits, `-`, `_` and `.`, a letter or digit first.",
    ),
    row(
        "sink/bad-target",
        422,
        "Nothing could be sent there",
        "`odin sink set --help` shows what each kind of receiver needs.",
    ),
    row(
        "sink/not-found",
        404,
        "No such sink",
        "See `odin sink list`.",
    ),
    row(
        "sink/too-many",
        409,
        "There are as many sinks as there may be",
        "Remove one that nobody reads.",
    ),
    row(
        "storage/full",
        507,
        "The disk is full",
        "Free at least 64 MiB in the data directory's file system.",
    ),
];

/// The row of a code: its own, else its family's, else that of `internal/error`.
#[must_use]
pub fn find(code: &str) -> &'static ErrorCode {
    let family = code.split_once('/').map_or("", |(family, _)| family);
    let exact = TABLE.iter().find(|row| row.code == code);
    let of_family = || {
        TABLE
            .iter()
            .find(|row| row.code.strip_suffix("/*") == Some(family))
    };
    exact.or_else(of_family).unwrap_or(&INTERNAL)
}

/// What a code without a row answers as.
static INTERNAL: ErrorCode = row(
    "internal/error",
    500,
    "Odin made a mistake",
    "The server's log has the details; please report it.",
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use expect_test::expect_file;
    use odin_model::Refusal as R;
    use odin_model::id::IdError;
    use odin_model::owner::Role;
    use odin_model::{JobId, JobName, Revision, RunId};

    #[test]
    fn the_table_is_in_order_and_no_code_is_there_twice() {
        assert!(TABLE.is_sorted_by(|a, b| a.code < b.code));
        assert!(TABLE.contains(&INTERNAL));
    }

    #[test]
    fn every_refusal_of_the_log_has_a_row_of_its_own() {
        let (job, run) = (JobId::from_bits(1), RunId::new(0, 1, 0));
        let (expected, found) = (Revision(1), Revision(2));
        let name = JobName::parse("a").unwrap();
        let refusals = [
            R::NoSuchJob(job),
            R::NoSuchRun(run),
            R::NotPermitted {
                job,
                owner: "ann".into(),
            },
            R::NameTaken { name, job },
            R::IdTaken(job),
            R::RevisionConflict {
                job,
                expected,
                found,
            },
            R::DueOutOfDate { job },
            R::StillActive { job, run },
            R::QueueFull { job, waiting: 100 },
            R::RunOver(run),
            R::AlreadyInState {
                job,
                state: "paused".into(),
            },
            R::KeyReused,
            R::NodeNameTaken("a".into()),
            R::RoleNeeded {
                needed: Role::Admin,
            },
            R::DueUndecided { job },
            R::LinkToItself(JobName::parse("a").unwrap()),
            R::LinkCycle { path: Vec::new() },
            R::AlreadyLinked {
                from: job,
                to: job,
                on: odin_model::LinkOn::Success,
            },
            R::LinkOfTwoOwners {
                from: job,
                from_owner: "ann".into(),
                to: job,
                to_owner: "bob".into(),
            },
            R::TooManyLinks(job),
            R::ChainTooLong { jobs: 300 },
            R::TooManyConnected,
            R::NoSuchLink { from: job, to: job },
            R::BadCatchUp,
            R::NoSuchCalendar("a".into()),
            R::CalendarNotPermitted {
                name: "a".into(),
                owner: "ann".into(),
            },
            R::TooManyCalendars { count: 1000 },
        ];
        let codes = refusals.iter().map(R::code);
        let ids = [IdError::Job(String::new()), IdError::Run(String::new())];
        for code in codes.chain(ids.iter().map(IdError::code)) {
            assert_eq!(find(code).code, code);
        }
    }

    #[test]
    fn a_code_of_a_family_answers_as_the_family() {
        assert_eq!(find("schedule/no-such-day").status, 422);
        assert_eq!(find("file/unknown-key").title, "The job file has mistakes");
        assert_eq!(find("nonsense").code, "internal/error");
    }

    #[test]
    fn statuses_and_exit_codes_go_together() {
        for (status, exit) in [
            (200, 0),
            (201, 0),
            (400, 2),
            (422, 2),
            (401, 5),
            (403, 5),
            (404, 4),
            (409, 6),
            (412, 6),
            (503, 3),
            (405, 1),
            (413, 1),
            (500, 1),
            (507, 1),
        ] {
            assert_eq!(Exit::of_status(status).code(), exit, "{status}");
        }
    }

    /// `UPDATE_EXPECT=1` writes the page again.
    #[test]
    fn the_reference_page_lists_the_table() {
        let mut page = String::from(
            "# Error codes\n\n\
             Every refused or failed request answers `application/problem+json` with one of these codes; the command\n\
             line ends with the exit code. `x/*` stands for every code of that prefix without a row of its own.\n\
             The command line has [more of its own](cli.md#error-codes), those of a server that does not start among them.\n\
             This page is made from the table in `odin-wire`.\n\n\
             | code | HTTP | exit | meaning | next step |\n| --- | --- | --- | --- | --- |\n",
        );
        for row in TABLE {
            let exit = Exit::of_status(row.status).code();
            page += &format!(
                "| `{}` | {} | {exit} | {} | {} |\n",
                row.code, row.status, row.title, row.help
            );
        }
        expect_file!["../../../docs/reference/errors.md"].assert_eq(&page);
    }
}
