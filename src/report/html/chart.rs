//! The alarm's metric as SVG: threshold, normal range, onset and changes. Drawn twice, for a desk and for a phone.
//!
//! The colours stand in the SVG, so that it is right on paper; the page's style replaces them one by one in the dark.

use std::ops::Range;

use maud::{Markup, PreEscaped, html};
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::prelude::*;
use plotters::style::text_anchor;

use crate::clock::Timestamp;
use crate::evidence::text::{clock_time, number};
use crate::report::data::Chart;
use crate::report::html::inline::{Anchors, text};

// `page.css` knows each of these by its value.
const INK: RGBColor = RGBColor(0x5B, 0x65, 0x70);
const GRID: RGBColor = RGBColor(0xE3, 0xE7, 0xEB);
const SERIES: RGBColor = RGBColor(0x1F, 0x5F, 0xBF);
const BAND: RGBColor = RGBColor(0xDD, 0xEE, 0xE4);
const THRESHOLD: RGBColor = RGBColor(0xC6, 0x28, 0x28);
const ONSET: RGBColor = RGBColor(0xB4, 0x53, 0x09);
const CHANGE: RGBColor = RGBColor(0x6B, 0x3F, 0xA0);

/// Lengths in the SVG for one on the page: its coordinates are whole numbers, and a finer grid draws finer lines.
const FINE: u32 = 2;

/// A moment on the axis that is marked at round times.
const STEPS: [i64; 14] =
    [60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800];

/// Returns the figure, where it can be drawn.
pub(super) fn figure(chart: &Chart, anchors: &Anchors) -> Option<Markup> {
    let wide = svg(chart, (960, 300), 8)?;
    let narrow = svg(chart, (358, 240), 4)?;
    let (title, described) = (chart.title(), chart.described());
    Some(html! {
        figure.chart {
            div.drawing role="img" aria-label=(text(&described)) {
                div.wide { (PreEscaped(wide)) }
                div.narrow { (PreEscaped(narrow)) }
            }
            figcaption {
                p { (text(&title)) " " (anchors.cite(&chart.evidence, None)) }
                ul.legend {
                    @if let Some(threshold) = chart.threshold {
                        li.threshold { "alarm at " (number(threshold)) }
                    }
                    @if let Some(normal) = chart.normal {
                        li.band { "normal " (number(normal.low)) " to " (number(normal.high)) }
                    }
                    @if let Some(onset) = chart.onset {
                        li.onset { "began " (clock_time(onset)) }
                    }
                    @for change in &chart.changes {
                        li.change { (clock_time(change.at)) " " (anchors.cite(&change.evidence, None)) }
                    }
                }
            }
        }
    })
}

/// Draws the chart on `size` units of the page, with about `marks` times on its axis.
fn svg(chart: &Chart, (width, height): (u32, u32), marks: usize) -> Option<String> {
    let mut drawn = String::new();
    draw(chart, &mut drawn, (width * FINE, height * FINE), marks).ok()?;
    Some(drawn)
}

type Outcome = Result<(), DrawingAreaErrorKind<std::io::Error>>;

