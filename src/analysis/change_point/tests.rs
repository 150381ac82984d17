//! Planted changes are found where they are, noise is left alone; rates are measured over many seeds.

use fastrand::Rng;
use proptest::prelude::*;

use super::*;

fn points(values: &[f64]) -> Vec<Datapoint> {
    let at = |index: usize| Timestamp::from_second(60 * i64::try_from(index).unwrap()).unwrap();
    values.iter().enumerate().map(|(index, &value)| Datapoint { at: at(index), value }).collect()
}

fn index_of(change: &ChangePoint) -> usize {
    usize::try_from(change.at.as_second() / 60).unwrap()
}

fn normal(rng: &mut Rng) -> f64 {
    (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos()
}

fn poisson(rng: &mut Rng, mean: f64) -> f64 {
    let (limit, mut product, mut count) = ((-mean).exp(), rng.f64(), 0.0);
    while product > limit {
        product *= rng.f64();
        count += 1.0;
    }
    count
}

/// A shape of noise: how one value follows the one before.
type Noise = fn(&mut Rng, f64) -> f64;

const NOISES: [(&str, Noise, bool); 6] = [
    ("normal", |rng, _| 50.0 + 4.0 * normal(rng), false),
    ("with memory", |rng, last| 50.0 + 0.7 * (last - 50.0) + 3.0 * normal(rng), false),
    ("log-normal", |rng, _| (5.0 + 0.5 * normal(rng)).exp(), false),
    ("exponential", |rng, _| -100.0 * (1.0 - rng.f64()).ln(), false),
    ("rare counts", |rng, _| poisson(rng, 0.05), true),
    ("counts", |rng, _| poisson(rng, 12.0), true),
];

fn drawn(rng: &mut Rng, noise: Noise, count: usize) -> Vec<f64> {
    let mut last = 50.0;
    (0..count)
        .map(|_| {
            last = noise(rng, last);
            last
        })
        .collect()
}

fn learned(values: &[f64], counts: bool) -> Baseline {
    if counts { Baseline::of_counts(values) } else { Baseline::of(values) }.unwrap()
}

#[test]
fn noise_is_left_alone_in_most_windows_whatever_its_shape() {
    for (name, noise, counts) in NOISES {
        let found = (0..1_000)
            .filter(|seed| {
                let mut rng = Rng::with_seed(*seed);
                let baseline = learned(&drawn(&mut rng, noise, 180), counts);
                find(&points(&drawn(&mut rng, noise, 70)), &baseline, None).is_some()
            })
            .count();
        println!("{name}: {found} of 1000 windows of noise");
        assert!(found <= 10, "{name}: {found} of 1000 windows of noise are called a change");
    }
}

#[test]
fn a_clear_step_is_found_within_one_period_under_every_noise() {
    for (name, noise, counts) in NOISES {
        let missed = (0..500)
            .filter(|seed| {
                let mut rng = Rng::with_seed(*seed);
                let baseline = learned(&drawn(&mut rng, noise, 180), counts);
                let mut values = drawn(&mut rng, noise, 70);
                let onset = rng.usize(5..67);
                let step = 8.0 * baseline.spread_above;
                values.iter_mut().skip(onset).for_each(|value| *value += step);
                let found = find(&points(&values), &baseline, Some(true));
                found.is_none_or(|change| index_of(&change).abs_diff(onset) > 1)
            })
            .count();
        println!("{name}: {missed} of 500 missed");
        assert!(missed <= 10, "{name}: {missed} of 500 steps were missed or misplaced");
    }
}

#[test]
fn the_first_failing_minute_is_the_onset() {
    let baseline = Baseline::of_counts(&[0.0; 180]).unwrap();
    let mut values = vec![0.0; 57];
    values[12] = 1.0;
    values.extend([22.0, 41.0, 43.0]);
    let change = find(&points(&values), &baseline, Some(true)).unwrap();
    assert_eq!((index_of(&change), change.before, change.after), (57, 0.0, 41.0));
    assert_eq!((change.direction, change.last, change.from_start), (Direction::Up, None, false));
}

#[test]
fn a_ramp_begins_where_it_leaves_the_normal_range() {
    let baseline = Baseline::of(&(0..100).map(|i| 10.0 + f64::from(i % 5)).collect::<Vec<_>>()).unwrap();
    let mut values: Vec<f64> = (0..30).map(|i| 10.0 + f64::from(i % 5)).collect();
    values.extend((0..20).map(|i| 12.0 + 2.0 * f64::from(i)));
    let onset = index_of(&find(&points(&values), &baseline, None).unwrap());
    assert!((32..=37).contains(&onset), "{onset}");
}

#[test]
fn a_rise_that_is_over_has_an_end() {
    let baseline = Baseline::of(&[10.0, 11.0, 12.0].repeat(30)).unwrap();
    let mut values = [10.0, 11.0, 12.0].repeat(8);
    values.extend([60.0; 6]);
    values.extend([10.0, 11.0, 12.0].repeat(8));
    let change = find(&points(&values), &baseline, Some(true)).unwrap();
    assert_eq!(index_of(&change), 24);
    assert_eq!(change.last, Some(Timestamp::from_second(29 * 60).unwrap()));
}

#[test]
fn a_fall_is_found_only_where_it_is_asked_for() {
    let baseline = Baseline::of(&[100.0, 104.0, 96.0].repeat(30)).unwrap();
    let mut values = [100.0, 104.0, 96.0].repeat(10);
    values.extend([20.0; 8]);
    let change = find(&points(&values), &baseline, None).unwrap();
    assert_eq!((index_of(&change), change.direction), (30, Direction::Down));
    assert_eq!(find(&points(&values), &baseline, Some(true)), None);
    assert!(find(&points(&values), &baseline, Some(false)).is_some());
}

#[test]
fn stray_peaks_before_a_long_quiet_do_not_move_the_onset() {
    let baseline = Baseline::of_counts(&[0.0, 1.0, 0.0, 0.0].repeat(40)).unwrap();
    let mut values = vec![0.0; 20];
    values.extend([9.0, 9.0, 0.0, 0.0, 0.0]);
    values.extend([60.0; 20]);
    assert_eq!(index_of(&find(&points(&values), &baseline, Some(true)).unwrap()), 25);
}

#[test]
fn one_peak_that_is_over_is_noise_unless_it_is_extraordinary() {
    let baseline = Baseline::of(&[100.0, 104.0, 96.0].repeat(30)).unwrap();
    let with_peak = |peak: f64| {
        let mut values = [100.0, 104.0, 96.0].repeat(10);
        values[12] = peak;
        find(&points(&values), &baseline, None)
    };
    assert_eq!(with_peak(100.0 + 10.0 * baseline.spread_above), None);
    assert_eq!(index_of(&with_peak(100.0 + 40.0 * baseline.spread_above).unwrap()), 12);
}

#[test]
fn a_series_that_differs_from_its_first_datapoint_says_so() {
    let baseline = Baseline::of(&[10.0, 11.0, 12.0].repeat(30)).unwrap();
    let change = find(&points(&[90.0; 10]), &baseline, None).unwrap();
    assert_eq!((change.from_start, change.before), (true, 11.0));
}

proptest! {
    #[test]
    fn nothing_panics_whatever_the_values(
        values in prop::collection::vec(prop::num::f64::ANY, 0..80),
        normal in prop::collection::vec(prop::num::f64::ANY, 1..40),
        high_is_bad in prop::option::of(any::<bool>()),
    ) {
        if let Some(baseline) = Baseline::of(&normal)
            && let Some(change) = find(&points(&values), &baseline, high_is_bad)
        {
            prop_assert!(index_of(&change) < values.len());
            prop_assert!(change.strength.is_finite());
        }
    }

    #[test]
    fn moving_and_stretching_a_series_moves_nothing(
        seed in 0_u64..5_000, shift in -20.0..20.0_f64, scale in 0.1..50.0_f64, step in 0.0..12.0_f64,
    ) {
        let mut rng = Rng::with_seed(seed);
        let normal: Vec<f64> = (0..120).map(|_| normal(&mut rng)).collect();
        let mut values: Vec<f64> = (0..60).map(|_| self::normal(&mut rng)).collect();
        values.iter_mut().skip(40).for_each(|value| *value += step);
        let moved = |values: &[f64]| values.iter().map(|value| (value + shift) * scale).collect::<Vec<_>>();
        let plain = find(&points(&values), &Baseline::of(&normal).unwrap(), None);
        let other = find(&points(&moved(&values)), &Baseline::of(&moved(&normal)).unwrap(), None);
        prop_assert_eq!(plain.as_ref().map(index_of), other.as_ref().map(index_of));
        prop_assert_eq!(plain.map(|change| change.direction), other.map(|change| change.direction));
    }
}
