//! The API's endpoints, as methods.

use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use jiff::Timestamp;
use odin_model::{JobId, RunId, SecretName, SecretValue};
use odin_wire::{
    API_PREFIX, BUNDLE_CONTENT_TYPE, Calendar, CalendarList, CatchUpJob, CaughtUp, Chain,
    DeployQuery, Drawing, EventsQuery, Health, History, Job, JobList, JobVersion, JobVersionList,
    JobsQuery, LIMIT_MAX, LedgerEntry, LedgerList, LedgerQuery, Link, LinkList, LinkQuery,
    LinksQuery, MakeLink, ModifyJob, MovedDueList, MovedDuesQuery, NodeList, OutputList,
    OutputQuery, RemoveCalendarQuery, RemovedJob, RollBack, Run, RunList, RunQuery, RunValuesQuery,
    RunsQuery, SECRET_CONTENT_TYPE, Secret, SecretList, SecretOwnerQuery, SecretsQuery,
    SetCalendar, Statistics, StatisticsQuery, TakeSecretQuery, ValueList, ValuesQuery, Verified,
    VerifyQuery, Why, WhyQuery,
};

use crate::client::{ANSWER_TIME_MAX, Call, Client, IdempotencyKey};
use crate::download::Download;
use crate::error::ClientError;
use crate::event_stream::EventStream;
use crate::query::{segment, with_query};

/// How long a deploy may take: 64 MiB have to travel, be checked and reach the disk.
const DEPLOY_TIME_MAX: Duration = Duration::from_secs(120);
/// How long a check of the ledger may take: some seconds for a million due times.
const VERIFY_TIME_MAX: Duration = Duration::from_secs(3600);
/// How long a server may take to copy its state before the first piece of a backup comes.
const BACKUP_TIME_MAX: Duration = Duration::from_secs(1800);
/// How long a server may send nothing in the middle of a backup.
const BACKUP_SILENCE_MAX: Duration = Duration::from_secs(120);
/// The largest bundle, packed.
const BUNDLE_BYTES_MAX: usize = 64 << 20;

pub(crate) fn path(rest: &str) -> String {
    format!("{API_PREFIX}{rest}")
}

/// A user's name may be anything.
fn share(name: &SecretName, with: &str) -> String {
    path(&format!("/secrets/{name}/shares/{}", segment(with)))
}

/// A secret on its way out: overwritten when the last copy of the request is dropped.
struct SecretBody(SecretValue);

impl AsRef<[u8]> for SecretBody {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}

/// Every method's errors are those of [`ClientError`]: the server cannot be asked, or refuses.
#[allow(clippy::missing_errors_doc)]
impl Client {
    /// What the node says of itself.
    pub async fn health(&self) -> Result<Health, ClientError> {
        self.json(&Call::get("/healthz".to_owned())).await
    }

    /// One page of jobs.
    pub async fn jobs(&self, query: &JobsQuery) -> Result<JobList, ClientError> {
        self.json(&Call::get(with_query(&path("/jobs"), query)))
            .await
    }

    /// All jobs that `query` means, page by page.
    pub async fn all_jobs(&self, mut query: JobsQuery) -> Result<Vec<Job>, ClientError> {
        query.limit = Some(LIMIT_MAX);
        let mut jobs = Vec::new();
        loop {
            let page = self.jobs(&query).await?;
            let last = page.jobs.last().map(|job| job.id);
            jobs.extend(page.jobs);
            // A page that ends where the one before it did would be asked for again and again.
            match page.next {
                Some(_) if last.is_some() && last != query.after => query.after = last,
                _ => return Ok(jobs),
            }
        }
    }

    /// A job in full.
    pub async fn job(&self, id: JobId) -> Result<Job, ClientError> {
        self.json(&Call::get(path(&format!("/jobs/{id}")))).await
    }

    /// Deploys a packed bundle.
    pub async fn deploy(
        &self,
        query: &DeployQuery,
        bundle: Bytes,
        key: IdempotencyKey,
    ) -> Result<Job, ClientError> {
        let mut call = Call::post(with_query(&path("/jobs"), query), key);
        call.body = Some((bundle, BUNDLE_CONTENT_TYPE));
        call.patience = DEPLOY_TIME_MAX;
        self.json(&call).await
    }

    /// Changes a job that is at `revision`, or whatever it is at.
    pub async fn modify(
        &self,
        id: JobId,
        change: &ModifyJob,
        revision: Option<u64>,
    ) -> Result<Job, ClientError> {
        let call = Call::new(Method::PATCH, path(&format!("/jobs/{id}")));
        let mut call = call.with_json(change);
        call.if_match = revision;
        self.json(&call).await
    }

