//! The control groups of one attempt.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal};

/// Groups that a job made inside of its own are removed with it down to this depth.
const DEPTH_MAX: usize = 8;
/// How often a group that is being frozen is looked at. A process that waits inside the kernel freezes when it leaves
/// it; it cannot fork before, so the others are killed all the same.
const FREEZE_LOOKS: usize = 1000;

/// One attempt's group in each hierarchy that it needs. Made by [`Groups::make`](super::Groups::make).
#[derive(Debug)]
pub(crate) struct Group {
    /// One directory in each hierarchy, without repetition.
    pub(super) directories: Vec<PathBuf>,
    /// The file that counts kills for want of memory, when memory is limited.
    pub(super) memory_events: Option<PathBuf>,
    /// Whether it bounds the number of processes.
    pub(crate) bounds_processes: bool,
    /// `cgroup.kill`, where there is one.
    pub(super) kill: Option<PathBuf>,
    /// The group's directory in the freezer of version 1, where that is what ends it.
    pub(super) freezer: Option<PathBuf>,
}

impl Group {
    /// The files that a process writes `0` to in order to enter.
    pub(crate) fn doors(&self) -> Vec<CString> {
        let doors = self.directories.iter().map(|it| it.join("cgroup.procs"));
        doors
            .map(|path| {
                CString::new(path.as_os_str().as_bytes())
                    .expect("mount points come from the kernel's own C strings")
            })
            .collect()
    }

    /// The processes inside.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let first = self.directories.first();
        first.map_or_else(Vec::new, |directory| processes_below(directory, DEPTH_MAX))
    }

    /// How many processes of it the kernel has killed because its memory was used up.
    pub(crate) fn memory_kills(&self) -> u64 {
        let text = self
            .memory_events
            .as_ref()
            .and_then(|path| fs::read_to_string(path).ok());
        let mut lines = text.as_deref().unwrap_or_default().lines();
        // `memory.events` of version 2 and `memory.oom_control` of version 1 have the same line.
        lines
            .find_map(|line| line.strip_prefix("oom_kill "))
            .and_then(|count| count.trim().parse().ok())
            .unwrap_or(0)
    }

    /// Kills everything inside, so that nothing that forks meanwhile escapes where the kernel can do that.
    pub(crate) fn kill(&self) {
        if let Some(kill) = &self.kill
            && fs::write(kill, "1").is_ok()
        {
            return;
        }
        let Some(freezer) = &self.freezer else {
            return signal_all(&self.processes());
        };
        let state = freezer.join("freezer.state");
        // Where it cannot be frozen, the signals alone must do.
        let _ = fs::write(&state, "FROZEN");
        let is_frozen = || fs::read_to_string(&state).is_ok_and(|text| text.trim() == "FROZEN");
        let _ = (0..FREEZE_LOOKS).any(|_| is_frozen());
        signal_all(&processes_below(freezer, DEPTH_MAX));
        let _ = fs::write(&state, "THAWED");
    }

    /// Removes it, with the groups that the job made inside of it.
    ///
    /// # Errors
    /// `EBUSY` while it holds processes.
    pub(crate) fn remove(&self) -> io::Result<()> {
        let mut result = Ok(());
        for directory in &self.directories {
            result = result.and(remove_tree(directory, DEPTH_MAX));
        }
        result
    }
}

/// A pid is not reused while the group holds its process, and one that has just left it was of the run.
fn signal_all(pids: &[u32]) {
    for pid in pids {
        if let Some(pid) = i32::try_from(*pid).ok().and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
    }
}

/// The groups directly below one.
fn below(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
}

fn processes_below(directory: &Path, depth: usize) -> Vec<u32> {
    let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    let mut pids: Vec<u32> = text.lines().filter_map(|line| line.parse().ok()).collect();
    if depth > 0 {
        for group in below(directory) {
            pids.extend(processes_below(&group, depth - 1));
        }
    }
    pids
}

pub(super) fn remove_tree(directory: &Path, depth: usize) -> io::Result<()> {
    if depth > 0 {
        for group in below(directory) {
            remove_tree(&group, depth - 1)?;
        }
    }
    match fs::remove_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl Group {
    /// What is left of an attempt of a dead executor in one hierarchy, by its directory there.
    pub(super) fn left_behind(directory: PathBuf) -> Self {
        let kill = directory.join("cgroup.kill");
        let freezer = directory.join("freezer.state").exists();
        Self {
            memory_events: None,
            bounds_processes: false,
            kill: kill.exists().then_some(kill),
            freezer: freezer.then(|| directory.clone()),
            directories: vec![directory],
        }
    }
}
