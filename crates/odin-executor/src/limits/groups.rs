//! Making control groups, and finding those that a dead executor left.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use odin_model::Limits;
use sha2::{Digest, Sha256};

use super::abilities::{MachineAbilities, TreeKill};
use super::group::{Group, remove_tree};
use super::hierarchies::Hierarchies;
use super::survey::{Controller, LEAF, Place, Survey, UnifiedParent};

/// The kernel's usual period for quotas of processor time, in microseconds.
const CPU_PERIOD: u64 = 100_000;
/// How often the processes of a group that must be empty are moved: one that forks meanwhile is met the next time.
const VACATE_PASSES: usize = 16;
const NEVER_POISONED: &str = "no code that holds this lock panics";

/// Makes the groups of one executor's attempts. Below each parent it has one group that holds them all.
#[derive(Clone)]
pub(crate) struct Groups(Arc<Shared>);

struct Shared {
    /// The name of the group that holds all.
    name: String,
    /// Where the paths of those are written before they are made.
    record: PathBuf,
    survey: OnceLock<Survey>,
    /// Those that were made.
    bases: Mutex<Vec<PathBuf>>,
}

impl Groups {
    /// For the executor that has `directory` for its own; nothing is made yet.
    pub(crate) fn new(directory: &Path) -> Self {
        let digest = Sha256::digest(directory.as_os_str().as_encoded_bytes());
        let digits: String = digest[..6]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self(Arc::new(Shared {
            name: format!("odin-{digits}"),
            record: directory.join("cgroups"),
            survey: OnceLock::new(),
            bases: Mutex::default(),
        }))
    }

    /// A group of that name with these limits, as far as this machine has any; `None` when it needs none.
    ///
    /// # Errors
    /// When a limit cannot be enforced and is not `best_effort`, in words.
    pub(crate) fn make(&self, name: &str, limits: &Limits) -> Result<Option<Group>, String> {
        let needs_group = limits.memory_bytes.is_some()
            || limits.cpu_millis.is_some()
            || limits.processes.is_some();
        if !needs_group {
            return Ok(None);
        }
        let survey = self
            .0
            .survey
            .get_or_init(|| Survey::of_this_machine(&Hierarchies::of_this_process()));
        let abilities = MachineAbilities::of(survey);
        abilities.check(limits).map_err(|error| error.to_string())?;
        let mut group = Group {
            directories: Vec::new(),
            memory_events: None,
            bounds_processes: false,
            kill: None,
            freezer: None,
        };
        match self.fill(&mut group, survey, name, limits) {
            Ok(()) if group.directories.is_empty() => Ok(None),
            Ok(()) => Ok(Some(group)),
            Err(error) => {
                // What cannot be removed now is found by the next executor.
                let _ = group.remove();
                if limits.best_effort {
                    return Ok(None);
                }
                Err(format!(
                    "the run's limits cannot be set on this machine: {error}"
                ))
            }
        }
    }

    fn fill(
        &self,
        group: &mut Group,
        survey: &Survey,
        name: &str,
        limits: &Limits,
    ) -> Result<(), String> {
        let asked = [
            (Controller::Memory, limits.memory_bytes),
            (Controller::Cpu, limits.cpu_millis.map(u64::from)),
            (Controller::Processes, limits.processes.map(u64::from)),
        ];
        for (controller, value) in asked {
            // One that is not there was allowed to be missing, by `check`.
            let (Some(value), Ok(place)) = (value, survey.place(controller)) else {
                continue;
            };
            let directory = match place {
                Place::Unified => self.unified_directory(survey, name)?,
                Place::Legacy(parent) => Some(self.directory(parent, name)?),
            };
            let Some(directory) = directory else { continue };
            add(group, directory.clone());
            set(group, controller, place, &directory, value)?;
        }
        if survey.tree_kill() == TreeKill::CgroupKill
            && let Some(directory) = self.unified_directory(survey, name)?
        {
            group.kill = Some(directory.join("cgroup.kill"));
            add(group, directory);
        } else if let Some(parent) = &survey.freezer {
            let directory = self.directory(parent, name)?;
            group.freezer = Some(directory.clone());
            add(group, directory);
        }
        Ok(())
    }

