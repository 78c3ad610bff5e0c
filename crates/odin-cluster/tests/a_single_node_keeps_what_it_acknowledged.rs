//! One voter with its log on disk.

#![allow(clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use odin_cluster::memory_transport::MemoryNetwork;
use odin_cluster::{Leadership, Log, Options, ProposeError, Retention, StartError};
use odin_model::NodeId;
use support::{BUG, POISON, Tally, environment};

const NODE: NodeId = NodeId(1);

fn options(dir: &Path) -> Options {
    Options::on_disk(NODE, dir.join("log"), dir.join("snapshots"))
}

async fn start(dir: &Path, tally: &Tally) -> Result<Log, StartError> {
    Log::start(
        options(dir),
        tally.clone(),
        environment(NODE, &MemoryNetwork::new()),
    )
    .await
}

async fn first(dir: &Path, tally: &Tally) -> Log {
    let log = start(dir, tally).await.unwrap();
    log.bootstrap().await.unwrap();
    log
}

async fn propose_all(log: &Log, commands: impl IntoIterator<Item = String>) {
    let proposals = commands.into_iter().map(|command| {
        let log = log.clone();
        tokio::spawn(async move { log.propose(command.into()).await.unwrap() })
    });
    for proposal in proposals.collect::<Vec<_>>() {
        proposal.await.unwrap();
    }
}

fn numbered(range: std::ops::Range<u32>) -> impl Iterator<Item = String> {
    range.map(|number| format!("c{number:04}"))
}

