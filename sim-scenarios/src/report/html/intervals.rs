//! Dots with intervals, one row below the other: effects and differences.
//!
//! As in [`super::chart`], the table has one row for each row of the plot, and the tooltip says what
//! the table says.

use super::chart::heading;
use super::markup::{Table, escaped, shortened};
use super::scale::{Axis, pixel};

/// Height of a row.
const ROW: f64 = 21.0;
/// Height of a group's name, above its rows.
const GROUP: f64 = 27.0;
const TOP: f64 = 8.0;
/// Above the plot, for names of references.
const REFERENCE: f64 = 15.0;
const BOTTOM: f64 = 28.0;
const RIGHT: f64 = 22.0;
/// About the width of a character.
const CHARACTER: f64 = 6.1;
/// Between the dots of one row.
const APART: f64 = 5.5;

/// How wide it is: beside another chart, or alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// One of two beside each other.
    Half,
    /// The whole page.
    Whole,
}

/// The plot.
#[derive(Clone, Debug)]
pub(super) struct Intervals {
    /// What it shows.
    pub title: String,
    /// Of what, in which unit.
    pub unit: String,
    /// From left to right.
    pub x: Axis,
    /// From top to bottom.
    pub rows: Vec<IntervalRow>,
    /// Lines that values are compared with.
    pub references: Vec<Reference>,
    /// Names of colours, if the rows do not say it.
    pub legend: Vec<(String, &'static str)>,
    /// One row per row of the plot.
    pub table: Table,
    /// What a reader must know; may be empty.
    pub note: String,
    /// How wide it is.
    pub width: Width,
}

/// A row.
#[derive(Clone, Debug)]
pub(super) struct IntervalRow {
    /// The name of the group that begins here; empty: it goes on.
    pub group: String,
    /// Its name.
    pub name: String,
    /// Its dots.
    pub dots: Vec<Dot>,
}

/// A line that rows are compared with.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    /// Where it is.
    pub value: f64,
    /// Its name; stands above the plot if it begins with the first row.
    pub name: String,
    /// Colour.
    pub class: &'static str,
    /// From the first to the last row that it belongs to.
    pub rows: (usize, usize),
}

/// A dot with its interval.
#[derive(Clone, Debug)]
pub(super) struct Dot {
    /// The value.
    pub value: f64,
    /// From, to.
    pub interval: Option<(f64, f64)>,
    /// Colour.
    pub class: &'static str,
    /// Filled, or only its outline.
    pub filled: bool,
}

impl Intervals {
    /// The figure: title, drawing, note, table.
    #[must_use]
    pub fn html(&self) -> String {
        let heading = heading(&self.title, &self.unit);
        let note = match self.note.as_str() {
            "" => String::new(),
            note => format!("<p class=\"note\">{}</p>", escaped(note)),
        };
        let legend: String = self
            .legend
            .iter()
            .map(|(name, class)| {
                format!("<span><i class=\"dot round {class}\"></i>{}</span>", escaped(name))
            })
            .collect();
        let legend = match legend.as_str() {
            "" => String::new(),
            legend => format!("<p class=\"legend\">{legend}</p>"),
        };
        let class = match self.width {
            Width::Half => "chart",
            Width::Whole => "chart whole",
        };
        let table = self.table.details("Table");
        format!("<figure class=\"{class}\">{heading}{legend}{}{note}{table}</figure>\n", self.svg())
    }

