//! What a principal sees of the state: every query of a handler goes through here, so that someone else's job or run
//! looks as one that never was.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use odin_model::attempt::PastAttempt;
use odin_model::job::Job;
use odin_model::run::Run;
use odin_model::{AttemptNumber, JobId, NodeId, Principal, Refusal, RunFlag, RunId};
use odin_store::{Reader, StoreError};
use odin_wire as wire;

use crate::api::Api;
use crate::failure::Failure;

/// A run with its job.
pub(crate) struct SeenRun {
    pub(crate) run: Run,
    pub(crate) job: Job,
    /// The name of the run's node.
    pub(crate) node: Option<String>,
    /// Its attempts beside the latest one, with the names of their nodes.
    pub(crate) past: Vec<(PastAttempt, Option<String>)>,
    /// What is unusual about it.
    pub(crate) flags: Vec<RunFlag>,
}

impl SeenRun {
    pub(crate) fn to_wire(&self) -> wire::Run {
        let mut attempts: Vec<_> = self
            .past
            .iter()
            .map(|(past, node)| wire::Attempt::past(past, node.as_deref()))
            .collect();
        let latest = wire::Attempt::latest(&self.run, self.node.as_deref());
        let is_new = |latest: &wire::Attempt| {
            attempts
                .last()
                .is_none_or(|past| past.attempt < latest.attempt)
        };
        attempts.extend(latest.filter(is_new));
        let job_name = self.job.spec.name.as_str();
        wire::Run {
            attempts,
            flags: self.flags.iter().map(wire::Flag::from).collect(),
            ..wire::Run::new(&self.run, job_name, self.node.as_deref())
        }
    }

    /// An attempt that is over while the run may go on.
    pub(crate) fn past(&self, number: AttemptNumber) -> Option<&PastAttempt> {
        let mut past = self.past.iter().map(|(past, _)| past);
        past.find(|past| past.number == number)
    }
}

/// The job, if the caller may see it; removed ones too, for their history.
pub(crate) async fn job(api: &Api, caller: &Principal, id: JobId) -> Result<Job, Failure> {
    let found = api.read(move |reader| reader.job(id)).await?;
    found
        .filter(|job| caller.may_see(&job.owner))
        .ok_or_else(|| Refusal::NoSuchJob(id).into())
}

/// The job, if the caller may change it and it is not removed. Apply checks the same again; here it is checked
/// before a bundle or a due time is worked out.
pub(crate) async fn job_to_change(
    api: &Api,
    caller: &Principal,
    id: JobId,
) -> Result<Job, Failure> {
    let job = job(api, caller, id).await?;
    if job.state == odin_model::JobState::Removed {
        return Err(Refusal::NoSuchJob(id).into());
    }
    if !caller.may_change(&job.owner) {
        return Err(Refusal::NotPermitted {
            job: id,
            owner: job.owner.user,
        }
        .into());
    }
    Ok(job)
}

/// The run, if the caller may see its job.
pub(crate) async fn run(api: &Api, caller: &Principal, id: RunId) -> Result<SeenRun, Failure> {
    let caller = caller.clone();
    let found = api.read(move |reader| run_in(reader, &caller, id)).await?;
    found.ok_or_else(|| Refusal::NoSuchRun(id).into())
}

/// The same for those who read already.
pub(crate) fn run_in(
    reader: &Reader,
    caller: &Principal,
    id: RunId,
) -> Result<Option<SeenRun>, StoreError> {
    let Some(run) = reader.run(id)? else {
        return Ok(None);
    };
    let Some(job) = reader
        .job(run.job)?
        .filter(|job| caller.may_see(&job.owner))
    else {
        return Ok(None);
    };
    let name_of =
        |node| -> Result<_, StoreError> { Ok(reader.node(node)?.map(|node| node.facts.name)) };
    let node = run.node.map(name_of).transpose()?.flatten();
    let mut past = Vec::new();
    for attempt in reader.past_attempts(id)? {
        let name = name_of(attempt.node)?;
        past.push((attempt, name));
    }
    let flags = reader.flags_of(id)?;
    Ok(Some(SeenRun {
        run,
        job,
        node,
        past,
        flags,
    }))
}

/// The names that go with many runs' ids, each asked for once.
#[derive(Default)]
pub(crate) struct Names {
    jobs: BTreeMap<JobId, Option<String>>,
    nodes: BTreeMap<NodeId, Option<String>>,
}

impl Names {
    /// The name of a job. `None`: the caller may not see it.
    pub(crate) fn job(
        &mut self,
        reader: &Reader,
        caller: &Principal,
        id: JobId,
    ) -> Result<Option<&str>, StoreError> {
        let name = match self.jobs.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let job = reader.job(id)?.filter(|job| caller.may_see(&job.owner));
                new.insert(job.map(|job| job.spec.name.to_string()))
            }
        };
        Ok(name.as_deref())
    }

    /// The run with its names. `None`: the caller may not see it.
    pub(crate) fn wire_run(
        &mut self,
        reader: &Reader,
        caller: &Principal,
        run: &Run,
    ) -> Result<Option<wire::Run>, StoreError> {
        let Some(job) = self.job(reader, caller, run.job)?.map(str::to_owned) else {
            return Ok(None);
        };
        let node = match run.node.map(|node| self.nodes.entry(node)) {
            None => None,
            Some(Entry::Occupied(known)) => known.into_mut().as_deref(),
            Some(Entry::Vacant(new)) => {
                let node = reader.node(*new.key())?;
                new.insert(node.map(|node| node.facts.name)).as_deref()
            }
        };
        let flags = reader.flags_of(run.id)?;
        Ok(Some(wire::Run {
            flags: flags.iter().map(wire::Flag::from).collect(),
            ..wire::Run::new(run, &job, node)
        }))
    }
}
