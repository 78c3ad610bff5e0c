//! The API's endpoints of alerts, silences and channels, as methods.

use std::time::Duration;

use hyper::Method;
use odin_wire::{
    Acknowledge, Alert, AlertList, AlertsQuery, Channel, ChannelList, ChannelTest, DeliveriesQuery,
    DeliveryList, MakeSilence, RemoveChannelQuery, SetChannel, Silence, SilenceList,
};

use crate::client::{Call, Client};
use crate::endpoints::path;
use crate::error::ClientError;
use crate::query::{segment, with_query};

/// How long a try of a channel may take: an attempt has half a minute.
const TEST_TIME_MAX: Duration = Duration::from_secs(60);

/// Every method's errors are those of [`ClientError`]: the server cannot be asked, or refuses.
#[allow(clippy::missing_errors_doc)]
impl Client {
    /// Alerts, the newest first.
    pub async fn alerts(&self, query: &AlertsQuery) -> Result<AlertList, ClientError> {
        self.json(&Call::get(with_query(&path("/alerts"), query)))
            .await
    }

    /// Says that somebody knows of an alert.
    pub async fn acknowledge(&self, id: &str, body: &Acknowledge) -> Result<Alert, ClientError> {
        let target = path(&format!("/alerts/{}/acknowledge", segment(id)));
        self.json(&Call::new(Method::POST, target).with_json(body))
            .await
    }

    /// The silences in force.
    pub async fn silences(&self) -> Result<SilenceList, ClientError> {
        self.json(&Call::get(path("/silences"))).await
    }

    /// Begins a silence.
    pub async fn silence(&self, body: &MakeSilence) -> Result<Silence, ClientError> {
        self.json(&Call::new(Method::POST, path("/silences")).with_json(body))
            .await
    }

    /// Ends a silence before its time.
    pub async fn unsilence(&self, id: u64) -> Result<(), ClientError> {
        let target = path(&format!("/silences/{id}"));
        self.delete(&Call::new(Method::DELETE, target)).await
    }

    /// The channels, by name.
    pub async fn channels(&self) -> Result<ChannelList, ClientError> {
        self.json(&Call::get(path("/channels"))).await
    }

    /// Sets a channel up, or changes it.
    pub async fn set_channel(&self, name: &str, body: &SetChannel) -> Result<Channel, ClientError> {
        let target = path(&format!("/channels/{}", segment(name)));
        self.json(&Call::new(Method::PUT, target).with_json(body))
            .await
    }

    /// Removes a channel.
    pub async fn remove_channel(
        &self,
        name: &str,
        query: &RemoveChannelQuery,
    ) -> Result<(), ClientError> {
        let target = with_query(&path(&format!("/channels/{}", segment(name))), query);
        self.delete(&Call::new(Method::DELETE, target)).await
    }

    /// Sends a message to a channel now.
    pub async fn test_channel(&self, name: &str) -> Result<ChannelTest, ClientError> {
        let target = path(&format!("/channels/{}/test", segment(name)));
        let mut call = Call::new(Method::POST, target);
        call.patience = TEST_TIME_MAX;
        self.json(&call).await
    }

    /// Messages to a channel, the newest first.
    pub async fn deliveries(
        &self,
        name: &str,
        query: &DeliveriesQuery,
    ) -> Result<DeliveryList, ClientError> {
        let target = path(&format!("/channels/{}/deliveries", segment(name)));
        self.json(&Call::get(with_query(&target, query))).await
    }
}
