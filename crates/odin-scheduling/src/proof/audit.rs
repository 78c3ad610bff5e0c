//! Holds the rows of a ledger against the due times that there must be.

use jiff::Timestamp;
use odin_model::ledger::{LedgerReason, LedgerRow};
use odin_model::{JobId, LedgerOutcome, Missed, RunId};

use super::expected::Expected;
use super::report::{Flaw, Lateness, Report, Undetermined};
use super::stretch::{Stretch, just_before};
use crate::judge::{Policy, is_later_than};

/// What is known of the run that a row names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunFacts {
    /// Its job.
    pub job: JobId,
    /// The due time that it answers.
    pub due_at: Option<Timestamp>,
    /// Whether the schedule made it.
    pub by_schedule: bool,
    /// When its first process was made.
    pub started_at: Option<Timestamp>,
}

/// A row, with its run where that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The row.
    pub row: LedgerRow,
    /// The run that it names. `None`: it is not there.
    pub run: Option<RunFacts>,
    /// Whether that the run is not there says nothing: it is older than what is kept, or is in a file of history that
    /// cannot be read.
    pub is_unkept: bool,
}

/// Why what differs at an instant of a stretch proves nothing, if it does not.
type Doubt<'a> = dyn Fn(Timestamp, &Stretch) -> Option<String> + 'a;

/// One job's audit: it is shown every row of a period in order of time, and then [finished](Self::finish).
pub struct Audit<'a> {
    job: JobId,
    expected: Expected<'a>,
    /// Before this the job's changes are no longer kept.
    known_from: Option<Timestamp>,
    /// The last instant that a row has covered.
    covered_to: Option<Timestamp>,
    /// Why what differs at an instant proves nothing.
    doubt: Box<Doubt<'a>>,
    report: &'a mut Report,
}

impl<'a> Audit<'a> {
    /// An audit of what was due from `within.0` to `within.1`, both included. No row shown begins before or ends after.
    ///
    /// `doubt` names what makes it uncertain what was due at an instant, such as time zone rules that this program does
    /// not have: what differs then is left open instead of found.
    pub fn new(
        job: JobId,
        stretches: &'a [Stretch],
        known_from: Option<Timestamp>,
        within: (Timestamp, Timestamp),
        doubt: impl Fn(Timestamp, &Stretch) -> Option<String> + 'a,
        report: &'a mut Report,
    ) -> Self {
        for stretch in stretches {
            if let Some((from, to)) = stretch.given_up
                && to >= within.0
                && from <= within.1
            {
                report.leave_open(Undetermined {
                    job,
                    from,
                    to,
                    because:
                        "the job could not be planned then, and was stopped before that was mended"
                            .to_owned(),
                });
            }
        }
        Self {
            job,
            expected: Expected::new(stretches, within),
            known_from,
            covered_to: None,
            doubt: Box::new(doubt),
            report,
        }
    }

    /// The next row.
    pub fn row(&mut self, evidence: &Evidence) {
        let row = &evidence.row;
        self.report.outcomes[row.outcome as usize] += row.count;
        if self.covered_to.is_some_and(|to| row.from <= to) {
            self.find(row.from, Flaw::Doubled, None);
            return;
        }
        self.covered_to = Some(row.to.max(row.from));
        if self.known_from.is_some_and(|known| row.from < known) {
            self.leave_open(row, "the job's changes of then are no longer kept");
            return;
        }
        self.miss_before(row.from);
        if let Some((because, _)) = self.expected.unknown()
            && self
                .expected
                .peek()
                .is_some_and(|(head, _)| head <= row.from)
        {
            self.leave_open(row, because);
            return;
        }
        match self.expected.peek() {
            Some((due, stretch)) if due == row.from => self.answer(evidence, stretch),
            found => {
                let flaw = Flaw::NotDue {
                    outcome: row.outcome,
                };
                self.find(row.from, flaw, found.map(|(_, stretch)| stretch));
                // Its range, too, is answered by nothing else.
                if row.to > row.from {
                    self.report.due += self.expected.take_through(row.to).count;
                }
            }
        }
    }

    /// All rows were shown.
    pub fn finish(mut self) {
        self.miss_before(Timestamp::MAX);
    }

    /// Due times before `to` have no row.
    fn miss_before(&mut self, to: Timestamp) {
        while let Some((due, stretch)) = self.expected.peek().filter(|(due, _)| *due < to) {
            if let Some((because, last)) = self.expected.unknown() {
                if last >= to {
                    return;
                }
                self.report.leave_open(Undetermined {
                    job: self.job,
                    from: due,
                    to: last,
                    because: because.to_owned(),
                });
                self.expected.skip_stretch();
                continue;
            }
            let end = just_before(to).min(stretch.until.last());
            let taken = self.expected.take_through(end);
            self.report.due += taken.count;
            let flaw = Flaw::Missing { count: taken.count };
            self.find(due, flaw, Some(stretch));
        }
    }

