//! Which hierarchy each limit can be enforced in, and why not.

use std::path::{Path, PathBuf};

use super::abilities::TreeKill;
use super::hierarchies::{Hierarchies, Hierarchy};

/// What limits are enforced by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Controller {
    Memory,
    Cpu,
    Processes,
}

impl Controller {
    pub(crate) const ALL: [Self; 3] = [Self::Memory, Self::Cpu, Self::Processes];

    /// The kernel's name for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Processes => "pids",
        }
    }
}

/// Where a controller's groups are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the unified hierarchy, below [`Survey::unified`].
    Unified,
    /// In a hierarchy of version 1, below this group.
    Legacy(PathBuf),
}

/// A group of version 2 below which groups can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnifiedParent {
    pub(crate) path: PathBuf,
    /// What groups below it can have.
    pub(crate) controllers: Vec<&'static str>,
    /// Whether its processes must move to a group below it first: one with processes of its own cannot hand
    /// controllers down, save the topmost.
    pub(crate) vacate: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Survey {
    /// By [`Controller::ALL`]; why not, in words.
    places: [Result<Place, String>; 3],
    /// `None` where the unified hierarchy is not mounted or may not be written.
    pub(crate) unified: Option<UnifiedParent>,
    /// The freezer of version 1.
    pub(crate) freezer: Option<PathBuf>,
    has_kill: bool,
}

/// What a survey asks the machine. As functions, so that tests can be another machine.
pub(super) struct Machine<'a> {
    pub(super) is_root: bool,
    /// The kernel's release, such as `6.1.0-18-amd64`.
    pub(super) release: &'a str,
    /// A file's text; `None` when it is not there.
    pub(super) read: &'a dyn Fn(&Path) -> Option<String>,
    pub(super) may_write: &'a dyn Fn(&Path) -> bool,
    /// Whether a process belongs to this node, so that it may be moved.
    pub(super) is_ours: &'a dyn Fn(u32) -> bool,
}

/// The group that a node's own processes move to when theirs is divided.
pub(super) const LEAF: &str = "odin-node";
const DELEGATE: &str = "run the server as root, or as a service of its own with `Delegate=yes`";

impl Survey {
    pub(crate) fn of_this_machine(hierarchies: &Hierarchies) -> Self {
        let release = rustix::system::uname();
        let machine = Machine {
            is_root: rustix::process::geteuid().is_root(),
            release: &release.release().to_string_lossy(),
            read: &|path| std::fs::read_to_string(path).ok(),
            may_write: &|path| rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok(),
            is_ours: &is_of_this_node,
        };
        Self::of(hierarchies, &machine)
    }

    pub(super) fn of(hierarchies: &Hierarchies, machine: &Machine<'_>) -> Self {
        let unified = hierarchies
            .unified
            .as_ref()
            .map(|hierarchy| unified_parent(hierarchy, machine));
        let place = |controller: Controller| {
            let name = controller.name();
            if let Some(Ok(parent)) = &unified
                && parent.controllers.contains(&name)
            {
                return Ok(Place::Unified);
            }
            if let Some(hierarchy) = hierarchies.legacy.get(name) {
                return legacy_place(hierarchy, machine);
            }
            Err(match &unified {
                Some(Err(why)) => why.clone(),
                Some(Ok(parent)) => format!(
                    "the controller `{name}` is not given to {}: {DELEGATE}",
                    parent.path.display()
                ),
                None => format!(
                    "no control groups with the controller `{name}` are mounted: mount cgroup v2 on /sys/fs/cgroup"
                ),
            })
        };
        let places = Controller::ALL.map(place);
        let freezer = hierarchies.legacy.get("freezer");
        Self {
            places,
            unified: unified.and_then(Result::ok),
            freezer: freezer
                .map(|hierarchy| hierarchy.own.clone())
                .filter(|own| (machine.may_write)(own)),
            has_kill: is_at_least(machine.release, (5, 14)),
        }
    }

    /// Where the controller's groups are made, or why they cannot be, in words.
    pub(crate) fn place(&self, controller: Controller) -> Result<&Place, &String> {
        let index = Controller::ALL.iter().position(|it| *it == controller);
        self.places[index.expect("all controllers are in ALL")].as_ref()
    }

    pub(super) fn tree_kill(&self) -> TreeKill {
        if self.unified.is_some() && self.has_kill {
            TreeKill::CgroupKill
        } else if self.freezer.is_some() {
            TreeKill::Freezer
        } else {
            TreeKill::ProcessByProcess
        }
    }
}

fn legacy_place(hierarchy: &Hierarchy, machine: &Machine<'_>) -> Result<Place, String> {
    let own = &hierarchy.own;
    if (machine.may_write)(own) {
        Ok(Place::Legacy(own.clone()))
    } else {
        Err(format!(
            "{} may not be written by this server: {DELEGATE}",
            own.display()
        ))
    }
}

