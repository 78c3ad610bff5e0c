//! Secrets: set, removed, shared. And which jobs use them.

use odin_model::job::Visibility;
use odin_model::owner::{Owner, Principal, Role};
use odin_model::secret::{
    SECRETS_OF_OWNER_MAX, SealedSecret, SecretChange, SecretName, SecretRefusal, SecretUsers,
};
use odin_model::{JobId, JobSpec, Refusal, Reply, codec};
use rusqlite::{Connection, params};

use super::{Batch, Stop};
use crate::secrets::{self, Users};
use crate::{StoreError, columns};

pub(super) fn apply(batch: &mut Batch<'_>, change: &SecretChange) -> Result<Reply, Stop> {
    let conn = batch.conn;
    match change {
        SecretChange::Set {
            by,
            owner,
            name,
            sealed,
            at,
        } => {
            need_operator_of(by, owner)?;
            need_room(conn, owner, name)?;
            set(conn, owner, name, sealed, columns::at(*at))?;
        }
        SecretChange::Remove {
            by,
            owner,
            name,
            users,
        } => {
            need_operator_of(by, owner)?;
            need_secret(conn, owner, name)?;
            need_unused(name, *users, || {
                secrets::users(conn, owner, name, seen_by(by))
            })?;
            need_no_sender(conn, name, *users, || secrets::meant_by(conn, owner, name))?;
            remove(conn, owner, name)?;
        }
        SecretChange::Share {
            by,
            owner,
            name,
            with,
            at,
        } => {
            by.need(Role::Admin)?;
            need_secret(conn, owner, name)?;
            if need_free_share(conn, owner, name, with)? {
                share(conn, owner, name, with, columns::at(*at))?;
            }
        }
        SecretChange::Unshare {
            by,
            owner,
            name,
            with,
            users,
        } => {
            by.need(Role::Admin)?;
            need_secret(conn, owner, name)?;
            if secrets::shared_by(conn, with, name)?.as_ref() != Some(owner) {
                return Err(refusal(SecretRefusal::NotShared {
                    name: name.clone(),
                    with: with.user.clone(),
                }));
            }
            need_unused(name, *users, || {
                let mut users = Users::default();
                secrets::users_of_share(conn, with, name, seen_by(by), &mut users)?;
                Ok(users)
            })?;
            need_no_sender(conn, name, *users, || {
                // One of the user's own is what the name means for them.
                match secrets::is_there(conn, with, name)? {
                    true => Ok(Vec::new()),
                    false => Ok(vec![with.clone()]),
                }
            })?;
            unshare(conn, with, name)?;
        }
    }
    Ok(Reply::Done)
}

fn refusal(refusal: SecretRefusal) -> Stop {
    Stop::Refused(Refusal::Secret(refusal))
}

/// Whose jobs a refusal may name.
fn seen_by(by: &Principal) -> Option<&Owner> {
    (by.role != Role::Admin).then_some(&by.user)
}

/// One's own takes an operator, somebody else's an admin.
fn need_operator_of(by: &Principal, owner: &Owner) -> Result<(), Stop> {
    if by.user == *owner {
        return Ok(by.need(Role::Operator)?);
    }
    Ok(by.need(Role::Admin)?)
}

fn need_secret(conn: &Connection, owner: &Owner, name: &SecretName) -> Result<(), Stop> {
    if secrets::is_there(conn, owner, name)? {
        return Ok(());
    }
    Err(refusal(SecretRefusal::NotFound {
        name: name.clone(),
        owner: owner.user.clone(),
    }))
}

fn need_room(conn: &Connection, owner: &Owner, name: &SecretName) -> Result<(), Stop> {
    if secrets::is_there(conn, owner, name)? {
        return Ok(());
    }
    let count: i64 = conn
        .prepare_cached("SELECT count(*) FROM secrets WHERE owner_uid = ?1 AND owner_user = ?2")?
        .query_row(params![owner.uid, owner.user], |row| row.get(0))?;
    let count = columns::to_count(count);
    if usize::try_from(count).is_ok_and(|count| count < SECRETS_OF_OWNER_MAX) {
        return Ok(());
    }
    Err(refusal(SecretRefusal::TooMany {
        owner: owner.user.clone(),
        count,
    }))
}

