//! How a job's version is stored: what every version says, then a list of what this one says beside it.
//!
//! A setting that most jobs leave at its default takes no byte, and a setting of a later Odin is a new variant at the
//! end of [`Setting`]: versions that were stored before it read as ever.

use std::time::Duration;

use odin_schedule::DstPolicy;
use serde::{Deserialize, Serialize};

use crate::alerting::Alerting;
use crate::children::Children;
use crate::concurrency::{Bounds, Concurrency, Overlap};
use crate::job::{JobName, JobSpec, Program};
use crate::limits::Limits;
use crate::loss::Loss;
use crate::missed::Missed;
use crate::on_cancel::OnCancel;
use crate::priority::Priority;
use crate::retention::Keep;
use crate::retries::Retries;
use crate::secret::SecretUse;
use crate::timeouts::Timeouts;

/// See the module.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredSpec {
    name: JobName,
    description: String,
    program: Program,
    args: Vec<String>,
    files: Vec<String>,
    env: Vec<(String, String)>,
    schedule: String,
    timezone: String,
    grace: Duration,
    missed: Missed,
    overlap: Overlap,
    kill_grace: Duration,
    output_bytes_max: u64,
    settings: Vec<Setting>,
}

/// A setting that differs from its default. Stored by position: add new ones at the end.
#[derive(Serialize, Deserialize)]
enum Setting {
    Timeouts(Timeouts),
    Limits(Limits),
    Children(Children),
    OnCancel(OnCancel),
    Dst(#[serde(with = "crate::daylight")] DstPolicy),
    Secrets(Vec<SecretUse>),
    Retries(Retries),
    Concurrency(Bounds),
    Loss(Loss),
    Priority(Priority),
    Alerting(Alerting),
    Keep(Keep),
}

impl From<JobSpec> for StoredSpec {
    fn from(spec: JobSpec) -> Self {
        let JobSpec {
            name,
            description,
            program,
            args,
            files,
            env,
            schedule,
            timezone,
            grace,
            missed,
            concurrency,
            timeouts,
            kill_grace,
            output_bytes_max,
            limits,
            children,
            on_cancel,
            dst,
            secrets,
            retries,
            loss,
            priority,
            alerting,
            keep,
        } = spec;
        let settings = [
            differs(timeouts).map(Setting::Timeouts),
            differs(limits).map(Setting::Limits),
            differs(children).map(Setting::Children),
            on_cancel.map(Setting::OnCancel),
            differs(dst).map(Setting::Dst),
            differs(secrets).map(Setting::Secrets),
            differs(retries).map(Setting::Retries),
            differs(concurrency.bounds).map(Setting::Concurrency),
            differs(loss).map(Setting::Loss),
            differs(priority).map(Setting::Priority),
            differs(alerting).map(Setting::Alerting),
            differs(keep).map(Setting::Keep),
        ];
        Self {
            name,
            description,
            program,
            args,
            files,
            env,
            schedule,
            timezone,
            grace,
            missed,
            overlap: concurrency.overlap,
            kill_grace,
            output_bytes_max,
            settings: settings.into_iter().flatten().collect(),
        }
    }
}

impl From<StoredSpec> for JobSpec {
    fn from(stored: StoredSpec) -> Self {
        let mut spec = Self::new(
            stored.name,
            stored.program,
            &stored.schedule,
            &stored.timezone,
        );
        spec.description = stored.description;
        spec.args = stored.args;
        spec.files = stored.files;
        spec.env = stored.env;
        spec.grace = stored.grace;
        spec.missed = stored.missed;
        spec.concurrency = Concurrency::of(stored.overlap);
        spec.kill_grace = stored.kill_grace;
        spec.output_bytes_max = stored.output_bytes_max;
        for setting in stored.settings {
            match setting {
                Setting::Timeouts(it) => spec.timeouts = it,
                Setting::Limits(it) => spec.limits = it,
                Setting::Children(it) => spec.children = it,
                Setting::OnCancel(it) => spec.on_cancel = Some(it),
                Setting::Dst(it) => spec.dst = it,
                Setting::Secrets(it) => spec.secrets = it,
                Setting::Retries(it) => spec.retries = it,
                Setting::Concurrency(it) => spec.concurrency.bounds = it,
                Setting::Loss(it) => spec.loss = it,
                Setting::Priority(it) => spec.priority = it,
                Setting::Alerting(it) => spec.alerting = it,
                Setting::Keep(it) => spec.keep = it,
            }
        }
        spec
    }
}

/// What is not the default.
fn differs<T: Default + PartialEq>(setting: T) -> Option<T> {
    (setting != T::default()).then_some(setting)
}
