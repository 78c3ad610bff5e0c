//! Programs that report by the SDKs of this repository, each in a real run of a real server: what was acknowledged to
//! them is there once, as they said it, whatever dies.
//!
//! Needs `python3`, `node` and `go`; `rustc` is there.
#![allow(clippy::unwrap_used)]
#![allow(
    clippy::disallowed_methods,
    reason = "programs are built by the compilers of their languages"
)]

mod faults;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use faults::{ODIN, Place, signal, wait_for, wait_until_gone};
use rustix::process::Signal;
use serde_json::{Value, json};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/libraries");
const SDKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdks");
/// Python's own, and nothing written beside the sources.
const PYTHON: &str = concat!(
    "PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=",
    env!("CARGO_MANIFEST_DIR"),
    "/../../sdks/python/src"
);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Python,
    Node,
    Go,
    Rust,
    Shell,
}

const ALL: [Language; 5] = [
    Language::Python,
    Language::Node,
    Language::Go,
    Language::Rust,
    Language::Shell,
];

impl Language {
    /// A shell that becomes the program, which reports in this way.
    fn program(self, way: &str) -> String {
        let program = match self {
            Self::Python => {
                format!("{PYTHON} exec python3 {HERE}/program.py")
            }
            Self::Node => format!("ODINLIB={SDKS}/node exec node {HERE}/program.cjs"),
            Self::Go => format!("exec {}", built().join("in-go").display()),
            Self::Rust => format!("exec {}", built().join("in-rust").display()),
            Self::Shell => format!("ODIN={ODIN} exec bash {HERE}/program.sh"),
        };
        format!("{program} {way}\n")
    }

    /// How many values `halves` reports.
    fn values(self) -> u64 {
        match self {
            Self::Shell => 120,
            _ => 6000,
        }
    }
}

/// The folder with the programs that are compiled, once for all tests.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs-that-report");
        std::fs::create_dir_all(&place).unwrap();
        let library = place.join("libodin_sdk.rlib");
        let mut rustc = Command::new("rustc");
        rustc.args(["--edition", "2024", "--crate-name", "odin_sdk"]);
        rustc.args(["--crate-type", "rlib", "--cap-lints", "allow", "-o"]);
        must(rustc.arg(&library).arg(format!("{SDKS}/rust/src/lib.rs")));
        let mut rustc = Command::new("rustc");
        rustc.args(["--edition", "2024", "--extern"]);
        rustc.arg(format!("odin_sdk={}", library.display()));
        rustc.arg("-o").arg(place.join("in-rust"));
        must(rustc.arg(format!("{HERE}/program.rs")));

        let module = place.join("go");
        std::fs::create_dir_all(&module).unwrap();
        std::fs::copy(format!("{HERE}/program.go"), module.join("main.go")).unwrap();
        let library = "github.com/theycallmemac/odin/odin-libraries/go/odinlib";
        let text = format!(
            "module reports\n\ngo 1.21\n\nrequire {library} v0.0.0\n\nreplace {library} => {SDKS}/go\n"
        );
        std::fs::write(module.join("go.mod"), text).unwrap();
        let mut go = Command::new("go");
        go.args(["build", "-mod=mod", "-o"])
            .arg(place.join("in-go"));
        go.env("GOPROXY", "off").env("GOFLAGS", "");
        go.env("GOCACHE", place.join("go-cache"));
        must(go.arg(".").current_dir(&module));
        place
    })
}

fn must(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
}

#[test]
fn what_a_library_reports_keeps_its_type_and_decides_how_the_run_went() {
    let place = Place::new();
    for language in ALL {
        let job = format!("{language:?}");
        place.deploy(&job, "never", "", &language.program("types"));
        let run = place.run(&job);
        let ended = place.ended(&job, &run);
        let printed = String::from_utf8_lossy(&place.output(&run)).into_owned();
        assert_eq!(ended["outcome"], "warning", "{ended}\n{printed}");
        assert_eq!(ended["reason"], "three rows were missing (status 404)");
        assert_eq!(ended["exit_code"], 0);
        assert_eq!(printed, "", "nothing was undelivered");
        check_values(language, &place.values(&job));
    }
}

fn check_values(language: Language, values: &[Value]) {
    let named = |name: &str| {
        let mut found = values.iter().filter(|it| it["name"] == name);
        let one = found.next();
        assert!(found.next().is_none(), "{language:?}: {name} is there once");
        one.unwrap_or_else(|| panic!("{language:?}: {name} in {values:?}"))
    };
    let hostile = "a,b\n\"c\"\\ 🙂\u{202e}\u{1b}[2J";
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let mut expected = vec![
        ("a price", "watch", "number", json!(101.5)),
        ("big", "watch", "number", json!(1u64 << 63)),
        ("least", "watch", "number", json!(i64::MIN)),
        ("nan", "watch", "number", json!("NaN")),
        ("text", "watch", "text", json!("a,b\n\"c\" 🙂")),
        ("list", "watch", "json", json!([1, {"a": null}])),
        ("deep", "watch", "json", json!(deep)),
        (hostile, "watch", "number", json!(1)),
        ("", "watch", "text", json!("no name")),
        ("holds", "condition", "boolean", json!(true)),
        ("is empty", "condition", "boolean", json!(false)),
    ];
    expected.push(("three rows were missing", "result", "number", json!(404)));
    if language != Language::Shell {
        let done = json!({"done": 3, "total": 10});
        expected.extend([
            ("rows", "metric", "number", json!(48213)),
            ("progress", "progress", "json", done),
        ]);
        assert_eq!(named("rows")["unit"], "rows");
        let (outer, inner) = (named("outer"), named("inner"));
        assert_eq!(outer["kind"], "span", "{language:?}");
        assert_eq!(inner["value"]["parent"], outer["value"]["id"]);
        assert_eq!(inner["value"]["error"], Value::Null, "{language:?}");
        expected.extend([
            ("outer", "span", "json", outer["value"].clone()),
            ("inner", "span", "json", inner["value"].clone()),
        ]);
    }
    for (name, kind, of_type, value) in &expected {
        let it = named(name);
        let seen = (&it["kind"], &it["type"], &it["value"]);
        let expected = (&json!(kind), &json!(of_type), value);
        assert_eq!(seen, expected, "{language:?}: {it}");
        assert_eq!(it["note"], Value::Null, "{language:?}: {it}");
    }
    assert_eq!(named("three rows were missing")["status"], "404");
    let bytes = match language {
        Language::Shell => "100000",
        _ => "1048576",
    };
    let long = named("long");
    let text = long["value"].as_str().unwrap();
    let mark = format!("… [cut: {bytes} bytes]");
    assert!(text.len() <= 4096 && text.ends_with(&mark), "{language:?}");
    assert!(long["note"].as_str().unwrap().contains(bytes), "{long}");
    assert_eq!(values.len(), expected.len() + 1, "{language:?}: {values:?}");
}

