//! What the leader's loop asks all the time, in memory: the due index and a few counts. Changes after each commit.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::ops::Bound;
use std::sync::{PoisonError, RwLock};

use jiff::Timestamp;
use odin_model::instant::{from_micros, to_micros};
use odin_model::{JobId, RunId};
use rusqlite::Connection;

use crate::{StoreError, columns, local, settings};

/// The due index and counts of the committed state. One for each [`Store`](crate::Store), shared.
#[derive(Debug, Default)]
pub struct View {
    state: RwLock<State>,
}

/// How much the state holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Listed jobs, removed ones apart.
    pub jobs: u64,
    /// Runs that are not over.
    pub open_runs: u64,
}

impl View {
    /// Up to `limit` jobs with an undecided occurrence not later than `until`.
    ///
    /// Instants take turns, a job each: the earliest, the latest, the second earliest, the second latest, and so on,
    /// round after round. So the hundred thousand jobs of one instant keep out none that is due at another, and what
    /// has waited for longest is in every answer. Of more instants than `limit`, the earliest and the latest are
    /// looked at; those between come as the earliest are decided. Jobs of one instant come by id.
    #[must_use]
    pub fn due(&self, until: Timestamp, limit: usize) -> Vec<(Timestamp, JobId)> {
        self.read(|state| state.due.until(to_micros(until), limit))
    }

    /// The earliest undecided occurrence of all jobs. `None`: no job has one.
    #[must_use]
    pub fn next_due_instant(&self) -> Option<Timestamp> {
        self.read(|state| {
            state
                .due
                .instants
                .first_key_value()
                .map(|(&at, _)| from_micros(at))
        })
    }

    /// Up to `limit` runs whose next attempt may start at `until`, earliest first.
    #[must_use]
    pub fn retries_due(&self, until: Timestamp, limit: usize) -> Vec<RunId> {
        let end = (to_micros(until), RunId::from_bits(u64::MAX));
        self.read(|state| {
            let due = state.retries.range(..=end).take(limit);
            due.map(|&(_, run)| run).collect()
        })
    }

    /// The earliest instant of all runs that are to be tried again. `None`: there are none.
    #[must_use]
    pub fn next_retry_instant(&self) -> Option<Timestamp> {
        self.read(|state| state.retries.first().map(|&(at, _)| from_micros(at)))
    }

    /// Up to `limit` jobs in quarantine, which the due index leaves out, from the one after `after` on.
    #[must_use]
    pub fn quarantined(&self, after: Option<JobId>, limit: usize) -> Vec<JobId> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.read(|state| {
            let jobs = state.quarantined.range((from, Bound::Unbounded));
            jobs.take(limit).copied().collect()
        })
    }

    /// How much the state holds.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.read(|state| state.counts)
    }

    /// The log index of the latest change of a calendar; 0 before the first.
    #[must_use]
    pub fn calendars(&self) -> u64 {
        self.read(|state| state.calendars)
    }

    /// The log index of the latest command applied; 0 before the first.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.read(|state| state.applied)
    }

    fn read<T>(&self, question: impl FnOnce(&State) -> T) -> T {
        question(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes what a committed batch changed.
    pub(crate) fn take(&self, changes: &Changes, applied: u64) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for &DueChange { job, from, to } in &changes.due {
            state.due.remove(from, job);
            state.due.insert(to, job);
        }
        for &(run, from, to) in &changes.retries {
            if let Some(from) = from {
                state.retries.remove(&(from, run));
            }
            if let Some(to) = to {
                state.retries.insert((to, run));
            }
        }
        for &(job, is_quarantined) in &changes.quarantine {
            match is_quarantined {
                true => state.quarantined.insert(job),
                false => state.quarantined.remove(&job),
            };
        }
        let counts = &mut state.counts;
        counts.jobs = counts.jobs.saturating_add_signed(changes.jobs);
        counts.open_runs = counts.open_runs.saturating_add_signed(changes.open_runs);
        state.calendars = changes.calendars.unwrap_or(state.calendars);
        state.applied = applied;
    }

    /// Reads everything anew: at start, and after another state was installed.
    pub(crate) fn rebuild(&self, conn: &Connection) -> Result<(), StoreError> {
        let fresh = State::read(conn)?;
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }
}

/// What a batch changes in the [`View`], gathered while it is applied.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    due: Vec<DueChange>,
    /// Runs with the instants of their retries, before and after.
    retries: Vec<(RunId, Option<i64>, Option<i64>)>,
    /// Jobs that go into quarantine and that come out of it, in order.
    quarantine: Vec<(JobId, bool)>,
    /// Listed jobs made less removed.
    pub(crate) jobs: i64,
    /// Runs made less finished.
    pub(crate) open_runs: i64,
    /// The log index of a change of a calendar.
    pub(crate) calendars: Option<u64>,
}

