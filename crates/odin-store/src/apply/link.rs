//! Links between jobs are made and go.

use jiff::Timestamp;
use odin_model::job::Visibility;
use odin_model::link::LINKS_PER_JOB_MAX;
use odin_model::owner::Principal;
use odin_model::{JobId, Link, LinkOn, Refusal, Reply};
use odin_scheduling::linkage::{self, Direction, LinkFault};
use rusqlite::{Connection, OptionalExtension, params};

use super::job::JobRow;
use super::{Batch, Stop, job};
use crate::{Effect, StoreError, columns};

/// Links two jobs that the asker may change, unless that closes a cycle. Two jobs have one link: asked for another
/// end, it counts at that one from now on.
pub(super) fn link(
    batch: &mut Batch<'_>,
    by: &Principal,
    (from, to): (JobId, JobId),
    on: LinkOn,
    at: Timestamp,
) -> Result<Reply, Stop> {
    let first = linkable(batch.conn, by, from)?;
    let second = linkable(batch.conn, by, to)?;
    if from == to {
        return Err(Refusal::LinkToItself(job::name(batch.conn, from)?).into());
    }
    if first.owner != second.owner {
        return Err(Refusal::LinkOfTwoOwners {
            from,
            from_owner: first.owner.user,
            to,
            to_owner: second.owner.user,
        }
        .into());
    }
    let before = find(batch.conn, from, to)?;
    if before == Some(on) {
        return Err(Refusal::AlreadyLinked { from, to, on }.into());
    }
    if before.is_none() {
        need_room(batch.conn, from, to)?;
    }
    batch
        .conn
        .prepare_cached(
            "INSERT OR REPLACE INTO links (from_job, to_job, on_end, at, by_user) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            columns::job_id(from),
            columns::job_id(to),
            columns::link_on(on),
            columns::at(at),
            by.user.user,
        ])?;
    publish(batch, &first);
    Ok(Reply::Linked {
        created: before.is_none(),
    })
}

/// Takes a link away.
pub(super) fn unlink(
    batch: &mut Batch<'_>,
    by: &Principal,
    from: JobId,
    to: JobId,
) -> Result<Reply, Stop> {
    let first = job::find_to_change(batch.conn, by, from)?;
    job::find_to_change(batch.conn, by, to)?;
    let gone = batch
        .conn
        .prepare_cached("DELETE FROM links WHERE from_job = ?1 AND to_job = ?2")?
        .execute((columns::job_id(from), columns::job_id(to)))?;
    if gone == 0 {
        return Err(Refusal::NoSuchLink { from, to }.into());
    }
    publish(batch, &first);
    Ok(Reply::Done)
}

/// Takes all links of a job away, those to it first.
pub(super) fn remove_of(conn: &Connection, id: JobId) -> Result<Vec<Link>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT from_job, to_job, on_end, at, by_user FROM links INDEXED BY links_back WHERE to_job = ?1 \
         UNION ALL SELECT from_job, to_job, on_end, at, by_user FROM links WHERE from_job = ?1 \
         ORDER BY 1, 2",
    )?;
    let rows = statement.query_map([columns::job_id(id)], |row| Ok(columns::to_link(row)))?;
    let links = rows
        .map(|row| row?)
        .collect::<Result<Vec<_>, StoreError>>()?;
    if !links.is_empty() {
        conn.prepare_cached("DELETE FROM links WHERE from_job = ?1 OR to_job = ?1")?
            .execute([columns::job_id(id)])?;
    }
    Ok(links)
}

/// The job, if it is one that is listed: what `odin execute` ran once comes to no second run.
fn linkable(conn: &Connection, by: &Principal, id: JobId) -> Result<JobRow, Stop> {
    let job = job::find_to_change(conn, by, id)?;
    match job.visibility {
        Visibility::Listed => Ok(job),
        Visibility::Hidden => Err(Refusal::NoSuchJob(id).into()),
    }
}