/// What `kill -9` leaves: the files as they are at this moment.
fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The file of the log that is being written.
fn newest_file(dir: &Path) -> PathBuf {
    let files = std::fs::read_dir(dir.join("log"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "wal"))
        .max()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_gets_the_machines_reply_and_the_node_leads_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let tally = Tally::default();
    let log = first(dir.path(), &tally).await;
    let one = log.propose(Bytes::from_static(b"a")).await.unwrap();
    let two = log.propose(Bytes::from_static(b"b")).await.unwrap();
    assert_eq!((&one.reply[..], &two.reply[..]), (&b"1"[..], &b"2"[..]));
    assert!(one.index < two.index);
    log.bootstrap().await.unwrap();
    assert!(matches!(
        *log.leadership().borrow(),
        Leadership::Leading { .. }
    ));
    assert_eq!(log.confirm().await.unwrap(), two.index);
    log.wait_applied(two.index, Duration::from_secs(60))
        .await
        .unwrap();
    let status = log.status();
    assert_eq!(
        (status.applied, status.voters),
        (Some(two.index), vec![NODE])
    );
    log.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_proposals_in_flight_share_batches() {
    let dir = tempfile::tempdir().unwrap();
    let tally = Tally::default();
    let log = first(dir.path(), &tally).await;
    propose_all(&log, numbered(0..2000)).await;
    let mut commands = tally.commands();
    commands.sort();
    assert_eq!(commands, numbered(0..2000).collect::<Vec<_>>());
    let batches = tally.0.lock().unwrap().batches;
    assert!(batches < 1000, "{batches} batches for 2000 proposals");
    log.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_carries_on_without_applying_anything_twice() {
    let dir = tempfile::tempdir().unwrap();
    let tally = Tally::default();
    let log = first(dir.path(), &tally).await;
    propose_all(&log, numbered(0..100)).await;
    log.shutdown().await;
    let log = start(dir.path(), &tally).await.unwrap();
    propose_all(&log, numbered(100..200)).await;
    log.shutdown().await;
    let mut commands = tally.commands();
    commands.sort();
    assert_eq!(commands, numbered(0..200).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_loses_nothing_acknowledged_even_if_the_state_fell_behind() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let tally = Tally::default();
    let log = first(dir.path(), &tally).await;
    propose_all(&log, numbered(0..50)).await;
    // SQLite may lose its last transactions in a power cut: the state is that of a moment ago.
    let behind = tally.copy();
    propose_all(&log, numbered(50..100)).await;
    copy_directory(dir.path(), copy.path());
    let log_after = start(copy.path(), &behind).await.unwrap();
    // Everything is back before the node does anything new.
    let index = log_after.confirm().await.unwrap();
    log_after
        .wait_applied(index, Duration::from_secs(60))
        .await
        .unwrap();
    assert_eq!(behind.commands(), tally.commands());
    log_after.shutdown().await;
    log.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_tail_is_cut_off_and_what_came_before_it_stays() {
    let dir = tempfile::tempdir().unwrap();
    let log = first(dir.path(), &Tally::default()).await;
    for command in numbered(0..5) {
        log.propose(command.into()).await.unwrap();
    }
    log.shutdown().await;
    let whole = std::fs::metadata(newest_file(dir.path())).unwrap().len();
    for torn in (1..60).step_by(3) {
        let copy = tempfile::tempdir().unwrap();
        copy_directory(dir.path(), copy.path());
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(newest_file(copy.path()))
            .unwrap();
        file.set_len(whole - torn).unwrap();
        let tally = Tally::default();
        let log = start(copy.path(), &tally).await.unwrap();
        log.propose(Bytes::from_static(b"after")).await.unwrap();
        let commands = tally.commands();
        let (last, kept) = commands.split_last().unwrap();
        assert_eq!(last, "after", "torn by {torn}");
        let expected: Vec<_> = numbered(0..5).take(kept.len()).collect();
        assert_eq!(kept, expected, "torn by {torn}");
        assert!(kept.len() >= 3, "torn by {torn}: {kept:?}");
        log.shutdown().await;
    }
}

/// What a power cut can leave when the file's length was on the disk before its contents.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zeros_in_the_place_of_the_last_record_or_behind_it_are_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let log = first(dir.path(), &Tally::default()).await;
    for command in numbered(0..5) {
        log.propose(command.into()).await.unwrap();
    }
    log.shutdown().await;
    let whole = std::fs::read(newest_file(dir.path())).unwrap();
    for torn in [0, 1, 2, 7, 12, 20, 33, 50] {
        let copy = tempfile::tempdir().unwrap();
        copy_directory(dir.path(), copy.path());
        let mut contents = whole[..whole.len() - torn].to_vec();
        contents.resize(whole.len() + 4096, 0);
        std::fs::write(newest_file(copy.path()), contents).unwrap();
        let tally = Tally::default();
        let log = start(copy.path(), &tally)
            .await
            .unwrap_or_else(|error| panic!("{torn}: {error}"));
        log.propose(Bytes::from_static(b"after")).await.unwrap();
        let commands = tally.commands();
        let (last, kept) = commands.split_last().unwrap();
        assert_eq!(last, "after", "torn by {torn}");
        assert_eq!(
            kept,
            numbered(0..5).take(kept.len()).collect::<Vec<_>>(),
            "torn by {torn}"
        );
        assert!(
            kept.len() >= if torn == 0 { 5 } else { 3 },
            "torn by {torn}: {kept:?}"
        );
        log.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_damage_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = first(dir.path(), &Tally::default()).await;
    log.propose(Bytes::from_static(b"a")).await.unwrap();
    log.propose(Bytes::from_static(b"b")).await.unwrap();
    log.shutdown().await;
    let mut contents = std::fs::read(newest_file(dir.path())).unwrap();
    let place = contents
        .windows(5)
        .rposition(|bytes| bytes == b"\0\0\0\x01a")
        .unwrap()
        + 4;
    contents[place] = b'x';
    std::fs::write(newest_file(dir.path()), contents).unwrap();
    let error = start(dir.path(), &Tally::default())
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(error.code(), "cluster/log-unusable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_without_its_log_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let tally = Tally::default();
    let log = first(dir.path(), &tally).await;
    let applied = log.propose(Bytes::from_static(b"a")).await.unwrap();
    let early = tempfile::tempdir().unwrap();
    copy_directory(dir.path(), early.path());
    let later = log.propose(Bytes::from_static(b"b")).await.unwrap();
    log.shutdown().await;
    // An older copy of the log, and none at all.
    std::fs::remove_dir_all(dir.path().join("log")).unwrap();
    let lost = start(dir.path(), &tally).await.map(|_| ()).unwrap_err();
    assert!(
        matches!(lost, StartError::LogBehindState { log: None, state } if state == later.index),
        "{lost}"
    );
    let old = start(early.path(), &tally).await.map(|_| ()).unwrap_err();
    assert!(
        matches!(old, StartError::LogBehindState { log: Some(log), .. } if log == applied.index),
        "{old}"
    );
    assert_eq!(old.code(), "cluster/log-behind-state");
}

async fn check_that_it_fails(command: &'static [u8], reason: &str) {
    let dir = tempfile::tempdir().unwrap();
    let tally = Tally::default();
    let log = first(dir.path(), &tally).await;
    log.propose(Bytes::from_static(b"a")).await.unwrap();
    let proposal = {
        let log = log.clone();
        tokio::spawn(async move { log.propose(Bytes::from_static(command)).await })
    };
    let failure = log.failed().await;
    assert!(failure.reason.contains(reason), "{failure}");
    let error = proposal.await.unwrap().unwrap_err();
    assert!(matches!(error, ProposeError::Stopped(_)), "{error}");
    assert_eq!(tally.commands(), ["a"]);
    log.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_cannot_write_or_panics_fails_the_node() {
    check_that_it_fails(POISON, "the disk is on fire").await;
    check_that_it_fails(BUG, "the state machine panicked").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_over_the_limit_is_refused_and_one_at_the_limit_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let log = first(dir.path(), &Tally::default()).await;
    let most = vec![b'x'; odin_cluster::COMMAND_BYTES_MAX];
    let mut over = most.clone();
    over.push(b'x');
    let refused = log.propose(over.into()).await.unwrap_err();
    assert!(
        matches!(refused, ProposeError::TooLarge { .. }),
        "{refused}"
    );
    log.propose(most.into()).await.unwrap();
    log.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_has_grown_is_cut_behind_a_snapshot_and_starts_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let tally = Tally::default();
    let mut options = options(dir.path());
    options.retention = Retention {
        snapshot_after_bytes: (20_000, 20_000),
        keep_entries: 10,
    };
    let network = MemoryNetwork::new();
    let log = Log::start(options.clone(), tally.clone(), environment(NODE, &network))
        .await
        .unwrap();
    log.bootstrap().await.unwrap();
    let mut number = 0;
    while log.status().purged.is_none() {
        propose_all(&log, numbered(number..number + 50)).await;
        number += 50;
    }
    let status = log.status();
    assert!(status.snapshot >= status.purged, "{status:?}");
    log.shutdown().await;
    // A state that lost everything comes back from the snapshot and the rest of the log.
    let empty = Tally::default();
    let log = Log::start(options, empty.clone(), environment(NODE, &network))
        .await
        .unwrap();
    let index = log.confirm().await.unwrap();
    log.wait_applied(index, Duration::from_secs(60))
        .await
        .unwrap();
    assert_eq!(empty.commands(), tally.commands());
    assert_eq!(empty.0.lock().unwrap().installed, 1);
    log.shutdown().await;
}
