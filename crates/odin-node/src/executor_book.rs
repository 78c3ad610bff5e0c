//! Several executors as one, for the agent: whose an event and a run are, and when all have answered.
//!
//! The executors of a data directory number their events each for itself. Here each event gets a number of the whole
//! line, never used twice by this process, so an acknowledgement that comes late acknowledges nothing else.

use std::collections::{BTreeMap, HashMap, VecDeque};

use odin_executor::protocol::{AttemptKey, ListedAttempt, NumberedEvent, Request};

/// An event that is not acknowledged.
#[derive(Debug)]
struct Open {
    number: u64,
    generation: u32,
    /// The executor's own number of it.
    theirs: u64,
}

/// What is known of the connected executors.
#[derive(Debug)]
pub(crate) struct ExecutorBook {
    next_number: u64,
    /// Takes launches.
    current: u32,
    /// In the order of their numbers. Bounded by what executors keep unacknowledged.
    open: VecDeque<Open>,
    /// Answers to lists, of each executor, until all of them have answered.
    lists: BTreeMap<u32, VecDeque<Vec<ListedAttempt>>>,
    /// What older executors have recorded.
    of_older: HashMap<AttemptKey, u32>,
}

impl ExecutorBook {
    /// For these executors, with numbers from `next_number` on.
    pub(crate) fn new(next_number: u64, current: u32, older: &[u32]) -> Self {
        let generations = older.iter().chain([&current]);
        Self {
            next_number,
            current,
            open: VecDeque::new(),
            lists: generations.map(|it| (*it, VecDeque::new())).collect(),
            of_older: HashMap::new(),
        }
    }

    /// The number that the next book begins with.
    pub(crate) fn next_number(&self) -> u64 {
        self.next_number
    }

    /// The events with numbers of the line's own.
    pub(crate) fn number(
        &mut self,
        generation: u32,
        mut events: Vec<NumberedEvent>,
    ) -> Vec<NumberedEvent> {
        for event in &mut events {
            let number = self.next_number;
            self.next_number += 1;
            let theirs = std::mem::replace(&mut event.number, number);
            self.open.push_back(Open {
                number,
                generation,
                theirs,
            });
        }
        events
    }

    /// What all executors have, once the last of them has answered.
    pub(crate) fn listed(
        &mut self,
        generation: u32,
        attempts: Vec<ListedAttempt>,
    ) -> Option<Vec<ListedAttempt>> {
        if generation != self.current {
            let keys = attempts.iter().map(|attempt| (attempt.key, generation));
            self.of_older.extend(keys);
        }
        self.lists
            .entry(generation)
            .or_default()
            .push_back(attempts);
        if self.lists.values().any(VecDeque::is_empty) {
            return None;
        }
        let answers = self.lists.values_mut().filter_map(VecDeque::pop_front);
        Some(answers.flatten().collect())
    }

    /// Who is to get a request, and what: nobody, one, or all.
    pub(crate) fn route(&mut self, request: Request) -> Vec<(u32, Request)> {
        match request {
            // Each connection said its own.
            Request::Hello { .. } => Vec::new(),
            Request::Prepare(_) => vec![(self.current, request)],
            // One that an older executor has recorded is started there, or was.
            Request::Arm(ref launch) if self.of_older.contains_key(&launch.key) => Vec::new(),
            Request::Arm(_) => vec![(self.current, request)],
            Request::Cancel { key, .. } | Request::Peek { key } => {
                let of = self.of_older.get(&key).copied();
                vec![(of.unwrap_or(self.current), request)]
            }
            Request::Lease { .. } | Request::List | Request::Drain => {
                let all = self.lists.keys().copied();
                all.map(|generation| (generation, request.clone()))
                    .collect()
            }
            Request::Ack { up_to } => self.acknowledge(up_to),
        }
    }

