//! Control groups of attempts that are over, which still hold a process for a moment, or for as long as it is kept.

use std::time::Duration;

use super::main_loop::MainLoop;
use super::timers::Timer;
use crate::limits::Group;

/// Groups remembered, at most. Those beyond it are removed when the executor ends.
const LEAVING_MAX: usize = 10_000;
/// How often removal is tried by time: a process that was waited for leaves its group a moment later. After that, it
/// is tried when a child has ended.
const TRIES_BY_TIME: u32 = 8;
const FIRST_TRY_AFTER: Duration = Duration::from_millis(10);

#[derive(Default)]
pub(super) struct LeavingGroups {
    groups: Vec<Group>,
    tries: u32,
}

impl LeavingGroups {
    pub(super) fn of(groups: Vec<Group>) -> Self {
        Self { groups, tries: 0 }
    }
}

impl MainLoop {
    /// Removes an attempt's groups, now or when they are empty.
    pub(super) fn remove_groups(&mut self, groups: impl IntoIterator<Item = Group>) {
        for group in groups {
            if group.remove().is_err() && self.leaving.groups.len() < LEAVING_MAX {
                self.leaving.groups.push(group);
                self.leaving.tries = 0;
                let at = self.now.plus(FIRST_TRY_AFTER);
                self.timers.add(at, Timer::Groups);
            }
        }
    }

    /// Something has ended, or time has passed.
    pub(super) fn retry_groups(&mut self) {
        if self.leaving.groups.is_empty() {
            return;
        }
        self.leaving.groups.retain(|group| group.remove().is_err());
        if !self.leaving.groups.is_empty() && self.leaving.tries < TRIES_BY_TIME {
            self.leaving.tries += 1;
            let at = self
                .now
                .plus(FIRST_TRY_AFTER * 2u32.pow(self.leaving.tries));
            self.timers.add(at, Timer::Groups);
        }
    }
}
