//! Which attempts run, as the values socket needs to know it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use odin_model::Boottime;

use super::token::RunToken;
use crate::executor::Wake;
use crate::masking::Patterns;
use crate::protocol::AttemptKey;

const NEVER_POISONED: &str = "no code that holds this lock panics";

/// The running attempts and their tokens, shared by the threads that start them, end them and let their processes in.
#[derive(Clone)]
pub(crate) struct Accesses(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Wakes the thread that serves the socket.
    wake: Wake,
    /// Tells the main loop that an attempt is closed.
    tell: Box<dyn Fn() + Send + Sync>,
}

/// How an attempt's reports are kept.
#[derive(Clone)]
pub(crate) struct Terms {
    /// How much of them, in bytes.
    pub(crate) bytes_max: u64,
    /// The secrets that must not be stored; `None` without any.
    pub(crate) masks: Option<Arc<Patterns>>,
}

#[derive(Default)]
struct State {
    /// By the owner's uid, so that one user's attempts do not make another's hello slower.
    running: HashMap<u32, HashMap<AttemptKey, Running>>,
    /// Attempts that are over and had somebody let in, since the last [`Accesses::take_over`].
    over: Vec<AttemptKey>,
    /// Those of them that somebody waits for.
    closing: HashSet<AttemptKey>,
    /// Attempts that were waited for and are closed, since the last [`Accesses::take_closed`].
    closed: Vec<AttemptKey>,
}

struct Running {
    token: RunToken,
    terms: Terms,
    /// Whether its token was shown.
    was_let_in: bool,
    heard: Arc<AtomicU64>,
}

/// One attempt's: its processes may speak on the values socket until this is dropped.
pub(crate) struct Access {
    accesses: Accesses,
    uid: u32,
    key: AttemptKey,
    /// When something was last heard of its processes, in nanoseconds of [`Boottime`]; 0 for never.
    heard: Arc<AtomicU64>,
}

impl Access {
    /// When its processes last said something; `None` when they never did.
    pub(crate) fn heard(&self) -> Option<Boottime> {
        let nanos = self.heard.load(Ordering::Acquire);
        (nanos > 0).then_some(Boottime(Duration::from_nanos(nanos)))
    }
}

impl Accesses {
    /// `tell` is called when there is something to [`take_closed`](Self::take_closed).
    pub(crate) fn new(tell: impl Fn() + Send + Sync + 'static) -> std::io::Result<Self> {
        Ok(Self(Arc::new(Shared {
            state: Mutex::default(),
            wake: Wake::new()?,
            tell: Box::new(tell),
        })))
    }

    /// Lets processes of `uid` that show this token speak for the attempt, which must have no access yet.
    pub(crate) fn grant(&self, key: AttemptKey, uid: u32, token: RunToken, terms: Terms) -> Access {
        let heard = Arc::new(AtomicU64::new(0));
        let running = Running {
            token,
            terms,
            was_let_in: false,
            heard: Arc::clone(&heard),
        };
        let mut state = self.0.state.lock().expect(NEVER_POISONED);
        let before = state.running.entry(uid).or_default().insert(key, running);
        debug_assert!(before.is_none(), "attempt {key} has two processes");
        Access {
            accesses: self.clone(),
            uid,
            key,
            heard,
        }
    }

    /// Something was heard of the attempt's processes.
    pub(super) fn hear(&self, uid: u32, key: AttemptKey, now: Boottime) {
        let state = self.0.state.lock().expect(NEVER_POISONED);
        if let Some(running) = state.running.get(&uid).and_then(|it| it.get(&key)) {
            let nanos = u64::try_from(now.0.as_nanos()).unwrap_or(u64::MAX);
            running.heard.store(nanos, Ordering::Release);
        }
    }

    /// Whether any attempt of the user runs.
    pub(super) fn has_running(&self, uid: u32) -> bool {
        let state = self.0.state.lock().expect(NEVER_POISONED);
        state.running.contains_key(&uid)
    }

    /// The running attempt of this user that has this token, with its terms. All of the user's are compared, so that the time says
    /// nothing of any.
    pub(super) fn let_in(&self, uid: u32, token: RunToken) -> Option<(AttemptKey, Terms)> {
        let mut state = self.0.state.lock().expect(NEVER_POISONED);
        let mut found = None;
        for (key, running) in state.running.get_mut(&uid)? {
            if running.token.is(token) {
                running.was_let_in = true;
                found = Some((*key, running.terms.clone()));
            }
        }
        found
    }

    /// The attempts that had somebody let in and are over, each once. [`wake`](Self::wake) tells when there are any.
    pub(super) fn take_over(&self) -> Vec<AttemptKey> {
        self.0.wake.clear();
        std::mem::take(&mut self.0.state.lock().expect(NEVER_POISONED).over)
    }

