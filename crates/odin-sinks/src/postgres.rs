//! PostgreSQL: a table each for values, runs and metrics, filled by one statement each for a batch, in one transaction.
//! Their keys are what Odin knows the records by, so what comes again changes nothing.

use jiff::Timestamp;
use odin_model::SecretValue;
use odin_outbound::{Bounds, OutboundError, TlsFlaw, connector};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

use crate::address::AddressError;
use crate::delivery::cut;
use crate::postgres_tls::Tls;
use crate::record::{hex, number};
use crate::{Body, Record, RunFacts, Snapshot, Unsent, ValueFacts, postgres_metrics};

/// The tables, which are made where they are missing. The instants are part of their keys, so that TimescaleDB can
/// make hypertables of them.
pub const SCHEMA: &str = include_str!("postgres.sql");

const INSERT_VALUES: &str = "INSERT INTO odin_values (run, attempt, number, at, job, job_name, owner, kind, name, type, \
     value, value_text, status, unit, flaw) \
     SELECT run, attempt, number, 'epoch'::timestamptz + at * interval '1 microsecond', job, job_name, owner, kind, \
     name, type, value, value_text, status, unit, flaw \
     FROM unnest($1::text[], $2::int4[], $3::int8[], $4::int8[], $5::text[], $6::text[], $7::text[], $8::text[], \
     $9::text[], $10::text[], $11::float8[], $12::text[], $13::text[], $14::text[], \
     $15::text[]) \
     AS v (run, attempt, number, at, job, job_name, owner, kind, name, type, value, value_text, status, unit, flaw)";

const INSERT_RUNS: &str = "INSERT INTO odin_runs (run, finished_at, job, job_name, owner, version, cause, outcome, \
     due_at, queued_at, started_at, exit_code, signal, reason, node, attempts, cpu_user_seconds, cpu_system_seconds, \
     memory_max_bytes, trace) \
     SELECT run, 'epoch'::timestamptz + finished_at * interval '1 microsecond', job, job_name, owner, version, cause, \
     outcome, 'epoch'::timestamptz + due_at * interval '1 microsecond', \
     'epoch'::timestamptz + queued_at * interval '1 microsecond', \
     'epoch'::timestamptz + started_at * interval '1 microsecond', exit_code, signal, reason, node, attempts, \
     cpu_user, cpu_system, memory, trace \
     FROM unnest($1::text[], $2::int8[], $3::text[], $4::text[], $5::text[], $6::int4[], $7::text[], $8::text[], \
     $9::int8[], $10::int8[], $11::int8[], $12::int4[], $13::int4[], $14::text[], $15::text[], $16::int4[], \
     $17::float8[], $18::float8[], $19::int8[], $20::text[]) \
     AS r (run, finished_at, job, job_name, owner, version, cause, outcome, due_at, queued_at, started_at, exit_code, \
     signal, reason, node, attempts, cpu_user, cpu_system, memory, trace)";

/// What ends a statement that leaves rows as they are that are there already.
const UNLESS_THERE: &str = " ON CONFLICT DO NOTHING";

/// Reads a database's address. The password is never in it.
pub(crate) fn config(url: &str, password: Option<&SecretValue>) -> Result<Config, AddressError> {
    let wanted = "postgres://";
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(AddressError::Scheme { wanted });
    }
    let form = "postgres://USER@HOST:PORT/DATABASE";
    let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
        let why = std::error::Error::source(&error)
            .map_or_else(|| error.to_string(), ToString::to_string);
        AddressError::Database(format!("{why}; write it as {form}"))
    })?;
    if config.get_ports().contains(&0) {
        return Err(odin_outbound::AddressError::BadPort("0".to_owned()).into());
    }
    if config.get_password().is_some() {
        return Err(AddressError::HasPassword);
    }
    if config.get_hosts().is_empty() || config.get_user().is_none() {
        let what = format!("it names a user and a host: {form}");
        return Err(AddressError::Database(what));
    }
    if let Some(password) = password {
        config.password(password.expose());
    }
    config.application_name("odin");
    Ok(config)
}