    fn unified_directory(&self, survey: &Survey, name: &str) -> Result<Option<PathBuf>, String> {
        let Some(parent) = &survey.unified else {
            return Ok(None);
        };
        let plus: Vec<String> = parent
            .controllers
            .iter()
            .map(|it| format!("+{it}"))
            .collect();
        let divide = |directory: &Path| match plus.is_empty() {
            true => Ok(()),
            false => write(&directory.join("cgroup.subtree_control"), &plus.join(" ")),
        };
        let base = self.base(&parent.path, |base| {
            vacate(parent)?;
            divide(&parent.path)?;
            make_directory(base)?;
            divide(base)
        })?;
        let directory = base.join(name);
        make_directory(&directory)?;
        Ok(Some(directory))
    }

    /// A group's directory below `parent`, in a hierarchy of version 1.
    fn directory(&self, parent: &Path, name: &str) -> Result<PathBuf, String> {
        let directory = self.base(parent, make_directory)?.join(name);
        make_directory(&directory)?;
        Ok(directory)
    }

    /// The group below `parent` that holds all of this executor's. Written down before it is made.
    fn base(
        &self,
        parent: &Path,
        make: impl FnOnce(&Path) -> Result<(), String>,
    ) -> Result<PathBuf, String> {
        let base = parent.join(&self.0.name);
        let mut bases = self.0.bases.lock().expect(NEVER_POISONED);
        if !bases.contains(&base) {
            let failed = |error| format!("cannot write {}: {error}", self.0.record.display());
            let mut record = fs::File::options()
                .append(true)
                .create(true)
                .open(&self.0.record)
                .map_err(failed)?;
            writeln!(record, "{}", base.display()).map_err(failed)?;
            make(&base)?;
            bases.push(base.clone());
        }
        Ok(base)
    }

    /// Ends what a dead executor left in the groups of the attempts that `was_running`, and removes all groups that
    /// are empty. Those of attempts that were over hold what their jobs were told to keep. What it returns is left.
    pub(crate) fn sweep(&self, was_running: impl Fn(&str) -> bool) -> Vec<Group> {
        let mut busy = Vec::new();
        let record = fs::read_to_string(&self.0.record).unwrap_or_default();
        let mut left = String::new();
        for base in record.lines().map(Path::new) {
            let is_ours = base.is_absolute() && base.ends_with(&self.0.name);
            if !is_ours {
                continue;
            }
            for entry in fs::read_dir(base).into_iter().flatten().flatten() {
                if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    continue;
                }
                let group = Group::left_behind(entry.path());
                if was_running(&entry.file_name().to_string_lossy()) {
                    group.kill();
                }
                if group.remove().is_err() {
                    busy.push(group);
                }
            }
            if remove_tree(base, 0).is_err() && !left.lines().any(|line| Path::new(line) == base) {
                left.push_str(&format!("{}\n", base.display()));
            }
        }
        // Written whole: what is gone is not looked for again.
        let _ = if left.is_empty() {
            fs::remove_file(&self.0.record)
        } else {
            fs::write(&self.0.record, left)
        };
        busy
    }

    /// Removes what can be removed, when the executor ends.
    pub(crate) fn close(&self) {
        self.sweep(|_| false);
    }
}

fn add(group: &mut Group, directory: PathBuf) {
    if !group.directories.contains(&directory) {
        group.directories.push(directory);
    }
}

fn set(
    group: &mut Group,
    controller: Controller,
    place: &Place,
    directory: &Path,
    value: u64,
) -> Result<(), String> {
    let put = |file: &str, text: String| write(&directory.join(file), &text);
    // Where the kernel does not count swap, there is no such file.
    let put_if_there = |file: &str, text: String| {
        let path = directory.join(file);
        if path.exists() {
            write(&path, &text)
        } else {
            Ok(())
        }
    };
    let quota = value * CPU_PERIOD / 1000;
    match (controller, place) {
        (Controller::Memory, Place::Unified) => {
            group.memory_events = Some(directory.join("memory.events"));
            put("memory.max", value.to_string())?;
            put_if_there("memory.swap.max", "0".to_owned())
        }
        (Controller::Memory, Place::Legacy(_)) => {
            group.memory_events = Some(directory.join("memory.oom_control"));
            put("memory.limit_in_bytes", value.to_string())?;
            put_if_there("memory.memsw.limit_in_bytes", value.to_string())
        }
        (Controller::Cpu, Place::Unified) => put("cpu.max", format!("{quota} {CPU_PERIOD}")),
        (Controller::Cpu, Place::Legacy(_)) => {
            put("cpu.cfs_period_us", CPU_PERIOD.to_string())?;
            put("cpu.cfs_quota_us", quota.to_string())
        }
        (Controller::Processes, _) => {
            group.bounds_processes = true;
            put("pids.max", value.to_string())
        }
    }
}

