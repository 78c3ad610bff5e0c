//! The machines come and go.

use jiff::Timestamp;
use odin_model::node::{NodeFacts, NodeState};
use odin_model::run::RunEvent;
use odin_model::{Epoch, NodeId, Refusal, Reply, codec};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Batch, Stop, run};
use crate::{Effect, StoreError, columns};

/// A node begins a life. What it has stays with it: its executor outlives its server. What was given up as
/// unreachable is assigned again as the same attempt, which its executor starts only if it had not.
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
    batch.effects.push(Effect::NodeChanged { node });
    for run in run::open_of_node(batch.conn, node)? {
        let mut run = run.in_life(epoch);
        // Only what is unreachable returns; the others go on as they are.
        let _stays = run.take(RunEvent::NodeReturned);
        run::save(batch, &run)?;
    }
    Ok(Reply::NodeUp { epoch })
}

/// A node is silent. A newer life of it is left alone.
pub(super) fn down(batch: &mut Batch<'_>, node: NodeId, epoch: Epoch) -> Result<Reply, Stop> {
    if batch.life_of(node)? != Some(epoch) {
        return Ok(Reply::Done);
    }
    batch
        .conn
        .prepare_cached("UPDATE nodes SET state = ?2 WHERE id = ?1")?
        .execute((columns::node_id(node), columns::node_state(NodeState::Down)))?;
    batch.nodes.insert(node, None);
    batch.effects.push(Effect::NodeChanged { node });
    for mut run in run::open_of_node(batch.conn, node)? {
        if run.take(RunEvent::NodeSilent).is_ok() {
            run::save(batch, &run)?;
        }
    }
    Ok(Reply::Done)
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
