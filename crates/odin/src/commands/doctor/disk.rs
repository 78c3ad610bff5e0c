//! Whether the data directory's file system keeps what it is given, how fast, and for how many files it has room.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use odin_model::Clock;
use odin_node::clock::SystemClock;
use rustix::fs::{OFlags, fdatasync, statfs, statvfs};

use super::check::Check;

/// How often a file is written and synced; the middle one counts.
const SYNCS: usize = 5;
/// Syncs that take longer make launches late: each decision waits for one.
const SYNC_SLOW: Duration = Duration::from_millis(50);
/// Fewer free files than this are soon used up by what jobs print.
const FILES_FEW: u64 = 10_000;

/// Numbers of file systems that end with the machine, or are somebody else's: statfs(2).
const KINDS: [(u64, &str, Kind); 8] = [
    (0x0102_1994, "tmpfs", Kind::Memory),
    (0x8584_58f6, "ramfs", Kind::Memory),
    (0x6969, "nfs", Kind::Remote),
    (0xff53_4d42, "cifs", Kind::Remote),
    (0xfe53_4d42, "smb2", Kind::Remote),
    (0x6573_5546, "fuse", Kind::Remote),
    (0x0102_1997, "9p", Kind::Remote),
    (0x794c_7630, "overlayfs", Kind::Layer),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Memory,
    Remote,
    /// Of a container: gone with it.
    Layer,
}

