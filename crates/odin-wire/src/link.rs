//! Links: the end of a job's run starts a run of another job.

use jiff::Timestamp;
use odin_model::link as model;
use odin_model::{JobId, RunId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// At which end of a run a link counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkOn {
    /// Succeeded, or with a warning.
    #[default]
    Success,
    /// Everything else, unless somebody cancelled it.
    Failure,
    /// Any end, cancelled too.
    Always,
}

impl LinkOn {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        model::LinkOn::from(self).word()
    }
}

impl From<model::LinkOn> for LinkOn {
    fn from(on: model::LinkOn) -> Self {
        match on {
            model::LinkOn::Success => Self::Success,
            model::LinkOn::Failure => Self::Failure,
            model::LinkOn::Always => Self::Always,
        }
    }
}

impl From<LinkOn> for model::LinkOn {
    fn from(on: LinkOn) -> Self {
        match on {
            LinkOn::Success => Self::Success,
            LinkOn::Failure => Self::Failure,
            LinkOn::Always => Self::Always,
        }
    }
}

/// A link between two jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Link {
    /// The job whose runs' end counts.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, example = "a37b187f5930")]
    pub from: JobId,
    /// Its name now.
    pub from_name: String,
    /// The job that it starts.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, example = "f0aedde327f3")]
    pub to: JobId,
    /// Its name now.
    pub to_name: String,
    /// At which end.
    pub on: LinkOn,
    /// When it was made or last changed: the leader's wall clock.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who did.
    pub by: String,
}

impl Link {
    /// A link of the replicated state with the names of its jobs.
    #[must_use]
    pub fn new(link: &model::Link, from_name: &str, to_name: &str) -> Self {
        Self {
            from: link.from,
            from_name: from_name.to_owned(),
            to: link.to,
            to_name: to_name.to_owned(),
            on: link.on.into(),
            at: link.at,
            by: link.by.clone(),
        }
    }
}

/// Links, by the ids of the jobs that they begin at and lead to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LinkList {
    /// The links.
    pub links: Vec<Link>,
    /// What to send as `after` for more. `null`: this is all.
    pub next: Option<String>,
}

/// What `GET /links` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct LinksQuery {
    /// Only links that begin at this job or lead to it. Default: those of all jobs that the asker may see.
    #[serde(
        with = "crate::as_text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[param(value_type = Option<String>)]
    pub job: Option<JobId>,
    /// How many, 1 to 1000. Default: 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only links after this one: an earlier answer's `next`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// What `POST /links` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeLink {
    /// The job whose runs' end counts, by id.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String)]
    pub from: JobId,
    /// The job that it starts, by id.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String)]
    pub to: JobId,
    /// At which end. Default: `success`.
    #[serde(default)]
    pub on: LinkOn,
}

/// What `DELETE /links` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LinkQuery {
    /// The job whose runs' end counts, by id.
    #[serde(with = "crate::as_text")]
    #[param(value_type = String)]
    pub from: JobId,
    /// The job that it starts, by id.
    #[serde(with = "crate::as_text")]
    #[param(value_type = String)]
    pub to: JobId,
}

/// A job that another one starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobLink {
    /// Its id.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String)]
    pub job: JobId,
    /// Its name now.
    pub name: String,
    /// At which end.
    pub on: LinkOn,
}

/// What the end of a run did by one link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Successor {
    /// The job that the link leads to.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String)]
    pub job: JobId,
    /// At which end the link counts.
    pub on: LinkOn,
    /// The run that was made. `null`: none.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>)]
    pub run: Option<RunId>,
    /// Why none was. `null` where one was.
    pub skipped: Option<String>,
}

impl From<&model::Successor> for Successor {
    fn from(successor: &model::Successor) -> Self {
        let (run, skipped) = match successor.fate {
            model::SuccessorFate::Started { run } => (Some(run), None),
            model::SuccessorFate::StillActive { run } => {
                (None, Some(format!("{run} was still active")))
            }
            model::SuccessorFate::Paused => (None, Some("the job was paused".to_owned())),
            model::SuccessorFate::QueueFull => (
                None,
                Some("as many runs waited for their turn as may".to_owned()),
            ),
        };
        Self {
            job: successor.job,
            on: successor.on.into(),
            run,
            skipped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_json_are_the_models() {
        for on in model::LinkOn::ALL {
            let word = serde_json::to_value(LinkOn::from(on)).unwrap();
            assert_eq!(word, on.word());
            assert_eq!(model::LinkOn::from(LinkOn::from(on)), on);
        }
    }

    #[test]
    fn a_link_is_made_on_success_unless_it_says_otherwise() {
        let text = r#"{"from":"a37b187f5930","to":"f0aedde327f3"}"#;
        let link: MakeLink = serde_json::from_str(text).unwrap();
        assert_eq!(link.on, LinkOn::Success);
    }
}