fn draw(chart: &Chart, drawn: &mut String, size: (u32, u32), marks: usize) -> Outcome {
    let times = Times::of(chart);
    let values = Values::of(chart);
    let (first, last) = (times.start, times.end);
    let root = SVGBackend::with_string(drawn, size).into_drawing_area();
    let small = |colour: RGBColor| ("sans-serif", 13 * FINE).into_font().color(&colour);
    let mut area = ChartBuilder::on(&root)
        .margin_top(18 * FINE)
        .margin_right(10 * FINE)
        .margin_left(2 * FINE)
        .x_label_area_size(22 * FINE)
        .y_label_area_size(40 * FINE)
        .build_cartesian_2d(times, values)?;
    if let Some(normal) = chart.normal {
        // A range of one value is still to be seen.
        let smallest = (values.high - values.low) / 80.0;
        let top = normal.high.max(normal.low + smallest);
        let band = [(first, values.within(normal.low)), (last, values.within(top))];
        area.draw_series([Rectangle::new(band, BAND.filled())])?;
    }
    area.configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID.stroke_width(FINE))
        .axis_style(GRID.stroke_width(FINE))
        .x_labels(marks)
        .y_labels(5)
        .x_label_formatter(&|at| times.label(*at))
        .y_label_formatter(&|value| number(*value))
        .label_style(small(INK))
        .draw()?;
    if let Some(threshold) = chart.threshold {
        let line = [(first, values.within(threshold)), (last, values.within(threshold))];
        area.draw_series(DashedLineSeries::new(line, 6 * FINE, 4 * FINE, THRESHOLD.stroke_width(FINE)))?;
    }
    let mark = |at: Timestamp| at.as_second().clamp(first, last);
    let upright = |at: i64| [(at, values.low), (at, values.high)];
    for change in &chart.changes {
        let at = mark(change.at);
        area.draw_series(DashedLineSeries::new(upright(at), 2 * FINE, 3 * FINE, CHANGE.stroke_width(FINE)))?;
    }
    if let Some(onset) = chart.onset {
        area.draw_series([PathElement::new(upright(mark(onset)), ONSET.stroke_width(FINE))])?;
    }
    for stretch in stretches(chart) {
        let line = stretch.iter().map(|(at, value)| (*at, values.within(*value)));
        area.draw_series(LineSeries::new(line, SERIES.stroke_width(2 * FINE)))?;
        // Alone between two gaps a value makes no line.
        if let [(at, value)] = stretch.as_slice() {
            area.draw_series([Circle::new((*at, values.within(*value)), 2 * FINE, SERIES.filled())])?;
        }
    }
    for (row, label) in chart.labels() {
        let (x, _) = area.backend_coord(&(row, values.high));
        let at_right = u32::try_from(x).unwrap_or_default() > size.0 * 3 / 4;
        let anchor = if at_right { text_anchor::HPos::Right } else { text_anchor::HPos::Left };
        let style = small(INK).pos(text_anchor::Pos::new(anchor, text_anchor::VPos::Top));
        let aside = if at_right { -3 } else { 3 };
        root.draw(&Text::new(label, (x + aside, 2), style))?;
    }
    root.present()
}

/// Returns the values in stretches without a gap.
fn stretches(chart: &Chart) -> Vec<Vec<(i64, f64)>> {
    // Thinned points lie farther apart than a period, and not evenly.
    let apart = chart.points.windows(2).filter_map(|pair| match pair {
        [left, right] => Some(right.at.as_second() - left.at.as_second()),
        _ => None,
    });
    let mut apart: Vec<i64> = apart.collect();
    apart.sort_unstable();
    let usual = apart.get(apart.len() / 2).copied().unwrap_or(0).max(chart.period_seconds);
    let mut stretches: Vec<Vec<(i64, f64)>> = Vec::new();
    let mut before: Option<i64> = None;
    for point in &chart.points {
        let at = point.at.as_second();
        match stretches.last_mut() {
            Some(stretch) if before.is_some_and(|before| at - before <= usual.saturating_mul(3)) => {
                stretch.push((at, point.value));
            }
            _ => stretches.push(vec![(at, point.value)]),
        }
        before = Some(at);
    }
    stretches
}

/// The axis of time.
#[derive(Debug, Clone, Copy)]
struct Times {
    start: i64,
    end: i64,
}

impl Times {
    fn of(chart: &Chart) -> Self {
        let (start, end) = chart.seconds();
        Times { start, end }
    }

    /// Returns `03:02`, and the day where the axis is longer than one.
    fn label(self, at: i64) -> String {
        let Ok(at) = Timestamp::from_second(at) else { return String::new() };
        if self.end - self.start > 2 * 86_400 { at.strftime("%d %b").to_string() } else { clock_time(at) }
    }
}

impl Ranged for Times {
    type FormatOption = DefaultFormatting;
    type ValueType = i64;

