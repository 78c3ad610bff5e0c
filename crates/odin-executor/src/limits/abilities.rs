//! What this machine can enforce, for whoever deploys a job with limits and for whoever looks after the machine.

use std::fmt;

use odin_model::Limits;

use super::hierarchies::Hierarchies;
use super::survey::{Controller, Place, Survey};

/// How a limit is enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// A control group of version 2, for the whole tree of processes.
    CgroupV2,
    /// A control group of version 1, for the whole tree of processes.
    CgroupV1,
    /// A resource limit of each process (`setrlimit(2)`).
    ResourceLimit,
}

impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CgroupV2 => "cgroup v2",
            Self::CgroupV1 => "cgroup v1",
            Self::ResourceLimit => "a resource limit",
        })
    }
}

/// Whether a limit can be enforced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ability {
    /// It can, for the whole tree of a run's processes.
    Enforced(Means),
    /// Something like it can; a job gets that only with `best_effort: true`.
    Partly {
        /// How.
        means: Means,
        /// What is missing, in words.
        gap: String,
    },
    /// It cannot; with `best_effort: true` a job runs without.
    No {
        /// Why, in words, with the next step.
        why: String,
    },
}

/// How a whole tree of processes is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreeKill {
    /// `cgroup.kill`: at once, whatever the processes do meanwhile.
    CgroupKill,
    /// The freezer of version 1: nothing moves while each process is signalled.
    Freezer,
    /// Process by process, again and again until none is left.
    ProcessByProcess,
}

impl fmt::Display for TreeKill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CgroupKill => "cgroup.kill",
            Self::Freezer => "the freezer of cgroup v1",
            Self::ProcessByProcess => "process by process",
        })
    }
}

/// What this machine can enforce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineAbilities {
    /// `limits: {memory: ...}`.
    pub memory: Ability,
    /// `limits: {cpu: ...}`.
    pub cpu: Ability,
    /// `limits: {processes: ...}`.
    pub processes: Ability,
    /// `limits: {open_files: ...}`.
    pub open_files: Ability,
    /// How runs that have a limit are ended. Others are ended process by process.
    pub tree_kill: TreeKill,
}

/// A limit that a machine cannot enforce, for a job that does without `best_effort`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the limit `{limit}` cannot be enforced on this machine: {why}; or set `limits: {{best_effort: true}}` to run without it"
)]
pub struct NotEnforceable {
    /// The limit's key in the job file.
    pub limit: &'static str,
    /// Why, in words, with the next step.
    pub why: String,
}

impl NotEnforceable {
    /// Stable across releases.
    pub const CODE: &'static str = "job/limit-not-enforceable";
}

impl MachineAbilities {
    /// The limits by their keys in the job file.
    #[must_use]
    pub fn by_limit(&self) -> [(&'static str, &Ability); 4] {
        [
            ("memory", &self.memory),
            ("cpu", &self.cpu),
            ("processes", &self.processes),
            ("open_files", &self.open_files),
        ]
    }

    /// Checks that a job with these limits can run here as it asks.
    ///
    /// # Errors
    /// The first limit that cannot be enforced, unless they are `best_effort`.
    pub fn check(&self, limits: &Limits) -> Result<(), NotEnforceable> {
        let asked = [
            limits.memory_bytes.is_some(),
            limits.cpu_millis.is_some(),
            limits.processes.is_some(),
            limits.open_files.is_some(),
        ];
        for ((limit, ability), asked) in self.by_limit().into_iter().zip(asked) {
            let why = match ability {
                Ability::Enforced(_) => continue,
                Ability::Partly { gap, .. } => gap,
                Ability::No { why } => why,
            };
            if asked && !limits.best_effort {
                let why = why.clone();
                return Err(NotEnforceable { limit, why });
            }
        }
        Ok(())
    }

    pub(super) fn of(survey: &Survey) -> Self {
        let ability = |controller| match survey.place(controller) {
            Ok(Place::Unified) => Ability::Enforced(Means::CgroupV2),
            Ok(Place::Legacy(_)) => Ability::Enforced(Means::CgroupV1),
            Err(why) => Ability::No { why: why.clone() },
        };
        let processes = match ability(Controller::Processes) {
            Ability::No { why } => Ability::Partly {
                means: Means::ResourceLimit,
                gap: format!(
                    "only all processes of the job's user together could be counted, and root's not at all \
                     (RLIMIT_NPROC): {why}"
                ),
            },
            enforced => enforced,
        };
        Self {
            memory: ability(Controller::Memory),
            cpu: ability(Controller::Cpu),
            processes,
            open_files: Ability::Enforced(Means::ResourceLimit),
            tree_kill: survey.tree_kill(),
        }
    }
}

/// Looks at what this machine lets this process enforce. Reads some files and changes nothing. An executor that this
/// process starts can do the same.
#[must_use]
pub fn machine_abilities() -> MachineAbilities {
    MachineAbilities::of(&Survey::of_this_machine(&Hierarchies::of_this_process()))
}

/// Which versions of control groups are mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlGroups {
    /// Version 2 alone.
    V2,
    /// Version 1 alone.
    V1,
    /// Both: each controller is in one of them.
    Hybrid,
    /// None.
    None,
}

