//! What can be told of the machine without a server.

use std::path::{Path, PathBuf};

use odin_executor::limits::{
    Ability, ControlGroups, MachineAbilities, TreeKill, control_groups, machine_abilities,
};
use odin_node::FREE_BYTES_MIN;
use odin_schedule::{TimeZoneSource, TimeZones};
use rustix::process::{Resource, getrlimit};

use super::check::Check;
use crate::commands::version::VERSION;

/// What the kernel must have: `close_range(2)` with `CLOSE_RANGE_UNSHARE`.
const KERNEL_MIN: (u32, u32) = (5, 9);
/// Below this many descriptors an executor can hardly run a few hundred jobs at once: each takes about four.
const OPEN_FILES_FEW: u64 = 4096;
/// Below this much free disk there is little time left to notice.
const FREE_BYTES_LITTLE: u64 = 1 << 30;
/// What jobs in the languages of job files need. `go` builds on the machine of the person who deploys.
const PROGRAMS: [&str; 5] = ["python3", "node", "bash", "sh", "go"];
const SYSTEM_ZONES: &str = "/usr/share/zoneinfo";

/// What was found.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    /// Such as `6.1.0-18-amd64`.
    kernel: String,
    /// Whose process this is.
    uid: u32,
    /// Whose process the server is. `None`: there is none here.
    server_uid: Option<u32>,
    groups: ControlGroups,
    abilities: MachineAbilities,
    programs: Vec<(&'static str, Option<PathBuf>)>,
    /// The hard limit, up to which an executor raises its own. `None`: there is none.
    open_files: Option<u64>,
    /// `None`: the environment names no home.
    data_dir: Option<PathBuf>,
    /// In the data directory's file system.
    free_bytes: Option<u64>,
    synchronised: Option<bool>,
    secret_files: Option<PathBuf>,
    zone: String,
    /// The release of the built-in rules.
    rules: Option<String>,
    /// That of the machine's, where it is newer.
    newer_rules: Option<String>,
}

impl Machine {
    pub(super) fn look(data_dir: Option<PathBuf>, server_uid: Option<u32>) -> Self {
        let existing = data_dir.as_deref().and_then(nearest_existing);
        let newest = TimeZones::newest(Path::new(SYSTEM_ZONES)).ok();
        let newer = newest.filter(|zones| *zones.source() != TimeZoneSource::Bundled);
        Self {
            kernel: rustix::system::uname()
                .release()
                .to_string_lossy()
                .into_owned(),
            uid: rustix::process::geteuid().as_raw(),
            server_uid,
            groups: control_groups(),
            abilities: machine_abilities(),
            programs: PROGRAMS.map(|name| (name, find(name))).into(),
            open_files: getrlimit(Resource::Nofile).maximum,
            free_bytes: existing.and_then(odin_node::free_bytes),
            data_dir,
            synchronised: odin_node::clock::is_synchronised(),
            secret_files: odin_executor::place_of_secret_files(),
            zone: odin_node::clock::system_zone(),
            rules: TimeZones::bundled().version().map(str::to_owned),
            newer_rules: newer.and_then(|zones| zones.version().map(str::to_owned)),
        }
    }
}

/// Go is looked for as `odin deploy` does, by this person's PATH; the others as jobs do.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").filter(|_| name == "go");
    let own = path.iter().flat_map(std::env::split_paths);
    let is_program = |path: &PathBuf| rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
    own.map(|directory| directory.join(name))
        .find(is_program)
        .or_else(|| odin_executor::find_program(name))
}

/// The directory itself or, before the first start, the nearest one above it.
fn nearest_existing(path: &Path) -> Option<&Path> {
    path.ancestors().find(|ancestor| ancestor.exists())
}