/// Moves this node's processes out of a group that is to be divided.
fn vacate(parent: &UnifiedParent) -> Result<(), String> {
    if !parent.vacate {
        return Ok(());
    }
    let leaf = parent.path.join(LEAF);
    make_directory(&leaf)?;
    for _ in 0..VACATE_PASSES {
        let text = fs::read_to_string(parent.path.join("cgroup.procs")).unwrap_or_default();
        if text.trim().is_empty() {
            return Ok(());
        }
        for pid in text.lines() {
            // One that has ended meanwhile cannot be moved.
            let _ = fs::write(leaf.join("cgroup.procs"), pid);
        }
    }
    Err(format!(
        "the processes of {} cannot be moved",
        parent.path.display()
    ))
}

fn make_directory(path: &Path) -> Result<(), String> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(format!("cannot make {}: {error}", path.display()))
        }
        _ => Ok(()),
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    // Not created: a file that the kernel does not have is a controller that is not there.
    let written = fs::File::options()
        .write(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| format!("cannot write `{text}` to {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(temp: &Path, survey: Survey) -> Groups {
        let groups = Groups::new(temp);
        groups.0.survey.set(survey).unwrap();
        groups
    }

    /// A directory that looks like a group to those who only read and write files.
    fn group_files(path: &Path, names: &[&str]) {
        fs::create_dir_all(path).unwrap();
        for name in names {
            fs::write(path.join(name), "").unwrap();
        }
    }

    #[test]
    fn version_2_gets_its_files_in_its_own_words() {
        let temp = tempfile::tempdir().unwrap();
        let top = temp.path().join("cg");
        let groups = groups(temp.path(), Survey::of_unified(top.clone()));
        let base = top.join(&groups.0.name);
        let leaf = base.join("a.1");
        for directory in [&top, &base] {
            group_files(directory, &["cgroup.subtree_control"]);
        }
        group_files(
            &leaf,
            &["memory.max", "memory.swap.max", "cpu.max", "pids.max"],
        );
        let limits = Limits {
            memory_bytes: Some(64 << 20),
            cpu_millis: Some(1500),
            processes: Some(7),
            ..Limits::default()
        };
        let group = groups.make("a.1", &limits).unwrap().unwrap();
        let text = |path: PathBuf| fs::read_to_string(path).unwrap();
        assert_eq!(text(leaf.join("memory.max")), "67108864");
        assert_eq!(text(leaf.join("memory.swap.max")), "0");
        assert_eq!(text(leaf.join("cpu.max")), "150000 100000");
        assert_eq!(text(leaf.join("pids.max")), "7");
        for directory in [&top, &base] {
            let divided = text(directory.join("cgroup.subtree_control"));
            assert_eq!(divided, "+memory +cpu +pids");
        }
        assert_eq!(group.directories, std::slice::from_ref(&leaf));
        assert_eq!(group.kill, Some(leaf.join("cgroup.kill")));
        let events = "low 0\nhigh 0\nmax 31\noom 2\noom_kill 2\noom_group_kill 0\n";
        fs::write(leaf.join("memory.events"), events).unwrap();
        assert_eq!(group.memory_kills(), 2);
    }

    #[test]
    fn a_limit_that_cannot_be_set_is_refused_in_words_unless_the_best_effort_will_do() {
        let temp = tempfile::tempdir().unwrap();
        let mut limits = Limits {
            memory_bytes: Some(64 << 20),
            ..Limits::default()
        };
        // The files of the kernel are missing there.
        let groups = groups(temp.path(), Survey::of_unified(temp.path().join("cg")));
        let refused = groups.make("a.1", &limits).unwrap_err();
        assert!(refused.contains("cannot be set"), "{refused}");
        limits.best_effort = true;
        assert!(groups.make("a.1", &limits).unwrap().is_none());
    }

    #[test]
    fn a_run_without_limits_has_no_group() {
        let temp = tempfile::tempdir().unwrap();
        let groups = Groups::new(temp.path());
        let limits = Limits {
            open_files: Some(10),
            ..Limits::default()
        };
        assert!(groups.make("a.1", &limits).unwrap().is_none());
        assert!(groups.0.survey.get().is_none(), "nothing was looked for");
        groups.close();
    }
}
