//! The machines come and go.

use jiff::{SignedDuration, Timestamp};
use odin_model::alert::{AlertKey, AlertKind, Raised, Subject};
use odin_model::node::{NodeFacts, NodeState};
use odin_model::run::RunEvent;
use odin_model::{Epoch, NodeId, Refusal, Reply, codec};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Batch, Stop, alert, outbox, run};
use crate::{Effect, StoreError, columns, settings};

/// A node begins a life. What it has stays with it: its executor outlives its server. What was given up as
/// unreachable runs again if it had started, and else is assigned again as the same attempt, which its executor starts
/// only if it had not.
pub(super) fn up(
    batch: &mut Batch<'_>,
    node: NodeId,
    facts: &NodeFacts,
    at: Timestamp,
) -> Result<Reply, Stop> {
    let named: Option<i64> = batch
        .conn
        .prepare_cached("SELECT id FROM nodes WHERE name = ?1")?
        .query_row([&facts.name], |row| row.get(0))
        .optional()?;
    if named.is_some_and(|other| columns::to_node_id(other) != node) {
        return Err(Refusal::NodeNameTaken(facts.name.clone()).into());
    }

    let epoch = Epoch(batch.index);
    let mut statement = batch.conn.prepare_cached(
        "INSERT INTO nodes (id, name, state, epoch, facts, up_since) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
         ON CONFLICT (id) DO UPDATE SET name = ?2, state = ?3, epoch = ?4, facts = ?5, up_since = ?6",
    )?;
    statement.execute(params![
        columns::node_id(node),
        facts.name,
        columns::node_state(NodeState::Up),
        columns::epoch(epoch),
        codec::encode(facts),
        columns::at(at),
    ])?;
    batch.nodes.insert(node, Some(epoch));
    batch.up = None;
    batch.effects.push(Effect::NodeChanged { node });
    take_first_timezone(batch, facts)?;
    outbox::sender_returned(batch.conn, node, at)?;
    for run in run::open_of_node(batch.conn, node)? {
        let mut run = run.in_life(epoch);
        // Only what is unreachable returns; the others go on as they are.
        let started = run.attempt_started_at.is_some();
        let _stays = run.take(RunEvent::NodeReturned { started });
        run::save(batch, &run)?;
    }
    let key = AlertKey::new(AlertKind::NodeDown, Subject::Node(node));
    let text = format!("the node `{}` is back", facts.name);
    alert::resolve(batch, &key, None, &text, at)?;
    Ok(Reply::NodeUp { epoch })
}

/// The zone of jobs that name none is at first the zone of the first node. Nobody set it before, so nothing changes
/// for a job that is there already: each has its zone written into it.
fn take_first_timezone(batch: &mut Batch<'_>, facts: &NodeFacts) -> Result<(), StoreError> {
    let is_named = !facts.timezone.is_empty();
    if is_named && settings::get(batch.conn, settings::TIMEZONE)?.is_none() {
        settings::set(batch.conn, settings::TIMEZONE, &facts.timezone)?;
        batch.effects.push(Effect::SettingsChanged);
    }
    Ok(())
}

/// By how much a run must be due after its node's lease is known to be over, so that it cannot have started: more than
/// the node's wall clock may differ from the leader's.
const SURELY_NOT_STARTED: SignedDuration = SignedDuration::from_secs(1);

/// A node is silent. A newer life of it is left alone. Its leases were over before the leader said so at `at`, so what
/// is due later cannot have started: that goes to other nodes. Of the rest nobody knows.
pub(super) fn down(
    batch: &mut Batch<'_>,
    node: NodeId,
    epoch: Epoch,
    at: Timestamp,
) -> Result<Reply, Stop> {
    if batch.life_of(node)? != Some(epoch) {
        return Ok(Reply::Done);
    }
    batch
        .conn
        .prepare_cached("UPDATE nodes SET state = ?2 WHERE id = ?1")?
        .execute((columns::node_id(node), columns::node_state(NodeState::Down)))?;
    batch.nodes.insert(node, None);
    batch.up = None;
    batch.effects.push(Effect::NodeChanged { node });
    for mut run in run::open_of_node(batch.conn, node)? {
        let is_ahead = run.ready_at.duration_since(at) > SURELY_NOT_STARTED;
        let is_stopping = run.cancel.is_some();
        if is_ahead && !is_stopping && run.take(RunEvent::Withdrawn).is_ok() {
            run::assign_if_possible(batch, &mut run)?;
            run::save(batch, &run)?;
        } else if run.take(RunEvent::NodeSilent).is_ok() {
            run::save(batch, &run)?;
        }
    }
    let name = name_of(batch.conn, node)?;
    let raised = Raised {
        key: AlertKey::new(AlertKind::NodeDown, Subject::Node(node)),
        run: None,
        text: format!("the node `{name}` is silent: what runs there is not known"),
    };
    alert::raise(batch, &raised, 1, at)?;
    Ok(Reply::Done)
}

