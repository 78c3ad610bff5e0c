//! The API's endpoints of sinks, as methods.

use std::time::Duration;

use hyper::Method;
use odin_wire::{SetSink, Sink, SinkList, SinkTest};

use crate::client::{Call, Client};
use crate::endpoints::path;
use crate::error::ClientError;
use crate::query::segment;

/// How long a try may take: a connection and a request, each within its bound.
const TEST_TIME_MAX: Duration = Duration::from_secs(60);

/// Every method's errors are those of [`ClientError`]: the server cannot be asked, or refuses.
#[allow(clippy::missing_errors_doc)]
impl Client {
    /// The sinks, by name.
    pub async fn sinks(&self) -> Result<SinkList, ClientError> {
        self.json(&Call::get(path("/sinks"))).await
    }

    /// One sink.
    pub async fn sink(&self, name: &str) -> Result<Sink, ClientError> {
        let target = path(&format!("/sinks/{}", segment(name)));
        self.json(&Call::get(target)).await
    }

    /// Sets a sink up, or changes it.
    pub async fn set_sink(&self, name: &str, body: &SetSink) -> Result<Sink, ClientError> {
        let target = path(&format!("/sinks/{}", segment(name)));
        self.json(&Call::new(Method::PUT, target).with_json(body))
            .await
    }

    /// Removes a sink.
    pub async fn remove_sink(&self, name: &str) -> Result<(), ClientError> {
        let target = path(&format!("/sinks/{}", segment(name)));
        self.delete(&Call::new(Method::DELETE, target)).await
    }

    /// Sends a record to a sink now.
    pub async fn test_sink(&self, name: &str) -> Result<SinkTest, ClientError> {
        let target = path(&format!("/sinks/{}/test", segment(name)));
        let mut call = Call::new(Method::POST, target);
        call.patience = TEST_TIME_MAX;
        self.json(&call).await
    }
}
