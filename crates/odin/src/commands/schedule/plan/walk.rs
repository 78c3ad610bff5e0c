//! Walks through everything that a set of jobs has due, in order of time.
//!
//! Jobs with the same schedule are walked as one, and at any moment only the next instant of each is in memory. So
//! memory grows with the jobs and not with what they have due, and time with the different schedules.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use odin_model::{Concurrency, Overlap};
use odin_schedule::ZonedSchedule;

use super::busiest::{Busiest, Minute};
use super::overlaps::{Overlaps, Running};

/// Jobs with one schedule, one duration and one policy: whatever happens to one happens to all.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) schedule: ZonedSchedule,
    /// How long each run takes. `None`: not known, so its runs overlap nothing.
    pub(crate) duration: Option<Duration>,
    pub(crate) concurrency: Concurrency,
    /// The jobs, by their place in the list of jobs; ascending.
    pub(crate) jobs: Vec<usize>,
}

/// What is walked through, and how much of it is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// The first instant.
    pub(crate) from: Timestamp,
    /// The first instant that is no longer looked at.
    pub(crate) to: Timestamp,
    /// Only occurrences after this one are listed: an instant, and a place in the list of jobs.
    pub(crate) after: Option<(Timestamp, usize)>,
    /// How many occurrences are listed.
    pub(crate) rows_max: usize,
    /// How many starts and ends are looked at. At the bound the walk ends between two instants, and says where.
    pub(crate) steps_max: u64,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// How many occurrences all jobs have.
    pub(crate) count: u64,
    /// What each group has, in the order of groups.
    pub(crate) tallies: Vec<Tally>,
    /// The listed occurrences, in order of time, then of the list of jobs.
    pub(crate) rows: Vec<Row>,
    /// Whether there are occurrences after the listed ones.
    pub(crate) has_more: bool,
    /// The minutes with the most occurrences, the fullest first.
    pub(crate) busiest: Vec<Minute>,
    /// What runs at the same time.
    pub(crate) overlaps: Overlaps,
    /// The first instant that was not looked at, for want of steps. `None`: all was looked at.
    pub(crate) complete_until: Option<Timestamp>,
}

/// What each job of a group has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// How many occurrences.
    pub(crate) count: u64,
    pub(crate) first: Option<Timestamp>,
    /// How many of them find an earlier run of the job still running.
    pub(crate) overlapping: u64,
}

/// One occurrence of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) due: Timestamp,
    /// The job's place in the list of jobs.
    pub(crate) job: usize,
    /// Whether an earlier run of the job is still running.
    pub(crate) overlaps: bool,
}

/// Ends come before starts: a run that ends as another begins does not overlap it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    End,
    Start,
}

/// Where a group is on its way.
#[derive(Debug, Default)]
struct Progress {
    /// How many runs of each of its jobs are running.
    running: u64,
    /// The occurrence whose run ends next.
    ends_next: Option<Timestamp>,
}

/// Walks through what the groups have due.
pub(crate) fn walk(groups: &[Group], span: Span) -> Walked {
    let mut walk = Walk::new(groups, span);
    let mut steps = 0;
    while let Some(&Reverse((at, ..))) = walk.events.peek() {
        if steps >= span.steps_max {
            walk.found.complete_until = Some(at);
            break;
        }
        steps += walk.instant(at);
    }
    let Walk {
        mut found,
        busiest,
        running,
        ..
    } = walk;
    found.busiest = busiest.finish();
    found.overlaps = running.finish(found.complete_until.unwrap_or(span.to));
    found
}

struct Walk<'a> {
    groups: &'a [Group],
    span: Span,
    events: BinaryHeap<Reverse<(Timestamp, Event, usize)>>,
    progress: Vec<Progress>,
    busiest: Busiest,
    running: Running<'a>,
    found: Walked,
}

impl<'a> Walk<'a> {
    fn new(groups: &'a [Group], span: Span) -> Self {
        let first = |(group, it): (usize, &Group)| {
            let due = it.schedule.occurrences(span.from, span.to).next()?;
            (due < span.to).then_some(Reverse((due, Event::Start, group)))
        };
        Self {
            groups,
            span,
            events: groups.iter().enumerate().filter_map(first).collect(),
            progress: groups.iter().map(|_| Progress::default()).collect(),
            busiest: Busiest::default(),
            running: Running::new(groups),
            found: Walked {
                tallies: vec![Tally::default(); groups.len()],
                ..Walked::default()
            },
        }
    }

    /// Looks at everything that happens at an instant; tells how many events that were.
    fn instant(&mut self, at: Timestamp) -> u64 {
        let mut steps = 0;
        // In the order of groups, and no group twice.
        let mut starting: BTreeSet<usize> = BTreeSet::new();
        let mut overlapping: BTreeSet<usize> = BTreeSet::new();
        while let Some(&Reverse((next, event, group))) = self.events.peek()
            && next == at
        {
            self.events.pop();
            steps += 1;
            match event {
                Event::End => self.end(at, group),
                Event::Start => {
                    starting.insert(group);
                    if self.start(at, group) {
                        overlapping.insert(group);
                    }
                }
            }
        }
        self.running.settle(at);
        self.list(at, &starting, &overlapping);
        steps
    }

