//! What a person who made a mistake in a job file is told: a code, and the text that is underlined.

#![allow(clippy::unwrap_used)]

use odin_job_file::{Defaults, read};

/// A file that is right, with one line for each key.
const GOOD: [&str; 4] = [
    "name: report",
    "schedule: every weekday at 09:00",
    "language: python3",
    "file: report.py",
];

/// The good file with these lines below `job:`, each instead of the line that has its key; `-key` takes one out.
fn changed(lines: &str) -> String {
    let key = |line: &str| {
        line.split(':')
            .next()
            .unwrap_or("")
            .trim_start_matches('-')
            .to_owned()
    };
    let changed: Vec<String> = lines
        .lines()
        .filter(|line| !line.starts_with(' '))
        .map(key)
        .collect();
    let mut text = "job:\n".to_owned();
    let kept = GOOD
        .iter()
        .copied()
        .filter(|line| !changed.contains(&key(line)));
    for line in kept.chain(lines.lines().filter(|line| !line.starts_with('-'))) {
        text.push_str("  ");
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[track_caller]
fn check(text: &str, expected: &[(&str, &str)]) {
    let mistakes = read(text, &Defaults::default()).expect_err(text);
    let found: Vec<(&str, &str)> = mistakes
        .list()
        .iter()
        .map(|mistake| {
            assert!(
                !mistake.message.is_empty() && !mistake.help.is_empty(),
                "{mistake:?}"
            );
            (mistake.code, &text[mistake.span.clone()])
        })
        .collect();
    assert_eq!(found, expected, "in the file\n{text}\n{mistakes:#?}");
}

#[test]
fn a_key_with_a_wrong_value_is_underlined_at_the_value() {
    for (lines, code, underlined) in [
        // Names.
        ("name: ../x", "job/bad-name", "../x"),
        ("name: \"a\\nb\"", "job/bad-name", "\"a\\nb\""),
        ("name: \"a\\e[31m\"", "job/bad-name", "\"a\\e[31m\""),
        ("name: ' padded'", "job/bad-name", "' padded'"),
        ("name: \"a\\u202eb\"", "job/bad-name", "\"a\\u202eb\""),
        ("name: ..", "job/bad-name", ".."),
        ("name: ''", "file/missing", "''"),
        ("name:", "file/missing", "name"),
        ("name: ~", "file/missing", "~"),
        ("name: '  '", "file/missing", "'  '"),
        ("name: [a]", "file/wrong-type", "[a]"),
        ("name: {a: b}", "file/wrong-type", "{a: b}"),
        ("name:\n  a: b", "file/wrong-type", "a: b"),
        ("-name", "file/missing", "job"),
        // Ids.
        ("id: a37b187f593", "job/bad-id", "a37b187f593"),
        ("id: A37B187F5930", "job/bad-id", "A37B187F5930"),
        ("id: ../../../../", "job/bad-id", "../../../../"),
        ("id: 12345678901", "job/bad-id", "12345678901"),
        ("id: [a37b187f5930]", "file/wrong-type", "[a37b187f5930]"),
        // Descriptions.
        ("description: [x]", "file/wrong-type", "[x]"),
        (
            "description: \"a\\eb\"",
            "file/control-character",
            "\"a\\eb\"",
        ),
        // Schedules.
        ("-schedule", "file/missing", "job"),
        ("schedule:", "file/missing", "schedule"),
        ("schedule: ''", "file/missing", "''"),
        ("schedule: [daily]", "file/wrong-type", "[daily]"),
        ("runs: every hour", "file/conflict", "runs"),
        ("-schedule\nruns:", "file/missing", "runs"),
        (
            "timezone: Europe/Dublim",
            "schedule/unknown-zone",
            "Europe/Dublim",
        ),
        ("timezone: [UTC]", "file/wrong-type", "[UTC]"),
        // Programs.
        ("-language", "file/missing", "job"),
        ("-file", "file/missing", "job"),
        ("-language\n-file", "file/missing", "job"),
        ("language: pyton3", "file/unknown-language", "pyton3"),
        (
            "language: javascript",
            "file/unknown-language",
            "javascript",
        ),
        ("language: cobol", "file/unknown-language", "cobol"),
        (
            "language: ./venv/bin/python",
            "file/unknown-language",
            "./venv/bin/python",
        ),
        ("language: Python3", "file/unknown-language", "Python3"),
        (
            "language: \"/usr/bin/x\\n\"",
            "file/control-character",
            "\"/usr/bin/x\\n\"",
        ),
        ("language: rust", "file/not-supported-yet", "rust"),
        ("language:", "file/missing", "language"),
        ("language: {name: go}", "file/wrong-type", "{name: go}"),
        ("file: /etc/passwd", "file/bad-path", "/etc/passwd"),
        ("file: ../report.py", "file/bad-path", "../report.py"),
        (
            "file: a/../../report.py",
            "file/bad-path",
            "a/../../report.py",
        ),
        ("file: \"a\\0b\"", "file/bad-path", "\"a\\0b\""),
        ("file: .", "file/bad-path", "."),
        ("file: -c.py", "file/bad-path", "-c.py"),
        ("file: [report.py]", "file/wrong-type", "[report.py]"),
        ("language: go", "file/wrong-ending", "report.py"),
        ("language: go\nfile: .go", "file/wrong-ending", ".go"),
        ("command: [ls]\n-file", "file/conflict", "language"),
        ("command: [ls]\n-language", "file/conflict", "file"),
        ("command: []\n-language\n-file", "file/missing", "[]"),
        ("command: ['']\n-language\n-file", "file/missing", "['']"),
        ("command:\n-language\n-file", "file/missing", "command"),
        (
            "command: {run: ls}\n-language\n-file",
            "file/wrong-type",
            "{run: ls}",
        ),
        (
            "command: [ls, [a]]\n-language\n-file",
            "file/wrong-type",
            "[a]",
        ),
        (
            "command: [\"a\\0\"]\n-language\n-file",
            "file/control-character",
            "\"a\\0\"",
        ),
        // Arguments, files and environment.
        ("args: --fast", "file/wrong-type", "--fast"),
        ("args: {a: b}", "file/wrong-type", "{a: b}"),
        ("args: [a, {b: c}]", "file/wrong-type", "{b: c}"),
        ("args: [\"a\\0b\"]", "file/control-character", "\"a\\0b\""),
        ("files: lib", "file/wrong-type", "lib"),
        ("files: [lib, /etc]", "file/bad-path", "/etc"),
        ("files: [lib, ../x]", "file/bad-path", "../x"),
        ("files: [lib, \"a\\tb\"]", "file/bad-path", "\"a\\tb\""),
        ("files: ['']", "file/bad-path", "''"),
        ("files: [[a]]", "file/wrong-type", "[a]"),
        ("env: [A=b]", "file/wrong-type", "[A=b]"),
        ("env: A=b", "file/wrong-type", "A=b"),
        ("env: {A=b: c}", "file/bad-env-name", "A=b"),
        ("env: {A: [b]}", "file/wrong-type", "[b]"),
        ("env: {'': b}", "file/bad-env-name", "''"),
        ("env: {\"a\\0\": b}", "file/bad-env-name", "\"a\\0\""),
        ("env: {A: \"b\\0\"}", "file/control-character", "\"b\\0\""),
        ("env: {ODIN_RUN_ID: x}", "file/bad-env-name", "ODIN_RUN_ID"),
        ("env: {two words: x}", "file/bad-env-name", "two words"),
        ("env: {A: 1, A: 2}", "file/duplicate-key", "A"),
        // Durations and policies.
        ("timeout: 90", "file/bad-duration", "90"),
        ("timeout: 1.5h", "file/bad-duration", "1.5h"),
        ("timeout: ten minutes", "file/bad-duration", "ten minutes"),
        ("timeout: -1m", "file/bad-duration", "-1m"),
        ("timeout: 0s", "file/bad-duration", "0s"),
        (
            "timeout: 999999999999d",
            "file/bad-duration",
            "999999999999d",
        ),
        ("timeout: [10m]", "file/wrong-type", "[10m]"),
        ("grace: 1 m", "file/bad-duration", "1 m"),
        ("grace: 5 minutes", "file/bad-duration", "5 minutes"),
        ("missed: never", "file/unknown-value", "never"),
        ("missed: All", "file/unknown-value", "All"),
        ("missed: [once]", "file/wrong-type", "[once]"),
        ("missed: {}", "file/missing", "missed"),
        ("missed: {limit: 3}", "file/missing", "missed"),
        ("missed: {policy: all, limit: 0}", "file/out-of-range", "0"),
        (
            "missed: {policy: all, limit: 1001}",
            "file/out-of-range",
            "1001",
        ),
        (
            "missed: {policy: all, limit: few}",
            "file/out-of-range",
            "few",
        ),
        ("missed: {policy: once, limit: 3}", "file/conflict", "limit"),
        ("missed: {policy: al}", "file/unknown-value", "al"),
        ("missed: {policy: all, max: 3}", "file/unknown-key", "max"),
        ("concurrency: forbidden", "file/unknown-value", "forbidden"),
        ("concurrency: {max: 3}", "file/missing", "concurrency"),
        (
            "concurrency: {policy: queue, max: 0}",
            "file/out-of-range",
            "0",
        ),
        (
            "concurrency: {policy: queue, waiting: 10001}",
            "file/out-of-range",
            "10001",
        ),
        (
            "concurrency: {policy: forbid, waiting: 3}",
            "file/conflict",
            "waiting",
        ),
        ("retries: many", "file/out-of-range", "many"),
        ("retries: -1", "file/out-of-range", "-1"),
        ("retries: 1001", "file/out-of-range", "1001"),
        ("retries: [3]", "file/wrong-type", "[3]"),
        ("retries: {}", "file/missing", "retries"),
        ("retries: {delay: 3s}", "file/missing", "retries"),
        (
            "retries: {max: 3, backoff: linear}",
            "file/unknown-value",
            "linear",
        ),
        ("retries: {max: 3, delay: 10}", "file/bad-duration", "10"),
        (
            "retries: {max: 3, on: [failed, cancelled]}",
            "file/unknown-value",
            "cancelled",
        ),
        (
            "retries: {max: 3, exit_codes: [75, 20-10]}",
            "file/out-of-range",
            "20-10",
        ),
        (
            "retries: {max: 3, exit_codes: [0]}",
            "file/out-of-range",
            "0",
        ),
        (
            "retries: {max: 3, exit_codes: [256]}",
            "file/out-of-range",
            "256",
        ),
        ("on_lost: retry", "file/unknown-value", "retry"),
        ("lost_after: 9s", "file/out-of-range", "9s"),
        ("keep: {runs: 0}", "file/out-of-range", "0"),
        ("keep: {days: 36501}", "file/out-of-range", "36501"),
        ("keep: {output: much}", "file/out-of-range", "much"),
        ("keep: {values: 1025MiB}", "file/out-of-range", "1025MiB"),
        ("keep: {values: 63KiB}", "file/out-of-range", "63KiB"),
        ("keep: {run_output: 63KiB}", "file/out-of-range", "63KiB"),
        ("keep: {run_output: 17GiB}", "file/out-of-range", "17GiB"),
        (
            "keep: {output: 1MiB, run_output: 2MiB}",
            "file/out-of-range",
            "2MiB",
        ),
        ("priority: 101", "file/out-of-range", "101"),
        ("priority: high", "file/out-of-range", "high"),
    ] {
        check(&changed(lines), &[(code, underlined)]);
    }
}

#[test]
fn a_schedule_is_underlined_at_the_word_that_is_wrong() {
    for (lines, code, underlined) in [
        (
            "schedule: every Wendesday at 09:00",
            "schedule/unknown-word",
            "Wendesday",
        ),
        (
            "schedule: 'every Wendesday at 09:00'",
            "schedule/unknown-word",
            "Wendesday",
        ),
        (
            "schedule: \"  every Wendesday at 09:00\"",
            "schedule/unknown-word",
            "Wendesday",
        ),
        (
            "-schedule\nruns: every day at 25:00",
            "schedule/no-such-time",
            "25:00",
        ),
        (
            "schedule: |\n  every Wendesday at 09:00",
            "schedule/unknown-word",
            "Wendesday",
        ),
        // Escapes and folded lines: the value as a whole.
        (
            "schedule: \"every\\x20Wendesday at 09:00\"",
            "schedule/unknown-word",
            "\"every\\x20Wendesday at 09:00\"",
        ),
        (
            "schedule: every\n    Wendesday at 09:00",
            "schedule/unknown-word",
            "every\n      Wendesday at 09:00",
        ),
    ] {
        check(&changed(lines), &[(code, underlined)]);
    }
}

#[test]
fn a_key_that_does_nothing_is_refused_and_underlined() {
    for (lines, code, underlined) in [
        ("secrets: API_KEY", "file/wrong-type", "API_KEY"),
        ("secrets: [[API_KEY]]", "file/wrong-type", "[API_KEY]"),
        ("secrets: [A, B-C]", "file/bad-secret-name", "B-C"),
        ("secrets: [ODIN_X]", "file/bad-secret-name", "ODIN_X"),
        ("secrets: ['']", "file/bad-secret-name", "''"),
        ("secrets: {A: fil}", "file/unknown-value", "fil"),
        ("secrets: {A: [file]}", "file/wrong-type", "[file]"),
        ("secrets: [A, B, A]", "file/secret-clash", "A"),
        ("env: {KEY: x}\nsecrets: [KEY]", "file/secret-clash", "KEY"),
        ("secret: [A]", "file/unknown-key", "secret"),
        (
            "nodes: {labels: {zone: eu-1}}",
            "file/not-supported-yet",
            "nodes",
        ),
        ("notify: ops", "file/wrong-type", "ops"),
        ("notify: {on: [failed]}", "file/unknown-value", "failed"),
        ("notify: {to: [Ops]}", "file/bad-channel-name", "Ops"),
        ("notify: {failures: 0}", "file/out-of-range", "0"),
        ("notify: {repeat: often}", "file/bad-duration", "often"),
        ("notify: {channels: [ops]}", "file/unknown-key", "channels"),
        ("late_after: 0s", "file/bad-duration", "0s"),
        ("expect: {max_duration: 0s}", "file/bad-duration", "0s"),
        ("expect: {values: {price: {}}}", "file/missing", "price"),
        ("expect: {values: {price: 5}}", "file/wrong-type", "5"),
        (
            "expect: {values: {price: {least: 1}}}",
            "file/unknown-key",
            "least",
        ),
        (
            "expect: {values: {price: {min: many}}}",
            "file/out-of-range",
            "many",
        ),
        (
            "expect: {values: {price: {max: .inf}}}",
            "file/out-of-range",
            ".inf",
        ),
        (
            "expect: {values: {price: {min: 2, max: 1.5}}}",
            "file/out-of-range",
            "1.5",
        ),
        (
            "expect: {min_duration: 1m, max_duration: 60s}",
            "file/out-of-range",
            "60s",
        ),
        ("children: kill", "file/unknown-value", "kill"),
        ("on_cancel: []", "file/missing", "[]"),
        ("on_cancel: {timeout: 5s}", "file/missing", "on_cancel"),
        (
            "on_cancel: {command: stop, timeout: 0s}",
            "file/bad-duration",
            "0s",
        ),
        ("timeout: {queue: 1}", "file/bad-duration", "1"),
        ("timeout: {idle: 1m}", "file/unknown-key", "idle"),
        ("timeout: {silence: 0s}", "file/bad-duration", "0s"),
        ("kill_grace: soon", "file/bad-duration", "soon"),
        ("dst: {gap: hop}", "file/unknown-value", "hop"),
        ("dst: skip", "file/wrong-type", "skip"),
        ("limits: 512MiB", "file/wrong-type", "512MiB"),
        ("limits: {memory: 512M}", "file/out-of-range", "512M"),
        ("limits: {memory: 1KiB}", "file/out-of-range", "1KiB"),
        ("limits: {cpu: 0}", "file/out-of-range", "0"),
        ("limits: {cpu: NaN}", "file/out-of-range", "NaN"),
        ("limits: {processes: 0}", "file/out-of-range", "0"),
        ("limits: {processes: -1}", "file/out-of-range", "-1"),
        (
            "limits: {open_files: 4294967296}",
            "file/out-of-range",
            "4294967296",
        ),
        ("limits: {best_effort: yes}", "file/unknown-value", "yes"),
        ("limits: {ram: 1GiB}", "file/unknown-key", "ram"),
        ("nam: x", "file/unknown-key", "nam"),
        ("Schedule: x", "file/unknown-key", "Schedule"),
        ("cron: '* * * * *'", "file/unknown-key", "cron"),
        ("provider: odin", "file/unknown-key", "provider"),
        ("\"a\\eb\": x", "file/unknown-key", "\"a\\eb\""),
        ("<<: {a: b}", "file/unknown-key", "<<"),
        ("name: one\nname: two", "file/duplicate-key", "name"),
        ("? [a]\n: b", "file/key-not-text", "[a]"),
    ] {
        check(&changed(lines), &[(code, underlined)]);
    }
}

#[test]
fn a_file_that_is_no_job_file_is_refused() {
    let deep_flow = format!("job: {}", "[".repeat(100_000));
    let deep_block = (0..200).fold(String::new(), |text, depth| {
        format!("{text}{}a:\n", " ".repeat(depth))
    });
    let good = changed("");
    let second = format!("{good}---\n{good}");
    let workflow = format!("{good}workflow: {{}}\n");
    let unknown_top = format!("{good}jobs: x\n");
    for (text, code, underlined) in [
        ("", "file/empty", ""),
        ("\n\n# nothing\n", "file/empty", ""),
        ("---\n", "file/empty", ""),
        ("~", "file/empty", ""),
        ("just text", "file/wrong-type", "just text"),
        ("- a\n- b\n", "file/wrong-type", "- a"),
        ("provider: {name: odin}\n", "file/missing", ""),
        ("job: x\n", "file/wrong-type", "x"),
        ("job: [a]\n", "file/wrong-type", "[a]"),
        ("{", "file/syntax", "{"),
        ("job: {name: x", "file/syntax", "{"),
        ("job:\n  name: 'x\n", "file/syntax", ""),
        ("job:\n\tname: x\n", "file/tab", "\t"),
        ("job:\n  name: \"\\q\"\n", "file/syntax", "\""),
        ("job:\n  name: x\n schedule: y\n", "file/syntax", "s"),
        ("job:\n  name: a: b\n", "file/syntax", ":"),
        ("%YAML 1.2\n---\njob: {}\n", "file/directive", "%"),
        ("job: \u{0}", "file/control-character", "\u{0}"),
        ("job: \u{1b}[31m", "file/control-character", "\u{1b}"),
        ("\u{7f}ELF", "file/control-character", "\u{7f}"),
        (deep_flow.as_str(), "file/too-deep", "["),
        (deep_block.as_str(), "file/too-deep", "a"),
        (second.as_str(), "file/several-documents", "---"),
        (workflow.as_str(), "file/not-supported-yet", "workflow"),
        (unknown_top.as_str(), "file/unknown-key", "jobs"),
    ] {
        check(text, &[(code, underlined)]);
    }
}

#[test]
fn what_could_expand_or_refer_back_is_refused() {
    check(
        &changed("args: [&a x, *a]"),
        &[("file/alias", "&a"), ("file/alias", "*a")],
    );
    check(&changed("args: [*unknown]"), &[("file/alias", "*unknown")]);
    check(&changed("name: !!str x"), &[("file/tag", "!!str")]);
    check(&changed("env: !local {A: b}"), &[("file/tag", "!local")]);
    let laughs = (1..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, level| {
        let before = level - 1;
        format!("{text}a{level}: &a{level} [*a{before}, *a{before}, *a{before}]\n")
    });
    let mistakes = read(&laughs, &Defaults::default()).unwrap_err();
    assert!(
        mistakes
            .list()
            .iter()
            .any(|mistake| mistake.code == "file/alias")
    );
    assert_eq!(
        mistakes.list().len() + mistakes.omitted(),
        30 + 3 * 29 + 30 + 1
    );
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once_in_their_order() {
    check(
        "provider: {name: odin, flavour: x}\njob:\n  id: 12\n  nam: a\n  language: cobol\n  file: /x\n  timeout: 90\n  \
         keep: []\n  env: {ODIN_A: 1, B: [x]}\n",
        &[
            ("file/unknown-key", "flavour"),
            ("file/missing", "job"),
            ("file/missing", "job"),
            ("job/bad-id", "12"),
            ("file/unknown-key", "nam"),
            ("file/unknown-language", "cobol"),
            ("file/bad-path", "/x"),
            ("file/bad-duration", "90"),
            ("file/wrong-type", "[]"),
            ("file/wrong-type", "[x]"),
        ],
    );
}

#[test]
fn a_file_over_its_bounds_is_refused_quickly() {
    let huge = changed(&format!("description: {}", "x".repeat(300 * 1024)));
    check(&huge, &[("file/too-large", "")]);
    let argument = "x".repeat(129 * 1024);
    check(
        &changed(&format!("args: [{argument}]")),
        &[("file/too-long", &argument)],
    );
    let many = changed(&format!("args: [{}]", "a,".repeat(10_001)));
    check(&many, &[("file/too-many", "a")]);
    // Each `\L` reads as three bytes.
    let escapes = changed(&format!("args: [\"{0}\", \"{0}\"]", "\\L".repeat(40_000)));
    check(&escapes, &[("file/too-long", "")]);
    let unknown: String = (0..20_000).map(|n| format!("k{n}: 1\n")).collect();
    let mistakes = read(&unknown, &Defaults::default()).unwrap_err();
    assert_eq!(
        (mistakes.list().len(), mistakes.omitted()),
        (100, 20_001 - 100)
    );
}

#[test]
fn the_next_step_names_what_was_meant() {
    for (lines, expected) in [
        ("nam: x", "Did you mean `name`?"),
        ("cron: x", "Did you mean `schedule`?"),
        ("scedule: x", "Did you mean `schedule`?"),
        (
            "provider: x",
            "`provider` stands beside `job:`, without indentation.",
        ),
        ("concurrency: forbidden", "Did you mean `forbid`?"),
        ("language: nodejs", "Did you mean `node`?"),
        ("language: pyhton3", "Did you mean `python3`?"),
        ("-language", "Write `language: python3`."),
        ("timeout: 90", "such as `90s`"),
        ("timezone: Dublin", "Europe/Dublin"),
        ("name: a\nname: b", "the first is in line"),
    ] {
        let text = changed(lines);
        let mistakes = read(&text, &Defaults::default()).unwrap_err();
        let help: Vec<&str> = mistakes
            .list()
            .iter()
            .map(|mistake| mistake.help.as_str())
            .collect();
        assert!(
            help.iter().any(|help| help.contains(expected)),
            "{lines}: {help:?}"
        );
    }
}

#[test]
fn no_message_carries_what_a_terminal_would_obey() {
    for lines in [
        "schedule: \"every \\e[31mday\"",
        "schedule: \"every \\u202eday\"",
        "timezone: \"\\NEurope/Dublin\"",
        "language: \"\\e[31m\"",
        "timeout: \"\\e[31m\"",
        "file: \"\\e[31m\"",
        "missed: \"\\a\"",
        "id: \"\\a\"",
        "env: {\"\\e\": x}",
        "\"\\e[31m\": x",
    ] {
        let text = changed(lines);
        let mistakes = read(&text, &Defaults::default()).expect_err(lines);
        for mistake in mistakes.list() {
            let shown = format!("{}{}", mistake.message, mistake.help);
            let unfit = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
            assert!(!shown.contains(unfit), "{lines}: {shown:?}");
        }
    }
}

#[test]
fn what_is_too_much_says_what_to_do_instead() {
    let lines = |what: &str| {
        (0..=100)
            .map(|n| what.replace('#', &n.to_string()))
            .collect::<String>()
    };
    let bounds = format!("expect: {{values: {{{}}}}}", lines("v#: {min: 1}, "));
    let name = format!("expect: {{values: {{{}: {{min: 1}}}}}}", "n".repeat(300));
    let channels = format!("notify: {{on: [failure], to: [{}]}}", lines("c#, "));
    let codes = format!("retries: {{max: 1, exit_codes: [{}]}}", "1, ".repeat(257));
    for (text, help) in [
        (bounds, "Keep the bounds that matter most"),
        (name, "Write its first 256 bytes"),
        (channels, "Keep fewer channels"),
        (codes, "Write neighbours as a range"),
        (
            format!("files: [{}]", "a,".repeat(10_001)),
            "List a directory instead",
        ),
        (
            format!("args: [{}]", "a,".repeat(10_001)),
            "Put them into a file that the program reads",
        ),
        (
            format!("args: [{}]", "x".repeat(129 * 1024)),
            "Put the text into a file",
        ),
    ] {
        let mistakes = read(&changed(&text), &Defaults::default()).unwrap_err();
        let [mistake] = mistakes.list() else {
            panic!("{mistakes:?}")
        };
        assert!(mistake.code.starts_with("file/too-"), "{mistake:?}");
        assert!(mistake.help.starts_with(help), "{mistake:?}");
    }
}
