//! The latest changes of runs, and what they reported, for those who follow them: one bounded ring that every subscriber reads at its own
//! pace.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use odin_model::{AttemptNumber, JobId, RunId};
use odin_store::Effect;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

/// How many changes are kept. A subscriber further behind is told that it missed some.
const CHANGES_KEPT: usize = 8192;
/// How many changes are taken in before subscribers get their turn.
const TAKEN_MAX: usize = 1024;

/// Changes of runs in the order in which they were published.
pub(crate) struct Feed {
    shared: Arc<Shared>,
    newest: watch::Receiver<u64>,
}

struct Shared {
    /// Tells this feed's positions from those of before a restart.
    instance: u64,
    ring: Mutex<Ring>,
}

/// Changes numbered from 1. `None` stands for changes that the feed itself was too slow to take.
#[derive(Default)]
struct Ring {
    /// The number of the latest change.
    newest: u64,
    changes: VecDeque<Option<Change>>,
}

/// Something that followers are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// A run changed.
    Run(RunId),
    /// An attempt reported values.
    Values(Reported),
}

/// Which values an attempt reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reported {
    pub(crate) run: RunId,
    pub(crate) job: JobId,
    pub(crate) attempt: AttemptNumber,
    /// The number of the first.
    pub(crate) from: u64,
    /// The number after the last.
    pub(crate) to: u64,
}

impl Change {
    /// The run that it is of.
    pub(crate) fn run(&self) -> RunId {
        match self {
            Self::Run(run) => *run,
            Self::Values(reported) => reported.run,
        }
    }
}

/// Between two changes of one feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    instance: u64,
    after: u64,
}

impl Position {
    /// Of no feed: whoever resumes there is told of a gap.
    pub(crate) const UNKNOWN: Self = Self {
        instance: 0,
        after: u64::MAX,
    };

    /// The position before this one's change.
    pub(crate) fn before(self) -> Self {
        Self {
            after: self.after.saturating_sub(1),
            ..self
        }
    }
}

/// What came after a position.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Runs that changed, and what attempts reported, each once, at the position of its latest change, in the order
    /// of those.
    pub(crate) found: Vec<(Position, Change)>,
    /// Whether changes are missing, and how many if that is known.
    pub(crate) gap: Option<Gap>,
    /// Where to go on.
    pub(crate) next: Position,
}

/// Changes that cannot be told any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    /// How many. `None`: nobody can tell.
    pub(crate) missed: Option<u64>,
}

impl Feed {
    /// A feed of these effects, with a task of its own that ends when they do.
    pub(crate) fn start(
        effects: broadcast::Receiver<Effect>,
        instance: u64,
        stopping: CancellationToken,
    ) -> Self {
        let shared = Arc::new(Shared {
            instance,
            ring: Mutex::default(),
        });
        let (told, newest) = watch::channel(0);
        let task = take_in(effects, Arc::clone(&shared), told);
        tokio::spawn(async move { stopping.run_until_cancelled(task).await });
        Self { shared, newest }
    }

    /// After the latest change.
    pub(crate) fn now(&self) -> Position {
        Position {
            instance: self.shared.instance,
            after: self.shared.lock().newest,
        }
    }

    /// Waits until something came after `position`. Never returns once the feed has ended.
    pub(crate) async fn wait(&self, position: Position) {
        if position.instance != self.shared.instance {
            return;
        }
        let mut newest = self.newest.clone();
        if newest
            .wait_for(|&newest| newest > position.after)
            .await
            .is_err()
        {
            std::future::pending::<()>().await;
        }
    }

    /// Whether a run changed after `position`, or nobody can tell; if not, where to go on.
    pub(crate) fn changed_after(&self, position: Position, run: RunId) -> Option<Position> {
        let ring = self.shared.lock();
        let skipped = ring.place_of(self.shared.instance, position)?;
        // What a run reports does not change it.
        let changed = |change: &Option<Change>| match change {
            Some(Change::Run(changed)) => *changed == run,
            Some(Change::Values(_)) => false,
            None => true,
        };
        let next = Position {
            after: ring.newest,
            ..position
        };
        (!ring.changes.iter().skip(skipped).any(changed)).then_some(next)
    }