    fn svg(&self) -> String {
        let (width, most) = match self.width {
            Width::Half => (460.0, 26),
            Width::Whole => (940.0, 46),
        };
        let longest = self.rows.iter().map(|row| row.name.chars().count().min(most)).max();
        let left = 16.0 + CHARACTER * longest.unwrap_or(0) as f64;
        let right = width - RIGHT;
        let named = |it: &Reference| !it.name.is_empty() && it.rows.0 == 0;
        let room = if self.references.iter().any(named) { REFERENCE } else { 0.0 };
        let top = TOP + room;
        let mut at = Vec::new();
        let mut y = top;
        for row in &self.rows {
            y += if row.group.is_empty() { 0.0 } else { GROUP };
            at.push(y + ROW / 2.0);
            y += ROW;
        }
        let bottom = y + 4.0;
        let places: Vec<String> = at.iter().map(|y| pixel(*y)).collect();
        let mut svg = format!(
            "<svg viewBox=\"0 0 {width} {}\" role=\"img\" aria-label=\"{}, {}\" data-along=\"y\" \
             data-at=\"{}\" data-plot=\"{} {right} {} {}\">",
            pixel(bottom + BOTTOM),
            escaped(&self.title),
            escaped(&self.unit),
            places.join(" "),
            pixel(left),
            pixel(top),
            pixel(bottom),
        );
        let place = |value: f64| self.x.at(value, left, right);
        for (value, name) in &self.x.ticks {
            svg.push_str(&format!(
                "<path class=\"grid\" d=\"M{0} {1}V{2}\"/><text class=\"tick middle\" x=\"{0}\" \
                 y=\"{3}\">{4}</text>",
                pixel(place(*value)),
                pixel(top),
                pixel(bottom),
                pixel(bottom + 17.0),
                escaped(name)
            ));
        }
        self.references(&place, &at, right, &mut svg);
        for (row, y) in self.rows.iter().zip(&at) {
            if !row.group.is_empty() {
                svg.push_str(&format!(
                    "<text class=\"group\" x=\"0\" y=\"{}\">{}</text>",
                    pixel(y - ROW / 2.0 - 7.0),
                    shortened(&row.group, most)
                ));
            }
            svg.push_str(&format!(
                "<path class=\"row\" d=\"M{} {1}H{right}\"/><text class=\"tick end\" x=\"{2}\" \
                 y=\"{1}\" dy=\".34em\">{3}</text>",
                pixel(left),
                pixel(*y),
                pixel(left - 8.0),
                shortened(&row.name, most)
            ));
            let first = y - APART * (row.dots.len().saturating_sub(1)) as f64 / 2.0;
            for (index, dot) in row.dots.iter().enumerate() {
                dot.draw(first + APART * index as f64, &place, &mut svg);
            }
        }
        svg.push_str("</svg>");
        svg
    }

    fn references(&self, place: &impl Fn(f64) -> f64, at: &[f64], right: f64, svg: &mut String) {
        let mut free_from = f64::MIN;
        let mut sorted: Vec<&Reference> = self.references.iter().collect();
        sorted.sort_by(|one, other| one.value.total_cmp(&other.value));
        let height = |row: usize| at.get(row).or(at.last()).copied().unwrap_or(0.0);
        for Reference { value, name, class, rows } in sorted {
            let x = place(*value);
            let from = match rows.0 {
                0 if !name.is_empty() => TOP + REFERENCE - 2.0,
                first => height(first) - ROW / 2.0,
            };
            let to = height(rows.1) + ROW / 2.0;
            svg.push_str(&format!(
                "<path class=\"reference {class}\" d=\"M{0} {1}V{2}\"><title>{3}</title></path>",
                pixel(x),
                pixel(from),
                pixel(to),
                escaped(name)
            ));
            let width = CHARACTER * name.chars().count() as f64;
            // Names stand in the middle of their lines, but not beyond the plot, nor on each other.
            let begin = (x - width / 2.0).min(right + RIGHT - width).max(free_from);
            let fits = begin + width <= right + RIGHT;
            if !name.is_empty() && rows.0 == 0 && fits {
                svg.push_str(&format!(
                    "<text class=\"reference-name {class}\" x=\"{}\" y=\"{}\">{}</text>",
                    pixel(begin),
                    pixel(TOP + 8.0),
                    escaped(name)
                ));
                free_from = begin + width + 10.0;
            }
        }
    }
}

impl Dot {
    fn draw(&self, y: f64, place: &impl Fn(f64) -> f64, svg: &mut String) {
        let class = self.class;
        if let Some((low, high)) = self.interval {
            let (low, high) = (place(low), place(high));
            svg.push_str(&format!(
                "<path class=\"interval {class}\" d=\"M{} {}H{}\"/>",
                pixel(low),
                pixel(y),
                pixel(high.max(low + 0.1))
            ));
        }
        svg.push_str(&format!(
            "<circle class=\"{} {class}\" cx=\"{}\" cy=\"{}\" r=\"4\"/>",
            if self.filled { "filled" } else { "hollow" },
            pixel(place(self.value)),
            pixel(y)
        ));
    }
}