/// A database.
pub(crate) struct Postgres {
    config: Config,
    bounds: Bounds,
    open: Option<Client>,
}

impl Postgres {
    pub(crate) fn new(
        url: &str,
        password: Option<&SecretValue>,
        bounds: Bounds,
    ) -> Result<Self, Unsent> {
        let mut config =
            config(url, password).map_err(|error| Unsent::not_now(error.to_string()))?;
        config.connect_timeout(bounds.connect);
        Ok(Self {
            config,
            bounds,
            open: None,
        })
    }

    pub(crate) async fn send(&mut self, records: &[Record]) -> Result<(), Unsent> {
        self.fill(&["odin_values", "odin_runs"], async |client| {
            insert(client, records).await
        })
        .await
    }

    pub(crate) async fn send_metrics(&mut self, snapshot: &Snapshot) -> Result<(), Unsent> {
        self.fill(&["odin_metrics"], async |client| {
            let done = postgres_metrics::insert(client, snapshot).await;
            done.map(|_| ()).map_err(|error| judge(&error))
        })
        .await
    }

    /// Does `insert` over a connection, after which these tables are there.
    async fn fill(
        &mut self,
        tables: &[&str],
        insert: impl AsyncFnOnce(&Client) -> Result<(), Unsent>,
    ) -> Result<(), Unsent> {
        let open = self.open.take().filter(|open| !open.is_closed());
        let batch = async {
            let client = match open {
                Some(client) => client,
                None => connect(&self.config, &self.bounds, tables).await?,
            };
            let done = insert(&client).await;
            Ok((client, done))
        };
        // Whatever step hangs: a connection that is dropped ends its statement and the transaction.
        match tokio::time::timeout(self.bounds.exchange, batch).await {
            Ok(Ok((client, done))) => {
                self.open = Some(client);
                done
            }
            Ok(Err(unconnected)) => Err(unconnected),
            Err(_) => {
                let (place, seconds) = (place(&self.config), self.bounds.exchange.as_secs_f64());
                Err(Unsent::not_now(format!(
                    "the database at {place} did not take a batch within {seconds}s"
                )))
            }
        }
    }
}

/// Where the database is, for people.
fn place(config: &Config) -> String {
    let hosts = config.get_hosts().iter().map(|host| match host {
        Host::Unix(path) => path.display().to_string(),
        Host::Tcp(name) => name.clone(),
    });
    let ports = config.get_ports().iter().copied();
    // One port is for all hosts, and none is the usual one.
    let last = config.get_ports().last().copied().unwrap_or(5432);
    let ports = ports.chain(std::iter::repeat(last));
    let places: Vec<String> = hosts
        .zip(ports)
        .map(|(host, port)| format!("{host}:{port}"))
        .collect();
    places.join(", ")
}

async fn connect(config: &Config, bounds: &Bounds, tables: &[&str]) -> Result<Client, Unsent> {
    // Encrypted wherever it is not a socket of this machine, unless the address says otherwise.
    let is_local = config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name == "127.0.0.1" || name == "::1",
    });
    let connecting = async {
        if config.get_ssl_mode() == SslMode::Disable
            || (is_local && config.get_ssl_mode() == SslMode::Prefer)
        {
            let (client, connection) = config
                .connect(NoTls)
                .await
                .map_err(|it| unconnected(config, &it))?;
            tokio::spawn(async move { drop(connection.await) });
            return Ok::<_, Unsent>(client);
        }
        let mut encrypted = config.clone();
        encrypted.ssl_mode(SslMode::Require);
        let tls = Tls(connector().await?);
        let (client, connection) = encrypted
            .connect(tls)
            .await
            .map_err(|it| unconnected(config, &it))?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(client)
    };
    let client: Client = match tokio::time::timeout(bounds.connect, connecting).await {
        Ok(done) => done?,
        Err(_) => {
            let (place, seconds) = (place(config), bounds.connect.as_secs_f64());
            return Err(Unsent::not_now(format!(
                "the database at {place} did not connect within {seconds}s"
            )));
        }
    };
    // Asked first: who may write to tables that are there need not be allowed to make any.
    let there = client
        .query_one(
            "SELECT bool_and(to_regclass(it) IS NOT NULL) FROM unnest($1::text[]) AS it",
            &[&tables],
        )
        .await
        .map_err(|it| judge(&it))?;
    if !there.get::<_, bool>(0) {
        client
            .batch_execute(SCHEMA)
            .await
            .map_err(|it| judge(&it))?;
    }
    Ok(client)
}