    /// Up to `limit` changes after `position`.
    pub(crate) fn after(&self, position: Position, limit: usize) -> Changes {
        let ring = self.shared.lock();
        let at = |after| Position {
            instance: self.shared.instance,
            after,
        };
        let (mut gap, skipped) = match ring.place_of(self.shared.instance, position) {
            Some(place) => (None, place),
            None if position.instance == self.shared.instance && position.after < ring.newest => {
                let missed = Some(ring.oldest() - position.after);
                (Some(Gap { missed }), 0)
            }
            None => {
                return Changes {
                    found: Vec::new(),
                    gap: Some(Gap { missed: None }),
                    next: at(ring.newest),
                };
            }
        };
        let mut next = ring.oldest() + skipped as u64;
        let mut found: Vec<(Position, Change)> = Vec::new();
        for change in ring.changes.iter().skip(skipped).take(limit) {
            next += 1;
            match change {
                Some(change) => found.push((at(next), *change)),
                None => gap = Some(Gap { missed: None }),
            }
        }
        drop(ring);
        keep_latest(&mut found);
        Changes {
            found,
            gap,
            next: at(next),
        }
    }
}

/// Of several changes of a run only the latest, for its state is read once; of an attempt's reports one for all.
fn keep_latest(found: &mut Vec<(Position, Change)>) {
    let mut runs = BTreeSet::new();
    let mut first_values = BTreeMap::new();
    for (_, change) in found.iter() {
        if let Change::Values(reported) = change {
            let attempt = (reported.run, reported.attempt);
            first_values.entry(attempt).or_insert(reported.from);
        }
    }
    found.reverse();
    found.retain_mut(|(_, change)| match change {
        Change::Run(run) => runs.insert(*run),
        Change::Values(reported) => {
            let first = first_values.remove(&(reported.run, reported.attempt));
            reported.from = first.unwrap_or(reported.from);
            first.is_some()
        }
    });
    found.reverse();
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    /// The position before the oldest change that is kept.
    fn oldest(&self) -> u64 {
        self.newest - self.changes.len() as u64
    }

    /// Which of the kept changes is the first after a position. `None`: it is of another feed, or too old.
    fn place_of(&self, instance: u64, position: Position) -> Option<usize> {
        let known = position.instance == instance && position.after <= self.newest;
        let place = position
            .after
            .checked_sub(self.oldest())
            .filter(|_| known)?;
        usize::try_from(place).ok()
    }

    fn push(&mut self, change: Option<Change>) {
        if self.changes.len() == CHANGES_KEPT {
            self.changes.pop_front();
        }
        self.changes.push_back(change);
        self.newest += 1;
    }
}

