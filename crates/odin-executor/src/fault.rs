//! Named places at which this process ends, freezes, panics or hangs, to test what is recovered from each.
//!
//! `ODIN_FAULT=NAME[:NTH][@stop|@panic|@hang]`, read once when a server or an executor starts, picks one [`Point`]: the `NTH` time
//! (default: the first) that the process gets there, it is killed as by `kill -9`, stopped as by `kill -STOP` until
//! somebody sends CONT, the thread that is there panics, or what is there never goes on while all else does. Without the
//! variable a point costs one relaxed load. Nothing else reaches this: no job file, no request, and jobs do not see the
//! variable. `docs/contributing/testing.md` says how to use it.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use rustix::process::Signal;

/// The variable.
pub const VARIABLE: &str = "ODIN_FAULT";

/// The places: those of a launch in the order in which it passes them, then those of other things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Point {
    /// The leader has planned what is due and has not proposed it.
    ServerFireBefore = 1,
    /// What is due is applied, and nothing was done about it yet.
    ServerFireAfter,
    /// The agent has a run and has not armed it.
    ServerArmBefore,
    /// The executor was sent a launch.
    ServerArmAfter,
    /// What the executor reported is not proposed.
    ServerReportBefore,
    /// What the executor reported is applied.
    ServerReportAfter,
    /// The executor is about to be told so.
    ServerAckBefore,
    /// A launch is about to be due; its start is not recorded.
    ExecutorStartBefore,
    /// A start is on the disk; there is no process.
    ExecutorStartAfter,
    /// There is a process; the journal does not say so.
    ExecutorStartedBefore,
    /// A run is over; the journal does not say so.
    ExecutorFinishedBefore,
    /// A result is in the journal; the server was not sent it.
    ExecutorFinishedAfter,
    /// The server has said that it has a result; that is not recorded.
    ExecutorAckBefore,
    /// That is among what the journal is about to write.
    ExecutorAckAfter,
    /// The journal is about to be written anew.
    ExecutorCompactBefore,
    /// The new journal is whole and has not taken the old one's place.
    ExecutorCompactMiddle,
    /// It has.
    ExecutorCompactAfter,
    /// The leader is about to plan a job that is due.
    ServerPlanBefore,
    /// A message to a channel is about to be sent, and the log says so.
    ServerNotifyBefore,
    /// A message was sent or could not be; the log does not say which.
    ServerNotifyAfter,
    /// What was committed is about to be applied.
    ServerApplyBefore,
    /// A backup's copy of the state is made; nothing of the backup is written.
    ServerBackupMiddle,
    /// A backup is written under another name, and does not have its own yet.
    BackupRenameBefore,
    /// A backup is unpacked and made ready; the data directory has its old data.
    RestoreCommitBefore,
    /// The new data is in force, and nothing was moved.
    RestoreCommitAfter,
    /// One more name was moved aside or into its place.
    RestoreMove,
    /// The leader has chosen nodes for runs that have none (retries, what was linked, what waited) and has not proposed it.
    ServerAssignBefore,
    /// That is applied, and nothing was done about it yet.
    ServerAssignAfter,
    /// A file of history is whole and does not have its name.
    ServerSealRenameBefore,
    /// It has; its rows are still in the state.
    ServerSealSweepBefore,
    /// Some rows are out of the state, and that is not committed.
    ServerSealSweepMiddle,
    /// A file of history that nobody keeps runs in is about to go.
    ServerSealRemoveBefore,
}