    fn acknowledge(&mut self, up_to: u64) -> Vec<(u32, Request)> {
        let mut newest: BTreeMap<u32, u64> = BTreeMap::new();
        while let Some(open) = self.open.front().filter(|open| open.number <= up_to) {
            newest.insert(open.generation, open.theirs);
            self.open.pop_front();
        }
        if self.open.is_empty() {
            self.open.shrink_to(1024);
        }
        let acks = newest.into_iter();
        acks.map(|(generation, up_to)| (generation, Request::Ack { up_to }))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use odin_executor::protocol::{AfterLease, CancelScope, ListedState};
    use odin_model::attempt::{AttemptEvent, AttemptEventKind};
    use odin_model::{AttemptNumber, Boottime, RunId};

    use super::*;

    fn key(run: u64) -> AttemptKey {
        AttemptKey {
            run: RunId::from_bits(run),
            attempt: AttemptNumber::FIRST,
        }
    }

    fn events(numbers: &[u64]) -> Vec<NumberedEvent> {
        let event = |&number| NumberedEvent {
            number,
            event: AttemptEvent {
                run: RunId::from_bits(number),
                attempt: AttemptNumber::FIRST,
                kind: AttemptEventKind::Started {
                    at: Timestamp::UNIX_EPOCH,
                    pid: 1,
                },
            },
        };
        numbers.iter().map(event).collect()
    }

    fn listed(run: u64) -> ListedAttempt {
        ListedAttempt {
            key: key(run),
            state: ListedState::Running,
        }
    }

    #[test]
    fn an_acknowledgement_reaches_each_executor_in_its_own_numbers() {
        let mut book = ExecutorBook::new(100, 2, &[1]);
        let numbers = |events: Vec<NumberedEvent>| -> Vec<u64> {
            events.into_iter().map(|event| event.number).collect()
        };
        assert_eq!(numbers(book.number(1, events(&[7, 8]))), [100, 101]);
        assert_eq!(numbers(book.number(2, events(&[1]))), [102]);
        assert_eq!(numbers(book.number(1, events(&[9]))), [103]);
        let ack = |up_to| Request::Ack { up_to };
        assert_eq!(book.route(ack(99)), [], "of an earlier connection");
        assert_eq!(book.route(ack(100)), [(1, ack(7))]);
        assert_eq!(book.route(ack(102)), [(1, ack(8)), (2, ack(1))]);
        assert_eq!(book.route(ack(1000)), [(1, ack(9))]);
        assert_eq!(book.next_number(), 104);
    }

    #[test]
    fn a_list_is_answered_when_all_have_answered_it() {
        let mut book = ExecutorBook::new(1, 2, &[1]);
        assert_eq!(book.route(Request::List).len(), 2);
        assert_eq!(book.listed(2, vec![listed(5)]), None);
        assert_eq!(book.listed(2, vec![listed(6)]), None, "a second question");
        let all = book.listed(1, vec![listed(4)]);
        assert_eq!(all, Some(vec![listed(4), listed(5)]));
        assert_eq!(book.listed(1, vec![]), Some(vec![listed(6)]));
        let mut alone = ExecutorBook::new(1, 1, &[]);
        assert_eq!(alone.listed(1, vec![listed(5)]), Some(vec![listed(5)]));
    }

    #[test]
    fn what_an_older_executor_has_is_asked_for_there_and_armed_nowhere() {
        let mut book = ExecutorBook::new(1, 2, &[1]);
        book.listed(1, vec![listed(4)]);
        let to = |book: &mut ExecutorBook, request: &Request| -> Vec<u32> {
            let routed = book.route(request.clone());
            routed
                .into_iter()
                .map(|(generation, _)| generation)
                .collect()
        };
        let peek = |run| Request::Peek { key: key(run) };
        let cancel = |run| Request::Cancel {
            key: key(run),
            reason: String::new(),
            scope: CancelScope::Always,
        };
        assert_eq!(to(&mut book, &peek(4)), [1]);
        assert_eq!(to(&mut book, &peek(5)), [2]);
        assert_eq!(to(&mut book, &cancel(4)), [1]);
        assert_eq!(to(&mut book, &cancel(5)), [2]);
        let lease = Request::Lease {
            until: Boottime(Duration::ZERO),
            then: AfterLease::RunsEnd,
        };
        assert_eq!(to(&mut book, &lease), [1, 2]);
        assert_eq!(to(&mut book, &crate::launches::arm_of(key(4))), [0; 0]);
        assert_eq!(to(&mut book, &crate::launches::arm_of(key(5))), [2]);
    }
}
