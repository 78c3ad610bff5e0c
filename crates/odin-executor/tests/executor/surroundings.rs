//! What a process finds around itself: exactly what the documentation says.

use odin_executor::protocol::LaunchProgram;

use crate::executor::Executor;

#[test]
fn arguments_arrive_as_they_were_given() {
    let mut executor = Executor::start();
    let words = [
        "/usr/bin/printf",
        "<%s>",
        "a b",
        "",
        "*",
        "$HOME",
        "'\"",
        "\u{e9}",
    ];
    let launch = executor.launch(LaunchProgram::Argv(words.map(str::to_owned).to_vec()));
    assert_eq!(executor.stdout_of(launch), "<a b><><*><$HOME><'\"><\u{e9}>");
    let args = vec!["one two".to_owned(), "three".to_owned()];
    let launch = executor.launch(LaunchProgram::Shell {
        line: "echo \"$# $1\"".into(),
        args,
    });
    assert_eq!(executor.stdout_of(launch), "2 one two\n");
}

#[test]
fn the_environment_is_exactly_the_documented_one() {
    let mut executor = Executor::start();
    let mut launch = executor.launch(LaunchProgram::Argv(vec!["/usr/bin/env".into()]));
    launch.env = vec![
        ("REGION".into(), "eu".into()),
        ("HOME".into(), "/elsewhere".into()),
        ("ODIN_NODE".into(), "x".into()),
    ];
    let socket = format!("ODIN_SOCKET={}", executor.dir.values_socket().display());
    let printed = executor.stdout_of(launch);
    let mut found: Vec<&str> = printed.lines().collect();
    let drawn = |name: &str, length: usize, found: &mut Vec<&str>| {
        let at = found
            .iter()
            .position(|line| line.starts_with(name))
            .expect(name);
        assert_eq!(found.remove(at).len(), name.len() + length, "{name}");
    };
    drawn("ODIN_RUN_TOKEN=", 32, &mut found);
    drawn("TRACEPARENT=00-", 52, &mut found);
    let user = crate::executor::owner_of(crate::executor::own_uid()).user;
    let (user, logname) = (format!("USER={user}"), format!("LOGNAME={user}"));
    found.retain(|line| !line.starts_with("SHELL=/"));
    let mut expected = vec![
        "HOME=/elsewhere",
        logname.as_str(),
        "ODIN_ATTEMPT=1",
        "ODIN_DUE_AT=2026-11-21T09:00:00Z",
        "ODIN_EXEC_ENV=True",
        "ODIN_JOB_ID=a37b187f5930",
        "ODIN_JOB_NAME=a job",
        "ODIN_NODE=node-1",
        "ODIN_RUN_ID=r0000000000001",
        socket.as_str(),
        "PATH=/usr/local/bin:/usr/bin:/bin",
        "REGION=eu",
        user.as_str(),
    ];
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn a_process_has_its_bundle_a_umask_and_three_descriptors() {
    let mut executor = Executor::start();
    let launch = executor.shell("pwd; umask; cat; echo /proc/self/fd/*; readlink /proc/self/fd/0");
    let expected = format!(
        "{}\n0022\n/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2",
        executor.directory().display()
    );
    let printed = executor.stdout_of(launch);
    let printed: Vec<&str> = printed.lines().collect();
    // The shell itself opens the directory while it lists it.
    assert_eq!(
        printed[..2].join("\n"),
        expected.lines().take(2).collect::<Vec<_>>().join("\n")
    );
    assert!(
        printed[2].starts_with("/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2"),
        "{printed:?}"
    );
    assert!(printed[2].split(' ').count() <= 4, "{printed:?}");
    assert_eq!(printed[3], "/dev/null");
}

#[test]
fn signals_and_limits_are_those_of_a_fresh_login() {
    let mut executor = Executor::start();
    let launch = executor.shell("grep -E '^Sig(Blk|Ign)' /proc/self/status; cat /proc/self/oom_score_adj; ulimit -Hn; ulimit -Sn");
    let printed = executor.stdout_of(launch);
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[0].split_whitespace().last(), Some("0000000000000000"));
    assert_eq!(lines[1].split_whitespace().last(), Some("0000000000000000"));
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    assert_eq!(
        lines[4],
        limit
            .current
            .map_or("unlimited".to_owned(), |limit| limit.to_string())
    );
}

#[test]
fn an_interpreter_is_found_in_the_settings_then_in_the_jobs_path() {
    let mut executor = Executor::start();
    let script = executor.directory().join("mine");
    for (name, text) in [
        ("here", "#!/bin/sh\necho from the path $1 $2\n"),
        ("set", "#!/bin/sh\necho from the settings\n"),
    ] {
        std::fs::create_dir_all(script.join(name)).unwrap();
        std::fs::write(script.join(name).join("lang"), text).unwrap();
        rustix::fs::chmod(
            script.join(name).join("lang"),
            rustix::fs::Mode::from_raw_mode(0o755),
        )
        .unwrap();
    }
    let configured = script.join("set/lang").display().to_string();
    for (configured, expected) in [
        (vec![], "from the path -x.lang y\n"),
        (vec![configured], "from the settings\n"),
    ] {
        let (interpreter, file) = ("lang".to_owned(), "-x.lang".to_owned());
        let program = LaunchProgram::Interpreted {
            interpreter,
            configured,
            file,
            args: vec!["y".into()],
        };
        let mut launch = executor.launch(program);
        launch.env = vec![(
            "PATH".into(),
            format!("{}:/usr/bin", script.join("here").display()),
        )];
        // A file that begins with a dash is not an option.
        let expected = expected.replace("-x.lang", "./-x.lang");
        assert_eq!(executor.stdout_of(launch), expected);
    }
}