impl ControlGroups {
    fn of(hierarchies: &Hierarchies) -> Self {
        match (
            hierarchies.unified.is_some(),
            !hierarchies.legacy.is_empty(),
        ) {
            (true, true) => Self::Hybrid,
            (true, false) => Self::V2,
            (false, true) => Self::V1,
            (false, false) => Self::None,
        }
    }
}

impl fmt::Display for ControlGroups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V2 => "version 2",
            Self::V1 => "version 1",
            Self::Hybrid => "version 2 and version 1 (hybrid)",
            Self::None => "none",
        })
    }
}

/// Which versions of control groups this process sees.
#[must_use]
pub fn control_groups() -> ControlGroups {
    ControlGroups::of(&Hierarchies::of_this_process())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without_groups() -> MachineAbilities {
        let no = || Ability::No {
            why: "there is none".into(),
        };
        MachineAbilities {
            memory: no(),
            cpu: no(),
            processes: Ability::Partly {
                means: Means::ResourceLimit,
                gap: "per user".into(),
            },
            open_files: Ability::Enforced(Means::ResourceLimit),
            tree_kill: TreeKill::ProcessByProcess,
        }
    }

    #[test]
    fn a_limit_that_cannot_be_enforced_is_named_unless_the_best_effort_will_do() {
        let check = |limits: Limits, expected: Option<&str>| {
            let refused = without_groups().check(&limits).err();
            assert_eq!(refused.map(|refused| refused.limit), expected, "{limits:?}");
        };
        let none = Limits::default();
        let memory = Limits {
            memory_bytes: Some(1 << 30),
            ..none
        };
        let processes = Limits {
            processes: Some(9),
            ..none
        };
        let files = Limits {
            open_files: Some(9),
            ..none
        };
        check(none, None);
        check(memory, Some("memory"));
        check(processes, Some("processes"));
        check(files, None);
        let best_effort = Limits {
            best_effort: true,
            ..memory
        };
        check(best_effort, None);
    }

    #[test]
    fn a_machine_with_both_versions_is_hybrid() {
        let v2 = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        let v1 = "35 31 0:32 / /cg/memory rw - cgroup cgroup rw,memory\n";
        let both = format!("{v1}{v2}");
        for (mounts, expected) in [
            (v2, ControlGroups::V2),
            (v1, ControlGroups::V1),
            (&both, ControlGroups::Hybrid),
            ("", ControlGroups::None),
        ] {
            let hierarchies = Hierarchies::parse(mounts, "4:memory:/\n0::/\n");
            assert_eq!(ControlGroups::of(&hierarchies), expected, "{mounts}");
        }
    }

    #[test]
    fn a_refusal_says_why_and_what_to_do() {
        let limits = Limits {
            cpu_millis: Some(500),
            ..Limits::default()
        };
        let refused = without_groups().check(&limits).unwrap_err().to_string();
        assert_eq!(
            refused,
            "the limit `cpu` cannot be enforced on this machine: there is none; \
             or set `limits: {best_effort: true}` to run without it"
        );
    }
}