fn need_unused(
    name: &SecretName,
    choice: SecretUsers,
    users: impl FnOnce() -> Result<Users, StoreError>,
) -> Result<(), Stop> {
    if choice == SecretUsers::Ignore {
        return Ok(());
    }
    match users()? {
        Users { count: 0, .. } => Ok(()),
        Users { jobs, count } => Err(refusal(SecretRefusal::InUse {
            name: name.clone(),
            jobs,
            count,
        })),
    }
}

/// Jobs are named first: their runs would end badly, what channels and sinks would send waits.
fn need_no_sender(
    conn: &Connection,
    name: &SecretName,
    choice: SecretUsers,
    meant_by: impl FnOnce() -> Result<Vec<Owner>, StoreError>,
) -> Result<(), Stop> {
    if choice == SecretUsers::Ignore {
        return Ok(());
    }
    let users = meant_by()?;
    let mut channels = secrets::channels_of_users(conn, &users, name)?;
    if !channels.is_empty() {
        let count = shorten(&mut channels);
        return Err(refusal(SecretRefusal::UsedByChannels {
            name: name.clone(),
            channels,
            count,
        }));
    }
    let mut sinks = secrets::sinks_of_users(conn, &users, name)?;
    if !sinks.is_empty() {
        let count = shorten(&mut sinks);
        return Err(refusal(SecretRefusal::UsedBySinks {
            name: name.clone(),
            sinks,
            count,
        }));
    }
    Ok(())
}

/// Leaves as many as a refusal names, and tells how many there were.
fn shorten<T>(names: &mut Vec<T>) -> u64 {
    let count = u64::try_from(names.len()).unwrap_or(u64::MAX);
    names.truncate(secrets::USERS_SHOWN_MAX);
    count
}

/// Whether it is still to be shared. A name means at most one secret of others for each user.
fn need_free_share(
    conn: &Connection,
    owner: &Owner,
    name: &SecretName,
    with: &Owner,
) -> Result<bool, Stop> {
    if owner == with {
        return Err(refusal(SecretRefusal::OwnShare {
            name: name.clone(),
            owner: owner.user.clone(),
        }));
    }
    match secrets::shared_by(conn, with, name)? {
        None => Ok(true),
        Some(other) if other == *owner => Ok(false),
        Some(other) => Err(refusal(SecretRefusal::ShareTaken {
            name: name.clone(),
            owner: other.user,
            with: with.user.clone(),
        })),
    }
}

/// Refuses a job whose owner may not use a secret that it names.
pub(super) fn need_usable(conn: &Connection, owner: &Owner, spec: &JobSpec) -> Result<(), Stop> {
    for used in &spec.secrets {
        if secrets::usable(conn, owner, &used.name)?.is_none() {
            return Err(refusal(SecretRefusal::NoSuchSecret {
                name: used.name.clone(),
                owner: owner.user.clone(),
            }));
        }
    }
    Ok(())
}

/// Notes which secrets a job's current version names. Hidden jobs are run once and then forgotten: they keep no
/// secret from being removed.
pub(super) fn note_uses(
    conn: &Connection,
    job: JobId,
    spec: &JobSpec,
    visibility: Visibility,
) -> Result<(), StoreError> {
    forget_uses(conn, job)?;
    if visibility == Visibility::Hidden {
        return Ok(());
    }
    for used in &spec.secrets {
        conn.prepare_cached("INSERT OR IGNORE INTO job_secrets (job, name) VALUES (?1, ?2)")?
            .execute(params![columns::job_id(job), used.name.as_str()])?;
    }
    Ok(())
}

/// A job that is removed uses none.
pub(super) fn forget_uses(conn: &Connection, job: JobId) -> Result<(), StoreError> {
    conn.prepare_cached("DELETE FROM job_secrets WHERE job = ?1")?
        .execute([columns::job_id(job)])?;
    Ok(())
}

