//! The text of one cron field for a set of values.

/// `*` or `*/n`, where the set is one that cron writes so. Bit n stands for the value n;
/// `first` to `last` are the values that the field has.
pub(super) fn star(set: u64, first: u32, last: u32) -> Option<String> {
    if set == all(first, last) {
        return Some("*".to_owned());
    }
    let values = values(set, first, last);
    let [lowest, second, ..] = values[..] else {
        return None;
    };
    let step = second - lowest;
    let stepped = (first..=last).step_by(step as usize);
    stepped
        .eq(values.iter().copied())
        .then(|| format!("*/{step}"))
}

/// The set as values, ranges and steps, never beginning with `*`.
pub(super) fn listed(set: u64, first: u32, last: u32) -> String {
    let values = values(set, first, last);
    if let [lowest, second, .., highest] = values[..]
        && values.len() >= 4
        && second - lowest > 1
        && (lowest..=highest)
            .step_by((second - lowest) as usize)
            .eq(values.iter().copied())
    {
        return format!("{lowest}-{highest}/{}", second - lowest);
    }
    let mut items: Vec<String> = Vec::new();
    let mut rest = &values[..];
    while let Some(&from) = rest.first() {
        let length = (from..).zip(rest).take_while(|(a, b)| a == *b).count();
        let to = rest[length - 1];
        match length {
            1 => items.push(from.to_string()),
            2 => items.extend([from.to_string(), to.to_string()]),
            _ => items.push(format!("{from}-{to}")),
        }
        rest = &rest[length..];
    }
    items.join(",")
}

fn all(first: u32, last: u32) -> u64 {
    (u64::MAX >> (63 - last)) & (u64::MAX << first)
}

fn values(set: u64, first: u32, last: u32) -> Vec<u32> {
    (first..=last)
        .filter(|&value| set & (1 << value) != 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_written_as_people_write_it() {
        let set = |values: &[u32]| values.iter().fold(0, |set, value| set | 1_u64 << value);
        let cases: &[(&[u32], Option<&str>, &str)] = &[
            (&[0, 15, 30, 45], Some("*/15"), "0-45/15"),
            (&[0, 30], Some("*/30"), "0,30"),
            (&[0, 29, 58], Some("*/29"), "0,29,58"),
            (&[0, 29], None, "0,29"),
            (&[5], None, "5"),
            (&[0], None, "0"),
            (&[1, 2, 3, 7, 8], None, "1-3,7,8"),
            (&[9, 12, 15, 18], None, "9-18/3"),
        ];
        for (values, starred, plain) in cases {
            assert_eq!(star(set(values), 0, 59).as_deref(), *starred, "{values:?}");
            assert_eq!(listed(set(values), 0, 59), *plain);
        }
        assert_eq!(star(u64::MAX >> 4, 0, 59).as_deref(), Some("*"));
        assert_eq!(star(0b10_1010, 1, 5).as_deref(), Some("*/2"));
        assert_eq!(listed(u64::MAX >> 4, 0, 59), "0-59");
    }
}
