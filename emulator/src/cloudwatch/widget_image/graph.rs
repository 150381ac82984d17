//! The graph: axes, lines, and what is marked on it.

use jiff::Timestamp;

use crate::cloudwatch::widget_image::canvas::{Canvas, Colour};
use crate::cloudwatch::widget_image::{Annotation, Horizontal, Line, Widget, coloured};
use crate::failure::Failure;

const INK: Colour = Colour(0x33, 0x33, 0x33);
const GRID: Colour = Colour(0xdd, 0xdd, 0xdd);

/// What stands around the plot: left, top, right, bottom.
const MARGINS: (i32, i32, i32, i32) = (64, 48, 16, 44);

/// Height of a line of text with what is above it.
const ROW: i32 = 14;

/// Lines of the grid.
const PARTS: i32 = 4;

pub(super) fn drawn(widget: &Widget, lines: &[Line]) -> Result<Canvas, Failure> {
    let mut canvas = Canvas::new(widget.width, widget.height);
    let plot = Plot::of(widget, lines);
    // Behind everything: what is normal.
    for annotation in &widget.annotations.horizontal {
        if let Horizontal::Band(one, other) = annotation {
            let colour = coloured(one.color.as_deref())?.unwrap_or(INK);
            let (high, low) = (plot.y(one.value.max(other.value)), plot.y(one.value.min(other.value)));
            canvas.rectangle((plot.left, high), (plot.right, low), colour.thin());
        }
    }
    axes(&mut canvas, widget, &plot);
    for annotation in &widget.annotations.horizontal {
        match annotation {
            Horizontal::Line(line) => level(&mut canvas, &plot, line)?,
            Horizontal::Band(one, other) => {
                level(&mut canvas, &plot, one)?;
                level(&mut canvas, &plot, other)?;
            }
        }
    }
    for annotation in &widget.annotations.vertical {
        let colour = coloured(annotation.color.as_deref())?.unwrap_or(INK);
        let x = plot.x(annotation.value.as_second());
        canvas.line((x, plot.top), (x, plot.bottom), colour);
        let width = Canvas::width_of(&annotation.label);
        let place = if x + width > plot.right { x - width } else { x };
        canvas.text(&annotation.label, (place, plot.top - ROW), colour);
    }
    for line in lines {
        let places: Vec<(i64, i32, i32)> =
            line.points.iter().map(|(at, value)| (*at, plot.x(*at), plot.y(*value))).collect();
        for pair in places.windows(2) {
            if let [(from, x, y), (to, next_x, next_y)] = pair
                && to - from <= line.period
            {
                canvas.line((*x, *y), (*next_x, *next_y), line.colour);
            }
        }
        for (_, x, y) in places {
            canvas.rectangle((x - 1, y - 1), (x + 2, y + 2), line.colour);
        }
    }
    Ok(canvas)
}

fn axes(canvas: &mut Canvas, widget: &Widget, plot: &Plot) {
    canvas.text(&widget.title, (8, 10), INK);
    canvas.text(&widget.y_axis.left.label, (8, plot.top - ROW), INK);
    for part in 0..=PARTS {
        let share = f64::from(part) / f64::from(PARTS);
        let value = plot.low + (plot.high - plot.low) * share;
        let y = plot.y(value);
        canvas.rectangle((plot.left, y), (plot.right, y), GRID);
        let label = if plot.high - plot.low < 8.0 { format!("{value:.2}") } else { format!("{value:.0}") };
        canvas.text(&label, (plot.left - 6 - Canvas::width_of(&label), y - 5), INK);
        let second = plot.start + (plot.end - plot.start) * i64::from(part) / i64::from(PARTS);
        let label = Timestamp::from_second(second).map(|at| at.strftime("%H:%M").to_string());
        let label = label.unwrap_or_default();
        let width = Canvas::width_of(&label);
        canvas.text(&label, ((plot.x(second) - width / 2).min(plot.right - width), plot.bottom + 8), INK);
    }
    if widget.legend.position.as_deref() != Some("hidden") {
        let names: Vec<&str> = plot.names.iter().map(String::as_str).collect();
        canvas.text(&names.join(", "), (plot.left, plot.bottom + 8 + ROW), INK);
    }
}

/// Draws a level line with its label above.
fn level(canvas: &mut Canvas, plot: &Plot, line: &Annotation<f64>) -> Result<(), Failure> {
    let colour = coloured(line.color.as_deref())?.unwrap_or(INK);
    let y = plot.y(line.value);
    canvas.dashes((plot.left, y), (plot.right, y), colour);
    canvas.text(&line.label, (plot.left + 6, y - ROW), colour);
    Ok(())
}

/// Where values and moments stand.
struct Plot {
    left: i32,
    top: i32,
    right: i32,
    bottom: i32,
    start: i64,
    end: i64,
    low: f64,
    high: f64,
    names: Vec<String>,
}

impl Plot {
    fn of(widget: &Widget, lines: &[Line]) -> Self {
        let size = |pixels: u32| i32::try_from(pixels).unwrap_or(i32::MAX);
        let (left, top, right, bottom) = MARGINS;
        let marked = widget.annotations.horizontal.iter().flat_map(|annotation| match annotation {
            Horizontal::Line(line) => vec![line.value],
            Horizontal::Band(one, other) => vec![one.value, other.value],
        });
        let values = lines.iter().flat_map(|line| line.points.iter().map(|(_, value)| *value));
        let values: Vec<f64> = values.chain(marked).collect();
        let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let axis = &widget.y_axis.left;
        let low = axis.min.unwrap_or(if lowest.is_finite() { lowest } else { 0.0 });
        let high = axis.max.unwrap_or(if highest.is_finite() { highest * 1.08 } else { 1.0 });
        // CloudWatch widens the axis of time until every vertical annotation is on it.
        let moments = widget.annotations.vertical.iter().map(|annotation| annotation.value.as_second());
        let moments: Vec<i64> = moments.chain([widget.start.as_second(), widget.end.as_second()]).collect();
        let start = moments.iter().copied().min().unwrap_or_default();
        let end = moments.iter().copied().max().unwrap_or_default().max(start + 60);
        Plot {
            left,
            top,
            right: size(widget.width) - right,
            bottom: size(widget.height) - bottom,
            start,
            end,
            low,
            high: if high > low { high } else { low + 1.0 },
            names: lines.iter().map(|line| line.label.clone()).collect(),
        }
    }

    fn x(&self, second: i64) -> i32 {
        let width = i64::from(self.right - self.left);
        let place = (second - self.start).saturating_mul(width) / (self.end - self.start);
        self.left + i32::try_from(place).unwrap_or_default()
    }

    fn y(&self, value: f64) -> i32 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        #[expect(clippy::cast_possible_truncation, reason = "a share of the picture's height")]
        let place = (f64::from(self.bottom - self.top) * share).round() as i32;
        self.bottom - place
    }
}
