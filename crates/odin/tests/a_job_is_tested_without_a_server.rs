//! `odin test` runs a job where it is asked, and shows what the job reports.
#![allow(clippy::unwrap_used)]
#![allow(
    clippy::disallowed_methods,
    reason = "the command line is a process here"
)]

use std::path::Path;
use std::process::{Command, Output};

const ODIN: &str = env!("CARGO_BIN_EXE_odin");
const SDKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdks");

fn tested(directory: &Path, language: &str, code: &str, flags: &[&str]) -> Output {
    std::fs::write(directory.join("code"), code).unwrap();
    std::fs::write(directory.join("beside"), "not named\n").unwrap();
    let job = format!(
        "job:\n  name: fetch\n  language: {language}\n  file: code\n  schedule: every day at 09:00\n  \
         env: {{PYTHONDONTWRITEBYTECODE: '1', PYTHONPATH: '{SDKS}/python/src', ODIN: '{ODIN}'}}\n"
    );
    let file = directory.join("fetch.yml");
    std::fs::write(&file, job).unwrap();
    let mut command = Command::new(ODIN);
    command.args(["test", "-f"]).arg(&file).args(flags);
    // No server is asked, whatever the environment names.
    command.env("ODIN_SERVER", "http://127.0.0.1:1");
    command.env("OF_THE_CALLER", "yes").output().unwrap()
}

#[test]
fn what_a_job_reports_is_shown_and_its_result_decides_the_exit_code() {
    let python = "import pyodin\n\
                  odin = pyodin.Odin()\n\
                  odin.watch('url', 'https://example.org/')\n\
                  print('printed', flush=True)\n\
                  odin.metric('rows', 3, 'rows')\n";
    for (language, code, shown, exit) in [
        (
            "python3",
            format!("{python}odin.result('three rows were missing', 404)\n"),
            "odin: watch \"url\" = \"https://example.org/\"\n\
             odin: metric \"rows\" = 3 rows\n\
             odin: result \"three rows were missing\" = 404 (warning)\n\
             odin: fetch: warning: three rows were missing (status 404)\n",
            0,
        ),
        (
            "python3",
            format!("{python}odin.result('no disk space', 500)\n"),
            "odin: watch \"url\" = \"https://example.org/\"\n\
             odin: metric \"rows\" = 3 rows\n\
             odin: result \"no disk space\" = 500 (failure)\n\
             odin: fetch: failed: no disk space (status 500); exit status 1\n",
            1,
        ),
        (
            "bash",
            "echo printed; $ODIN condition found $([ -e beside ] && echo true || echo false) || exit 7".to_owned(),
            "odin: condition \"found\" = false\nodin: fetch: failed: exit status 7\n",
            1,
        ),
        (
            "sh",
            "echo printed; [ -z \"$OF_THE_CALLER\" ] && $ODIN watch n \"$(printf 'a\\033[2J')\"".to_owned(),
            "odin: watch \"n\" = \"a\\u001b[2J\"\nodin: fetch: succeeded\n",
            0,
        ),
        (
            "bash",
            "echo printed; kill -9 $$".to_owned(),
            "odin: fetch: signalled: signal 9\n",
            1,
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let output = tested(directory.path(), language, &code, &[]);
        assert_eq!(String::from_utf8(output.stderr).unwrap(), shown, "{code}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "printed\n");
        assert_eq!(output.status.code(), Some(exit), "{code}");
    }
}

#[test]
fn what_cannot_be_started_and_what_is_no_job_file_say_so() {
    let directory = tempfile::tempdir().unwrap();
    let output = tested(directory.path(), "/no/such/interpreter", "", &["--json"]);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["outcome"], "not_startable", "{answer}");
    assert_eq!(answer["exit_code"], serde_json::Value::Null);
    assert_eq!(output.status.code(), Some(1));
    let output = tested(directory.path(), "klingon", "", &[]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn json_has_the_values_and_standard_output_is_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let code = "echo printed; $ODIN watch n 1.50; $ODIN result fine";
    let output = tested(directory.path(), "bash", code, &["--json"]);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["outcome"], "succeeded");
    assert_eq!(answer["reason"], "fine");
    assert_eq!(answer["exit_code"], 0);
    assert_eq!(answer["values"][0]["name"], "n");
    assert_eq!(answer["values"][0]["value"], 1.5);
    assert_eq!(answer["values"].as_array().unwrap().len(), 2);
}
