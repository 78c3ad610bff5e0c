//! Which runs a list is asked for.

use odin_model::run::Outcome;
use odin_store::{CauseKind, OpenState, Reader, RunFilter, StoreError};
use odin_wire::RunsQuery;

use crate::failure::Failure;

/// The filters of a query, understood as far as that takes no state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    filter: RunFilter,
    node: Option<String>,
}

impl Wanted {
    /// Reads them, naming the words that there are when one is not known.
    pub(crate) fn of(query: &RunsQuery) -> Result<Self, Failure> {
        let outcomes = Outcome::ALL.map(|outcome| (outcome.word(), outcome));
        let causes = [
            ("schedule", CauseKind::Schedule),
            ("manual", CauseKind::Manual),
            ("link", CauseKind::Link),
            ("catch_up", CauseKind::CatchUp),
        ];
        let states = [
            ("queued", Some(vec![OpenState::Queued, OpenState::Waiting])),
            ("assigned", Some(vec![OpenState::Assigned])),
            ("running", Some(vec![OpenState::Running])),
            ("unreachable", Some(vec![OpenState::Unreachable])),
            ("retrying", Some(vec![OpenState::Retrying])),
            ("finished", None),
        ];
        let states = words("state", query.state.as_deref(), &states)?;
        let asks_finished = states.iter().any(Option::is_none);
        let open_states: Vec<_> = states.into_iter().flatten().flatten().collect();
        if asks_finished && !open_states.is_empty() {
            return Err(Failure::new(
                "request/bad-query",
                "`state` is `finished` or others, and not both",
            ));
        }
        if query
            .since
            .zip(query.until)
            .is_some_and(|(since, until)| since >= until)
        {
            return Err(Failure::new(
                "request/bad-query",
                "`since` must be before `until`",
            ));
        }
        Ok(Self {
            filter: RunFilter {
                outcomes: words("outcome", query.outcome.as_deref(), &outcomes)?,
                causes: words("cause", query.cause.as_deref(), &causes)?,
                is_over: asks_finished.then_some(true),
                open_states,
                node: None,
                since: query.since,
                until: query.until,
            },
            node: query.node.clone(),
        })
    }

    /// The filter. `None`: no node has the name that was asked for, so no run was there.
    pub(crate) fn filter(mut self, reader: &Reader) -> Result<Option<RunFilter>, StoreError> {
        if let Some(name) = &self.node {
            let nodes = reader.nodes()?;
            let Some(node) = nodes.iter().find(|node| node.facts.name == *name) else {
                return Ok(None);
            };
            self.filter.node = Some(node.id);
        }
        Ok(Some(self.filter))
    }
}

/// The meanings of a list of words.
fn words<T: Clone>(
    parameter: &str,
    text: Option<&str>,
    known: &[(&str, T)],
) -> Result<Vec<T>, Failure> {
    let each = text.into_iter().flat_map(|text| text.split(','));
    each.map(|word| {
        let found = known.iter().find(|(name, _)| *name == word.trim());
        found.map(|(_, meaning)| meaning.clone()).ok_or_else(|| {
            let names: Vec<_> = known.iter().map(|(name, _)| format!("`{name}`")).collect();
            let names = names.join(", ");
            let word = word.trim();
            Failure::new(
                "request/bad-query",
                format!("`{parameter}` has {word:?}, which is none of {names}"),
            )
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_others_are_refused() {
        let query = |parameter: &str, text: &str| {
            let text = Some(text.to_owned());
            match parameter {
                "outcome" => RunsQuery {
                    outcome: text,
                    ..RunsQuery::default()
                },
                "state" => RunsQuery {
                    state: text,
                    ..RunsQuery::default()
                },
                _ => RunsQuery {
                    cause: text,
                    ..RunsQuery::default()
                },
            }
        };
        let read =
            |parameter, text| Wanted::of(&query(parameter, text)).map(|wanted| wanted.filter);
        assert_eq!(
            read("outcome", "failed, timed_out").unwrap().outcomes,
            [Outcome::Failed, Outcome::TimedOut]
        );
        assert_eq!(read("state", "finished").unwrap().is_over, Some(true));
        assert_eq!(
            read("state", "running").unwrap().open_states,
            [OpenState::Running]
        );
        assert_eq!(
            read("cause", "catch_up").unwrap().causes,
            [CauseKind::CatchUp]
        );
        for (parameter, text) in [
            ("outcome", "failure"),
            ("outcome", ""),
            ("outcome", "failed,,lost"),
            ("state", "over"),
            ("state", "finished,running"),
            ("cause", "cron"),
        ] {
            assert!(read(parameter, text).is_err(), "{parameter}={text}");
        }
    }
}
