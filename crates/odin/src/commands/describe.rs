//! `odin describe`.

use std::fmt::Write as _;

use odin_wire::job::{JobCommand, JobLimits, JobRetries};
use odin_wire::{Job, JobSettings, LinkOn, StatisticsQuery};

use super::describe_run;
use crate::arguments::JobOrRunArg;
use crate::context::Context;
use crate::error::CliError;
use crate::run_reason;
use crate::selection::{self, Selected};
use crate::statistics_line;
use crate::terminal::visible;
use crate::times;

/// Shows a job or a run in full.
pub(crate) async fn run(args: &JobOrRunArg, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let job = match selection::job_or_run(&client, &args.id).await? {
        Selected::Job(job) => job,
        Selected::Run(run) => return describe_run::show(&client, *run, context).await,
    };
    if context.json() {
        return context.print_json(&job);
    }
    let last_day = StatisticsQuery::default();
    let statistics = client.statistics(Some(job.id), &last_day).await?;
    let counted = statistics_line::lines(&statistics, "last day:       ", "  ");
    context.print(&format!("{}{counted}", text(&job)))
}

/// The documented first line, then what there is to know, a line each.
fn text(job: &Job) -> String {
    let zone = times::zone(&job.timezone);
    let mut lines = vec![
        ("id", job.id.to_string()),
        ("owner", job.owner.clone()),
        ("state", job.state.word().to_owned()),
        ("language", job.language.clone()),
    ];
    if let Some(quarantined) = &job.quarantined {
        let since = times::to_the_second(quarantined.at, &zone);
        lines.push((
            "quarantined",
            format!("since {since}: {}", quarantined.reason),
        ));
    }
    lines.extend(job.file.clone().map(|file| ("file", file)));
    if let Some(settings) = &job.settings {
        lines.extend(program_lines(settings));
    }
    lines.push(("schedule", job.schedule.clone()));
    lines.push(("timezone", job.timezone.clone()));
    let next = job
        .next_due
        .map_or("none".to_owned(), |due| times::in_zone(due, &zone));
    lines.push(("next due", next));
    if let Some(settings) = &job.settings {
        lines.extend(policy_lines(settings));
    }
    for link in &job.successors {
        let on = match link.on {
            LinkOn::Success => String::new(),
            LinkOn::Failure | LinkOn::Always => format!(", on {}", link.on.word()),
        };
        lines.push(("linked to", format!("{} ({}){on}", link.name, link.job)));
    }
    let deployed = times::to_the_second(job.deployed_at, &zone);
    lines.push(("version", format!("{} of {deployed}", job.version)));
    lines.push(("revision", job.revision.to_string()));
    lines.push((
        "first deployed",
        times::to_the_second(job.created_at, &zone),
    ));
    if let (Some(outcome), Some(run)) = (job.last_outcome, job.last_run) {
        let reason = run_reason::of_latest(job).map_or_else(String::new, |it| format!(": {it}"));
        lines.push((
            "last outcome",
            format!("{} ({run}){reason}", outcome.word()),
        ));
    }
    let mut text = visible(&job.name).into_owned();
    if !job.description.is_empty() {
        text = text + " - " + &visible(&job.description);
    }
    text.push('\n');
    for (name, value) in lines {
        let _ = writeln!(text, "  {:<17}{}", format!("{name}:"), visible(&value));
    }
    text
}

/// All that a version says beside what lists show, in words.
pub(crate) fn settings_lines(settings: &JobSettings) -> Vec<(&'static str, String)> {
    let mut lines = program_lines(settings);
    lines.extend(policy_lines(settings));
    lines
}

fn program_lines(settings: &JobSettings) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    match &settings.command {
        Some(JobCommand::Argv(argv)) => lines.push(("command", words(argv))),
        Some(JobCommand::Shell(line)) => lines.push(("command", line.clone())),
        None => {}
    }
    if !settings.args.is_empty() {
        lines.push(("args", words(&settings.args)));
    }
    if !settings.files.is_empty() {
        lines.push(("files", words(&settings.files)));
    }
    let env = settings
        .env
        .iter()
        .map(|variable| format!("{}={}", variable.name, variable.value));
    lines.extend(env.map(|variable| ("env", variable)));
    lines
}

