//! Jobs and their versions.

use jiff::Timestamp;
use odin_model::job::Job;
use odin_model::owner::Owner;
use odin_model::quarantine::Quarantine;
use odin_model::{BundleHash, JobId, JobName, JobSpec, VersionNumber, codec};
use rusqlite::{OptionalExtension, Params, Row, params};

use super::Reader;
use crate::{StoreError, columns};

/// One deployment of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its number.
    pub number: VersionNumber,
    /// What it says.
    pub spec: JobSpec,
    /// Its files.
    pub bundle: BundleHash,
    /// When it was deployed: the leader's wall clock.
    pub deployed_at: Timestamp,
    /// Who deployed it.
    pub by: Owner,
}

/// Where a page of jobs begins: after the job of this owner and name. Lists are in the order of both, the owner's
/// uid first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobsAfter {
    /// The last job's owner.
    pub owner: Owner,
    /// The last job's name.
    pub name: JobName,
}

/// A page of jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobsPage {
    /// The jobs, in order.
    pub jobs: Vec<Job>,
    /// Where the next page begins. `None`: this was the last.
    pub next: Option<JobsAfter>,
}

const SELECT: &str = "SELECT j.id, j.owner_uid, j.owner_user, j.state, j.visibility, j.version, j.revision, \
     j.next_due, j.last_decided, j.created_at, j.last_run, j.last_outcome, v.spec, v.bundle, v.deployed_at, \
     j.quarantine, j.quarantined_at, j.last_reason \
     FROM jobs j JOIN job_versions v ON v.job = j.id AND v.version = j.version";

impl Reader {
    /// The job with its current version, hidden and removed ones too. `None`: there never was one.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        self.one_job("j.id = ?1", [columns::job_id(id)])
    }

    /// The owner's listed job of that name.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn job_by_name(&self, owner: &Owner, name: &JobName) -> Result<Option<Job>, StoreError> {
        self.one_job(
            "j.owner_uid = ?1 AND j.owner_user = ?2 AND j.name = ?3 AND j.state <> 2 AND j.visibility = 0",
            params![owner.uid, owner.user, name.as_str()],
        )
    }

    /// Up to `limit` listed jobs of that name, whoever owns them, for those who may see all.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn jobs_named(&self, name: &JobName, limit: usize) -> Result<Vec<Job>, StoreError> {
        let sql = format!(
            "{SELECT} WHERE j.name = ?1 AND j.state <> 2 AND j.visibility = 0 \
             ORDER BY j.owner_uid, j.owner_user LIMIT ?2"
        );
        self.jobs_of(&sql, params![name.as_str(), columns::limit(limit)])
    }

    /// Up to `limit` listed jobs, of one owner or of all, after the last of the page before.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn jobs(
        &self,
        owner: Option<&Owner>,
        after: Option<&JobsAfter>,
        limit: usize,
    ) -> Result<JobsPage, StoreError> {
        let listed = "j.state <> 2 AND j.visibility = 0";
        let order = "ORDER BY j.owner_uid, j.owner_user, j.name";
        let name_after = after.map_or("", |after| after.name.as_str());
        let jobs = match owner {
            Some(owner) => self.jobs_of(
                &format!(
                    "{SELECT} WHERE {listed} AND j.owner_uid = ?1 AND j.owner_user = ?2 AND j.name > ?3 \
                     {order} LIMIT ?4"
                ),
                params![owner.uid, owner.user, name_after, columns::limit(limit)],
            )?,
            None => {
                let (uid, user) = after.map_or((-1, ""), |after| {
                    (i64::from(after.owner.uid), after.owner.user.as_str())
                });
                self.jobs_of(
                    &format!(
                        "{SELECT} WHERE {listed} AND (j.owner_uid, j.owner_user, j.name) > (?1, ?2, ?3) \
                         {order} LIMIT ?4"
                    ),
                    params![uid, user, name_after, columns::limit(limit)],
                )?
            }
        };
        let next = jobs
            .last()
            .filter(|_| jobs.len() == limit)
            .map(|last| JobsAfter {
                owner: last.owner.clone(),
                name: last.spec.name.clone(),
            });
        Ok(JobsPage { jobs, next })
    }

    /// Up to `limit` versions of a job, newest first, older than `before`.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn versions(
        &self,
        job: JobId,
        before: Option<VersionNumber>,
        limit: usize,
    ) -> Result<Vec<Version>, StoreError> {
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT version, spec, bundle, deployed_at, by_uid, by_user FROM job_versions \
                 WHERE job = ?1 AND version < ?2 ORDER BY version DESC LIMIT ?3",
            )?;
            let before = before.map_or(i64::MAX, |before| i64::from(before.0));
            let rows = statement.query_map(
                params![columns::job_id(job), before, columns::limit(limit)],
                |row| Ok(read_version(row)),
            )?;
            rows.map(|row| row?).collect()
        })
    }

    /// One version of a job. `None`: it has none of that number.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn version(
        &self,
        job: JobId,
        number: VersionNumber,
    ) -> Result<Option<Version>, StoreError> {
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT version, spec, bundle, deployed_at, by_uid, by_user FROM job_versions \
                 WHERE job = ?1 AND version = ?2",
            )?;
            let row = statement.query_row((columns::job_id(job), number.0), |row| {
                Ok(read_version(row))
            });
            row.optional()?.transpose()
        })
    }

    fn one_job(&self, condition: &str, params: impl Params) -> Result<Option<Job>, StoreError> {
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(&format!("{SELECT} WHERE {condition}"))?;
            let row = statement.query_row(params, |row| Ok(read_job(row)));
            row.optional()?.transpose()
        })
    }

    fn jobs_of(&self, sql: &str, params: impl Params) -> Result<Vec<Job>, StoreError> {
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(sql)?;
            let rows = statement.query_map(params, |row| Ok(read_job(row)))?;
            rows.map(|row| row?).collect()
        })
    }
}

