//! What the commands print that ask no server, and what they print when there is none.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Output, Stdio};

use expect_test::{Expect, expect};

const ODIN: &str = env!("CARGO_BIN_EXE_odin");

fn odin(directory: &Path, arguments: &[&str]) -> Output {
    odin_testbed::sealed(Path::new(ODIN))
        .args(arguments)
        .current_dir(directory)
        .env("HOME", directory)
        .env("ODIN_DATA_DIR", directory.join("no-server"))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Everything that a person sees: stdout, stderr, and the exit code unless it is 0.
fn seen(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.stderr.is_empty() {
        text += "--- stderr\n";
        text += &String::from_utf8_lossy(&output.stderr);
    }
    match output.status.code() {
        Some(0) => text,
        code => format!("{text}--- exit {}\n", code.unwrap()),
    }
}

fn check(arguments: &[&str], expected: &Expect) {
    let directory = tempfile::tempdir().unwrap();
    expected.assert_eq(&seen(&odin(directory.path(), arguments)));
}

#[test]
fn usage_that_is_refused_ends_with_2() {
    check(
        &["staus"],
        &expect![[r#"
            --- stderr
            error: unrecognized subcommand 'staus'

              tip: some similar subcommands exist: 'pause', 'stats', 'status'

            Usage: odin [OPTIONS] <COMMAND>

            For more information, try '--help'.
            --- exit 2
        "#]],
    );
    check(
        &["deploy"],
        &expect![[r#"
        --- stderr
        error: the following required arguments were not provided:
          --file <FILE|DIR>

        Usage: odin deploy --file <FILE|DIR>

        For more information, try '--help'.
        --- exit 2
    "#]],
    );
    check(
        &["describe", "--json"],
        &expect![[r#"
            --- stderr
            {
              "type": "urn:odin:cli/usage",
              "title": "The arguments are refused",
              "status": 422,
              "code": "cli/usage",
              "detail": "the following required arguments were not provided:\n  --id <JOB|RUN>",
              "help": "Usage: odin describe --id <JOB|RUN> --json\n\nFor more information, try '--help'."
            }
            --- exit 2
        "#]],
    );
    check(
        &["list", "--port", "http"],
        &expect![[r#"
        --- stderr
        error[cli/bad-address]: `http` is not a port: write `:3939`
        --- exit 2
    "#]],
    );
    check(
        &["list", "--port", ":1", "--server", "unix:x"],
        &expect![[r#"
            --- stderr
            error: the argument '--port <PORT>' cannot be used with '--server <URL>'

            Usage: odin list --port <PORT>

            For more information, try '--help'.
            --- exit 2
        "#]],
    );
    check(
        &["server", "--port", ":3939"],
        &expect![[r#"
        --- stderr
        error[cli/usage]: `--port` names a server to ask, and this command runs one itself
        help: `odin server --http :PORT` chooses the port on which it serves.
        --- exit 2
    "#]],
    );
    check(
        &["cancel", "--id", "../../etc"],
        &expect![[r#"
        --- stderr
        error[run/bad-id]: `../../etc` is not a run id: `r` and 13 letters or digits, such as r0000000030000
        help: `odin runs -i JOB` shows the ids of a job's runs.
        --- exit 2
    "#]],
    );
}

#[test]
fn no_server_ends_with_3_and_the_next_step() {
    check(
        &["list", "--server", "unix:missing.sock"],
        &expect![[r#"
        --- stderr
        error[client/not-running]: no Odin server is running at missing.sock
        help: Start one with `odin server`, or name another with `-p :PORT` or `--server`.
        --- exit 3
    "#]],
    );
    check(
        &["list", "--server", "unix:missing.sock", "--json"],
        &expect![[r#"
            --- stderr
            {
              "type": "urn:odin:client/not-running",
              "title": "No server is running there",
              "status": 503,
              "code": "client/not-running",
              "detail": "no Odin server is running at missing.sock",
              "help": "Start one with `odin server`, or name another with `-p :PORT` or `--server`."
            }
            --- exit 3
        "#]],
    );
    check(
        &["list", "--server", "http://127.0.0.1:1"],
        &expect![[r#"
        --- stderr
        error[client/token-missing]: a token is needed to speak to http://127.0.0.1:1 over TCP
        help: Give one with --token or ODIN_TOKEN; the server's own user finds it in <data-dir>/local.token.
        --- exit 5
    "#]],
    );
}

#[test]
fn the_version_is_printed() {
    let version = env!("CARGO_PKG_VERSION");
    let directory = tempfile::tempdir().unwrap();
    for arguments in [&["version"][..], &["--version"]] {
        assert_eq!(
            seen(&odin(directory.path(), arguments)),
            format!("odin {version}\n")
        );
    }
    let json: serde_json::Value =
        serde_json::from_slice(&odin(directory.path(), &["version", "--json"]).stdout).unwrap();
    assert_eq!(json["version"], version);
}

#[test]
fn completions_name_the_commands() {
    let directory = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let output = odin(directory.path(), &["completions", shell]);
        assert!(output.status.success());
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(
            script.contains("deploy") && script.contains("schedule"),
            "{shell}"
        );
    }
}

#[test]
fn arguments_that_are_not_utf_8_are_refused_and_never_a_panic() {
    use std::os::unix::ffi::OsStrExt;
    let directory = tempfile::tempdir().unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"\xff\xfe.yml");
    for before in [
        &["generate", "-l", "bash", "-f"][..],
        &["deploy", "-f"],
        &["execute", "-f"],
        &["list", "--server"],
        &["list", "-p"],
        &["describe", "-i"],
        &["why", "x"],
        &["schedule", "next"],
        &[],
    ] {
        let output = odin_testbed::sealed(Path::new(ODIN))
            .args(before)
            .arg(odd)
            .current_dir(directory.path())
            .env("ODIN_DATA_DIR", directory.path())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{before:?}: {stderr}");
        assert!(stderr.starts_with("error"), "{before:?}: {stderr}");
    }
}

#[test]
fn job_files_are_generated_once_and_completely_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let in_directory = |arguments: &[&str]| seen(&odin(directory.path(), arguments));
    expect![[r#"
        Config and language files generated!
          backup.yml
          backup.go
    "#]]
    .assert_eq(&in_directory(&["generate", "-f", "backup.yml", "-l", "go"]));
    expect![[r#"
        --- stderr
        error[generate/exists]: backup.yml is there already
        help: Choose another name: nothing is overwritten.
        --- exit 2
    "#]]
    .assert_eq(&in_directory(&[
        "gen",
        "-f",
        "backup.yml",
        "--lang",
        "node",
    ]));
    std::fs::write(directory.path().join("report.py"), "mine").unwrap();
    expect![[r#"
        --- stderr
        error[generate/exists]: report.py is there already
        help: Choose another name: nothing is overwritten.
        --- exit 2
    "#]]
    .assert_eq(&in_directory(&["gen", "-f", "report.yaml", "-l", "python"]));
    expect![[r#"
        --- stderr
        error[generate/bad-name]: Please provide a '.yml' extension to job.txt
        --- exit 2
    "#]]
    .assert_eq(&in_directory(&["gen", "-f", "job.txt", "-l", "python"]));
    expect![[r#"
        --- stderr
        error[file/unknown-language]: Language passed is not valid: `pyton` is not a language that Odin knows
        help: Did you mean `python`? Known are python3, python, node, bash, sh, go.
        --- exit 2
    "#]].assert_eq(&in_directory(&["gen", "-f", "job.yml", "-l", "pyton"]));
    expect![[r#"
        --- stderr
        error[file/not-supported-yet]: Language passed is not valid: `rust` is not supported yet
        help: Known are python3, python, node, bash, sh, go.
        --- exit 2
    "#]]
    .assert_eq(&in_directory(&["gen", "-f", "job.yml", "-l", "rust"]));
    expect![[r#"
        --- stderr
        error[cli/file]: no/such/job.yml: no such file or directory
        --- exit 2
    "#]]
    .assert_eq(&in_directory(&["gen", "-f", "no/such/job.yml", "-l", "sh"]));
    let mut names: Vec<String> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["backup.go", "backup.yml", "report.py"]);
    assert_eq!(
        std::fs::read(directory.path().join("report.py")).unwrap(),
        b"mine"
    );
}

#[test]
fn mistakes_of_a_job_file_are_all_shown_where_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let file =
        "job:\n  nmae: x\n  language: pyhton\n  file: ../x.py\n  schedule: every day at 25:00\n";
    std::fs::write(directory.path().join("job.yml"), file).unwrap();
    let deploy = ["deploy", "-f", "job.yml"];
    expect![[r#"
        --- stderr
        error[file/missing]: `name` is missing
         --> job.yml:1:1
          |
        1 | job:
          | ^^^
          |
          = help: Give the job a name that none of your other jobs has.

        error[file/unknown-key]: there is no key `nmae` in `job`
         --> job.yml:2:3
          |
        2 |   nmae: x
          |   ^^^^
          |
          = help: Did you mean `name`?

        error[file/unknown-language]: `pyhton` is not a language that Odin knows
         --> job.yml:3:13
          |
        3 |   language: pyhton
          |             ^^^^^^
          |
          = help: Did you mean `python`? Known are python3, python, node, bash, sh, go; or write the absolute path of an interpreter.

        error[file/bad-path]: `../x.py` cannot be a file of the bundle: it leads upwards by `..`
         --> job.yml:4:9
          |
        4 |   file: ../x.py
          |         ^^^^^^^
          |
          = help: Write it relative to the job file's directory, and below it.

        error[schedule/no-such-time]: `25:00` is not a time of day
         --> job.yml:5:26
          |
        5 |   schedule: every day at 25:00
          |                          ^^^^^
          |
          = help: Times run from 00:00 to 23:59, or from 12am to 11:59pm; midnight is 00:00.
        --- exit 2
    "#]].assert_eq(&seen(&odin(directory.path(), &deploy)));
    let json = odin(directory.path(), &[&deploy[..], &["--json"]].concat());
    let problem: serde_json::Value = serde_json::from_slice(&json.stderr).unwrap();
    let places: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| format!("{}:{} {}", error["line"], error["column"], error["code"]))
        .collect();
    expect![[r#"
        1:1 "file/missing"
        2:3 "file/unknown-key"
        3:13 "file/unknown-language"
        4:9 "file/bad-path"
        5:26 "schedule/no-such-time""#]]
    .assert_eq(&places.join("\n"));
}

#[test]
fn a_dry_run_without_a_server_checks_and_shows_what_it_can() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("x.sh"), "echo hi\n").unwrap();
    let file = "job: {name: x, language: bash, file: x.sh, schedule: once on 2999-01-01 at 09:00, timezone: UTC}\n";
    std::fs::write(directory.path().join("job.yml"), file).unwrap();
    let seen = seen(&odin(
        directory.path(),
        &["deploy", "-f", "job.yml", "--dry-run"],
    ));
    expect![[r#"
        job.yml would be deployed as a job (no server was asked)
          name:      x
          language:  bash
          schedule:  once on 2999-01-01 at 09:00 (UTC)
          files:     job.yml x.sh (201 bytes packed)
          due:       2999-01-01 09:00:00 UTC
    "#]]
    .assert_eq(&seen);
}

/// A stand-in for the compiler: what Odin asks of it is its arguments and environment.
fn with_go(directory: &Path, script: &str, arguments: &[&str]) -> Output {
    use std::os::unix::fs::PermissionsExt;
    let bin = directory.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::write(bin.join("go"), format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(bin.join("go"), PermissionsExt::from_mode(0o755)).unwrap();
    odin_testbed::sealed(Path::new(ODIN))
        .args(arguments)
        .current_dir(directory)
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .env("ODIN_DATA_DIR", directory.join("no-server"))
        .env("HOME", directory)
        .output()
        .unwrap()
}

#[test]
fn a_go_job_is_built_by_the_deployer_and_the_compilers_words_are_shown() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("main.go"), "package main\n").unwrap();
    let file = "job: {name: x, language: go, file: main.go, schedule: never, timezone: UTC}\n";
    std::fs::write(directory.path().join("job.yml"), file).unwrap();
    let dry_run = ["deploy", "-f", "job.yml", "--dry-run"];

    let broken = "echo './main.go:1:1: undefined: x' >&2; exit 1";
    expect![[r#"
        --- stderr
        error[go/build-failed]: `go build main.go` failed
        help: Mend what the compiler says, then deploy again:
              ./main.go:1:1: undefined: x
        --- exit 2
    "#]]
    .assert_eq(&seen(&with_go(directory.path(), broken, &dry_run)));

    // Arguments: build -o OUT -- ./main.go
    let works =
        r#"[ "$1 $2 $4 $5 $CGO_ENABLED" = "build -o -- ./main.go 0" ] && printf '\177ELF' > "$3""#;
    expect![[r#"
        job.yml would be deployed as a job (no server was asked)
          name:      x
          language:  go
          schedule:  never (UTC)
          files:     job.yml main main.go (221 bytes packed)
          due:       never
    "#]]
    .assert_eq(&seen(&with_go(directory.path(), works, &dry_run)));

    // Of another package than `main` the compiler makes an archive.
    let library = r#"printf '!<arch>' > "$3""#;
    expect![[r#"
        --- stderr
        error[go/not-a-program]: `main.go` is not a program: its package is not `main`
        help: Begin the file with `package main`, and give it a `func main()`.
        --- exit 2
    "#]]
    .assert_eq(&seen(&with_go(directory.path(), library, &dry_run)));

    let output = odin_testbed::sealed(Path::new(ODIN))
        .args(dry_run)
        .current_dir(directory.path())
        .env("PATH", directory.path())
        .output()
        .unwrap();
    expect![[r#"
        --- stderr
        error[go/not-installed]: `go` is not installed here, and the job is in Go
        help: Install Go from https://go.dev/dl, or put it on PATH.
        --- exit 2
    "#]]
    .assert_eq(&seen(&output));
}

#[test]
fn what_cannot_be_in_a_bundle_is_shown_where_the_job_file_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("x.sh"), "true\n").unwrap();
    std::fs::create_dir(path("lib")).unwrap();
    let mode = rustix::fs::Mode::RUSR;
    for fifo in ["lib/fifo", "main.go"] {
        rustix::fs::mkfifoat(rustix::fs::CWD, path(fifo), mode).unwrap();
    }
    let head = "job:\n  name: x\n  schedule: never\n";
    let shell = "  language: sh\n  file: x.sh\n";
    let mut said = String::new();
    for (name, job) in [
        (
            "missing",
            "  language: sh\n  file: ./nowhere.sh\n".to_owned(),
        ),
        (
            "missing-more",
            format!("{shell}  files: [x.sh, data.csv]\n"),
        ),
        ("inside", format!("{shell}  files: [./lib/]\n")),
        // A compiler would wait for somebody who writes.
        ("fifo", "  language: go\n  file: main.go\n".to_owned()),
        (
            "large",
            format!("{shell}  description: {}\n", "x".repeat(256 << 10)),
        ),
    ] {
        let name = format!("{name}.yml");
        std::fs::write(path(&name), format!("{head}{job}")).unwrap();
        said += &seen(&with_go(
            directory.path(),
            "cat \"$5\"",
            &["deploy", "-f", &name],
        ));
    }
    expect![[r#"
        --- stderr
        error[bundle/missing-file]: `nowhere.sh` is not there
         --> missing.yml:5:9
          |
        5 |   file: ./nowhere.sh
          |         ^^^^^^^^^^^^
          |
          = help: Paths are relative to the job file's directory: check the spelling, or add the file.
        --- exit 2
        --- stderr
        error[bundle/missing-file]: `data.csv` is not there
         --> missing-more.yml:6:17
          |
        6 |   files: [x.sh, data.csv]
          |                 ^^^^^^^^
          |
          = help: Paths are relative to the job file's directory: check the spelling, or add the file.
        --- exit 2
        --- stderr
        error[bundle/not-a-file]: `lib/fifo` is a FIFO, not a file
         --> inside.yml:6:11
          |
        6 |   files: [./lib/]
          |           ^^^^^^
          |
          = help: A bundle holds regular files and directories only.
        --- exit 2
        --- stderr
        error[bundle/not-a-file]: `main.go` is a FIFO, not a file
         --> fifo.yml:5:9
          |
        5 |   file: main.go
          |         ^^^^^^^
          |
          = help: A bundle holds regular files and directories only.
        --- exit 2
        --- stderr
        error[bundle/too-large]: `large.yml` has 262221 bytes; a job file has at most 262144
        help: Is this the job file? Data belongs into files of its own, named under `files`.
        --- exit 2
    "#]].assert_eq(&said);
}

#[test]
fn two_files_of_one_job_in_a_directory_are_not_deployed_over_each_other() {
    let directory = tempfile::tempdir().unwrap();
    for (name, job) in [
        ("a", "name: x"),
        ("b", "name: y, id: a37b187f5930"),
        ("c", "name: x"),
        ("d", "name: z, id: a37b187f5930"),
    ] {
        let file = format!("job: {{{job}, command: ls, schedule: never, timezone: UTC}}\n");
        std::fs::write(directory.path().join(name).with_extension("yml"), file).unwrap();
    }
    let arguments = ["deploy", "-f", ".", "--dry-run"];
    expect![[r#"
        ./a.yml would be deployed as a job (no server was asked)
          name:      x
          language:  command
          schedule:  never (UTC)
          files:     a.yml (132 bytes packed)
          due:       never
        ./b.yml would be deployed as a job (no server was asked)
          name:      y
          language:  command
          schedule:  never (UTC)
          files:     b.yml (140 bytes packed)
          due:       never
        --- stderr
        error[cli/same-job]: ./c.yml is the same job as ./a.yml
        help: Give one of them another name and no id, or move it away.
        error[cli/same-job]: ./d.yml is the same job as ./b.yml
        help: Give one of them another name and no id, or move it away.
        --- exit 2
    "#]]
    .assert_eq(&seen(&with_go(directory.path(), "", &arguments)));
}

#[test]
fn the_schema_of_a_sink_is_lines_of_sql_that_a_database_reads() {
    let directory = tempfile::tempdir().unwrap();
    let output = odin(directory.path(), &["sink", "schema"]);
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        odin_sinks::POSTGRES_SCHEMA
    );
}
