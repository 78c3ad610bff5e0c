//! What a run reported last by each name: what conditions on runs look at, and what two runs are compared by.

use std::collections::BTreeMap;

use odin_model::{RunId, ValueKind};

use super::Reader;
use super::values::KeptValue;
use crate::StoreError;
use crate::values::{Until, latest_in};

/// The latest values of some names in a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LatestNamed {
    /// The value of each name that the run reported, of whatever kind it was last.
    pub values: BTreeMap<String, KeptValue>,
    /// How many blocks of values were passed: what the answer cost.
    pub blocks: u64,
}

impl Reader {
    /// Up to `limit` values of a run: its last result, and the one that it reported last by each name and kind, by name and
    /// kind, after this one; a result is under no name.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn latest_of_run(
        &self,
        run: RunId,
        after: Option<(&str, ValueKind)>,
        limit: usize,
    ) -> Result<Vec<KeptValue>, StoreError> {
        self.pool.ask(|conn| {
            let key_of = |_, name: &str, kind: ValueKind| {
                let name = kind.series_name(name);
                let is_after = after.is_none_or(|after| (name, kind) > after);
                is_after.then(|| (name.to_owned(), kind))
            };
            let (latest, _) = latest_in(conn, run, key_of, Until::End)?;
            Ok(latest.into_values().take(limit).collect())
        })
    }

    /// What a run reported last by each of these names.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn latest_named(&self, run: RunId, names: &[String]) -> Result<LatestNamed, StoreError> {
        self.pool.ask(|conn| {
            let key_of = |_, name: &str, kind: ValueKind| {
                let is_asked = kind.is_reported() && names.iter().any(|it| it == name);
                is_asked.then(|| name.to_owned())
            };
            let (values, blocks) = latest_in(conn, run, key_of, Until::Keys(names.len()))?;
            Ok(LatestNamed { values, blocks })
        })
    }
}

#[cfg(test)]
mod tests {
    use odin_model::value::ReportValues;
    use odin_model::{Command, Missed, Overlap, RunId, Value, ValueData, ValueKind};

    use crate::scenario::{Scenario, minute, number_at, part_of, started, watched};

    fn report(scenario: &mut Scenario, run: RunId, from: u64, values: Vec<Value>) -> u64 {
        let to = from + 10;
        let parts = vec![part_of(run, from, to, values)];
        scenario.apply(&Command::Values(ReportValues { parts }));
        to
    }

    fn shown(values: impl IntoIterator<Item = crate::KeptValue>) -> Vec<String> {
        let shown = |kept: crate::KeptValue| {
            let value = kept.value;
            format!("{} {}={}", value.kind.word(), value.name, value.data.text())
        };
        values.into_iter().map(shown).collect()
    }

    #[test]
    fn the_latest_is_what_was_said_last_whatever_the_clock_of_the_job_said() {
        let mut scenario = Scenario::with_node();
        let job = scenario.job_with("nightly", Overlap::Allow, Missed::Once);
        let (run, other) = (scenario.run_of(job, 1), scenario.run_of(job, 2));
        scenario.report(vec![started(run), started(other)]);
        let metric = |name: &str, number| Value {
            kind: ValueKind::Metric,
            ..number_at(name, minute(1), number)
        };
        let first = vec![number_at("a", minute(9), 1), number_at("b", minute(1), 2)];
        let mut to = report(&mut scenario, run, 0, first);
        // In one part, and with a clock that goes back by an hour: two blocks.
        let back = vec![number_at("a", minute(90), 3), number_at("a", minute(2), 4)];
        to = report(&mut scenario, run, to, back);
        let more = vec![
            metric("b", 5),
            watched("c d", minute(3), ValueData::Boolean(true)),
        ];
        report(&mut scenario, run, to, more);
        report(&mut scenario, other, 0, vec![number_at("a", minute(99), 9)]);
        let reader = scenario.store.reader();
        let all = ["watch a=4", "watch b=2", "metric b=5", "watch c d=true"];
        assert_eq!(shown(reader.latest_of_run(run, None, 9).unwrap()), all);
        let (mut after, mut pages) = (None, Vec::new());
        while let [value] = &reader
            .latest_of_run(
                run,
                after
                    .as_ref()
                    .map(|(name, kind): &(String, _)| (name.as_str(), *kind)),
                1,
            )
            .unwrap()[..]
        {
            after = Some((value.value.name.clone(), value.value.kind));
            pages.extend(shown([value.clone()]));
        }
        assert_eq!(pages, all);
        for (names, expected, blocks) in [
            (&["b"][..], &["metric b=5"][..], 2),
            (&["a", "gone"], &["watch a=4"], 6),
            (&["c d", "b"], &["metric b=5", "watch c d=true"], 2),
        ] {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            let latest = reader.latest_named(run, &names).unwrap();
            assert_eq!(shown(latest.values.into_values()), expected, "{names:?}");
            assert_eq!(latest.blocks, blocks, "{names:?}");
        }
    }
}
