//! The task that follows the files.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use odin_executor::protocol::AttemptKey;
use odin_executor::{DataDir, values};
use odin_model::{Command, Reply};
use odin_store::Reader;
use tokio::sync::{mpsc, oneshot};

use super::Asked;
use super::batch::{Batch, page_bytes_of};
use super::watch::Watch;
use crate::proposer::Proposer;

/// How far a command of live values follows the one before: a value shows after that at the latest, and a job that
/// reports all the time costs the log twenty entries a second. Where more is left than a command takes, the next one follows
/// at once, or what reports much would fall behind; and an end that waits does not wait for this.
const PACE: Duration = Duration::from_millis(50);
/// How long to wait after a proposal that nobody took, or a disk that refused.
const RETRY: Duration = Duration::from_millis(100);

/// What a command took of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// All that they had.
    TookAll,
    /// Some of it: it was full.
    TookSome,
}

pub(super) struct Follower {
    dir: DataDir,
    proposer: Proposer,
    reader: Reader,
    /// Where each file is to be read on; of those that were read since this process began.
    offsets: BTreeMap<AttemptKey, u64>,
    /// Files that may have more.
    grown: BTreeSet<AttemptKey>,
    /// Who waits for what.
    drains: Vec<(BTreeSet<AttemptKey>, oneshot::Sender<()>)>,
    /// Files that go once they are applied.
    adopted: BTreeSet<AttemptKey>,
    /// The file that was read last: the next turn begins after it.
    latest: Option<AttemptKey>,
    /// Whether the state could not be read: it is asked again after a while.
    is_stuck: bool,
}

impl Follower {
    pub(super) fn new(dir: DataDir, proposer: Proposer, reader: Reader) -> Self {
        Self {
            dir,
            proposer,
            reader,
            offsets: BTreeMap::new(),
            grown: BTreeSet::new(),
            drains: Vec::new(),
            adopted: BTreeSet::new(),
            latest: None,
            is_stuck: false,
        }
    }

    /// Follows until nobody can ask any more.
    pub(super) async fn run(mut self, mut asked: mpsc::Receiver<Asked>) {
        let mut watch = self.watch_anew();
        let mut rests = false;
        loop {
            let is_due = !self.grown.is_empty() && (!rests || self.somebody_waits());
            if is_due {
                rests = self.turn().await == Turn::TookAll;
                // Who has asked meanwhile is heard before the next turn.
                while let Ok(question) = asked.try_recv() {
                    self.take(question);
                }
                // And files that grew meanwhile have their turn, however much is left of others.
                let noticed = tokio::select! {
                    biased;
                    noticed = grown(watch.as_ref()), if !rests => Some(noticed),
                    () = std::future::ready(()) => None,
                };
                if noticed.is_some_and(|noticed| !self.take_note(noticed)) {
                    watch = None;
                }
                continue;
            }
            tokio::select! {
                question = asked.recv() => match question {
                    Some(question) => self.take(question),
                    None => return,
                },
                () = tokio::time::sleep(PACE), if rests => rests = false,
                () = tokio::time::sleep(RETRY), if watch.is_none() => watch = self.watch_anew(),
                noticed = grown(watch.as_ref()), if !rests && watch.is_some() => {
                    if !self.take_note(noticed) {
                        watch = None;
                    }
                }
            }
        }
    }

    /// A watch, with all files that are there: what grew before is not told.
    fn watch_anew(&mut self) -> Option<Watch> {
        let watch = Watch::new(&self.dir).and_then(|watch| {
            self.grown.extend(values::list(&self.dir)?);
            Ok(watch)
        });
        match watch {
            Ok(watch) => Some(watch),
            Err(error) => {
                tracing::warn!(%error, "what runs report cannot be watched");
                None
            }
        }
    }

    /// Takes note of files that grew. `false`: the watch is of no use any more.
    fn take_note(&mut self, noticed: std::io::Result<BTreeSet<AttemptKey>>) -> bool {
        match noticed {
            Ok(grown) => self.grown.extend(grown),
            Err(error) => {
                tracing::warn!(%error, "what runs report is not watched");
                return false;
            }
        }
        true
    }

    fn take(&mut self, asked: Asked) {
        match asked {
            Asked::Drain { keys, done } => {
                self.grown.extend(&keys);
                self.drains.push((keys, done));
            }
            Asked::Adopt(keys) => {
                self.grown.extend(&keys);
                self.adopted.extend(keys);
            }
            Asked::Forget(keys) => keys.into_iter().for_each(|key| self.remove(key)),
        }
    }