#[derive(Debug)]
struct DueChange {
    job: JobId,
    from: Option<i64>,
    to: Option<i64>,
}

impl Changes {
    /// A job's next due time was `from` and is `to`.
    pub(crate) fn due(&mut self, job: JobId, from: Option<Timestamp>, to: Option<Timestamp>) {
        if from != to {
            let (from, to) = (from.map(to_micros), to.map(to_micros));
            self.due.push(DueChange { job, from, to });
        }
    }

    /// A job goes into quarantine, or comes out of it.
    pub(crate) fn quarantine(&mut self, job: JobId, is_quarantined: bool) {
        self.quarantine.push((job, is_quarantined));
    }

    /// A run was to be tried again at `from` and is at `to`.
    pub(crate) fn retry(&mut self, run: RunId, from: Option<Timestamp>, to: Option<Timestamp>) {
        if from != to {
            let (from, to) = (from.map(to_micros), to.map(to_micros));
            self.retries.push((run, from, to));
        }
    }
}

#[derive(Debug, Default)]
struct State {
    due: DueIndex,
    /// Runs that are to be tried again, by the instant.
    retries: BTreeSet<(i64, RunId)>,
    quarantined: BTreeSet<JobId>,
    counts: Counts,
    calendars: u64,
    applied: u64,
}

impl State {
    fn read(conn: &Connection) -> Result<Self, StoreError> {
        let mut due = DueIndex::default();
        let mut quarantined = BTreeSet::new();
        let mut listed = 0;
        let mut rows = conn.prepare(
            "SELECT id, next_due, state <> 2 AND visibility = 0, quarantine IS NOT NULL FROM jobs",
        )?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let job = columns::to_job_id(row.get(0)?);
            match row.get(3)? {
                true => _ = quarantined.insert(job),
                false => due.insert(row.get(1)?, job),
            }
            listed += u64::from(row.get::<_, bool>(2)?);
        }
        let retries = conn
            .prepare("SELECT ready_at, id FROM runs INDEXED BY runs_retrying WHERE state = 6")?
            .query_map([], |row| Ok((row.get(0)?, columns::to_run_id(row.get(1)?))))?
            .collect::<Result<_, _>>()?;
        let open: i64 = conn.query_row(
            "SELECT count(*) FROM runs INDEXED BY runs_open_by_job WHERE outcome IS NULL",
            [],
            |row| row.get(0),
        )?;
        Ok(Self {
            due,
            retries,
            quarantined,
            counts: Counts {
                jobs: listed,
                open_runs: columns::to_count(open),
            },
            calendars: settings::get(conn, settings::CALENDARS)?
                .map_or(Ok(0), |text| text.parse())
                .map_err(|_| StoreError::damaged("the number of the calendars' last change"))?,
            applied: local::applied(conn)?,
        })
    }
}

/// Jobs by their next due instant: one entry for each instant, since many jobs share the full hour.
#[derive(Debug, Default)]
struct DueIndex {
    instants: BTreeMap<i64, Group>,
}

/// The jobs due at one instant. An instant of one job, the rule for intervals, takes no allocation of its own.
#[derive(Debug)]
enum Group {
    One(JobId),
    Many(BTreeSet<JobId>),
}

impl DueIndex {
    fn insert(&mut self, at: Option<i64>, job: JobId) {
        let Some(at) = at else { return };
        match self.instants.entry(at) {
            btree_map::Entry::Vacant(vacant) => {
                vacant.insert(Group::One(job));
            }
            btree_map::Entry::Occupied(mut occupied) => match occupied.get_mut() {
                Group::One(other) if *other == job => {}
                Group::One(other) => {
                    let both = BTreeSet::from([*other, job]);
                    occupied.insert(Group::Many(both));
                }
                Group::Many(jobs) => {
                    jobs.insert(job);
                }
            },
        }
    }

    fn remove(&mut self, at: Option<i64>, job: JobId) {
        let Some(at) = at else { return };
        let btree_map::Entry::Occupied(mut occupied) = self.instants.entry(at) else {
            return;
        };
        let empty = match occupied.get_mut() {
            Group::One(only) => *only == job,
            Group::Many(jobs) => {
                jobs.remove(&job);
                jobs.is_empty()
            }
        };
        if empty {
            occupied.remove();
        }
    }

    fn until(&self, until: i64, limit: usize) -> Vec<(Timestamp, JobId)> {
        let mut due = self.instants.range(..=until);
        let from_both_ends = (0..limit).map_while(|turn| {
            if turn % 2 == 0 {
                due.next()
            } else {
                due.next_back()
            }
        });
        let mut groups: Vec<_> = from_both_ends
            .map(|(&at, group)| (from_micros(at), group.iter()))
            .collect();
        let mut found = Vec::new();
        while !groups.is_empty() && found.len() < limit {
            groups.retain_mut(|(at, jobs)| match jobs.next() {
                Some(&job) if found.len() < limit => {
                    found.push((*at, job));
                    true
                }
                _ => false,
            });
        }
        found
    }
}

