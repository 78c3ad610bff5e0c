//! The log line of a run, in the form that Odin's first version documented: logfmt with sorted fields.

use jiff::Timestamp;
use odin_model::JobId;
use odin_wire::{Job, Outcome, Run, RunState};

use crate::run_reason;

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
    // What went well has its reason among the other fields, which are sorted.
    let reason = run_reason::of_run(run).filter(|_| message != "failed");
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
    if let Some(reason) = reason {
        field(&mut line, "reason", &reason, Quotes::Always);
    }
    field(&mut line, "uid", &job.uid, Quotes::WhenNeeded);
    line.push('\n');
    Some(line)
}

/// Whether a line that was printed while the run went on has to be followed by another one.
pub(crate) fn has_news(run: &Run) -> bool {
    let is_plain = run.outcome == Some(Outcome::Succeeded) && run_reason::of_run(run).is_none();
    run.state == RunState::Finished && !is_plain
}

/// Why a run is not a success, where its outcome is not told beside it.
fn error_of(run: &Run) -> String {
    let outcome = run
        .outcome
        .map_or_else(String::new, run_reason::outcome_in_words);
    let reason = run_reason::of_run(run);
    match (run.outcome, reason) {
        (_, None) => outcome,
        (Some(Outcome::Failed | Outcome::Signalled), Some(reason)) => reason,
        (_, Some(reason)) if reason.contains(&outcome) => reason,
        (_, Some(reason)) => format!("{outcome}: {reason}"),
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
            exit_code: Some(3).filter(|_| outcome == Outcome::Failed),
            signal: Some(9).filter(|_| outcome == Outcome::Signalled),
            ..run(Some(outcome))
        };
        for (run, expected) in [
            (with(Outcome::Failed, "exit code 3"), "exit status 3"),
            (
                with(Outcome::Failed, "no disk space (status 500); exit code 3"),
                "no disk space (status 500); exit status 3",
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

    #[test]
    fn what_a_job_said_of_a_run_that_went_well_is_a_field_of_its_own() {
        for (outcome, reason, expected) in [
            (
                Outcome::Warning,
                "three rows were \"missing\" (status 404)",
                r#"time="2020-05-14T11:15:01Z" level=warning msg=exec file=x gid=1000 id=a37b187f5930 lang=python3 node=master-node reason="three rows were \"missing\" (status 404)" uid=1000"#,
            ),
            (
                Outcome::Succeeded,
                "all is well",
                r#"time="2020-05-14T11:15:01Z" level=info msg=exec file=x gid=1000 id=a37b187f5930 lang=python3 node=master-node reason="all is well" uid=1000"#,
            ),
        ] {
            let told = Run {
                reason: Some(reason.into()),
                ..run(Some(outcome))
            };
            check(&job("x"), &told, expected);
            assert!(has_news(&told));
        }
        assert!(!has_news(&run(Some(Outcome::Succeeded))));
        assert!(!has_news(&run(None)));
    }
}
