//! Limits hold for a run's whole tree, from its first instruction on, and leave nothing behind.

use std::path::{Path, PathBuf};
use std::time::Duration;

use odin_executor::limits::{Ability, machine_abilities};
use odin_executor::protocol::{AttemptKey, CancelScope, Launch};
use odin_model::Limits;
use odin_model::attempt::Ending;
use odin_model::output::Stream;

use crate::executor::{Executor, inline, is_alive, processes_of, wait_until};

/// Fails where this machine has no control groups, unless whoever runs the tests said so.
fn has_groups() -> bool {
    let abilities = machine_abilities();
    let enforced = |ability: &Ability| matches!(ability, Ability::Enforced(_));
    if [&abilities.memory, &abilities.cpu, &abilities.processes]
        .into_iter()
        .all(enforced)
    {
        return true;
    }
    assert!(
        std::env::var_os("ODIN_TEST_WITHOUT_CGROUPS").is_some(),
        "this machine lets these tests make no control groups: run them as root, or set ODIN_TEST_WITHOUT_CGROUPS=1 \
         to do without: {abilities:?}"
    );
    false
}

fn limited(executor: &mut Executor, line: &str, limits: Limits) -> Launch {
    let mut launch = executor.shell(line);
    launch.limits = limits;
    launch.kill_grace = Duration::from_millis(300);
    launch
}

fn memory(mebibytes: u64) -> Limits {
    Limits {
        memory_bytes: Some(mebibytes << 20),
        ..Limits::default()
    }
}

fn processes(count: u32) -> Limits {
    Limits {
        processes: Some(count),
        ..Limits::default()
    }
}

/// The directories of the attempt's groups, on whatever hierarchies they are.
fn groups_of(key: AttemptKey) -> Vec<PathBuf> {
    fn look(directory: &Path, name: &str, depth: usize, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            if entry.file_name() == name {
                found.push(entry.path());
            } else if depth > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                look(&entry.path(), name, depth - 1, found);
            }
        }
    }
    let mut found = Vec::new();
    look(Path::new("/sys/fs/cgroup"), &key.to_string(), 8, &mut found);
    found
}

/// Runs with other keys than other executors of this machine's, whose groups are looked for by key.
fn start() -> Executor {
    let mut executor = Executor::start();
    executor.use_runs_of_its_own();
    executor
}

#[test]
fn a_run_that_needs_more_memory_than_its_limit_is_out_of_memory() {
    if !has_groups() {
        return;
    }
    let mut executor = start();
    let fill = "python3 -c 'x = bytearray(300 << 20)'";
    let exceeded = Ending::OutOfMemory {
        limit_bytes: Some(64 << 20),
    };
    let cases = [
        (format!("exec {fill}"), exceeded.clone()),
        // The shell sees its child die, and says so by its exit code.
        (format!("{fill}; exit $?"), exceeded),
        (format!("{fill}; exit 0"), Ending::Exited { code: 0 }),
        // Killed otherwise.
        (
            "kill -9 $$".to_owned(),
            Ending::Signalled {
                signal: 9,
                core: false,
            },
        ),
        ("exit 3".to_owned(), Ending::Exited { code: 3 }),
    ];
    for (line, expected) in cases {
        let launch = limited(&mut executor, &line, memory(64));
        assert_eq!(executor.run(launch).ending, expected, "{line}");
    }
    let launch = limited(&mut executor, &format!("exec {fill}"), memory(1000));
    assert_eq!(executor.run(launch).ending, Ending::Exited { code: 0 });
}

/// A group above the executor that has little memory, as a container's or a service's.
struct Above {
    directory: PathBuf,
    parent: PathBuf,
}

impl Above {
    fn with(executor: &Executor, mebibytes: u64) -> Self {
        let pid = executor.pid();
        let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        let of_version_1 = groups.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            rest.strip_prefix("memory:/")
        });
        let (parent, limit) = match of_version_1 {
            Some(path) => (
                Path::new("/sys/fs/cgroup/memory").join(path),
                "memory.limit_in_bytes",
            ),
            // Below the root, for a group that has processes gives its groups no controllers.
            None => (PathBuf::from("/sys/fs/cgroup"), "memory.max"),
        };
        let directory = parent.join(format!("odin-test-{pid}"));
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join(limit), (mebibytes << 20).to_string()).unwrap();
        std::fs::write(directory.join("cgroup.procs"), pid.to_string()).unwrap();
        Self { directory, parent }
    }
}

impl Drop for Above {
    fn drop(&mut self) {
        let inside = std::fs::read_to_string(self.directory.join("cgroup.procs"));
        for pid in inside.unwrap_or_default().lines() {
            let _ = std::fs::write(self.parent.join("cgroup.procs"), pid);
        }
        let _ = std::fs::remove_dir(&self.directory);
    }
}

#[test]
fn a_run_without_a_limit_that_the_kernel_ends_for_memory_is_out_of_memory() {
    if !has_groups() {
        return;
    }
    let mut executor = start();
    let _above = Above::with(&executor, 100);
    let fill = "exec python3 -c 'x = bytearray(300 << 20)'";
    let ending = executor.ending_of(fill);
    assert_eq!(ending, Ending::OutOfMemory { limit_bytes: None });
    // Killed otherwise, by somebody.
    let killed = Ending::Signalled {
        signal: 9,
        core: false,
    };
    assert_eq!(executor.ending_of("kill -9 $$"), killed);
    assert_eq!(executor.ending_of("exit 137"), Ending::Exited { code: 137 });
}

