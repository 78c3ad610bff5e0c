//! Sizes as a job file writes them: `512MiB`, `2GB`.

/// The units with their bytes: powers of 1000, and of 1024 with an `i`.
const UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Reads a whole number of bytes with its unit. `None`: it is none, or more than 64 bits hold.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = &text[..text.len() - unit.len()];
    let (_, bytes) = UNITS.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_whole_number_with_a_unit() {
        for (text, expected) in [
            ("512MiB", Some(512 << 20)),
            ("512 MiB", Some(512 << 20)),
            ("2GB", Some(2_000_000_000)),
            ("0B", Some(0)),
            ("512", None),
            ("512M", None),
            ("512mib", None),
            ("1.5GiB", None),
            ("-1GiB", None),
            ("MiB", None),
            ("", None),
            ("99999999TiB", None),
        ] {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }
}
