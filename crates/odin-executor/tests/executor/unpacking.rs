//! A bundle becomes the owner's directory, whole or not at all.

use std::os::unix::fs::MetadataExt;

use odin_executor::protocol::{Prepare, PrepareFailure, Report, Request};
use odin_model::{BundleHash, VersionNumber};

use crate::executor::{Executor, job, own_uid, owner_of};

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

fn prepare(
    executor: &mut Executor,
    files: &[(&str, &str, u32)],
    version: u32,
    uid: u32,
) -> Option<PrepareFailure> {
    let (packed, hash) = bundle(files);
    let path = executor.dir.path().join("bundle");
    std::fs::write(&path, packed).unwrap();
    rustix::fs::chmod(&path, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let version = VersionNumber(version);
    let prepare = Prepare {
        job: job(),
        version,
        bundle: path,
        hash,
        owner: owner_of(uid),
    };
    executor.send([Request::Prepare(prepare)]);
    executor.until(|report| match report {
        Report::Prepared { failure, .. } => Some(failure.clone()),
        _ => None,
    })
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