fn set(
    conn: &Connection,
    owner: &Owner,
    name: &SecretName,
    sealed: &SealedSecret,
    at: i64,
) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO secrets (owner_uid, owner_user, name, key, sealed, set_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
         ON CONFLICT (owner_uid, owner_user, name) DO UPDATE SET key = ?4, sealed = ?5, set_at = ?6",
    )?
    .execute(params![
        owner.uid,
        owner.user,
        name.as_str(),
        sealed.key.0,
        codec::encode(sealed),
        at,
    ])?;
    Ok(())
}

fn remove(conn: &Connection, owner: &Owner, name: &SecretName) -> Result<(), StoreError> {
    for table in ["secret_shares", "secrets"] {
        conn.prepare_cached(&format!(
            "DELETE FROM {table} WHERE owner_uid = ?1 AND owner_user = ?2 AND name = ?3"
        ))?
        .execute(params![owner.uid, owner.user, name.as_str()])?;
    }
    Ok(())
}

fn share(
    conn: &Connection,
    owner: &Owner,
    name: &SecretName,
    with: &Owner,
    at: i64,
) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO secret_shares (with_uid, with_user, name, owner_uid, owner_user, shared_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        with.uid,
        with.user,
        name.as_str(),
        owner.uid,
        owner.user,
        at
    ])?;
    Ok(())
}

