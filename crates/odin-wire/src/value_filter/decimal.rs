//! The order of numbers as they are written: exact, however many digits they have and however large their exponents are.

use std::cmp::Ordering;

/// How two numbers stand to each other. `None`: one is NaN, or no number.
pub(super) fn order(one: &str, other: &str) -> Option<Ordering> {
    let (one, other) = (Decimal::of(one)?, Decimal::of(other)?);
    Some(match (one.sign(), other.sign()) {
        (Ordering::Less, Ordering::Less) => other.size(&one),
        (Ordering::Greater, Ordering::Greater) => one.size(&other),
        (one, other) => one.cmp(&other),
    })
}

/// A number that is not NaN.
struct Decimal<'t> {
    is_negative: bool,
    size: Size<'t>,
}

enum Size<'t> {
    Zero,
    Finite {
        /// The power of ten of the first digit.
        power: i128,
        /// The digits from the first one that is not 0: before the point, and after it.
        digits: [&'t str; 2],
    },
    Infinite,
}

impl<'t> Decimal<'t> {
    fn of(text: &'t str) -> Option<Self> {
        let (is_negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let size = match text {
            "Infinity" => Size::Infinite,
            text => Size::of(text)?,
        };
        Some(Self { is_negative, size })
    }

    /// On which side of zero it is.
    fn sign(&self) -> Ordering {
        match (&self.size, self.is_negative) {
            (Size::Zero, _) => Ordering::Equal,
            (Size::Finite { .. } | Size::Infinite, true) => Ordering::Less,
            (Size::Finite { .. } | Size::Infinite, false) => Ordering::Greater,
        }
    }

    /// How far from zero it is, beside another.
    fn size(&self, other: &Self) -> Ordering {
        match (&self.size, &other.size) {
            (
                Size::Finite { power, digits },
                Size::Finite {
                    power: other_power,
                    digits: other_digits,
                },
            ) => power
                .cmp(other_power)
                .then_with(|| order_of_digits(digits, other_digits)),
            (one, other) => one.rank().cmp(&other.rank()),
        }
    }
}

impl<'t> Size<'t> {
    fn of(text: &'t str) -> Option<Self> {
        let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_plain(whole) || !is_plain(fraction) || whole.len() + fraction.len() == 0 {
            return None;
        }
        let exponent = exponent_of(exponent)?;
        let length = |text: &str| i128::try_from(text.len()).unwrap_or(i128::MAX);
        let (begun, late) = (
            whole.trim_start_matches('0'),
            fraction.trim_start_matches('0'),
        );
        let (place, digits) = match (begun, late) {
            ("", "") => return Some(Self::Zero),
            ("", late) => (length(late) - length(fraction) - 1, ["", late]),
            (begun, _) => (length(begun) - 1, [begun, fraction]),
        };
        Some(Self::Finite {
            power: exponent.saturating_add(place),
            digits,
        })
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Zero => 0,
            Self::Finite { .. } => 1,
            Self::Infinite => 2,
        }
    }
}

/// An exponent; one beyond all reason is the largest there is.
fn exponent_of(text: &str) -> Option<i128> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let beyond = match text.starts_with('-') {
        true => i128::MIN,
        false => i128::MAX,
    };
    Some(text.parse().unwrap_or(beyond))
}

/// Digits that begin at the same power of ten; after the last ones come zeros.
fn order_of_digits(one: &[&str; 2], other: &[&str; 2]) -> Ordering {
    let length = |it: &[&str; 2]| it[0].len() + it[1].len();
    let longer = length(one).max(length(other));
    let padded = |it: &[&str; 2]| {
        let [whole, fraction] = it.map(str::as_bytes).map(<[u8]>::to_vec);
        let mut digits = [whole, fraction].concat();
        digits.resize(longer, b'0');
        digits
    };
    padded(one).cmp(&padded(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Ordering::{Equal, Greater, Less};

    #[test]
    fn numbers_are_ordered_as_they_are_written() {
        for (one, other, expected) in [
            ("1", "1", Some(Equal)),
            ("101.50", "1.015e2", Some(Equal)),
            ("0", "-0.0e5", Some(Equal)),
            ("0.001", "1e-3", Some(Equal)),
            ("00120", "12E+1", Some(Equal)),
            (".5", "0.5", Some(Equal)),
            ("5.", "+5", Some(Equal)),
            ("2", "10", Some(Less)),
            ("-2", "-10", Some(Greater)),
            ("-1", "1", Some(Less)),
            ("-1", "0", Some(Less)),
            ("0", "1e-400", Some(Less)),
            ("9007199254740993", "9007199254740992.0", Some(Greater)),
            ("0.30000000000000004", "0.3", Some(Greater)),
            ("1e400", "1e399", Some(Greater)),
            ("-1e400", "-1e399", Some(Less)),
            ("1e400", "Infinity", Some(Less)),
            ("-Infinity", "-1e400", Some(Less)),
            ("Infinity", "Infinity", Some(Equal)),
            (
                "1e99999999999999999999999999999999999999999999",
                "1e400",
                Some(Greater),
            ),
            (
                "1e-99999999999999999999999999999999999999999999",
                "1e-400",
                Some(Less),
            ),
            ("NaN", "1", None),
            ("1", "NaN", None),
            ("", "1", None),
            (".", "1", None),
            ("1e", "1", None),
        ] {
            assert_eq!(order(one, other), expected, "{one} {other}");
        }
    }
}