fn find(conn: &Connection, from: JobId, to: JobId) -> Result<Option<LinkOn>, StoreError> {
    let on: Option<i64> = conn
        .prepare_cached("SELECT on_end FROM links WHERE from_job = ?1 AND to_job = ?2")?
        .query_row((columns::job_id(from), columns::job_id(to)), |row| {
            row.get(0)
        })
        .optional()?;
    on.map(columns::to_link_on).transpose()
}

/// Refuses a new link beyond a bound, and one that closes a cycle.
fn need_room(conn: &Connection, from: JobId, to: JobId) -> Result<(), Stop> {
    if neighbours(conn, from, Direction::Onward)?.len() >= LINKS_PER_JOB_MAX {
        return Err(Refusal::TooManyLinks(from).into());
    }
    let checked = linkage::check(from, to, |job, direction| neighbours(conn, job, direction))?;
    let Err(fault) = checked else { return Ok(()) };
    Err(match fault {
        LinkFault::Cycle(path) => Refusal::LinkCycle {
            path: std::iter::once(from)
                .chain(path)
                .map(|job| job::name(conn, job))
                .collect::<Result<_, _>>()?,
        },
        LinkFault::TooManyConnected => Refusal::TooManyConnected,
        LinkFault::TooLong { jobs } => Refusal::ChainTooLong {
            jobs: u32::try_from(jobs).unwrap_or(u32::MAX),
        },
    }
    .into())
}

fn neighbours(
    conn: &Connection,
    job: JobId,
    direction: Direction,
) -> Result<Vec<JobId>, StoreError> {
    let mut statement = conn.prepare_cached(match direction {
        Direction::Onward => "SELECT to_job FROM links WHERE from_job = ?1 ORDER BY to_job",
        Direction::Back => {
            "SELECT from_job FROM links INDEXED BY links_back WHERE to_job = ?1 ORDER BY from_job"
        }
    })?;
    let jobs = statement.query_map([columns::job_id(job)], |row| {
        row.get(0).map(columns::to_job_id)
    })?;
    Ok(jobs.collect::<Result<_, _>>()?)
}

/// Links are no part of a version: the job's revision stays.
fn publish(batch: &mut Batch<'_>, job: &JobRow) {
    batch.effects.push(Effect::JobChanged {
        job: job.id,
        revision: job.revision,
    });
}

#[cfg(test)]
mod tests {
    use odin_model::command::Command;
    use odin_model::job::Visibility;
    use odin_model::owner::{Principal, Role};

    use super::*;
    use crate::scenario::{Scenario, ann, bob, deploy, minute, name, root};

    fn command(by: Principal, from: JobId, to: JobId, on: LinkOn) -> Command {
        let at = minute(7);
        Command::Link {
            by,
            from,
            to,
            on,
            at,
        }
    }

    fn success(from: JobId, to: JobId) -> Command {
        command(ann(), from, to, LinkOn::Success)
    }

    fn jobs<const N: usize>(scenario: &mut Scenario, names: [&str; N]) -> [JobId; N] {
        names.map(|job| scenario.deploy(deploy(job)))
    }

    #[test]
    fn a_job_starts_several_others_and_a_link_is_changed_in_place() {
        let mut scenario = Scenario::new();
        let [a, b, c] = jobs(&mut scenario, ["a", "b", "c"]);
        let created = |created| Reply::Linked { created };
        assert_eq!(scenario.apply(&success(a, b)), created(true));
        assert_eq!(scenario.apply(&success(a, c)), created(true));
        let always = command(root(), a, c, LinkOn::Always);
        assert_eq!(scenario.apply(&always), created(false));
        let links = scenario.store.reader().links_from(&[a]).unwrap();
        let seen: Vec<_> = links
            .iter()
            .map(|named| (named.link.to, named.link.on))
            .collect();
        assert_eq!(seen, [(b, LinkOn::Success), (c, LinkOn::Always)]);
        assert_eq!(
            (links[1].link.at, links[1].link.by.as_str()),
            (minute(7), "root")
        );
    }

