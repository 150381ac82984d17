//! A series as a row of bars, for a card.

/// The bars, lowest first.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Returns one bar a value, and a blank where a value is no number.
///
/// Where no value is negative the bars stand on zero, so that twice the value is twice the bar; otherwise they
/// stand on the lowest value.
pub fn sparkline(values: &[f64]) -> String {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let floor = finite().fold(0.0, f64::min);
    let top = finite().fold(f64::NEG_INFINITY, f64::max);
    let height = top - floor;
    values.iter().map(|value| if value.is_finite() { bar((value - floor) / height) } else { ' ' }).collect()
}

/// Returns at most `most` values, each the worst of its neighbours, so that a long series fits one line of a card.
pub fn condensed(values: &[f64], most: usize, high_is_bad: bool) -> Vec<f64> {
    let together = values.len().div_ceil(most.max(1)).max(1);
    let worst = if high_is_bad { f64::max } else { f64::min };
    values.chunks(together).map(|chunk| chunk.iter().copied().fold(f64::NAN, worst)).collect()
}

/// Returns the bar for a share of the height; a flat series has no height and gets the lowest bar.
fn bar(share: f64) -> char {
    let thresholds = BARS.iter().zip(1_u8..);
    let mut chosen = '▁';
    for (&bar, rank) in thresholds {
        // The highest bar means the top itself, so the eight bars divide seven steps, rounded to the nearest.
        if share * 7.0 >= f64::from(rank) - 1.5 {
            chosen = bar;
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_follow_the_values_from_zero() {
        assert_eq!(sparkline(&[0.0, 0.0, 2.0, 22.0, 41.0, 43.0]), "▁▁▁▅██");
        assert_eq!(sparkline(&[0.9, 4.2]), "▃█");
    }

    #[test]
    fn negative_values_stand_on_the_lowest() {
        assert_eq!(sparkline(&[-7.0, 0.0]), "▁█");
    }

    #[test]
    fn flat_empty_and_broken_series_are_drawn_too() {
        assert_eq!(sparkline(&[]), "");
        assert_eq!(sparkline(&[0.0, 0.0]), "▁▁");
        assert_eq!(sparkline(&[f64::NAN, 1.0, f64::INFINITY]), " █ ");
    }

    #[test]
    fn a_long_series_keeps_its_worst_values() {
        let values: Vec<f64> = (0..100_i32).map(f64::from).collect();
        let short = condensed(&values, 24, true);
        assert_eq!(short.len(), 20);
        assert_eq!(short.last(), Some(&99.0));
        assert_eq!(condensed(&values, 24, false).first(), Some(&0.0));
        assert_eq!(condensed(&[], 24, true), Vec::<f64>::new());
    }
}
