//! The log line of a run, in the form that Odin's first version documented: logfmt with sorted fields.

use jiff::Timestamp;
use odin_model::JobId;
use odin_wire::{Job, Outcome, Run, RunState};

/// What the lines of a job's runs have in common.
#[derive(Debug, Clone)]
pub(crate) struct JobFields {
    file: String,
    gid: String,
    id: String,
    language: String,
    uid: String,
}

impl JobFields {
    /// From a job in full.
    pub(crate) fn of(job: &Job) -> Self {
        let settings = job.settings.as_ref();
        let command = settings.and_then(|settings| settings.command.as_ref());
        let file = match (&job.file, command) {
            (Some(file), _) => file.clone(),
            (None, Some(odin_wire::job::JobCommand::Argv(argv))) => argv.join(" "),
            (None, Some(odin_wire::job::JobCommand::Shell(line))) => line.clone(),
            (None, None) => String::new(),
        };
        let number = |number: Option<u32>| number.map(|n| n.to_string()).unwrap_or_default();
        Self {
            file,
            gid: number(settings.and_then(|settings| settings.owner_gid)),
            id: job.id.to_string(),
            language: job.language.clone(),
            uid: number(settings.map(|settings| settings.owner_uid)),
        }
    }
}

impl JobFields {
    /// What is left of a job that was removed.
    pub(crate) fn of_removed(id: JobId) -> Self {
        let unknown = String::new;
        Self {
            file: unknown(),
            gid: unknown(),
            id: id.to_string(),
            language: unknown(),
            uid: unknown(),
        }
    }
}

/// The line of a run. `None`: nothing has happened yet that a log would tell.
pub(crate) fn of_run(job: &JobFields, run: &Run) -> Option<String> {
    let time = run.started_at.or(run.finished_at)?;
    let (level, message) = match run.outcome {
        None | Some(Outcome::Succeeded) => ("info", "exec"),
        Some(Outcome::Warning) => ("warning", "exec"),
        Some(_) => ("warning", "failed"),
    };
    let mut line = format!(
        "time=\"{}\" level={level} msg={message}",
        to_the_second(time)
    );
    if message == "failed" {
        field(&mut line, "error", &error_of(run), Quotes::Always);
    }
    field(&mut line, "file", &job.file, Quotes::WhenNeeded);
    field(&mut line, "gid", &job.gid, Quotes::WhenNeeded);
    field(&mut line, "id", &job.id, Quotes::WhenNeeded);
    field(&mut line, "lang", &job.language, Quotes::WhenNeeded);
    field(
        &mut line,
        "node",
        run.node.as_deref().unwrap_or_default(),
        Quotes::WhenNeeded,
    );
    field(&mut line, "uid", &job.uid, Quotes::WhenNeeded);
    line.push('\n');
    Some(line)
}

/// Whether a line that was printed while the run went on has to be followed by another one.
pub(crate) fn has_news(run: &Run) -> bool {
    run.state == RunState::Finished && !run.outcome.is_some_and(Outcome::is_good)
}

/// Why a run is not a success, in a few words.
pub(crate) fn error_of(run: &Run) -> String {
    let derived = match (run.outcome, run.exit_code, run.signal) {
        (Some(Outcome::Failed), Some(code), _) => format!("exit status {code}"),
        (Some(Outcome::Signalled), _, Some(signal)) => format!("signal {signal}"),
        (Some(outcome), _, _) => outcome.word().replace('_', " "),
        (None, _, _) => String::new(),
    };
    // The documented lines say `status` where the server says `code`.
    let same = run.exit_code.map(|code| format!("exit code {code}"));
    match (run.reason.as_deref(), same) {
        (None | Some(""), _) => derived,
        (Some(reason), _) if reason.contains(&derived) => reason.to_owned(),
        (Some(reason), Some(same)) if reason.starts_with(&same) => {
            format!("{derived}{}", &reason[same.len()..])
        }
        (Some(reason), _) => format!("{derived}: {reason}"),
    }
}

/// RFC 3339 in UTC, to the second, as the documented lines have it.
fn to_the_second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    Always,
    WhenNeeded,
}

