//! Streams of events that go on over a restart of their server.

use std::time::Duration;

use odin_client::{ClientError, EventStream, ServerEvent};

use crate::error::CliError;

/// The pause before a stream that broke is taken up again.
pub(crate) const PAUSE: Duration = Duration::from_millis(500);
/// How often a server that went away is looked for: ten seconds in all.
const ATTEMPTS_MAX: u32 = 20;

/// Asks again while a server that was there a moment ago is gone: it may be restarting.
pub(crate) async fn patiently<T, F>(mut ask: impl FnMut() -> F) -> Result<T, CliError>
where
    F: Future<Output = Result<T, ClientError>>,
{
    for _ in 1..ATTEMPTS_MAX {
        match ask().await {
            Err(ClientError::NotRunning { .. }) => tokio::time::sleep(PAUSE).await,
            answer => return Ok(answer?),
        }
    }
    Ok(ask().await?)
}

/// The next event. `None`: the stream is to be taken up again, because it ended or broke.
pub(crate) async fn next_or_broken(
    events: &mut EventStream,
) -> Result<Option<ServerEvent>, CliError> {
    match events.next().await {
        Ok(event) => Ok(event),
        Err(ClientError::Lost { .. } | ClientError::TimedOut { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
