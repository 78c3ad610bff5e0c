//! What runs reported of themselves.

use std::collections::BTreeMap;

use odin_model::instant::to_micros;
use odin_model::reported_result::ReportedResult;
use odin_model::retention::ForgetValues;
use odin_model::sink::FeedPart;
use odin_model::value::{Flaw, ReportValues, SERIES_OF_JOB_MAX, Value, ValueKind, ValuesPart};
use odin_model::{AttemptNumber, JobId, Reply, RunId, codec};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Batch, Stop, bounds, sink_feed};
use crate::schema::unsealed;
use crate::values::{Block, Cell, LEVELS, Point, cell_rows, remove_of_runs, slot_of};
use crate::{Effect, StoreError, columns};

/// How many blocks one command can make: the bits of their ids below the command's index. A command's largest size
/// lets it have fewer values.
const BLOCKS_BITS: u32 = 16;

/// Takes the parts that follow what is applied of their attempts. A part that does not is left alone, and the answer
/// says where the attempt stands; so a part may come any number of times.
pub(super) fn apply(batch: &mut Batch<'_>, reported: &ReportValues) -> Result<Reply, Stop> {
    let mut answers = Vec::with_capacity(reported.parts.len());
    let mut blocks = 0;
    for part in &reported.parts {
        answers.push(take(batch, part, &mut blocks)?);
    }
    Ok(Reply::ValuesUpTo(answers))
}

fn take(
    batch: &mut Batch<'_>,
    part: &ValuesPart,
    blocks: &mut i64,
) -> Result<Option<u64>, StoreError> {
    let Some(job) = job_of(batch.conn, part.run, part.attempt)? else {
        return Ok(None);
    };
    let cursor = cursor_of(batch.conn, part.run, part.attempt)?;
    if cursor.applied != part.from || part.to <= part.from {
        return Ok(Some(cursor.applied));
    }
    let base = columns::count(batch.index) << BLOCKS_BITS;
    let mut keeping = Keeping {
        conn: batch.conn,
        job,
        part,
        first_number: cursor.count,
        base,
        blocks,
        series_count: None,
    };
    keeping.keep()?;
    bounds::values_kept(batch, job, part)?;
    let result = part.values.iter().rev().find_map(ReportedResult::of);
    save_cursor(batch.conn, part, result.as_ref())?;
    if !part.values.is_empty() {
        batch
            .conn
            .prepare_cached("INSERT OR IGNORE INTO value_runs (job, run) VALUES (?1, ?2)")?
            .execute([columns::job_id(job), columns::run_id(part.run)])?;
        let reported = FeedPart::Values {
            attempt: part.attempt,
            first: cursor.count,
            count: part.values.len() as u64,
        };
        sink_feed::note(batch.conn, part.run, reported, part.taken_at)?;
    }
    batch.effects.push(Effect::ValuesKept {
        run: part.run,
        job,
        attempt: part.attempt,
        from: cursor.count,
        to: cursor.count + part.values.len() as u64,
    });
    Ok(Some(part.to))
}

/// Takes what runs reported out of the state, some of it. That they are not kept is the asker's to know, since their rows
/// may be in a file; what is open here is kept.
pub(super) fn forget(batch: &mut Batch<'_>, asked: &ForgetValues) -> Result<Reply, Stop> {
    let mut over = Vec::new();
    for &(job, run) in &asked.runs {
        let mut open = batch
            .conn
            .prepare_cached("SELECT 1 FROM runs WHERE id = ?1 AND outcome IS NULL")?;
        if !open.exists([columns::run_id(run)])? {
            over.push((job, run));
        }
    }
    let runs: Vec<_> = over.iter().map(|(_, run)| *run).collect();
    let blocks_max = usize::try_from(asked.blocks_max).unwrap_or(usize::MAX);
    let removed = remove_of_runs(batch.conn, &runs, blocks_max)?;
    let mut forget = batch
        .conn
        .prepare_cached("DELETE FROM value_runs WHERE job = ?1 AND run = ?2")?;
    for (job, run) in &over[..removed.runs] {
        forget.execute([columns::job_id(*job), columns::run_id(*run)])?;
    }
    Ok(Reply::Done)
}

