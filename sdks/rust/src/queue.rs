//! The reports that nobody has acknowledged yet.

use std::collections::VecDeque;
use std::time::Duration;

use crate::report::{self, Kind, Report};
use crate::value::Value;

/// Reports that wait for their acknowledgement, at most. At the bound new ones are dropped and counted; the count is
/// reported as the value `odin.reports_dropped` once there is room, and on stderr at the end.
pub const QUEUE_REPORTS_MAX: usize = 10_000;

/// Bytes of them, at most, with the same at the bound.
pub const QUEUE_BYTES_MAX: usize = 8 << 20;

/// What the number of dropped reports is reported as.
const DROPPED_NAME: &str = "odin.reports_dropped";

/// Whether a report may be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// Dropped when the queue is full.
    IfThereIs,
    /// The last one of its program: it may be one too many.
    Always,
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// The rests of lines, oldest first. The first `sent` of them went out on this connection.
    waiting: VecDeque<Box<[u8]>>,
    bytes: usize,
    sent: usize,
    /// The number of the last report that was acknowledged on this connection; they count from 1.
    acknowledged: u64,
    dropped: u64,
    dropped_reported: u64,
}

impl Queue {
    /// Takes a report, or counts it as dropped.
    pub(crate) fn push(&mut self, rest_of_line: Box<[u8]>, room: Room) -> bool {
        let is_full = self.waiting.len() >= QUEUE_REPORTS_MAX
            || self.bytes + rest_of_line.len() > QUEUE_BYTES_MAX;
        if is_full && room == Room::IfThereIs {
            self.dropped += 1;
            return false;
        }
        self.bytes += rest_of_line.len();
        self.waiting.push_back(rest_of_line);
        true
    }

    /// Counts a report that nobody will ever take.
    pub(crate) fn drop_one(&mut self) {
        self.dropped += 1;
    }

    /// Whether there is something to send.
    pub(crate) fn has_unsent(&self) -> bool {
        self.sent < self.waiting.len()
    }

    /// Whether everything is acknowledged.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Appends the next lines until `out` has `bytes` or there are no more.
    pub(crate) fn take_lines(&mut self, out: &mut Vec<u8>, bytes: usize) {
        while out.len() < bytes {
            let Some(rest) = self.waiting.get(self.sent) else {
                return;
            };
            self.sent += 1;
            report::begin_line(out, self.acknowledged + self.sent as u64);
            out.extend_from_slice(rest);
        }
    }

    /// Everything up to number `seq` of this connection is safe.
    pub(crate) fn acknowledge(&mut self, seq: u64) {
        // A number that was never sent acknowledges what was.
        while self.acknowledged < seq && self.sent > 0 {
            let rest = self.waiting.pop_front().expect("what was sent waits");
            self.bytes -= rest.len();
            self.sent -= 1;
            self.acknowledged += 1;
        }
    }

    /// The next connection gets everything that is not acknowledged, counted from 1.
    pub(crate) fn begin_again(&mut self) {
        self.sent = 0;
        self.acknowledged = 0;
    }

    /// Reports how many were dropped, when that is news and there is room again.
    pub(crate) fn report_dropped(&mut self, now: Duration) {
        if self.dropped > self.dropped_reported && self.waiting.len() < QUEUE_REPORTS_MAX / 2 {
            let value = Value::from(self.dropped);
            let report = Report::new(Kind::Watch, DROPPED_NAME, &value);
            self.push(report.rest_of_line(now), Room::Always);
            self.dropped_reported = self.dropped;
        }
    }

    /// Waiting and dropped.
    pub(crate) fn undelivered(&self) -> u64 {
        self.waiting.len() as u64 + self.dropped
    }

    /// Whether some were dropped and none waits.
    pub(crate) fn only_dropped(&self) -> bool {
        self.waiting.is_empty() && self.dropped > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(name: &str) -> Box<[u8]> {
        format!("{name}}}\n").into_bytes().into()
    }

    fn sent(queue: &mut Queue) -> String {
        let mut out = Vec::new();
        queue.take_lines(&mut out, 1 << 20);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_new_connection_gets_what_is_not_acknowledged_counted_from_one() {
        let mut queue = Queue::default();
        for name in ["a", "b", "c"] {
            assert!(queue.push(rest(name), Room::IfThereIs));
        }
        assert_eq!(
            sent(&mut queue),
            "{\"seq\":1,a}\n{\"seq\":2,b}\n{\"seq\":3,c}\n"
        );
        assert_eq!(sent(&mut queue), "");
        queue.acknowledge(2);
        queue.push(rest("d"), Room::IfThereIs);
        assert_eq!(sent(&mut queue), "{\"seq\":4,d}\n");
        queue.begin_again();
        assert_eq!(sent(&mut queue), "{\"seq\":1,c}\n{\"seq\":2,d}\n");
        queue.acknowledge(99);
        assert!(queue.is_empty());
        assert_eq!(queue.undelivered(), 0);
    }

    #[test]
    fn what_there_is_no_room_for_is_counted_and_reported_later() {
        let mut queue = Queue::default();
        for _ in 0..QUEUE_REPORTS_MAX + 3 {
            queue.push(rest("x"), Room::IfThereIs);
        }
        queue.report_dropped(Duration::ZERO);
        assert!(queue.push(rest("result"), Room::Always));
        assert_eq!(queue.undelivered(), QUEUE_REPORTS_MAX as u64 + 1 + 3);
        sent(&mut queue);
        queue.acknowledge(QUEUE_REPORTS_MAX as u64 + 1);
        assert!(queue.only_dropped());
        for _ in 0..2 {
            queue.report_dropped(Duration::ZERO);
        }
        let line = sent(&mut queue);
        assert!(line.starts_with("{\"seq\":10002,"), "{line}");
        assert!(
            line.ends_with("\"name\":\"odin.reports_dropped\",\"value\":3}\n"),
            "{line}"
        );
        assert!(!queue.push(vec![0; QUEUE_BYTES_MAX].into(), Room::IfThereIs));
    }
}