/// What the findings mean.
pub(super) fn checks(machine: &Machine) -> Vec<Check> {
    let mut checks = vec![
        Check::ok("odin", VERSION),
        kernel(machine),
        user(machine),
        control_groups_line(machine),
    ];
    let abilities = machine.abilities.by_limit();
    checks.extend(abilities.map(|(name, ability)| limit(name, ability)));
    checks.push(tree_kill(machine.abilities.tree_kill));
    let programs = machine.programs.iter();
    checks.extend(programs.map(|(name, path)| program(name, path.as_deref())));
    checks.extend([
        open_files(machine.open_files),
        free_disk(machine),
        clock(machine.synchronised),
        secret_files(machine.secret_files.as_deref()),
        zones(machine),
    ]);
    checks
}

fn kernel(machine: &Machine) -> Check {
    let detail = format!("Linux {}", machine.kernel);
    let mut numbers = machine
        .kernel
        .split(|c: char| !c.is_ascii_digit())
        .map_while(|part| part.parse::<u32>().ok());
    let version = numbers.next().zip(numbers.next());
    match version {
        Some(version) if version < KERNEL_MIN => {
            let (major, minor) = KERNEL_MIN;
            let help = format!("Jobs need Linux {major}.{minor} or newer: upgrade the kernel.");
            Check::problem("kernel", detail, help)
        }
        Some(_) | None => Check::ok("kernel", detail),
    }
}

fn user(machine: &Machine) -> Check {
    match (machine.uid, machine.server_uid) {
        (uid, Some(server)) if uid != server => {
            let alone = match server {
                0 => "",
                _ => ", not as root, so nothing separates its jobs",
            };
            Check::warning(
                "user",
                format!(
                    "you are uid {uid} and the server runs as uid {server}{alone}: the lines on limits, descriptors \
                     and secret files say what a server of yours could do"
                ),
                "For what that server can do, run `odin doctor` as its user.",
            )
        }
        (0, _) => Check::ok("user", "root: a server runs each job as its owner"),
        (uid, _) => Check::warning(
            "user",
            format!(
                "uid {uid}, not root: a server runs this user's jobs only, and nothing separates them from each other \
                 or from the server's files"
            ),
            "For jobs of several users, or jobs that must not see each other, let root run the server: `sudo odin server`.",
        ),
    }
}

fn control_groups_line(machine: &Machine) -> Check {
    match machine.groups {
        ControlGroups::None => Check::warning(
            "control groups",
            "none are mounted",
            "Mount them: `mount -t cgroup2 none /sys/fs/cgroup`.",
        ),
        groups => Check::ok("control groups", groups.to_string()),
    }
}

fn limit(limit: &str, ability: &Ability) -> Check {
    let name = format!("limit {limit}");
    let help = format!(
        "Until then a job with `limits: {{{limit}: ...}}` does not start here, unless it has `best_effort: true`."
    );
    match ability {
        Ability::Enforced(means) => Check::ok(name, format!("by {means}")),
        Ability::Partly { means, gap } => {
            Check::warning(name, format!("only in part, by {means}: {gap}"), help)
        }
        Ability::No { why } => Check::warning(name, format!("not enforced: {why}"), help),
    }
}

fn tree_kill(means: TreeKill) -> Check {
    match means {
        TreeKill::CgroupKill | TreeKill::Freezer => Check::ok(
            "ending runs",
            format!("with limits by {means}, others process by process"),
        ),
        TreeKill::ProcessByProcess => Check::warning(
            "ending runs",
            "process by process: slower with programs that fork while they are ended",
            "Give the server control groups: run it as root, or as a service with `Delegate=yes`.",
        ),
    }
}