#[test]
fn a_run_is_inside_of_its_groups_from_its_first_instruction_on_and_they_go_with_it() {
    if !has_groups() {
        return;
    }
    let mut executor = start();
    let limits = Limits {
        memory_bytes: Some(1 << 30),
        cpu_millis: Some(1500),
        processes: Some(100),
        ..Limits::default()
    };
    let launch = limited(
        &mut executor,
        "cat /proc/self/cgroup; echo > there; while [ ! -e go ]; do sleep 0.01; done",
        limits,
    );
    let key = executor.arm(launch);
    executor.wait_for_file("there");
    let groups = groups_of(key);
    assert!(!groups.is_empty());
    std::fs::write(executor.directory().join("go"), "").unwrap();
    let seen = inline(&executor.wait_finished(key), Stream::Stdout);
    let own = seen
        .lines()
        .filter(|line| line.ends_with(&format!("/{key}")))
        .count();
    assert!(
        own >= 1 && own >= groups.len(),
        "{own} of {groups:?}: {seen}"
    );
    wait_until(|| groups_of(key).is_empty().then_some(()));
}

#[test]
fn a_run_with_less_than_a_processor_is_throttled() {
    if !has_groups() {
        return;
    }
    let mut executor = start();
    let limits = Limits {
        cpu_millis: Some(50),
        ..Limits::default()
    };
    let launch = limited(&mut executor, "while :; do :; done", limits);
    let key = executor.arm(launch);
    executor.wait_started(key);
    wait_until(|| {
        let mut groups = groups_of(key).into_iter();
        groups.find_map(|group| {
            let text = std::fs::read_to_string(group.join("cpu.stat")).ok()?;
            let line = text.lines().find(|line| line.starts_with("nr_throttled"))?;
            (line != "nr_throttled 0").then_some(())
        })
    });
    executor.cancel(key, CancelScope::Always);
    executor.wait_finished(key);
}

#[test]
fn a_fork_bomb_stays_within_its_limit_and_is_ended_whole() {
    if !has_groups() {
        return;
    }
    let mut executor = start();
    // Each one makes more, in sessions of their own, without a trace in the environment, for as long as it may.
    let bomb = "import os, signal, time\n\
        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
        open('there', 'w').write('\\n')\n\
        while True:\n    try:\n        if os.fork() == 0: os.setsid()\n    except OSError: time.sleep(0.01)\n";
    std::fs::write(executor.directory().join("bomb.py"), bomb).unwrap();
    let bomb = "exec env -i python3 bomb.py";
    let launch = limited(&mut executor, bomb, processes(40));
    let key = executor.arm(launch);
    executor.wait_for_file("there");
    let group = groups_of(key)
        .into_iter()
        .find(|group| group.join("pids.max").exists())
        .expect("the group that counts");
    let count = || {
        let text = std::fs::read_to_string(group.join("pids.current")).unwrap();
        text.trim().parse::<u32>().unwrap()
    };
    wait_until(|| (count() >= 40).then_some(()));
    assert!(count() <= 40);
    // Another run is not in its way.
    assert_eq!(executor.ending_of("true"), Ending::Exited { code: 0 });
    executor.cancel(key, CancelScope::Always);
    assert!(matches!(
        executor.wait_finished(key).ending,
        Ending::Cancelled { .. }
    ));
    wait_until(|| groups_of(key).is_empty().then_some(()));
}

#[test]
fn what_leaves_the_session_and_hides_is_ended_with_its_group() {
    if !has_groups() {
        return;
    }
    let mut executor = start();
    let launch = limited(
        &mut executor,
        "env -i setsid sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 1; done' >/dev/null 2>&1 & \
         while [ ! -s pid ]; do sleep 0.01; done",
        memory(500),
    );
    assert_eq!(executor.run(launch).ending, Ending::Exited { code: 0 });
    assert!(!is_alive(&executor.wait_for_file("pid")));
}

#[test]
fn each_process_may_open_as_many_files_as_the_limit_says() {
    let mut executor = Executor::start();
    let limits = Limits {
        open_files: Some(37),
        ..Limits::default()
    };
    let launch = limited(&mut executor, "ulimit -n; ulimit -Hn", limits);
    assert_eq!(executor.stdout_of(launch), "37\n37\n");
}

#[test]
fn the_groups_of_a_killed_executor_are_emptied_and_removed_by_the_next() {
    if !has_groups() {
        return;
    }
    let mut executor = start();
    let launch = limited(
        &mut executor,
        "env -i setsid sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 1; done' >/dev/null 2>&1 & \
         while :; do sleep 1; done",
        processes(50),
    );
    let key = executor.arm(launch);
    let hidden = executor.wait_for_file("pid");
    executor.kill();
    assert!(!groups_of(key).is_empty() && is_alive(&hidden));
    executor.connect();
    assert!(matches!(
        executor.wait_finished(key).ending,
        Ending::Lost { .. }
    ));
    wait_until(|| groups_of(key).is_empty().then_some(()));
    assert!(!is_alive(&hidden) && processes_of(key).is_empty());
}
