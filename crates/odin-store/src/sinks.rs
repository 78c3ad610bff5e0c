//! The rows of sinks and of their feed.

use odin_model::owner::Owner;
use odin_model::sink::{Behind, FeedEntry, FeedPart, Sink, SinkName, SinkSpec};
use odin_model::{AttemptNumber, codec};
use rusqlite::{Connection, Row};

use crate::{StoreError, columns};

/// Sinks with the columns that `read` takes, in its order. What is behind is the difference of two entries, the first that
/// a sink is not done with and the feed's last: none is counted.
const SELECT: &str = "SELECT name, owner_uid, owner_user, spec, token, set_at, cursor, sent, skipped, last_skipped, \
     dropped, sent_at, failing_since, error, metrics_failing_since, metrics_error, first.at, \
     last.number - first.number + 1, \
     last.values_upto - first.values_upto + iif(first.attempt IS NULL, 0, first.count), \
     last.runs_upto - first.runs_upto + iif(first.attempt IS NULL, 1, 0) \
     FROM sinks \
     LEFT JOIN sink_feed AS first ON first.number = (SELECT min(number) FROM sink_feed WHERE number > sinks.cursor) \
     LEFT JOIN sink_feed AS last ON last.number = (SELECT max(number) FROM sink_feed)";

/// The sink of that name.
pub(crate) fn find(conn: &Connection, name: &SinkName) -> Result<Option<Sink>, StoreError> {
    let sql = format!("{SELECT} WHERE name = ?1");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([name.as_str()])?;
    rows.next()?.map(read).transpose()
}

/// All sinks, by name.
pub(crate) fn all(conn: &Connection) -> Result<Vec<Sink>, StoreError> {
    let sql = format!("{SELECT} ORDER BY name");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    let mut sinks = Vec::new();
    while let Some(row) = rows.next()? {
        sinks.push(read(row)?);
    }
    Ok(sinks)
}

/// Up to `limit` entries of the feed after this one.
pub(crate) fn feed(
    conn: &Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<FeedEntry>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT number, run, attempt, first, count FROM sink_feed WHERE number > ?1 ORDER BY number LIMIT ?2",
    )?;
    let mut rows = statement.query((columns::count(after), columns::limit(limit)))?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let attempt: Option<u32> = row.get(2)?;
        let what = match attempt {
            None => FeedPart::RunOver,
            Some(attempt) => FeedPart::Values {
                attempt: AttemptNumber(attempt),
                first: columns::to_count(row.get(3)?),
                count: columns::to_count(row.get(4)?),
            },
        };
        entries.push(FeedEntry {
            number: columns::to_count(row.get(0)?),
            run: columns::to_run_id(row.get(1)?),
            what,
        });
    }
    Ok(entries)
}

fn read(row: &Row<'_>) -> Result<Sink, StoreError> {
    let name: String = row.get(0)?;
    let spec = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
    let spec: SinkSpec = codec::decode(spec)?;
    // Nothing where there is no entry.
    let count = |column| {
        row.get::<_, Option<i64>>(column)
            .map(|it| it.map_or(0, columns::to_count))
    };
    let (values, runs) = (count(18)?, count(19)?);
    let behind = Behind {
        since: columns::to_at_option(row.get(16)?),
        entries: count(17)?,
        values: if spec.values { values } else { 0 },
        runs: if spec.runs { runs } else { 0 },
    };
    let since = columns::to_at_option(row.get(12)?);
    let error: Option<String> = row.get(13)?;
    let metrics_since = columns::to_at_option(row.get(14)?);
    let metrics_error: Option<String> = row.get(15)?;
    Ok(Sink {
        name: SinkName::parse(&name).map_err(|_| StoreError::damaged("a sink's name"))?,
        owner: Owner {
            uid: row.get(1)?,
            user: row.get(2)?,
        },
        spec,
        token: row.get::<_, i64>(4)?.cast_unsigned(),
        set_at: columns::to_at(row.get(5)?),
        cursor: columns::to_count(row.get(6)?),
        behind,
        sent: columns::to_count(row.get(7)?),
        skipped: columns::to_count(row.get(8)?),
        last_skipped: row.get(9)?,
        dropped: columns::to_count(row.get(10)?),
        sent_at: columns::to_at_option(row.get(11)?),
        failing: since.zip(error),
        metrics_failing: metrics_since.zip(metrics_error),
    })
}