    #[test]
    fn what_cannot_be_linked_is_refused() {
        let mut scenario = Scenario::new();
        let [a, b, c] = jobs(&mut scenario, ["a", "b", "c"]);
        let mut other = deploy("bobs");
        other.by = bob();
        let bobs = scenario.deploy(other);
        let mut hidden = deploy("hidden");
        hidden.visibility = Visibility::Hidden;
        let hidden = scenario.deploy(hidden);
        let mut viewer = ann();
        viewer.role = Role::Viewer;
        scenario.apply(&success(a, b));
        scenario.apply(&success(b, c));
        let unknown = JobId::from_bits(5);
        let path = |names: &[&str]| Refusal::LinkCycle {
            path: names.iter().map(|job| name(job)).collect(),
        };
        for (asked, expected) in [
            (success(a, a), Refusal::LinkToItself(name("a"))),
            (success(c, a), path(&["c", "a", "b", "c"])),
            (
                success(a, b),
                Refusal::AlreadyLinked {
                    from: a,
                    to: b,
                    on: LinkOn::Success,
                },
            ),
            (success(a, unknown), Refusal::NoSuchJob(unknown)),
            (success(unknown, a), Refusal::NoSuchJob(unknown)),
            (success(a, bobs), Refusal::NoSuchJob(bobs)),
            (success(a, hidden), Refusal::NoSuchJob(hidden)),
            (
                command(root(), a, bobs, LinkOn::Success),
                Refusal::LinkOfTwoOwners {
                    from: a,
                    from_owner: "ann".into(),
                    to: bobs,
                    to_owner: "bob".into(),
                },
            ),
            (
                command(viewer, a, c, LinkOn::Success),
                Refusal::NotPermitted {
                    job: a,
                    owner: "ann".into(),
                },
            ),
        ] {
            assert_eq!(scenario.refused(&asked), expected);
        }
        let closes = path(&["c", "a", "b", "c"]).to_string();
        assert_eq!(closes, "the link would close a cycle: c → a → b → c");
    }

    #[test]
    fn a_job_has_so_many_links_and_no_more() {
        let mut scenario = Scenario::new();
        let [a, more] = jobs(&mut scenario, ["a", "more"]);
        for number in 0..LINKS_PER_JOB_MAX {
            let to = scenario.deploy(deploy(&format!("n{number}")));
            scenario.apply(&success(a, to));
        }
        assert_eq!(
            scenario.refused(&success(a, more)),
            Refusal::TooManyLinks(a)
        );
    }

    #[test]
    fn a_link_that_is_not_there_cannot_go() {
        let mut scenario = Scenario::new();
        let [from, to] = jobs(&mut scenario, ["a", "b"]);
        let unlink = |by| Command::Unlink { by, from, to };
        let none = Refusal::NoSuchLink { from, to };
        assert_eq!(scenario.refused(&unlink(ann())), none);
        scenario.apply(&success(from, to));
        assert_eq!(scenario.refused(&unlink(bob())), Refusal::NoSuchJob(from));
        assert_eq!(scenario.apply(&unlink(ann())), Reply::Done);
        assert_eq!(scenario.refused(&unlink(ann())), none);
    }

    #[test]
    fn a_removed_job_takes_its_links_along_and_says_which() {
        let mut scenario = Scenario::new();
        let [a, b, c] = jobs(&mut scenario, ["a", "b", "c"]);
        for link in [success(a, b), success(b, c), success(a, c)] {
            scenario.apply(&link);
        }
        let remove = Command::Remove {
            by: ann(),
            job: b,
            expected: None,
            at: minute(0),
        };
        let Reply::Removed { links } = scenario.apply(&remove) else {
            panic!("not removed")
        };
        let ends: Vec<_> = links.iter().map(|link| (link.from, link.to)).collect();
        assert_eq!(ends, [(a, b), (b, c)]);
        assert_eq!(scenario.store.count("links"), 1);
    }
}
