//! One receiver, of whatever kind.

use std::path::Path;

use odin_model::sink::{Sink, SinkTarget};
use odin_outbound::{Bounds, HttpAddress};

use crate::delivery::cut;
use crate::file::JsonFile;
use crate::http::HttpReceiver;
use crate::influx::Influx;
use crate::known::Known;
use crate::otlp::Otlp;
use crate::postgres::Postgres;
use crate::remote_write::{self, RemoteWrite};
use crate::{Credential, Record, Snapshot, Unsent};

/// What sends records to one receiver, over a connection that it keeps.
pub struct Sender {
    kind: Kind,
    credential: Option<Credential>,
}

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
    pub fn new(
        sink: &Sink,
        credential: Option<Credential>,
        bounds: Bounds,
    ) -> Result<Self, Unsent> {
        let http = |url: &str| http(url, bounds);
        let secret = credential.as_ref().map(Credential::value);
        let kind = match &sink.spec.target {
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
        };
        Ok(Self { kind, credential })
    }

    /// Leaves out the records that have no place in the receiver's form.
    pub(crate) fn keep_fitting(&self, records: &mut Vec<Record>, known: &Known) {
        if let Kind::RemoteWrite(_) = &self.kind {
            remote_write::keep_fitting(records, &known.newest);
        }
    }

    /// Never writes a file into this directory: the server's own are there.
    #[must_use]
    pub fn keep_out_of(mut self, data_dir: &Path) -> Self {
        if let Kind::File(file) = &mut self.kind {
            file.keep_out_of(data_dir);
        }
        self
    }

    /// Sends records in one request, or as few as the form allows.
    pub(crate) async fn send(
        &mut self,
        records: &[Record],
        known: &mut Known,
    ) -> Result<(), Unsent> {
        let sent = match &mut self.kind {
            Kind::Influx(it) => it.send(records).await,
            Kind::RemoteWrite(it) => it.send(records, &mut known.newest).await,
            Kind::Otlp(it) => it.send(records).await,
            Kind::Postgres(it) => it.send(records).await,
            Kind::File(it) => it.send(records).await,
            #[cfg(test)]
            Kind::Scripted(it) => it.send(records),
        };
        sent.map_err(|unsent| self.shown(unsent))
    }

    /// Sends one record by which the receiver is tried, whatever else is known of it.
    ///
    /// # Errors
    /// When the receiver did not take it.
    pub async fn send_trial(&mut self, trial: &Record) -> Result<(), Unsent> {
        self.send(std::slice::from_ref(trial), &mut Known::default())
            .await
    }

    /// Sends what a node counted and measured, in one request. It is not sent again: the next one says it all.
    ///
    /// # Errors
    /// When the receiver did not take all of it.
    pub async fn send_metrics(&mut self, snapshot: &Snapshot) -> Result<(), Unsent> {
        let sent = match &mut self.kind {
            Kind::Influx(it) => it.send_metrics(snapshot).await,
            Kind::RemoteWrite(it) => it.send_metrics(snapshot).await,
            Kind::Otlp(it) => it.send_metrics(snapshot).await,
            Kind::Postgres(it) => it.send_metrics(snapshot).await,
            Kind::File(it) => it.send_metrics(snapshot).await,
            #[cfg(test)]
            Kind::Scripted(_) => Ok(()),
        };
        sent.map_err(|unsent| self.shown(unsent))
    }

    /// A failure as it may be shown: without the secret, then no longer than what is kept, so that no half of a secret
    /// is left at its end.
    fn shown(&self, unsent: Unsent) -> Unsent {
        let masked = match &self.credential {
            Some(credential) => credential.masked(unsent),
            None => unsent,
        };
        masked.in_words(cut)
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
        Self {
            kind: Kind::Scripted(scripted),
            credential: None,
        }
    }

    pub(crate) fn into_scripted(self) -> Option<Scripted> {
        match self.kind {
            Kind::Scripted(it) => Some(it),
            _ => None,
        }
    }
}
