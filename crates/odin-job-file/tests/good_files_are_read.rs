//! What files mean.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use odin_job_file::{Defaults, JobFile, Purpose, read};
use odin_model::concurrency::Bounds;
use odin_model::{
    Alerting, Backoff, ChannelName, Children, Concurrency, ExitCodes, HookCommand, Keep, Limits,
    Missed, Notice, OnCancel, OnLost, Outcome, Overlap, Program, Retries, Timeouts, ValueBounds,
};
use odin_schedule::{GapPolicy, RepeatPolicy};

#[track_caller]
fn good(text: &str) -> JobFile {
    read(text, &Defaults::default()).unwrap_or_else(|mistakes| panic!("{text}\n{mistakes:#?}"))
}

fn minimal(more: &str) -> String {
    format!("job:\n  name: a\n  schedule: every hour\n  language: sh\n  file: a.sh\n{more}")
}

#[test]
fn a_full_file_is_read_as_it_is_written() {
    let file = good(
        "# A comment.\nprovider: {name: odin, version: \"2.0.0\"}\njob:\n  id: a37b187f5930\n  name: amzn_stocks\n  \
         description: Check the stock price\n  language: python3\n  file: ./amzn_stocks.py\n  files: [lib/, ./data.csv, \
         lib]\n  schedule: every weekday at 09:00   # a comment\n  timezone: europe/dublin\n  args: [--fast, 1, 2.50, \
         true, ~, 0x1F]\n  env: {REGION: eu, COUNT: 010, EMPTY: , YES: yes}\n  timeout: 10m\n  concurrency: forbid\n  \
         missed: {policy: all, limit: 5}\n  grace: 1h30m\n",
    );
    let spec = file.spec("UTC");
    assert_eq!(file.id.unwrap().to_string(), "a37b187f5930");
    assert_eq!(spec.name.as_str(), "amzn_stocks");
    assert_eq!(spec.description, "Check the stock price");
    let program = Program::Interpreted {
        language: "python3".into(),
        file: "amzn_stocks.py".into(),
    };
    assert_eq!(spec.program, program);
    assert_eq!(spec.files, ["data.csv", "lib"]);
    assert_eq!(spec.schedule, "every weekday at 09:00");
    assert_eq!(spec.timezone, "Europe/Dublin");
    assert_eq!(spec.args, ["--fast", "1", "2.50", "true", "", "0x1F"]);
    let env: Vec<(&str, &str)> = spec
        .env
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        env,
        [
            ("COUNT", "010"),
            ("EMPTY", ""),
            ("REGION", "eu"),
            ("YES", "yes")
        ]
    );
    assert_eq!(spec.timeouts.run, Some(Duration::from_secs(600)));
    assert_eq!(spec.grace, Duration::from_secs(5400));
    assert_eq!(spec.concurrency, Overlap::Forbid.into());
    assert_eq!(spec.missed, Missed::All { limit: 5 });
    assert_eq!(file.warnings, []);
}

#[test]
fn a_small_file_has_the_defaults() {
    let file = good(&minimal(""));
    assert_eq!(file.id, None);
    let spec = file.spec("Europe/Dublin");
    assert_eq!(spec.timezone, "Europe/Dublin");
    assert_eq!(spec.grace, Duration::from_secs(60));
    assert_eq!(
        (spec.missed, spec.concurrency, spec.timeouts.run),
        (Missed::Once, Concurrency::ALLOW, None)
    );
}

#[test]
fn what_becomes_of_a_run_among_others_is_read() {
    let spec = |more: &str| good(&minimal(more)).spec("UTC");
    for (text, overlap, max, waiting) in [
        ("queue", Overlap::Queue, None, None),
        ("replace", Overlap::Replace, None, None),
        ("{policy: allow, max: 3}", Overlap::Allow, Some(3), None),
        (
            "{policy: queue, max: 2, waiting: 0}",
            Overlap::Queue,
            Some(2),
            Some(0),
        ),
    ] {
        let bounds = Bounds { max, waiting };
        let read = spec(&format!("  concurrency: {text}\n")).concurrency;
        assert_eq!(read, Concurrency { overlap, bounds }, "{text}");
    }
    assert_eq!(spec("").keep, Keep::DEFAULT);
    assert_eq!(
        spec("  keep: {runs: 5, days: 365, output: 1GiB, values: 64KiB}\n").keep,
        Keep {
            runs: 5,
            days: 365,
            output_bytes: 1 << 30,
            values_bytes: 64 << 10,
        }
    );
    assert_eq!(spec("  keep: {runs: 5}\n").keep.days, 90);
    for (keep, output, of_a_run) in [
        ("{runs: 5}", 50 << 20, 10 << 20),
        ("{run_output: 1GiB}", 1 << 30, 1 << 30),
        ("{run_output: 64KiB}", 50 << 20, 64 << 10),
        ("{output: 3GiB, run_output: 1GiB}", 3 << 30, 1 << 30),
    ] {
        let spec = spec(&format!("  keep: {keep}\n"));
        assert_eq!(
            (spec.keep.output_bytes, spec.output_bytes_max),
            (output, of_a_run),
            "{keep}"
        );
    }
    assert_eq!(spec("").priority.number(), 0);
    assert_eq!(spec("  priority: -100\n").priority.number(), -100);
}

