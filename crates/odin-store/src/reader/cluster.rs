//! Nodes and settings.

use odin_model::NodeId;
use odin_model::codec;
use odin_model::node::Node;
use rusqlite::{OptionalExtension, Row};

use super::Reader;
use crate::{StoreError, columns, settings};

impl Reader {
    /// All nodes, by id.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT id, state, epoch, facts, up_since FROM nodes ORDER BY id",
            )?;
            let rows = statement.query_map([], |row| Ok(read(row)))?;
            rows.map(|row| row?).collect()
        })
    }

    /// One node.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn node(&self, id: NodeId) -> Result<Option<Node>, StoreError> {
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT id, state, epoch, facts, up_since FROM nodes WHERE id = ?1",
            )?;
            let row = statement.query_row([columns::node_id(id)], |row| Ok(read(row)));
            row.optional()?.transpose()
        })
    }

    /// The IANA zone of jobs that name none. `None`: it was never set.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn timezone(&self) -> Result<Option<String>, StoreError> {
        self.pool
            .ask(|conn| settings::get(conn, settings::TIMEZONE))
    }

    /// How many runs are in each state but `finished`, by the states' words; states without any are left out.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn open_runs_by_state(&self) -> Result<Vec<(&'static str, u64)>, StoreError> {
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT state, count(*) FROM runs INDEXED BY runs_open_by_job WHERE outcome IS NULL \
                 GROUP BY state ORDER BY state",
            )?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
            rows.map(|row| {
                let (state, count) = row?;
                Ok((columns::run_state_word(state)?, count.max(0).cast_unsigned()))
            })
            .collect()
        })
    }

    /// How often the state was restored from a backup.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn generation(&self) -> Result<u8, StoreError> {
        self.pool.ask(settings::generation)
    }
}

fn read(row: &Row<'_>) -> Result<Node, StoreError> {
    Ok(Node {
        id: columns::to_node_id(row.get(0)?),
        state: columns::to_node_state(row.get(1)?)?,
        epoch: columns::to_epoch(row.get(2)?),
        facts: codec::decode(row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?)?,
        up_since: columns::to_at(row.get(4)?),
    })
}