fn program(name: &str, path: Option<&Path>) -> Check {
    let missing = |what: &str, help: &str| Check::warning(name, what, help);
    match (path, name) {
        (Some(path), _) => Check::ok(name, path.display().to_string()),
        (None, "sh") => Check::problem(
            name,
            "not found: no command can run",
            "Install a POSIX shell as /bin/sh: `apt-get install dash`.",
        ),
        (None, "go") => missing(
            "not found: jobs in Go cannot be built and deployed from this machine; built ones run",
            "Install it where you deploy (`apt-get install golang-go`), or add its directory to PATH.",
        ),
        (None, name) => {
            let package = if name == "node" { "nodejs" } else { name };
            let help = format!(
                "Install it (`apt-get install {package}`), or name its path as the job's `language`."
            );
            missing("not found: jobs that need it cannot start here", &help)
        }
    }
}

fn open_files(hard: Option<u64>) -> Check {
    match hard {
        Some(hard) if hard < OPEN_FILES_FEW => Check::warning(
            "descriptors",
            format!("{hard} at most: about {} jobs at once", hard / 4),
            "Raise the limit: `LimitNOFILE=65536` in the service's unit, or `ulimit -Hn 65536` as root.",
        ),
        Some(hard) => Check::ok("descriptors", format!("{hard} at most")),
        None => Check::ok("descriptors", "no limit"),
    }
}

fn free_disk(machine: &Machine) -> Check {
    const NAME: &str = "free disk";
    let Some(dir) = &machine.data_dir else {
        return Check::warning(
            NAME,
            "neither ODIN_DATA_DIR nor HOME says where the data is",
            "Name a directory: `export ODIN_DATA_DIR=DIR`.",
        );
    };
    let dir = dir.display();
    let Some(free) = machine.free_bytes else {
        return Check::warning(
            NAME,
            format!("the file system of {dir} does not say"),
            format!("Look at it: `df {dir}`."),
        );
    };
    let detail = format!("{} MiB for {dir}", free >> 20);
    let help = format!(
        "Make room: below {} MiB new work is refused. `du -xh {dir} | sort -h | tail` shows what is large.",
        FREE_BYTES_MIN >> 20
    );
    if free < FREE_BYTES_MIN {
        Check::problem(NAME, detail, help)
    } else if free < FREE_BYTES_LITTLE {
        Check::warning(NAME, detail, help)
    } else {
        Check::ok(NAME, detail)
    }
}

fn clock(synchronised: Option<bool>) -> Check {
    match synchronised {
        Some(true) => Check::ok("clock", "synchronised"),
        Some(false) => Check::warning(
            "clock",
            "not synchronised, as far as the kernel knows: jobs are due by a clock that drifts",
            "Synchronise it: `timedatectl set-ntp true`. Virtual machines may get theirs from the host.",
        ),
        None => Check::warning(
            "clock",
            "the kernel does not say whether it is synchronised",
            "See `timedatectl` on the machine itself.",
        ),
    }
}

fn secret_files(place: Option<&Path>) -> Check {
    match place {
        Some(place) => Check::ok("secret files", format!("in memory, on {}", place.display())),
        None => Check::warning(
            "secret files",
            "no memory file system: runs with `secrets: {NAME: file}` do not start",
            "Mount one: `mount -t tmpfs -o mode=1777 tmpfs /dev/shm`.",
        ),
    }
}

