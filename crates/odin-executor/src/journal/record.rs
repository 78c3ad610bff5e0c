//! What the journal says, and what it means read from the start.

use std::collections::BTreeMap;

use jiff::Timestamp;
use odin_model::Boottime;
use odin_model::attempt::AttemptResult;
use serde::{Deserialize, Serialize};

use crate::protocol::AttemptKey;

/// One thing that happened. Written by position: add variants at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Record {
    /// An executor began to write.
    Opened {
        executor: u64,
        pid: u32,
        boot_id: String,
    },
    /// From here on, a process may exist.
    Starting { key: AttemptKey },
    /// A process exists. `made` tells it from a later process with its pid.
    Started {
        number: u64,
        key: AttemptKey,
        #[serde(with = "odin_model::instant")]
        at: Timestamp,
        pid: u32,
        made: Boottime,
    },
    /// An attempt is over, whether or not it ever started.
    Finished {
        number: u64,
        key: AttemptKey,
        result: AttemptResult,
    },
    /// The server has all events up to this number.
    Acked { up_to: u64 },
    /// Of an attempt whose events are acknowledged; written when a journal is written anew.
    Tombstone { key: AttemptKey },
    /// Numbers below this one are used up; written when a journal is written anew.
    NextNumber { number: u64 },
    /// An attempt that runs; written when a journal is written anew, for its start may be acknowledged.
    Running {
        key: AttemptKey,
        pid: u32,
        made: Boottime,
        #[serde(with = "odin_model::instant::option")]
        started_at: Option<Timestamp>,
    },
    /// The event of a start that is not acknowledged; written when a journal is written anew.
    StartReported {
        number: u64,
        key: AttemptKey,
        #[serde(with = "odin_model::instant")]
        at: Timestamp,
        pid: u32,
    },
}

/// An attempt that a journal has a start of, and no end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Live {
    /// Its process and when that was made; `None` when only its start was recorded.
    pub(crate) process: Option<(u32, Boottime)>,
    /// When the process was made.
    pub(crate) started_at: Option<Timestamp>,
    /// The boot in which it was started.
    pub(crate) boot_id: String,
}

/// A journal, read from its start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Replay {
    /// Attempts without an end.
    pub(crate) live: BTreeMap<AttemptKey, Live>,
    /// Events that were not acknowledged, by number: a start or an end.
    pub(crate) unacked: BTreeMap<u64, Record>,
    /// Attempts that are over and acknowledged, in the order of the acknowledgement.
    pub(crate) tombstones: Vec<AttemptKey>,
    /// The next event's number.
    pub(crate) next_number: u64,
    boot_id: String,
}

impl Replay {
    /// Of a journal without records.
    pub(crate) fn new() -> Self {
        Self {
            live: BTreeMap::new(),
            unacked: BTreeMap::new(),
            tombstones: Vec::new(),
            next_number: 1,
            boot_id: String::new(),
        }
    }

    /// Takes the next record.
    pub(crate) fn apply(&mut self, record: Record) {
        match &record {
            Record::Opened { boot_id, .. } => self.boot_id.clone_from(boot_id),
            Record::Starting { key } => self.goes_on(*key, None, None),
            Record::Started {
                number,
                key,
                at,
                pid,
                made,
            } => {
                self.goes_on(*key, Some((*pid, *made)), Some(*at));
                self.number(*number, record);
            }
            Record::Finished { number, key, .. } => {
                self.live.remove(key);
                self.number(*number, record);
            }
            Record::Acked { up_to } => self.forget(*up_to),
            Record::Tombstone { key } => self.tombstones.push(*key),
            Record::Running {
                key,
                pid,
                made,
                started_at,
            } => {
                self.goes_on(*key, Some((*pid, *made)), *started_at);
            }
            Record::StartReported { number, .. } => self.number(*number, record),
            Record::NextNumber { number } => self.next_number = self.next_number.max(*number),
        }
    }

    fn goes_on(
        &mut self,
        key: AttemptKey,
        process: Option<(u32, Boottime)>,
        started_at: Option<Timestamp>,
    ) {
        let boot_id = self.boot_id.clone();
        self.live.insert(
            key,
            Live {
                process,
                started_at,
                boot_id,
            },
        );
    }

    fn forget(&mut self, up_to: u64) {
        let later = self.unacked.split_off(&up_to.saturating_add(1));
        for record in std::mem::replace(&mut self.unacked, later).into_values() {
            if let Record::Finished { key, .. } = record {
                self.tombstones.push(key);
            }
        }
    }

    fn number(&mut self, number: u64, record: Record) {
        self.next_number = self.next_number.max(number.saturating_add(1));
        self.unacked.insert(number, record);
    }
}
