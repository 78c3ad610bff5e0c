//! Deploys a bundle. The job file is read out of the bundle again: nothing else that the client says counts.

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use odin_job_file::bundle::BundlePath;
use odin_job_file::{Defaults, JobFile, Mistakes, Purpose, line_and_column};
use odin_model::command::Deploy;
use odin_model::job::{Job, Visibility};
use odin_model::owner::Role;
use odin_model::secret::SecretRefusal;
use odin_model::{
    BundleHash, Command, JobId, JobState, Owner, Principal, Refusal, Reply, Revision, VersionNumber,
};
use odin_store::Reader;
use odin_wire as wire;
use odin_wire::{BUNDLE_CONTENT_TYPE, DeployQuery, Mistake, Problem};

use crate::api::Api;
use crate::bundles::{self, Upload};
use crate::due::{Zoned, calendars, cluster_zone};
use crate::extract::{Caller, Params, RequestKey, media_type};
use crate::failure::Failure;
use crate::jobs::{Remarks, answer};
use crate::seen;

/// Deploys a job, or a new version of one: the job of the file's id, else the asker's job of the file's name, else
/// a new one. Answers 201 for a new job.
#[utoipa::path(post, path = "/api/v1/jobs", tag = "jobs", operation_id = "deploy",
    params(DeployQuery, ("Idempotency-Key" = Option<String>, Header, description = "makes the request count once within a day")),
    request_body(content = crate::openapi::Archive, content_type = "application/zstd", description = "the bundle: a canonical tar, compressed"),
    responses((status = 200, description = "a new version", body = wire::Job), (status = 201, description = "a new job", body = wire::Job), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn deploy(
    State(api): State<Api>,
    Caller(caller): Caller,
    Params(query): Params<DeployQuery>,
    parts: Parts,
    body: Body,
) -> Result<Response, Failure> {
    need_deployer(&api, &caller)?;
    let found = media_type(&parts.headers);
    if found != BUNDLE_CONTENT_TYPE {
        return Err(Failure::new(
            "request/unsupported-media-type",
            format!("the body must be {BUNDLE_CONTENT_TYPE}, not `{found}`"),
        ));
    }
    let job_file = BundlePath::parse(&query.file).map_err(|fault| {
        Failure::new(
            "request/bad-query",
            format!("`file` cannot be a file's name: {fault}"),
        )
    })?;
    let turn = api.upload_turn().await?;
    let upload = Upload::receive(&api, body, job_file).await?;
    drop(turn);
    let key = RequestKey::of(&parts, &upload.bundle.hash.0)?;
    let plan = Plan::make(&api, caller, &query, &upload).await?;
    if query.dry_run {
        let (job, warnings) = plan.outlook(&api, upload.bundle.hash).await?;
        return answer(
            &api,
            StatusCode::OK,
            job,
            Remarks {
                warnings,
                ..Remarks::default()
            },
        )
        .await;
    }
    // A bundle that is refused is not kept. The revision is for apply alone: a repeated request whose first reply
    // was lost has changed it.
    plan.check(&api, None).await?;
    // On disk for good before the log names it.
    let bundle = upload.keep(&api).await?;
    let reply = api.propose_due(&plan.caller, key.as_ref(), async || {
        plan.command(&api, bundle).await
    });
    let reply = reply.await?;
    let Reply::Job {
        id,
        created,
        decided,
        ..
    } = reply
    else {
        return Err(Failure::internal(&format!(
            "a deployment was answered by {reply:?}"
        )));
    };
    let job = seen::job(&api, &plan.caller, id).await?;
    let mut warnings = plan.warnings;
    if created && plan.visibility == Visibility::Listed {
        warnings.extend(not_separated(api.backend().server_user()));
    }
    let status = if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    answer(&api, status, job, Remarks { decided, warnings }).await
}

/// Viewers deploy nothing. A server that is not root has one owner of jobs: it could run nobody else's as that user.
fn need_deployer(api: &Api, caller: &Principal) -> Result<(), Failure> {
    caller.need(Role::Operator)?;
    let server = api.backend().server_user();
    if server.uid == 0 || caller.user.uid == server.uid {
        return Ok(());
    }
    Err(Failure::new(
        "auth/not-root",
        format!(
            "this server runs as {}, so it runs only that user's jobs",
            server.user
        ),
    ))
}

/// What a person who trusts the server with a new job should know of it: DESIGN 12.
fn not_separated(server: &Owner) -> Option<Mistake> {
    (server.uid != 0).then(|| Mistake {
        code: "job/not-separated".to_owned(),
        message: format!(
            "this server runs as {}, not as root: nothing separates its jobs from each other or from the server's files",
            server.user
        ),
        ..Mistake::default()
    })
}

/// A deployment that was read and checked.
struct Plan {
    caller: Principal,
    file: JobFile,
    spec: odin_model::JobSpec,
    zoned: Zoned,
    visibility: Visibility,
    expected: Option<Revision>,
    fresh_id: JobId,
    warnings: Vec<Mistake>,
}

impl Plan {
    async fn make(
        api: &Api,
        caller: Principal,
        query: &DeployQuery,
        upload: &Upload,
    ) -> Result<Self, Failure> {
        let (purpose, visibility) = match query.hidden {
            false => (Purpose::Deploy, Visibility::Listed),
            true => (Purpose::Execute, Visibility::Hidden),
        };
        let text = &upload.bundle.job_file;
        let defaults = Defaults {
            purpose,
            ..Defaults::default()
        };
        let file = odin_job_file::read(text, &defaults)
            .map_err(|mistakes| of_mistakes(text, &mistakes))?;
        upload
            .bundle
            .check_against(&file)
            .map_err(|error| bundles::refused(&error))?;

        let spec = file.spec(&cluster_zone(api).await?);
        let zoned = Zoned::of(&spec, &*calendars(api).await?)?;
        let mut warnings: Vec<_> = file
            .warnings
            .iter()
            .map(|mistake| to_wire(text, mistake))
            .collect();
        warnings.extend(zoned.warnings(api.backend().clock().wall()));
        let limits = spec.limits;
        let unenforceable = api
            .blocking(move |backend| backend.limits_unenforceable(&limits))
            .await?;
        if let Some(why) = unenforceable {
            return Err(Failure::new("job/limit-not-enforceable", why));
        }
        let (program, env) = (spec.program.clone(), spec.env.clone());
        let missing = api
            .blocking(move |backend| backend.interpreter_missing(&program, &env))
            .await?;
        warnings.extend(missing.map(|message| Mistake {
            code: "job/interpreter-missing".to_owned(),
            message,
            ..Mistake::default()
        }));
        Ok(Self {
            caller,
            file,
            spec,
            zoned,
            visibility,
            expected: query.expected_revision.map(Revision),
            fresh_id: JobId::from_bits(api.backend().draw_bits()),
            warnings,
        })
    }

    /// The job of which this is a new version, as apply will find it. `None`: a new one.
    async fn target(&self, api: &Api) -> Result<Option<Job>, Failure> {
        let (id, by_name) = (self.file.id, self.visibility == Visibility::Listed);
        let (owner, name) = (self.caller.user.clone(), self.spec.name.clone());
        api.read(move |reader| match id {
            Some(id) => reader.job(id),
            None if by_name => reader.job_by_name(&owner, &name),
            None => Ok(None),
        })
        .await
    }

    async fn command(&self, api: &Api, bundle: BundleHash) -> Result<Command, Failure> {
        let target = self.target(api).await?;
        let last_decided = target.as_ref().and_then(|job| job.last_decided);
        let id = target.map_or(self.file.id.unwrap_or(self.fresh_id), |job| job.id);
        let at = api.backend().clock().wall();
        Ok(Command::Deploy(Box::new(Deploy {
            by: self.caller.clone(),
            id: self.file.id,
            fresh_id: self.fresh_id,
            spec: self.spec.clone(),
            bundle,
            visibility: self.visibility,
            due: self.zoned.due_after(id, at, last_decided),
            expected: self.expected,
            at,
        })))
    }

    /// The job of which this is a new version, unless apply would refuse it.
    async fn check(&self, api: &Api, expected: Option<Revision>) -> Result<Option<Job>, Failure> {
        let Some(job) = self.target(api).await? else {
            let id = self.file.id.unwrap_or(self.fresh_id);
            if expected.is_some() {
                return Err(Refusal::NoSuchJob(id).into());
            }
            self.need_free_name(api, &self.caller.user, id).await?;
            self.need_secrets(api, &self.caller.user).await?;
            self.need_channels(api).await?;
            return Ok(None);
        };
        if job.state == JobState::Removed || !self.caller.may_change(&job.owner) {
            return Err(Refusal::IdTaken(job.id).into());
        }
        if let Some(expected) = expected.filter(|&expected| expected != job.revision) {
            return Err(Refusal::RevisionConflict {
                job: job.id,
                expected,
                found: job.revision,
            }
            .into());
        }
        self.need_free_name(api, &job.owner, job.id).await?;
        self.need_secrets(api, &job.owner).await?;
        self.need_channels(api).await?;
        Ok(Some(job))
    }

    /// The job as the deployment would leave it, or the refusal that it would meet.
    async fn outlook(self, api: &Api, bundle: BundleHash) -> Result<(Job, Vec<Mistake>), Failure> {
        let target = self.check(api, self.expected).await?;
        let at = api.backend().clock().wall();
        let last_decided = target.as_ref().and_then(|job| job.last_decided);
        let id = target
            .as_ref()
            .map_or(self.file.id.unwrap_or(self.fresh_id), |job| job.id);
        let next_due = self.zoned.due_after(id, at, last_decided).next_due;
        let job = match target {
            Some(job) => Job {
                next_due: next_due.filter(|_| job.state == JobState::Enabled),
                version: job.version.next(),
                spec: self.spec,
                bundle,
                deployed_at: at,
                ..job
            },
            None => Job {
                id,
                owner: self.caller.user,
                state: JobState::Enabled,
                visibility: self.visibility,
                version: VersionNumber::FIRST,
                revision: Revision(0),
                spec: self.spec,
                bundle,
                next_due,
                last_decided: None,
                created_at: at,
                deployed_at: at,
                quarantine: None,
                last_outcome: None,
                last_reason: None,
            },
        };
        Ok((job, self.warnings))
    }

    /// Refuses a file that names secrets which the job's owner has not, each underlined where it is named.
    async fn need_secrets(&self, api: &Api, owner: &Owner) -> Result<(), Failure> {
        if self.file.secrets.is_empty() {
            return Ok(());
        }
        let (uses, user) = (self.file.secrets.clone(), owner.clone());
        let missing = api.read(move |reader| {
            let mut missing = Vec::new();
            for used in uses {
                if reader.usable_secret(&user, &used.name)?.is_none() {
                    missing.push(used.name);
                }
            }
            Ok(missing)
        });
        let mistakes: Vec<_> = missing
            .await?
            .into_iter()
            .map(|name| {
                let refusal = SecretRefusal::NoSuchSecret {
                    name: name.clone(),
                    owner: owner.user.clone(),
                };
                let mistake = odin_job_file::Mistake {
                    code: refusal.code(),
                    message: refusal.to_string(),
                    span: self.file.place_of_secret(&name).unwrap_or(0..0),
                    help: format!("Set it with `odin secret set {name}`."),
                    severity: odin_job_file::Severity::Error,
                };
                to_wire(&self.file.text, &mistake)
            })
            .collect();
        match mistakes.is_empty() {
            true => Ok(()),
            false => Err(Failure::of_mistakes(mistakes)),
        }
    }

    /// Refuses a file that names channels which are not there, each underlined where it is named.
    async fn need_channels(&self, api: &Api) -> Result<(), Failure> {
        if self.file.alerting.to.is_empty() {
            return Ok(());
        }
        let channels = api.read(Reader::channels).await?;
        let names: Vec<_> = channels.iter().map(|it| it.name.as_str()).collect();
        let named = self.file.alerting.to.iter();
        let unknown = named.filter(|name| !names.contains(&name.as_str()));
        let mistakes: Vec<_> = unknown
            .map(|name| {
                let meant = odin_job_file::nearest(name.as_str(), names.iter().copied());
                let help = match (meant, names.is_empty()) {
                    (Some(meant), _) => format!("Did you mean `{meant}`?"),
                    (None, true) => {
                        "An admin sets it up with `odin notify channel set`.".to_owned()
                    }
                    (None, false) => "`odin notify channel list` shows the channels.".to_owned(),
                };
                let mistake = odin_job_file::Mistake {
                    code: "job/no-such-channel",
                    message: format!("there is no channel `{name}`"),
                    span: self.file.place_of_channel(name).unwrap_or(0..0),
                    help,
                    severity: odin_job_file::Severity::Error,
                };
                to_wire(&self.file.text, &mistake)
            })
            .collect();
        match mistakes.is_empty() {
            true => Ok(()),
            false => Err(Failure::of_mistakes(mistakes)),
        }
    }

    async fn need_free_name(
        &self,
        api: &Api,
        owner: &odin_model::Owner,
        id: JobId,
    ) -> Result<(), Failure> {
        if self.visibility == Visibility::Hidden {
            return Ok(());
        }
        let (owner, name) = (owner.clone(), self.spec.name.clone());
        match api
            .read(move |reader| reader.job_by_name(&owner, &name))
            .await?
        {
            Some(other) if other.id != id => Err(Refusal::NameTaken {
                name: self.spec.name.clone(),
                job: other.id,
            }
            .into()),
            _ => Ok(()),
        }
    }
}

/// A refused file's mistakes, errors first: the first names the problem.
fn of_mistakes(text: &str, mistakes: &Mistakes) -> Failure {
    let (errors, warnings): (Vec<_>, Vec<_>) = mistakes
        .list()
        .iter()
        .partition(|mistake| mistake.severity == odin_job_file::Severity::Error);
    let all = errors.into_iter().chain(warnings);
    Failure::of_mistakes(all.map(|mistake| to_wire(text, mistake)).collect())
}

fn to_wire(text: &str, mistake: &odin_job_file::Mistake) -> Mistake {
    /// What is shown of a line: a file may be one long line.
    const SHOWN_MAX: usize = 200;
    let (line, column) = line_and_column(text, mistake.span.start);
    let source = text.lines().nth(line - 1).unwrap_or_default();
    Mistake {
        code: mistake.code.to_owned(),
        message: mistake.message.clone(),
        line: u32::try_from(line).ok(),
        column: u32::try_from(column).ok(),
        span: Some([mistake.span.start, mistake.span.end]),
        help: Some(mistake.help.clone()).filter(|help| !help.is_empty()),
        source_line: Some(source.chars().take(SHOWN_MAX).collect()),
    }
}
