//! Names and ids in a path: each kind has one way to be read and one code when it cannot be.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use odin_model::alert::AlertIdError;
use odin_model::sink::SinkName;
use odin_model::{AlertId, ChannelName, SecretName};
use odin_schedule::CalendarName;

use crate::extract::segment;
use crate::failure::Failure;

/// What a path's one variable part names, read by [`Named::named`].
pub(crate) struct InPath<T>(pub(crate) T);

/// What paths name.
pub(crate) trait Named: Sized {
    /// Reads a name.
    ///
    /// # Errors
    /// With the code of a name that is none.
    fn named(text: &str) -> Result<Self, Failure>;
}

impl<S: Send + Sync, T: Named> FromRequestParts<S> for InPath<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        T::named(&segment(parts, state).await).map(Self)
    }
}

impl Named for AlertId {
    fn named(text: &str) -> Result<Self, Failure> {
        let id = text.parse();
        id.map_err(|error: AlertIdError| Failure::new("alert/bad-id", error.to_string()))
    }
}

impl Named for CalendarName {
    fn named(text: &str) -> Result<Self, Failure> {
        Self::new(text).map_err(|error| Failure::new("calendar/bad-name", error.to_string()))
    }
}

impl Named for ChannelName {
    fn named(text: &str) -> Result<Self, Failure> {
        Self::parse(text).map_err(|error| Failure::new("channel/bad-name", error.to_string()))
    }
}

impl Named for SecretName {
    fn named(text: &str) -> Result<Self, Failure> {
        Self::parse(text).map_err(|error| Failure::new("secret/bad-name", error.to_string()))
    }
}

impl Named for SinkName {
    fn named(text: &str) -> Result<Self, Failure> {
        Self::parse(text).map_err(|error| Failure::new("sink/bad-name", error.to_string()))
    }
}
