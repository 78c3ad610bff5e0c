//! People answer alerts: they know of one, or want no word of some for a while.

use jiff::{SignedDuration, Timestamp};
use odin_model::alert::{AlertId, AlertKind, AlertRefusal, AlertState, TEXT_BYTES_MAX};
use odin_model::owner::{Owner, Principal, Role};
use odin_model::silence::{SILENCE_DAYS_MAX, SILENCES_MAX, SilenceScope};
use odin_model::{ChannelName, JobId, JobState};
use rusqlite::{Connection, OptionalExtension, params};

use super::channel::{self, refusal};
use super::{Stop, alert, job};
use crate::{StoreError, columns};

/// The shortest silence.
const SILENCE_MIN: SignedDuration = SignedDuration::from_secs(1);

/// Notes that somebody knows of an alert.
pub(super) fn acknowledge(
    conn: &Connection,
    by: &Principal,
    id: AlertId,
    reason: &str,
    at: Timestamp,
) -> Result<(), Stop> {
    by.need(Role::Operator)?;
    need_reason(reason)?;
    let found = alert::find(conn, id)?.filter(|(_, owner)| may(by, owner.as_ref()));
    match found {
        None => return Err(refusal(AlertRefusal::NoSuchAlert(id))),
        Some((AlertState::Resolved, _)) => return Err(refusal(AlertRefusal::AlertOver(id))),
        Some((AlertState::Open | AlertState::Acknowledged, _)) => {}
    }
    conn.prepare_cached(
        "UPDATE alerts SET state = ?2, acknowledged_by = ?3, acknowledged_at = ?4, acknowledged_reason = ?5 WHERE id = ?1",
    )?
    .execute(params![
        columns::count(id.0),
        columns::alert_state(AlertState::Acknowledged),
        by.user.user,
        columns::at(at),
        reason,
    ])?;
    Ok(())
}

/// Whether what belongs to a job's owner, or to nobody, is the asker's to answer.
fn may(by: &Principal, owner: Option<&Owner>) -> bool {
    match owner {
        Some(owner) => by.may_change(owner),
        None => by.role == Role::Admin,
    }
}

fn need_reason(reason: &str) -> Result<(), Stop> {
    match reason.trim().is_empty() || reason.len() > TEXT_BYTES_MAX {
        true => Err(refusal(AlertRefusal::BadReason)),
        false => Ok(()),
    }
}

/// Begins a silence.
pub(super) fn set(
    conn: &Connection,
    by: &Principal,
    scope: &SilenceScope,
    reason: &str,
    (at, until): (Timestamp, Timestamp),
) -> Result<(), Stop> {
    by.need(Role::Operator)?;
    need_reason(reason)?;
    match scope.job {
        Some(id) => {
            job::find_to_change(conn, by, id)?;
        }
        None => by.need(Role::Admin)?,
    }
    if let Some(name) = &scope.channel
        && channel::find(conn, name)?.is_none()
    {
        return Err(refusal(AlertRefusal::NoSuchChannel(name.clone())));
    }
    let lasts = until.duration_since(at);
    if lasts < SILENCE_MIN || lasts > SignedDuration::from_hours(24 * SILENCE_DAYS_MAX) {
        return Err(refusal(AlertRefusal::BadSilence));
    }
    let in_force: i64 = conn
        .prepare_cached("SELECT count(*) FROM silences WHERE until_at > ?1")?
        .query_row([columns::at(at)], |row| row.get(0))?;
    let count = columns::to_count(in_force);
    if usize::try_from(count).is_ok_and(|count| count >= SILENCES_MAX) {
        return Err(refusal(AlertRefusal::TooManySilences { count }));
    }
    insert(conn, by, scope, reason, (at, until))?;
    Ok(())
}

fn insert(
    conn: &Connection,
    by: &Principal,
    scope: &SilenceScope,
    reason: &str,
    (at, until): (Timestamp, Timestamp),
) -> Result<(), StoreError> {
    let last: Option<i64> = conn
        .prepare_cached("SELECT max(id) FROM silences")?
        .query_row([], |row| row.get(0))?;
    let id = last.unwrap_or(0) + 1;
    conn.prepare_cached("DELETE FROM silences WHERE until_at <= ?1")?
        .execute([columns::at(at)])?;
    conn.prepare_cached(
        "INSERT INTO silences (id, by_uid, by_user, job, kind, channel, reason, from_at, until_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        id,
        by.user.uid,
        by.user.user,
        scope.job.map(columns::job_id),
        scope.kind.map(columns::alert_kind),
        scope.channel.as_ref().map(ChannelName::as_str),
        reason,
        columns::at(at),
        columns::at(until),
    ])?;
    Ok(())
}

