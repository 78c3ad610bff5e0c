//! Numbered events: kept until the server has stored them, and a while longer so that nothing starts twice.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use odin_model::Boottime;
use odin_model::attempt::{AttemptEvent, AttemptEventKind};

use crate::journal::{Record, Replay};
use crate::protocol::{AttemptKey, NumberedEvent};

/// How long an attempt is refused after its result was acknowledged.
const TOMBSTONE_KEPT: Duration = Duration::from_secs(3600);
/// Tombstones, at most. Beyond it the oldest goes early: at more than 36 runs a second for an hour, an attempt that
/// was acknowledged less than an hour ago is no longer refused here; the server's state still does not arm it.
const TOMBSTONES_MAX: usize = 131_072;
/// From this much of unacknowledged results on, nothing new is started. What runs still ends and is kept.
const UNACKED_BYTES_MAX: usize = 16 << 20;

/// From this many unacknowledged events on, starts wait for a server that is at work: what it writes down would fall
/// behind what happens, and with it whatever else it has to decide.
const UNACKED_MAX: usize = 2_048;
/// How long after its last word a server is at work. Starts do not wait for one that is gone or hangs.
const AT_WORK_FOR: Duration = Duration::from_secs(2);

/// Events in the order of their numbers.
pub(super) struct Events {
    next_number: u64,
    acked: u64,
    /// When the server last acknowledged something.
    acked_at: Option<Boottime>,
    /// With the position that the journal must be written up to before the event may be sent.
    unacked: VecDeque<(NumberedEvent, u64)>,
    unacked_bytes: usize,
    /// Keys of finished attempts that are in `unacked` or are tombstones.
    over: HashSet<AttemptKey>,
    tombstones: VecDeque<(Boottime, AttemptKey)>,
}

impl Events {
    /// What a journal held. Its tombstones last another hour: when they were made is not recorded.
    pub(super) fn replayed(replay: &mut Replay, now: Boottime) -> Self {
        let mut events = Self {
            next_number: replay.next_number,
            acked: 0,
            acked_at: None,
            unacked: VecDeque::new(),
            unacked_bytes: 0,
            over: HashSet::new(),
            tombstones: VecDeque::new(),
        };
        for key in std::mem::take(&mut replay.tombstones) {
            events.bury(key, now);
        }
        for record in std::mem::take(&mut replay.unacked).into_values() {
            if let Some(event) = event_of(&record) {
                events.push(event, 0);
            }
        }
        events.acked = events
            .unacked
            .front()
            .map_or(events.next_number, |(event, _)| event.number)
            - 1;
        events
    }

