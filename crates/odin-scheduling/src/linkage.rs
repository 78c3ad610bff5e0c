//! Whether a new link keeps the links of all jobs without a cycle, and chains within their bounds.

use std::collections::{BTreeMap, VecDeque};

use odin_model::JobId;
use odin_model::link::{CHAIN_JOBS_MAX, CONNECTED_JOBS_MAX};

/// Which way links are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the jobs that a job starts.
    Onward,
    /// To the jobs that start it.
    Back,
}

/// Why a link is not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkFault {
    /// It would close a cycle: these jobs in order, from the link's end to its beginning.
    Cycle(Vec<JobId>),
    /// More jobs than [`CONNECTED_JOBS_MAX`] hang together on one side of it.
    TooManyConnected,
    /// More jobs than [`CHAIN_JOBS_MAX`] would follow one another.
    TooLong {
        /// How many.
        jobs: usize,
    },
}

/// Checks a link from one job to another against the links there are; `neighbours` tells those of a job.
///
/// # Errors
/// Those of `neighbours`.
pub fn check<E>(
    from: JobId,
    to: JobId,
    mut neighbours: impl FnMut(JobId, Direction) -> Result<Vec<JobId>, E>,
) -> Result<Result<(), LinkFault>, E> {
    if from == to {
        return Ok(Err(LinkFault::Cycle(vec![from])));
    }
    let after = walk(to, |job| neighbours(job, Direction::Onward))?;
    if after.jobs.contains_key(&from) {
        return Ok(Err(LinkFault::Cycle(after.path_to(from))));
    }
    let before = walk(from, |job| neighbours(job, Direction::Back))?;
    if after.is_cut || before.is_cut {
        return Ok(Err(LinkFault::TooManyConnected));
    }
    let jobs = before.longest() + after.longest();
    Ok(match jobs > CHAIN_JOBS_MAX {
        true => Err(LinkFault::TooLong { jobs }),
        false => Ok(()),
    })
}

/// The jobs that can be reached from one.
struct Walk {
    start: JobId,
    /// Each with the one it was first reached from, and its neighbours.
    jobs: BTreeMap<JobId, (Option<JobId>, Vec<JobId>)>,
    /// Whether there are more than were looked at.
    is_cut: bool,
}

fn walk<E>(
    start: JobId,
    mut neighbours: impl FnMut(JobId) -> Result<Vec<JobId>, E>,
) -> Result<Walk, E> {
    let mut jobs = BTreeMap::new();
    let mut pending = VecDeque::from([(None, start)]);
    while let Some((reached_from, job)) = pending.pop_front() {
        if jobs.contains_key(&job) {
            continue;
        }
        if jobs.len() == CONNECTED_JOBS_MAX {
            return Ok(Walk {
                start,
                jobs,
                is_cut: true,
            });
        }
        let next = neighbours(job)?;
        pending.extend(next.iter().map(|&to| (Some(job), to)));
        jobs.insert(job, (reached_from, next));
    }
    Ok(Walk {
        start,
        jobs,
        is_cut: false,
    })
}

impl Walk {
    /// A shortest way from the start to a job that was reached, both included.
    fn path_to(&self, job: JobId) -> Vec<JobId> {
        let mut path = vec![job];
        let mut at = job;
        while let Some(&(Some(before), _)) = self.jobs.get(&at) {
            path.push(before);
            at = before;
        }
        path.reverse();
        path
    }

