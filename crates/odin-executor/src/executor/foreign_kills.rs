//! Whether a process that died of a KILL that Odin did not send was ended by the kernel for want of memory: where the run
//! has no limit of its own, whose group would tell.
//!
//! The kernel's log names each such process. Where this executor may not read it, there is the kernel's count of them,
//! which says nothing of whose they were: one that grew while the run went on makes it likely.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use odin_model::Boottime;

/// Records that are read at one look, at most. What is beyond is read at the next.
const RECORDS_MAX: usize = 20_000;
/// A record of the log, and no more than the kernel gives at once.
const RECORD_BYTES_MAX: usize = 8 << 10;
/// Processes that the log named, at most; the oldest goes.
const NAMED_MAX: usize = 256;
/// How long a count of the kernel's is taken for that of now.
const COUNT_KEPT: std::time::Duration = std::time::Duration::from_secs(1);

/// What tells of such ends.
pub(super) struct ForeignKills {
    /// `/dev/kmsg`, read up to what was there at the latest look. `None`: it may not be read.
    log: Option<File>,
    /// Processes that it named, the latest last.
    named: VecDeque<u32>,
    /// `/proc/vmstat`, where there is no log.
    counts: Option<File>,
    /// The latest count, and when it was read.
    counted: (u64, Option<Boottime>),
}

impl ForeignKills {
    pub(super) fn open() -> Self {
        let log = File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
            .open("/dev/kmsg")
            // What it holds of before is of processes that are gone.
            .and_then(|log| Ok(rustix::fs::seek(&log, rustix::fs::SeekFrom::End(0)).map(|_| log)?))
            .ok();
        let counts = match log {
            Some(_) => None,
            None => File::open("/proc/vmstat").ok(),
        };
        Self {
            log,
            named: VecDeque::new(),
            counts,
            counted: (0, None),
        }
    }

    /// What to compare with when a run ends that begins now. A second old at most.
    pub(super) fn mark(&mut self, now: Boottime) -> u64 {
        let (count, read_at) = self.counted;
        match read_at {
            Some(at) if now.since(at) < COUNT_KEPT => count,
            _ => self.count(now),
        }
    }

    /// A process was made: what was said of an earlier one of that number is not about it.
    pub(super) fn begins(&mut self, pid: u32) {
        self.named.retain(|named| *named != pid);
    }

    /// Whether the kernel ended this process, as far as it tells. `mark`: as it was when the run began.
    pub(super) fn is_for_memory(&mut self, pid: u32, mark: u64, now: Boottime) -> bool {
        if self.log.is_some() {
            self.read_log();
            self.named.contains(&pid)
        } else {
            self.count(now) > mark
        }
    }

    fn read_log(&mut self) {
        let Some(log) = &mut self.log else { return };
        let mut record = [0; RECORD_BYTES_MAX];
        for _ in 0..RECORDS_MAX {
            match log.read(&mut record) {
                Ok(0) => return,
                Ok(count) => {
                    if let Some(pid) = named_in(&String::from_utf8_lossy(&record[..count])) {
                        if self.named.len() >= NAMED_MAX {
                            self.named.pop_front();
                        }
                        self.named.push_back(pid);
                    }
                }
                // The next record was overwritten, and the one after what is lost comes next; or it is no record.
                Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
                Err(_) => return,
            }
        }
    }

    fn count(&mut self, now: Boottime) -> u64 {
        let Some(file) = &self.counts else { return 0 };
        let mut text = vec![0; 64 << 10];
        let count = file.read_at(&mut text, 0).unwrap_or(0);
        let count = counted_in(&String::from_utf8_lossy(&text[..count]));
        self.counted = (count, Some(now));
        count
    }
}

/// The process that a record of the kernel's log says was ended for memory.
fn named_in(record: &str) -> Option<u32> {
    // `6,1234,5678,-;Out of memory: Killed process 4711 (python3) total-vm:...`, or `Memory cgroup out of memory: ...`.
    // Users' programs may write to the log too, and those records are not the kernel's.
    let (head, text) = record.split_once(';')?;
    let facility = head.split(',').next()?.parse::<u32>().ok()? >> 3;
    let (cause, rest) = text.split_once("Killed process ")?;
    let is_for_memory = cause.to_ascii_lowercase().contains("out of memory");
    let pid = rest.split(' ').next()?.parse().ok()?;
    (facility == 0 && is_for_memory).then_some(pid)
}

/// The count of all that were ended for memory since the machine started.
fn counted_in(vmstat: &str) -> u64 {
    vmstat
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "))
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_log_names_whom_it_ended_for_memory() {
        let check = |record: &str, expected| assert_eq!(named_in(record), expected, "{record}");
        check(
            "3,812,9001,-;Out of memory: Killed process 4711 (python3) total-vm:321068kB, anon-rss:65024kB\n",
            Some(4711),
        );
        check(
            "3,813,9002,-;Memory cgroup out of memory: Killed process 12 (a (b) c) total-vm:1kB\n",
            Some(12),
        );
        check(
            "3,814,9003,-;Memory cgroup out of memory: OOM victim 12 (x) is already exiting. Skip killing the task\n",
            None,
        );
        check("6,815,9004,-;Killed process 12 by somebody\n", None);
        // Written by a program, which says so by another facility.
        check(
            "11,816,9005,-;Out of memory: Killed process 4711 (x)\n",
            None,
        );
        check("no record at all", None);
        check("", None);
    }

    #[test]
    fn the_kernels_count_is_one_line_among_many() {
        assert_eq!(counted_in("pgfault 9\noom_kill 79\nnuma_hit 1\n"), 79);
        assert_eq!(counted_in("pgfault 9\n"), 0);
    }

    #[test]
    fn without_the_log_a_count_that_grew_is_what_there_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vmstat");
        let write = |count| std::fs::write(&path, format!("oom_kill {count}\n")).unwrap();
        let at = |seconds| Boottime(std::time::Duration::from_secs(seconds));
        write(5);
        let mut kills = ForeignKills {
            log: None,
            named: VecDeque::new(),
            counts: Some(File::open(&path).unwrap()),
            counted: (0, None),
        };
        let mark = kills.mark(at(1));
        assert!(!kills.is_for_memory(7, mark, at(2)));
        write(6);
        assert!(kills.is_for_memory(7, mark, at(3)));
        let mark = kills.mark(at(9));
        assert!(!kills.is_for_memory(7, mark, at(10)));
    }
}
