//! A bundle becomes the owner's directory, whole or not at all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use odin_executor::protocol::{Prepare, PrepareFailure, Report, Request};
use odin_model::{BundleHash, JobId, VersionNumber};
use rustix::fs::{CWD, FileType, Mode};
use rustix::process::{Pid, Signal};

use crate::executor::{Executor, job, now, own_uid, owner_of};

/// A tar with these files, packed, and its hash.
fn bundle(files: &[(&str, &str, u32)]) -> (Vec<u8>, BundleHash) {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content, mode) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(content.len()).unwrap());
        header.set_mode(*mode);
        builder
            .append_data(&mut header, path, content.as_bytes())
            .unwrap();
    }
    let tar = builder.into_inner().unwrap();
    let hash = BundleHash(<sha2::Sha256 as sha2::Digest>::digest(&tar).into());
    (zstd::encode_all(&tar[..], 1).unwrap(), hash)
}

/// An order to unpack a bundle of these files, which is written for it.
fn order(executor: &Executor, files: &[(&str, &str, u32)], version: u32, uid: u32) -> Prepare {
    let (packed, hash) = bundle(files);
    let path = executor.dir.path().join(format!("bundle-{hash}"));
    std::fs::write(&path, packed).unwrap();
    rustix::fs::chmod(&path, Mode::from_raw_mode(0o600)).unwrap();
    Prepare {
        job: job(),
        version: VersionNumber(version),
        bundle: path,
        hash,
        owner: owner_of(uid),
    }
}

fn answer(executor: &mut Executor) -> (JobId, Option<PrepareFailure>) {
    executor.until(|report| match report {
        Report::Prepared { job, failure, .. } => Some((*job, failure.clone())),
        _ => None,
    })
}

fn prepare(
    executor: &mut Executor,
    files: &[(&str, &str, u32)],
    version: u32,
    uid: u32,
) -> Option<PrepareFailure> {
    let order = order(executor, files, version, uid);
    executor.send([Request::Prepare(order)]);
    answer(executor).1
}

#[test]
fn a_bundle_is_unpacked_as_its_owner_and_once() {
    let uid = if own_uid() == 0 { 1 } else { own_uid() };
    let mut executor = Executor::start();
    let files = [
        ("main.sh", "echo from the bundle", 0o644),
        ("lib/tool", "#!/bin/sh\n", 0o755),
    ];
    // What an interrupted try left.
    std::fs::create_dir_all(executor.dir.job(job()).join("2.partial/old")).unwrap();
    assert_eq!(prepare(&mut executor, &files, 2, uid), None);
    let target = executor.dir.version(job(), VersionNumber(2));
    let found = |name: &str| {
        let metadata = std::fs::metadata(target.join(name)).unwrap();
        (metadata.uid(), metadata.mode() & 0o7777)
    };
    assert_eq!([found(""), found("lib")], [(uid, 0o700), (uid, 0o755)]);
    assert_eq!(
        [found("main.sh"), found("lib/tool")],
        [(uid, 0o644), (uid, 0o755)]
    );
    assert!(!target.join("old").exists() && !executor.dir.job(job()).join("2.partial").exists());

    assert_eq!(prepare(&mut executor, &[], 2, uid), None);
    assert!(target.join("main.sh").exists());
    let mut launch = executor.shell("sh main.sh");
    (launch.version, launch.owner) = (VersionNumber(2), owner_of(uid));
    assert_eq!(executor.stdout_of(launch), "from the bundle\n");
}

#[test]
fn a_refused_bundle_leaves_nothing() {
    let mut executor = Executor::start();
    let failure = prepare(&mut executor, &[("setuid", "", 0o4755)], 3, own_uid()).unwrap();
    assert_eq!(failure.code, "bundle/mode");
    let left: Vec<_> = std::fs::read_dir(executor.dir.job(job()))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["1"]);
}

