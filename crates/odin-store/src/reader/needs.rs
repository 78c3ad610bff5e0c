//! What of a node's files the state needs: all others can be deleted.

use odin_model::{BundleHash, JobId, VersionNumber};
use rusqlite::{OptionalExtension, params};

use super::Reader;
use crate::{RunsOf, StoreError, columns};

/// How many of a job's latest versions keep their files, to be compared and gone back to. The others are what the job
/// file said, for as long as the job is there.
pub const VERSIONS_WITH_FILES: u32 = 100;

impl Reader {
    /// Whether a bundle is needed: by one of the latest [`VERSIONS_WITH_FILES`] versions of a job that is listed, by an
    /// older one of which a run is open, or by a hidden or removed job of which a run is kept.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn needs_bundle(&self, bundle: &BundleHash) -> Result<bool, StoreError> {
        let (is_needed, others) = self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT DISTINCT j.id, CASE WHEN j.state <> 2 AND j.visibility = 0 \
                   THEN v.version > j.version - ?2 OR EXISTS ( \
                     SELECT 1 FROM runs r INDEXED BY runs_open_by_job \
                     WHERE r.job = v.job AND r.version = v.version AND r.outcome IS NULL) END \
                 FROM job_versions v INDEXED BY job_versions_by_bundle JOIN jobs j ON j.id = v.job \
                 WHERE v.bundle = ?1",
            )?;
            let mut rows = statement.query(params![bundle.0, VERSIONS_WITH_FILES])?;
            let mut others = Vec::new();
            while let Some(row) = rows.next()? {
                match row.get(1)? {
                    Some(true) => return Ok((true, others)),
                    Some(false) => {}
                    None => others.push(columns::to_job_id(row.get(0)?)),
                }
            }
            Ok((false, others))
        })?;
        if is_needed {
            return Ok(true);
        }
        for job in others {
            if self.has_runs(job)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a version is needed unpacked: new runs begin with it, or one of it is not over.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn needs_version(&self, job: JobId, version: VersionNumber) -> Result<bool, StoreError> {
        enum Need {
            Sure,
            WithRuns,
            No,
        }
        let need = self.pool.ask(|conn| {
            let mut open = conn.prepare_cached(
                "SELECT 1 FROM runs INDEXED BY runs_open_by_job \
                 WHERE job = ?1 AND version = ?2 AND outcome IS NULL",
            )?;
            if open.exists(params![columns::job_id(job), version.0])? {
                return Ok(Need::Sure);
            }
            let current = conn
                .prepare_cached(
                    "SELECT visibility = 0 FROM jobs WHERE id = ?1 AND version = ?2 AND state <> 2",
                )?
                .query_row(params![columns::job_id(job), version.0], |row| row.get(0))
                .optional()?;
            Ok(match current {
                Some(true) => Need::Sure,
                Some(false) => Need::WithRuns,
                None => Need::No,
            })
        })?;
        match need {
            Need::Sure => Ok(true),
            Need::WithRuns => self.has_runs(job),
            Need::No => Ok(false),
        }
    }

    /// Whether versions of a job may be unpacked again: it is not removed.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn needs_job_directory(&self, job: JobId) -> Result<bool, StoreError> {
        self.pool.ask(|conn| {
            let mut there =
                conn.prepare_cached("SELECT 1 FROM jobs WHERE id = ?1 AND state <> 2")?;
            Ok(there.exists([columns::job_id(job)])?)
        })
    }

    /// Whether a run of a job is open or kept, or whether that takes longer to find out.
    fn has_runs(&self, job: JobId) -> Result<bool, StoreError> {
        let page = self.runs(RunsOf::Job(job), None, 1)?;
        Ok(!page.runs.is_empty() || page.next.is_some())
    }
}

#[cfg(test)]
mod tests {
    use odin_model::attempt::Ending;
    use odin_model::command::Command;
    use odin_model::job::Visibility;
    use odin_model::retention::{Forget, ForgetOf};
    use odin_model::{BundleHash, JobId, RunId, VersionNumber};

    use super::VERSIONS_WITH_FILES;
    use crate::scenario::{NODE, Scenario, ann, deploy, finished, minute, started};

    const OLD: BundleHash = BundleHash([7; 32]);
    const NEW: BundleHash = BundleHash([8; 32]);

