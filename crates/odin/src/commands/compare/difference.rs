//! The difference of two numbers as people write it: `101.5` and `100.1` differ by `1.4`, and not by
//! `1.4000000000000057`.

/// How many digits after the point are reckoned exactly.
const DIGITS_MAX: usize = 18;

/// `after - before`. `None`: one is no number, or not finite.
pub(crate) fn between(before: &str, after: &str) -> Option<String> {
    exact(before, after).or_else(|| {
        let difference = finite(after)? - finite(before)?;
        difference.is_finite().then(|| difference.to_string())
    })
}

/// How much more `after` is than `before`, in per cent of `before`, to a tenth. `None`: `before` is 0, or one is no number.
pub(crate) fn per_cent(before: &str, after: &str) -> Option<f64> {
    let (before, after) = (finite(before)?, finite(after)?);
    let per_cent = (after - before) / before.abs() * 100.0;
    let tenths = (per_cent * 10.0).round() / 10.0;
    // No difference is not -0.
    tenths.is_finite().then_some(tenths + 0.0)
}

fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn exact(before: &str, after: &str) -> Option<String> {
    let (before, after) = (Decimal::of(before)?, Decimal::of(after)?);
    let places = before.places.max(after.places);
    let difference = after.scaled(places)?.checked_sub(before.scaled(places)?)?;
    let digits = format!("{:0>width$}", difference.unsigned_abs(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let fraction = fraction.trim_end_matches('0');
    let sign = if difference < 0 { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{sign}{whole}{point}{fraction}"))
}

struct Decimal {
    digits: i128,
    places: usize,
}

impl Decimal {
    fn of(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_plain = fraction.bytes().all(|byte| byte.is_ascii_digit());
        if !is_plain || fraction.len() > DIGITS_MAX {
            return None;
        }
        let digits = format!("{whole}{fraction}").parse().ok()?;
        Some(Self {
            digits,
            places: fraction.len(),
        })
    }

    fn scaled(&self, places: usize) -> Option<i128> {
        let power = u32::try_from(places - self.places).ok()?;
        self.digits.checked_mul(10i128.checked_pow(power)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_differ_by_what_people_would_reckon() {
        for (before, after, difference, percent) in [
            ("100.1", "101.5", Some("1.4"), Some(1.4)),
            ("1", "1", Some("0"), Some(0.0)),
            ("1.50", "1.5", Some("0"), Some(0.0)),
            ("-0.5", "0.25", Some("0.75"), Some(150.0)),
            ("0.25", "-0.5", Some("-0.75"), Some(-300.0)),
            ("9007199254740992", "9007199254740993", Some("1"), Some(0.0)),
            ("0", "7", Some("7"), None),
            ("200", "100", Some("-100"), Some(-50.0)),
            ("1e3", "1.5e3", Some("500"), Some(50.0)),
            ("NaN", "1", None, None),
            ("1", "Infinity", None, None),
            ("text", "1", None, None),
        ] {
            assert_eq!(
                between(before, after).as_deref(),
                difference,
                "{before} {after}"
            );
            assert_eq!(per_cent(before, after), percent, "{before} {after}");
        }
    }
}
