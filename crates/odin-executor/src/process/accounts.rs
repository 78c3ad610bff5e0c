//! The user database, asked elsewhere: a directory server that hangs holds up only the jobs of those it is asked about.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use odin_model::{Boottime, Clock, Owner};

use super::identity::{Account, IdentityError, look_up};

/// How long an answer is trusted. A user who was put into a group waits that long.
const TRUSTED_FOR: Duration = Duration::from_secs(5);
/// How long it is remembered that there is no answer.
const FAILURE_TRUSTED_FOR: Duration = Duration::from_secs(1);
/// How long an answer is waited for.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Answers kept, at most; beyond, all are asked for again.
const ANSWERS_MAX: usize = 256;
/// Users asked about at once. When that many hang, others are refused as well once they have waited.
const THREADS_MAX: usize = 8;
const NEVER_POISONED: &str = "no code that holds this lock panics";

type Answer = Result<Arc<Account>, IdentityError>;
type Ask = Box<dyn Fn(&str) -> Result<Account, IdentityError> + Send + Sync>;

/// Who jobs run as. Shared by the threads that make processes.
#[derive(Clone)]
pub(crate) struct Accounts(Arc<Shared>);

struct Shared {
    own_uid: u32,
    ask: Ask,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// A user was queued.
    queued: Condvar,
    /// An answer came.
    answered: Condvar,
}

#[derive(Default)]
struct State {
    answers: HashMap<String, (Boottime, Answer)>,
    /// Waiting for a thread.
    queue: VecDeque<String>,
    /// Queued, or being asked about, and since when.
    open: HashMap<String, Boottime>,
    threads: usize,
    idle: usize,
    /// Called after every answer.
    tell: Option<Arc<dyn Fn() + Send + Sync>>,
}

/// What is known of an owner now.
pub(super) enum Known {
    /// The answer, at most a few seconds old.
    Now(Answer),
    /// The database was asked.
    Later,
}

impl Accounts {
    pub(crate) fn new(clock: &Arc<dyn Clock>) -> Self {
        let own_uid = rustix::process::geteuid().as_raw();
        Self::asking(own_uid, clock, Box::new(look_up))
    }

    fn asking(own_uid: u32, clock: &Arc<dyn Clock>, ask: Ask) -> Self {
        Self(Arc::new(Shared {
            own_uid,
            ask,
            clock: Arc::clone(clock),
            state: Mutex::default(),
            queued: Condvar::new(),
            answered: Condvar::new(),
        }))
    }

    /// Has `tell` called after every answer, on the thread that got it.
    pub(super) fn tell(&self, tell: impl Fn() + Send + Sync + 'static) {
        self.0.state.lock().expect(NEVER_POISONED).tell = Some(Arc::new(tell));
    }

    /// Whether processes must change their ids to run as somebody.
    pub(crate) fn must_switch(&self) -> bool {
        self.0.own_uid == 0
    }

    /// The owner's account, if this executor may run processes for it and the database has said so not long ago;
    /// else the database is asked.
    pub(super) fn get(&self, owner: &Owner) -> Known {
        let own = self.0.own_uid;
        if own != 0 && owner.uid != own {
            return Known::Now(Err(IdentityError::NotRoot {
                user: owner.user.clone(),
                uid: owner.uid,
                own,
            }));
        }
        let now = self.0.clock.boottime();
        let mut state = self.0.state.lock().expect(NEVER_POISONED);
        if let Some((at, answer)) = state.answers.get(&owner.user) {
            let trusted_for = match answer {
                Ok(_) => TRUSTED_FOR,
                Err(_) => FAILURE_TRUSTED_FOR,
            };
            if now.since(*at) < trusted_for {
                return Known::Now(answer.clone().and_then(|account| {
                    account.is_still(owner)?;
                    Ok(account)
                }));
            }
        }
        if let Some(since) = state.open.get(&owner.user) {
            // Who waited that long for nothing is not waited for again until there is an answer.
            return if now.since(*since) < ANSWER_WITHIN {
                Known::Later
            } else {
                Known::Now(Err(silent(owner)))
            };
        }
        match self.queue(&mut state, &owner.user, now) {
            Ok(()) => Known::Later,
            Err(error) => Known::Now(Err(IdentityError::Database {
                user: owner.user.clone(),
                error: error.to_string(),
            })),
        }
    }