    fn somebody_waits(&self) -> bool {
        !self.drains.is_empty()
    }

    /// One command of what the files have.
    async fn turn(&mut self) -> Turn {
        let (batch, turn) = tokio::task::block_in_place(|| self.gather());
        if std::mem::take(&mut self.is_stuck) {
            tokio::time::sleep(RETRY).await;
        }
        if batch.is_empty() {
            return turn;
        }
        let command = Command::Values(batch.finish());
        match self.proposer.propose(&command).await {
            Ok(Reply::ValuesUpTo(answers)) => self.applied(&command, &answers),
            Ok(other) => tracing::error!(?other, "values were answered as something else"),
            Err(error) => {
                tracing::warn!(%error, "what runs report waits for the log");
                tokio::time::sleep(RETRY).await;
            }
        }
        turn
    }

    /// Reads files in turn until the command is full. Those that somebody waits for come first.
    fn gather(&mut self) -> (Batch, Turn) {
        let waited: BTreeSet<_> = self
            .drains
            .iter()
            .flat_map(|(keys, _)| keys)
            .copied()
            .collect();
        let after = self.latest.take();
        let is_later = |key: &&AttemptKey| after.is_some_and(|after| **key > after);
        let (later, earlier): (Vec<_>, Vec<_>) = self.grown.iter().partition(is_later);
        let in_turn = later.into_iter().chain(earlier);
        let order: Vec<AttemptKey> = match waited.is_empty() {
            true => in_turn.copied().collect(),
            false => in_turn
                .filter(|key| waited.contains(key))
                .copied()
                .collect(),
        };
        let page_bytes = page_bytes_of(order.len());
        let (mut batch, mut turn) = (Batch::default(), Turn::TookAll);
        for key in order {
            if batch.is_full() {
                turn = Turn::TookSome;
                break;
            }
            self.latest = Some(key);
            if self.read(key, page_bytes, &mut batch) == Turn::TookSome {
                turn = Turn::TookSome;
            }
        }
        (batch, turn)
    }

    /// Takes a page of a file.
    fn read(&mut self, key: AttemptKey, page_bytes: usize, batch: &mut Batch) -> Turn {
        let from = match self.offsets.get(&key) {
            Some(from) => *from,
            None => match self.reader.values_up_to(key.run, key.attempt) {
                Ok(from) => from,
                Err(error) => {
                    // A broken disk stops the log as well.
                    tracing::error!(%error, "the state cannot be read");
                    self.is_stuck = true;
                    return Turn::TookAll;
                }
            },
        };
        match values::read(&self.dir, key, from, page_bytes) {
            Ok(Some(page)) if !page.lines.is_empty() => {
                self.offsets.insert(key, from);
                batch.add(key, from, &page.lines);
                if page.more || batch.is_full() {
                    return Turn::TookSome;
                }
            }
            Ok(Some(_) | None) => self.is_read(key),
            Err(error) => {
                tracing::warn!(%key, code = error.code(), %error, "what a run reported is lost");
                self.is_read(key);
            }
        }
        Turn::TookAll
    }

    /// Takes note of how far each attempt is applied. The state knows best: another one of this node's lives may have
    /// been faster.
    fn applied(&mut self, command: &Command, answers: &[Option<u64>]) {
        let Command::Values(reported) = command else {
            return;
        };
        for (part, answer) in reported.parts.iter().zip(answers) {
            let key = AttemptKey {
                run: part.run,
                attempt: part.attempt,
            };
            match answer {
                Some(up_to) => _ = self.offsets.insert(key, *up_to),
                None => {
                    tracing::warn!(%key, "what an unknown run reported is dropped");
                    self.is_read(key);
                }
            }
        }
    }

    /// Nothing more is in a file for now.
    fn is_read(&mut self, key: AttemptKey) {
        self.grown.remove(&key);
        for (keys, _) in &mut self.drains {
            keys.remove(&key);
        }
        for (_, done) in self.drains.extract_if(.., |(keys, _)| keys.is_empty()) {
            // Who asked may have gone.
            let _ = done.send(());
        }
        if self.adopted.remove(&key) {
            self.remove(key);
        }
    }

    fn remove(&mut self, key: AttemptKey) {
        self.grown.remove(&key);
        self.offsets.remove(&key);
        if let Err(error) = values::remove(&self.dir, key) {
            tracing::warn!(%key, %error, "a file of reports cannot be removed");
        }
    }
}

async fn grown(watch: Option<&Watch>) -> std::io::Result<BTreeSet<AttemptKey>> {
    match watch {
        Some(watch) => watch.grown().await,
        None => std::future::pending().await,
    }
}