    /// Starts a group's jobs; tells whether earlier runs of theirs are still running.
    fn start(&mut self, at: Timestamp, group: usize) -> bool {
        let it = &self.groups[group];
        let jobs = it.jobs.len() as u64;
        let tally = &mut self.found.tallies[group];
        tally.count += 1;
        tally.first.get_or_insert(at);
        self.found.count += jobs;
        self.busiest.add(at, jobs, &it.jobs);
        if let Some(next) = it.schedule.next_after(at)
            && next < self.span.to
        {
            self.events.push(Reverse((next, Event::Start, group)));
        }
        let Some(duration) = it.duration else {
            return false;
        };
        let progress = &mut self.progress[group];
        let overlaps = progress.running > 0;
        if overlaps {
            tally.overlapping += 1;
        }
        let max = it.concurrency.max().map_or(u64::MAX, u64::from);
        if it.concurrency.overlap == Overlap::Forbid && progress.running >= max {
            return true;
        }
        progress.running += 1;
        self.running.start(group);
        if progress.ends_next.is_none() {
            progress.ends_next = Some(at);
            self.push_end(at, duration, group);
        }
        overlaps
    }

    /// Ends the runs that the group's oldest running occurrence started.
    fn end(&mut self, at: Timestamp, group: usize) {
        let it = &self.groups[group];
        let progress = &mut self.progress[group];
        progress.running -= 1;
        self.running.end(group);
        let started = progress.ends_next.take();
        // With `forbid` nothing else of the group is running. Else what ends next is what was due next: looking it
        // up again needs no memory of all that is running.
        if progress.running > 0
            && let (Some(started), Some(duration)) = (started, it.duration)
            && let Some(next) = it.schedule.next_after(started)
        {
            progress.ends_next = Some(next);
            self.push_end(next, duration, group);
        }
        debug_assert!(started.is_some_and(|started| started <= at));
    }

    fn push_end(&mut self, started: Timestamp, duration: Duration, group: usize) {
        let end = SignedDuration::try_from(duration)
            .ok()
            .and_then(|duration| started.checked_add(duration).ok());
        // A run that outlives the span is running until the walk's end.
        if let Some(end) = end
            && end < self.span.to
        {
            self.events.push(Reverse((end, Event::End, group)));
        }
    }