    /// Removes a job that is at `revision`, or whatever it is at. `None`: it is gone, and the reply that said what went with it was lost.
    ///
    /// A job that is already gone is an error, unless the reply to an earlier attempt may have been lost.
    pub async fn remove(
        &self,
        id: JobId,
        revision: Option<u64>,
    ) -> Result<Option<RemovedJob>, ClientError> {
        let mut call = Call::new(Method::DELETE, path(&format!("/jobs/{id}")));
        call.if_match = revision;
        match self.json(&call).await {
            Ok(removed) => Ok(Some(removed)),
            Err(ClientError::GoneAfterLostReply) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// One page of links.
    pub async fn links(&self, query: &LinksQuery) -> Result<LinkList, ClientError> {
        self.json(&Call::get(with_query(&path("/links"), query)))
            .await
    }

    /// Links two jobs.
    pub async fn link(&self, link: &MakeLink, key: IdempotencyKey) -> Result<Link, ClientError> {
        self.json(&Call::post(path("/links"), key).with_json(link))
            .await
    }

    /// Takes a link away.
    ///
    /// One that is already gone is an error, unless the reply to an earlier attempt may have been lost.
    pub async fn unlink(&self, query: &LinkQuery) -> Result<(), ClientError> {
        let call = Call::new(Method::DELETE, with_query(&path("/links"), query));
        self.delete(&call).await
    }

    /// The chain that a run belongs to.
    pub async fn chain(&self, run: RunId) -> Result<Chain, ClientError> {
        self.json(&Call::get(path(&format!("/runs/{run}/chain"))))
            .await
    }

    /// Starts runs for due times of a job that had none, or shows which.
    pub async fn catch_up(
        &self,
        id: JobId,
        window: &CatchUpJob,
        key: IdempotencyKey,
    ) -> Result<CaughtUp, ClientError> {
        let call = Call::post(path(&format!("/jobs/{id}/catch-up")), key);
        self.json(&call.with_json(window)).await
    }

    /// Makes a new version of a job that equals an earlier one, if the job is at `revision`.
    pub async fn roll_back(&self, id: JobId, to: u32, revision: u64) -> Result<Job, ClientError> {
        let call = Call::new(Method::POST, path(&format!("/jobs/{id}/rollback")));
        let mut call = call.with_json(&RollBack { to });
        call.if_match = Some(revision);
        self.json(&call).await
    }

    /// Stops a job's schedule from counting.
    pub async fn pause(
        &self,
        id: JobId,
        revision: Option<u64>,
        key: IdempotencyKey,
    ) -> Result<Job, ClientError> {
        let mut call = Call::post(path(&format!("/jobs/{id}/pause")), key);
        call.if_match = revision;
        self.json(&call).await
    }

    /// Makes the schedule of a paused job count again that is at `revision`, or whatever it is at.
    pub async fn resume(
        &self,
        id: JobId,
        revision: Option<u64>,
        key: IdempotencyKey,
    ) -> Result<Job, ClientError> {
        let mut call = Call::post(path(&format!("/jobs/{id}/resume")), key);
        call.if_match = revision;
        self.json(&call).await
    }

    /// Starts a run of a job now.
    pub async fn run_job(&self, id: JobId, key: IdempotencyKey) -> Result<Run, ClientError> {
        self.json(&Call::post(path(&format!("/jobs/{id}/run")), key))
            .await
    }

    /// All calendars.
    pub async fn calendars(&self) -> Result<CalendarList, ClientError> {
        self.json(&Call::get(path("/calendars"))).await
    }

    /// A calendar with its days and the jobs that use it.
    pub async fn calendar(&self, name: &str) -> Result<Calendar, ClientError> {
        self.json(&Call::get(path(&format!("/calendars/{}", segment(name)))))
            .await
    }

    /// Makes a calendar, or replaces its days.
    pub async fn set_calendar(
        &self,
        name: &str,
        dates: Vec<String>,
    ) -> Result<Calendar, ClientError> {
        let body = serde_json::to_vec(&SetCalendar { dates }).expect("dates are plain data");
        let mut call = Call::new(Method::PUT, path(&format!("/calendars/{}", segment(name))));
        call.body = Some((body.into(), "application/json"));
        self.json(&call).await
    }

    /// Removes a calendar, with `force` although jobs use it.
    pub async fn remove_calendar(&self, name: &str, force: bool) -> Result<(), ClientError> {
        let query = RemoveCalendarQuery { force };
        let path = path(&format!("/calendars/{}", segment(name)));
        self.delete(&Call::new(Method::DELETE, with_query(&path, &query)))
            .await
    }

    /// One page of due times that changes of calendars or zone rules moved, the latest first.
    pub async fn moved_dues(&self, query: &MovedDuesQuery) -> Result<MovedDueList, ClientError> {
        self.json(&Call::get(with_query(&path("/schedule/moved"), query)))
            .await
    }

    /// Up to `limit` of a job's versions, newest first.
    pub async fn versions(&self, id: JobId, limit: u32) -> Result<JobVersionList, ClientError> {
        self.json(&Call::get(path(&format!(
            "/jobs/{id}/versions?limit={limit}"
        ))))
        .await
    }

    /// A version of a job in full.
    pub async fn version(&self, id: JobId, number: u32) -> Result<JobVersion, ClientError> {
        self.json(&Call::get(path(&format!("/jobs/{id}/versions/{number}"))))
            .await
    }

    /// A backup of the node, with what jobs printed or without, with the keys of its secrets or without.
    pub async fn backup(&self, with_output: bool, with_key: bool) -> Result<Download, ClientError> {
        let mut call = Call::get(path(&format!(
            "/backup?output={with_output}&key={with_key}"
        )));
        call.patience = BACKUP_TIME_MAX;
        let answer = self.answer(&call).await?;
        Ok(Download::new(self.place(), answer, BACKUP_SILENCE_MAX))
    }

    /// The bundle of a job's current version, packed.
    pub async fn bundle(&self, id: JobId) -> Result<Bytes, ClientError> {
        self.bytes(
            &Call::get(path(&format!("/jobs/{id}/bundle"))),
            BUNDLE_BYTES_MAX,
        )
        .await
    }

    /// The bundle of one of a job's versions, packed.
    pub async fn bundle_of(&self, id: JobId, version: u32) -> Result<Bytes, ClientError> {
        let path = path(&format!("/jobs/{id}/bundle?version={version}"));
        self.bytes(&Call::get(path), BUNDLE_BYTES_MAX).await
    }

    /// A job's runs, newest first.
    pub async fn runs(&self, job: JobId, query: &RunsQuery) -> Result<RunList, ClientError> {
        self.json(&Call::get(with_query(
            &path(&format!("/jobs/{job}/runs")),
            query,
        )))
        .await
    }

    /// The runs of all jobs that may be seen, newest first.
    pub async fn runs_of_all(&self, query: &RunsQuery) -> Result<RunList, ClientError> {
        self.json(&Call::get(with_query(&path("/runs"), query)))
            .await
    }

    /// What the node has of sealed history. For admins.
    pub async fn history(&self) -> Result<History, ClientError> {
        self.json(&Call::get(path("/history"))).await
    }

    /// A run, at once or after up to `wait` for its end.
    pub async fn run(&self, id: RunId, wait: Option<Duration>) -> Result<Run, ClientError> {
        let seconds = wait.map(|wait| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX));
        let query = RunQuery { wait: seconds };
        let mut call = Call::get(with_query(&path(&format!("/runs/{id}")), &query));
        call.patience = ANSWER_TIME_MAX + wait.unwrap_or_default();
        self.json(&call).await
    }

    /// A run when it is over, however long that takes.
    pub async fn run_when_over(&self, id: RunId) -> Result<Run, ClientError> {
        const LONG_POLL: Duration = Duration::from_secs(30);
        loop {
            let run = self.run(id, Some(LONG_POLL)).await?;
            if run.outcome.is_some() {
                return Ok(run);
            }
        }
    }

    /// A part of what an attempt of a run, the latest unless one is named, has printed so far: from the beginning, or
    /// where the query says.
    pub async fn output(&self, id: RunId, query: &OutputQuery) -> Result<OutputList, ClientError> {
        self.json(&Call::get(with_query(
            &path(&format!("/runs/{id}/output")),
            query,
        )))
        .await
    }

    /// What a run prints, as it prints it, until it is over. `last_event_id` goes on after an earlier event.
    pub async fn follow_output(
        &self,
        id: RunId,
        last_event_id: Option<String>,
    ) -> Result<EventStream, ClientError> {
        let query = OutputQuery {
            follow: Some(1),
            ..OutputQuery::default()
        };
        let mut call = Call::get(with_query(&path(&format!("/runs/{id}/output")), &query));
        call.last_event_id = last_event_id;
        Ok(EventStream::new(self.place(), self.answer(&call).await?))
    }

    /// Changes of the runs that the asker may see, and what they report. `last_event_id` goes on after an earlier event.
    pub async fn events(
        &self,
        query: &EventsQuery,
        last_event_id: Option<String>,
    ) -> Result<EventStream, ClientError> {
        let mut call = Call::get(with_query(&path("/events"), query));
        call.last_event_id = last_event_id;
        Ok(EventStream::new(self.place(), self.answer(&call).await?))
    }

    /// Stops a run.
    pub async fn cancel(&self, id: RunId, key: IdempotencyKey) -> Result<Run, ClientError> {
        self.json(&Call::post(path(&format!("/runs/{id}/cancel")), key))
            .await
    }

    /// All secrets that the asker's jobs may use, or all, page by page. Never their values.
    pub async fn all_secrets(&self) -> Result<Vec<Secret>, ClientError> {
        let mut query = SecretsQuery {
            limit: Some(LIMIT_MAX),
            after: None,
        };
        let mut secrets = Vec::new();
        loop {
            let page: SecretList = self
                .json(&Call::get(with_query(&path("/secrets"), &query)))
                .await?;
            secrets.extend(page.secrets);
            // A page that ends where the one before it did would be asked for again and again.
            match page.next {
                Some(next) if query.after.as_ref() != Some(&next) => query.after = Some(next),
                _ => return Ok(secrets),
            }
        }
    }

    /// Gives a secret a value.
    pub async fn set_secret(
        &self,
        name: &SecretName,
        query: &SecretOwnerQuery,
        value: SecretValue,
    ) -> Result<Secret, ClientError> {
        let target = with_query(&path(&format!("/secrets/{name}")), query);
        let mut call = Call::new(Method::PUT, target);
        let bytes = Bytes::from_owner(SecretBody(value));
        call.body = Some((bytes, SECRET_CONTENT_TYPE));
        self.json(&call).await
    }

    /// Removes a secret and its shares.
    pub async fn remove_secret(
        &self,
        name: &SecretName,
        query: &TakeSecretQuery,
    ) -> Result<(), ClientError> {
        let target = with_query(&path(&format!("/secrets/{name}")), query);
        self.delete(&Call::new(Method::DELETE, target)).await
    }

    /// Lets a user's jobs use a secret.
    pub async fn share_secret(
        &self,
        name: &SecretName,
        with: &str,
        query: &SecretOwnerQuery,
    ) -> Result<Secret, ClientError> {
        let target = with_query(&share(name, with), query);
        self.json(&Call::new(Method::PUT, target)).await
    }

    /// Ends that.
    pub async fn unshare_secret(
        &self,
        name: &SecretName,
        with: &str,
        query: &TakeSecretQuery,
    ) -> Result<(), ClientError> {
        let target = with_query(&share(name, with), query);
        self.delete(&Call::new(Method::DELETE, target)).await
    }

    /// The nodes.
    pub async fn nodes(&self) -> Result<NodeList, ClientError> {
        self.json(&Call::get(path("/nodes"))).await
    }

    /// What became of one due time of a job.
    pub async fn ledger_at(&self, job: JobId, at: Timestamp) -> Result<LedgerEntry, ClientError> {
        let query = LedgerQuery {
            job,
            at: Some(at),
            from: None,
            to: None,
            limit: None,
        };
        self.json(&Call::get(with_query(&path("/ledger"), &query)))
            .await
    }

    /// What was counted of a job in a period; of all jobs that the caller may see without one.
    pub async fn statistics(
        &self,
        job: Option<JobId>,
        query: &StatisticsQuery,
    ) -> Result<Statistics, ClientError> {
        let path = match job {
            Some(job) => path(&format!("/jobs/{job}/statistics")),
            None => path("/statistics"),
        };
        self.json(&Call::get(with_query(&path, query))).await
    }

    /// What became of any instant of a job, and what the job looked like then.
    pub async fn why(&self, job: JobId, at: Timestamp) -> Result<Why, ClientError> {
        let query = WhyQuery { job, at };
        self.json(&Call::get(with_query(&path("/why"), &query)))
            .await
    }

    /// Whether the ledger is complete and true. Waits for up to an hour.
    pub async fn verify(&self, query: &VerifyQuery) -> Result<Verified, ClientError> {
        let call = Call {
            patience: VERIFY_TIME_MAX,
            ..Call::get(with_query(&path("/verify"), query))
        };
        self.json(&call).await
    }

    /// A range of a job's ledger.
    pub async fn ledger(&self, query: &LedgerQuery) -> Result<LedgerList, ClientError> {
        self.json(&Call::get(with_query(&path("/ledger"), query)))
            .await
    }

    /// One page of what a job's runs reported: the latest of each name, or of one name in the order of time.
    pub async fn values_of_job(
        &self,
        job: JobId,
        query: &ValuesQuery,
    ) -> Result<ValueList, ClientError> {
        self.json(&Call::get(with_query(
            &path(&format!("/jobs/{job}/values")),
            query,
        )))
        .await
    }

    /// What the values of a job look like: `query` has a name and a number of points.
    pub async fn drawing(&self, job: JobId, query: &ValuesQuery) -> Result<Drawing, ClientError> {
        self.json(&Call::get(with_query(
            &path(&format!("/jobs/{job}/values")),
            query,
        )))
        .await
    }

    /// One page of what a run reported, in the order in which it did.
    pub async fn values_of_run(
        &self,
        run: RunId,
        query: &RunValuesQuery,
    ) -> Result<ValueList, ClientError> {
        self.json(&Call::get(with_query(
            &path(&format!("/runs/{run}/values")),
            query,
        )))
        .await
    }
}