/// The server's own group, or the topmost one for root; why neither, in words.
fn unified_parent(hierarchy: &Hierarchy, machine: &Machine<'_>) -> Result<UnifiedParent, String> {
    // A node that divided its group before is in a group below it now.
    let own = match hierarchy.own.parent() {
        Some(parent) if hierarchy.own.ends_with(LEAF) => parent,
        _ => &hierarchy.own,
    };
    let own = unified_candidate(own, machine);
    match own {
        Err(_) if machine.is_root => unified_candidate(&hierarchy.root, machine).or(own),
        own => own,
    }
}

fn unified_candidate(path: &Path, machine: &Machine<'_>) -> Result<UnifiedParent, String> {
    let shown = path.display();
    if !(machine.may_write)(path) {
        return Err(format!(
            "{shown} may not be written by this server: {DELEGATE}"
        ));
    }
    let words = |name: &str| {
        let text = (machine.read)(&path.join(name)).unwrap_or_default();
        let known = Controller::ALL.map(Controller::name);
        known
            .into_iter()
            .filter(|known| text.split_whitespace().any(|word| word == *known))
            .collect::<Vec<_>>()
    };
    let (controllers, enabled) = (words("cgroup.controllers"), words("cgroup.subtree_control"));
    let mut parent = UnifiedParent {
        path: path.to_owned(),
        controllers,
        vacate: false,
    };
    // The topmost group of the machine has no type, and may have processes of its own.
    let is_topmost = (machine.read)(&path.join("cgroup.type")).is_none();
    if enabled == parent.controllers || is_topmost {
        return Ok(parent);
    }
    if !(machine.may_write)(&path.join("cgroup.subtree_control")) {
        return Err(format!(
            "{shown}/cgroup.subtree_control may not be written by this server: {DELEGATE}"
        ));
    }
    let processes = (machine.read)(&path.join("cgroup.procs")).unwrap_or_default();
    let mut pids = processes.lines().filter_map(|line| line.parse().ok());
    match pids.find(|pid| !(machine.is_ours)(*pid)) {
        Some(stranger) => Err(format!(
            "{shown} holds other processes than this server's (such as {stranger}), so it cannot be divided: \
             {DELEGATE}"
        )),
        None => {
            parent.vacate = !processes.trim().is_empty();
            Ok(parent)
        }
    }
}

/// Whether a process runs this program, or descends from one that does: the server, the executors, the jobs.
fn is_of_this_node(pid: u32) -> bool {
    const ANCESTORS_MAX: usize = 64;
    let program = |pid: &str| {
        let path = std::fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        let path = path.to_string_lossy().into_owned();
        // What runs on after its file was replaced.
        let path = path.strip_suffix(" (deleted)").unwrap_or(&path);
        Some(path.to_owned())
    };
    let Some(own) = program("self") else {
        return false;
    };
    let parent = |pid: &u32| crate::process::tree::process(*pid).map(|process| process.parent);
    std::iter::successors(Some(pid), parent)
        .take(ANCESTORS_MAX)
        .take_while(|pid| *pid > 1)
        .any(|pid| program(&pid.to_string()).is_some_and(|program| program == own))
}

/// Whether a kernel's release is this one or later. One that cannot be read is taken for an old one.
fn is_at_least(release: &str, wanted: (u32, u32)) -> bool {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= wanted
}