/// Ends a silence before its time: one's own, one of one's own job, or as an admin.
pub(super) fn end(conn: &Connection, by: &Principal, id: u64, at: Timestamp) -> Result<(), Stop> {
    by.need(Role::Operator)?;
    let found: Option<(u32, String, Option<i64>)> = conn
        .prepare_cached(
            "SELECT by_uid, by_user, job FROM silences WHERE id = ?1 AND until_at > ?2",
        )?
        .query_row((columns::count(id), columns::at(at)), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let not_there = || refusal(AlertRefusal::NoSuchSilence(id));
    let (uid, user, of_job) = found.ok_or_else(not_there)?;
    let maker = Owner { user, uid };
    let owner = match of_job {
        Some(id) => job::find(conn, columns::to_job_id(id))?
            .filter(|job| job.state != JobState::Removed)
            .map(|job| job.owner),
        None => None,
    };
    if !by.may_change(&maker) && !may(by, owner.as_ref()) {
        return Err(not_there());
    }
    conn.prepare_cached("UPDATE silences SET until_at = ?2 WHERE id = ?1")?
        .execute((columns::count(id), columns::at(at)))?;
    Ok(())
}

/// Whether word of an alert to a channel is silenced at that instant.
pub(super) fn covers(
    conn: &Connection,
    job: Option<JobId>,
    kind: AlertKind,
    channel: &ChannelName,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM silences WHERE until_at > ?1 AND (job IS NULL OR job = ?2) \
         AND (kind IS NULL OR kind = ?3) AND (channel IS NULL OR channel = ?4))",
    )?;
    let covered = statement.query_row(
        params![
            columns::at(at),
            job.map(columns::job_id),
            columns::alert_kind(kind),
            channel.as_str()
        ],
        |row| row.get(0),
    )?;
    Ok(covered)
}

#[cfg(test)]
mod tests {
    use odin_model::alert::{AlertChange, AlertKey, Raised, Subject};
    use odin_model::channel::{ChannelChange, ChannelSpec, Target, WebhookTarget};
    use odin_model::{Command, Refusal, Reply};

    use super::*;
    use crate::scenario::{Scenario, ann, bob, minute, person, root};

    const REASON: &str = "known";

    fn silence(by: Principal, scope: SilenceScope, (from, until): (i64, i64)) -> Command {
        Command::Alert(Box::new(AlertChange::Silence {
            by,
            scope,
            reason: REASON.to_owned(),
            until: minute(until),
            at: minute(from),
        }))
    }

    fn unsilence(by: Principal, silence: u64, at: i64) -> Command {
        Command::Alert(Box::new(AlertChange::Unsilence {
            by,
            silence,
            at: minute(at),
        }))
    }

    fn of_job(job: JobId) -> SilenceScope {
        SilenceScope {
            job: Some(job),
            kind: None,
            channel: None,
        }
    }

    fn of_all() -> SilenceScope {
        SilenceScope {
            job: None,
            kind: None,
            channel: None,
        }
    }

    fn ids(scenario: &Scenario, at: i64) -> Vec<u64> {
        let silences = scenario.store.reader().silences(minute(at)).unwrap();
        silences.iter().map(|it| it.id).collect()
    }

    #[test]
    fn a_job_is_silenced_by_those_who_may_change_it_and_all_by_admins() {
        let mut scenario = Scenario::new();
        let job = scenario.deploy(crate::scenario::deploy("nightly"));
        let needed = |role| Refusal::RoleNeeded { needed: role };
        let viewer = person("ann", Role::Viewer);
        for (command, expected) in [
            (silence(viewer, of_job(job), (0, 9)), needed(Role::Operator)),
            (silence(bob(), of_job(job), (0, 9)), Refusal::NoSuchJob(job)),
            (silence(ann(), of_all(), (0, 9)), needed(Role::Admin)),
        ] {
            assert_eq!(scenario.refused(&command), expected, "{command:?}");
        }
        for by in [ann(), root()] {
            let command = silence(by, of_job(job), (0, 9));
            assert_eq!(scenario.apply(&command), Reply::Done);
        }
        assert_eq!(
            scenario.apply(&silence(root(), of_all(), (0, 9))),
            Reply::Done
        );
        assert_eq!(ids(&scenario, 1), [1, 2, 3]);
        let not_there = |id| Refusal::Alert(AlertRefusal::NoSuchSilence(id));
        assert_eq!(scenario.refused(&unsilence(bob(), 1, 1)), not_there(1));
        assert_eq!(scenario.refused(&unsilence(ann(), 3, 1)), not_there(3));
        assert_eq!(scenario.refused(&unsilence(root(), 4, 1)), not_there(4));
        // An owner ends what an admin made of their job.
        assert_eq!(scenario.apply(&unsilence(ann(), 2, 1)), Reply::Done);
        assert_eq!(scenario.refused(&unsilence(ann(), 2, 2)), not_there(2));
        assert_eq!(ids(&scenario, 2), [1, 3]);
    }

