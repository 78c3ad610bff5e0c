//! Sinks, and the feed that they send.

use odin_model::sink::{FeedEntry, Sink, SinkName};

use super::Reader;
use crate::{StoreError, sinks};

impl Reader {
    /// All sinks, by name.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn sinks(&self) -> Result<Vec<Sink>, StoreError> {
        self.pool.ask(sinks::all)
    }

    /// One sink.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn sink(&self, name: &SinkName) -> Result<Option<Sink>, StoreError> {
        self.pool.ask(|conn| sinks::find(conn, name))
    }

    /// Up to `limit` entries of the sinks' feed after this number, in order.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn sink_feed(&self, after: u64, limit: usize) -> Result<Vec<FeedEntry>, StoreError> {
        self.pool.ask(|conn| sinks::feed(conn, after, limit))
    }
}