    /// As [`get`](Self::get), and waits for the answer.
    pub(crate) fn wait(&self, owner: &Owner) -> Answer {
        let until = self.0.clock.boottime().plus(ANSWER_WITHIN);
        loop {
            if let Known::Now(answer) = self.get(owner) {
                return answer;
            }
            let left = until.since(self.0.clock.boottime());
            if left.is_zero() {
                return Err(silent(owner));
            }
            let state = self.0.state.lock().expect(NEVER_POISONED);
            if state.open.contains_key(&owner.user) {
                let waited = self.0.answered.wait_timeout(state, left);
                drop(waited.expect(NEVER_POISONED));
            }
        }
    }

    /// Has a thread ask about the user.
    fn queue(&self, state: &mut State, user: &str, now: Boottime) -> io::Result<()> {
        if state.idle <= state.queue.len() && state.threads < THREADS_MAX {
            let shared = Arc::clone(&self.0);
            let builder = std::thread::Builder::new()
                .name("accounts".to_owned())
                .stack_size(512 << 10);
            let started = builder.spawn(move || shared.answer());
            if state.threads == 0 {
                started?;
            }
            state.threads += 1;
        }
        state.open.insert(user.to_owned(), now);
        state.queue.push_back(user.to_owned());
        self.0.queued.notify_one();
        Ok(())
    }
}

impl Shared {
    /// Asks about one user after the other, for as long as the process lives.
    fn answer(&self) {
        let mut state = self.state.lock().expect(NEVER_POISONED);
        loop {
            let Some(user) = state.queue.pop_front() else {
                state.idle += 1;
                state = self.queued.wait(state).expect(NEVER_POISONED);
                state.idle -= 1;
                continue;
            };
            drop(state);
            let answer = (self.ask)(&user).map(Arc::new);
            let now = self.clock.boottime();
            state = self.state.lock().expect(NEVER_POISONED);
            state.open.remove(&user);
            if state.answers.len() >= ANSWERS_MAX {
                state.answers.clear();
            }
            state.answers.insert(user, (now, answer));
            self.answered.notify_all();
            if let Some(tell) = state.tell.clone() {
                drop(state);
                tell();
                state = self.state.lock().expect(NEVER_POISONED);
            }
        }
    }
}