/// The job of an attempt that was assigned at some time and is not sealed.
fn job_of(
    conn: &Connection,
    run: RunId,
    attempt: AttemptNumber,
) -> Result<Option<JobId>, StoreError> {
    let mut statement = conn.prepare_cached(concat!(
        "SELECT job FROM runs WHERE id = ?1 AND attempt >= ?2 AND ",
        unsealed!("runs")
    ))?;
    let job = statement.query_row(params![columns::run_id(run), attempt.0], |row| row.get(0));
    Ok(job.optional()?.map(columns::to_job_id))
}

#[derive(Default)]
struct Cursor {
    /// Where in the attempt's file the next part begins.
    applied: u64,
    /// How many values the attempt has.
    count: u64,
}

fn cursor_of(conn: &Connection, run: RunId, attempt: AttemptNumber) -> Result<Cursor, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT applied, count FROM value_cursors WHERE run = ?1 AND attempt = ?2",
    )?;
    let cursor = statement.query_row(params![columns::run_id(run), attempt.0], |row| {
        Ok(Cursor {
            applied: columns::to_count(row.get(0)?),
            count: columns::to_count(row.get(1)?),
        })
    });
    Ok(cursor.optional()?.unwrap_or_default())
}

fn save_cursor(
    conn: &Connection,
    part: &ValuesPart,
    result: Option<&ReportedResult>,
) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO value_cursors (run, attempt, applied, count, result) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (run, attempt) DO UPDATE SET applied = excluded.applied, count = count + excluded.count, \
         result = ifnull(excluded.result, result)",
    )?
    .execute(params![
        columns::run_id(part.run),
        part.attempt.0,
        columns::count(part.to),
        columns::count(part.values.len() as u64),
        result.map(codec::encode),
    ])?;
    Ok(())
}

/// The result that an attempt reported; its latest.
pub(super) fn result_of(
    conn: &Connection,
    run: RunId,
    attempt: AttemptNumber,
) -> Result<Option<ReportedResult>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT result FROM value_cursors WHERE run = ?1 AND attempt = ?2 AND result IS NOT NULL",
    )?;
    let bytes: Option<Vec<u8>> = statement
        .query_row(params![columns::run_id(run), attempt.0], |row| row.get(0))
        .optional()?;
    Ok(match bytes {
        Some(bytes) => Some(codec::decode(&bytes)?),
        None => None,
    })
}

/// Keeps one part's values.
struct Keeping<'k> {
    conn: &'k Connection,
    job: JobId,
    part: &'k ValuesPart,
    /// The number of the part's first value among the attempt's.
    first_number: u64,
    /// The id of the command's first block, and how many it has made.
    base: i64,
    blocks: &'k mut i64,
    /// How many series the job has; `None` until that was asked for.
    series_count: Option<u64>,
}