fn zones(machine: &Machine) -> Check {
    let rules = machine.rules.as_deref().unwrap_or("of an unknown release");
    let detail = format!("{}, built-in rules {rules}", machine.zone);
    match &machine.newer_rules {
        None => Check::ok("time zones", detail),
        Some(newer) => Check::warning(
            "time zones",
            format!("{detail}; this machine has the newer {newer}"),
            "Let the server use them (`odin server --system-zones`), or upgrade Odin.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::check::{State, drawn};
    use expect_test::{Expect, expect};
    use odin_executor::limits::Means;

    fn healthy() -> Machine {
        let v2 = || Ability::Enforced(Means::CgroupV2);
        Machine {
            kernel: "6.1.0-18-amd64".into(),
            uid: 0,
            server_uid: None,
            groups: ControlGroups::V2,
            abilities: MachineAbilities {
                memory: v2(),
                cpu: v2(),
                processes: v2(),
                open_files: Ability::Enforced(Means::ResourceLimit),
                tree_kill: TreeKill::CgroupKill,
            },
            programs: PROGRAMS
                .map(|name| (name, Some(Path::new("/usr/bin").join(name))))
                .into(),
            open_files: Some(65536),
            data_dir: Some("/var/lib/odin".into()),
            free_bytes: Some(5 << 30),
            synchronised: Some(true),
            secret_files: Some("/run".into()),
            zone: "Europe/Dublin".into(),
            rules: Some("2026b".into()),
            newer_rules: None,
        }
    }

    /// Without the version of the program.
    #[track_caller]
    fn check(machine: &Machine, expected: &Expect) {
        expected.assert_eq(&drawn(&checks(machine)[1..]));
    }

    #[test]
    fn a_machine_that_lacks_nothing() {
        check(
            &healthy(),
            &expect![[r#"
            ok       kernel            Linux 6.1.0-18-amd64
            ok       user              root: a server runs each job as its owner
            ok       control groups    version 2
            ok       limit memory      by cgroup v2
            ok       limit cpu         by cgroup v2
            ok       limit processes   by cgroup v2
            ok       limit open_files  by a resource limit
            ok       ending runs       with limits by cgroup.kill, others process by process
            ok       python3           /usr/bin/python3
            ok       node              /usr/bin/node
            ok       bash              /usr/bin/bash
            ok       sh                /usr/bin/sh
            ok       go                /usr/bin/go
            ok       descriptors       65536 at most
            ok       free disk         5120 MiB for /var/lib/odin
            ok       clock             synchronised
            ok       secret files      in memory, on /run
            ok       time zones        Europe/Dublin, built-in rules 2026b
            no problems, no warnings
        "#]],
        );
    }

    #[test]
    fn a_machine_that_lacks_everything() {
        let no = || Ability::No {
            why: "there is none: mount it".into(),
        };
        let machine = Machine {
            kernel: "5.4.0".into(),
            uid: 1000,
            groups: ControlGroups::None,
            abilities: MachineAbilities {
                memory: no(),
                cpu: no(),
                processes: Ability::Partly {
                    means: Means::ResourceLimit,
                    gap: "per user".into(),
                },
                open_files: Ability::Enforced(Means::ResourceLimit),
                tree_kill: TreeKill::ProcessByProcess,
            },
            programs: PROGRAMS.map(|name| (name, None)).into(),
            open_files: Some(1024),
            free_bytes: Some(63 << 20),
            synchronised: Some(false),
            secret_files: None,
            newer_rules: Some("2026c".into()),
            ..healthy()
        };
        check(
            &machine,
            &expect![[r#"
            problem  kernel            Linux 5.4.0
                                       help: Jobs need Linux 5.9 or newer: upgrade the kernel.
            warning  user              uid 1000, not root: a server runs this user's jobs only, and nothing separates them from each other or from the server's files
                                       help: For jobs of several users, or jobs that must not see each other, let root run the server: `sudo odin server`.
            warning  control groups    none are mounted
                                       help: Mount them: `mount -t cgroup2 none /sys/fs/cgroup`.
            warning  limit memory      not enforced: there is none: mount it
                                       help: Until then a job with `limits: {memory: ...}` does not start here, unless it has `best_effort: true`.
            warning  limit cpu         not enforced: there is none: mount it
                                       help: Until then a job with `limits: {cpu: ...}` does not start here, unless it has `best_effort: true`.
            warning  limit processes   only in part, by a resource limit: per user
                                       help: Until then a job with `limits: {processes: ...}` does not start here, unless it has `best_effort: true`.
            ok       limit open_files  by a resource limit
            warning  ending runs       process by process: slower with programs that fork while they are ended
                                       help: Give the server control groups: run it as root, or as a service with `Delegate=yes`.
            warning  python3           not found: jobs that need it cannot start here
                                       help: Install it (`apt-get install python3`), or name its path as the job's `language`.
            warning  node              not found: jobs that need it cannot start here
                                       help: Install it (`apt-get install nodejs`), or name its path as the job's `language`.
            warning  bash              not found: jobs that need it cannot start here
                                       help: Install it (`apt-get install bash`), or name its path as the job's `language`.
            problem  sh                not found: no command can run
                                       help: Install a POSIX shell as /bin/sh: `apt-get install dash`.
            warning  go                not found: jobs in Go cannot be built and deployed from this machine; built ones run
                                       help: Install it where you deploy (`apt-get install golang-go`), or add its directory to PATH.
            warning  descriptors       1024 at most: about 256 jobs at once
                                       help: Raise the limit: `LimitNOFILE=65536` in the service's unit, or `ulimit -Hn 65536` as root.
            problem  free disk         63 MiB for /var/lib/odin
                                       help: Make room: below 64 MiB new work is refused. `du -xh /var/lib/odin | sort -h | tail` shows what is large.
            warning  clock             not synchronised, as far as the kernel knows: jobs are due by a clock that drifts
                                       help: Synchronise it: `timedatectl set-ntp true`. Virtual machines may get theirs from the host.
            warning  secret files      no memory file system: runs with `secrets: {NAME: file}` do not start
                                       help: Mount one: `mount -t tmpfs -o mode=1777 tmpfs /dev/shm`.
            warning  time zones        Europe/Dublin, built-in rules 2026b; this machine has the newer 2026c
                                       help: Let the server use them (`odin server --system-zones`), or upgrade Odin.
            3 problems, 14 warnings
        "#]],
        );
    }

    #[test]
    fn what_cannot_be_told_is_said() {
        let machine = Machine {
            kernel: "strange".into(),
            uid: 1000,
            server_uid: Some(0),
            groups: ControlGroups::Hybrid,
            open_files: None,
            data_dir: None,
            free_bytes: None,
            synchronised: None,
            rules: None,
            ..healthy()
        };
        check(
            &machine,
            &expect![[r#"
            ok       kernel            Linux strange
            warning  user              you are uid 1000 and the server runs as uid 0: the lines on limits, descriptors and secret files say what a server of yours could do
                                       help: For what that server can do, run `odin doctor` as its user.
            ok       control groups    version 2 and version 1 (hybrid)
            ok       limit memory      by cgroup v2
            ok       limit cpu         by cgroup v2
            ok       limit processes   by cgroup v2
            ok       limit open_files  by a resource limit
            ok       ending runs       with limits by cgroup.kill, others process by process
            ok       python3           /usr/bin/python3
            ok       node              /usr/bin/node
            ok       bash              /usr/bin/bash
            ok       sh                /usr/bin/sh
            ok       go                /usr/bin/go
            ok       descriptors       no limit
            warning  free disk         neither ODIN_DATA_DIR nor HOME says where the data is
                                       help: Name a directory: `export ODIN_DATA_DIR=DIR`.
            warning  clock             the kernel does not say whether it is synchronised
                                       help: See `timedatectl` on the machine itself.
            ok       secret files      in memory, on /run
            ok       time zones        Europe/Dublin, built-in rules of an unknown release
            no problems, 3 warnings
        "#]],
        );
    }

    #[test]
    fn root_is_told_that_nothing_separates_the_jobs_of_a_users_server() {
        let machine = Machine {
            server_uid: Some(1000),
            ..healthy()
        };
        let told = user(&machine);
        assert_eq!(told.state, State::Warning);
        assert!(
            told.detail.contains("nothing separates its jobs"),
            "{told:?}"
        );
    }

    #[test]
    fn a_directory_that_is_not_made_yet_is_on_the_disk_of_the_one_above() {
        let temp = tempfile::tempdir().unwrap();
        let below = temp.path().join("not/made");
        assert_eq!(nearest_existing(&below), Some(temp.path()));
    }
}
