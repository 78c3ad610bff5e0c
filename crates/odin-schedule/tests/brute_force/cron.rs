//! Cron text as its fields, each with its plain meaning by Vixie's rules.

use super::clock::Day;
use super::draw::Draw;

#[derive(Debug, Clone)]
pub(crate) struct Cron {
    pub(crate) second: Option<Field>,
    pub(crate) minute: Field,
    pub(crate) hour: Field,
    pub(crate) month_day: Field,
    pub(crate) month: Field,
    pub(crate) weekday: Field,
    /// `L` in the day of the month.
    pub(crate) last_day: bool,
    /// `5#2`: the nth (6 for the last, written `5L`) and the weekday, 0 is Sunday.
    pub(crate) nth: Option<(i64, i64)>,
    /// `15W`, or 0 for `LW`.
    pub(crate) nearest: Option<i64>,
    /// `L-3`.
    pub(crate) before_last: Option<i64>,
}

#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) text: String,
    pub(crate) values: Vec<i64>,
    /// Begins with `*`.
    pub(crate) star: bool,
}

impl Field {
    fn holds(&self, value: i64) -> bool {
        self.values.contains(&value)
    }

    /// A random field for values from `first` to `last`.
    pub(crate) fn draw(draw: &mut Draw, first: i64, last: i64) -> Field {
        let whole: Vec<i64> = (first..=last).collect();
        if draw.percent(25) {
            return Field {
                text: "*".to_owned(),
                values: whole,
                star: true,
            };
        }
        let mut field = Field {
            text: String::new(),
            values: Vec::new(),
            star: false,
        };
        for index in 0..draw.between(1, 3) {
            let (text, values): (String, Vec<i64>) = match draw.between(0, 9) {
                0..=4 => {
                    let value = draw.between(first, last);
                    (value.to_string(), vec![value])
                }
                5..=7 => {
                    let from = draw.between(first, last);
                    let to = draw.between(from, last);
                    (format!("{from}-{to}"), (from..=to).collect())
                }
                8 => {
                    let (from, step) = (draw.between(first, last), draw.between(1, 9));
                    let to = draw.between(from, last);
                    let values = (from..=to).filter(|value| (value - from) % step == 0);
                    (format!("{from}-{to}/{step}"), values.collect())
                }
                _ => {
                    let step = draw.between(2, 9);
                    let values = whole
                        .iter()
                        .copied()
                        .filter(|value| (value - first) % step == 0);
                    field.star |= index == 0;
                    (format!("*/{step}"), values.collect())
                }
            };
            if index > 0 {
                field.text.push(',');
            }
            field.text += &text;
            field.values.extend(values);
        }
        field
    }

    fn one(value: i64) -> Field {
        Field {
            text: value.to_string(),
            values: vec![value],
            star: false,
        }
    }
}

impl Cron {
    pub(crate) fn draw(draw: &mut Draw, with_seconds: bool) -> Cron {
        // Clocks change in the first hours of a day.
        let hour = if draw.percent(50) {
            Field::one(draw.between(0, 3))
        } else {
            Field::draw(draw, 0, 23)
        };
        let mut cron = Cron {
            second: with_seconds.then(|| Field::draw(draw, 0, 59)),
            minute: Field::draw(draw, 0, 59),
            hour,
            month_day: Field::draw(draw, 1, 31),
            month: Field::draw(draw, 1, 12),
            weekday: Field::draw(draw, 0, 6),
            last_day: false,
            nth: None,
            nearest: None,
            before_last: None,
        };
        if !cron.month_day.star && draw.percent(15) {
            cron.last_day = true;
            cron.month_day.text += ",L";
        }
        // A step of month days and an nth weekday together are refused.
        let plain = cron.month_day.text == "*" || !cron.month_day.star;
        if plain && !cron.weekday.star && draw.percent(20) {
            let (nth, weekday) = (draw.between(1, 6), draw.between(0, 6));
            cron.nth = Some((nth, weekday));
            cron.weekday.text += &match nth {
                6 => format!(",{weekday}L"),
                _ => format!(",{weekday}#{nth}"),
            };
        }
        cron
    }

    /// As [`draw`](Self::draw), with what few schedulers have.
    pub(crate) fn draw_extended(draw: &mut Draw, with_seconds: bool) -> Cron {
        let mut cron = Cron::draw(draw, with_seconds);
        if !cron.month_day.star && draw.percent(20) {
            let day = draw.between(0, 31);
            cron.nearest = Some(day);
            cron.month_day.text += &if day == 0 {
                ",LW".to_owned()
            } else {
                format!(",{day}W")
            };
        }
        if !cron.month_day.star && draw.percent(10) {
            let days = draw.between(1, 30);
            cron.before_last = Some(days);
            cron.month_day.text += &format!(",L-{days}");
        }
        cron
    }

    pub(crate) fn text(&self) -> String {
        let second = self
            .second
            .as_ref()
            .map_or(String::new(), |second| format!("{} ", second.text));
        let fields = [
            &self.minute,
            &self.hour,
            &self.month_day,
            &self.month,
            &self.weekday,
        ];
        second + &fields.map(|field| field.text.as_str()).join(" ")
    }

    pub(crate) fn is_fixed(&self) -> bool {
        !(self.minute.star
            || self.hour.star
            || self.second.as_ref().is_some_and(|second| second.star))
    }

    pub(crate) fn holds_time(&self, second: i64) -> bool {
        self.minute.holds(second / 60 % 60)
            && self.hour.holds(second / 3600)
            && match &self.second {
                Some(field) => field.holds(second % 60),
                None => second % 60 == 0,
            }
    }

    pub(crate) fn holds_day(&self, day: &Day) -> bool {
        let sunday_first = (day.weekday + 1) % 7;
        let nearest = self.nearest.is_some_and(|wanted| {
            let wanted = if wanted == 0 {
                day.days_in_month
            } else {
                wanted
            };
            let weekday = (day.weekday + wanted - day.day).rem_euclid(7);
            let moved = match weekday {
                5 if wanted == 1 => wanted + 2,
                5 => wanted - 1,
                6 if wanted == day.days_in_month => wanted - 2,
                6 => wanted + 1,
                _ => wanted,
            };
            wanted <= day.days_in_month && day.day == moved
        });
        let by_date = self.month_day.holds(day.day)
            || (self.last_day && day.day == day.days_in_month)
            || self
                .before_last
                .is_some_and(|days| day.day == day.days_in_month - days)
            || nearest;
        let by_nth = self.nth.is_some_and(|(nth, weekday)| {
            weekday == sunday_first
                && match nth {
                    6 => day.day + 7 > day.days_in_month,
                    nth => (day.day - 1) / 7 + 1 == nth,
                }
        });
        let by_weekday = self.weekday.holds(sunday_first) || by_nth;
        let days = if self.month_day.star || self.weekday.star {
            by_date && by_weekday
        } else {
            by_date || by_weekday
        };
        days && self.month.holds(day.month)
    }
}