#[test]
fn what_follows_a_run_that_went_wrong_is_read() {
    let spec = |more: &str| good(&minimal(more)).spec("UTC");
    let three = Retries {
        max: 3,
        ..Retries::default()
    };
    assert_eq!(spec("  retries: 3\n").retries, three);
    assert_eq!(spec("  retries: 0\n").retries, Retries::default());
    let read = spec(
        "  retries: {max: 2, backoff: fixed, delay: 30s, max_delay: 1m, on: [lost, failed], \
         exit_codes: [75, 10-20]}\n  on_lost: rerun\n  lost_after: 10s\n",
    );
    let expected = Retries {
        max: 2,
        backoff: Backoff::Fixed,
        delay: Duration::from_secs(30),
        max_delay: Duration::from_secs(60),
        on: vec![Outcome::Failed, Outcome::Lost],
        exit_codes: vec![
            ExitCodes { from: 10, to: 20 },
            ExitCodes { from: 75, to: 75 },
        ],
    };
    assert_eq!(read.retries, expected);
    assert_eq!(read.loss.on_lost, OnLost::Rerun);
    assert_eq!(read.loss.lost_after, Duration::from_secs(10));
    let patient = spec("  retries: {max: 1, delay: 1h}\n").retries;
    assert_eq!(patient.max_delay, Duration::from_secs(3600));
}

#[test]
fn how_a_run_is_executed_is_read() {
    let spec = good(&minimal(
        "  timeout: {queue: 1h, start: 30s, run: 10m, silence: 5m}\n  kill_grace: 3s\n  \
         limits: {memory: 512MiB, cpu: 1.5, processes: 64, open_files: 1024, best_effort: true}\n  \
         children: keep\n  on_cancel: {command: [./clean-up.sh, --all], timeout: 1m}\n  \
         dst: {gap: skip, repeat: both}\n",
    ))
    .spec("UTC");
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let timeouts = Timeouts {
        queue: seconds(3600),
        start: seconds(30),
        run: seconds(600),
        silence: seconds(300),
    };
    assert_eq!(spec.timeouts, timeouts);
    assert_eq!(spec.kill_grace, Duration::from_secs(3));
    let limits = Limits {
        memory_bytes: Some(512 << 20),
        cpu_millis: Some(1500),
        processes: Some(64),
        open_files: Some(1024),
        best_effort: true,
    };
    assert_eq!(spec.limits, limits);
    assert_eq!(spec.children, Children::Keep);
    let on_cancel = OnCancel {
        command: HookCommand::Argv(vec!["./clean-up.sh".into(), "--all".into()]),
        timeout: Duration::from_secs(60),
    };
    assert_eq!(spec.on_cancel, Some(on_cancel));
    let dst = (spec.dst.gap, spec.dst.repeat);
    assert_eq!(dst, (GapPolicy::Skip, RepeatPolicy::Both));

    let short = good(&minimal("  on_cancel: ./clean-up.sh\n")).on_cancel;
    let command = HookCommand::Shell("./clean-up.sh".into());
    assert_eq!(
        short,
        Some(OnCancel {
            command,
            timeout: OnCancel::TIMEOUT_DEFAULT
        })
    );
}

#[test]
fn secrets_are_a_list_or_a_mapping() {
    let uses = |text: &str| -> Vec<String> {
        let secrets = good(&minimal(text)).spec("UTC").secrets;
        let word = |it: &odin_model::SecretUse| format!("{} {}", it.name, it.delivery.word());
        secrets.iter().map(word).collect()
    };
    assert_eq!(uses("  secrets: [B, A]\n"), ["A env", "B env"]);
    let mapping = "  secrets: {TLS: file, A: env, B: }\n";
    assert_eq!(uses(mapping), ["A env", "B env", "TLS file"]);
    assert!(uses("  secrets:\n").is_empty());
    let file = good(&minimal("  secrets: [B, A]\n"));
    let place = file.place_of_secret(&file.secrets[1].name).unwrap();
    assert_eq!(&file.text[place], "B");
}

