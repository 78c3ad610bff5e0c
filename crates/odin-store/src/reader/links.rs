//! Links, and the chains of runs that they made.

use odin_model::link::Successor;
use odin_model::run::Run;
use odin_model::{JobId, Link, Owner, RunId};
use rusqlite::{Connection, Params, params};

use super::Reader;
use crate::{StoreError, columns};

/// A link with the names of its jobs now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedLink {
    /// The link.
    pub link: Link,
    /// The name of the job that it begins at.
    pub from_name: String,
    /// The name of the job that it leads to.
    pub to_name: String,
}

const SELECT: &str = "SELECT l.from_job, l.to_job, l.on_end, l.at, l.by_user, a.name, b.name \
     FROM links l CROSS JOIN jobs a CROSS JOIN jobs b WHERE a.id = l.from_job AND b.id = l.to_job";

impl Reader {
    /// Up to `limit` links, of one owner's jobs or of all, by the jobs that they begin at and lead to, after the one
    /// between these two.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn links(
        &self,
        owner: Option<&Owner>,
        after: Option<(JobId, JobId)>,
        limit: usize,
    ) -> Result<Vec<NamedLink>, StoreError> {
        let (from, to) = after.map_or((-1, -1), |(from, to)| {
            (columns::job_id(from), columns::job_id(to))
        });
        let (uid, user) = owner.map_or((None, None), |owner| {
            (Some(owner.uid), Some(owner.user.as_str()))
        });
        self.pool.ask(|conn| {
            let sql = format!(
                "{SELECT} AND (l.from_job, l.to_job) > (?1, ?2) \
                 AND (?3 IS NULL OR a.owner_uid = ?3 AND a.owner_user = ?4) \
                 ORDER BY l.from_job, l.to_job LIMIT ?5"
            );
            links_of(
                conn,
                &sql,
                params![from, to, uid, user, columns::limit(limit)],
            )
        })
    }

    /// The links that begin at one of `jobs`: by those in the order given, then by the jobs that they lead to.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn links_from(&self, jobs: &[JobId]) -> Result<Vec<NamedLink>, StoreError> {
        self.pool.ask(|conn| {
            let sql = format!("{SELECT} AND l.from_job = ?1 ORDER BY l.to_job");
            let mut links = Vec::new();
            for &job in jobs {
                links.extend(links_of(conn, &sql, [columns::job_id(job)])?);
            }
            Ok(links)
        })
    }

    /// The links that lead to a job, by the jobs that they begin at.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn links_to(&self, job: JobId) -> Result<Vec<NamedLink>, StoreError> {
        self.pool.ask(|conn| {
            let sql = format!("{SELECT} AND l.to_job = ?1 ORDER BY l.from_job");
            links_of(conn, &sql, [columns::job_id(job)])
        })
    }

    /// Up to `limit` runs of the chain that a run belongs to, oldest first, with what the end of each did. One that
    /// no link started and that started none is a chain of its own; an unknown one is none.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn chain(&self, run: RunId, limit: usize) -> Result<Vec<Run>, StoreError> {
        self.chain_of(run, limit)
    }
}

fn links_of(
    conn: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<Vec<NamedLink>, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut links = Vec::new();
    while let Some(row) = rows.next()? {
        links.push(NamedLink {
            link: columns::to_link(row)?,
            from_name: row.get(5)?,
            to_name: row.get(6)?,
        });
    }
    Ok(links)
}

/// What the end of a run did by links.
pub(super) fn successors_of(conn: &Connection, run: RunId) -> Result<Vec<Successor>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT job, on_end, fate, fate_run FROM successors WHERE run = ?1 ORDER BY job",
    )?;
    let mut rows = statement.query([columns::run_id(run)])?;
    let mut successors = Vec::new();
    while let Some(row) = rows.next()? {
        successors.push(Successor {
            job: columns::to_job_id(row.get(0)?),
            on: columns::to_link_on(row.get(1)?)?,
            fate: columns::to_fate(row.get(2)?, row.get(3)?)?,
        });
    }
    Ok(successors)
}

#[cfg(test)]
mod tests {
    use odin_model::LinkOn;
    use odin_model::command::Command;

    use super::*;
    use crate::scenario::{Scenario, ann, bob, deploy, minute};

    #[test]
    fn pages_of_links_hold_each_that_may_be_seen_once() {
        let mut scenario = Scenario::new();
        let mut expected = Vec::new();
        for by in [ann(), bob()] {
            let jobs = ["a", "b", "c"].map(|job| {
                let mut deploy = deploy(&format!("{}{job}", by.user.user));
                deploy.by = by.clone();
                scenario.deploy(deploy)
            });
            for (from, to) in [(0, 1), (0, 2), (1, 2)] {
                let (from, to) = (jobs[from], jobs[to]);
                let (on, at) = (LinkOn::Success, minute(1));
                let by = by.clone();
                scenario.apply(&Command::Link {
                    by,
                    from,
                    to,
                    on,
                    at,
                });
                expected.push((from, to));
            }
        }
        let reader = scenario.store.reader();
        let pages = |owner: Option<&Owner>, limit| {
            let mut found: Vec<(JobId, JobId)> = Vec::new();
            loop {
                let page = reader.links(owner, found.last().copied(), limit).unwrap();
                if page.is_empty() {
                    return found;
                }
                found.extend(page.iter().map(|named| (named.link.from, named.link.to)));
            }
        };
        for limit in [1, 2, 100] {
            assert_eq!(pages(Some(&ann().user), limit), expected[..3]);
            assert_eq!(pages(Some(&bob().user), limit), expected[3..]);
            assert_eq!(pages(None, limit).len(), 6);
        }
        let (_, c) = expected[1];
        let to = reader.links_to(c).unwrap();
        let names: Vec<_> = to.iter().map(|named| named.from_name.as_str()).collect();
        assert_eq!(names, ["anna", "annb"]);
    }
}