#[test]
fn many_are_unpacked_together_and_a_refused_one_fails_alone() {
    const COUNT: u64 = 40;
    const HOSTILE: u64 = 17;
    let mut executor = Executor::start();
    let owners = match own_uid() {
        0 => [0, 1, 2],
        own => [own; 3],
    };
    let mut orders = Vec::new();
    for number in 0..COUNT {
        let content = format!("{number}");
        let mode = if number == HOSTILE { 0o4755 } else { 0o644 };
        let uid = owners[usize::try_from(number).unwrap() % owners.len()];
        let order = order(&executor, &[("file", &content, mode)], 1, uid);
        let job = JobId::from_bits(0x1000 + number);
        orders.push(Request::Prepare(Prepare { job, ..order }));
    }
    // Asked for twice, as by a server that connected again.
    orders.insert(5, orders[3].clone());
    executor.send(orders);
    let mut answers: BTreeMap<JobId, Vec<Option<String>>> = BTreeMap::new();
    for _ in 0..=COUNT {
        let (job, failure) = answer(&mut executor);
        let code = failure.map(|failure| failure.code);
        answers.entry(job).or_default().push(code);
    }
    for number in 0..COUNT {
        let job = JobId::from_bits(0x1000 + number);
        let expected = match number {
            HOSTILE => vec![Some("bundle/mode".to_owned())],
            3 => vec![None, None],
            _ => vec![None],
        };
        assert_eq!(answers[&job], expected, "{number}");
        let left: Vec<_> = std::fs::read_dir(executor.dir.job(job))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        if number == HOSTILE {
            assert!(left.is_empty(), "{left:?}");
            continue;
        }
        assert_eq!(left, ["1"], "{number}");
        let file = executor.dir.version(job, VersionNumber::FIRST).join("file");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), number.to_string());
        let uid = owners[usize::try_from(number).unwrap() % owners.len()];
        assert_eq!(std::fs::metadata(&file).unwrap().uid(), uid);
    }
}

#[test]
fn an_unpacker_that_is_ended_fails_its_bundle_and_no_other() {
    let mut executor = Executor::start();
    // A bundle that is never all there: its unpacker waits for the rest.
    let endless = executor.dir.path().join("endless");
    rustix::fs::mknodat(CWD, &endless, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let whole = order(&executor, &[("file", "x", 0o644)], 3, own_uid());
    let stuck = Prepare {
        bundle: endless.clone(),
        version: VersionNumber(2),
        ..whole.clone()
    };
    executor.send([Request::Prepare(stuck), Request::Prepare(whole)]);
    // Opens once the executor has opened it.
    let mut writer = File::options().write(true).open(&endless).unwrap();
    writer.write_all(&[0x28, 0xb5, 0x2f, 0xfd]).unwrap();
    let until = now().plus(std::time::Duration::from_secs(50));
    let unpacker = loop {
        assert!(now() < until, "no unpacker is seen");
        if let Some(pid) = unpacker_of(executor.pid()) {
            break pid;
        }
        std::thread::yield_now();
    };
    rustix::process::kill_process(unpacker, Signal::KILL).unwrap();
    let failure = answer(&mut executor).1.unwrap();
    assert_eq!(failure.code, "bundle/system");
    assert!(failure.message.contains("was ended by"), "{failure:?}");
    assert_eq!(answer(&mut executor).1, None);
    assert!(!executor.dir.job(job()).join("2").exists());
    let file = executor.dir.version(job(), VersionNumber(3)).join("file");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "x");
}

/// A child of the executor that has become an unpacker.
fn unpacker_of(executor: u32) -> Option<Pid> {
    let tasks = std::fs::read_dir(format!("/proc/{executor}/task")).unwrap();
    let children = tasks.flat_map(|task| {
        let children = std::fs::read_to_string(task.unwrap().path().join("children"));
        let children = children.unwrap_or_default();
        let pids = children.split_whitespace().map(|pid| pid.parse().unwrap());
        pids.collect::<Vec<i32>>()
    });
    { children }
        .filter(|pid| {
            let line = std::fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline"));
            line.is_ok_and(|line| line.split(|byte| *byte == 0).any(|it| it == b"__unpack"))
        })
        .find_map(Pid::from_raw)
}
