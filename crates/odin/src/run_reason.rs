//! Why a run ended as it did: the words that every command shows beside its outcome.

use odin_wire::{Attempt, Job, Outcome, Run, RunState};

/// Why a run that is over ended as it did: what its job said of it, or how its process ended, or both. `None`: its
/// outcome says all there is to say.
pub(crate) fn of_run(run: &Run) -> Option<String> {
    let is_over = run.state == RunState::Finished;
    is_over
        .then(|| {
            in_words(
                run.outcome,
                run.exit_code,
                run.signal,
                run.reason.as_deref(),
            )
        })
        .flatten()
}

/// The same where exit code and signal are told beside it, and the reason only where it says more.
pub(crate) fn beside_exit(run: &Run) -> Option<String> {
    let reason = of_run(run)?;
    let exit = Run {
        reason: None,
        ..run.clone()
    };
    (of_run(&exit).as_ref() != Some(&reason)).then_some(reason)
}

/// `timed out`: an outcome within a sentence.
pub(crate) fn outcome_in_words(outcome: Outcome) -> String {
    outcome.word().replace('_', " ")
}

/// The same as [`of_run`] of one attempt.
pub(crate) fn of_attempt(attempt: &Attempt) -> Option<String> {
    let Attempt {
        outcome,
        exit_code,
        signal,
        reason,
        ..
    } = attempt;
    in_words(*outcome, *exit_code, *signal, reason.as_deref())
}

/// The same of a job's latest finished run.
pub(crate) fn of_latest(job: &Job) -> Option<String> {
    in_words(job.last_outcome, None, None, job.last_reason.as_deref())
}

/// The same of its parts. Odin's documented log lines say `exit status` where servers say `exit code`: so do all texts.
pub(crate) fn in_words(
    outcome: Option<Outcome>,
    exit_code: Option<u8>,
    signal: Option<u8>,
    reason: Option<&str>,
) -> Option<String> {
    let is_failed = outcome == Some(Outcome::Failed);
    let code = exit_code.filter(|code| is_failed && *code != 0);
    match (reason.filter(|reason| !reason.is_empty()), code, signal) {
        // Jobs' lists have no exit codes.
        (Some(reason), _, _) if is_failed && exit_code.is_none() => {
            Some(with_status(reason, code_in(reason)))
        }
        (Some(reason), code, _) => Some(with_status(reason, code)),
        (None, Some(code), _) => Some(format!("exit status {code}")),
        (None, None, Some(signal)) => Some(format!("signal {signal}")),
        (None, None, None) => None,
    }
}

/// Servers put the exit code before what the job said of a success, and behind what it said of a failure. Wherever else
/// it stands, it is the job's own text.
fn with_status(reason: &str, code: Option<u8>) -> String {
    let Some(code) = code else {
        return reason.to_owned();
    };
    let (said, status) = (format!("exit code {code}"), format!("exit status {code}"));
    let after = reason.strip_prefix(&said);
    if let Some(rest) = after.filter(|rest| rest.is_empty() || rest.starts_with(',')) {
        return format!("{status}{rest}");
    }
    match reason.strip_suffix(&said) {
        Some(before) if before.ends_with("; ") => format!("{before}{status}"),
        Some(_) | None => reason.to_owned(),
    }
}

/// The exit code that a server named.
fn code_in(reason: &str) -> Option<u8> {
    let said = "exit code ";
    let rest = match reason.strip_prefix(said) {
        Some(rest) => rest.split(',').next()?,
        None => reason.rsplit_once("; ")?.1.strip_prefix(said)?,
    };
    rest.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::samples;

    #[test]
    fn a_reason_names_how_it_ended_and_what_the_job_said_each_once() {
        use Outcome::{Failed, NotStartable, Signalled, Succeeded, TimedOut, Warning};
        for (outcome, exit_code, signal, reason, expected) in [
            (Failed, Some(3), None, "exit code 3", Some("exit status 3")),
            (Failed, Some(3), None, "", Some("exit status 3")),
            (
                Failed,
                Some(1),
                None,
                "no disk space (status 500); exit code 1",
                Some("no disk space (status 500); exit status 1"),
            ),
            (
                Failed,
                Some(3),
                None,
                "exit code 3, after it had reported: done",
                Some("exit status 3, after it had reported: done"),
            ),
            (
                Failed,
                Some(0),
                None,
                "broken feed (status 500)",
                Some("broken feed (status 500)"),
            ),
            (
                Failed,
                Some(1),
                None,
                "exit code 12 of tar (status 500); exit code 1",
                Some("exit code 12 of tar (status 500); exit status 1"),
            ),
            (
                Warning,
                Some(0),
                None,
                "three rows were missing (status 404)",
                Some("three rows were missing (status 404)"),
            ),
            (Succeeded, Some(0), None, "exit code 0", Some("exit code 0")),
            (Succeeded, Some(0), None, "", None),
            (Signalled, None, Some(9), "", Some("signal 9")),
            (
                Signalled,
                None,
                Some(11),
                "signal 11, core dumped",
                Some("signal 11, core dumped"),
            ),
            (TimedOut, None, None, "", None),
            (
                NotStartable,
                None,
                None,
                "no python9 here",
                Some("no python9 here"),
            ),
        ] {
            let run = Run {
                outcome: Some(outcome),
                exit_code,
                signal,
                reason: Some(reason.to_owned()),
                ..samples::run()
            };
            assert_eq!(of_run(&run).as_deref(), expected, "{outcome:?} {reason}");
            let is_exit = |it: &&str| matches!(*it, "exit status 3" | "signal 9");
            let beyond_exit = expected.filter(|it| !is_exit(it));
            assert_eq!(beside_exit(&run).as_deref(), beyond_exit);
        }
    }

    #[test]
    fn the_latest_run_of_a_job_is_told_in_the_same_words() {
        for (outcome, reason, expected) in [
            (Outcome::Failed, Some("exit code 3"), Some("exit status 3")),
            (
                Outcome::Failed,
                Some("no disk space (status 500); exit code 1"),
                Some("no disk space (status 500); exit status 1"),
            ),
            (
                Outcome::Failed,
                Some("exit code 3, after it had reported: done"),
                Some("exit status 3, after it had reported: done"),
            ),
            (
                Outcome::Failed,
                Some("broken feed (status 500)"),
                Some("broken feed (status 500)"),
            ),
            (Outcome::Succeeded, Some("exit code 0"), Some("exit code 0")),
            (Outcome::Succeeded, None, None),
        ] {
            let job = Job {
                last_outcome: Some(outcome),
                last_reason: reason.map(str::to_owned),
                ..samples::job()
            };
            assert_eq!(of_latest(&job).as_deref(), expected, "{reason:?}");
        }
    }

    #[test]
    fn a_run_that_goes_on_has_no_reason_yet() {
        let run = Run {
            state: RunState::Retrying,
            outcome: None,
            signal: Some(9),
            ..samples::run()
        };
        assert_eq!(of_run(&run), None);
    }
}
