//! Messages to channels: gathered, sent, settled. What a channel waits for is bounded, and so is what is kept.

use jiff::{SignedDuration, Timestamp};
use odin_model::alert::{AlertEvent, AlertKey, AlertKind, Raised, Subject, cut};
use odin_model::channel::Target;
use odin_model::delivery::{
    DeliveryId, DeliveryState, DeliveryStep, EVENTS_IN_MESSAGE_MAX, MESSAGES_PUT_OFF_MAX,
    MESSAGES_WAITING_MAX, SETTLED_KEPT_MAX, SettledRecipient,
};
use odin_model::owner::Owner;
use odin_model::{ChannelName, NodeId, Reply, codec};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Batch, Stop, alert, channel};
use crate::reader::alerts::read_settled;
use crate::{StoreError, columns};

/// Puts word of an alert into the message to a channel that is being gathered, or into a new one. Whether there is
/// such a channel.
pub(super) fn add(
    conn: &Connection,
    name: &ChannelName,
    owner: Option<&Owner>,
    event: &AlertEvent,
) -> Result<bool, StoreError> {
    let Some(channel) = channel::find(conn, name)? else {
        return Ok(false);
    };
    let is_urgent = channel.spec.urgent.contains(&event.kind);
    let run_as = match channel.spec.target {
        Target::Command(_) => owner,
        Target::Email(_) | Target::Webhook(_) => None,
    };
    let latest = gathering(conn, name, is_urgent, run_as)?;
    let room = |events: u64| usize::try_from(events).is_ok_and(|it| it < EVENTS_IN_MESSAGE_MAX);
    if let Some((id, events)) = latest
        && room(events)
    {
        list(conn, id, events, event)?;
        return Ok(true);
    }
    let waiting: i64 = conn
        .prepare_cached(
            "SELECT count(*) FROM deliveries INDEXED BY deliveries_open WHERE channel = ?1 AND state < 3 \
             AND settled IS NULL",
        )?
        .query_row([name.as_str()], |row| row.get(0))?;
    if columns::to_count(waiting) >= MESSAGES_WAITING_MAX {
        count_one_more(conn, name)?;
        return Ok(true);
    }
    let gather = SignedDuration::try_from(channel.spec.gather).unwrap_or(SignedDuration::ZERO);
    let next_at = event.at.saturating_add(gather).unwrap_or(Timestamp::MAX);
    let id = insert(conn, name, run_as, is_urgent, (event.at, next_at))?;
    list(conn, id, 0, event)?;
    Ok(true)
}

/// The newest message to a channel that has not been tried, with how many alerts it lists.
fn gathering(
    conn: &Connection,
    name: &ChannelName,
    is_urgent: bool,
    run_as: Option<&Owner>,
) -> Result<Option<(i64, u64)>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT id, events FROM deliveries INDEXED BY deliveries_open WHERE channel = ?1 AND state < 3 AND state = ?2 \
         AND urgent = ?3 AND run_as_uid IS ?4 AND run_as_user IS ?5 ORDER BY id DESC LIMIT 1",
    )?;
    let found = statement.query_row(
        params![
            name.as_str(),
            columns::delivery_state(DeliveryState::Gathering),
            is_urgent,
            run_as.map(|owner| owner.uid),
            run_as.map(|owner| &owner.user),
        ],
        |row| Ok((row.get(0)?, columns::to_count(row.get(1)?))),
    );
    Ok(found.optional()?)
}

fn list(conn: &Connection, id: i64, number: u64, event: &AlertEvent) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO delivery_events (delivery, number, event) VALUES (?1, ?2, ?3)",
    )?
    .execute((id, columns::count(number), codec::encode(event)))?;
    conn.prepare_cached("UPDATE deliveries SET events = ?2 WHERE id = ?1")?
        .execute((id, columns::count(number + 1)))?;
    Ok(())
}

/// The last message that waits says that there was more. A message that was tried is left as it is, so that it is
/// the same when it is tried again; then the alert is in the list of alerts alone.
fn count_one_more(conn: &Connection, name: &ChannelName) -> Result<(), StoreError> {
    conn.prepare_cached(
        "UPDATE deliveries SET more = more + 1 WHERE id = (SELECT max(id) FROM deliveries INDEXED BY deliveries_open \
         WHERE channel = ?1 AND state < 3 AND state = ?2)",
    )?
    .execute((
        name.as_str(),
        columns::delivery_state(DeliveryState::Gathering),
    ))?;
    Ok(())
}

