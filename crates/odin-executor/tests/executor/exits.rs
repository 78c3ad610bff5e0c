//! How a run ended is told as it was.

use odin_executor::protocol::LaunchProgram;
use odin_model::attempt::Ending;

use crate::executor::{Executor, own_uid, owner_of};

#[test]
fn exit_codes_and_signals_are_told_apart() {
    let mut executor = Executor::start();
    for code in [0, 1, 77, 255] {
        assert_eq!(
            executor.ending_of(&format!("exit {code}")),
            Ending::Exited { code }
        );
    }
    for signal in [9, 15, 1] {
        let expected = Ending::Signalled {
            signal,
            core: false,
        };
        assert_eq!(executor.ending_of(&format!("kill -{signal} $$")), expected);
    }
}

#[test]
fn a_job_that_closes_its_output_runs_on_and_ends_as_it_does() {
    let mut executor = Executor::start();
    let line = "exec >&- 2>&-; i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; exit 3";
    assert_eq!(executor.ending_of(line), Ending::Exited { code: 3 });
}

#[test]
fn usage_and_times_are_recorded() {
    let mut executor = Executor::start();
    let launch = executor.shell("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done");
    let result = executor.run(launch);
    assert!(!(result.usage.cpu_user + result.usage.cpu_system).is_zero());
    assert!(result.started_at.unwrap() < result.finished_at);
}

#[test]
fn memory_is_the_jobs_own_or_not_known() {
    let mut executor = Executor::start();
    // The executor is larger than this shell, and its figure must not be told as the job's.
    let launch = executor.shell("exit 0");
    assert_eq!(executor.run(launch).usage.memory_max_bytes, 0);
    let fill = "python3 -c 'x = bytearray(100 << 20)'";
    // That of any process of the tree that its parent waited for counts.
    for line in [format!("exec {fill}"), format!("{fill}; true")] {
        let launch = executor.shell(&line);
        let used = executor.run(launch).usage.memory_max_bytes >> 20;
        assert!((100..200).contains(&used), "{line}: {used} MiB");
    }
    let launch = executor.shell("exit 0");
    assert_eq!(executor.run(launch).usage.memory_max_bytes, 0);
}

#[test]
fn what_cannot_start_says_what_is_missing_and_what_to_do() {
    let mut executor = Executor::start();
    std::fs::write(executor.directory().join("plain"), "echo hello").unwrap();
    std::fs::write(executor.directory().join("garbage"), "\0\x01\x02").unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o755);
    rustix::fs::chmod(executor.directory().join("garbage"), mode).unwrap();
    let argv =
        |words: &[&str]| LaunchProgram::Argv(words.iter().map(|&word| word.to_owned()).collect());
    let interpreted = |interpreter: &str| LaunchProgram::Interpreted {
        interpreter: interpreter.into(),
        configured: vec!["/opt/configured/it".into()],
        file: "main.x".into(),
        args: vec![],
    };
    let cases = [
        (
            argv(&["no-such-program"]),
            vec![
                "`no-such-program` is missing",
                "/usr/bin/no-such-program",
                "PATH",
            ],
        ),
        (argv(&["./none"]), vec!["`./none` is missing"]),
        (argv(&["./plain"]), vec!["./plain", "chmod +x"]),
        (argv(&["./garbage"]), vec!["./garbage", "#!"]),
        (argv(&[]), vec!["has no path"]),
        (argv(&["a\0b"]), vec!["null byte"]),
        (
            interpreted("cobol"),
            vec![
                "interpreter `cobol`",
                "/opt/configured/it",
                "/usr/local/bin/cobol",
                "install",
            ],
        ),
        (interpreted("/opt/cobol"), vec!["/opt/cobol"]),
    ];
    for (program, expected) in cases {
        let launch = executor.launch(program);
        let Ending::NotStartable { reason } = executor.run(launch).ending else {
            panic!("{expected:?} started")
        };
        for words in expected {
            assert!(reason.contains(words), "`{words}` is not in `{reason}`");
        }
    }
}

#[test]
fn a_missing_bundle_and_a_wrong_owner_are_not_startable() {
    let mut executor = Executor::start();
    let mut launches = Vec::new();
    for (change, expected) in [
        (0, "cannot be entered"),
        (1, "is not known"),
        (2, "had 4242"),
    ] {
        let mut launch = executor.shell("true");
        match change {
            0 => launch.version = launch.version.next(),
            1 => launch.owner.user = "no-such-user".into(),
            _ => launch.owner.uid = 4242,
        }
        launches.push((launch, expected));
    }
    for (launch, expected) in launches {
        let Ending::NotStartable { reason } = executor.run(launch).ending else {
            panic!("{expected} started")
        };
        assert!(
            reason.contains(expected) || own_uid() != 0,
            "`{expected}` is not in `{reason}`"
        );
    }
    assert_eq!(owner_of(0).user, "root");
}