    #[test]
    fn a_silence_has_a_length_a_reason_and_a_channel_that_is_there() {
        let mut scenario = Scenario::new();
        let days = SILENCE_DAYS_MAX * 24 * 60;
        let bad = Refusal::Alert(AlertRefusal::BadSilence);
        for (from, until) in [(5, 5), (5, 4), (0, days + 1)] {
            let command = silence(root(), of_all(), (from, until));
            assert_eq!(scenario.refused(&command), bad, "{from} to {until}");
        }
        let name = ChannelName::parse("ops").unwrap();
        let scope = SilenceScope {
            channel: Some(name.clone()),
            ..of_all()
        };
        let missing = Refusal::Alert(AlertRefusal::NoSuchChannel(name));
        assert_eq!(scenario.refused(&silence(root(), scope, (0, 9))), missing);
        for reason in [
            String::new(),
            " ".to_owned(),
            "x".repeat(TEXT_BYTES_MAX + 1),
        ] {
            let command = Command::Alert(Box::new(AlertChange::Silence {
                by: root(),
                scope: of_all(),
                reason,
                until: minute(9),
                at: minute(0),
            }));
            let bad = Refusal::Alert(AlertRefusal::BadReason);
            assert_eq!(scenario.refused(&command), bad);
        }
        let longest = silence(root(), of_all(), (0, days));
        assert_eq!(scenario.apply(&longest), Reply::Done);
    }

    #[test]
    fn silences_in_force_are_bounded_and_those_that_are_over_make_room() {
        let mut scenario = Scenario::new();
        let count = u64::try_from(SILENCES_MAX).unwrap();
        for _ in 0..count {
            let command = silence(root(), of_all(), (0, 5));
            assert_eq!(scenario.apply(&command), Reply::Done);
        }
        let refused = scenario.refused(&silence(root(), of_all(), (4, 9)));
        assert_eq!(
            refused,
            Refusal::Alert(AlertRefusal::TooManySilences { count })
        );
        assert_eq!(
            scenario.apply(&silence(root(), of_all(), (5, 9))),
            Reply::Done
        );
        assert_eq!(ids(&scenario, 5), [count + 1], "ids count on");
    }

    #[test]
    fn what_is_silenced_is_an_alert_and_no_message() {
        for (scope, silenced) in [
            (of_all(), true),
            (
                SilenceScope {
                    kind: Some(AlertKind::LoopStuck),
                    ..of_all()
                },
                true,
            ),
            (
                SilenceScope {
                    kind: Some(AlertKind::NodeDown),
                    ..of_all()
                },
                false,
            ),
        ] {
            let mut scenario = Scenario::new();
            let mut spec = ChannelSpec::new(Target::Webhook(WebhookTarget {
                url: "https://example.org/".to_owned(),
                secret: None,
            }));
            spec.server_alerts = true;
            scenario.apply(&Command::Channel(Box::new(ChannelChange::Set {
                by: root(),
                name: ChannelName::parse("ops").unwrap(),
                spec,
                token: 1,
                at: minute(0),
            })));
            scenario.apply(&silence(root(), scope.clone(), (0, 5)));
            let mut messages = Vec::new();
            // While it is in force, and after.
            for (number, at) in [(1, 1), (2, 5)] {
                let detail = format!("loop {number}");
                let key = AlertKey::detailed(AlertKind::LoopStuck, Subject::Cluster, &detail);
                let raised = Raised {
                    key,
                    run: None,
                    text: "a loop stands still".to_owned(),
                };
                scenario.apply(&Command::Alert(Box::new(AlertChange::Raise {
                    alerts: vec![raised],
                    at: minute(at),
                })));
                let found = scenario.store.reader().deliveries(None, None, 10).unwrap();
                messages.push(found.iter().map(|it| it.events).sum::<u64>());
            }
            let expected = if silenced { [0, 1] } else { [1, 2] };
            assert_eq!(messages, expected, "{scope:?}");
        }
    }
}
