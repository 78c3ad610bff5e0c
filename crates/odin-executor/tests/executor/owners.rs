//! A root server's jobs run as their owners, with no way back. Needs root; elsewhere there is nothing to test.

use odin_executor::protocol::LaunchProgram;
use odin_model::attempt::Ending;

use crate::executor::{Executor, own_uid, owner_of};

/// `daemon`, on every Linux.
const OTHER: u32 = 1;

#[test]
fn a_job_of_another_user_has_its_ids_and_groups_and_cannot_become_root() {
    if own_uid() != 0 {
        return;
    }
    let mut executor = Executor::start();
    executor.own_version_as(OTHER);
    let mut launch = executor.shell(
        "grep -E '^(Uid|Gid|Groups|CapPrm|CapEff|CapInh|CapAmb):' /proc/self/status; touch mine && ls -ln mine | cut -d' ' -f3; \
         echo $HOME $USER; touch /root/x 2>/dev/null || echo refused",
    );
    launch.owner = owner_of(OTHER);
    let printed = executor.stdout_of(launch);
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(
        lines[0].split_whitespace().skip(1).collect::<Vec<_>>(),
        ["1"; 4]
    );
    assert_eq!(
        lines[1].split_whitespace().skip(1).collect::<Vec<_>>(),
        ["1"; 4]
    );
    assert_eq!(
        lines[2].split_whitespace().skip(1).collect::<Vec<_>>(),
        ["1"]
    );
    for capabilities in &lines[3..6] {
        assert!(
            capabilities.ends_with("\t0000000000000000"),
            "{capabilities}"
        );
    }
    assert_eq!(lines[lines.len() - 3], "1");
    assert!(lines[lines.len() - 2].ends_with(" daemon"));
    assert_eq!(lines[lines.len() - 1], "refused");
}

#[test]
fn ids_cannot_be_taken_back() {
    if own_uid() != 0 {
        return;
    }
    let mut executor = Executor::start();
    executor.own_version_as(OTHER);
    let code = "import os\nfor call in (lambda: os.setresuid(0, 0, 0), lambda: os.setresgid(0, 0, 0), lambda: os.setgroups([0])):\n\
                \x20try:\n  call()\n  print('taken')\n except PermissionError:\n  print('refused')\n";
    let argv = ["python3", "-c", code].map(str::to_owned).to_vec();
    let mut launch = executor.launch(LaunchProgram::Argv(argv));
    launch.owner = owner_of(OTHER);
    assert_eq!(executor.stdout_of(launch), "refused\nrefused\nrefused\n");
}

#[test]
fn another_users_directory_cannot_be_entered() {
    if own_uid() != 0 {
        return;
    }
    let mut executor = Executor::start();
    let mode = rustix::fs::Mode::from_raw_mode(0o700);
    rustix::fs::chmod(executor.directory(), mode).unwrap();
    let mut launch = executor.shell("true");
    launch.owner = owner_of(OTHER);
    let Ending::NotStartable { reason } = executor.run(launch).ending else {
        panic!("it started")
    };
    assert!(reason.contains("cannot be entered as `daemon`"), "{reason}");
}