/// Rows are new, unless a server died before it noted that they were taken: only where some prove to be there they are
/// passed over, since to be ready for that takes PostgreSQL a third more time, or a half, for all of them.
async fn insert(client: &Client, records: &[Record]) -> Result<(), Unsent> {
    let done = match write(client, records, "").await {
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
            write(client, records, UNLESS_THERE).await
        }
        done => done,
    };
    done.map_err(|error| judge(&error))
}

async fn write(
    client: &Client,
    records: &[Record],
    ending: &str,
) -> Result<(), tokio_postgres::Error> {
    let values: Vec<_> = records
        .iter()
        .filter_map(|record| match &record.body {
            Body::Value(value) => Some((record, value)),
            Body::Run(_) => None,
        })
        .collect();
    let runs: Vec<_> = records
        .iter()
        .filter_map(|record| match &record.body {
            Body::Run(run) => Some((record, &**run)),
            Body::Value(_) => None,
        })
        .collect();
    client.batch_execute("BEGIN").await?;
    let done = async {
        if !values.is_empty() {
            insert_values(client, &values, ending).await?;
        }
        if !runs.is_empty() {
            insert_runs(client, &runs, ending).await?;
        }
        client.batch_execute("COMMIT").await
    };
    let done = done.await;
    if done.is_err() {
        // Where this fails too, the connection is gone, and the transaction with it.
        let _ = client.batch_execute("ROLLBACK").await;
    }
    done
}

async fn insert_values(
    client: &Client,
    values: &[(&Record, &ValueFacts)],
    ending: &str,
) -> Result<u64, tokio_postgres::Error> {
    fn all<T>(values: &[(&Record, &ValueFacts)], of: impl Fn(&Record, &ValueFacts) -> T) -> Vec<T> {
        values.iter().map(|(record, it)| of(record, it)).collect()
    }
    let texts = |of: &dyn Fn(&Record, &ValueFacts) -> String| all(values, |r, v| plain(&of(r, v)));
    let options = |of: &dyn Fn(&ValueFacts) -> Option<String>| {
        all(values, |_, v| of(v).map(|text| plain(&text)))
    };
    let drawn = |v: &ValueFacts| number(&v.value.data).or_else(|| v.value.data.drawn());
    let numbers = |_: &Record, v: &ValueFacts| i64::try_from(v.number).unwrap_or(i64::MAX);
    client
        .execute(
            &format!("{INSERT_VALUES}{ending}"),
            &[
                &texts(&|r, _| r.run.to_string()),
                &all(values, |_, v| v.attempt.0.cast_signed()),
                &all(values, numbers),
                &all(values, |_, v| v.value.at.as_microsecond()),
                &texts(&|r, _| r.job.id.to_string()),
                &texts(&|r, _| r.job.name.clone()),
                &texts(&|r, _| r.job.owner.clone()),
                &texts(&|_, v| v.value.kind.word().to_owned()),
                &texts(&|_, v| v.value.name.clone()),
                &texts(&|_, v| v.value.data.type_word().to_owned()),
                &all(values, |_, v| drawn(v)),
                &texts(&|_, v| v.value.data.text().to_owned()),
                &options(&|v| v.value.status.clone()),
                &options(&|v| v.value.unit.clone()),
                &options(&|v| v.value.flaw.as_ref().map(ToString::to_string)),
            ],
        )
        .await
}