    /// A number that was never used.
    pub(super) fn take_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number - 1
    }

    pub(super) fn next_number(&self) -> u64 {
        self.next_number
    }

    pub(super) fn acked(&self) -> u64 {
        self.acked
    }

    /// Adds an event whose record ends at `position` of the journal.
    pub(super) fn push(&mut self, event: NumberedEvent, position: u64) {
        self.unacked_bytes += weight(&event);
        if let AttemptEventKind::Finished(_) = event.event.kind {
            self.over.insert(key_of(&event));
        }
        self.unacked.push_back((event, position));
    }

    /// The server has everything up to this number.
    pub(super) fn ack(&mut self, up_to: u64, now: Boottime) {
        self.acked_at = Some(now);
        while let Some((event, _)) = self
            .unacked
            .front()
            .filter(|(event, _)| event.number <= up_to)
        {
            self.unacked_bytes -= weight(event);
            self.acked = event.number;
            if let AttemptEventKind::Finished(_) = event.event.kind {
                let key = key_of(event);
                self.bury(key, now);
            }
            self.unacked.pop_front();
        }
        if self.unacked.is_empty() {
            self.unacked.shrink_to(1024);
        }
    }

    fn bury(&mut self, key: AttemptKey, now: Boottime) {
        self.over.insert(key);
        self.tombstones.push_back((now.plus(TOMBSTONE_KEPT), key));
        if self.tombstones.len() > TOMBSTONES_MAX {
            self.unbury();
        }
    }

    fn unbury(&mut self) {
        if let Some((_, key)) = self.tombstones.pop_front() {
            self.over.remove(&key);
        }
    }

    /// Forgets tombstones whose hour is over.
    pub(super) fn expire(&mut self, now: Boottime) {
        while self
            .tombstones
            .front()
            .is_some_and(|(until, _)| *until <= now)
        {
            self.unbury();
        }
        if self.tombstones.is_empty() {
            self.over.shrink_to(1024);
        }
    }

    /// Whether the attempt is over, acknowledged or not.
    pub(super) fn is_over(&self, key: AttemptKey) -> bool {
        self.over.contains(&key)
    }

    /// Whether the server has everything.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.unacked.is_empty()
    }

    /// Until when starts wait for the server, if they do.
    pub(super) fn waits_for_server(&self, now: Boottime) -> Option<Boottime> {
        let until = self.acked_at?.plus(AT_WORK_FOR);
        (self.unacked.len() >= UNACKED_MAX && until > now).then_some(until)
    }

    /// Whether so much is unacknowledged that nothing new may start.
    pub(super) fn is_full(&self) -> bool {
        self.unacked_bytes >= UNACKED_BYTES_MAX
    }

    /// Events from `number` on whose records are written, in order.
    pub(super) fn sendable(
        &self,
        number: u64,
        written: u64,
    ) -> impl Iterator<Item = &NumberedEvent> {
        let start = self
            .unacked
            .partition_point(|(event, _)| event.number < number);
        let rest = self.unacked.range(start..);
        rest.take_while(move |(_, position)| *position <= written)
            .map(|(event, _)| event)
    }

    /// Attempts that are over and unacknowledged.
    pub(super) fn finished(&self) -> impl Iterator<Item = AttemptKey> {
        let events = self.unacked.iter().map(|(event, _)| event);
        events
            .filter(|event| matches!(event.event.kind, AttemptEventKind::Finished(_)))
            .map(key_of)
    }

    pub(super) fn unacked(&self) -> impl Iterator<Item = &NumberedEvent> {
        self.unacked.iter().map(|(event, _)| event)
    }

    /// The journal was written anew: what is unacknowledged is in it, whatever its earlier position was.
    pub(super) fn forget_positions(&mut self) {
        for (_, position) in &mut self.unacked {
            *position = 0;
        }
    }

    pub(super) fn tombstones(&self) -> impl Iterator<Item = AttemptKey> {
        self.tombstones.iter().map(|(_, key)| *key)
    }

    /// How many records a journal written anew would have of these.
    pub(super) fn records(&self) -> usize {
        self.unacked.len() + self.tombstones.len()
    }
}

fn key_of(event: &NumberedEvent) -> AttemptKey {
    AttemptKey {
        run: event.event.run,
        attempt: event.event.attempt,
    }
}

fn weight(event: &NumberedEvent) -> usize {
    use odin_model::output::OutputKept;
    let chunks = match &event.event.kind {
        AttemptEventKind::Started { .. } => return size_of::<NumberedEvent>(),
        AttemptEventKind::Finished(result) => match &result.output.kept {
            OutputKept::Inline(chunks) | OutputKept::Segments { tail: chunks } => chunks,
        },
    };
    let chunks: usize = chunks.iter().map(|chunk| chunk.bytes.len() + 64).sum();
    size_of::<NumberedEvent>() + 256 + chunks
}

/// The event that a record tells of; `None` for records of other things.
pub(super) fn event_of(record: &Record) -> Option<NumberedEvent> {
    let (number, key, kind) = match record {
        Record::Started {
            number,
            key,
            at,
            pid,
            ..
        } => (
            *number,
            *key,
            AttemptEventKind::Started { at: *at, pid: *pid },
        ),
        Record::Finished {
            number,
            key,
            result,
        } => (
            *number,
            *key,
            AttemptEventKind::Finished(Box::new(result.clone())),
        ),
        Record::StartReported {
            number,
            key,
            at,
            pid,
        } => (
            *number,
            *key,
            AttemptEventKind::Started { at: *at, pid: *pid },
        ),
        Record::Opened { .. }
        | Record::Running { .. }
        | Record::Starting { .. }
        | Record::Acked { .. }
        | Record::Tombstone { .. }
        | Record::NextNumber { .. } => return None,
    };
    Some(NumberedEvent {
        number,
        event: AttemptEvent {
            run: key.run,
            attempt: key.attempt,
            kind,
        },
    })
}