    fn map(&self, value: &i64, limit: (i32, i32)) -> i32 {
        #[expect(clippy::cast_precision_loss, reason = "a share of the axis")]
        let share = (value - self.start) as f64 / (self.end - self.start) as f64;
        place(share, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<i64> {
        let most = i64::try_from(hint.max_num_points()).unwrap_or(8).max(2);
        let length = self.end - self.start;
        let step = STEPS.into_iter().find(|step| length / step <= most).unwrap_or(length.max(1));
        let first = self.start.div_euclid(step) * step;
        (0..=length / step + 1)
            .map(|index| first + index * step)
            .filter(|at| (self.start..=self.end).contains(at))
            .collect()
    }

    fn range(&self) -> Range<i64> {
        self.start..self.end
    }
}

/// The axis of values.
#[derive(Debug, Clone, Copy)]
struct Values {
    low: f64,
    high: f64,
}

impl Values {
    fn of(chart: &Chart) -> Self {
        let marked =
            chart.threshold.into_iter().chain(chart.normal.into_iter().flat_map(|n| [n.low, n.high]));
        let all = chart.points.iter().map(|point| point.value).chain(marked);
        let all: Vec<f64> = all.filter(|value| value.is_finite() && value.abs() < 1e15).collect();
        let lowest = all.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if lowest > highest {
            return Values { low: 0.0, high: 1.0 };
        }
        let room = ((highest - lowest) * 0.08).max(highest.abs() * 0.01).max(1e-6);
        let low = if Chart::begins_at_zero(lowest, highest) { 0.0 } else { lowest - room };
        let low = if lowest >= 0.0 { low.max(0.0) } else { low };
        Values { low, high: highest + room }
    }

    fn within(self, value: f64) -> f64 {
        if value.is_nan() { self.low } else { value.clamp(self.low, self.high) }
    }
}

impl Ranged for Values {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        place((value - self.low) / (self.high - self.low), limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        let length = self.high - self.low;
        let rough = length / 4.0;
        let unit = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|part| part * unit).find(|step| *step >= rough);
        let Some(step) = step.filter(|step| step.is_normal()) else { return Vec::new() };
        let first = (self.low / step).ceil();
        (0..12).map(|index| (first + f64::from(index)) * step).filter(|value| *value <= self.high).collect()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

/// Returns the place of a share of an axis.
fn place(share: f64, (start, end): (i32, i32)) -> i32 {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    #[expect(clippy::cast_possible_truncation, reason = "a place between two that fit")]
    let distance = (f64::from(end - start) * share).round() as i32;
    start + distance
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evidence::Window;
    use crate::id::EvidenceId;
    use crate::report::data::{ChangeMark, NormalBand, PointData};

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_795_489_200 + minute * 60).unwrap()
    }

    fn chart(values: &[f64]) -> Chart {
        let points =
            values.iter().zip(0..).map(|(value, minute)| PointData { at: at(minute), value: *value });
        Chart {
            namespace: "AWS/Lambda".into(),
            metric: "Errors".into(),
            dimensions: [("FunctionName".to_owned(), "invoice-render".to_owned())].into(),
            statistic: "Sum".into(),
            unit: None,
            period_seconds: 60,
            evidence: EvidenceId::new('M', 1),
            window: Window { start: at(0), end: at(60) },
            points: points.collect(),
            threshold: Some(20.0),
            normal: Some(NormalBand { low: 0.0, high: 2.0 }),
            onset: Some(at(3)),
            changes: vec![ChangeMark { at: at(2), evidence: EvidenceId::new('C', 1) }],
        }
    }

    #[test]
    fn every_part_of_the_chart_is_drawn_in_its_own_colour() {
        let drawn = svg(&chart(&[0.0, 0.0, 1.0, 43.0]), (960, 300), 8).unwrap();
        for colour in [INK, GRID, SERIES, BAND, THRESHOLD, ONSET, CHANGE] {
            let name = format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2);
            assert!(drawn.contains(&name), "{name} is not drawn: {drawn}");
            assert!(super::super::CSS.contains(&name), "{name} has no colour in the dark");
        }
        assert!(drawn.contains("C1, began"), "{drawn}");
        assert!(drawn.contains("viewBox=\"0 0 1920 600\""), "{drawn}");
    }

    #[test]
    fn a_text_on_the_chart_is_never_markup() {
        let mut hostile = chart(&[1.0, 2.0]);
        hostile.changes[0].evidence = EvidenceId::parse("</text><script>alert(1)</script><a b=\"");
        let drawn = svg(&hostile, (960, 300), 8).unwrap();
        assert!(
            !drawn.contains("<script") && drawn.matches("</text>").count() == drawn.matches("<text").count()
        );
        assert!(drawn.contains("&lt;script&gt;"), "{drawn}");
    }

    #[test]
    fn a_gap_in_the_data_is_a_gap_in_the_line() {
        let mut gap = chart(&[1.0, 2.0, 3.0, 4.0]);
        gap.points[3].at = at(30);
        assert_eq!(stretches(&gap).iter().map(Vec::len).collect::<Vec<_>>(), [3, 1]);
    }

    #[test]
    fn times_on_the_axis_are_round() {
        let times = Times { start: 1_795_489_200 + 17, end: 1_795_489_200 + 3_617 };
        let points = times.key_points(8_usize);
        assert!((4..=8).contains(&points.len()), "{points:?}");
        assert!(points.iter().all(|at| at % 600 == 0), "{points:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_values_are_drawn_without_a_panic(
            values in prop::collection::vec(prop::num::f64::ANY, 0..30),
            threshold in prop::option::of(prop::num::f64::ANY),
            end in -10_i64..100_000,
        ) {
            let mut chart = chart(&values);
            chart.threshold = threshold;
            chart.window.end = at(end);
            prop_assert!(svg(&chart, (358, 240), 4).is_some());
        }
    }
}
