//! One receiver, of whatever kind.

use odin_model::SecretValue;
use odin_model::sink::{Sink, SinkTarget};
use odin_outbound::{Bounds, HttpAddress};

use crate::file::JsonFile;
use crate::http::HttpReceiver;
use crate::influx::Influx;
use crate::otlp::Otlp;
use crate::postgres::Postgres;
use crate::remote_write::RemoteWrite;
use crate::{Record, Snapshot, Unsent};

/// What sends records to one receiver, over a connection that it keeps.
pub struct Sender(Kind);

enum Kind {
    Influx(Influx),
    RemoteWrite(RemoteWrite),
    Otlp(Otlp),
    Postgres(Box<Postgres>),
    File(JsonFile),
    #[cfg(test)]
    Scripted(Scripted),
}

impl Sender {
    /// For a sink, with its secret opened. No receiver is waited for beyond the bounds, at any step.
    ///
    /// # Errors
    /// When the sink's address or the secret cannot be used.
    pub fn new(sink: &Sink, secret: Option<&SecretValue>, bounds: Bounds) -> Result<Self, Unsent> {
        let http = |url: &str| http(url, bounds);
        Ok(Self(match &sink.spec.target {
            SinkTarget::InfluxV2 { url, org, bucket } => {
                Kind::Influx(Influx::v2(http(url)?, (org, bucket), secret)?)
            }
            SinkTarget::InfluxV3 { url, database } => {
                Kind::Influx(Influx::v3(http(url)?, database, secret)?)
            }
            SinkTarget::RemoteWrite { url, user } => {
                Kind::RemoteWrite(RemoteWrite::new(http(url)?, user.as_deref(), secret)?)
            }
            SinkTarget::Otlp { url, header } => {
                Kind::Otlp(Otlp::new(http(url)?, header.as_deref(), secret)?)
            }
            SinkTarget::Postgres { url } => {
                Kind::Postgres(Box::new(Postgres::new(url, secret, bounds)?))
            }
            SinkTarget::File {
                path,
                rotate_bytes,
                keep,
            } => Kind::File(JsonFile::new(path, (*rotate_bytes, *keep), sink.token)),
        }))
    }

    /// Sends records in one request, or as few as the form allows.
    pub(crate) async fn send(&mut self, records: &[Record]) -> Result<(), Unsent> {
        match &mut self.0 {
            Kind::Influx(it) => it.send(records).await,
            Kind::RemoteWrite(it) => it.send(records).await,
            Kind::Otlp(it) => it.send(records).await,
            Kind::Postgres(it) => it.send(records).await,
            Kind::File(it) => it.send(records).await,
            #[cfg(test)]
            Kind::Scripted(it) => it.send(records),
        }
    }
}

impl Sender {
    /// Sends what a node counted and measured, in one request. It is not sent again: the next one says it all.
    ///
    /// # Errors
    /// When the receiver did not take all of it.
    pub async fn send_metrics(&mut self, snapshot: &Snapshot) -> Result<(), Unsent> {
        match &mut self.0 {
            Kind::Influx(it) => it.send_metrics(snapshot).await,
            Kind::RemoteWrite(it) => it.send_metrics(snapshot).await,
            Kind::Otlp(it) => it.send_metrics(snapshot).await,
            Kind::Postgres(it) => it.send_metrics(snapshot).await,
            Kind::File(it) => it.send_metrics(snapshot).await,
            #[cfg(test)]
            Kind::Scripted(_) => Ok(()),
        }
    }
}

fn http(url: &str, bounds: Bounds) -> Result<HttpReceiver, Unsent> {
    let address = HttpAddress::parse(url).map_err(|error| Unsent::not_now(error.to_string()))?;
    Ok(HttpReceiver::new(address, bounds))
}

/// A receiver that refuses what has some records in it.
#[cfg(test)]
pub(crate) struct Scripted {
    pub(crate) poisoned: std::collections::BTreeSet<u32>,
    pub(crate) taken: Vec<u32>,
}

#[cfg(test)]
impl Scripted {
    fn send(&mut self, records: &[Record]) -> Result<(), Unsent> {
        let places: Vec<u32> = records.iter().map(|record| record.place.1).collect();
        if places.iter().any(|place| self.poisoned.contains(place)) {
            return Err(Unsent::Refused("poison".to_owned()));
        }
        self.taken.extend(places);
        Ok(())
    }
}

#[cfg(test)]
impl Sender {
    pub(crate) fn scripted(scripted: Scripted) -> Self {
        Self(Kind::Scripted(scripted))
    }

    pub(crate) fn into_scripted(self) -> Option<Scripted> {
        match self.0 {
            Kind::Scripted(it) => Some(it),
            _ => None,
        }
    }
}
