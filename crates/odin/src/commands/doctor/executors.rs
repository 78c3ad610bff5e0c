//! The executors that live on a data directory, without speaking to them: a connection would take the server's place.

use std::path::Path;

/// How many processes of the user are executors on the data directory. `None`: processes cannot be listed.
pub(super) fn count(data_dir: &Path, uid: u32) -> Option<usize> {
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let of_ours = processes.filter(|process| {
        let is_pid = process.file_name().to_str().is_some_and(is_number);
        let line = || std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        // The owner of the directory in /proc is root for a process whose memory is not dumped.
        let status = || std::fs::read_to_string(process.path().join("status")).unwrap_or_default();
        is_pid && is_executor(&line(), data_dir) && uid_of(&status()) == Some(uid)
    });
    Some(of_ours.count())
}

fn is_number(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_executor(command_line: &[u8], data_dir: &Path) -> bool {
    let mut words = command_line.split(|&byte| byte == 0).skip(1);
    let dir = data_dir.as_os_str().as_encoded_bytes();
    words.next() == Some(b"__executor") && words.any(|word| word == dir)
}

/// The effective one.
fn uid_of(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executor_is_told_by_its_command_line_and_user() {
        let check = |line: &[u8], expected: bool| {
            assert_eq!(is_executor(line, Path::new("/d")), expected, "{line:?}");
        };
        check(b"/usr/bin/odin\0__executor\0--data-dir\0/d\0", true);
        check(
            b"odin\0__executor\0--data-dir\0/d\0--generation\x002\0",
            true,
        );
        check(b"odin\0__executor\0--data-dir\0/dd\0", false);
        check(b"grep\0x\0__executor\0/d\0", false);
        check(b"", false);
        assert_eq!(uid_of("Name:\todin\nUid:\t1\t2\t3\t4\n"), Some(2));
        assert_eq!(uid_of("Name:\todin\n"), None);
    }
}