    /// A job with two versions, and a run of the first that is not over.
    fn two_versions(visibility: Visibility) -> (Scenario, JobId, RunId) {
        let mut scenario = Scenario::with_node();
        let mut first = deploy("nightly");
        first.visibility = visibility;
        first.bundle = OLD;
        let job = scenario.deploy(first.clone());
        let reply = scenario.apply(&Command::RunNow {
            by: ann(),
            job,
            node: Some(NODE),
            at: minute(1),
        });
        let odin_model::Reply::Run { id: run } = reply else {
            panic!("{reply:?}");
        };
        first.id = Some(job);
        first.bundle = NEW;
        assert_eq!(scenario.deploy(first), job);
        (scenario, job, run)
    }

    /// Which of the bundles and of the versions are needed, old and new.
    fn needed(scenario: &Scenario, job: JobId) -> ([bool; 2], [bool; 2]) {
        let reader = scenario.store.reader();
        (
            [OLD, NEW].map(|bundle| reader.needs_bundle(&bundle).unwrap()),
            [1, 2].map(|number| reader.needs_version(job, VersionNumber(number)).unwrap()),
        )
    }

    fn end(scenario: &mut Scenario, run: RunId) {
        let ending = Ending::Exited { code: 0 };
        scenario.report(vec![started(run), finished(run, ending)]);
    }

    fn forget(scenario: &mut Scenario, job: JobId) {
        let after = RunId::from_bits(u64::MAX >> 1);
        scenario.apply(&Command::Forget(Forget {
            jobs: vec![ForgetOf {
                job,
                runs_before: Some(after),
                outputs_before: None,
            }],
            files_upto: 0,
            at: minute(9),
        }));
    }

    fn remove(scenario: &mut Scenario, job: JobId) {
        scenario.apply(&Command::Remove {
            by: ann(),
            job,
            expected: None,
            // Before it is due.
            at: minute(0),
        });
    }

    #[test]
    fn every_version_of_a_listed_job_needs_its_bundle_and_only_what_runs_is_needed_unpacked() {
        for is_sealed in [false, true] {
            let (mut scenario, job, run) = two_versions(Visibility::Listed);
            assert_eq!(needed(&scenario, job), ([true, true], [true, true]));
            end(&mut scenario, run);
            if is_sealed {
                scenario.seal();
                scenario.settle();
            }
            assert_eq!(needed(&scenario, job), ([true, true], [false, true]));
            remove(&mut scenario, job);
            assert_eq!(needed(&scenario, job), ([true, true], [false, false]));
            assert!(!scenario.store.reader().needs_job_directory(job).unwrap());
            forget(&mut scenario, job);
            assert_eq!(needed(&scenario, job), ([false, false], [false, false]));
        }
    }

    #[test]
    fn a_version_that_is_none_of_the_latest_needs_its_bundle_as_long_as_a_run_of_it_is_open() {
        let (mut scenario, job, run) = two_versions(Visibility::Listed);
        // The second version keeps its bundle, which all that follow have too.
        let mut same = deploy("nightly");
        same.id = Some(job);
        same.bundle = NEW;
        for _ in 2..VERSIONS_WITH_FILES {
            scenario.deploy(same.clone());
        }
        end(&mut scenario, run);
        assert_eq!(needed(&scenario, job).0, [true, true], "the hundredth");

        let (mut scenario, job, run) = two_versions(Visibility::Listed);
        same.id = Some(job);
        for _ in 1..VERSIONS_WITH_FILES {
            scenario.deploy(same.clone());
        }
        assert_eq!(needed(&scenario, job).0, [true, true], "a run is open");
        end(&mut scenario, run);
        assert_eq!(needed(&scenario, job).0, [false, true]);
        remove(&mut scenario, job);
        assert_eq!(needed(&scenario, job).0, [true, true], "a run is kept");
    }

    #[test]
    fn a_hidden_job_needs_its_files_as_long_as_a_run_of_it_is_kept() {
        let (mut scenario, job, run) = two_versions(Visibility::Hidden);
        assert_eq!(needed(&scenario, job), ([true, true], [true, true]));
        end(&mut scenario, run);
        assert_eq!(needed(&scenario, job), ([true, true], [false, true]));
        forget(&mut scenario, job);
        assert_eq!(needed(&scenario, job), ([false, false], [false, false]));
        assert!(scenario.store.reader().needs_job_directory(job).unwrap());
    }

    #[test]
    fn what_no_version_names_is_not_needed() {
        let scenario = Scenario::with_node();
        let reader = scenario.store.reader();
        assert!(!reader.needs_bundle(&OLD).unwrap());
        let job = JobId::from_bits(7);
        assert!(!reader.needs_version(job, VersionNumber::FIRST).unwrap());
        assert!(!reader.needs_job_directory(job).unwrap());
    }
}