    /// Nobody speaks for the attempt any more, and what was said is on the disk, or never will be.
    pub(super) fn closed(&self, key: AttemptKey) {
        let mut state = self.0.state.lock().expect(NEVER_POISONED);
        if state.closing.remove(&key) {
            state.closed.push(key);
            drop(state);
            (self.0.tell)();
        }
    }

    /// The attempts that were waited for and are closed, each once.
    pub(crate) fn take_closed(&self) -> Vec<AttemptKey> {
        std::mem::take(&mut self.0.state.lock().expect(NEVER_POISONED).closed)
    }

    pub(super) fn wake(&self) -> &Wake {
        &self.0.wake
    }
}

impl Access {
    /// Ends it. Whether there is nothing to wait for: what its processes have said is on the disk. If not, the key comes
    /// with [`Accesses::take_closed`].
    pub(crate) fn close(&self) -> bool {
        let shared = &self.accesses.0;
        let mut state = shared.state.lock().expect(NEVER_POISONED);
        if state.end(self.uid, self.key) {
            state.closing.insert(self.key);
            drop(state);
            shared.wake.wake();
            return false;
        }
        !state.closing.contains(&self.key)
    }
}

impl State {
    /// Whether somebody was let in, and is to be sent off.
    fn end(&mut self, uid: u32, key: AttemptKey) -> bool {
        let Some(of_user) = self.running.get_mut(&uid) else {
            return false;
        };
        let removed = of_user.remove(&key);
        if of_user.is_empty() {
            self.running.remove(&uid);
        }
        let was_let_in = removed.is_some_and(|running| running.was_let_in);
        if was_let_in {
            self.over.push(key);
        }
        was_let_in
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        let shared = &self.accesses.0;
        let mut state = shared.state.lock().expect(NEVER_POISONED);
        state.closing.remove(&self.key);
        if state.end(self.uid, self.key) {
            drop(state);
            shared.wake.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use odin_model::{AttemptNumber, RunId};

    use super::*;

    fn key(run: u64) -> AttemptKey {
        AttemptKey {
            run: RunId::from_bits(run),
            attempt: AttemptNumber::FIRST,
        }
    }

    fn terms() -> Terms {
        Terms {
            bytes_max: 1 << 20,
            masks: None,
        }
    }

    #[test]
    fn a_token_lets_in_its_own_user_for_as_long_as_its_attempt_runs() {
        let accesses = Accesses::new(|| {}).unwrap();
        let (one, other) = (RunToken([1; 16]), RunToken([2; 16]));
        let first = accesses.grant(key(1), 1000, one, terms());
        let _second = accesses.grant(key(2), 1000, other, terms());
        let _root = accesses.grant(key(3), 0, RunToken([3; 16]), terms());
        for (uid, token, expected) in [
            (1000, one, Some(key(1))),
            (1000, other, Some(key(2))),
            (1000, RunToken([3; 16]), None),
            (0, one, None),
            (1001, one, None),
        ] {
            let found = accesses.let_in(uid, token).map(|(key, _)| key);
            assert_eq!(found, expected, "{uid}");
        }
        assert_eq!(first.heard(), None);
        accesses.hear(1000, key(1), Boottime(Duration::from_secs(7)));
        assert_eq!(first.heard(), Some(Boottime(Duration::from_secs(7))));
        drop(first);
        accesses.hear(1000, key(1), Boottime(Duration::from_secs(8)));
        assert!(accesses.let_in(1000, one).is_none());
        assert!(accesses.has_running(1000) && !accesses.has_running(1001));
    }

    #[test]
    fn only_attempts_that_somebody_spoke_for_are_told_to_be_over() {
        let accesses = Accesses::new(|| {}).unwrap();
        let silent = accesses.grant(key(1), 1000, RunToken([1; 16]), terms());
        let speaking = accesses.grant(key(2), 1000, RunToken([2; 16]), terms());
        assert!(accesses.let_in(1000, RunToken([2; 16])).is_some());
        drop((silent, speaking));
        assert_eq!(accesses.take_over(), [key(2)]);
        assert_eq!(accesses.take_over(), []);
        assert!(!accesses.has_running(1000));
    }

    #[test]
    fn who_ends_an_attempt_is_told_when_what_it_said_is_on_the_disk() {
        let accesses = Accesses::new(|| {}).unwrap();
        let silent = accesses.grant(key(1), 1000, RunToken([1; 16]), terms());
        let speaking = accesses.grant(key(2), 1000, RunToken([2; 16]), terms());
        assert!(accesses.let_in(1000, RunToken([2; 16])).is_some());
        assert!(silent.close() && silent.close());
        assert!(!speaking.close() && !speaking.close());
        assert!(accesses.let_in(1000, RunToken([2; 16])).is_none());
        assert_eq!(accesses.take_over(), [key(2)]);
        accesses.closed(key(2));
        accesses.closed(key(1));
        assert_eq!(accesses.take_closed(), [key(2)]);
        assert!(speaking.close());
        drop(speaking);
        assert_eq!(
            (accesses.take_over(), accesses.take_closed()),
            (vec![], vec![])
        );
    }
}
