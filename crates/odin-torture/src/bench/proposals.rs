//! How many changes a second the log takes, each on the disk, applied and answered.

use std::io::Write;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use odin_model::command::Setting;
use odin_model::owner::Role;
use odin_model::{Clock, Command, NodeId, Owner, Principal};
use odin_node::clock::SystemClock;
use odin_node::data_dir::DataDir;

use crate::bench::{Size, populate};
use crate::outcome::Outcome;

/// What a record of the log takes, more or less.
const RECORD_BYTES: usize = 128;

pub(crate) async fn measure(size: Size) -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let raw = raw_syncs(directory.path(), size.proposals / 10)?;
    println!("  raw: {raw:.0} appends of {RECORD_BYTES} bytes a second, each with its fdatasync");
    let data = DataDir::open(&directory.path().join("data"))?;
    let engine = populate::engine(&data, NodeId(1)).await?;
    let by = Principal {
        user: Owner {
            user: "root".to_owned(),
            uid: 0,
        },
        role: Role::Admin,
    };
    let command = Command::Set {
        by,
        setting: Setting::Timezone("UTC".to_owned()),
    };
    for in_flight in [1, 64, 1024] {
        let count = if in_flight == 1 {
            size.proposals / 10
        } else {
            size.proposals
        };
        let began = SystemClock.boottime();
        let proposals = (0..count).map(|_| engine.proposer.propose(&command));
        stream::iter(proposals)
            .buffer_unordered(in_flight)
            .try_for_each(|_| async { Ok(()) })
            .await?;
        #[expect(clippy::cast_precision_loss, reason = "a count of proposals")]
        let rate = count as f64 / SystemClock.boottime().since(began).as_secs_f64();
        println!(
            "  {in_flight:>4} in flight: {rate:>8.0} a second = {:.2} × raw",
            rate / raw
        );
    }
    engine.stop().await;
    Ok(())
}

fn raw_syncs(directory: &std::path::Path, count: usize) -> Outcome<f64> {
    let mut file = std::fs::File::create(directory.join("raw"))?;
    let began = SystemClock.boottime();
    for _ in 0..count {
        file.write_all(&[7; RECORD_BYTES])?;
        file.sync_data()?;
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of writes")]
    let rate = count as f64 / SystemClock.boottime().since(began).as_secs_f64();
    Ok(rate)
}
