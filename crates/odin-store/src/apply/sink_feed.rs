//! The feed of the sinks: references to what they send, in the order of the log. Without a sink nothing is written.

use jiff::Timestamp;
use odin_model::RunId;
use odin_model::sink::{FEED_MAX, FeedPart};
use rusqlite::{Connection, OptionalExtension, params};

use crate::{StoreError, columns};

/// How many entries that every sink is done with one command deletes, so that none takes long.
const TRIM_MAX: i64 = 10_000;

/// Adds an entry, if there is a sink that could want it. Beyond [`FEED_MAX`] the oldest goes, and is counted by the
/// sinks that had not sent it.
pub(super) fn note(
    conn: &Connection,
    run: RunId,
    part: FeedPart,
    at: Timestamp,
) -> Result<(), StoreError> {
    note_within(conn, (run, part, at), FEED_MAX)
}

fn note_within(
    conn: &Connection,
    (run, part, at): (RunId, FeedPart, Timestamp),
    max: u64,
) -> Result<(), StoreError> {
    let furthest: Option<i64> = conn
        .prepare_cached("SELECT max(cursor) FROM sinks")?
        .query_row([], |row| row.get(0))?;
    let Some(cursor) = furthest else {
        return Ok(());
    };
    let (end, values, runs): (i64, i64, i64) = conn
        .prepare_cached(
            "SELECT number, values_upto, runs_upto FROM sink_feed ORDER BY number DESC LIMIT 1",
        )?
        .query_row([], |row| row.try_into())
        .optional()?
        .unwrap_or_default();
    let number = end.max(cursor) + 1;
    let (attempt, first, count, values, runs) = match part {
        FeedPart::Values {
            attempt,
            first,
            count,
        } => {
            let values = values + columns::count(count);
            (Some(attempt.0), first, count, values, runs)
        }
        FeedPart::RunOver => (None, 0, 1, values, runs + 1),
    };
    conn.prepare_cached(
        "INSERT INTO sink_feed (number, run, attempt, first, count, at, values_upto, runs_upto) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        number,
        columns::run_id(run),
        attempt,
        columns::count(first),
        columns::count(count),
        columns::at(at),
        values,
        runs,
    ])?;
    drop_oldest(conn, number - columns::count(max))
}

/// The number of the last entry; 0 without one.
pub(super) fn end(conn: &Connection) -> Result<i64, StoreError> {
    let end: Option<i64> = conn
        .prepare_cached("SELECT max(number) FROM sink_feed")?
        .query_row([], |row| row.get(0))?;
    Ok(end.unwrap_or(0))
}

/// Drops the entry of that number; those before it went before.
fn drop_oldest(conn: &Connection, number: i64) -> Result<(), StoreError> {
    if number <= 0 {
        return Ok(());
    }
    conn.prepare_cached(
        "UPDATE sinks SET dropped = dropped + ifnull((SELECT count FROM sink_feed WHERE number = ?1), 0), cursor = ?1 \
         WHERE cursor < ?1",
    )?
    .execute([number])?;
    conn.prepare_cached("DELETE FROM sink_feed WHERE number = ?1")?
        .execute([number])?;
    Ok(())
}