fn unshare(conn: &Connection, with: &Owner, name: &SecretName) -> Result<(), StoreError> {
    conn.prepare_cached(
        "DELETE FROM secret_shares WHERE with_uid = ?1 AND with_user = ?2 AND name = ?3",
    )?
    .execute(params![with.uid, with.user, name.as_str()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use odin_model::channel::{ChannelChange, ChannelSpec, Target, WebhookTarget};
    use odin_model::command::{Command, Deploy};
    use odin_model::owner::{Owner, Principal, Role};
    use odin_model::secret::{
        SECRETS_OF_OWNER_MAX, SealedSecret, SealingKeyId, SecretChange, SecretName, SecretRefusal,
        SecretUse, SecretUsers,
    };
    use odin_model::sink::{SinkChange, SinkName, SinkSpec, SinkTarget};
    use odin_model::{ChannelName, JobId, Refusal, Reply, SecretDelivery};

    use crate::scenario::{Scenario, ann, bob, deploy, due_after, minute, person, root};

    fn name(text: &str) -> SecretName {
        SecretName::parse(text).unwrap()
    }

    fn sealed(byte: u8) -> SealedSecret {
        SealedSecret {
            key: SealingKeyId([1; 8]),
            nonce: [byte; 24],
            ciphertext: vec![byte; 20],
        }
    }

    fn set(by: Principal, owner: Owner, text: &str, byte: u8) -> Command {
        Command::Secret(Box::new(SecretChange::Set {
            by,
            owner,
            name: name(text),
            sealed: sealed(byte),
            at: minute(i64::from(byte)),
        }))
    }

    fn remove(by: Principal, owner: Owner, text: &str, users: SecretUsers) -> Command {
        Command::Secret(Box::new(SecretChange::Remove {
            by,
            owner,
            name: name(text),
            users,
        }))
    }

    fn share(by: Principal, owner: Owner, text: &str, with: Owner) -> Command {
        Command::Secret(Box::new(SecretChange::Share {
            by,
            owner,
            name: name(text),
            with,
            at: minute(9),
        }))
    }

    fn unshare(owner: Owner, text: &str, with: Owner, users: SecretUsers) -> Command {
        Command::Secret(Box::new(SecretChange::Unshare {
            by: root(),
            owner,
            name: name(text),
            with,
            users,
        }))
    }

    fn using(by: Principal, job: &str, secret: &str) -> Deploy {
        let mut deploy = deploy(job);
        deploy.by = by;
        deploy.spec.secrets = vec![SecretUse {
            name: name(secret),
            delivery: SecretDelivery::Env,
        }];
        deploy
    }

    /// The first byte of the value that the name means for the user.
    fn meant(scenario: &Scenario, user: &Owner, text: &str) -> Option<(String, u8)> {
        let found = scenario.store.reader().usable_secret(user, &name(text));
        let (owner, sealed) = found.unwrap()?;
        Some((owner.user, sealed.ciphertext[0]))
    }

    fn refusal(scenario: &mut Scenario, command: &Command) -> SecretRefusal {
        match scenario.refused(command) {
            Refusal::Secret(refusal) => refusal,
            other => panic!("{other:?}"),
        }
    }

    /// Ann's `KEY`, shared with Bob.
    fn scenario() -> Scenario {
        let mut scenario = Scenario::new();
        scenario.apply(&set(ann(), ann().user, "KEY", 1));
        scenario.apply(&share(root(), ann().user, "KEY", bob().user));
        scenario
    }

    #[test]
    fn a_name_means_ones_own_secret_and_else_the_shared_one() {
        let mut scenario = scenario();
        let found = |scenario: &Scenario| meant(scenario, &bob().user, "KEY");
        assert_eq!(found(&scenario), Some(("ann".to_owned(), 1)));
        scenario.apply(&set(bob(), bob().user, "KEY", 2));
        assert_eq!(found(&scenario), Some(("bob".to_owned(), 2)));
        scenario.apply(&remove(bob(), bob().user, "KEY", SecretUsers::Protect));
        scenario.apply(&set(ann(), ann().user, "KEY", 3));
        assert_eq!(found(&scenario), Some(("ann".to_owned(), 3)));
        scenario.apply(&unshare(
            ann().user,
            "KEY",
            bob().user,
            SecretUsers::Protect,
        ));
        assert_eq!(found(&scenario), None);
        let other_uid = Owner {
            uid: 7,
            ..ann().user
        };
        assert_eq!(meant(&scenario, &other_uid, "KEY"), None);
    }

    #[test]
    fn a_removed_secret_is_shared_no_longer_even_if_it_comes_again() {
        let mut scenario = scenario();
        scenario.apply(&remove(ann(), ann().user, "KEY", SecretUsers::Protect));
        scenario.apply(&set(ann(), ann().user, "KEY", 2));
        assert_eq!(meant(&scenario, &bob().user, "KEY"), None);
    }

    #[test]
    fn only_its_owner_and_admins_change_a_secret_and_only_admins_share() {
        let mut scenario = scenario();
        let admin = Refusal::RoleNeeded {
            needed: Role::Admin,
        };
        for command in [
            set(bob(), ann().user, "KEY", 2),
            set(bob(), ann().user, "OTHER", 2),
            remove(bob(), ann().user, "KEY", SecretUsers::Ignore),
            share(ann(), ann().user, "KEY", person("eve", Role::Operator).user),
            share(bob(), ann().user, "KEY", person("eve", Role::Operator).user),
        ] {
            assert_eq!(scenario.refused(&command), admin, "{command:?}");
        }
        let viewer = person("ann", Role::Viewer);
        let needed = Role::Operator;
        let command = set(viewer, ann().user, "KEY", 2);
        assert_eq!(scenario.refused(&command), Refusal::RoleNeeded { needed });
        assert_eq!(
            scenario.apply(&set(root(), ann().user, "KEY", 2)),
            Reply::Done
        );
        let found = meant(&scenario, &ann().user, "KEY");
        assert_eq!(found, Some(("ann".to_owned(), 2)));
    }

    #[test]
    fn a_share_that_would_be_ambiguous_or_pointless_is_refused() {
        let mut scenario = scenario();
        let eve = person("eve", Role::Operator);
        scenario.apply(&set(eve.clone(), eve.user.clone(), "KEY", 2));
        let taken = SecretRefusal::ShareTaken {
            name: name("KEY"),
            owner: "ann".to_owned(),
            with: "bob".to_owned(),
        };
        let command = share(root(), eve.user.clone(), "KEY", bob().user);
        assert_eq!(refusal(&mut scenario, &command), taken);
        let command = share(root(), ann().user, "KEY", ann().user);
        assert_eq!(refusal(&mut scenario, &command).code(), "secret/own-share");
        let command = share(root(), ann().user, "NONE", bob().user);
        assert_eq!(refusal(&mut scenario, &command).code(), "secret/not-found");
        let command = unshare(ann().user, "KEY", eve.user, SecretUsers::Ignore);
        assert_eq!(refusal(&mut scenario, &command).code(), "secret/not-shared");
        let again = share(root(), ann().user, "KEY", bob().user);
        assert_eq!(scenario.apply(&again), Reply::Done);
    }

    #[test]
    fn a_job_names_only_secrets_that_its_owner_may_use() {
        let mut scenario = scenario();
        let command = |deploy| Command::Deploy(Box::new(deploy));
        let refused = refusal(&mut scenario, &command(using(ann(), "nightly", "NONE")));
        assert_eq!(refused.code(), "job/no-such-secret");
        let eve = person("eve", Role::Operator);
        let refused = refusal(&mut scenario, &command(using(eve, "nightly", "KEY")));
        assert_eq!(refused.code(), "job/no-such-secret");
        scenario.deploy(using(ann(), "nightly", "KEY"));
        let mut bobs = using(bob(), "nightly", "KEY");
        bobs.fresh_id = JobId::from_bits(5);
        let id = scenario.deploy(bobs.clone());
        // An admin's new version of Bob's job gets what Bob may use.
        (bobs.by, bobs.id, bobs.due) = (root(), Some(id), due_after(0));
        assert_eq!(scenario.deploy(bobs), id);
    }

    #[test]
    fn a_secret_that_channels_use_is_removed_only_by_force_and_they_are_named() {
        let mut scenario = Scenario::new();
        let channel = |by: Principal, channel: &str| {
            let spec = ChannelSpec::new(Target::Webhook(WebhookTarget {
                url: "https://example.org/".to_owned(),
                secret: Some(name("KEY")),
            }));
            Command::Channel(Box::new(ChannelChange::Set {
                by,
                name: ChannelName::parse(channel).unwrap(),
                spec,
                token: 1,
                at: minute(0),
            }))
        };
        let eve = person("eve", Role::Admin);
        let missing = refusal(&mut scenario, &channel(root(), "ops"));
        assert_eq!(missing.code(), "secret/not-found");
        scenario.apply(&set(root(), root().user, "KEY", 1));
        scenario.apply(&share(root(), root().user, "KEY", eve.user.clone()));
        for (by, name) in [(eve.clone(), "night"), (root(), "ops")] {
            assert_eq!(scenario.apply(&channel(by, name)), Reply::Done);
        }
        let protect = remove(root(), root().user, "KEY", SecretUsers::Protect);
        let refused = refusal(&mut scenario, &protect);
        assert_eq!(refused.code(), "secret/in-use");
        let text = "the secret `KEY` is used by the channels `night`, `ops`";
        assert_eq!(refused.to_string(), text);
        let protect = unshare(root().user, "KEY", eve.user.clone(), SecretUsers::Protect);
        let text = "the secret `KEY` is used by the channel `night`";
        assert_eq!(refusal(&mut scenario, &protect).to_string(), text);
        // The name means Eve's own from now on.
        scenario.apply(&set(eve.clone(), eve.user.clone(), "KEY", 2));
        assert_eq!(scenario.apply(&protect), Reply::Done);
        let force = remove(root(), root().user, "KEY", SecretUsers::Ignore);
        assert_eq!(scenario.apply(&force), Reply::Done);
    }

    #[test]
    fn a_secret_that_sinks_use_is_removed_only_by_force_and_they_are_named() {
        let mut scenario = Scenario::new();
        let sink = |by: Principal, sink: &str| {
            let mut spec = SinkSpec::new(SinkTarget::RemoteWrite {
                url: "https://example.org/".to_owned(),
                user: None,
            });
            spec.secret = Some(name("KEY"));
            Command::Sink(Box::new(SinkChange::Set {
                by,
                name: SinkName::parse(sink).unwrap(),
                spec,
                token: 1,
                at: minute(0),
            }))
        };
        let eve = person("eve", Role::Admin);
        let missing = refusal(&mut scenario, &sink(root(), "prom"));
        assert_eq!(missing.code(), "secret/not-found");
        scenario.apply(&set(root(), root().user, "KEY", 1));
        scenario.apply(&share(root(), root().user, "KEY", eve.user.clone()));
        for (by, name) in [(eve.clone(), "night"), (root(), "prom")] {
            assert_eq!(scenario.apply(&sink(by, name)), Reply::Done);
        }
        let protect = remove(root(), root().user, "KEY", SecretUsers::Protect);
        let refused = refusal(&mut scenario, &protect);
        assert_eq!(refused.code(), "secret/in-use");
        let text = "the secret `KEY` is used by the sinks `night`, `prom`";
        assert_eq!(refused.to_string(), text);
        let protect = unshare(root().user, "KEY", eve.user.clone(), SecretUsers::Protect);
        let text = "the secret `KEY` is used by the sink `night`";
        assert_eq!(refusal(&mut scenario, &protect).to_string(), text);
        let force = remove(root(), root().user, "KEY", SecretUsers::Ignore);
        assert_eq!(scenario.apply(&force), Reply::Done);
    }

    #[test]
    fn a_secret_that_jobs_use_is_removed_only_by_force_and_they_are_named() {
        let mut scenario = scenario();
        let ours = scenario.deploy(using(ann(), "ours", "KEY"));
        let theirs = scenario.deploy(using(bob(), "theirs", "KEY"));
        let protect = remove(ann(), ann().user, "KEY", SecretUsers::Protect);
        let refused = refusal(&mut scenario, &protect);
        let expected = format!("the secret `KEY` is used by `ours` ({ours}) and 1 more");
        assert_eq!(refused.to_string(), expected);
        let by_root = remove(root(), ann().user, "KEY", SecretUsers::Protect);
        let refused = refusal(&mut scenario, &by_root);
        let expected = format!("the secret `KEY` is used by `ours` ({ours}), `theirs` ({theirs})");
        assert_eq!(refused.to_string(), expected);
        let command = unshare(ann().user, "KEY", bob().user, SecretUsers::Protect);
        assert_eq!(refusal(&mut scenario, &command).code(), "secret/in-use");

        // Bob's job uses his own from now on, and ours is removed.
        scenario.apply(&set(bob(), bob().user, "KEY", 2));
        scenario.apply(&Command::Remove {
            by: ann(),
            job: ours,
            expected: None,
            at: minute(0),
        });
        assert_eq!(scenario.apply(&protect), Reply::Done);
        let force = remove(bob(), bob().user, "KEY", SecretUsers::Ignore);
        assert_eq!(scenario.apply(&force), Reply::Done);
        assert_eq!(meant(&scenario, &bob().user, "KEY"), None);
    }

    #[test]
    fn a_new_version_without_the_secret_uses_it_no_longer() {
        let mut scenario = scenario();
        scenario.deploy(using(ann(), "ours", "KEY"));
        scenario.deploy(deploy("ours"));
        let protect = remove(ann(), ann().user, "KEY", SecretUsers::Protect);
        assert_eq!(scenario.apply(&protect), Reply::Done);
    }

    #[test]
    fn an_owner_has_a_bounded_number_of_secrets() {
        let mut scenario = Scenario::new();
        for count in 0..SECRETS_OF_OWNER_MAX {
            scenario.apply(&set(ann(), ann().user, &format!("S{count}"), 1));
        }
        let command = set(ann(), ann().user, "MORE", 1);
        assert_eq!(refusal(&mut scenario, &command).code(), "secret/too-many");
        scenario.apply(&set(ann(), ann().user, "S7", 2));
        scenario.apply(&set(bob(), bob().user, "MORE", 1));
    }
}