    /// The row begins at a due time.
    fn answer(&mut self, evidence: &Evidence, stretch: &Stretch) {
        let row = &evidence.row;
        if row.to == row.from {
            self.expected.pop();
            self.report.due += 1;
            if row.count != 1 {
                let found = row.count;
                self.find(row.from, Flaw::WrongCount { found, expected: 1 }, None);
            }
        } else {
            let taken = self.expected.take_through(row.to);
            self.report.due += taken.count;
            if taken.count != row.count || taken.last != Some(row.to) {
                let flaw = Flaw::WrongCount {
                    found: row.count,
                    expected: taken.count,
                };
                self.find(row.from, flaw, Some(stretch));
            }
        }
        if row.version != stretch.version {
            let flaw = Flaw::WrongVersion {
                found: row.version,
                expected: stretch.version,
            };
            self.find(row.from, flaw, None);
        } else if let Ok(rule) = &stretch.rule
            && !agrees(row, &rule.policy)
        {
            let flaw = Flaw::WrongOutcome {
                outcome: row.outcome,
            };
            self.find(row.from, flaw, None);
        }
        self.check_run(evidence);
    }

    /// The run that the row names is there, and answers it.
    fn check_run(&mut self, evidence: &Evidence) {
        let row = &evidence.row;
        let Some(run) = row.run else { return };
        if evidence.run.is_none() && evidence.is_unkept {
            self.report.unkept += 1;
            return;
        }
        let is_it = evidence.run.is_some_and(|facts| {
            let answers = row.outcome != LedgerOutcome::Started
                || (facts.by_schedule && facts.due_at == Some(row.from));
            facts.job == self.job && answers
        });
        if !is_it {
            self.find(row.from, Flaw::NoRun { run }, None);
            return;
        }
        if row.reason == LedgerReason::OnTime
            && let Some(started_at) = evidence.run.and_then(|facts| facts.started_at)
        {
            self.report.began(Lateness {
                job: self.job,
                due_at: row.from,
                run,
                late: started_at.duration_since(row.from),
            });
        }
    }

    /// A run that the schedule made and that no row names.
    pub fn run_without_row(&mut self, run: RunId, due_at: Timestamp, is_second: bool) {
        let flaw = match is_second {
            true => Flaw::DoubledRun { run },
            false => Flaw::RunWithoutRow { run },
        };
        self.find(due_at, flaw, None);
    }

    fn find(&mut self, at: Timestamp, flaw: Flaw, stretch: Option<&Stretch>) {
        let doubt = stretch.and_then(|stretch| (self.doubt)(at, stretch));
        match doubt {
            Some(because) => self.report.leave_open(Undetermined {
                job: self.job,
                from: at,
                to: at,
                because,
            }),
            None => self.report.find(self.job, at, flaw),
        }
    }

    fn leave_open(&mut self, row: &LedgerRow, because: &str) {
        self.report.unproved += row.count;
        self.report.outcomes[row.outcome as usize] -= row.count;
        self.report.leave_open(Undetermined {
            job: self.job,
            from: row.from,
            to: row.to,
            because: because.to_owned(),
        });
    }
}

/// Whether a row's outcome, reason, run, policy and time of decision agree.
fn agrees(row: &LedgerRow, policy: &Policy) -> bool {
    use LedgerOutcome::{Coalesced, Misfired, Skipped, Started};
    use LedgerReason as Why;
    let is_late = is_later_than(row.decided_at, row.from, policy.grace);
    let is_single = row.count == 1 && row.from == row.to;
    match (row.outcome, row.reason) {
        (Started, Why::OnTime) => is_single && row.run.is_some() && !is_late,
        (Started, Why::CatchUp) => {
            is_single && row.run.is_some() && is_late && policy.missed != Missed::Skip
        }
        (Skipped, Why::StillActive { .. } | Why::QueueFull) => row.run.is_none(),
        (Coalesced, Why::CoalescedInto { run }) => {
            row.run == run && is_late && policy.missed == Missed::Once
        }
        (Misfired, Why::MissedSkipped) => {
            row.run.is_none() && is_late && policy.missed == Missed::Skip
        }
        (Misfired, Why::BeyondLimit) => {
            row.run.is_none() && is_late && matches!(policy.missed, Missed::All { .. })
        }
        (Misfired, Why::Quarantined) => row.run.is_none(),
        (Started | Skipped | Coalesced | Misfired, _) => false,
    }
}
