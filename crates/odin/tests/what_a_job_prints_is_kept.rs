//! Output of every shape comes back from `odin log` as it was printed, or with a mark where it was not kept.
#![allow(clippy::unwrap_used)]

mod faults;

use faults::Place;

/// What a job with these settings printed.
#[track_caller]
fn printed(settings: &str, code: &str) -> (Place, serde_json::Value, Vec<u8>) {
    let place = Place::new();
    place.deploy("prints", "never", settings, code);
    let run = place.run("prints");
    let ended = place.ended("prints", &run);
    assert_eq!(ended["outcome"], "succeeded", "{ended}");
    let output = place.output(&run);
    (place, ended, output)
}

#[test]
fn a_million_lines_all_come_back_from_any_place() {
    let (place, ended, output) = printed("", "seq 1000000\n");
    let expected: String = (1..=1_000_000).map(|line| format!("{line}\n")).collect();
    assert_eq!(ended["stdout_bytes"], expected.len());
    assert_eq!(ended["dropped_bytes"], 0);
    assert!(output == expected.as_bytes(), "{} bytes", output.len());
    let run = ended["id"].as_str().unwrap();
    let middle = expected.len() / 2;
    for (flag, bytes, expected) in [
        ("--tail", 15, "999999\n1000000\n"),
        ("--tail", expected.len() * 2, &expected),
        ("--from", expected.len() - 8, "1000000\n"),
        ("--from", middle, &expected[middle..]),
        ("--from", expected.len(), ""),
    ] {
        let shown = place
            .server
            .odin(["log", "-i", run, flag, &bytes.to_string()]);
        assert!(shown.status.success(), "{shown:?}");
        let line_end = shown.stdout.iter().position(|&byte| byte == b'\n').unwrap();
        let printed = &shown.stdout[line_end + 1..];
        assert!(printed == expected.as_bytes(), "{flag} {bytes}");
    }
}

#[test]
fn bytes_that_are_no_text_come_back_as_they_are() {
    let (_place, _, output) = printed("", "printf '\\0\\377\\200a\\033\\r\\n\\303'\n");
    assert!(output.starts_with(b"\0\xff\x80a\x1b\r\n\xc3"), "{output:?}");
}

#[test]
fn a_last_line_without_its_end_is_kept() {
    let (_place, ended, output) = printed("", "printf 'no end'\n");
    assert_eq!(ended["stdout_bytes"], 6);
    assert!(output.starts_with(b"no end"), "{output:?}");
}

/// Lines of 127 bytes, and the end of each: 12 MiB without the ends.
const TWELVE_MIB: &str = "head -c 12582912 /dev/zero | tr '\\0' x | fold -w 127; echo\n";

#[test]
fn output_over_the_cap_ends_with_a_mark() {
    #[track_caller]
    fn check(settings: &str, kept: usize) {
        const PRINTED: usize = 12 << 20;
        let (_place, ended, output) = printed(settings, TWELVE_MIB);
        let dropped = ended["dropped_bytes"].as_u64().unwrap();
        let all = ended["stdout_bytes"].as_u64().unwrap();
        assert_eq!(all, (PRINTED + PRINTED.div_ceil(127)) as u64);
        assert!(dropped >= all - kept as u64, "{ended}");
        assert!(output.len() <= kept + 4096, "{}", output.len());
        let last = String::from_utf8_lossy(&output[output.len() - 300..]).into_owned();
        assert!(last.contains("is not kept]"), "no mark: {last}");
    }
    check("", 10 << 20);
    check("  keep: {run_output: 64KiB}\n", 64 << 10);
}

#[test]
fn a_job_that_may_keep_more_keeps_all_of_it() {
    let (place, ended, output) = printed("  keep: {run_output: 13MiB}\n", TWELVE_MIB);
    assert_eq!(ended["dropped_bytes"], 0);
    assert_eq!(ended["stdout_bytes"], output.len());
    let described = place.server.odin(["describe", "-i", "prints"]);
    let described = String::from_utf8_lossy(&described.stdout).into_owned();
    assert!(
        described.contains("13MiB of output and 10MiB of values a run"),
        "{described}"
    );
}