/// A thousand threads, tasks or goroutines (of the shell: twenty processes) say a half when the server dies, and the
/// other half while there is none.
#[test]
fn a_thousand_threads_report_while_a_server_dies_and_each_value_is_there_once() {
    for language in ALL {
        let mut place = Place::new();
        must(Command::new("mkfifo").arg(place.path("go")));
        place.deploy("threads", "never", "", &language.program("halves"));
        let run = place.run("threads");
        place.wait_for_evidence("half");
        place.server.kill();
        std::fs::write(place.path("go"), "").unwrap();
        place.wait_for_evidence("all");
        place.server.restart();
        let ended = place.ended("threads", &run);
        let said = format!("{} values", language.values());
        assert_eq!(ended["outcome"], "succeeded", "{language:?}: {ended}");
        assert_eq!(ended["reason"], said, "{language:?}");
        let mut numbers = numbers_of(&place.values("threads"));
        numbers.sort_unstable();
        let expected: Vec<_> = (0..language.values()).collect();
        assert_eq!(numbers, expected, "{language:?}");
    }
}

/// The values of `n`. Anything else is a result, or a line that was cut off by the end of its program, which says so.
fn numbers_of(values: &[Value]) -> Vec<u64> {
    let mut cut_off = 0;
    let mut numbers = Vec::new();
    for value in values {
        match (value["kind"].as_str().unwrap(), &value["value"]) {
            ("watch", Value::Number(number)) => {
                assert_eq!(value["name"], "n");
                assert_eq!(value["note"], Value::Null, "{value}");
                numbers.push(number.as_u64().unwrap());
            }
            ("result", _) => {}
            ("unreadable", _) => cut_off += 1,
            other => panic!("{other:?} in {value}"),
        }
    }
    assert!(cut_off <= 1, "{values:?}");
    numbers
}

/// A program that reports without end, and says after each twenty (of the shell: each one) how many were acknowledged.
fn endless(language: Language) -> (Place, String) {
    let place = Place::new();
    place.deploy("endless", "never", "", &language.program("endless"));
    let run = place.run("endless");
    // Each of the shell's is a process, and so takes its time on a machine that has much to do.
    let some = match language {
        Language::Shell => 10,
        _ => 100,
    };
    wait_for("some acknowledged values", || {
        (acknowledged(&place)? >= some).then_some(())
    });
    (place, run)
}

/// How many values the program has had acknowledged, by its last whole line.
fn acknowledged(place: &Place) -> Option<u64> {
    let text = place.evidence("acknowledged");
    let whole = &text[..=text.rfind('\n')?];
    whole.lines().last()?.parse().ok()
}

fn check_endless(language: Language, place: &Place) {
    let acknowledged = acknowledged(place).unwrap();
    let numbers = numbers_of(&place.values("endless"));
    let count = numbers.len() as u64;
    let expected: Vec<_> = (0..count).collect();
    assert_eq!(numbers, expected, "{language:?}: in order, each once");
    assert!(
        count >= acknowledged,
        "{language:?}: {count} of {acknowledged} acknowledged ones"
    );
}

#[test]
fn a_program_that_is_killed_in_the_middle_has_said_all_that_was_acknowledged() {
    for language in ALL {
        let (place, run) = endless(language);
        let pid = place.wait_for_evidence("pid").trim().parse().unwrap();
        signal(pid, Signal::KILL);
        let ended = place.ended("endless", &run);
        assert_eq!(ended["outcome"], "signalled", "{language:?}: {ended}");
        check_endless(language, &place);
    }
}

#[test]
fn what_was_acknowledged_is_there_after_the_executor_was_killed() {
    for language in ALL {
        let (place, run) = endless(language);
        let pid = place.wait_for_evidence("pid").trim().parse().unwrap();
        signal(place.executor(), Signal::KILL);
        let ended = place.ended("endless", &run);
        assert_eq!(ended["outcome"], "lost", "{language:?}: {ended}");
        wait_until_gone(pid);
        check_endless(language, &place);
    }
}

#[test]
fn a_failure_that_a_program_reports_fails_its_run() {
    let place = Place::new();
    let code = format!(
        "{PYTHON} exec python3 -c 'import pyodin; pyodin.Odin().result(\"no disk space\", 500)'\n"
    );
    place.deploy("fails", "never", "", &code);
    let run = place.run("fails");
    let ended = place.ended("fails", &run);
    assert_eq!(ended["outcome"], "failed", "{ended}");
    assert_eq!(ended["reason"], "no disk space (status 500); exit code 1");
    assert_eq!(ended["exit_code"], 1);
}