fn policy_lines(settings: &JobSettings) -> Vec<(&'static str, String)> {
    let missed = match settings.missed_limit {
        Some(limit) => format!("{}, at most {limit}", settings.missed),
        None => settings.missed.clone(),
    };
    let timeout = settings
        .timeout_ms
        .map_or("none".to_owned(), times::setting);
    let mut lines = vec![
        ("grace", times::setting(settings.grace_ms)),
        ("missed", missed),
        ("concurrency", concurrency(settings)),
        ("timeout", timeout),
    ];
    for (name, timeout) in [
        ("queue timeout", settings.queue_timeout_ms),
        ("start timeout", settings.start_timeout_ms),
        ("silence timeout", settings.silence_timeout_ms),
    ] {
        lines.extend(timeout.map(|timeout| (name, times::setting(timeout))));
    }
    lines.push(("kill grace", times::setting(settings.kill_grace_ms)));
    if settings.retries.max > 0 {
        lines.push(("retries", retries(&settings.retries)));
    }
    let lost_after = times::setting(settings.lost_after_ms);
    lines.push((
        "on lost",
        format!("{}, after {lost_after}", settings.on_lost),
    ));
    if settings.priority != 0 {
        lines.push(("priority", settings.priority.to_string()));
    }
    lines.push((
        "keep",
        format!(
            "{} runs, {} days, {} of output, {} of output and {} of values a run",
            settings.keep_runs,
            settings.keep_days,
            size(settings.keep_output_bytes),
            size(settings.output_bytes_max),
            size(settings.keep_values_bytes)
        ),
    ));
    lines.extend(limits(&settings.limits).map(|limits| ("limits", limits)));
    if settings.children != "end" {
        lines.push(("children", settings.children.clone()));
    }
    if !settings.secrets.is_empty() {
        let each = settings.secrets.iter();
        let words = each.map(|it| format!("{} as {}", it.name, it.delivery));
        lines.push(("secrets", words.collect::<Vec<_>>().join(", ")));
    }
    lines.extend(alerting_lines(settings));
    if let Some(hook) = &settings.on_cancel {
        let command = match &hook.command {
            JobCommand::Argv(argv) => words(argv),
            JobCommand::Shell(line) => line.clone(),
        };
        let timeout = times::setting(hook.timeout_ms);
        lines.push(("on cancel", format!("{command} (at most {timeout})")));
    }
    if (settings.dst_gap.as_str(), settings.dst_repeat.as_str()) != ("shift", "first") {
        let (gap, repeat) = (&settings.dst_gap, &settings.dst_repeat);
        lines.push(("dst", format!("gap {gap}, repeat {repeat}")));
    }
    lines
}

/// Whom the job tells of what, and what it expects of its runs.
fn alerting_lines(settings: &JobSettings) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(notify) = &settings.notify {
        let (on, to) = (notify.on.join(", "), notify.to.join(", "));
        let mut text = format!("{to} of {on}");
        if notify.failures > 1 {
            let _ = write!(text, "; at {} failures in a row", notify.failures);
        }
        let repeat = times::setting(notify.repeat_ms);
        let _ = write!(text, "; again after {repeat}");
        lines.push(("notify", text));
    }
    let late_after = settings.late_after_ms.map(times::setting);
    lines.extend(late_after.map(|after| ("late after", after)));
    let bounds = [
        ("at least", settings.min_duration_ms),
        ("at most", settings.max_duration_ms),
    ];
    let bounds: Vec<String> = bounds
        .into_iter()
        .filter_map(|(word, bound)| Some(format!("{word} {}", times::setting(bound?))))
        .collect();
    if !bounds.is_empty() {
        lines.push(("expect", bounds.join(", ")));
    }
    for bounds in &settings.expect_values {
        let words = [("at least", &bounds.min), ("at most", &bounds.max)]
            .into_iter()
            .filter_map(|(word, bound)| Some(format!("{word} {}", bound.as_ref()?)));
        let words: Vec<_> = words.collect();
        lines.push(("expect", format!("{} {}", bounds.name, words.join(", "))));
    }
    lines
}

/// The policy with the bounds that count.
fn concurrency(settings: &JobSettings) -> String {
    let mut text = settings.concurrency.clone();
    match (text.as_str(), settings.concurrency_max) {
        ("allow", Some(max)) => text = format!("{text}, at most {max} at once"),
        (_, Some(max)) if max > 1 => text = format!("{text}, at most {max} at once"),
        _ => {}
    }
    if let Some(waiting) = settings.concurrency_waiting {
        let _ = write!(text, ", {waiting} may wait");
    }
    text
}