impl Point {
    /// All of them.
    pub const ALL: [Self; 32] = [
        Self::ServerFireBefore,
        Self::ServerFireAfter,
        Self::ServerArmBefore,
        Self::ServerArmAfter,
        Self::ServerReportBefore,
        Self::ServerReportAfter,
        Self::ServerAckBefore,
        Self::ExecutorStartBefore,
        Self::ExecutorStartAfter,
        Self::ExecutorStartedBefore,
        Self::ExecutorFinishedBefore,
        Self::ExecutorFinishedAfter,
        Self::ExecutorAckBefore,
        Self::ExecutorAckAfter,
        Self::ExecutorCompactBefore,
        Self::ExecutorCompactMiddle,
        Self::ExecutorCompactAfter,
        Self::ServerPlanBefore,
        Self::ServerNotifyBefore,
        Self::ServerNotifyAfter,
        Self::ServerApplyBefore,
        Self::ServerBackupMiddle,
        Self::BackupRenameBefore,
        Self::RestoreCommitBefore,
        Self::RestoreCommitAfter,
        Self::RestoreMove,
        Self::ServerAssignBefore,
        Self::ServerAssignAfter,
        Self::ServerSealRenameBefore,
        Self::ServerSealSweepBefore,
        Self::ServerSealSweepMiddle,
        Self::ServerSealRemoveBefore,
    ];

    /// What the variable calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ServerFireBefore => "server-fire-before",
            Self::ServerFireAfter => "server-fire-after",
            Self::ServerArmBefore => "server-arm-before",
            Self::ServerArmAfter => "server-arm-after",
            Self::ServerReportBefore => "server-report-before",
            Self::ServerReportAfter => "server-report-after",
            Self::ServerAckBefore => "server-ack-before",
            Self::ExecutorStartBefore => "executor-start-before",
            Self::ExecutorStartAfter => "executor-start-after",
            Self::ExecutorStartedBefore => "executor-started-before",
            Self::ExecutorFinishedBefore => "executor-finished-before",
            Self::ExecutorFinishedAfter => "executor-finished-after",
            Self::ExecutorAckBefore => "executor-ack-before",
            Self::ExecutorAckAfter => "executor-ack-after",
            Self::ExecutorCompactBefore => "executor-compact-before",
            Self::ExecutorCompactMiddle => "executor-compact-middle",
            Self::ExecutorCompactAfter => "executor-compact-after",
            Self::ServerPlanBefore => "server-plan-before",
            Self::ServerNotifyBefore => "server-notify-before",
            Self::ServerNotifyAfter => "server-notify-after",
            Self::ServerApplyBefore => "server-apply-before",
            Self::ServerBackupMiddle => "server-backup-middle",
            Self::BackupRenameBefore => "backup-rename-before",
            Self::RestoreCommitBefore => "restore-commit-before",
            Self::RestoreCommitAfter => "restore-commit-after",
            Self::RestoreMove => "restore-move",
            Self::ServerAssignBefore => "server-assign-before",
            Self::ServerAssignAfter => "server-assign-after",
            Self::ServerSealRenameBefore => "server-seal-rename-before",
            Self::ServerSealSweepBefore => "server-seal-sweep-before",
            Self::ServerSealSweepMiddle => "server-seal-sweep-middle",
            Self::ServerSealRemoveBefore => "server-seal-remove-before",
        }
    }
}

/// What happens at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Act {
    Kill,
    Stop,
    Panic,
    Hang,
}

/// What the variable asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fault {
    point: Point,
    /// From 1.
    nth: u32,
    act: Act,
}

/// The variable's value is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{VARIABLE}={value:?} is not NAME[:NTH][@stop|@panic|@hang] with one of the names {}",
    names()
)]
pub struct NotAFault {
    /// What it is.
    pub value: String,
}

/// The armed point's number; 0 for none.
static ARMED: AtomicU8 = AtomicU8::new(0);
/// How many times it is still to be passed, the last included.
static LEFT: AtomicU32 = AtomicU32::new(0);
/// The [`Act`]'s number.
static ACT: AtomicU8 = AtomicU8::new(Act::Kill as u8);

/// Arms what the environment asks for, if anything: at the start of a server or an executor, before its threads.
///
/// # Errors
/// When the variable is set to something else.
pub fn arm_from_environment() -> Result<(), NotAFault> {
    let Some(value) = std::env::var_os(VARIABLE) else {
        return Ok(());
    };
    let fault = parse(&value.to_string_lossy())?;
    LEFT.store(fault.nth, Ordering::Relaxed);
    ACT.store(fault.act as u8, Ordering::Relaxed);
    ARMED.store(fault.point as u8, Ordering::Relaxed);
    Ok(())
}

