//! A few connections for all readers.

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};

use rusqlite::Connection;

use crate::StoreError;
use crate::store::open_to_read;

/// How many queries run at one time. Each holds up to 2 MiB of cached pages.
const CONNECTIONS: usize = 4;

/// Connections that are free, and who waits for one.
#[derive(Debug)]
pub(super) struct Pool {
    path: PathBuf,
    free: Mutex<Vec<Connection>>,
    returned: Condvar,
}

impl Pool {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let free: Result<_, _> = (0..CONNECTIONS).map(|_| open(path)).collect();
        Ok(Self {
            path: path.to_owned(),
            free: Mutex::new(free?),
            returned: Condvar::new(),
        })
    }

    /// One connection that goes on seeing the state as it is now.
    pub(super) fn fixed(path: &Path) -> Result<Self, StoreError> {
        let conn = open(path)?;
        conn.execute_batch("BEGIN")?;
        // A transaction fixes what it sees with its first read.
        conn.query_row("SELECT count(*) FROM settings", [], |_| Ok(()))?;
        Ok(Self {
            path: path.to_owned(),
            free: Mutex::new(vec![conn]),
            returned: Condvar::new(),
        })
    }

    /// The state's file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Asks on a free connection, waiting for one. All that the question reads is of one committed state.
    pub(super) fn ask<T>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let lease = self.lease();
        let conn = lease
            .conn
            .as_ref()
            .expect("a lease has its connection until it is dropped");
        // A fixed one is in its transaction already.
        if !conn.is_autocommit() {
            return looked_at(conn, question(conn));
        }
        let transaction = conn.unchecked_transaction()?;
        looked_at(&transaction, question(&transaction))
    }

    fn lease(&self) -> Lease<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self
            .returned
            .wait_while(free, |free| free.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        Lease {
            conn: free.pop(),
            pool: self,
        }
    }
}

fn open(path: &Path) -> Result<Connection, StoreError> {
    #[cfg_attr(not(test), expect(unused_mut, reason = "tests note what is asked"))]
    let mut conn = open_to_read(path)?;
    #[cfg(test)]
    super::plans::note(&mut conn);
    Ok(conn)
}

/// The answer, after tests had a look at how it was found.
fn looked_at<T>(conn: &Connection, answer: T) -> T {
    #[cfg(test)]
    super::plans::check(conn);
    let _ = conn;
    answer
}

/// A connection in use. It returns even when the question panics.
struct Lease<'p> {
    conn: Option<Connection>,
    pool: &'p Pool,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut free = self
            .pool
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        free.extend(self.conn.take());
        self.pool.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn a_connection_returns_even_when_its_question_panics() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        drop(crate::Store::open(&path).unwrap());
        let pool = Pool::open(&path).unwrap();
        for _ in 0..=CONNECTIONS {
            let asked = AssertUnwindSafe(|| pool.ask::<()>(|_| panic!("a bug in a query")));
            assert!(catch_unwind(asked).is_err());
        }
        pool.ask(|conn| Ok(conn.execute_batch("SELECT 1")?))
            .unwrap();
        assert_eq!(pool.free.lock().unwrap().len(), CONNECTIONS);
    }
}