fn insert(
    conn: &Connection,
    name: &ChannelName,
    run_as: Option<&Owner>,
    is_urgent: bool,
    (made_at, next_at): (Timestamp, Timestamp),
) -> Result<i64, StoreError> {
    let last: Option<i64> = conn
        .prepare_cached("SELECT max(id) FROM deliveries")?
        .query_row([], |row| row.get(0))?;
    let id = last.unwrap_or(0) + 1;
    conn.prepare_cached(
        "INSERT INTO deliveries (id, channel, run_as_uid, run_as_user, state, urgent, attempt, next_at, made_at, \
         events, more) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8, 0, 0)",
    )?
    .execute(params![
        id,
        name.as_str(),
        run_as.map(|owner| owner.uid),
        run_as.map(|owner| &owner.user),
        columns::delivery_state(DeliveryState::Gathering),
        is_urgent,
        columns::at(next_at),
        columns::at(made_at),
    ])?;
    // Old ones make room. The newest is never among them, so ids count on.
    let oldest = id - columns::count(SETTLED_KEPT_MAX);
    conn.prepare_cached(
        "DELETE FROM delivery_events WHERE delivery IN (SELECT id FROM deliveries INDEXED BY deliveries_settled \
         WHERE state >= 3 AND id <= ?1)",
    )?
    .execute([oldest])?;
    conn.prepare_cached(
        "DELETE FROM deliveries INDEXED BY deliveries_settled WHERE state >= 3 AND id <= ?1",
    )?
    .execute([oldest])?;
    Ok(id)
}

/// A message as a step finds it.
struct Row {
    channel: String,
    state: DeliveryState,
    attempt: u32,
    next_at: Option<Timestamp>,
}

fn find(conn: &Connection, id: DeliveryId) -> Result<Option<Row>, StoreError> {
    let mut statement = conn
        .prepare_cached("SELECT channel, state, attempt, next_at FROM deliveries WHERE id = ?1")?;
    let mut rows = statement.query([columns::count(id.0)])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some(Row {
        channel: row.get(0)?,
        state: columns::to_delivery_state(row.get(1)?)?,
        attempt: row.get(2)?,
        next_at: columns::to_at_option(row.get(3)?),
    }))
}

/// A step of a message. One that comes too late, or for another attempt, changes nothing; the reply says which with
/// [`Reply::Stepped`].
pub(super) fn apply(batch: &mut Batch<'_>, step: &DeliveryStep) -> Result<Reply, Stop> {
    let (DeliveryStep::Begin {
        delivery, attempt, ..
    }
    | DeliveryStep::Hold {
        delivery, attempt, ..
    }
    | DeliveryStep::Done {
        delivery, attempt, ..
    }
    | DeliveryStep::Failed {
        delivery, attempt, ..
    }) = step;
    let Some(row) = find(batch.conn, *delivery)? else {
        return Ok(Reply::Stepped { counts: false });
    };
    let id = columns::count(delivery.0);
    let counts = match step {
        DeliveryStep::Begin {
            at,
            until,
            node,
            epoch,
            ..
        } => {
            let is_next = row.attempt.checked_add(1) == Some(*attempt);
            let is_time = row.next_at.is_some_and(|next| next <= *at);
            // A life that is over sends nothing: a word of its that comes late must not be waited for.
            let lives = batch.life_of(*node)? == Some(*epoch);
            let counts = is_next && is_time && lives && !row.state.is_settled();
            if counts {
                begin(batch.conn, id, (*attempt, *node), *until)?;
            }
            counts
        }
        DeliveryStep::Hold { until, .. } => {
            let waits = matches!(
                row.state,
                DeliveryState::Gathering | DeliveryState::Retrying
            );
            let counts = row.attempt == *attempt && waits;
            if counts {
                batch
                    .conn
                    .prepare_cached("UPDATE deliveries SET next_at = ?2 WHERE id = ?1")?
                    .execute((id, columns::at(*until)))?;
            }
            counts
        }
        DeliveryStep::Done { answer, at, .. } => {
            let counts = row.state == DeliveryState::Sending && row.attempt == *attempt;
            if counts {
                settle(batch.conn, id, DeliveryState::Sent, answer, *at)?;
                works_again(batch, &row.channel, *at)?;
            }
            counts
        }
        DeliveryStep::Failed {
            error,
            next_at,
            at,
            settled,
            ..
        } => {
            let counts = row.state == DeliveryState::Sending && row.attempt == *attempt;
            if counts {
                let has_room =
                    settled.is_empty() || room_for_put_off(batch.conn, &row.channel, id)?;
                match next_at.filter(|_| has_room) {
                    Some(next) => put_off(batch.conn, id, error, next, settled)?,
                    None => {
                        settle(batch.conn, id, DeliveryState::GivenUp, error, *at)?;
                        gave_up(batch, &row.channel, error, *at)?;
                    }
                }
            }
            counts
        }
    };
    Ok(Reply::Stepped { counts })
}