#[test]
fn an_id_that_yaml_takes_for_a_number_stays_the_text() {
    for id in [
        "123456789012",
        "000000000001",
        "1e1111111111",
        "'1e1111111111'",
        "\"00000000000a\"",
        "0x0000000000",
    ] {
        let text = minimal(&format!("  id: {id}\n"));
        let expected = id.trim_matches(['\'', '"']);
        match read(&text, &Defaults::default()) {
            Ok(file) => assert_eq!(file.id.unwrap().to_string(), expected),
            Err(mistakes) => assert!(id.contains('x'), "{mistakes}"),
        }
    }
}

#[test]
fn a_command_is_a_list_or_a_line() {
    let program = |command: &str| {
        good(&format!(
            "job: {{name: a, schedule: every hour, command: {command}}}"
        ))
        .program
    };
    assert_eq!(
        program("[ls, -l, 5]"),
        Program::Argv(vec!["ls".into(), "-l".into(), "5".into()])
    );
    assert_eq!(program("'ls | wc -l'"), Program::Shell("ls | wc -l".into()));
}

#[test]
fn runs_means_schedule_and_either_may_be_a_block() {
    let file = good("job:\n  name: a\n  runs: >\n    every hour\n  command: ls\n");
    assert_eq!(file.schedule_text, "every hour");
}

#[test]
fn a_go_source_names_its_program() {
    let file = good("job: {name: a, schedule: every hour, language: go, file: cmd/main.go}");
    let program = Program::Compiled {
        language: "go".into(),
        file: "cmd/main.go".into(),
        binary: "cmd/main".into(),
    };
    assert_eq!(file.program, program);
}

#[test]
fn an_interpreter_may_be_an_absolute_path() {
    let file =
        good("job: {name: a, schedule: every hour, language: /opt/venv/bin/python, file: a.py}");
    assert_eq!(file.program.language(), "/opt/venv/bin/python");
}

#[test]
fn a_file_from_another_editor_is_read_alike() {
    let text = minimal("");
    for variant in [
        text.replace('\n', "\r\n"),
        format!("\u{feff}{text}"),
        format!("---\n{text}...\n"),
    ] {
        assert_eq!(good(&variant).name.as_str(), "a", "{variant:?}");
    }
}

#[test]
fn what_is_odd_but_works_is_a_warning() {
    for (text, code, underlined) in [
        (format!("provider: {{name: airflow}}\n{}", minimal("")), "file/other-provider", "airflow"),
        (
            "job: {name: a, command: ls, schedule: every day at 02:30 in Europe/Dublin, timezone: UTC}".to_owned(),
            "file/two-zones",
            "timezone",
        ),
    ] {
        let file = good(&text);
        let warnings: Vec<_> = file.warnings.iter().map(|it| (it.code, &text[it.span.clone()])).collect();
        assert_eq!(warnings, [(code, underlined)]);
    }
}

#[test]
fn a_file_that_is_run_once_needs_no_schedule() {
    let once = Defaults {
        purpose: Purpose::Execute,
        ..Defaults::default()
    };
    for schedule in ["", "  schedule: ''\n", "  schedule:\n"] {
        let text = format!("job:\n  name: a\n  command: ls\n{schedule}");
        assert_eq!(read(&text, &once).unwrap().schedule_text, "never");
        assert!(read(&text, &Defaults::default()).is_err());
    }
}

#[test]
fn whom_to_tell_of_what_is_read() {
    let spec = good(&minimal(
        "  notify: {on: [late, failure, late], to: [pager, ops, ops], failures: 3, repeat: 1d}\n  late_after: 15m\n  \
         expect: {min_duration: 10s, max_duration: 30m, values: {rows read: {min: 1}, price: {min: -1.5, max: 1e3}}}\n",
    ))
    .spec("UTC");
    let channel = |name| ChannelName::parse(name).unwrap();
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let expected = Alerting {
        on: vec![Notice::Failure, Notice::Late],
        to: vec![channel("ops"), channel("pager")],
        failures: 3,
        repeat: Duration::from_secs(86_400),
        late_after: seconds(900),
        min_duration: seconds(10),
        max_duration: seconds(1800),
        values: vec![
            ValueBounds {
                name: "price".to_owned(),
                min: Some("-1.5".to_owned()),
                max: Some("1e3".to_owned()),
            },
            ValueBounds {
                name: "rows read".to_owned(),
                min: Some("1".to_owned()),
                max: None,
            },
        ],
    };
    assert_eq!(spec.alerting, expected);
    let short = good(&minimal("  notify: {to: [ops]}\n"))
        .spec("UTC")
        .alerting;
    assert!(short.on.contains(&Notice::Failure) && short.on.contains(&Notice::Recovered));
    assert_eq!(good(&minimal("")).spec("UTC").alerting, Alerting::default());
}
