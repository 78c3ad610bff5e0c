//! Writing the journal anew, so that it does not grow for ever.

use super::attempt::State;
use super::main_loop::MainLoop;
use crate::journal::Record;

impl MainLoop {
    /// Writes the journal anew with only what still matters.
    pub(super) fn compact(&mut self) -> std::io::Result<()> {
        let mut records = vec![
            Record::Opened {
                executor: self.executor_id,
                pid: std::process::id(),
                boot_id: self.boot_id.clone(),
            },
            Record::NextNumber {
                number: self.events.next_number(),
            },
        ];
        records.extend(
            self.events
                .tombstones()
                .map(|key| Record::Tombstone { key }),
        );
        for (_, attempt) in self.slots.iter() {
            let key = attempt.key;
            match &attempt.state {
                State::Armed(_) => {}
                State::Starting { .. } | State::Spawning { .. } => {
                    records.push(Record::Starting { key });
                }
                State::Running(running) => records.push(Record::Running {
                    key,
                    pid: running.pid,
                    made: running.made,
                    started_at: running.started_at,
                }),
            }
        }
        records.extend(self.events.unacked().map(super::events::record_of));
        self.journal.compact(&records)?;
        self.events.forget_positions();
        self.forget_start_positions();
        Ok(())
    }

    /// How many records a journal written anew would have.
    pub(super) fn remaining_records(&self) -> usize {
        self.events.records() + self.slots.len()
    }

    fn forget_start_positions(&mut self) {
        self.newest_start = 0;
        for (_, _, slot) in self.starting.iter() {
            if let Some(State::Starting { position, .. }) =
                self.slots.get_mut(*slot).map(|attempt| &mut attempt.state)
            {
                *position = 0;
            }
        }
    }
}
