//! From a run in the state to a launch for the executor.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use odin_cluster::LeaseTerms;
use odin_executor::protocol::{AttemptKey, Launch, LaunchProgram, LaunchSecret, Prepare};
use odin_model::job::Job;
use odin_model::{BundleHash, JobId, JobSpec, Lane, Owner, Program, VersionNumber};
use odin_scheduling::clock_jump::Reading;
use odin_scheduling::unleased::unleased;
use odin_store::{Reader, StoreError};

use crate::wall_offset::{since_boottime, to_boottime};

/// How many versions are kept in memory: those of a busy node's last seconds.
const CACHED_MAX: usize = 4_096;

/// An assigned run with what it is pinned to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pinned {
    pub(crate) key: AttemptKey,
    pub(crate) job: JobId,
    pub(crate) version: VersionNumber,
    /// The occurrence; for a run without one, when it became ready. The same for each of its attempts.
    pub(crate) due_at: Timestamp,
    /// When this attempt may start.
    pub(crate) ready_at: Timestamp,
    /// Whether it makes up for the past.
    pub(crate) lane: Lane,
}

/// What a launch needs of a job's version.
#[derive(Debug)]
pub(crate) struct PinnedJob {
    pub(crate) owner: Owner,
    pub(crate) spec: JobSpec,
    pub(crate) bundle: BundleHash,
}

impl PinnedJob {
    /// What a job's current version says.
    pub(crate) fn current(job: Job) -> Self {
        Self {
            owner: job.owner,
            spec: job.spec,
            bundle: job.bundle,
        }
    }
}

/// Makes launches, remembering the versions it has read.
#[derive(Debug)]
pub(crate) struct Launches {
    node_name: String,
    bundles: PathBuf,
    leases: LeaseTerms,
    cached: HashMap<(JobId, VersionNumber), Arc<PinnedJob>>,
}

impl Launches {
    /// For the node of this name, with bundles in this directory, in a cluster with such leases.
    pub(crate) fn new(node_name: String, bundles: PathBuf, leases: LeaseTerms) -> Self {
        Self {
            node_name,
            bundles,
            leases,
            cached: HashMap::new(),
        }
    }

    /// What the run's version says. `None`: the state does not have it.
    pub(crate) fn job(
        &mut self,
        reader: &Reader,
        pinned: &Pinned,
    ) -> Result<Option<Arc<PinnedJob>>, StoreError> {
        let version = (pinned.job, pinned.version);
        if let Some(job) = self.cached.get(&version) {
            return Ok(Some(Arc::clone(job)));
        }
        let (Some(job), Some(stored)) = (
            reader.job(pinned.job)?,
            reader.version(pinned.job, pinned.version)?,
        ) else {
            return Ok(None);
        };
        let pinned_job = Arc::new(PinnedJob {
            owner: job.owner,
            spec: stored.spec,
            bundle: stored.bundle,
        });
        if self.cached.len() >= CACHED_MAX {
            self.cached.clear();
        }
        self.cached.insert(version, Arc::clone(&pinned_job));
        Ok(Some(pinned_job))
    }

    /// What the executor needs to unpack a version's bundle.
    pub(crate) fn prepare(&self, id: JobId, version: VersionNumber, job: &PinnedJob) -> Prepare {
        Prepare {
            job: id,
            version,
            bundle: odin_api::bundle_path(&self.bundles, job.bundle),
            hash: job.bundle,
            owner: job.owner.clone(),
        }
    }

    pub(crate) fn launch(
        &self,
        pinned: &Pinned,
        job: &PinnedJob,
        secrets: Vec<LaunchSecret>,
        now: Reading,
        skew: SignedDuration,
    ) -> Launch {
        Launch {
            key: pinned.key,
            job: pinned.job,
            job_name: job.spec.name.to_string(),
            version: pinned.version,
            owner: job.owner.clone(),
            due_at: pinned.due_at,
            ready_at: since_boottime(pinned.ready_at, now, skew),
            not_before: to_boottime(pinned.ready_at, now, skew),
            program: program(&job.spec),
            env: job.spec.env.clone(),
            secrets,
            timeouts: job.spec.timeouts,
            limits: job.spec.limits,
            children: job.spec.children,
            on_cancel: job.spec.on_cancel.clone(),
            unleased: unleased(&job.spec, self.leases.lease, self.leases.margin),
            kill_grace: job.spec.kill_grace,
            output_bytes_max: job.spec.output_bytes_max,
            values_bytes_max: job.spec.keep.values_bytes,
            node: self.node_name.clone(),
        }
    }
}

fn program(spec: &JobSpec) -> LaunchProgram {
    let args = || spec.args.clone();
    match &spec.program {
        Program::Interpreted { language, file } => LaunchProgram::Interpreted {
            interpreter: interpreter(language).to_owned(),
            configured: Vec::new(),
            file: file.clone(),
            args: args(),
        },
        Program::Compiled { binary, .. } => LaunchProgram::Argv(
            std::iter::once(format!("./{binary}"))
                .chain(args())
                .collect(),
        ),
        Program::Argv(argv) => LaunchProgram::Argv(argv.iter().cloned().chain(args()).collect()),
        Program::Shell(line) => LaunchProgram::Shell {
            line: line.clone(),
            args: args(),
        },
    }
}

/// The interpreter of a language that is written as a name. `python` has long meant Python 3, and most systems have
/// only that name for it.
#[must_use]
pub fn interpreter(language: &str) -> &str {
    if language == "python" {
        "python3"
    } else {
        language
    }
}

/// A launch for tests: due an hour ago, ready since a second.
#[cfg(test)]
fn launch_of(key: AttemptKey) -> Launch {
    use std::time::Duration;

    let name = odin_model::JobName::parse("a job").unwrap();
    let program = Program::Shell("true".to_owned());
    let spec = JobSpec::new(name, program, "never", "UTC");
    let job = PinnedJob {
        owner: Owner {
            user: "ann".to_owned(),
            uid: 1000,
        },
        spec,
        bundle: BundleHash([0; 32]),
    };
    let now = Reading {
        wall: Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1),
        boottime: odin_model::Boottime(Duration::from_secs(60)),
    };
    let pinned = Pinned {
        key,
        job: JobId::from_bits(1),
        version: VersionNumber::FIRST,
        due_at: Timestamp::UNIX_EPOCH,
        ready_at: now.wall - SignedDuration::from_secs(1),
        lane: Lane::Live,
    };
    let launches = Launches::new("node-1".to_owned(), PathBuf::new(), LeaseTerms::default());
    launches.launch(&pinned, &job, Vec::new(), now, SignedDuration::ZERO)
}

/// A request to start something, for tests of where requests go.
#[cfg(test)]
pub(crate) fn arm_of(key: AttemptKey) -> odin_executor::protocol::Request {
    odin_executor::protocol::Request::Arm(Box::new(launch_of(key)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use odin_model::{AttemptNumber, Boottime, RunId};

    use super::*;

    #[test]
    fn a_retry_waits_since_it_was_ready_and_is_due_when_its_run_was() {
        let launch = launch_of(AttemptKey {
            run: RunId::from_bits(1),
            attempt: AttemptNumber(2),
        });
        assert_eq!(launch.ready_at, Boottime(Duration::from_secs(59)));
        assert_eq!(launch.not_before, Boottime(Duration::from_secs(60)));
        assert_eq!(launch.due_at, Timestamp::UNIX_EPOCH);
    }
}
