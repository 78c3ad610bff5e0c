//! A sink and records with everything that a test does not care about filled in.

use std::sync::Arc;

use jiff::Timestamp;
use odin_model::owner::Owner;
use odin_model::sink::{Behind, Sink, SinkName, SinkSpec, SinkTarget};
use odin_model::{AttemptNumber, JobId, RunId, Value, ValueData, ValueKind};
use odin_sinks::{Body, Delivered, JobFacts, Known, Record, Sender, TraceIds, Unsent, ValueFacts};

/// A sink that has sent nothing yet.
pub(crate) fn sink(target: SinkTarget) -> Sink {
    Sink {
        name: SinkName::parse("metrics").unwrap(),
        owner: Owner {
            user: "ann".to_owned(),
            uid: 1000,
        },
        spec: SinkSpec::new(target),
        token: 1,
        set_at: Timestamp::UNIX_EPOCH,
        cursor: 0,
        behind: Behind::default(),
        sent: 0,
        skipped: 0,
        last_skipped: None,
        dropped: 0,
        sent_at: None,
        failing: None,
        metrics_failing: None,
    }
}

/// Ann's job of that name.
pub(crate) fn job(name: &str) -> Arc<JobFacts> {
    Arc::new(JobFacts {
        id: JobId::from_bits(0xa37b_187f_5930),
        name: name.to_owned(),
        owner: "ann".to_owned(),
    })
}

/// Of the one run of the job.
pub(crate) fn record(job: &Arc<JobFacts>, place: u32, body: Body) -> Record {
    Record {
        place: (1, place),
        job: Arc::clone(job),
        run: RunId::from_bits(5),
        trace: TraceIds {
            trace: [1; 16],
            run: [2; 8],
        },
        body,
    }
}

/// A report of that run's first attempt.
pub(crate) fn value(
    job: &Arc<JobFacts>,
    (place, at): (u32, Timestamp),
    kind: ValueKind,
    name: &str,
    data: ValueData,
) -> Record {
    let facts = ValueFacts {
        attempt: AttemptNumber::FIRST,
        span: [3; 8],
        number: place.into(),
        value: Value {
            at,
            kind,
            name: name.to_owned(),
            data,
            status: None,
            unit: None,
            flaw: None,
        },
    };
    record(job, place, Body::Value(facts))
}

/// Sends records to a receiver of which nothing is known.
pub(crate) async fn deliver(sender: &mut Sender, records: &[Record]) -> Result<Delivered, Unsent> {
    let trial = value(
        &job("odin-sink-test"),
        (0, Timestamp::UNIX_EPOCH),
        ValueKind::Watch,
        "odin_sink_test",
        ValueData::Number("1".to_owned()),
    );
    odin_sinks::deliver(sender, &mut Known::default(), records.to_vec(), &trial).await
}