fn retries(retries: &JobRetries) -> String {
    let times = match retries.max {
        1 => "1 time".to_owned(),
        max => format!("{max} times"),
    };
    let delay = times::setting(retries.delay_ms);
    let after = match retries.backoff.as_str() {
        "fixed" => format!("after {delay}"),
        _ => format!(
            "after {delay}, then longer, at most {}",
            times::setting(retries.max_delay_ms)
        ),
    };
    let outcomes: Vec<_> = retries.on.iter().map(|outcome| outcome.word()).collect();
    let mut text = format!("{times} {after}, when {}", outcomes.join(", "));
    if !retries.exit_codes.is_empty() {
        let _ = write!(text, " (exit status {})", retries.exit_codes.join(", "));
    }
    text
}

/// The limits that there are, in the job file's words.
fn limits(limits: &JobLimits) -> Option<String> {
    let JobLimits {
        memory_bytes,
        cpu_millis,
        processes,
        open_files,
        best_effort,
    } = *limits;
    let named = [
        memory_bytes.map(|bytes| format!("memory {}", size(bytes))),
        cpu_millis.map(|millis| format!("cpu {}", f64::from(millis) / 1000.0)),
        processes.map(|count| format!("processes {count}")),
        open_files.map(|count| format!("open_files {count}")),
        best_effort.then(|| "best effort".to_owned()),
    ];
    let named: Vec<String> = named.into_iter().flatten().collect();
    (!named.is_empty()).then(|| named.join(", "))
}

/// Bytes in the largest unit that needs no fraction.
fn size(bytes: u64) -> String {
    let unit = ["GiB", "MiB", "KiB"]
        .into_iter()
        .zip([1u64 << 30, 1 << 20, 1 << 10])
        .find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit));
    unit.map_or(format!("{bytes}B"), |(name, unit)| {
        format!("{}{name}", bytes / unit)
    })
}

/// Words as a shell would need them written.
fn words(words: &[String]) -> String {
    let plain = |word: &&String| {
        !word.is_empty()
            && word
                .chars()
                .all(|c| c.is_alphanumeric() || "_-./:=@%+,".contains(c))
    };
    let quoted = words.iter().map(|word| match Some(word).filter(plain) {
        Some(word) => word.clone(),
        None => format!("'{}'", word.replace('\'', r"'\''")),
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::samples;
    use expect_test::expect;

    #[test]
    fn a_job_without_a_description_is_its_name() {
        let job = Job {
            description: String::new(),
            ..samples::job()
        };
        assert_eq!(text(&job).lines().next(), Some("check_stocks"));
    }

    #[test]
    fn a_job_in_quarantine_says_why() {
        let job = Job {
            quarantined: Some(samples::quarantined()),
            settings: None,
            ..samples::job()
        };
        expect![[r#"
            check_stocks - Check the stocks of specified companies
              id:              a37b187f5930
              owner:           ann
              state:           enabled
              language:        python3
              quarantined:     since 2026-11-21 15:00:00 GMT: the schedule `every day except on holidays` cannot be read: there is no calendar `holidays`
              file:            check_stocks.py
              schedule:        every hour
              timezone:        Europe/Dublin
              next due:        2026-11-21 17:00:00 GMT
              version:         2 of 2026-11-20 09:30:00 GMT
              revision:        17
              first deployed:  2026-11-01 08:00:00 GMT
              last outcome:    succeeded (r0000000030000)
        "#]].assert_eq(&text(&job));
    }

    #[test]
    fn a_job_is_described_by_its_documented_line_and_all_its_settings() {
        expect![[r#"
            check_stocks - Check the stocks of specified companies
              id:              a37b187f5930
              owner:           ann
              state:           enabled
              language:        python3
              file:            check_stocks.py
              args:            --fast 'two words'
              files:           lib
              schedule:        every hour
              timezone:        Europe/Dublin
              next due:        2026-11-21 17:00:00 GMT
              grace:           1m
              missed:          all, at most 100
              concurrency:     queue, at most 2 at once, 100 may wait
              timeout:         1m30s
              silence timeout: 30s
              kill grace:      10s
              retries:         3 times after 10s, then longer, at most 5m, when failed, timed_out (exit status 75)
              on lost:         rerun, after 5m
              priority:        5
              keep:            1000 runs, 90 days, 50MiB of output, 10MiB of output and 10MiB of values a run
              limits:          memory 512MiB, cpu 1.5
              secrets:         API_KEY as env
              notify:          ops of failure, late; at 2 failures in a row; again after 1h
              late after:      15m
              expect:          at most 30m
              expect:          price at least 1, at most 1e3
              expect:          rows at least 10
              on cancel:       ./clean-up.sh (at most 30s)
              version:         2 of 2026-11-20 09:30:00 GMT
              revision:        17
              first deployed:  2026-11-01 08:00:00 GMT
              last outcome:    succeeded (r0000000030000)
        "#]]
        .assert_eq(&text(&samples::job()));
    }
}