#[cfg(test)]
impl Survey {
    /// Of a machine whose unified hierarchy has all controllers.
    pub(super) fn of_unified(path: PathBuf) -> Self {
        Self {
            places: Controller::ALL.map(|_| Ok(Place::Unified)),
            unified: Some(UnifiedParent {
                path,
                controllers: Controller::ALL.map(Controller::name).to_vec(),
                vacate: false,
            }),
            freezer: None,
            has_kill: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::limits::abilities::MachineAbilities;
    use expect_test::{Expect, expect};

    /// Files and their texts; a directory that may be written has an empty one.
    #[track_caller]
    fn check(uid: u32, mounts: &str, own: &str, files: &[(&str, &str)], expected: &Expect) {
        let files: HashMap<PathBuf, &str> = files
            .iter()
            .map(|(path, text)| (PathBuf::from(path), *text))
            .collect();
        let machine = Machine {
            is_root: uid == 0,
            release: "6.1.0-18-amd64",
            read: &|path| files.get(path).map(|text| (*text).to_owned()),
            may_write: &|path| files.contains_key(path),
            is_ours: &|pid| pid < 100,
        };
        let survey = Survey::of(&Hierarchies::parse(mounts, own), &machine);
        let abilities = MachineAbilities::of(&survey);
        let mut lines: Vec<String> = abilities
            .by_limit()
            .into_iter()
            .map(|(limit, ability)| format!("{limit}: {ability:?}"))
            .collect();
        lines.push(format!("kill: {}", abilities.tree_kill));
        let vacate = survey.unified.map(|parent| parent.vacate);
        lines.push(format!("vacate: {vacate:?}"));
        expected.assert_eq(&lines.join("\n"));
    }

    const V2: &str = "30 23 0:26 / /cg rw - cgroup2 cgroup2 rw";

    #[test]
    fn root_on_version_2_divides_the_topmost_group_where_its_own_is_shared() {
        check(
            0,
            V2,
            "0::/user.slice/session-1.scope",
            &[
                ("/cg", ""),
                ("/cg/cgroup.controllers", "cpuset cpu io memory pids"),
                ("/cg/cgroup.subtree_control", "memory pids"),
                ("/cg/user.slice/session-1.scope", ""),
                (
                    "/cg/user.slice/session-1.scope/cgroup.controllers",
                    "memory pids",
                ),
                ("/cg/user.slice/session-1.scope/cgroup.subtree_control", ""),
                ("/cg/user.slice/session-1.scope/cgroup.type", "domain"),
                ("/cg/user.slice/session-1.scope/cgroup.procs", "7\n4711\n"),
            ],
            &expect![[r#"
                memory: Enforced(CgroupV2)
                cpu: Enforced(CgroupV2)
                processes: Enforced(CgroupV2)
                open_files: Enforced(ResourceLimit)
                kill: cgroup.kill
                vacate: Some(false)"#]],
        );
    }

    #[test]
    fn a_delegated_service_moves_its_own_processes_and_lacks_what_was_not_delegated() {
        check(
            1000,
            V2,
            "0::/u/odin.service",
            &[
                ("/cg/u/odin.service", ""),
                ("/cg/u/odin.service/cgroup.controllers", "memory pids"),
                ("/cg/u/odin.service/cgroup.subtree_control", ""),
                ("/cg/u/odin.service/cgroup.type", "domain"),
                ("/cg/u/odin.service/cgroup.procs", "7\n8\n"),
            ],
            &expect![[r#"
                memory: Enforced(CgroupV2)
                cpu: No { why: "the controller `cpu` is not given to /cg/u/odin.service: run the server as root, or as a service of its own with `Delegate=yes`" }
                processes: Enforced(CgroupV2)
                open_files: Enforced(ResourceLimit)
                kill: cgroup.kill
                vacate: Some(true)"#]],
        );
    }

    #[test]
    fn a_user_in_a_session_of_somebody_elses_making_can_limit_open_files_only() {
        check(
            1000,
            V2,
            "0::/user.slice/session-1.scope",
            &[],
            &expect![[r#"
                memory: No { why: "/cg/user.slice/session-1.scope may not be written by this server: run the server as root, or as a service of its own with `Delegate=yes`" }
                cpu: No { why: "/cg/user.slice/session-1.scope may not be written by this server: run the server as root, or as a service of its own with `Delegate=yes`" }
                processes: Partly { means: ResourceLimit, gap: "only all processes of the job's user together could be counted, and root's not at all (RLIMIT_NPROC): /cg/user.slice/session-1.scope may not be written by this server: run the server as root, or as a service of its own with `Delegate=yes`" }
                open_files: Enforced(ResourceLimit)
                kill: process by process
                vacate: None"#]],
        );
    }

    #[test]
    fn a_hybrid_machine_limits_by_version_1_and_kills_by_version_2() {
        check(
            0,
            "32 31 0:29 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n\
             35 31 0:32 / /cg/memory rw - cgroup cgroup rw,memory\n\
             41 31 0:38 / /cg/unified rw - cgroup2 cgroup2 rw",
            "4:memory:/api\n2:cpu,cpuacct:/\n0::/\n",
            &[
                ("/cg/cpu", ""),
                ("/cg/memory/api", ""),
                ("/cg/unified", ""),
                ("/cg/unified/cgroup.controllers", ""),
                ("/cg/unified/cgroup.subtree_control", ""),
            ],
            &expect![[r#"
                memory: Enforced(CgroupV1)
                cpu: Enforced(CgroupV1)
                processes: Partly { means: ResourceLimit, gap: "only all processes of the job's user together could be counted, and root's not at all (RLIMIT_NPROC): the controller `pids` is not given to /cg/unified: run the server as root, or as a service of its own with `Delegate=yes`" }
                open_files: Enforced(ResourceLimit)
                kill: cgroup.kill
                vacate: Some(false)"#]],
        );
    }

    #[test]
    fn a_machine_without_control_groups_says_so() {
        check(
            0,
            "",
            "",
            &[],
            &expect![[r#"
                memory: No { why: "no control groups with the controller `memory` are mounted: mount cgroup v2 on /sys/fs/cgroup" }
                cpu: No { why: "no control groups with the controller `cpu` are mounted: mount cgroup v2 on /sys/fs/cgroup" }
                processes: Partly { means: ResourceLimit, gap: "only all processes of the job's user together could be counted, and root's not at all (RLIMIT_NPROC): no control groups with the controller `pids` are mounted: mount cgroup v2 on /sys/fs/cgroup" }
                open_files: Enforced(ResourceLimit)
                kill: process by process
                vacate: None"#]],
        );
    }

    #[test]
    fn kernels_are_compared_by_number() {
        for (release, expected) in [
            ("5.14.0", true),
            ("5.9.1-generic", false),
            ("6.1", true),
            ("10.0.0", true),
            ("", false),
            ("x", false),
        ] {
            assert_eq!(is_at_least(release, (5, 14)), expected, "{release}");
        }
    }
}