fn begin(
    conn: &Connection,
    id: i64,
    (attempt, node): (u32, NodeId),
    until: Timestamp,
) -> Result<(), StoreError> {
    conn.prepare_cached(
        "UPDATE deliveries SET state = ?2, attempt = ?3, next_at = ?4, sender = ?5 WHERE id = ?1",
    )?
    .execute(params![
        id,
        columns::delivery_state(DeliveryState::Sending),
        attempt,
        columns::at(until),
        columns::node_id(node),
    ])?;
    Ok(())
}

/// What a node was about to send when its last life ended need not be waited for: nobody sends it any more.
pub(super) fn sender_returned(
    conn: &Connection,
    node: NodeId,
    at: Timestamp,
) -> Result<(), StoreError> {
    conn.prepare_cached(
        "UPDATE deliveries INDEXED BY deliveries_open SET next_at = min(next_at, ?3) \
         WHERE state < 3 AND state = ?1 AND sender = ?2",
    )?
    .execute((
        columns::delivery_state(DeliveryState::Sending),
        columns::node_id(node),
        columns::at(at),
    ))?;
    Ok(())
}

/// Whether a message may wait for recipients who were put off.
fn room_for_put_off(conn: &Connection, channel: &str, id: i64) -> Result<bool, StoreError> {
    let others: i64 = conn
        .prepare_cached(
            "SELECT count(*) FROM deliveries INDEXED BY deliveries_open WHERE channel = ?1 AND state < 3 \
             AND settled IS NOT NULL AND id <> ?2",
        )?
        .query_row((channel, id), |row| row.get(0))?;
    Ok(columns::to_count(others) < MESSAGES_PUT_OFF_MAX)
}

/// It is tried again, for whom it is not `settled`.
fn put_off(
    conn: &Connection,
    id: i64,
    error: &str,
    next: Timestamp,
    settled: &[SettledRecipient],
) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE deliveries SET state = ?2, next_at = ?3, last = ?4 WHERE id = ?1")?
        .execute(params![
            id,
            columns::delivery_state(DeliveryState::Retrying),
            columns::at(next),
            cut(error)
        ])?;
    if settled.is_empty() {
        return Ok(());
    }
    let mut all = conn
        .prepare_cached("SELECT settled FROM deliveries WHERE id = ?1")?
        .query_row([id], |row| Ok(read_settled(row.get_ref(0)?)))??;
    all.extend_from_slice(settled);
    conn.prepare_cached("UPDATE deliveries SET settled = ?2 WHERE id = ?1")?
        .execute((id, codec::encode(&all)))?;
    Ok(())
}

fn settle(
    conn: &Connection,
    id: i64,
    state: DeliveryState,
    last: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    conn.prepare_cached(
        "UPDATE deliveries SET state = ?2, next_at = NULL, last = ?3, settled_at = ?4 WHERE id = ?1",
    )?
    .execute(params![
        id,
        columns::delivery_state(state),
        cut(last),
        columns::at(at)
    ])?;
    Ok(())
}

