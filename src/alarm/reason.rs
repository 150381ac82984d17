//! The datapoints that a state reason lists.

use std::sync::LazyLock;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use regex::Regex;

use crate::clock::Timestamp;

/// A reason of more text than this is not `CloudWatch`'s own: its limit is 1,023 characters.
const MOST_BYTES: usize = 16 * 1024;

/// `51.0 (14/09/26 11:17:00)`: value, then day, month and year of the period's start, in UTC.
static DATAPOINT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?) \(([0-9]{2})/([0-9]{2})/([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})\)",
    )
    .ok()
});

/// Returns the datapoints that a `NewStateReason` lists, in its order, which is usually newest first.
///
/// A reason without any, of a composite alarm or of one set by hand, gives none.
pub fn reason_datapoints(reason: &str) -> Vec<(f64, Timestamp)> {
    let Some(pattern) = &*DATAPOINT else { return Vec::new() };
    if reason.len() > MOST_BYTES {
        return Vec::new();
    }
    pattern
        .captures_iter(reason)
        .filter_map(|found| {
            let (_, [value, day, month, year, hour, minute, second]) = found.extract();
            let value: f64 = value.parse().ok().filter(|value: &f64| value.is_finite())?;
            // CloudWatch is younger than the century, so two digits are enough.
            let date = DateTime::new(
                2000 + year.parse::<i16>().ok()?,
                month.parse().ok()?,
                day.parse().ok()?,
                hour.parse().ok()?,
                minute.parse().ok()?,
                second.parse().ok()?,
                0,
            )
            .ok()?;
            Some((value, TimeZone::UTC.to_timestamp(date).ok()?))
        })
        .collect()
}

/// Beginnings and parts of the reasons that `CloudWatch` writes itself.
const OWN_WORDS: &[&str] = &[
    "Threshold Crossed",
    "Thresholds Crossed",
    "Insufficient Data",
    "Unchecked: ",
    " transitioned to ",
    " alarm rule evaluates to ",
    " time series evaluated to ",
    "no datapoints were received",
];

/// Tells whether `CloudWatch` wrote the reason: one that somebody gave with `SetAlarmState` is free text.
pub fn is_cloudwatchs(reason: &str) -> bool {
    OWN_WORDS.iter().any(|words| reason.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn one_datapoint_is_read_with_day_before_month() {
        let reason = "Threshold Crossed: 1 out of the last 1 datapoints [51.0 (14/09/26 11:17:00)] was greater than the threshold (50.0) (minimum 1 datapoint for OK -> ALARM transition).";
        assert_eq!(reason_datapoints(reason), [(51.0, at("2026-09-14T11:17:00Z"))]);
    }

    #[test]
    fn several_datapoints_keep_their_order_and_any_number_form() {
        let reason = "2 out of the last 3 datapoints [1.5E7 (24/11/26 03:04:00), -41 (24/11/26 03:03:00), 0.0 (24/11/26 03:02:00)] were";
        assert_eq!(
            reason_datapoints(reason),
            [
                (1.5e7, at("2026-11-24T03:04:00Z")),
                (-41.0, at("2026-11-24T03:03:00Z")),
                (0.0, at("2026-11-24T03:02:00Z")),
            ]
        );
    }

    #[test]
    fn thresholds_dates_that_do_not_exist_and_other_reasons_give_nothing() {
        for reason in [
            "",
            "Unchecked: Initial alarm creation",
            "Insufficient Data: 5 datapoints were unknown.",
            "1 out of the last 1 datapoints [3.0 (99/99/26 11:17:00)] was greater than the upper thresholds [2.0]",
            "no datapoints were received for 2 periods and 2 missing datapoints were treated as [Breaching].",
            "arn:aws:cloudwatch:us-east-1:123456789012:alarm:child transitioned to ALARM at Monday 14 September, 2026 11:18:52 UTC",
        ] {
            assert_eq!(reason_datapoints(reason), [], "{reason}");
        }
    }

    #[test]
    fn a_reason_of_endless_text_is_not_searched() {
        let reason = "51.0 (14/09/26 11:17:00), ".repeat(10_000);
        assert_eq!(reason_datapoints(&reason), []);
    }
}