impl Group {
    fn iter(&self) -> impl Iterator<Item = &JobId> {
        let (one, many) = match self {
            Self::One(job) => (Some(job), None),
            Self::Many(jobs) => (None, Some(jobs)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Moves a job to another instant, or out of the index.
    fn take_due(view: &View, job: JobId, from: Option<Timestamp>, to: Option<Timestamp>) {
        let mut changes = Changes::default();
        changes.due(job, from, to);
        view.take(&changes, 1);
    }

    proptest! {
        #[test]
        fn the_due_index_is_a_set_of_instants_that_take_turns(
            moves in proptest::collection::vec((0u64..20, proptest::option::of(0i64..5)), 0..60),
            until in -1i64..6,
            limit in 0usize..12,
        ) {
            let view = View::default();
            let mut model = BTreeMap::new();
            for (job, to) in moves {
                let job = JobId::from_bits(job);
                take_due(&view, job, model.remove(&job).map(from_micros), to.map(from_micros));
                model.extend(to.map(|to| (job, to)));
            }
            let first = model.values().min().copied().map(from_micros);
            prop_assert_eq!(view.next_due_instant(), first);
            let mut groups: BTreeMap<Timestamp, BTreeSet<JobId>> = BTreeMap::new();
            for (&job, &at) in model.iter().filter(|&(_, &at)| at <= until) {
                groups.entry(from_micros(at)).or_default().insert(job);
            }
            let found = view.due(from_micros(until), limit);
            let all: usize = groups.values().map(BTreeSet::len).sum();
            prop_assert_eq!(found.len(), all.min(limit), "as many as there are and may be");
            let mut taken: BTreeMap<Timestamp, Vec<JobId>> = BTreeMap::new();
            for &(at, job) in &found {
                taken.entry(at).or_default().push(job);
            }
            for (at, jobs) in &taken {
                prop_assert!(jobs.iter().eq(groups[at].iter().take(jobs.len())), "of one instant by id");
            }
            // Nobody has had two turns more than somebody who still waits; the ends come before the middle.
            let turns = |at: &Timestamp| taken.get(at).map_or(0, Vec::len);
            let most = groups.keys().map(turns).max().unwrap_or(0);
            for (at, jobs) in &groups {
                prop_assert!(turns(at) == jobs.len() || turns(at) + 1 >= most);
            }
            if limit > 0 {
                prop_assert!(groups.keys().next().is_none_or(|earliest| turns(earliest) > 0));
            }
            if limit > 1 {
                prop_assert!(groups.keys().next_back().is_none_or(|latest| turns(latest) > 0));
            }
        }
    }

    /// Passes of a hundred jobs, each a tenth of a second of which moves the horizon on, until all of `crowd` are
    /// decided; a job that is due every second meanwhile must be in the pass after it came into sight.
    #[track_caller]
    fn check_crowd(crowd: impl Iterator<Item = (u64, i64)>) {
        const A_PASS: usize = 100;
        let view = View::default();
        let mut waiting = 0;
        for (job, at) in crowd {
            take_due(&view, JobId::from_bits(job), None, Some(from_micros(at)));
            waiting += 1;
        }
        let witness = JobId::from_bits(u64::MAX);
        let mut witness_due = 1_000_000;
        take_due(&view, witness, None, Some(from_micros(witness_due)));
        let (mut horizon, mut passes) = (1_000_000, 0);
        while waiting > 0 {
            for (at, job) in view.due(from_micros(horizon), A_PASS) {
                let next = (job == witness).then(|| from_micros(to_micros(at) + 1_000_000));
                take_due(&view, job, Some(at), next);
                match next {
                    Some(next) => witness_due = to_micros(next),
                    None => waiting -= 1,
                }
            }
            assert!(witness_due > horizon, "the job of every second is left out");
            horizon += 100_000;
            passes += 1;
            assert!(passes <= 5_000 / (A_PASS - 1) + 1, "{waiting} are left out");
        }
    }

    #[test]
    fn a_job_of_its_own_instant_is_in_every_pass_while_thousands_of_another_are_decided() {
        check_crowd((0..5_000).map(|job| (job, 0)));
    }

    #[test]
    fn a_job_of_its_own_instant_is_in_every_pass_while_thousands_of_their_own_instants_are_decided()
    {
        check_crowd((0..5_000).map(|job| (job, i64::try_from(job).unwrap() * 100)));
    }
}
