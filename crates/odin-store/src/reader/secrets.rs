//! Secrets: who has which, and what a job's names mean.

use jiff::Timestamp;
use odin_model::JobId;
use odin_model::job::JobName;
use odin_model::owner::Owner;
use odin_model::secret::{SealedSecret, SealingKeyId, SecretName};
use rusqlite::{Connection, Row, params};

use super::Reader;
use crate::secrets::{self, Users};
use crate::{StoreError, columns};

/// A secret as lists show it: everything but its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretEntry {
    /// Whose it is.
    pub owner: Owner,
    /// Its name.
    pub name: SecretName,
    /// When it got its value: the leader's wall clock.
    pub set_at: Timestamp,
    /// Which key sealed it.
    pub key: SealingKeyId,
    /// Whose jobs may use it beside the owner's, by user name.
    pub shared_with: Vec<Owner>,
    /// Deployed jobs that use it and may be seen: the first by name.
    pub used_by: Vec<(JobId, JobName)>,
    /// How many jobs use it.
    pub used_by_count: u64,
}

/// Where a page of secrets begins: after this one. Lists are in the order of both, the owner's uid first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretsAfter {
    /// The last secret's owner.
    pub owner: Owner,
    /// The last secret's name.
    pub name: String,
}

/// A page of secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretsPage {
    /// The secrets, in order.
    pub secrets: Vec<SecretEntry>,
    /// Where the next page begins. `None`: this was the last.
    pub next: Option<SecretsAfter>,
}

impl Reader {
    /// Up to `limit` secrets, those of one user and those shared with that user, or all, after the last of the page
    /// before.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn secrets(
        &self,
        usable_by: Option<&Owner>,
        after: Option<&SecretsAfter>,
        limit: usize,
    ) -> Result<SecretsPage, StoreError> {
        let sql = "SELECT owner_uid, owner_user, name, key, set_at FROM secrets s \
             WHERE (owner_uid, owner_user, name) > (?1, ?2, ?3) AND (?4 IS NULL OR (owner_uid = ?4 AND owner_user = ?5) \
             OR EXISTS (SELECT 1 FROM secret_shares h WHERE h.with_uid = ?4 AND h.with_user = ?5 AND h.name = s.name \
             AND h.owner_uid = s.owner_uid AND h.owner_user = s.owner_user)) \
             ORDER BY owner_uid, owner_user, name LIMIT ?6";
        let (uid, user, name) = after.map_or((-1, "", ""), |after| {
            let owner = &after.owner;
            (
                i64::from(owner.uid),
                owner.user.as_str(),
                after.name.as_str(),
            )
        });
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(sql)?;
            let mut rows = statement.query(params![
                uid,
                user,
                name,
                usable_by.map(|owner| owner.uid),
                usable_by.map(|owner| owner.user.as_str()),
                columns::limit(limit),
            ])?;
            let mut secrets = Vec::new();
            while let Some(row) = rows.next()? {
                secrets.push(read(conn, row, usable_by)?);
            }
            let next = secrets
                .last()
                .filter(|_| secrets.len() == limit)
                .map(|last| SecretsAfter {
                    owner: last.owner.clone(),
                    name: last.name.to_string(),
                });
            Ok(SecretsPage { secrets, next })
        })
    }

    /// One secret of an owner. `usable_by` is as for lists: whose jobs are named.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn secret(
        &self,
        usable_by: Option<&Owner>,
        owner: &Owner,
        name: &SecretName,
    ) -> Result<Option<SecretEntry>, StoreError> {
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT owner_uid, owner_user, name, key, set_at FROM secrets \
                 WHERE owner_uid = ?1 AND owner_user = ?2 AND name = ?3",
            )?;
            let mut rows = statement.query(params![owner.uid, owner.user, name.as_str()])?;
            match rows.next()? {
                Some(row) => read(conn, row, usable_by).map(Some),
                None => Ok(None),
            }
        })
    }

    /// The secret that a name means for jobs of `user`, with whose it is: their own, else the one shared with them.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn usable_secret(
        &self,
        user: &Owner,
        name: &SecretName,
    ) -> Result<Option<(Owner, SealedSecret)>, StoreError> {
        self.pool.ask(|conn| secrets::usable(conn, user, name))
    }

    /// The keys that are needed to open all secrets.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn sealing_keys(&self) -> Result<Vec<SealingKeyId>, StoreError> {
        self.pool.ask(|conn| {
            let mut statement =
                conn.prepare_cached("SELECT DISTINCT key FROM secrets ORDER BY key")?;
            let keys = statement.query_map([], |row| Ok(SealingKeyId(row.get(0)?)))?;
            Ok(keys.collect::<Result<_, _>>()?)
        })
    }
}

fn read(
    conn: &Connection,
    row: &Row<'_>,
    usable_by: Option<&Owner>,
) -> Result<SecretEntry, StoreError> {
    let owner = secrets::to_owner(row)?;
    let name: String = row.get(2)?;
    let name = SecretName::parse(&name).map_err(|_| StoreError::damaged("the name of a secret"))?;
    let Users { jobs, count } = secrets::users(conn, &owner, &name, usable_by)?;
    Ok(SecretEntry {
        key: SealingKeyId(row.get(3)?),
        set_at: columns::to_at(row.get(4)?),
        shared_with: secrets::shared_with(conn, &owner, &name)?,
        used_by: jobs,
        used_by_count: count,
        owner,
        name,
    })
}

#[cfg(test)]
mod tests {
    use odin_model::command::Command;
    use odin_model::owner::Owner;
    use odin_model::secret::{SealedSecret, SealingKeyId, SecretChange, SecretName};

    use crate::Reader;
    use crate::scenario::{Scenario, ann, bob, minute, root};

    fn pages(reader: &Reader, user: Option<&Owner>, limit: usize) -> Vec<String> {
        let (mut after, mut found) = (None, Vec::new());
        loop {
            let page = reader.secrets(user, after.as_ref(), limit).unwrap();
            let lines = page.secrets.iter();
            found.extend(lines.map(|it| format!("{}/{}", it.owner.user, it.name)));
            match page.next {
                Some(next) => after = Some(next),
                None => return found,
            }
        }
    }

    #[test]
    fn pages_of_any_size_hold_ones_own_and_shared_secrets_once() {
        let mut scenario = Scenario::new();
        for (by, name) in [(ann(), "B"), (ann(), "A"), (bob(), "A"), (bob(), "C")] {
            scenario.apply(&Command::Secret(Box::new(SecretChange::Set {
                owner: by.user.clone(),
                by,
                name: SecretName::parse(name).unwrap(),
                sealed: SealedSecret {
                    key: SealingKeyId([3; 8]),
                    nonce: [0; 24],
                    ciphertext: vec![1],
                },
                at: minute(0),
            })));
        }
        scenario.apply(&Command::Secret(Box::new(SecretChange::Share {
            by: root(),
            owner: ann().user,
            name: SecretName::parse("B").unwrap(),
            with: bob().user,
            at: minute(1),
        })));
        let reader = scenario.store.reader();
        for limit in [1, 2, 3, 4, 9] {
            let of = |user: Option<&Owner>| {
                let mut found = pages(&reader, user, limit);
                found.sort();
                found
            };
            assert_eq!(of(Some(&ann().user)), ["ann/A", "ann/B"]);
            assert_eq!(of(Some(&bob().user)), ["ann/B", "bob/A", "bob/C"]);
            assert_eq!(of(None), ["ann/A", "ann/B", "bob/A", "bob/C"]);
        }
        assert_eq!(reader.sealing_keys().unwrap(), [SealingKeyId([3; 8])]);
    }
}
