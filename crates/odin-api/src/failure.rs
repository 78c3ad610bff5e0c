//! Every way in which a request fails, as the problem that it answers.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use odin_model::Refusal;
use odin_model::id::IdError;
use odin_schedule::ScheduleError;
use odin_store::StoreError;
use odin_wire::{Mistake, PROBLEM_CONTENT_TYPE, Problem};

use crate::backend::{OutputFault, ProposeError};

/// A request's failure. Boxed: it travels in every `Result` of a handler, and is rare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure(Box<Problem>);

impl Failure {
    pub(crate) fn new(code: &str, detail: impl Into<String>) -> Self {
        Self(Box::new(Problem::new(code, detail)))
    }

    /// The stable code.
    pub(crate) fn code(&self) -> &str {
        &self.0.code
    }

    pub(crate) fn with_help(self, help: impl Into<String>) -> Self {
        Self(Box::new(self.0.with_help(help)))
    }

    /// Several mistakes of a file or a schedule: the first gives the problem its code. Refused input, whatever
    /// the first one's code would be elsewhere.
    pub(crate) fn of_mistakes(mistakes: Vec<Mistake>) -> Self {
        let Some(first) = mistakes.first() else {
            return Self::internal("a file was refused without a mistake");
        };
        let mut problem = Problem::new(&first.code, first.message.clone());
        problem.status = 422;
        problem.help.clone_from(&first.help);
        Self(Box::new(problem.with_errors(mistakes)))
    }

    /// A mistake of ours or of the machine: the details go to the log, since they are not the asker's business.
    pub(crate) fn internal(what: &str) -> Self {
        tracing::error!(what, "a request failed");
        Self::new("internal/error", "the server could not answer")
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&*self.0).expect("a problem is plain data");
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(PROBLEM_CONTENT_TYPE),
        );
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code(), refusal.to_string())
    }
}

impl From<ProposeError> for Failure {
    fn from(error: ProposeError) -> Self {
        let code = match &error {
            ProposeError::NoLeader => "cluster/no-leader",
            ProposeError::Full => "storage/full",
            ProposeError::TooLarge { .. } => "cluster/command-too-large",
            ProposeError::OutcomeUnknown => "cluster/outcome-unknown",
            ProposeError::Stopped => "server/stopping",
        };
        Self::new(code, error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::DiskFull => Self::new("storage/full", error.to_string()),
            other => Self::internal(&other.to_string()),
        }
    }
}

impl From<IdError> for Failure {
    fn from(error: IdError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<OutputFault> for Failure {
    fn from(fault: OutputFault) -> Self {
        match fault {
            OutputFault::NotHere => Self::new("run/output-not-here", fault.to_string()),
            OutputFault::Unreadable(what) => Self::internal(&what),
        }
    }
}

impl From<ScheduleError> for Failure {
    fn from(error: ScheduleError) -> Self {
        Self::of_mistakes(vec![Mistake {
            code: error.code().to_owned(),
            message: error.to_string(),
            span: Some([error.span.start, error.span.end]),
            help: Some(error.help()).filter(|help| !help.is_empty()),
            ..Mistake::default()
        }])
    }
}