async fn insert_runs(
    client: &Client,
    runs: &[(&Record, &RunFacts)],
    ending: &str,
) -> Result<u64, tokio_postgres::Error> {
    fn all<T>(runs: &[(&Record, &RunFacts)], of: impl Fn(&Record, &RunFacts) -> T) -> Vec<T> {
        runs.iter().map(|(record, it)| of(record, it)).collect()
    }
    let micros = |at: Option<Timestamp>| at.map(Timestamp::as_microsecond);
    let cpu = |r: &RunFacts| {
        let known = r.usage.known_cpu();
        known.map(|(user, system)| (user.as_secs_f64(), system.as_secs_f64()))
    };
    let memory = |r: &RunFacts| {
        let known = r.usage.known_memory_max_bytes();
        known.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX))
    };
    let attempts = |r: &RunFacts| i32::try_from(r.attempts.len()).unwrap_or(i32::MAX);
    client
        .execute(
            &format!("{INSERT_RUNS}{ending}"),
            &[
                &all(runs, |it, _| it.run.to_string()),
                &all(runs, |_, r| r.finished_at.as_microsecond()),
                &all(runs, |it, _| it.job.id.to_string()),
                &all(runs, |it, _| plain(&it.job.name)),
                &all(runs, |it, _| plain(&it.job.owner)),
                &all(runs, |_, r| r.version.0.cast_signed()),
                &all(runs, |_, r| r.cause),
                &all(runs, |_, r| r.outcome.word()),
                &all(runs, |_, r| micros(r.due_at)),
                &all(runs, |_, r| r.queued_at.as_microsecond()),
                &all(runs, |_, r| micros(r.started_at)),
                &all(runs, |_, r| r.exit_code.map(i32::from)),
                &all(runs, |_, r| r.signal.map(i32::from)),
                &all(runs, |_, r| r.reason.as_deref().map(plain)),
                &all(runs, |_, r| r.node.as_deref().map(plain)),
                &all(runs, |_, r| attempts(r)),
                &all(runs, |_, r| cpu(r).map(|(user, _)| user)),
                &all(runs, |_, r| cpu(r).map(|(_, system)| system)),
                &all(runs, |_, r| memory(r)),
                &all(runs, |it, _| hex(&it.trace.trace)),
            ],
        )
        .await
}

/// PostgreSQL's texts hold any character but one.
pub(crate) fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Errors of the data (class 22) and of constraints (class 23) are about the records; the rest is about the database.
fn judge(error: &tokio_postgres::Error) -> Unsent {
    let Some(said) = error.as_db_error() else {
        return Unsent::not_now(cut(&with_source(error)));
    };
    let reason = cut(&format!("{} ({})", said.message(), said.code().code()));
    let is_of_data = ["22", "23"]
        .iter()
        .any(|class| said.code().code().starts_with(class));
    match is_of_data && *said.code() != SqlState::INVALID_PASSWORD {
        true => Unsent::Refused(reason),
        false => Unsent::not_now(reason),
    }
}

/// Why there is no connection: TLS in the words of all receivers, the rest in the library's.
fn unconnected(config: &Config, error: &tokio_postgres::Error) -> Unsent {
    if error.as_db_error().is_some() {
        return judge(error);
    }
    let place = place(config);
    let host = config.get_hosts().iter().find_map(|host| match host {
        Host::Tcp(name) => Some(name.as_str()),
        Host::Unix(_) => None,
    });
    if let Some(flaw) = TlsFlaw::of(error, host.unwrap_or_default()) {
        return Unsent::from(OutboundError::Tls { place, flaw });
    }
    Unsent::not_now(cut(&format!(
        "cannot connect to {place}: {}",
        with_source(error)
    )))
}

fn with_source(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("the database: {error}: {source}"),
        None => format!("the database: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_user_and_a_host_and_no_password() {
        for (url, expected) in [
            ("mysql://a@b/c", "the address begins with postgres://"),
            (
                "postgres://ann:pw@db/odin",
                "the address holds a password: keep it in a secret, and name that with --secret",
            ),
            (
                "postgres:///odin",
                "the address of the database: it names a user and a host: postgres://USER@HOST:PORT/DATABASE",
            ),
        ] {
            let error = config(url, None).unwrap_err();
            assert_eq!(error.to_string(), expected, "{url}");
        }
        assert!(config("postgres://ann@db:5433/odin?sslmode=require", None).is_ok());
    }
}