/// What was found out about a data directory's disk.
#[derive(Debug)]
struct Disk {
    directory: PathBuf,
    kind: Option<(&'static str, Kind)>,
    /// How long a sync takes. `None`: nothing may be written there.
    sync: Option<Duration>,
    /// Free files and all. `None`: the file system has no such limit.
    files: Option<(u64, u64)>,
    /// Old data that restores moved aside.
    replaced: Vec<String>,
}

/// Looks at the file system of a data directory that exists.
pub(super) fn look(data_dir: &Path) -> Vec<Check> {
    let number = statfs(data_dir).map(|found| found.f_type.cast_unsigned() & 0xffff_ffff);
    let known = |number| KINDS.into_iter().find(|(known, ..)| *known == number);
    let kind = number
        .ok()
        .and_then(known)
        .map(|(_, name, kind)| (name, kind));
    let files = statvfs(data_dir).ok().filter(|it| it.f_files > 0);
    let names = std::fs::read_dir(data_dir).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    checks(&Disk {
        directory: data_dir.to_owned(),
        kind,
        sync: sync_time(data_dir),
        files: files.map(|it| (it.f_favail, it.f_files)),
        replaced: names.filter(|name| name.starts_with("replaced-")).collect(),
    })
}

/// With a file that has no name, so that nothing is left behind.
fn sync_time(directory: &Path) -> Option<Duration> {
    let unnamed = i32::try_from(OFlags::TMPFILE.bits()).ok()?;
    let mut file = File::options()
        .write(true)
        .custom_flags(unnamed)
        .mode(0o600)
        .open(directory)
        .ok()?;
    let mut times = Vec::new();
    for _ in 0..SYNCS {
        file.write_all(&[0x5a; 4096]).ok()?;
        let began = SystemClock.boottime();
        fdatasync(&file).ok()?;
        times.push(SystemClock.boottime().0.saturating_sub(began.0));
    }
    times.sort();
    times.get(SYNCS / 2).copied()
}

fn checks(disk: &Disk) -> Vec<Check> {
    let directory = disk.directory.display();
    let mut checks = Vec::new();
    let sync = disk.sync.map(|sync| {
        let micros = sync.as_micros();
        format!("a sync takes {}.{} ms", micros / 1000, micros % 1000 / 100)
    });
    let place = match (&disk.kind, &sync) {
        (Some((name, _)), Some(sync)) => format!("{directory} on {name}; {sync}"),
        (Some((name, _)), None) => format!("{directory} on {name}"),
        (None, Some(sync)) => format!("{directory}; {sync}"),
        (None, None) => format!("{directory}; you may not write there, so a sync was not measured"),
    };
    let slow = disk.sync.is_some_and(|sync| sync > SYNC_SLOW);
    checks.push(match disk.kind {
        Some((_, Kind::Memory)) => Check::warning(
            "disk",
            format!("{place}: what it holds is gone when the machine ends"),
            "Put the data on a disk: `odin server --data-dir DIR`.",
        ),
        Some((_, Kind::Remote)) => Check::warning(
            "disk",
            format!("{place}: a file system of another machine or program may lose what it has acknowledged"),
            "Put the data on a local disk: `odin server --data-dir DIR`.",
        ),
        Some((_, Kind::Layer)) => Check::warning(
            "disk",
            format!("{place}: what it holds is gone with the container"),
            "Mount a volume there: `docker run -v odin:/var/lib/odin`.",
        ),
        None if slow => Check::warning(
            "disk",
            format!("{place}: every decision waits for one"),
            "Put the data on a faster disk: `odin server --data-dir DIR`.",
        ),
        None => Check::ok("disk", place),
    });
    if let Some((free, all)) = disk.files {
        let detail = format!("room for {free} more of {all}");
        let help = format!(
            "Remove files there: `du --inodes -xd2 {directory} | sort -n | tail` shows where they are."
        );
        checks.push(match free {
            0 => Check::problem("files", detail, help),
            1..FILES_FEW => Check::warning("files", detail, help),
            _ => Check::ok("files", detail),
        });
    }
    if let Some(first) = disk.replaced.first() {
        checks.push(Check::warning(
            "replaced data",
            format!(
                "{} in {directory}, which `odin restore --force` moved aside",
                disk.replaced.join(", ")
            ),
            format!(
                "Once you do not need it: `rm -r {}`.",
                disk.directory.join(first).display()
            ),
        ));
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::super::check::drawn;
    use super::*;
    use expect_test::{Expect, expect};

    fn check(kind: Option<(&'static str, Kind)>, sync: Option<u64>, free: u64, expected: &Expect) {
        let disk = Disk {
            directory: "/d".into(),
            kind,
            sync: sync.map(Duration::from_micros),
            files: Some((free, 1_000_000)),
            replaced: Vec::new(),
        };
        expected.assert_eq(&drawn(&checks(&disk)));
    }

    #[test]
    fn a_disk_that_keeps_things_quickly_is_well() {
        check(
            None,
            Some(1_250),
            500_000,
            &expect![[r#"
            ok       disk   /d; a sync takes 1.2 ms
            ok       files  room for 500000 more of 1000000
            no problems, no warnings
        "#]],
        );
    }

    #[test]
    fn what_loses_data_or_makes_launches_late_is_told() {
        let told = |kind, sync, free| {
            let disk = Disk {
                directory: "/d".into(),
                kind,
                sync: Some(Duration::from_micros(sync)),
                files: Some((free, 1_000_000)),
                replaced: vec!["replaced-2026".to_owned()],
            };
            let checks = checks(&disk);
            checks
                .iter()
                .map(|check| (check.name.clone(), check.state))
                .collect::<Vec<_>>()
        };
        use super::super::check::State::{Problem, Warning};
        let named = |states: [_; 3]| {
            let names = ["disk", "files", "replaced data"];
            names
                .map(str::to_owned)
                .into_iter()
                .zip(states)
                .collect::<Vec<_>>()
        };
        let memory = told(Some(("tmpfs", Kind::Memory)), 3, 0);
        assert_eq!(memory, named([Warning, Problem, Warning]));
        let remote = told(Some(("nfs", Kind::Remote)), 900, 9_999);
        assert_eq!(remote, named([Warning; 3]));
        assert_eq!(told(None, 51_000, 1), named([Warning; 3]));
    }

    #[test]
    fn this_machines_disk_can_be_looked_at() {
        let directory = tempfile::tempdir().unwrap();
        let names: Vec<_> = look(directory.path())
            .into_iter()
            .map(|check| check.name)
            .collect();
        assert_eq!(names[0], "disk");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