    /// How many jobs the longest way from the start has. Takes each job once all that lead to it are taken; there
    /// is no cycle, since no link ever closed one.
    fn longest(&self) -> usize {
        let mut open: BTreeMap<JobId, usize> = BTreeMap::new();
        for (_, next) in self.jobs.values() {
            for &job in next {
                *open.entry(job).or_default() += 1;
            }
        }
        let mut lengths = BTreeMap::from([(self.start, 1)]);
        let mut ready = vec![self.start];
        let mut longest = 1;
        while let Some(job) = ready.pop() {
            let length = lengths.get(&job).copied().unwrap_or(1);
            longest = longest.max(length);
            let next = self.jobs.get(&job).map_or(&[][..], |(_, next)| next);
            for &job in next {
                let known = lengths.entry(job).or_insert(0);
                *known = (*known).max(length + 1);
                if let Some(left) = open.get_mut(&job) {
                    *left -= 1;
                    if *left == 0 {
                        ready.push(job);
                    }
                }
            }
        }
        longest
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    type Links = BTreeSet<(u64, u64)>;

    /// Asks whether a link may be made beside `links`.
    fn ask(links: &Links, from: u64, to: u64) -> Result<(), LinkFault> {
        let neighbours = |job: JobId, direction| {
            let of = links.iter().filter_map(|&(a, b)| match direction {
                Direction::Onward => (a == job.to_bits()).then_some(b),
                Direction::Back => (b == job.to_bits()).then_some(a),
            });
            Ok::<_, Infallible>(of.map(JobId::from_bits).collect())
        };
        let Ok(answer) = check(JobId::from_bits(from), JobId::from_bits(to), neighbours);
        answer
    }

    fn chain(jobs: u64) -> Links {
        (1..jobs).map(|job| (job, job + 1)).collect()
    }

    fn cycle(jobs: &[u64]) -> Result<(), LinkFault> {
        let jobs = jobs.iter().copied().map(JobId::from_bits);
        Err(LinkFault::Cycle(jobs.collect()))
    }

    #[test]
    fn a_cycle_is_named_by_its_jobs() {
        assert_eq!(ask(&chain(4), 4, 1), cycle(&[1, 2, 3, 4]));
        assert_eq!(ask(&chain(4), 3, 2), cycle(&[2, 3]));
        assert_eq!(ask(&chain(4), 2, 2), cycle(&[2]));
        assert_eq!(ask(&chain(4), 1, 4), Ok(()));
    }

    #[test]
    fn a_chain_may_have_so_many_jobs_and_no_more() {
        let jobs = CHAIN_JOBS_MAX as u64;
        assert_eq!(ask(&chain(jobs - 1), jobs - 1, jobs), Ok(()));
        let too_long = Err(LinkFault::TooLong {
            jobs: CHAIN_JOBS_MAX + 1,
        });
        assert_eq!(ask(&chain(jobs), jobs, jobs + 1), too_long);
        assert_eq!(ask(&chain(jobs), 1000, 1), too_long);
        // The longest way counts, not the shortest.
        let mut links = chain(jobs);
        links.insert((1, jobs));
        assert_eq!(ask(&links, jobs, jobs + 1), too_long);
    }

    #[test]
    fn more_jobs_than_are_walked_over_are_refused() {
        let fan = |jobs: u64| (2..=jobs).map(|job| (1, job)).collect::<Links>();
        let most = CONNECTED_JOBS_MAX as u64;
        assert_eq!(ask(&fan(most), 5000, 1), Ok(()));
        let refused = Err(LinkFault::TooManyConnected);
        assert_eq!(ask(&fan(most + 1), 5000, 1), refused);
    }

    /// Whether every job can be put before all that it starts.
    fn is_acyclic(links: &Links) -> bool {
        let mut left = links.clone();
        while !left.is_empty() {
            let started: HashSet<u64> = left.iter().map(|&(_, to)| to).collect();
            let before = left.len();
            left.retain(|(from, _)| started.contains(from));
            if left.len() == before {
                return false;
            }
        }
        true
    }

    proptest! {
        #[test]
        fn links_stay_without_a_cycle_and_only_what_closes_one_is_refused(
            wanted in prop::collection::vec((0u64..12, 0u64..12), 0..80),
        ) {
            let mut links = Links::new();
            for (from, to) in wanted {
                let mut with = links.clone();
                with.insert((from, to));
                match ask(&links, from, to) {
                    Ok(()) => links = with,
                    Err(LinkFault::Cycle(path)) => {
                        prop_assert!(!is_acyclic(&with));
                        let ends = (path[0].to_bits(), path[path.len() - 1].to_bits());
                        prop_assert_eq!(ends, (to, from));
                        for pair in path.windows(2) {
                            prop_assert!(links.contains(&(pair[0].to_bits(), pair[1].to_bits())));
                        }
                    }
                    Err(other) => prop_assert!(false, "{:?}", other),
                }
                prop_assert!(is_acyclic(&links));
            }
        }
    }
}