fn read_job(row: &Row<'_>) -> Result<Job, StoreError> {
    let last_outcome = match (
        row.get::<_, Option<i64>>(10)?,
        row.get::<_, Option<i64>>(11)?,
    ) {
        (Some(run), Some(outcome)) => {
            Some((columns::to_run_id(run), columns::to_outcome(outcome)?))
        }
        _ => None,
    };
    Ok(Job {
        id: columns::to_job_id(row.get(0)?),
        owner: Owner {
            uid: row.get(1)?,
            user: row.get(2)?,
        },
        state: columns::to_job_state(row.get(3)?)?,
        visibility: columns::to_visibility(row.get(4)?)?,
        version: columns::to_version(row.get(5)?),
        revision: columns::to_revision(row.get(6)?),
        spec: codec::decode(row.get_ref(12)?.as_blob().map_err(rusqlite::Error::from)?)?,
        bundle: BundleHash(row.get(13)?),
        next_due: columns::to_at_option(row.get(7)?),
        last_decided: columns::to_at_option(row.get(8)?),
        created_at: columns::to_at(row.get(9)?),
        deployed_at: columns::to_at(row.get(14)?),
        quarantine: match (row.get(15)?, row.get(16)?) {
            (Some(reason), Some(at)) => Some(Quarantine {
                reason,
                at: columns::to_at(at),
            }),
            _ => None,
        },
        last_outcome,
        last_reason: row.get(17)?,
    })
}

fn read_version(row: &Row<'_>) -> Result<Version, StoreError> {
    Ok(Version {
        number: columns::to_version(row.get(0)?),
        spec: codec::decode(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)?,
        bundle: BundleHash(row.get(2)?),
        deployed_at: columns::to_at(row.get(3)?),
        by: Owner {
            uid: row.get(4)?,
            user: row.get(5)?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Scenario, ann, bob, deploy, name};

    /// All pages of that size, as `owner/name`.
    fn pages(scenario: &Scenario, owner: Option<&Owner>, limit: usize) -> Vec<String> {
        let reader = scenario.store.reader();
        let mut after = None;
        let mut found = Vec::new();
        loop {
            let page = reader.jobs(owner, after.as_ref(), limit).unwrap();
            assert!(page.jobs.len() <= limit);
            let lines = page
                .jobs
                .iter()
                .map(|job| format!("{}/{}", job.owner.user, job.spec.name));
            found.extend(lines);
            match page.next {
                Some(next) => after = Some(next),
                None => return found,
            }
        }
    }

    #[test]
    fn pages_of_any_size_hold_each_job_that_may_be_seen_once() {
        let mut scenario = Scenario::new();
        for (by, job) in [
            (ann(), "b"),
            (bob(), "a"),
            (ann(), "a"),
            (ann(), "c"),
            (bob(), "d"),
        ] {
            let mut deploy = deploy(&format!("{}{job}", by.user.user));
            (deploy.by, deploy.spec.name) = (by, name(job));
            scenario.deploy(deploy);
        }
        for limit in [1, 2, 3, 5, 100] {
            let anns = ["ann/a", "ann/b", "ann/c"];
            let bobs = ["bob/a", "bob/d"];
            assert_eq!(pages(&scenario, Some(&ann().user), limit), anns);
            assert_eq!(pages(&scenario, Some(&bob().user), limit), bobs);
            assert_eq!(pages(&scenario, None, limit), [&bobs[..], &anns].concat());
        }
        let named = scenario.store.reader().jobs_named(&name("a"), 9).unwrap();
        assert_eq!(named.len(), 2);
    }

    #[test]
    fn versions_come_newest_first() {
        let mut scenario = Scenario::new();
        let id = scenario.deploy(deploy("nightly"));
        for _ in 0..3 {
            scenario.deploy(deploy("nightly"));
        }
        let reader = scenario.store.reader();
        let numbers = |before, limit| -> Vec<u32> {
            let versions = reader.versions(id, before, limit).unwrap();
            versions.iter().map(|version| version.number.0).collect()
        };
        assert_eq!(numbers(None, 2), [4, 3]);
        assert_eq!(numbers(Some(VersionNumber(3)), 9), [2, 1]);
        assert_eq!(reader.version(id, VersionNumber(5)).unwrap(), None);
    }
}
