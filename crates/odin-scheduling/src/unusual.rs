//! Whether a number is far outside what a job's earlier runs reported. Called by apply, so it must come to the same
//! everywhere: it compares, multiplies, divides and adds single numbers, each of which IEEE 754 rounds in one way only,
//! and calls no function (such as a logarithm) that machines may compute differently.

use std::cmp::Ordering;

use odin_model::value::compare_numbers;

/// How many runs' numbers are remembered of a name.
pub const HISTORY_RUNS_MAX: usize = 100;
/// From how many on a number is judged.
pub const HISTORY_RUNS_MIN: usize = 20;
/// The longest number that is remembered and judged, in bytes of its text. Every 64-bit number is shorter.
pub const NUMBER_BYTES_MAX: usize = 40;
/// How many of the largest and how many of the smallest are left out: that many odd runs change nothing.
const LEFT_OUT: usize = 2;
/// With fewer than this the range is widened twice, for it is known only roughly.
const SURE_RUNS_MIN: usize = 50;
/// A range is taken to be at least this part of its numbers wide: what never changes may change by so much.
const WIDTH_MIN: f64 = 0.1;

/// What a number should have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusual {
    /// A smaller number is unusual.
    pub low: String,
    /// A larger number is unusual.
    pub high: String,
    /// The smallest of the earlier numbers but for the left out ones.
    pub usual_low: String,
    /// The largest of them.
    pub usual_high: String,
    /// How many earlier numbers there were.
    pub runs: usize,
    /// Whether it is too small or too large.
    pub side: Side,
}

/// On which side of its bounds a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Smaller than `low`.
    Below,
    /// Larger than `high`.
    Above,
}

/// Whether a number may be judged and remembered: it is finite, and not too long.
#[must_use]
pub fn is_judged(number: &str) -> bool {
    number.len() <= NUMBER_BYTES_MAX && finite(number).is_some()
}

/// What is wrong with a number beside those that earlier runs reported, in any order. `None`: nothing, or too few are
/// known.
///
/// The two smallest and the two largest earlier numbers are left out. The range of the others is widened to both sides
/// by its own width, or twice that while fewer than 50 are known; a number outside is unusual. Numbers above 0 are
/// measured by how many times one is another, so that what doubles now and then is not held to the steps of what adds
/// up; 1 is added to whole numbers for that, so that counts from 0 on are too.
#[must_use]
pub fn judge(number: &str, earlier: &[String]) -> Option<Unusual> {
    if earlier.len() < HISTORY_RUNS_MIN || !is_judged(number) {
        return None;
    }
    let mut sorted: Vec<(f64, &String)> = earlier
        .iter()
        .filter_map(|text| Some((finite(text)?, text)))
        .collect();
    sorted.sort_by(|(one, one_text), (other, other_text)| {
        // Whole numbers that differ may have one float.
        let exactly = || compare_numbers(one_text, other_text).unwrap_or(Ordering::Equal);
        one.total_cmp(other).then_with(exactly)
    });
    let usual = sorted.get(LEFT_OUT..sorted.len().checked_sub(LEFT_OUT)?)?;
    let (first, last) = (usual.first()?, usual.last()?);
    let is_whole = sorted.iter().all(|(number, _)| number.fract() == 0.0);
    let times = match earlier.len() < SURE_RUNS_MIN {
        true => 2,
        false => 1,
    };
    let (low, high) = widened(first.0, last.0, is_whole, times);
    let (low, high) = (shown(low)?, shown(high)?);
    let side = if compare_numbers(number, &low) == Some(Ordering::Less) {
        Side::Below
    } else if compare_numbers(number, &high) == Some(Ordering::Greater) {
        Side::Above
    } else {
        return None;
    };
    Some(Unusual {
        low,
        high,
        usual_low: first.1.clone(),
        usual_high: last.1.clone(),
        runs: earlier.len(),
        side,
    })
}

/// A range widened to both sides, so many times.
fn widened(first: f64, last: f64, is_whole: bool, times: u32) -> (f64, f64) {
    let shift = if is_whole { 1.0 } else { 0.0 };
    let (mut low, mut high) = if first + shift > 0.0 {
        let ratio = ((last + shift) / (first + shift)).max(1.0 + WIDTH_MIN);
        let (mut low, mut high) = (first + shift, last + shift);
        for _ in 0..times {
            (low, high) = (low / ratio, high * ratio);
        }
        (low - shift, high - shift)
    } else {
        let width = (last - first).max(WIDTH_MIN * first.abs().max(last.abs()));
        let width = width * f64::from(times);
        (first - width, last + width)
    };
    if is_whole {
        // One more or less is the least that a count can change by.
        (low, high) = (low.min(first - 1.0), high.max(last + 1.0));
    }
    (low, high)
}

fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// A bound in four digits. `None`: it is beyond what a float can hold, so nothing is outside of it.
fn shown(bound: f64) -> Option<String> {
    // Through text: that rounds in one way everywhere.
    let rounded = finite(&format!("{bound:.3e}"))?;
    let text = format!("{:?}", rounded + 0.0);
    Some(match text.strip_suffix(".0") {
        Some(whole) => whole.to_owned(),
        None => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many of these as it takes, in turn.
    fn history(count: usize, numbers: &[&str]) -> Vec<String> {
        let numbers = numbers.iter().cycle().take(count);
        numbers.map(|&number| number.to_owned()).collect()
    }

    #[track_caller]
    fn check(earlier: &[String], number: &str, expected: &str) {
        let seen = judge(number, earlier).map_or_else(String::new, |it| {
            let word = match it.side {
                Side::Below => "below",
                Side::Above => "above",
            };
            let Unusual {
                low,
                high,
                usual_low,
                usual_high,
                runs,
                side: _,
            } = it;
            format!("{word} {low}..{high} (usually {usual_low}..{usual_high} of {runs})")
        });
        assert_eq!(seen, expected, "{number}");
    }

    #[test]
    fn a_number_far_from_the_earlier_ones_is_unusual_and_one_near_them_is_not() {
        let prices = history(100, &["100.5", "98.5", "101.5", "99.5"]);
        for (number, expected) in [
            ("104", ""),
            ("96", ""),
            ("150", "above 89.55..111.7 (usually 98.5..101.5 of 100)"),
            ("0", "below 89.55..111.7 (usually 98.5..101.5 of 100)"),
            ("-1e300", "below 89.55..111.7 (usually 98.5..101.5 of 100)"),
            ("NaN", ""),
            ("Infinity", ""),
            ("many", ""),
        ] {
            check(&prices, number, expected);
        }
    }

    #[test]
    fn the_first_twenty_runs_are_only_learned_from() {
        check(&history(19, &["5"]), "5000", "");
        check(
            &history(20, &["5"]),
            "5000",
            "above 3.959..6.26 (usually 5..5 of 20)",
        );
    }

    #[test]
    fn a_range_that_is_known_roughly_is_widened_twice() {
        let some = ["10.5", "20.5"];
        check(&history(49, &some), "77", "");
        check(
            &history(49, &some),
            "79",
            "above 2.755..78.14 (usually 10.5..20.5 of 49)",
        );
        check(
            &history(50, &some),
            "41",
            "above 5.378..40.02 (usually 10.5..20.5 of 50)",
        );
    }

    #[test]
    fn two_odd_runs_on_each_side_change_nothing_and_a_third_does() {
        let mut earlier = history(98, &["100.5", "101.5"]);
        earlier.extend(["9000".to_owned(), "8000".to_owned()]);
        check(
            &earlier,
            "8500",
            "above 91.36..111.7 (usually 100.5..101.5 of 100)",
        );
        earlier.push("8000".to_owned());
        check(&earlier, "8500", "");
    }

    #[test]
    fn what_never_changed_may_change_by_a_tenth_and_a_count_by_one() {
        let constant = history(100, &["200"]);
        check(&constant, "215", "");
        check(
            &constant,
            "404",
            "above 181.7..220.1 (usually 200..200 of 100)",
        );
        let none = history(100, &["0"]);
        check(&none, "1", "");
        check(&none, "3", "above -1..1 (usually 0..0 of 100)");
        check(&none, "-2", "below -1..1 (usually 0..0 of 100)");
        let half = history(100, &["0.5"]);
        check(&half, "0.54", "");
        check(&half, "0", "below 0.4545..0.55 (usually 0.5..0.5 of 100)");
        let zero = history(100, &["0.0", "0.5", "-0.5"]);
        check(&zero, "1.6", "above -1.5..1.5 (usually -0.5..0.5 of 100)");
    }

    #[test]
    fn numbers_that_multiply_are_held_to_their_ratio() {
        let skewed = history(100, &["0.5", "1.5", "4.5", "40.5"]);
        check(&skewed, "3000", "");
        check(
            &skewed,
            "4000",
            "above 0.006173..3280 (usually 0.5..40.5 of 100)",
        );
        check(
            &skewed,
            "0",
            "below 0.006173..3280 (usually 0.5..40.5 of 100)",
        );
    }

    #[test]
    fn numbers_at_the_ends_of_what_floats_hold_flag_nothing_and_break_nothing() {
        for earlier in [
            history(100, &["1e308", "-1e308"]),
            history(100, &["1e-320", "1e300"]),
        ] {
            for number in ["0", "1e308", "-1e308", "1e999"] {
                check(&earlier, number, "");
            }
        }
        let large = history(100, &["9007199254740993"]);
        check(&large, "9007199254740992", "");
        let long = "1".repeat(NUMBER_BYTES_MAX + 1);
        check(&history(100, &["1"]), &long, "");
    }
}