    /// Lists what starts at an instant, by the list of jobs.
    fn list(&mut self, at: Timestamp, starting: &BTreeSet<usize>, overlapping: &BTreeSet<usize>) {
        let is_before = self.span.after.is_some_and(|(after, _)| at < after);
        if starting.is_empty() || is_before || self.found.has_more {
            return;
        }
        let mut rows: Vec<Row> = starting
            .iter()
            .flat_map(|&group| {
                let overlaps = overlapping.contains(&group);
                let row = move |&job: &usize| Row {
                    due: at,
                    job,
                    overlaps,
                };
                self.groups[group].jobs.iter().map(row)
            })
            .filter(|row| {
                self.span
                    .after
                    .is_none_or(|after| (row.due, row.job) > after)
            })
            .collect();
        rows.sort_unstable_by_key(|row| row.job);
        let room = self.span.rows_max - self.found.rows.len();
        self.found.has_more = rows.len() > room;
        self.found.rows.extend(rows.into_iter().take(room));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn group(
        text: &str,
        minutes: Option<u64>,
        concurrency: Concurrency,
        jobs: std::ops::Range<usize>,
    ) -> Group {
        Group {
            schedule: odin_schedule::parse(text).unwrap().in_zone(&TimeZone::UTC),
            duration: minutes.map(|minutes| Duration::from_secs(minutes * 60)),
            concurrency,
            jobs: jobs.collect(),
        }
    }

    fn span(from: &str, to: &str) -> Span {
        Span {
            from: at(from),
            to: at(to),
            after: None,
            rows_max: 1_000_000,
            steps_max: u64::MAX,
        }
    }

    fn example() -> Vec<Group> {
        let [allow, forbid] = [Concurrency::ALLOW, Concurrency::FORBID];
        vec![
            group("every 15 minutes", Some(40), allow, 0..2),
            group("every 10 minutes", Some(25), forbid, 2..3),
            group("every hour and every day at 09:30", None, allow, 3..5),
            group(
                "every day at 09:00 and every Tuesday at 09:10",
                Some(0),
                allow,
                5..6,
            ),
            group("every 7 minutes from 08:00 to 10:00", Some(7), forbid, 6..9),
            group("never", Some(5), allow, 9..10),
        ]
    }

    /// The same by going through every second that something is due, and remembering every run.
    fn naive(groups: &[Group], span: Span) -> (Vec<Row>, Vec<(Timestamp, u64)>) {
        let last = span.to.checked_sub(SignedDuration::from_secs(1)).unwrap();
        let mut rows = Vec::new();
        let mut runs: Vec<(Timestamp, Timestamp)> = Vec::new();
        for group in groups {
            let mut own: Vec<(Timestamp, Timestamp)> = Vec::new();
            for due in group.schedule.occurrences(span.from, last) {
                let overlaps = own.iter().any(|(_, end)| *end > due);
                rows.extend(group.jobs.iter().map(|&job| Row { due, job, overlaps }));
                let skips = overlaps && group.concurrency == Concurrency::FORBID;
                if let Some(duration) = group.duration
                    && !skips
                {
                    let end = due.checked_add(duration).unwrap();
                    own.push((due, end));
                    runs.extend(group.jobs.iter().map(|_| (due, end)));
                }
            }
        }
        rows.sort_by_key(|row| (row.due, row.job));
        let mut instants: Vec<Timestamp> = runs.iter().map(|(from, _)| *from).collect();
        instants.sort();
        instants.dedup();
        let running = |at: Timestamp| {
            let is_running = |(from, to): &&(Timestamp, Timestamp)| *from <= at && at < *to;
            runs.iter().filter(is_running).count() as u64
        };
        let running = instants.into_iter().map(|at| (at, running(at))).collect();
        (rows, running)
    }

    #[test]
    fn a_walk_finds_what_going_through_every_run_finds() {
        let groups = example();
        for (from, to) in [
            ("2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z"),
            ("2026-12-01T08:45:00Z", "2026-12-01T09:10:00Z"),
            ("2026-12-01T09:10:00Z", "2026-12-03T09:10:01Z"),
        ] {
            let span = span(from, to);
            let found = walk(&groups, span);
            let (rows, running) = naive(&groups, span);
            assert_eq!(found.rows, rows);
            assert_eq!(found.count, rows.len() as u64);
            assert!(!found.has_more && found.complete_until.is_none());
            let most = running.iter().map(|(_, running)| *running).max();
            let peak = found.overlaps.peak.unwrap();
            assert_eq!(Some(peak.running), most);
            let first = running.iter().find(|(_, running)| Some(*running) == most);
            assert_eq!(first.map(|(at, _)| *at), Some(peak.at));
            for (group, tally) in groups.iter().zip(&found.tallies) {
                let own = || rows.iter().filter(|row| row.job == group.jobs[0]);
                assert_eq!(tally.count, own().count() as u64);
                let overlapping = own().filter(|row| row.overlaps).count();
                assert_eq!(tally.overlapping, overlapping as u64);
                assert_eq!(tally.first, own().next().map(|row| row.due));
            }
            let mut minutes: Vec<(u64, Timestamp)> = Vec::new();
            for row in &rows {
                let second = row.due.as_second() / 60 * 60;
                let minute = Timestamp::from_second(second).unwrap();
                match minutes.last_mut() {
                    Some((count, at)) if *at == minute => *count += 1,
                    _ => minutes.push((1, minute)),
                }
            }
            minutes.sort_by_key(|(count, at)| (Reverse(*count), *at));
            minutes.truncate(10);
            let busiest: Vec<_> = found.busiest.iter().map(|it| (it.count, it.at)).collect();
            assert_eq!(busiest, minutes);
        }
    }

    #[test]
    fn stretches_with_several_runs_are_told_with_their_length() {
        let two = [
            group("every day at 09:00", Some(30), Concurrency::ALLOW, 0..1),
            group(
                "every day at 09:10 and every day at 09:30",
                Some(20),
                Concurrency::ALLOW,
                1..2,
            ),
        ];
        let found = walk(&two, span("2026-12-01T00:00:00Z", "2026-12-03T00:00:00Z")).overlaps;
        assert_eq!((found.count, found.seconds), (2, 2 * 20 * 60));
        let first = &found.first[0];
        assert_eq!(first.from, at("2026-12-01T09:10:00Z"));
        assert_eq!(first.to, at("2026-12-01T09:30:00Z"));
        assert_eq!((first.most, &first.jobs[..]), (2, &[0, 1][..]));
    }

    #[test]
    fn pages_put_together_are_the_whole() {
        let groups = example();
        let whole = span("2026-12-01T08:00:00Z", "2026-12-01T10:00:00Z");
        let all = walk(&groups, whole).rows;
        let mut pages = Vec::new();
        let mut after = None;
        loop {
            let page = walk(
                &groups,
                Span {
                    rows_max: 7,
                    after,
                    ..whole
                },
            );
            after = page.rows.last().map(|row| (row.due, row.job));
            pages.extend(page.rows);
            if !page.has_more {
                break;
            }
        }
        assert_eq!(pages, all);
    }

    #[test]
    fn too_much_to_walk_ends_between_two_instants_and_says_where() {
        let groups = example();
        let whole = span("2026-12-01T00:00:00Z", "2026-12-31T00:00:00Z");
        let cut = walk(
            &groups,
            Span {
                steps_max: 500,
                ..whole
            },
        );
        let until = cut.complete_until.unwrap();
        assert!(until < whole.to);
        let same = walk(&groups, Span { to: until, ..whole });
        assert_eq!(cut.rows, same.rows);
        assert_eq!(cut.count, same.count);
        assert_eq!(cut.overlaps.seconds, same.overlaps.seconds);
    }
}