/// This process is at `point`.
#[inline]
pub fn reach(point: Point) {
    reach_if(point, || true);
}

/// The same, where only some passes count. `counts` is called only when the point is armed.
#[inline]
pub fn reach_if(point: Point, counts: impl FnOnce() -> bool) {
    if ARMED.load(Ordering::Relaxed) == point as u8 && counts() && pass() {
        loop {
            std::thread::park();
        }
    }
}

/// The same in a task, which hangs without its thread: other tasks go on there.
#[inline]
pub async fn reach_in_task(point: Point) {
    if ARMED.load(Ordering::Relaxed) == point as u8 && pass() {
        std::future::pending::<()>().await;
    }
}

/// Whether whoever is here is never to go on.
#[cold]
fn pass() -> bool {
    if LEFT.fetch_sub(1, Ordering::Relaxed) != 1 {
        return false;
    }
    ARMED.store(0, Ordering::Relaxed);
    let act = ACT.load(Ordering::Relaxed);
    assert!(act != Act::Panic as u8, "{VARIABLE} asks for a panic here");
    if act == Act::Hang as u8 {
        return true;
    }
    let signal = if act == Act::Stop as u8 {
        Signal::STOP
    } else {
        Signal::KILL
    };
    // Neither can be caught or refused, and both are delivered before the call returns to this thread.
    let _ = rustix::process::kill_process(rustix::process::getpid(), signal);
    false
}

fn parse(value: &str) -> Result<Fault, NotAFault> {
    let refused = || NotAFault {
        value: value.to_owned(),
    };
    let (rest, act) = match value.split_once('@') {
        None => (value, Act::Kill),
        Some((rest, "stop")) => (rest, Act::Stop),
        Some((rest, "panic")) => (rest, Act::Panic),
        Some((rest, "hang")) => (rest, Act::Hang),
        Some(_) => return Err(refused()),
    };
    let (name, nth) = rest.split_once(':').unwrap_or((rest, "1"));
    let point = Point::ALL.into_iter().find(|point| point.name() == name);
    let nth = nth.parse().ok().filter(|&nth| nth > 0);
    match (point, nth) {
        (Some(point), Some(nth)) => Ok(Fault { point, nth, act }),
        _ => Err(refused()),
    }
}

fn names() -> String {
    Point::ALL.map(Point::name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: Option<(Point, u32, Act)>) {
        let seen = parse(value).ok();
        assert_eq!(
            seen.map(|fault| (fault.point, fault.nth, fault.act)),
            expected,
            "{value}"
        );
    }

    #[test]
    fn a_fault_is_a_name_a_count_and_an_act() {
        let point = Point::ExecutorAckBefore;
        check("executor-ack-before", Some((point, 1, Act::Kill)));
        check("executor-ack-before:7", Some((point, 7, Act::Kill)));
        check("executor-ack-before@stop", Some((point, 1, Act::Stop)));
        check("executor-ack-before:7@stop", Some((point, 7, Act::Stop)));
        check("executor-ack-before:7@panic", Some((point, 7, Act::Panic)));
        check("executor-ack-before@hang", Some((point, 1, Act::Hang)));
    }

    #[test]
    fn anything_else_is_refused() {
        for value in [
            "",
            "nowhere",
            "executor-ack-before:0",
            "executor-ack-before:-1",
            "executor-ack-before:",
            "executor-ack-before@",
            "executor-ack-before@kill",
            "executor-ack-before@stop:2",
            "executor-ack-before:2:3",
        ] {
            check(value, None);
        }
    }

    #[test]
    fn each_point_has_a_name_and_a_number_of_its_own() {
        for (place, point) in Point::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(point as u8), place + 1, "{point:?}");
            check(point.name(), Some((point, 1, Act::Kill)));
        }
    }
}