/// The database has not said who that is.
pub(super) fn silent(owner: &Owner) -> IdentityError {
    IdentityError::Silent {
        user: owner.user.clone(),
        seconds: ANSWER_WITHIN.as_secs(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// A clock that moves when told, by seconds.
    struct Seconds(AtomicU64);

    impl Clock for Seconds {
        fn wall(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }

        fn boottime(&self) -> Boottime {
            Boottime(Duration::from_secs(self.0.load(Ordering::Relaxed)))
        }
    }

    /// A database that answers about `slow` when it is told to, and at once about others.
    struct Database {
        clock: Arc<Seconds>,
        accounts: Accounts,
        answers: Receiver<()>,
        release: Sender<()>,
    }

    fn database(own_uid: u32) -> Database {
        let clock = Arc::new(Seconds(AtomicU64::new(100)));
        let (release, released) = channel();
        let released = Mutex::new(released);
        let ask = move |user: &str| {
            if user == "slow" {
                released.lock().unwrap().recv().unwrap();
            }
            let account = Account {
                user: user.to_owned(),
                uid: 1000,
                gid: 1000,
                groups: vec![],
                home: String::new(),
                shell: String::new(),
            };
            let unknown = IdentityError::Unknown {
                user: user.to_owned(),
            };
            (user != "nobody-knows").then_some(account).ok_or(unknown)
        };
        let as_clock: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let accounts = Accounts::asking(own_uid, &as_clock, Box::new(ask));
        let (told, answers) = channel();
        accounts.tell(move || told.send(()).unwrap());
        Database {
            clock,
            accounts,
            answers,
            release,
        }
    }

    fn owner(user: &str, uid: u32) -> Owner {
        Owner {
            user: user.to_owned(),
            uid,
        }
    }

    impl Database {
        fn now(&self, user: &str, uid: u32) -> Option<Answer> {
            match self.accounts.get(&owner(user, uid)) {
                Known::Now(answer) => Some(answer),
                Known::Later => None,
            }
        }
    }

    #[test]
    fn a_user_whom_the_database_hangs_on_holds_up_nobody_else() {
        let database = database(0);
        assert!(database.now("slow", 1000).is_none());
        assert!(database.now("slow", 1000).is_none(), "asked once");
        assert!(database.now("ann", 1000).is_none());
        database.answers.recv().unwrap();
        assert!(database.now("ann", 1000).unwrap().is_ok());
        assert!(database.now("slow", 1000).is_none());
        database.release.send(()).unwrap();
        database.answers.recv().unwrap();
        assert_eq!(database.now("slow", 1000).unwrap().unwrap().user, "slow");
    }

    #[test]
    fn who_was_waited_for_in_vain_is_refused_at_once_until_there_is_an_answer() {
        let database = database(0);
        assert!(database.now("slow", 1000).is_none());
        let seconds = ANSWER_WITHIN.as_secs();
        database.clock.0.fetch_add(seconds, Ordering::Relaxed);
        let refused = database.now("slow", 1000).unwrap().unwrap_err().to_string();
        assert!(refused.contains("getent passwd slow"), "{refused}");
        database.release.send(()).unwrap();
        database.answers.recv().unwrap();
        assert!(database.now("slow", 1000).unwrap().is_ok());
    }

    #[test]
    fn an_answer_is_asked_for_again_when_it_is_old_and_a_failure_sooner() {
        let database = database(0);
        for (user, trusted) in [("ann", TRUSTED_FOR), ("nobody-knows", FAILURE_TRUSTED_FOR)] {
            assert!(database.now(user, 1000).is_none());
            database.answers.recv().unwrap();
            let was_found = database.now(user, 1000).unwrap().is_ok();
            assert_eq!(was_found, user == "ann");
            let seconds = trusted.as_secs();
            database.clock.0.fetch_add(seconds, Ordering::Relaxed);
            assert!(database.now(user, 1000).is_none(), "{user}");
            database.answers.recv().unwrap();
        }
    }

    #[test]
    fn a_name_with_another_uid_and_a_server_that_is_not_root_are_refused() {
        let database = database(0);
        assert!(database.now("ann", 4242).is_none());
        database.answers.recv().unwrap();
        let refused = database.now("ann", 4242).unwrap().unwrap_err().to_string();
        assert!(refused.contains("had 4242"), "{refused}");
        let other = super::tests::database(1000);
        let refused = other.now("root", 0).unwrap().unwrap_err().to_string();
        assert!(refused.contains("run the server as root"), "{refused}");
    }

    #[test]
    fn who_waits_gets_the_answer() {
        let database = database(0);
        let waiting = {
            let accounts = database.accounts.clone();
            std::thread::spawn(move || accounts.wait(&owner("slow", 1000)))
        };
        database.release.send(()).unwrap();
        assert!(waiting.join().unwrap().is_ok());
    }

    #[test]
    fn many_users_whom_the_database_hangs_on_take_a_bounded_number_of_threads() {
        let hanging: Ask = Box::new(|_| {
            loop {
                std::thread::park();
            }
        });
        let clock: Arc<dyn Clock> = Arc::new(Seconds(AtomicU64::new(1)));
        let accounts = Accounts::asking(0, &clock, hanging);
        for user in 0..100 {
            let known = accounts.get(&owner(&user.to_string(), 1000));
            assert!(matches!(known, Known::Later));
        }
        let state = accounts.0.state.lock().unwrap();
        assert_eq!((state.threads, state.open.len()), (THREADS_MAX, 100));
    }
}