/// All nodes that are up, in order.
pub(super) fn all_up(conn: &Connection) -> Result<Vec<(NodeId, Epoch)>, StoreError> {
    let mut statement =
        conn.prepare_cached("SELECT id, epoch FROM nodes WHERE state = ?1 ORDER BY id")?;
    let rows = statement.query_map([columns::node_state(NodeState::Up)], |row| {
        Ok((
            columns::to_node_id(row.get(0)?),
            columns::to_epoch(row.get(1)?),
        ))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What a node is called; its number where it is not known.
pub(super) fn name_of(conn: &Connection, node: NodeId) -> Result<String, StoreError> {
    let mut statement = conn.prepare_cached("SELECT name FROM nodes WHERE id = ?1")?;
    let name = statement.query_row([columns::node_id(node)], |row| row.get(0));
    Ok(name.optional()?.unwrap_or_else(|| node.to_string()))
}

/// The life of a node that is up.
pub(super) fn life_of(conn: &Connection, node: NodeId) -> Result<Option<Epoch>, StoreError> {
    let mut statement =
        conn.prepare_cached("SELECT epoch FROM nodes WHERE id = ?1 AND state = ?2")?;
    let epoch = statement
        .query_row(
            (columns::node_id(node), columns::node_state(NodeState::Up)),
            |row| row.get(0),
        )
        .optional()?;
    Ok(epoch.map(columns::to_epoch))
}

#[cfg(test)]
mod tests {
    use odin_model::attempt::Ending;
    use odin_model::command::Command;
    use odin_model::node::{NodeFacts, NodeState};
    use odin_model::{Epoch, NodeId, Refusal, Reply};

    use crate::scenario::{NODE, Scenario, deploy, facts, finished, minute, started};

    fn down(epoch: Epoch) -> Command {
        Command::NodeDown {
            node: NODE,
            epoch,
            at: minute(3),
        }
    }

    /// The states of the runs of minutes 1, which is running, and 2, which is assigned, with their epochs.
    fn runs(scenario: &Scenario) -> Vec<(&'static str, Option<Epoch>)> {
        let open = scenario.store.reader().open_runs_of_node(NODE).unwrap();
        open.iter()
            .map(|run| {
                (
                    run.state.word(),
                    run.state.attempt().map(|(_, _, epoch)| epoch),
                )
            })
            .collect()
    }

    fn scenario() -> Scenario {
        let mut scenario = Scenario::with_node();
        let id = scenario.deploy(deploy("nightly"));
        let run = scenario.run_of(id, 1);
        scenario.run_of(id, 2);
        scenario.report(vec![started(run)]);
        scenario
    }

    #[test]
    fn a_nodes_epoch_is_the_index_of_its_entry() {
        let mut scenario = Scenario::new();
        assert_eq!(scenario.node_up(NODE, "worker1"), Epoch(1));
        let node = scenario.store.reader().node(NODE).unwrap().unwrap();
        assert_eq!(
            (node.state, node.epoch, node.facts, node.up_since),
            (NodeState::Up, Epoch(1), facts("worker1"), minute(0))
        );
    }

    #[test]
    fn the_zone_of_the_first_node_becomes_the_clusters_and_stays() {
        let zone = |scenario: &Scenario| scenario.store.reader().timezone().unwrap();
        let mut scenario = Scenario::new();
        for (node, name, timezone, expected) in [
            (NodeId(1), "nowhere", "", None),
            (NodeId(2), "first", "Asia/Tokyo", Some("Asia/Tokyo")),
            (NodeId(3), "second", "Europe/Berlin", Some("Asia/Tokyo")),
            (NodeId(2), "first", "Europe/Dublin", Some("Asia/Tokyo")),
        ] {
            let facts = NodeFacts {
                timezone: timezone.to_owned(),
                ..facts(name)
            };
            let at = minute(0);
            scenario.apply(&Command::NodeUp { node, facts, at });
            assert_eq!(zone(&scenario).as_deref(), expected, "{name} in {timezone}");
        }
    }

    #[test]
    fn a_new_life_keeps_the_runs() {
        let mut scenario = scenario();
        let epoch = Some(scenario.node_up(NODE, "worker1"));
        assert_eq!(runs(&scenario), [("running", epoch), ("assigned", epoch)]);
    }

    #[test]
    fn a_silent_nodes_runs_are_unreachable_until_it_returns_or_reports() {
        let mut scenario = scenario();
        scenario.apply(&down(Epoch(1)));
        let state = scenario.store.reader().nodes().unwrap()[0].state;
        assert_eq!(state, NodeState::Down);
        let before = Some(Epoch(1));
        assert_eq!(
            runs(&scenario),
            [("unreachable", before), ("unreachable", before)]
        );
        let epoch = Some(scenario.node_up(NODE, "worker1"));
        assert_eq!(runs(&scenario), [("running", epoch), ("assigned", epoch)]);
        let id = deploy("nightly").fresh_id;
        let first = scenario.ledger(id)[0].run.unwrap();
        scenario.report(vec![finished(first, Ending::Exited { code: 0 })]);
        assert_eq!(scenario.run(first).started_at, Some(minute(1)));
        assert_eq!(scenario.run(first).state.word(), "finished");
    }

    #[test]
    fn the_silence_of_an_earlier_life_changes_nothing() {
        let mut scenario = scenario();
        scenario.node_up(NODE, "worker1");
        let before = scenario.store.state_hash().unwrap();
        assert_eq!(scenario.apply(&down(Epoch(1))), Reply::Done);
        assert_eq!(scenario.store.state_hash().unwrap(), before);
    }

    #[test]
    fn a_node_that_is_down_gets_no_runs() {
        let mut scenario = scenario();
        scenario.apply(&down(Epoch(1)));
        let id = deploy("nightly").fresh_id;
        let run = scenario.run_of(id, 3);
        assert_eq!(scenario.run(run).state.word(), "queued");
    }

    #[test]
    fn a_name_belongs_to_one_node() {
        let mut scenario = scenario();
        let command = Command::NodeUp {
            node: NodeId(2),
            facts: facts("worker1"),
            at: minute(0),
        };
        assert_eq!(
            scenario.refused(&command),
            Refusal::NodeNameTaken("worker1".to_owned())
        );
        scenario.node_up(NODE, "renamed");
        scenario.node_up(NodeId(2), "worker1");
    }
}