/// The record of an event, for a journal written anew. Where a start's process is, another record tells.
pub(super) fn record_of(event: &NumberedEvent) -> Record {
    let (number, key) = (event.number, key_of(event));
    match &event.event.kind {
        AttemptEventKind::Started { at, pid } => Record::StartReported {
            number,
            key,
            at: *at,
            pid: *pid,
        },
        AttemptEventKind::Finished(result) => Record::Finished {
            number,
            key,
            result: (**result).clone(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use odin_model::attempt::{AttemptResult, Ending};
    use odin_model::output::{OutputChunk, OutputKept, OutputSummary, Stream};

    const NOW: Boottime = Boottime(Duration::from_secs(1000));

    fn empty() -> Events {
        Events::replayed(&mut Replay::new(), NOW)
    }

    fn finish(events: &mut Events, run: u64, printed: usize) -> AttemptKey {
        let key = AttemptKey::of_bits(run, 1);
        let chunk = OutputChunk {
            stream: Stream::Stdout,
            at: jiff::Timestamp::UNIX_EPOCH,
            bytes: vec![0; printed],
        };
        let result = AttemptResult {
            ending: Ending::Exited { code: 0 },
            started_at: None,
            finished_at: jiff::Timestamp::UNIX_EPOCH,
            usage: Default::default(),
            output: OutputSummary {
                kept: OutputKept::Inline(vec![chunk]),
                ..OutputSummary::default()
            },
        };
        let number = events.take_number();
        let record = Record::Finished {
            number,
            key,
            result,
        };
        events.push(event_of(&record).unwrap(), number);
        key
    }

    #[test]
    fn an_attempt_is_refused_for_an_hour_after_its_acknowledgement() {
        let mut events = empty();
        let key = finish(&mut events, 1, 0);
        events.expire(NOW.plus(TOMBSTONE_KEPT * 3));
        assert!(events.is_over(key), "nobody acknowledged it yet");
        events.ack(1, NOW);
        assert!(events.is_acknowledged());
        events.expire(NOW.plus(TOMBSTONE_KEPT - Duration::from_nanos(1)));
        assert!(events.is_over(key));
        events.expire(NOW.plus(TOMBSTONE_KEPT));
        assert!(!events.is_over(key));
    }

    #[test]
    fn only_events_that_are_written_are_sent_and_from_where_the_server_is() {
        let mut events = empty();
        for run in 1..=5 {
            finish(&mut events, run, 0);
        }
        let numbers = |events: &Events, from, written| -> Vec<u64> {
            events
                .sendable(from, written)
                .map(|event| event.number)
                .collect()
        };
        assert_eq!(numbers(&events, 0, 3), [1, 2, 3]);
        events.ack(2, NOW);
        assert_eq!(numbers(&events, 0, 5), [3, 4, 5]);
        assert_eq!(numbers(&events, 4, 5), [4, 5]);
        assert_eq!(events.acked(), 2);
    }

    #[test]
    fn results_that_nobody_takes_stop_new_starts_at_the_bound_and_not_before() {
        let mut events = empty();
        let mut run = 0;
        while !events.is_full() {
            run += 1;
            finish(&mut events, run, 4096);
            assert!(run <= 4096, "the bound is not reached");
        }
        assert!(run > 3000, "{run}");
        events.ack(run / 2, NOW);
        assert!(!events.is_full());
    }

    #[test]
    fn starts_wait_for_a_server_that_is_behind_and_at_work_and_for_no_other() {
        let mut events = empty();
        let bound = u64::try_from(UNACKED_MAX).unwrap();
        for run in 0..=bound {
            finish(&mut events, run, 0);
        }
        assert_eq!(events.waits_for_server(NOW), None, "nobody is there");
        events.ack(1, NOW);
        let until = NOW.plus(AT_WORK_FOR);
        assert_eq!(events.waits_for_server(NOW), Some(until));
        assert_eq!(events.waits_for_server(until), None, "it hangs");
        events.ack(2, until);
        assert_eq!(events.waits_for_server(until), None, "it is not behind");
    }

    #[test]
    fn the_oldest_tombstone_goes_when_there_are_too_many() {
        let mut events = empty();
        let first = AttemptKey::of_bits(0, 1);
        let many = u64::try_from(TOMBSTONES_MAX).unwrap();
        (0..many).for_each(|run| events.bury(AttemptKey::of_bits(run, 1), NOW));
        assert!(events.is_over(first));
        events.bury(AttemptKey::of_bits(many, 1), NOW);
        assert!(!events.is_over(first) && events.is_over(AttemptKey::of_bits(many, 1)));
    }
}