/// Deletes what every sink is done with, [`TRIM_MAX`] entries at most; all, where there is no sink.
pub(super) fn trim(conn: &Connection) -> Result<(), StoreError> {
    let done: Option<i64> = conn
        .prepare_cached("SELECT min(cursor) FROM sinks")?
        .query_row([], |row| row.get(0))?;
    let Some(done) = done else {
        // Without a condition the pages are freed whole, however many rows there are.
        conn.execute("DELETE FROM sink_feed", [])?;
        return Ok(());
    };
    let first: Option<i64> = conn
        .prepare_cached("SELECT min(number) FROM sink_feed")?
        .query_row([], |row| row.get(0))?;
    if let Some(first) = first {
        conn.prepare_cached("DELETE FROM sink_feed WHERE number <= ?1")?
            .execute([done.min(first + TRIM_MAX)])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use odin_model::attempt::Ending;
    use odin_model::sink::{Behind, FeedEntry, SinkChange, SinkName, SinkSpec, SinkTarget};
    use odin_model::value::ReportValues;
    use odin_model::{AttemptNumber, Command, JobId, Missed, Overlap, Refusal, Reply};

    use super::*;
    use crate::scenario::{Scenario, ann, finished, minute, number_at, part_of, root, started};

    fn name() -> SinkName {
        SinkName::parse("file").unwrap()
    }

    fn set(name: &str, token: u64) -> Command {
        let spec = SinkSpec::new(SinkTarget::File {
            path: "/var/log/odin.jsonl".to_owned(),
            rotate_bytes: 1 << 20,
            keep: 3,
        });
        Command::Sink(Box::new(SinkChange::Set {
            by: root(),
            name: SinkName::parse(name).unwrap(),
            spec,
            token,
            at: minute(0),
        }))
    }

    fn advance(from: u64, to: u64, token: u64) -> Command {
        Command::Sink(Box::new(SinkChange::Advance {
            name: name(),
            token,
            from,
            to,
            sent: to - from,
            skipped: 0,
            last_skipped: None,
            dropped: 0,
            at: minute(9),
        }))
    }

    fn one_run(scenario: &mut Scenario, job: JobId, at: i64) -> RunId {
        let run = scenario.run_of(job, at);
        scenario.report(vec![started(run)]);
        let values = (0..3).map(|n| number_at("n", minute(at), n)).collect();
        let parts = vec![part_of(run, 0, 10, values)];
        scenario.apply(&Command::Values(ReportValues { parts }));
        scenario.report(vec![finished(run, Ending::Exited { code: 0 })]);
        run
    }

    fn feed(scenario: &Scenario, after: u64) -> Vec<FeedEntry> {
        scenario.store.reader().sink_feed(after, 100).unwrap()
    }

    #[test]
    fn a_sink_gets_what_comes_after_it_in_the_order_of_the_log() {
        let mut scenario = Scenario::with_node();
        let job = scenario.job_with("nightly", Overlap::Allow, Missed::Once);
        one_run(&mut scenario, job, 1);
        assert_eq!(feed(&scenario, 0), [], "nobody wants it");
        assert_eq!(scenario.apply(&set("file", 7)), Reply::Done);
        let run = one_run(&mut scenario, job, 2);
        let what = FeedPart::Values {
            attempt: AttemptNumber::FIRST,
            first: 0,
            count: 3,
        };
        let expected = [(1, what), (2, FeedPart::RunOver)].map(|(number, what)| FeedEntry {
            number,
            run,
            what,
        });
        assert_eq!(feed(&scenario, 0), expected);
        assert_eq!(feed(&scenario, 1), expected[1..]);
        assert_eq!(scenario.apply(&set("second", 8)), Reply::Done);
        let reader = scenario.store.reader();
        let behind = reader.sinks().unwrap().into_iter().map(|it| it.behind);
        let first = Behind {
            entries: 2,
            values: 3,
            runs: 1,
            since: Some(minute(2)),
        };
        let expected = [first, Behind::default()];
        assert_eq!(
            behind.collect::<Vec<_>>(),
            expected,
            "a new one begins with what comes after it"
        );
    }

    #[test]
    fn an_advance_counts_once_and_only_from_where_the_sink_is() {
        let mut scenario = Scenario::with_node();
        let job = scenario.job_with("nightly", Overlap::Allow, Missed::Once);
        scenario.apply(&set("file", 7));
        one_run(&mut scenario, job, 1);
        for (command, counts) in [
            (advance(1, 2, 7), false),
            (advance(0, 3, 7), false),
            (advance(0, 1, 8), false),
            (advance(0, 1, 7), true),
            (advance(0, 1, 7), false),
            (advance(1, 2, 7), true),
        ] {
            assert_eq!(
                scenario.apply(&command),
                Reply::Stepped { counts },
                "{command:?}"
            );
        }
        assert_eq!(feed(&scenario, 0), [], "what all are done with is gone");
        let sink = scenario.store.reader().sink(&name()).unwrap().unwrap();
        assert_eq!((sink.cursor, sink.sent), (2, 2));
        assert_eq!(sink.behind, Behind::default());
        // Numbers go on where they were.
        one_run(&mut scenario, job, 2);
        assert_eq!(feed(&scenario, 2).len(), 2);
    }

    #[test]
    fn what_a_sink_is_behind_is_what_lies_after_its_place_and_goes_there() {
        let mut scenario = Scenario::with_node();
        let job = scenario.job_with("nightly", Overlap::Allow, Missed::Once);
        scenario.apply(&set("file", 7));
        scenario.apply(&set("second", 8));
        for at in 1..=3 {
            one_run(&mut scenario, job, at);
        }
        let behind = |scenario: &Scenario| {
            let sink = scenario.store.reader().sink(&name()).unwrap().unwrap();
            let it = sink.behind;
            (it.entries, it.values, it.runs, it.since)
        };
        // The other sink, which is done with nothing, keeps the entries that this one is done with.
        for (to, expected) in [
            (0, (6, 9, 3, Some(minute(1)))),
            (1, (5, 6, 3, Some(minute(2)))),
            (2, (4, 6, 2, Some(minute(2)))),
            (5, (1, 0, 1, Some(minute(2)))),
            (6, (0, 0, 0, None)),
        ] {
            let sink = scenario.store.reader().sink(&name()).unwrap().unwrap();
            scenario.apply(&advance(sink.cursor, to, 7));
            assert_eq!(behind(&scenario), expected, "up to {to}");
        }
        one_run(&mut scenario, job, 4);
        assert_eq!(behind(&scenario), (2, 3, 1, Some(minute(4))));
        let mut only_runs = set("file", 7);
        if let Command::Sink(change) = &mut only_runs
            && let SinkChange::Set { spec, .. } = &mut **change
        {
            spec.values = false;
        }
        scenario.apply(&only_runs);
        assert_eq!(behind(&scenario), (2, 0, 1, Some(minute(4))));
    }

    #[test]
    fn metrics_that_fail_are_known_since_when_until_they_go_there_or_the_sink_is_set() {
        let mut scenario = Scenario::with_node();
        scenario.apply(&set("file", 7));
        let metrics = |error: Option<&str>, token, at| {
            Command::Sink(Box::new(SinkChange::Metrics {
                name: name(),
                token,
                error: error.map(ToOwned::to_owned),
                at: minute(at),
            }))
        };
        let failing = |since, why: &str| Some((minute(since), why.to_owned()));
        for (command, expected) in [
            (metrics(Some("full"), 8, 1), None),
            (metrics(Some("full"), 7, 2), failing(2, "full")),
            (metrics(Some("gone"), 7, 3), failing(2, "gone")),
            (advance(0, 0, 7), failing(2, "gone")),
            (metrics(None, 7, 4), None),
            (metrics(Some("gone"), 7, 5), failing(5, "gone")),
            (set("file", 9), None),
        ] {
            scenario.apply(&command);
            let sink = scenario.store.reader().sink(&name()).unwrap().unwrap();
            assert_eq!(sink.metrics_failing, expected, "{command:?}");
            assert_eq!(sink.failing, None, "of values and runs nothing is said");
        }
    }

    #[test]
    fn beyond_the_bound_the_oldest_goes_and_who_had_not_sent_it_counts_it() {
        let mut scenario = Scenario::with_node();
        let job = scenario.job_with("nightly", Overlap::Allow, Missed::Once);
        scenario.apply(&set("file", 7));
        scenario.apply(&set("second", 8));
        let run = one_run(&mut scenario, job, 1);
        scenario.apply(&advance(0, 2, 7));
        let over = (run, FeedPart::RunOver, minute(2));
        note_within(scenario.store.connection(), over, 2).unwrap();
        let sinks = scenario.store.reader().sinks().unwrap();
        let seen: Vec<_> = sinks.iter().map(|it| (it.cursor, it.dropped)).collect();
        assert_eq!(seen, [(2, 0), (1, 3)], "three values of one entry");
        assert_eq!(feed(&scenario, 0).len(), 2);
    }

    #[test]
    fn sinks_are_admins_and_their_feed_goes_with_the_last() {
        let mut scenario = Scenario::with_node();
        let job = scenario.job_with("nightly", Overlap::Allow, Missed::Once);
        let mut by_ann = set("file", 7);
        if let Command::Sink(change) = &mut by_ann
            && let SinkChange::Set { by, .. } = &mut **change
        {
            *by = ann();
        }
        assert!(matches!(
            scenario.apply(&by_ann),
            Reply::Refused(Refusal::RoleNeeded { .. })
        ));
        scenario.apply(&set("file", 7));
        one_run(&mut scenario, job, 1);
        let remove = Command::Sink(Box::new(SinkChange::Remove {
            by: root(),
            name: name(),
        }));
        assert_eq!(scenario.apply(&remove), Reply::Done);
        assert_eq!(scenario.store.count("sink_feed"), 0);
        assert!(matches!(
            scenario.apply(&remove),
            Reply::Refused(Refusal::Sink(_))
        ));
    }
}