fn channel_down(channel: &str) -> AlertKey {
    AlertKey::detailed(AlertKind::ChannelDown, Subject::Cluster, channel)
}

/// What was not delivered must be seen somewhere.
fn gave_up(
    batch: &mut Batch<'_>,
    channel: &str,
    error: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let raised = Raised {
        key: channel_down(channel),
        run: None,
        text: format!("a message to the channel `{channel}` was given up: {error}"),
    };
    alert::raise(batch, &raised, 1, at)
}

fn works_again(batch: &mut Batch<'_>, channel: &str, at: Timestamp) -> Result<(), StoreError> {
    let text = format!("the channel `{channel}` took a message");
    alert::resolve(batch, &channel_down(channel), None, &text, at)
}

/// Removes what waits for a channel that goes.
pub(super) fn drop_waiting(conn: &Connection, name: &ChannelName) -> Result<(), StoreError> {
    conn.prepare_cached(
        "DELETE FROM delivery_events WHERE delivery IN (SELECT id FROM deliveries INDEXED BY deliveries_open \
         WHERE channel = ?1 AND state < 3)",
    )?
    .execute([name.as_str()])?;
    conn.prepare_cached(
        "UPDATE deliveries SET state = 4, next_at = NULL, last = 'the channel was removed', events = 0 \
         WHERE channel = ?1 AND state < 3",
    )?
    .execute([name.as_str()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use odin_model::alert::AlertChange;
    use odin_model::channel::{ChannelChange, ChannelSpec, Target, WebhookTarget};
    use odin_model::delivery::Delivery;
    use odin_model::{Command, Epoch};

    use super::*;
    use crate::scenario::{NODE, Scenario, minute, root};

    fn name() -> ChannelName {
        ChannelName::parse("ops").unwrap()
    }

    fn set_channel() -> Command {
        let mut spec = ChannelSpec::new(Target::Webhook(WebhookTarget {
            url: "https://example.org/".to_owned(),
            secret: None,
        }));
        spec.server_alerts = true;
        Command::Channel(Box::new(ChannelChange::Set {
            by: root(),
            name: name(),
            spec,
            token: 1,
            at: minute(0),
        }))
    }

    /// An alert of its own, each time.
    fn alert(number: usize) -> Command {
        let key = AlertKey::detailed(
            AlertKind::LoopStuck,
            Subject::Cluster,
            &format!("loop {number}"),
        );
        let raised = Raised {
            key,
            run: None,
            text: "a loop stands still".to_owned(),
        };
        Command::Alert(Box::new(AlertChange::Raise {
            alerts: vec![raised],
            at: minute(0),
        }))
    }

    /// A channel with one message that waits, on a node that is up.
    fn scenario() -> (Scenario, Epoch) {
        let mut scenario = Scenario::new();
        let epoch = scenario.node_up(NODE, "worker1");
        for command in [set_channel(), alert(0)] {
            assert_eq!(scenario.apply(&command), Reply::Done);
        }
        (scenario, epoch)
    }

    fn messages(scenario: &Scenario) -> Vec<Delivery> {
        let found = scenario.store.reader().deliveries(None, None, 1_000);
        found.unwrap()
    }

    /// Whether a step of the first message counts.
    fn counts(scenario: &mut Scenario, step: DeliveryStep) -> bool {
        match scenario.apply(&Command::Delivery(Box::new(step))) {
            Reply::Stepped { counts } => counts,
            other => panic!("{other:?}"),
        }
    }

    fn begin(attempt: u32, at: i64, epoch: Epoch) -> DeliveryStep {
        DeliveryStep::Begin {
            delivery: DeliveryId(1),
            attempt,
            at: minute(at),
            until: minute(at + 10),
            node: NODE,
            epoch,
        }
    }

    fn failed(attempt: u32, at: i64, next: Option<i64>) -> DeliveryStep {
        DeliveryStep::Failed {
            delivery: DeliveryId(1),
            attempt,
            error: "503".to_owned(),
            next_at: next.map(minute),
            at: minute(at),
            settled: Vec::new(),
        }
    }

    fn done(attempt: u32, at: i64) -> DeliveryStep {
        DeliveryStep::Done {
            delivery: DeliveryId(1),
            attempt,
            answer: "204".to_owned(),
            at: minute(at),
        }
    }

    #[test]
    fn a_message_is_begun_once_for_each_attempt_and_settled_by_its_own_only() {
        let (mut scenario, epoch) = scenario();
        for (step, expected) in [
            (done(0, 1), false),
            (begin(2, 1, epoch), false),
            (begin(1, 1, epoch), true),
            // Another leader, a moment later.
            (begin(1, 1, epoch), false),
            (begin(2, 5, epoch), false),
            (failed(2, 2, None), false),
            (failed(1, 2, Some(4)), true),
            (done(1, 3), false),
            (begin(2, 3, epoch), false),
            (begin(2, 4, epoch), true),
            // The first leader's word of its attempt, late.
            (done(1, 5), false),
            (done(2, 5), true),
            (done(2, 6), false),
            (begin(3, 60, epoch), false),
        ] {
            assert_eq!(counts(&mut scenario, step.clone()), expected, "{step:?}");
        }
        let message = &messages(&scenario)[0];
        assert_eq!(message.state, DeliveryState::Sent);
        assert_eq!((message.attempt, message.next_at), (2, None));
    }

    #[test]
    fn what_a_leader_was_sending_is_taken_over_in_time_or_when_its_node_begins_anew() {
        let (mut scenario, first) = scenario();
        assert!(counts(&mut scenario, begin(1, 1, first)));
        // It is silent: another waits as long as an attempt may take.
        assert!(!counts(&mut scenario, begin(2, 10, first)));
        assert!(counts(&mut scenario, begin(2, 11, first)));
        // Its server begins a new life, at minute 0 of the scenario's: at once.
        let second = scenario.node_up(NODE, "worker1");
        assert_eq!(messages(&scenario)[0].state, DeliveryState::Sending);
        assert!(
            !counts(&mut scenario, begin(3, 12, first)),
            "of the old life"
        );
        assert!(counts(&mut scenario, begin(3, 12, second)));
        // Another node's life is nothing to it.
        scenario.node_up(odin_model::NodeId(2), "worker2");
        assert!(!counts(&mut scenario, begin(4, 13, second)));
    }

    #[test]
    fn a_message_that_is_given_up_is_an_alert_until_the_channel_takes_one() {
        let (mut scenario, epoch) = scenario();
        let down = |scenario: &Scenario| {
            let of = crate::AlertsOf {
                owner: None,
                job: None,
                kind: Some(AlertKind::ChannelDown),
                state: None,
            };
            scenario.store.reader().alerts(&of, None, 10).unwrap().len()
        };
        assert!(counts(&mut scenario, begin(1, 1, epoch)));
        assert!(counts(&mut scenario, failed(1, 2, None)));
        assert_eq!(
            (messages(&scenario).last().unwrap().state, down(&scenario)),
            (DeliveryState::GivenUp, 1)
        );
        // The next message to the same channel, which takes it.
        scenario.apply(&alert(1));
        let next = messages(&scenario)[0].id;
        assert_ne!(next, DeliveryId(1));
        let mut step = begin(1, 5, epoch);
        let mut taken = done(1, 6);
        for step in [&mut step, &mut taken] {
            let (DeliveryStep::Begin { delivery, .. } | DeliveryStep::Done { delivery, .. }) = step
            else {
                unreachable!("made above")
            };
            *delivery = next;
        }
        assert!(counts(&mut scenario, step));
        assert!(counts(&mut scenario, taken));
        assert_eq!(down(&scenario), 0);
    }

    fn recipient(address: &str, refused: Option<&str>) -> SettledRecipient {
        SettledRecipient {
            address: address.to_owned(),
            refused: refused.map(ToOwned::to_owned),
        }
    }

    /// An attempt of a message that fails for all but these, and is put off until minute 40.
    fn put_off(
        scenario: &mut Scenario,
        (delivery, number): (DeliveryId, u32),
        (at, epoch): (i64, Epoch),
        reached: Vec<SettledRecipient>,
    ) {
        let mut begin = begin(number, at, epoch);
        let mut failed = failed(number, at, Some(40));
        if let DeliveryStep::Begin { delivery: of, .. } = &mut begin {
            *of = delivery;
        }
        if let DeliveryStep::Failed {
            delivery: of,
            settled,
            ..
        } = &mut failed
        {
            (*of, *settled) = (delivery, reached);
        }
        assert!(counts(scenario, begin) && counts(scenario, failed));
    }

    #[test]
    fn a_message_that_some_have_holds_up_no_other_and_knows_who_has_it() {
        let (mut scenario, epoch) = scenario();
        let due = |scenario: &Scenario, at| {
            let overdue = scenario.store.reader().overdue(minute(at), 10).unwrap();
            let deliveries = overdue.deliveries.into_iter();
            deliveries.map(|it| it.id.0).collect::<Vec<_>>()
        };
        let first = DeliveryId(1);
        put_off(&mut scenario, (first, 1), (1, epoch), Vec::new());
        scenario.apply(&alert(1));
        assert_eq!(due(&scenario, 39), [0; 0], "nobody has the first");
        let early = vec![recipient("a", None), recipient("c", Some("550"))];
        put_off(&mut scenario, (first, 2), (40, epoch), early.clone());
        assert_eq!(due(&scenario, 39), [2]);
        assert_eq!(due(&scenario, 40), [1, 2]);
        let settled = |scenario: &Scenario| {
            let found = scenario.store.reader().message(first).unwrap();
            found.unwrap().0.settled
        };
        assert_eq!(settled(&scenario), early);
        let late = vec![recipient("b", None)];
        put_off(&mut scenario, (first, 3), (40, epoch), late.clone());
        assert_eq!(settled(&scenario), [early, late].concat());
    }

    #[test]
    fn messages_that_wait_for_who_was_put_off_are_bounded_and_leave_room_for_others() {
        let (mut scenario, epoch) = scenario();
        for number in 1..=MESSAGES_PUT_OFF_MAX {
            let reached = vec![recipient("a", None)];
            let begun = (DeliveryId(number), 1);
            put_off(&mut scenario, begun, (1, epoch), reached);
            scenario.apply(&alert(usize::try_from(number).unwrap()));
        }
        let next = DeliveryId(MESSAGES_PUT_OFF_MAX + 1);
        assert_eq!(messages(&scenario)[0].id, next, "it has a message");
        // One that is there already has its room.
        let reached = vec![recipient("b", None)];
        put_off(
            &mut scenario,
            (DeliveryId(1), 2),
            (40, epoch),
            reached.clone(),
        );
        put_off(&mut scenario, (next, 1), (41, epoch), reached);
        let all = messages(&scenario).into_iter();
        let given_up = all.filter(|it| it.state == DeliveryState::GivenUp);
        assert_eq!(given_up.map(|it| it.id).collect::<Vec<_>>(), [next]);
    }

    #[test]
    fn messages_are_bounded_and_the_last_says_how_many_alerts_more_there_were() {
        let (mut scenario, _) = scenario();
        let full = usize::try_from(MESSAGES_WAITING_MAX).unwrap() * EVENTS_IN_MESSAGE_MAX;
        for number in 1..full + 3 {
            scenario.apply(&alert(number));
        }
        let found = messages(&scenario);
        assert_eq!(found.len() as u64, MESSAGES_WAITING_MAX);
        assert!(
            found
                .iter()
                .all(|it| it.events == EVENTS_IN_MESSAGE_MAX as u64)
        );
        let more: Vec<u64> = found
            .iter()
            .map(|it| it.more)
            .filter(|it| *it > 0)
            .collect();
        assert_eq!((more, found[0].more), (vec![3], 3));
    }

    #[test]
    fn a_channel_that_goes_takes_its_messages_with_it() {
        let (mut scenario, epoch) = scenario();
        assert!(counts(&mut scenario, begin(1, 1, epoch)));
        let remove = Command::Channel(Box::new(ChannelChange::Remove {
            by: root(),
            name: name(),
            force: false,
        }));
        assert_eq!(scenario.apply(&remove), Reply::Done);
        assert_eq!(messages(&scenario)[0].state, DeliveryState::GivenUp);
        assert!(!counts(&mut scenario, done(1, 2)));
        assert!(!counts(&mut scenario, begin(2, 60, epoch)));
    }
}