async fn take_in(
    mut effects: broadcast::Receiver<Effect>,
    shared: Arc<Shared>,
    told: watch::Sender<u64>,
) {
    loop {
        let first = match effects.recv().await {
            Ok(effect) => Some(effect),
            Err(RecvError::Lagged(_)) => None,
            Err(RecvError::Closed) => return,
        };
        let mut ring = shared.lock();
        let before = ring.newest;
        take(&mut ring, first.as_ref());
        for _ in 1..TAKEN_MAX {
            match effects.try_recv() {
                Ok(effect) => take(&mut ring, Some(&effect)),
                Err(TryRecvError::Lagged(_)) => take(&mut ring, None),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        let newest = ring.newest;
        drop(ring);
        if newest != before {
            told.send_replace(newest);
        }
    }
}

fn take(ring: &mut Ring, effect: Option<&Effect>) {
    match effect {
        // A request to cancel shows in the run, whose state stays.
        Some(Effect::RunChanged { run, .. } | Effect::CancelRequested { run, .. }) => {
            ring.push(Some(Change::Run(*run)));
        }
        Some(Effect::ValuesKept {
            run,
            job,
            attempt,
            from,
            to,
        }) => ring.push(Some(Change::Values(Reported {
            run: *run,
            job: *job,
            attempt: *attempt,
            from: *from,
            to: *to,
        }))),
        Some(Effect::JobChanged { .. } | Effect::NodeChanged { .. } | Effect::SettingsChanged) => {}
        None => ring.push(None),
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}-{}", self.instance, self.after)
    }
}

impl std::str::FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (instance, after) = text.split_once('-').ok_or(())?;
        Ok(Self {
            instance: u64::from_str_radix(instance, 16).map_err(|_| ())?,
            after: after.parse().map_err(|_| ())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use odin_model::run::RunState;
    use odin_model::{JobId, VersionNumber};

    fn run(number: u64) -> RunId {
        RunId::new(0, number, 0)
    }

    async fn feed_of(
        numbers: impl IntoIterator<Item = u64>,
        capacity: usize,
    ) -> (Feed, broadcast::Sender<Effect>) {
        let (sender, receiver) = broadcast::channel(capacity);
        let feed = Feed::start(receiver, 7, CancellationToken::new());
        let start = feed.now();
        let mut sent = 0;
        for number in numbers {
            let effect = Effect::RunChanged {
                run: run(number),
                job: JobId::from_bits(1),
                version: VersionNumber::FIRST,
                due_at: None,
                queued_at: jiff::Timestamp::UNIX_EPOCH,
                ready_at: jiff::Timestamp::UNIX_EPOCH,
                lane: odin_model::Lane::Live,
                state: RunState::Queued,
            };
            sender.send(effect).unwrap();
            sent += 1;
        }
        if sent > 0 {
            feed.wait(Position {
                after: sent - 1,
                ..start
            })
            .await;
        }
        (feed, sender)
    }

    #[tokio::test]
    async fn a_subscriber_gets_each_changed_run_once_and_goes_on_where_it_was() {
        let (feed, _sender) = feed_of([1, 2, 1, 3], 16).await;
        let start = Position {
            instance: 7,
            after: 0,
        };
        let first = feed.after(start, 3);
        let runs: Vec<_> = first
            .found
            .iter()
            .map(|&(at, change)| (at.after, change.run()))
            .collect();
        assert_eq!((runs, first.gap), (vec![(2, run(2)), (3, run(1))], None));
        assert_eq!(feed.changed_after(first.next, run(3)), None);
        assert_eq!(feed.changed_after(first.next, run(1)), Some(feed.now()));
        let text = first.next.to_string();
        let second = feed.after(text.parse().unwrap(), 100);
        assert_eq!(second.found.len(), 1);
        assert_eq!(feed.after(second.next, 100).found, []);
    }

    #[test]
    fn what_an_attempt_reported_in_parts_is_told_once() {
        let at = |after| Position { instance: 7, after };
        let reported = |of, from, to| {
            Change::Values(Reported {
                run: run(of),
                job: JobId::from_bits(1),
                attempt: AttemptNumber::FIRST,
                from,
                to,
            })
        };
        let changed = Change::Run(run(1));
        let mut found = vec![
            (at(1), reported(1, 5, 9)),
            (at(2), changed),
            (at(3), reported(2, 0, 3)),
            (at(4), reported(1, 9, 20)),
            (at(5), changed),
        ];
        keep_latest(&mut found);
        let expected = [
            (at(3), reported(2, 0, 3)),
            (at(4), reported(1, 5, 20)),
            (at(5), changed),
        ];
        assert_eq!(found, expected);
    }

    #[tokio::test]
    async fn a_subscriber_that_is_too_late_or_of_before_a_restart_is_told_of_the_gap() {
        let more = CHANGES_KEPT as u64 + 10;
        let (feed, _sender) = feed_of(1..=more, 16384).await;
        let start = Position {
            instance: 7,
            after: 0,
        };
        assert_eq!(feed.changed_after(start, run(more + 1)), None);
        let late = feed.after(
            Position {
                instance: 7,
                after: 4,
            },
            1,
        );
        assert_eq!(late.gap, Some(Gap { missed: Some(6) }));
        assert_eq!(late.found.len(), 1);
        for (instance, after) in [(8, 1), (7, more + 1)] {
            let unknown = feed.after(Position { instance, after }, 10);
            assert_eq!(
                (unknown.gap, unknown.next),
                (Some(Gap { missed: None }), feed.now())
            );
        }
    }
}
