//! What a bundle holds, and what never becomes one.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use odin_job_file::bundle::{
    BundleError, BundlePath, ENTRIES_MAX, Extra, Mode, PackedBundle, UNPACKED_BYTES_MAX,
    VerifiedBundle, WINDOW_LOG_MAX, collect, read_job_file, verify,
};
use odin_job_file::{Defaults, JobFile, read};
use tar::{EntryType, Header};
use tempfile::TempDir;

const JOB: &str = "job: {name: a, schedule: every hour, language: sh, file: a.sh}\n";

/// A directory with a job file, its code and a little more.
fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    fs::write(root.join("a.sh"), "echo a\n").unwrap();
    fs::create_dir_all(root.join("lib/deep/empty")).unwrap();
    fs::write(root.join("lib/tool"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(root.join("lib/tool"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(root.join("lib/deep/data"), vec![7; 2000]).unwrap();
    fs::write(root.join("lib-2"), "").unwrap();
    directory
}

/// Writes the job file with these `files`, and collects its bundle.
fn collected(root: &Path, files: &str) -> Result<odin_job_file::bundle::Bundle, BundleError> {
    let path = root.join("job.yml");
    fs::write(&path, JOB.replace("}", &format!(", files: [{files}]}}"))).unwrap();
    let file = read(&read_job_file(&path)?, &Defaults::default()).unwrap();
    collect(&path, &file, Vec::new())
}

fn packed(root: &Path, files: &str) -> PackedBundle {
    collected(root, files).unwrap().pack().unwrap()
}

fn job_yml() -> BundlePath {
    BundlePath::parse("job.yml").unwrap()
}

fn verified(bytes: &[u8]) -> Result<VerifiedBundle, BundleError> {
    verify(bytes, &job_yml())
}

#[test]
fn a_bundle_holds_what_its_job_file_names_and_nothing_else() {
    let directory = directory();
    fs::write(directory.path().join("secret"), "not named").unwrap();
    let packed = packed(directory.path(), "lib, lib-2, a.sh, lib/tool");
    let bundle = verified(&packed.bytes).unwrap();
    let names: Vec<&str> = bundle
        .entries
        .iter()
        .map(|entry| entry.path.as_str())
        .collect();
    let expected = [
        "a.sh",
        "job.yml",
        "lib",
        "lib-2",
        "lib/deep",
        "lib/deep/data",
        "lib/deep/empty",
        "lib/tool",
    ];
    assert_eq!(names, expected);
    assert_eq!(bundle.hash, packed.hash);
    assert_eq!(bundle.unpacked_bytes, packed.unpacked_bytes);
    assert_eq!(bundle.packed_bytes, packed.bytes.len() as u64);
    let file = read(&bundle.job_file, &Defaults::default()).unwrap();
    bundle.check_against(&file).unwrap();
}

#[test]
fn the_same_files_have_the_same_hash_whenever_they_are_packed() {
    let (one, two) = (directory(), directory());
    // Another order of creation, other times, other modes that mean the same.
    fs::remove_file(two.path().join("lib/tool")).unwrap();
    fs::write(two.path().join("lib/tool"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(
        two.path().join("lib/tool"),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    fs::set_permissions(two.path().join("a.sh"), fs::Permissions::from_mode(0o600)).unwrap();
    let past = std::time::UNIX_EPOCH;
    fs::File::open(two.path().join("a.sh"))
        .unwrap()
        .set_modified(past)
        .unwrap();
    let (first, second) = (
        packed(one.path(), "lib, lib-2"),
        packed(two.path(), "lib, lib-2"),
    );
    assert_eq!(first, second);

    fs::set_permissions(two.path().join("a.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_ne!(
        packed(two.path(), "lib, lib-2").hash,
        first.hash,
        "the x-bit is part of a file"
    );
}

#[test]
fn a_bundle_is_a_tar_that_any_tar_reads() {
    let directory = directory();
    let long = "n".repeat(120);
    fs::write(directory.path().join(&long), "long").unwrap();
    let packed = packed(directory.path(), &format!("lib, {long}"));
    let tar = zstd::decode_all(&packed.bytes[..]).unwrap();
    let mut archive = tar::Archive::new(&tar[..]);
    let seen: Vec<(String, u32, u64, u64)> = archive
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            let name = entry.path().unwrap().to_str().unwrap().to_owned();
            (
                name,
                header.mode().unwrap(),
                header.size().unwrap(),
                header.mtime().unwrap(),
            )
        })
        .collect();
    let job_bytes = fs::metadata(directory.path().join("job.yml"))
        .unwrap()
        .len();
    let expected: Vec<(String, u32, u64, u64)> = [
        ("a.sh", 0o644, 7),
        ("job.yml", 0o644, job_bytes),
        ("lib/", 0o755, 0),
        ("lib/deep/", 0o755, 0),
        ("lib/deep/data", 0o644, 2000),
        ("lib/deep/empty/", 0o755, 0),
        ("lib/tool", 0o755, 10),
        (&long, 0o644, 4),
    ]
    .map(|(name, mode, bytes)| (name.to_owned(), mode, bytes, 0))
    .to_vec();
    assert_eq!(seen, expected);
    assert_eq!(
        verified(&packed.bytes).unwrap().entries.len(),
        expected.len()
    );
}

#[test]
fn links_inside_become_what_they_lead_to() {
    let directory = directory();
    let root = directory.path();
    symlink("lib/tool", root.join("link")).unwrap();
    symlink("deep", root.join("lib/again")).unwrap();
    let bundle = collected(root, "link, lib/again").unwrap();
    let names: Vec<&str> = bundle.paths().map(BundlePath::as_str).collect();
    assert_eq!(
        names,
        [
            "a.sh",
            "job.yml",
            "lib",
            "lib/again",
            "lib/again/data",
            "lib/again/empty",
            "link"
        ]
    );
}

#[test]
fn what_is_no_file_below_the_job_file_is_refused() {
    let directory = directory();
    let root = directory.path();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "x").unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root.join("fifo"),
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    let _listener = UnixListener::bind(root.join("socket")).unwrap();
    symlink(outside.path().join("secret"), root.join("absolute")).unwrap();
    symlink("../../etc/passwd", root.join("upwards")).unwrap();
    symlink(outside.path(), root.join("elsewhere")).unwrap();
    symlink("/dev/null", root.join("device")).unwrap();
    symlink("nothing", root.join("dangling")).unwrap();
    symlink("self", root.join("self")).unwrap();
    fs::create_dir(root.join("round")).unwrap();
    symlink("../round", root.join("round/trip")).unwrap();
    fs::create_dir(root.join("named")).unwrap();
    fs::write(root.join("named/a\nb"), "").unwrap();
    fs::create_dir(root.join("bytes")).unwrap();
    let not_text = std::ffi::OsStr::from_bytes(b"bytes/\xff");
    fs::write(root.join(not_text), "").unwrap();
    fs::File::create(root.join("huge"))
        .unwrap()
        .set_len(2 << 30)
        .unwrap();
    for (files, code) in [
        ("fifo", "bundle/not-a-file"),
        ("socket", "bundle/not-a-file"),
        ("absolute", "bundle/leaves-directory"),
        ("upwards", "bundle/leaves-directory"),
        ("elsewhere", "bundle/leaves-directory"),
        ("elsewhere/secret", "bundle/leaves-directory"),
        ("device", "bundle/leaves-directory"),
        ("dangling", "bundle/missing-file"),
        ("nothing", "bundle/missing-file"),
        ("a.sh/x", "bundle/missing-file"),
        ("self", "bundle/link-loop"),
        ("round", "bundle/link-loop"),
        ("named", "bundle/bad-name"),
        ("bytes", "bundle/bad-name"),
        ("huge", "bundle/too-large"),
    ] {
        let error = collected(root, files).expect_err(files);
        assert_eq!(error.code(), code, "{files}: {error}");
        assert!(!error.help().is_empty());
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[test]
fn code_that_is_missing_or_a_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(
        collected(directory.path(), "").unwrap_err().code(),
        "bundle/missing-file"
    );
    fs::create_dir(directory.path().join("a.sh")).unwrap();
    assert_eq!(
        collected(directory.path(), "").unwrap_err().code(),
        "bundle/not-a-file"
    );
}

#[test]
fn a_job_file_that_is_none_is_not_read() {
    let directory = directory();
    let root = directory.path();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root.join("fifo"),
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    fs::write(root.join("latin"), b"job: \xe9").unwrap();
    fs::File::create(root.join("huge"))
        .unwrap()
        .set_len(2 << 30)
        .unwrap();
    for (name, code) in [
        ("fifo", "bundle/not-a-file"),
        ("lib", "bundle/not-a-file"),
        ("missing", "bundle/missing-file"),
        ("latin", "bundle/not-text"),
        ("huge", "bundle/too-large"),
    ] {
        assert_eq!(
            read_job_file(&root.join(name)).unwrap_err().code(),
            code,
            "{name}"
        );
    }
    // It says that it is empty, and is not: a file of the kernel.
    assert_eq!(
        read_job_file(Path::new("/proc/self/status"))
            .unwrap_err()
            .code(),
        "bundle/changed"
    );
}

#[test]
fn too_many_files_are_refused() {
    let directory = directory();
    let root = directory.path();
    fs::create_dir(root.join("many")).unwrap();
    for n in 0..ENTRIES_MAX {
        fs::write(root.join(format!("many/{n}")), "").unwrap();
    }
    assert_eq!(
        collected(root, "many").unwrap_err().code(),
        "bundle/too-many-files"
    );
}

#[test]
fn a_compiled_program_joins_the_bundle_and_is_looked_for() {
    let directory = directory();
    let path = directory.path().join("job.yml");
    let text = "job: {name: a, schedule: every hour, language: go, file: cmd/main.go}";
    fs::create_dir(directory.path().join("cmd")).unwrap();
    fs::write(directory.path().join("cmd/main.go"), "package main\n").unwrap();
    let file = read(text, &Defaults::default()).unwrap();
    let bundle =
        |extra| verified(&collect(&path, &file, extra).unwrap().pack().unwrap().bytes).unwrap();
    let program = Extra {
        path: BundlePath::parse("cmd/main").unwrap(),
        mode: Mode::Executable,
        content: b"\x7fELF".to_vec(),
    };
    bundle(vec![program.clone()]).check_against(&file).unwrap();
    assert_eq!(
        bundle(Vec::new()).check_against(&file).unwrap_err().code(),
        "bundle/incomplete"
    );
    let twice = collect(&path, &file, vec![program.clone(), program]).unwrap_err();
    assert_eq!(twice.code(), "bundle/duplicate");
}

#[test]
fn a_bundle_that_lacks_what_its_job_file_names_is_refused() {
    let directory = directory();
    let bundle = verified(&packed(directory.path(), "lib").bytes).unwrap();
    let file = |job: &str| -> JobFile {
        read(
            &format!("job: {{name: a, schedule: every hour, {job}}}"),
            &Defaults::default(),
        )
        .unwrap()
    };
    for (job, code) in [
        ("language: sh, file: b.sh", "bundle/incomplete"),
        ("language: sh, file: lib", "bundle/not-a-file"),
        ("command: ls, files: [other]", "bundle/incomplete"),
    ] {
        assert_eq!(
            bundle.check_against(&file(job)).unwrap_err().code(),
            code,
            "{job}"
        );
    }
    bundle
        .check_against(&file("command: ls, files: [lib, lib/tool]"))
        .unwrap();
    for name in ["other.yml", "lib/tool"] {
        let error = verify(
            &packed(directory.path(), "lib").bytes[..],
            &BundlePath::parse(name).unwrap(),
        );
        assert_eq!(error.unwrap_err().code(), "bundle/no-job-file", "{name}");
    }
}

/// Tars that nobody but an attacker would write.
struct Hostile(Vec<u8>);

impl Hostile {
    fn new() -> Self {
        Self(Vec::new())
    }

    /// The form that is accepted; `change` makes it another one.
    fn entry(self, name: &str, content: &[u8], change: impl FnOnce(&mut Header)) -> Self {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(content.len() as u64);
        change(&mut header);
        header.set_cksum();
        self.raw(header.as_bytes())
            .raw(content)
            .raw(&vec![0; (512 - content.len() % 512) % 512])
    }

    fn file(self, name: &str) -> Self {
        self.entry(name, b"x", |_| {})
    }

    fn job(self) -> Self {
        self.entry("job.yml", JOB.as_bytes(), |_| {})
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// With something in the last byte so far.
    fn spoilt(mut self) -> Self {
        *self.0.last_mut().unwrap() = 1;
        self
    }

    fn end(self) -> Vec<u8> {
        zstd::encode_all(&self.raw(&[0; 1024]).0[..], 3).unwrap()
    }
}

#[test]
fn an_archive_that_the_packer_would_not_have_written_is_refused() {
    let new = Hostile::new;
    let kind = |kind: EntryType| move |header: &mut Header| header.set_entry_type(kind);
    let link = |header: &mut Header| {
        header.set_entry_type(EntryType::Symlink);
        header.set_link_name_literal("/etc/passwd").unwrap();
    };
    let directory = |header: &mut Header| {
        header.set_entry_type(EntryType::Directory);
        header.set_mode(0o755);
    };
    assert!(
        verified(&new().file("a").job().end()).is_ok(),
        "the helper writes the accepted form"
    );
    let long_name = [b'n'; 3000];
    for (what, packed, code) in [
        (
            "a symbolic link",
            new().entry("a", b"", link).job().end(),
            "bundle/not-a-file",
        ),
        (
            "a hard link",
            new().entry("a", b"", kind(EntryType::Link)).job().end(),
            "bundle/not-a-file",
        ),
        (
            "a device",
            new().entry("a", b"", kind(EntryType::Char)).job().end(),
            "bundle/not-a-file",
        ),
        (
            "a block device",
            new().entry("a", b"", kind(EntryType::Block)).job().end(),
            "bundle/not-a-file",
        ),
        (
            "a FIFO",
            new().entry("a", b"", kind(EntryType::Fifo)).job().end(),
            "bundle/not-a-file",
        ),
        (
            "a pax header",
            new().entry("a", b"x", kind(EntryType::XHeader)).job().end(),
            "bundle/not-a-file",
        ),
        (
            "a sparse file",
            new()
                .entry("a", b"", kind(EntryType::GNUSparse))
                .job()
                .end(),
            "bundle/not-a-file",
        ),
        ("upwards", new().file("../a").job().end(), "bundle/bad-name"),
        (
            "upwards inside",
            new().file("a/../../b").job().end(),
            "bundle/bad-name",
        ),
        ("absolute", new().file("/a").job().end(), "bundle/bad-name"),
        ("a dot", new().file("./a").job().end(), "bundle/bad-name"),
        ("no name", new().file("").job().end(), "bundle/bad-name"),
        (
            "a control character",
            new().file("a\u{1b}[31m").job().end(),
            "bundle/bad-name",
        ),
        (
            "a file with a slash",
            new().file("a/").job().end(),
            "bundle/bad-name",
        ),
        (
            "one name twice",
            new().file("a").file("a").job().end(),
            "bundle/duplicate",
        ),
        (
            "unsorted",
            new().job().file("a").end(),
            "bundle/not-canonical",
        ),
        (
            "no directory before",
            new().file("a/b").job().end(),
            "bundle/not-canonical",
        ),
        (
            "a file as a directory",
            new().file("a").file("a/b").job().end(),
            "bundle/not-canonical",
        ),
        (
            "a directory with content",
            new().entry("a/", b"x", directory).job().end(),
            "bundle/not-canonical",
        ),
        (
            "a directory without slash",
            new().entry("a", b"", directory).job().end(),
            "bundle/not-canonical",
        ),
        (
            "setuid",
            new().entry("a", b"", |it| it.set_mode(0o4755)).job().end(),
            "bundle/not-canonical",
        ),
        (
            "writable",
            new().entry("a", b"", |it| it.set_mode(0o666)).job().end(),
            "bundle/not-canonical",
        ),
        (
            "an owner",
            new().entry("a", b"", |it| it.set_uid(1)).job().end(),
            "bundle/not-canonical",
        ),
        (
            "a group",
            new().entry("a", b"", |it| it.set_gid(1)).job().end(),
            "bundle/not-canonical",
        ),
        (
            "a time",
            new().entry("a", b"", |it| it.set_mtime(1)).job().end(),
            "bundle/not-canonical",
        ),
        (
            "a link name",
            new()
                .entry("a", b"", |it| it.set_link_name_literal("b").unwrap())
                .job()
                .end(),
            "bundle/not-canonical",
        ),
        (
            "behind the name",
            new()
                .entry("a", b"", |it| it.as_old_mut().name[2] = b'x')
                .job()
                .end(),
            "bundle/not-canonical",
        ),
        (
            "something in the padding",
            new().file("a").spoilt().job().end(),
            "bundle/not-canonical",
        ),
        (
            "nothing",
            zstd::encode_all(&b""[..], 3).unwrap(),
            "bundle/damaged",
        ),
        (
            "no zstd",
            b"PK\x03\x04 this is a zip".to_vec(),
            "bundle/damaged",
        ),
        ("an empty body", Vec::new(), "bundle/damaged"),
        ("no job file", new().file("a").end(), "bundle/no-job-file"),
        (
            "a job file that is a directory",
            new().entry("job.yml/", b"", directory).end(),
            "bundle/no-job-file",
        ),
        (
            "a job file in bytes",
            new().entry("job.yml", b"\xff", |_| {}).end(),
            "bundle/not-text",
        ),
        (
            "a huge job file",
            new().entry("job.yml", &[b'x'; 257 * 1024], |_| {}).end(),
            "bundle/too-large",
        ),
        (
            "a size that is a lie",
            new().entry("a", b"", |it| it.set_size(1 << 40)).job().end(),
            "bundle/too-large",
        ),
        (
            "a long name beyond bounds",
            new()
                .entry("././@LongLink", &long_name, kind(EntryType::GNULongName))
                .job()
                .end(),
            "bundle/damaged",
        ),
        (
            "a long name for a short one",
            new()
                .entry("././@LongLink", b"a\0", kind(EntryType::GNULongName))
                .file("a")
                .job()
                .end(),
            "bundle/not-canonical",
        ),
    ] {
        let error = verified(&packed).expect_err(what);
        assert_eq!(error.code(), code, "{what}: {error}");
        assert!(!error.to_string().contains('\u{1b}'), "{what}");
    }
}

#[test]
fn what_follows_the_end_is_refused() {
    let good = Hostile::new().job().end();
    for (what, more) in [
        ("a byte", vec![0]),
        ("a frame", good.clone()),
        ("an empty frame", Hostile::new().end()),
    ] {
        let packed = [good.clone(), more].concat();
        assert_eq!(
            verified(&packed).unwrap_err().code(),
            "bundle/damaged",
            "{what}"
        );
    }
    let longer = Hostile::new().job().raw(&[0; 512]).end();
    assert_eq!(verified(&longer).unwrap_err().code(), "bundle/damaged");
}

#[test]
fn a_bundle_that_is_cut_off_is_refused_wherever() {
    let directory = directory();
    let packed = packed(directory.path(), "lib").bytes;
    for length in 0..packed.len() {
        assert_eq!(
            verified(&packed[..length]).unwrap_err().code(),
            "bundle/damaged",
            "{length}"
        );
    }
}

#[test]
fn a_bomb_is_refused_at_its_header() {
    let bytes = UNPACKED_BYTES_MAX + 1;
    let header = Hostile::new()
        .entry("a", b"", |header| header.set_size(bytes))
        .0;
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.write_all(&header).unwrap();
    // Zeros pack to almost nothing; the reader stops before it comes to them.
    std::io::copy(&mut std::io::repeat(0).take(8 << 20), &mut encoder).unwrap();
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 10_000);
    assert_eq!(verified(&bomb).unwrap_err().code(), "bundle/too-large");

    let many = (0..=ENTRIES_MAX).fold(Hostile::new(), |tar, n| {
        tar.entry(&format!("a{n:05}"), b"", |_| {})
    });
    assert_eq!(
        verified(&many.end()).unwrap_err().code(),
        "bundle/too-many-files"
    );

    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(WINDOW_LOG_MAX + 1).unwrap();
    encoder.long_distance_matching(true).unwrap();
    std::io::copy(&mut std::io::repeat(0).take(32 << 20), &mut encoder).unwrap();
    let wide = encoder.finish().unwrap();
    assert_eq!(
        verified(&wide).unwrap_err().code(),
        "bundle/damaged",
        "a window over the bound"
    );
}

/// Bytes that do not pack: noise that repeats beyond the window in which zstd looks back.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        // A linear congruential generator: any will do in which zstd finds nothing.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    })
    .take(8 << 20)
    .collect();
    noise.iter().copied().cycle().take(bytes).collect()
}

#[test]
fn a_bundle_over_the_packed_limit_is_refused_on_both_sides() {
    let directory = directory();
    let noise = noise(65 << 20);
    fs::write(directory.path().join("noise"), &noise).unwrap();
    let bundle = collected(directory.path(), "noise").unwrap();
    assert_eq!(bundle.pack().unwrap_err().code(), "bundle/too-large-packed");

    let packed = Hostile::new().entry("a", &noise, |_| {}).end();
    assert_eq!(
        verified(&packed).unwrap_err().code(),
        "bundle/too-large-packed"
    );
}

#[test]
fn what_cannot_be_in_the_bundle_is_found_in_the_job_files_text() {
    let directory = directory();
    std::fs::create_dir(directory.path().join("library")).unwrap();
    let fifo = directory.path().join("library/fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, fifo, rustix::fs::Mode::RUSR).unwrap();
    let path = directory.path().join("job.yml");
    for (job, code, named) in [
        ("file: ./gone.sh", "bundle/missing-file", "./gone.sh"),
        ("file: library", "bundle/not-a-file", "library"),
        // Not `lib`, with whose name it begins.
        (
            "file: lib/tool, files: [lib, library/]",
            "bundle/not-a-file",
            "library/",
        ),
        (
            "file: lib/tool, files: ['gone']",
            "bundle/missing-file",
            "'gone'",
        ),
    ] {
        let text = format!("job: {{name: a, schedule: never, language: sh, {job}}}\n");
        std::fs::write(&path, &text).unwrap();
        let file = read(&text, &Defaults::default()).unwrap();
        let error = collect(&path, &file, Vec::new()).unwrap_err();
        let place = file.place_of(&error).map(|place| &text[place]);
        assert_eq!((error.code(), place), (code, Some(named)), "{job}: {error}");
    }
}