/// ` name=value`, quoted where a reader of logfmt needs it.
fn field(line: &mut String, name: &str, value: &str, quotes: Quotes) {
    line.push(' ');
    line.push_str(name);
    line.push('=');
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '=' | '\\');
    if quotes == Quotes::WhenNeeded && !value.is_empty() && value.chars().all(plain) {
        line.push_str(value);
        return;
    }
    line.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            '\n' => line.push_str("\\n"),
            '\t' => line.push_str("\\t"),
            '\r' => line.push_str("\\r"),
            c if c.is_control() => line.extend(c.escape_unicode()),
            c => line.push(c),
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use odin_wire::Cause;

    fn run(outcome: Option<Outcome>) -> Run {
        Run {
            id: "r0000000030000".parse().unwrap(),
            job: "a37b187f5930".parse().unwrap(),
            job_name: "check_stocks".into(),
            version: 1,
            cause: Cause::Schedule,
            by: None,
            cause_run: None,
            root_run: None,
            root_cause: None,
            due_at: None,
            state: if outcome.is_some() {
                RunState::Finished
            } else {
                RunState::Running
            },
            outcome,
            exit_code: None,
            signal: None,
            reason: None,
            cancel_requested: None,
            node: Some("master-node".into()),
            attempt: Some(1),
            queued_at: "2020-05-14T11:15:00Z".parse().unwrap(),
            started_at: Some("2020-05-14T11:15:01.5Z".parse().unwrap()),
            finished_at: None,
            cpu_user_ms: 0,
            cpu_system_ms: 0,
            memory_max_bytes: None,
            stdout_bytes: 0,
            stderr_bytes: 0,
            dropped_bytes: 0,
            successors: Vec::new(),
            ready_at: "2026-11-21T15:00:00Z".parse().unwrap(),
            catch_up: false,
            retry_at: None,
            waits_for: None,
            attempts: Vec::new(),
            flags: Vec::new(),
        }
    }

    fn job(file: &str) -> JobFields {
        JobFields {
            file: file.into(),
            gid: "1000".into(),
            id: "a37b187f5930".into(),
            language: "python3".into(),
            uid: "1000".into(),
        }
    }

    fn check(job: &JobFields, run: &Run, expected: &str) {
        assert_eq!(
            of_run(job, run).as_deref().map(str::trim_end),
            Some(expected)
        );
    }

    #[test]
    fn a_line_has_the_documented_form() {
        check(
            &job("check_stocks.py"),
            &run(Some(Outcome::Succeeded)),
            r#"time="2020-05-14T11:15:01Z" level=info msg=exec file=check_stocks.py gid=1000 id=a37b187f5930 lang=python3 node=master-node uid=1000"#,
        );
        let failed = Run {
            exit_code: Some(1),
            ..run(Some(Outcome::Failed))
        };
        check(
            &job("check_stocks.py"),
            &failed,
            r#"time="2020-05-14T11:15:01Z" level=warning msg=failed error="exit status 1" file=check_stocks.py gid=1000 id=a37b187f5930 lang=python3 node=master-node uid=1000"#,
        );
    }

    #[test]
    fn a_value_that_logfmt_would_misread_is_quoted() {
        check(
            &job("my \"file\"\n=.py"),
            &run(None),
            r#"time="2020-05-14T11:15:01Z" level=info msg=exec file="my \"file\"\n=.py" gid=1000 id=a37b187f5930 lang=python3 node=master-node uid=1000"#,
        );
    }

    #[test]
    fn what_has_not_begun_has_no_line() {
        let queued = Run {
            started_at: None,
            ..run(None)
        };
        assert_eq!(of_run(&job("x"), &queued), None);
    }

    #[test]
    fn the_error_names_how_it_ended_once() {
        let with = |outcome, reason: &str| Run {
            reason: Some(reason.into()),
            exit_code: Some(3),
            signal: Some(9),
            ..run(Some(outcome))
        };
        for (run, expected) in [
            (with(Outcome::Failed, "exit code 3"), "exit status 3"),
            (
                with(Outcome::Failed, "exit code 3, and the result was 500"),
                "exit status 3, and the result was 500",
            ),
            (
                with(Outcome::Failed, "the result says so"),
                "exit status 3: the result says so",
            ),
            (with(Outcome::Signalled, ""), "signal 9"),
            (with(Outcome::TimedOut, ""), "timed out"),
            (
                with(Outcome::NotStartable, "no python9 here"),
                "not startable: no python9 here",
            ),
        ] {
            assert_eq!(error_of(&run), expected);
        }
    }
}