impl Keeping<'_> {
    fn keep(&mut self) -> Result<(), StoreError> {
        let mut by_series: BTreeMap<(ValueKind, &str), Vec<Point<'_>>> = BTreeMap::new();
        let part = self.part;
        for (number, value) in (self.first_number..).zip(&part.values) {
            let points = by_series
                .entry((value.kind, value.series_name()))
                .or_default();
            points.push(Point { number, value });
        }
        for ((kind, name), points) in by_series {
            match self.series(kind, name)? {
                Some(series) => self.keep_series(series, &points)?,
                None => self.keep_nameless(&points)?,
            }
        }
        Ok(())
    }

    /// The series of that name and kind, made if it is new. `None`: the job has as many as it may.
    fn series(&mut self, kind: ValueKind, name: &str) -> Result<Option<i64>, StoreError> {
        let (job, kind) = (columns::job_id(self.job), columns::value_kind(kind));
        let mut statement = self.conn.prepare_cached(
            "SELECT id FROM value_series WHERE job = ?1 AND name = ?2 AND kind = ?3",
        )?;
        let found = statement.query_row(params![job, name, kind], |row| row.get(0));
        if let Some(id) = found.optional()? {
            return Ok(Some(id));
        }
        let count = match self.series_count {
            Some(count) => count,
            None => columns::to_count(self.conn.query_row(
                "SELECT count(*) FROM value_series WHERE job = ?1",
                [job],
                |row| row.get(0),
            )?),
        };
        self.series_count = Some(count);
        // There is always room for the one that what has no room goes to, and for results.
        if count >= SERIES_OF_JOB_MAX && !name.is_empty() {
            return Ok(None);
        }
        self.series_count = Some(count + 1);
        let id = self.take_id();
        self.conn
            .prepare_cached(
                "INSERT INTO value_series (id, job, name, kind, count, last_at, last_run, last_attempt, last) \
                 VALUES (?1, ?2, ?3, ?4, 0, ?5, 0, 0, x'')",
            )?
            .execute(params![id, job, name, kind, i64::MIN])?;
        Ok(Some(id))
    }

    fn keep_nameless(&mut self, points: &[Point<'_>]) -> Result<(), StoreError> {
        let Some(series) = self.series(ValueKind::Unreadable, "")? else {
            return Ok(());
        };
        let values: Vec<(u64, Value)> = points
            .iter()
            .map(|point| {
                let mut value = point.value.clone();
                value.flaw = Some(Flaw::TooManyNames);
                (point.number, value)
            })
            .collect();
        let points: Vec<_> = values
            .iter()
            .map(|(number, value)| Point {
                number: *number,
                value,
            })
            .collect();
        self.keep_blocks(series, &points, false)
    }

    fn keep_series(&mut self, series: i64, points: &[Point<'_>]) -> Result<(), StoreError> {
        self.keep_blocks(series, points, true)
    }

    fn keep_blocks(
        &mut self,
        series: i64,
        points: &[Point<'_>],
        is_drawn: bool,
    ) -> Result<(), StoreError> {
        let mut by_slot: BTreeMap<i64, Vec<&Point<'_>>> = BTreeMap::new();
        for point in points {
            let slot = slot_of(to_micros(point.value.at));
            by_slot.entry(slot).or_default().push(point);
        }
        for (slot, points) in by_slot {
            let mut block = Block::new();
            let mut cell = None;
            for point in &points {
                block.push(point);
                if let Some(number) = point.value.data.drawn().filter(|_| is_drawn) {
                    Cell::merge(&mut cell, &Cell::of(number, to_micros(point.value.at)));
                }
            }
            self.insert_block(series, slot, points.len(), block)?;
            if let Some(cell) = cell {
                for level in LEVELS {
                    cell_rows::add(self.conn, series, level, slot >> level, &cell)?;
                }
            }
        }
        self.touch_series(series, points)
    }

    fn insert_block(
        &mut self,
        series: i64,
        slot: i64,
        count: usize,
        block: Block,
    ) -> Result<(), StoreError> {
        let id = self.take_id();
        self.conn
            .prepare_cached(
                "INSERT INTO value_blocks (id, series, slot, run, attempt, part, count, points) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                id,
                series,
                slot,
                columns::run_id(self.part.run),
                self.part.attempt.0,
                columns::count(self.first_number),
                columns::count(count as u64),
                block.finish(),
            ])?;
        Ok(())
    }

    fn touch_series(&self, series: i64, points: &[Point<'_>]) -> Result<(), StoreError> {
        let Some(last) = points
            .iter()
            .max_by_key(|point| (point.value.at, point.number))
        else {
            return Ok(());
        };
        let mut block = Block::new();
        block.push(last);
        self.conn
            .prepare_cached(
                "UPDATE value_series SET count = count + ?2, \
                 last_run = iif(?3 >= last_at, ?4, last_run), last_attempt = iif(?3 >= last_at, ?5, last_attempt), \
                 last = iif(?3 >= last_at, ?6, last), last_at = max(last_at, ?3) WHERE id = ?1",
            )?
            .execute(params![
                series,
                columns::count(points.len() as u64),
                columns::at(last.value.at),
                columns::run_id(self.part.run),
                self.part.attempt.0,
                block.finish(),
            ])?;
        Ok(())
    }

    /// An id that was never used: made of the log index, so that it is the same everywhere.
    fn take_id(&mut self) -> i64 {
        let id = self.base + *self.blocks;
        *self.blocks += 1;
        id
    }
}

#[cfg(test)]
mod tests {
    use odin_model::attempt::Ending;
    use odin_model::retention::{Forget, ForgetOf};
    use odin_model::{Command, Missed, NodeId, Outcome, Overlap, ValueData};

    use super::*;
    use crate::RunPlace;
    use crate::reader::SeriesQuery;
    use crate::scenario::{
        Scenario, deploy, finished, minute, number_at, part_of, started, watched,
    };

    fn running() -> (Scenario, JobId, RunId) {
        let mut scenario = Scenario::with_node();
        let id = scenario.job_with("nightly", Overlap::Allow, Missed::Once);
        let run = scenario.run_of(id, 1);
        scenario.report(vec![started(run)]);
        (scenario, id, run)
    }

    fn report(scenario: &mut Scenario, parts: Vec<ValuesPart>) -> Vec<Option<u64>> {
        match scenario.apply(&Command::Values(ReportValues { parts })) {
            Reply::ValuesUpTo(answers) => answers,
            other => panic!("{other:?}"),
        }
    }

    fn result(text: &str, status: &str) -> Value {
        let mut value = watched(text, minute(2), ValueData::Json("null".to_owned()));
        value.kind = ValueKind::Result;
        value.status = Some(status.to_owned());
        value
    }

    fn texts_of_run(scenario: &Scenario, run: RunId) -> Vec<String> {
        let reader = scenario.store.reader();
        let (mut texts, mut after) = (Vec::new(), None);
        loop {
            let page = reader.values_of_run(run, None, after, 2).unwrap();
            let shown =
                |kept: &crate::KeptValue| format!("{}={}", kept.value.name, kept.value.data.text());
            texts.extend(page.values.iter().map(shown));
            after = page.next;
            if after.is_none() {
                return texts;
            }
        }
    }

    #[test]
    fn a_part_counts_once_and_only_where_the_one_before_it_ended() {
        let (mut scenario, job, run) = running();
        let part =
            |from, to, number| part_of(run, from, to, vec![number_at("n", minute(1), number)]);
        assert_eq!(
            report(&mut scenario, vec![part(8, 20, 0)]),
            [Some(0)],
            "a gap"
        );
        assert_eq!(
            report(&mut scenario, vec![part(0, 10, 1), part(10, 20, 2)]),
            [Some(10), Some(20)]
        );
        let before = scenario.store.state_hash().unwrap();
        for repeated in [
            part(0, 10, 1),
            part(0, 30, 3),
            part(10, 20, 2),
            part(20, 20, 4),
            part(21, 30, 5),
        ] {
            assert_eq!(report(&mut scenario, vec![repeated]), [Some(20)]);
            assert_eq!(scenario.effects, []);
        }
        assert_eq!(scenario.store.state_hash().unwrap(), before);
        assert_eq!(texts_of_run(&scenario, run), ["n=1", "n=2"]);
        let mut later = part(20, 30, 3);
        assert_eq!(report(&mut scenario, vec![later.clone()]), [Some(30)]);
        assert_eq!(
            scenario.effects,
            [Effect::ValuesKept {
                run,
                job,
                attempt: AttemptNumber::FIRST,
                from: 2,
                to: 3
            }]
        );
        later.attempt = AttemptNumber(2);
        assert_eq!(
            report(&mut scenario, vec![later.clone()]),
            [None],
            "never assigned"
        );
        later.run = RunId::from_bits(1);
        assert_eq!(report(&mut scenario, vec![later]), [None]);
    }

    #[test]
    fn values_go_with_the_runs_that_are_let_go_of_and_those_of_open_runs_stay() {
        for is_sealed in [false, true] {
            let (mut scenario, job, first) = running();
            let mut runs = vec![first];
            runs.extend((2..=4).map(|at| scenario.run_of(job, at)));
            for (number, &run) in (1..).zip(&runs) {
                let values = (1..=3).map(|it| number_at("n", minute(10 * number + it), 10));
                report(&mut scenario, vec![part_of(run, 0, 9, values.collect())]);
            }
            // The second stays open.
            for run in [runs[0], runs[2], runs[3]] {
                let ending = Ending::Exited { code: 0 };
                scenario.report(vec![started(run), finished(run, ending)]);
            }
            if is_sealed {
                scenario.seal();
                scenario.settle();
            }
            let reader = scenario.store.reader();
            assert_eq!(reader.values_unkept(job, 9).unwrap(), []);
            scenario.apply(&Command::Forget(Forget {
                jobs: vec![ForgetOf {
                    job,
                    runs_before: Some(runs[3]),
                    outputs_before: None,
                }],
                files_upto: 0,
                at: minute(60),
            }));
            let mut steps = 0;
            loop {
                let gone = reader.values_unkept(job, 9).unwrap();
                if gone.is_empty() {
                    break;
                }
                assert!(gone.iter().all(|run| [runs[0], runs[2]].contains(run)));
                // With the open one, which a leader of the past may name.
                let named = gone.into_iter().chain([runs[1]]);
                scenario.apply(&Command::ForgetValues(ForgetValues {
                    runs: named.map(|run| (job, run)).collect(),
                    blocks_max: 1,
                }));
                steps += 1;
                assert!(steps < 20, "each step takes something out");
            }
            for (run, left) in runs.iter().zip([0, 3, 0, 3]) {
                let values = reader.values_of_run(*run, None, None, 9).unwrap().values;
                assert_eq!(values.len(), left, "{run}, sealed: {is_sealed}");
            }
            let series = reader.series(job, None, 9).unwrap();
            assert_eq!((series.len(), series[0].count), (1, 6));
            // What comes late is taken out again.
            if !is_sealed {
                let late = part_of(runs[0], 9, 12, vec![number_at("n", minute(50), 7)]);
                report(&mut scenario, vec![late]);
                assert_eq!(reader.values_unkept(job, 9).unwrap(), [runs[0]]);
            }
        }
    }

    #[test]
    fn values_of_several_series_come_in_the_order_in_which_they_were_reported() {
        let (mut scenario, job, run) = running();
        let names = ["b", "a", "b", "c", "a", "b"];
        let values = names
            .iter()
            .zip(0..)
            // The clock of the job was set back in between.
            .map(|(name, number)| number_at(name, minute(10 - i64::from(number)), number))
            .collect();
        report(&mut scenario, vec![part_of(run, 0, 1, values)]);
        report(
            &mut scenario,
            vec![part_of(run, 1, 2, vec![number_at("a", minute(1), 6)])],
        );
        assert_eq!(
            texts_of_run(&scenario, run),
            ["b=0", "a=1", "b=2", "c=3", "a=4", "b=5", "a=6"]
        );
        let reader = scenario.store.reader();
        let after = RunPlace {
            attempt: AttemptNumber::FIRST,
            number: 1,
        };
        let page = reader
            .values_of_run(run, Some("a"), Some(after), 9)
            .unwrap();
        let numbers: Vec<_> = page.values.iter().map(|kept| kept.number).collect();
        assert_eq!((numbers, page.next), (vec![4, 6], None));

        let query = SeriesQuery {
            job,
            name: "b",
            kind: None,
            from: minute(6),
            to: minute(9),
        };
        let page = reader.values_of_series(&query, None, 1).unwrap();
        assert_eq!(page.values[0].value.data.text(), "2");
        assert_eq!(page.next, None);
        let whole = SeriesQuery {
            from: minute(0),
            to: minute(99),
            ..query
        };
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = reader.values_of_series(&whole, after, 1).unwrap();
            seen.extend(page.values.into_iter().map(|kept| kept.number));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, [5, 2, 0], "by time");
        let series = reader.series(job, None, 9).unwrap();
        let shown: Vec<_> = series
            .iter()
            .map(|it| {
                (
                    it.last.value.name.as_str(),
                    it.count,
                    it.last.value.data.text(),
                )
            })
            .collect();
        assert_eq!(shown, [("a", 3, "1"), ("b", 3, "0"), ("c", 1, "3")]);
        let rest = reader
            .series(job, Some(("b", ValueKind::Watch)), 9)
            .unwrap();
        assert_eq!(rest.len(), 1);
    }

    #[test]
    fn a_result_decides_the_outcome_with_the_exit_code_and_is_the_reason() {
        for (code, status, outcome, reason) in [
            (0, "0", Outcome::Succeeded, "done"),
            (0, "404", Outcome::Warning, "done (status 404)"),
            (0, "500", Outcome::Failed, "done (status 500)"),
            (1, "500", Outcome::Failed, "done (status 500); exit code 1"),
            (
                7,
                "0",
                Outcome::Failed,
                "exit code 7, after it had reported: done",
            ),
        ] {
            let (mut scenario, _, run) = running();
            let values = vec![result("first", "500"), result("done", status)];
            report(&mut scenario, vec![part_of(run, 0, 1, values)]);
            scenario.report(vec![finished(run, Ending::Exited { code })]);
            let run = scenario.run(run);
            assert_eq!(run.state, odin_model::RunState::Finished(outcome));
            assert_eq!(run.reason.as_deref(), Some(reason));
            assert_eq!(run.exit_code, Some(code));
        }
    }

    #[test]
    fn a_failure_result_is_a_failed_attempt_and_the_next_one_is_judged_anew() {
        let mut scenario = Scenario::with_node();
        let mut with_retries = deploy("nightly");
        with_retries.spec.retries.max = 1;
        let id = scenario.deploy(with_retries);
        let run = scenario.run_of(id, 1);
        report(
            &mut scenario,
            vec![part_of(run, 0, 1, vec![result("bad", "500")])],
        );
        scenario.report(vec![
            started(run),
            finished(run, Ending::Exited { code: 0 }),
        ]);
        let again = scenario.run(run);
        assert_eq!(again.state.word(), "retrying");
        let past = scenario.store.reader().past_attempts(run).unwrap();
        assert_eq!(past[0].outcome, Outcome::Failed);
        assert_eq!(past[0].reason.as_deref(), Some("bad (status 500)"));
        let epoch = scenario.node_up(NodeId(2), "second");
        scenario.apply(&Command::Assign {
            runs: vec![(run, AttemptNumber(2))],
            node: NodeId(2),
            epoch,
        });
        let mut second = part_of(run, 0, 1, vec![result("good", "200")]);
        second.attempt = AttemptNumber(2);
        assert_eq!(report(&mut scenario, vec![second]), [Some(1)]);
        let mut end = finished(run, Ending::Exited { code: 0 });
        end.attempt = AttemptNumber(2);
        scenario.apply(&Command::Report {
            node: NodeId(2),
            events: vec![end],
        });
        assert_eq!(scenario.run(run).reason.as_deref(), Some("good"));
        assert_eq!(texts_of_run(&scenario, run), ["bad=null", "good=null"]);
    }

    #[test]
    fn a_job_has_so_many_series_and_what_is_beyond_says_so() {
        let (mut scenario, job, run) = running();
        let many = SERIES_OF_JOB_MAX + 5;
        let values = (0..many)
            .map(|number| number_at(&format!("n{number:05}"), minute(1), 1))
            .collect();
        report(&mut scenario, vec![part_of(run, 0, 1, values)]);
        let series = scenario.store.count("value_series");
        assert_eq!(columns::to_count(series), SERIES_OF_JOB_MAX + 1);
        let reader = scenario.store.reader();
        let page = reader.values_of_run(run, Some(""), None, 99).unwrap();
        assert_eq!(page.values.len(), 5);
        for kept in &page.values {
            assert_eq!(kept.value.flaw, Some(Flaw::TooManyNames));
            assert_eq!(kept.value.kind, ValueKind::Unreadable);
        }
        // A known name goes on, and another job has room of its own.
        report(
            &mut scenario,
            vec![part_of(run, 1, 2, vec![number_at("n00000", minute(2), 2)])],
        );
        let first = &reader
            .series(job, Some(("", ValueKind::Unreadable)), 1)
            .unwrap()[0];
        assert_eq!((first.count, first.last.value.data.text()), (2, "2"));
    }

    fn latest_of_job(scenario: &Scenario, job: JobId) -> Vec<(String, String, u64)> {
        let series = scenario.store.reader().series(job, None, 9).unwrap();
        let shown = |it: crate::reader::Series| {
            let value = it.last.value;
            (
                value.kind.word().to_owned(),
                format!("{}={}", value.name, value.status.unwrap_or_default()),
                it.count,
            )
        };
        series.into_iter().map(shown).collect()
    }

    #[test]
    fn results_are_one_series_and_take_no_name() {
        let (mut scenario, job, run) = running();
        let many = SERIES_OF_JOB_MAX + 5;
        let mut values: Vec<_> = (0..many)
            .map(|rows| result(&format!("loaded {rows} rows"), "200"))
            .collect();
        values.push(result("loaded 3 rows", "404"));
        values.push(number_at("price", minute(3), 5));
        let count = values.len() as u64;
        report(&mut scenario, vec![part_of(run, 0, 1, values)]);
        let shown = latest_of_job(&scenario, job);
        let last = (
            "result".to_owned(),
            "loaded 3 rows=404".to_owned(),
            count - 1,
        );
        let price = ("watch".to_owned(), "price=".to_owned(), 1);
        assert_eq!(shown, [last, price]);
        let reader = scenario.store.reader();
        // Each is what it said, in the run, in the series and where runs are looked for.
        let page = reader.values_of_run(run, None, None, 2000).unwrap();
        assert_eq!(page.values[7].value.name, "loaded 7 rows");
        let page = reader.values_of_run(run, Some("loaded 3 rows"), None, 9);
        let statuses = |values: Vec<crate::KeptValue>| -> Vec<String> {
            let status = |kept: crate::KeptValue| kept.value.status.unwrap_or_default();
            values.into_iter().map(status).collect()
        };
        assert_eq!(statuses(page.unwrap().values), ["200", "404"]);
        let query = SeriesQuery {
            job,
            name: "",
            kind: Some(ValueKind::Result),
            from: minute(0),
            to: minute(9),
        };
        let page = reader.values_of_series(&query, None, 9).unwrap();
        assert_eq!(page.values[8].value.name, "loaded 8 rows");
        let names = ["loaded 3 rows", "loaded 4 rows", "price"].map(str::to_owned);
        let named = reader.latest_named(run, &names).unwrap();
        let statuses: Vec<_> = named
            .values
            .into_values()
            .map(|it| it.value.status)
            .collect();
        assert_eq!(
            statuses,
            [Some("404".to_owned()), Some("200".to_owned()), None]
        );
        let latest = reader.latest_of_run(run, None, 9).unwrap();
        let names: Vec<_> = latest.iter().map(|it| it.value.name.as_str()).collect();
        assert_eq!(names, ["loaded 3 rows", "price"]);
        let after = reader.latest_of_run(run, Some(("", ValueKind::Result)), 9);
        assert_eq!(after.unwrap().len(), 1);
    }

    #[test]
    fn the_latest_result_is_that_of_the_runs_that_are_left() {
        let (mut scenario, job, first) = running();
        let second = scenario.run_of(job, 2);
        for (run, text, at) in [(first, "one", 3), (second, "two", 4)] {
            let mut said = result(text, "200");
            said.at = minute(at);
            report(&mut scenario, vec![part_of(run, 0, 1, vec![said])]);
        }
        let shown = |scenario: &Scenario| latest_of_job(scenario, job)[0].clone();
        assert_eq!(
            shown(&scenario),
            ("result".to_owned(), "two=200".to_owned(), 2)
        );
        let ending = Ending::Exited { code: 0 };
        scenario.report(vec![started(second), finished(second, ending)]);
        scenario.apply(&Command::ForgetValues(ForgetValues {
            runs: vec![(job, second)],
            blocks_max: 9,
        }));
        assert_eq!(
            shown(&scenario),
            ("result".to_owned(), "one=200".to_owned(), 1)
        );
    }
}
