//! What a node counts and measures, as rows of PostgreSQL: one for each series.

use odin_metrics::{Family, Reading, Series};
use serde_json::{Map, Value as Json};
use tokio_postgres::Client;

use crate::Snapshot;
use crate::json_lines::buckets;
use crate::postgres::plain;

const INSERT: &str = "INSERT INTO odin_metrics (at, node, name, labels, kind, value, count, sum, buckets) \
     SELECT 'epoch'::timestamptz + $1::int8 * interval '1 microsecond', $2::text, name, labels::jsonb, kind, value, \
     count, sum, buckets::jsonb \
     FROM unnest($3::text[], $4::text[], $5::text[], $6::float8[], $7::int8[], $8::float8[], $9::text[]) \
     AS m (name, labels, kind, value, count, sum, buckets) \
     ON CONFLICT DO NOTHING";

/// Inserts all of it by one statement.
pub(crate) async fn insert(
    client: &Client,
    snapshot: &Snapshot,
) -> Result<u64, tokio_postgres::Error> {
    let all: Vec<(&Family, &Series)> = snapshot
        .families
        .iter()
        .flat_map(|family| family.series.iter().map(move |series| (family, series)))
        .collect();
    fn each<T>(all: &[(&Family, &Series)], of: impl Fn(&Family, &Series) -> T) -> Vec<T> {
        all.iter()
            .map(|(family, series)| of(family, series))
            .collect()
    }
    let number = |series: &Series| match &series.reading {
        Reading::Number(number) => Some(number.as_f64()),
        Reading::Distribution(_) => None,
    };
    let distribution = |series: &Series| match &series.reading {
        Reading::Distribution(it) => Some(it.clone()),
        Reading::Number(_) => None,
    };
    let count = |series: &Series| {
        let count = distribution(series).map(|it| it.count());
        count.map(|it| i64::try_from(it).unwrap_or(i64::MAX))
    };
    client
        .execute(
            INSERT,
            &[
                &snapshot.at.as_microsecond(),
                &plain(&snapshot.node),
                &each(&all, |family, _| family.name),
                &each(&all, |_, series| labels(series)),
                &each(&all, |family, _| family.kind.word()),
                &each(&all, |_, series| number(series)),
                &each(&all, |_, series| count(series)),
                &each(&all, |_, series| distribution(series).map(|it| it.sum)),
                &each(&all, |_, series| {
                    distribution(series).map(|it| buckets(&it).to_string())
                }),
            ],
        )
        .await
}

fn labels(series: &Series) -> String {
    let labels = series.labels.iter();
    let object: Map<String, Json> = labels
        .map(|(name, value)| ((*name).to_owned(), plain(value).into()))
        .collect();
    Json::Object(object).to_string()
}
