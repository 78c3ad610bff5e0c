//! All executors of a data directory: the one that takes launches, and those of other versions that end their runs.
//!
//! An upgrade replaces the program while jobs run. Their executor is their parent and cannot be replaced, so it goes
//! on until the last of them has ended, takes no launches, and reports to the new server. A new executor, with
//! sockets and a journal of its own, takes the launches meanwhile. What an older one has recorded as starting stays
//! there; what it had only armed is forgotten there and armed in the new one.

use std::path::Path;

use crate::client::{Client, ClientError, ExecutorProgram, FromExecutor, TRIES, is_going, pause};
use crate::data_dir::DataDir;
use crate::protocol::{BUILD, PROTOCOL, Request};

/// Executors of one data directory, at most: upgrades during which runs of each version went on.
pub const GENERATIONS_MAX: u32 = 8;

/// A connected executor.
#[derive(Debug)]
pub struct Member {
    /// Which of the data directory's executors it is.
    pub generation: u32,
    /// The connection.
    pub client: Client,
}

/// Every executor of a data directory, connected.
#[derive(Debug)]
pub struct Fleet {
    /// Takes launches.
    pub current: Member,
    /// Drain, and understand only what reads the same in every [`protocol`](crate::protocol).
    pub older: Vec<Member>,
    /// Those that could not be started to take up what a dead one has left, and why.
    pub lost: Vec<(u32, ClientError)>,
}

impl Fleet {
    /// Connects to all executors of the data directory `root`. Those of another protocol or build are told to drain.
    /// When none is left that takes launches, one is started, and so is one for each journal that a dead executor
    /// left. `take` makes the callback for a generation: see [`Client::connect`].
    ///
    /// # Errors
    /// When one does not answer, since it may have runs that another one must not start; when none can be started.
    pub fn connect<T: FnMut(FromExecutor) + Send + 'static>(
        program: &ExecutorProgram,
        root: &Path,
        take: impl Fn(u32) -> T,
    ) -> Result<Self, ClientError> {
        let dir = |generation| DataDir::of_generation(root.to_owned(), generation);
        let (mut current, mut older, mut idle) = (None, Vec::new(), Vec::new());
        for generation in 1..=GENERATIONS_MAX {
            match connect_in_any(&dir(generation), || take(generation))? {
                None => idle.push(generation),
                Some(client) if current.is_none() && takes_launches(&client) => {
                    current = Some(Member { generation, client });
                }
                Some(client) => {
                    retire(&client)?;
                    older.push(Member { generation, client });
                }
            }
        }
        let start = |generation: u32| {
            let program = program.of_generation(generation);
            Client::connect_or_spawn(&program, &dir(generation), take(generation))
        };
        let mut lost = Vec::new();
        let mut idle = idle.into_iter();
        while current.is_none() {
            let generation = idle.next().ok_or(ClientError::TooMany {
                count: GENERATIONS_MAX,
            });
            // With none left, what the first one said is worth more than that there is no room.
            let generation = match generation {
                Ok(generation) => generation,
                Err(error) => return Err(lost.pop().map_or(error, |(_, first)| first)),
            };
            match start(generation) {
                Ok(client) => current = Some(Member { generation, client }),
                Err(error) if dir(generation).journal().exists() => lost.push((generation, error)),
                Err(error) => return Err(error),
            }
        }
        for generation in idle.filter(|generation| dir(*generation).journal().exists()) {
            match start(generation) {
                Ok(client) => {
                    retire(&client)?;
                    older.push(Member { generation, client });
                }
                Err(error) => lost.push((generation, error)),
            }
        }
        let current = current.expect("the loop ends with one");
        Ok(Self {
            current,
            older,
            lost,
        })
    }

    /// All of them, the current one first.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        std::iter::once(&self.current).chain(&self.older)
    }
}

fn takes_launches(client: &Client) -> bool {
    let welcome = client.welcome();
    welcome.protocol == PROTOCOL && welcome.build == BUILD && !welcome.is_draining
}

fn retire(client: &Client) -> Result<(), ClientError> {
    client
        .send(&[Request::Drain])
        .map_err(ClientError::NoAnswer)
}

/// A connection in whatever protocol the executor speaks; `None` when none listens.
fn connect_in_any<T: FnMut(FromExecutor) + Send + 'static>(
    dir: &DataDir,
    take: impl Fn() -> T,
) -> Result<Option<Client>, ClientError> {
    let mut protocol = PROTOCOL;
    for _ in 0..TRIES {
        match Client::connect_in(protocol, dir, take()) {
            Ok(client) => return Ok(Some(client)),
            Err(ClientError::NotRunning { .. }) => return Ok(None),
            Err(ClientError::Incompatible { found }) if found != protocol => protocol = found,
            Err(ClientError::NoAnswer(error)) if is_going(&error) => pause(),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
