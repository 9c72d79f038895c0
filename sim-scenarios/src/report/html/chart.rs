//! Line and bar charts as SVG, each with its title, its table and what the tooltip needs.
//!
//! A chart's table has one row for each value of `at`; the tooltip shows the row that is nearest to
//! the pointer, so it says what the table says.

use super::markup::{Table, escaped, shortened};
use super::scale::{Axis, pixel};

/// Width of every chart in its own pixels; the page scales it.
const WIDTH: f64 = 460.0;
/// Height of a chart.
const HEIGHT: f64 = 236.0;
const LEFT: f64 = 42.0;
const BOTTOM: f64 = 26.0;
const TOP: f64 = 10.0;
/// Room to the right of lines, for their names.
const RIGHT_WITH_NAMES: f64 = 78.0;
const RIGHT: f64 = 16.0;
/// Between the names of two lines.
const NAME_HEIGHT: f64 = 14.0;
/// Rows of names above the plot for what lasts a while.
const MOST_BAND_ROWS: usize = 3;
/// Height of such a row.
const BAND_ROW: f64 = 13.0;
/// About the width of a character of such a name.
const CHARACTER: f64 = 5.6;
/// The longest name of a band, in characters.
const MOST_BAND_NAME: usize = 30;
/// The longest name of a line, in characters.
const MOST_NAME: usize = 11;

/// A chart.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    /// What it shows.
    pub title: String,
    /// Of what, in which unit.
    pub unit: String,
    /// From left to right.
    pub x: Axis,
    /// From bottom to top.
    pub y: Axis,
    /// What is drawn, from back to front.
    pub series: Vec<Series>,
    /// What lasted from one value of `x` to another: faults, migrations.
    pub bands: Vec<Band>,
    /// Values of `x` at which something begins: phases.
    pub marks: Vec<(f64, String)>,
    /// Which axis the pointer moves along.
    pub along: Along,
    /// Where the rows of the table are on that axis.
    pub at: Vec<f64>,
    /// The numbers.
    pub table: Table,
    /// What a reader must know; may be empty.
    pub note: String,
}

/// What is drawn in one colour.
#[derive(Clone, Debug)]
pub(super) struct Series {
    /// Its name, beside its end; empty for none.
    pub name: String,
    /// Its colour: a class of the style sheet.
    pub class: &'static str,
    /// How it looks.
    pub shape: Shape,
}

/// How a series looks.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// A line with gaps where there is nothing.
    Line(Vec<(f64, Option<f64>)>),
    /// The area between two lines.
    Area(Vec<(f64, Option<(f64, f64)>)>),
    /// Bars: from, to, bottom, top.
    Bars(Vec<[f64; 4]>),
    /// Single points.
    Points(Vec<(f64, f64)>),
    /// From one value of `y` to another.
    Whiskers(Vec<(f64, (f64, f64))>),
    /// Text beside points.
    Labels(Vec<(f64, f64, String)>),
}

/// What lasted a while.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Band {
    /// From and to.
    pub span: (f64, f64),
    /// Its short name.
    pub name: String,
    /// All about it.
    pub title: String,
    /// What sort: classes of the style sheet.
    pub class: &'static str,
}

/// Which axis the pointer moves along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Along {
    /// From left to right.
    X,
    /// From bottom to top.
    Y,
}

/// Where the plot is within the chart.
struct Plot {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Chart {
    /// The figure: title, drawing, note, table.
    #[must_use]
    pub fn html(&self) -> String {
        let heading = heading(&self.title, &self.unit);
        let note = match self.note.as_str() {
            "" => String::new(),
            note => format!("<p class=\"note\">{}</p>", escaped(note)),
        };
        let table = self.table.details("Table");
        format!("<figure class=\"chart\">{heading}{}{note}{table}</figure>\n", self.svg())
    }

    fn svg(&self) -> String {
        let named = self.series.iter().any(|series| !series.name.is_empty());
        let right = WIDTH - if named { RIGHT_WITH_NAMES } else { RIGHT };
        let rows = self.band_rows(right);
        let room = rows.iter().flatten().max().map_or(0.0, |row| (row + 1) as f64 * BAND_ROW);
        let (top, bottom) = (TOP + room, HEIGHT + room - BOTTOM);
        let plot = Plot { left: LEFT, right, top, bottom };
        let place = |value: &f64| match self.along {
            Along::X => pixel(self.x.at(*value, plot.left, plot.right)),
            Along::Y => pixel(self.y.at(*value, plot.bottom, plot.top)),
        };
        let at: Vec<String> = self.at.iter().map(place).collect();
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{}, {}\" \
             data-along=\"{}\" data-at=\"{}\" data-plot=\"{} {} {} {}\">",
            plot.bottom + BOTTOM,
            escaped(&self.title),
            escaped(&self.unit),
            match self.along {
                Along::X => "x",
                Along::Y => "y",
            },
            at.join(" "),
            plot.left,
            plot.right,
            plot.top,
            plot.bottom,
        );
        self.bands(&plot, &rows, &mut svg);
        self.axes(&plot, &mut svg);
        for series in &self.series {
            let place = |(x, y): (f64, f64)| {
                (self.x.at(x, plot.left, plot.right), self.y.at(y, plot.bottom, plot.top))
            };
            series.shape.draw(series.class, place, &mut svg);
        }
        self.names(&plot, &mut svg);
        svg.push_str("</svg>");
        svg
    }

    fn axes(&self, plot: &Plot, svg: &mut String) {
        for (value, name) in &self.y.ticks {
            let y = pixel(self.y.at(*value, plot.bottom, plot.top));
            let class = if *value == self.y.domain.0 { "base" } else { "grid" };
            svg.push_str(&format!(
                "<path class=\"{class}\" d=\"M{} {y}H{}\"/><text class=\"tick end\" x=\"{}\" \
                 y=\"{y}\" dy=\".34em\">{}</text>",
                plot.left,
                plot.right,
                plot.left - 6.0,
                escaped(name)
            ));
        }
        for (value, name) in &self.x.ticks {
            let x = self.x.at(*value, plot.left, plot.right);
            svg.push_str(&format!(
                "<path class=\"base\" d=\"M{0} {1}v4\"/><text class=\"tick middle\" x=\"{0}\" \
                 y=\"{2}\">{3}</text>",
                pixel(x),
                pixel(plot.bottom),
                pixel(plot.bottom + 17.0),
                escaped(name)
            ));
        }
        // Names that would overlap stand in two rows.
        let mut free_from = [f64::MIN; 2];
        for (value, name) in &self.marks {
            let x = self.x.at(*value, plot.left, plot.right);
            let short = shortened(name, MOST_NAME * 2);
            svg.push_str(&format!(
                "<path class=\"mark\" d=\"M{} {}V{}\"><title>{short}</title></path>",
                pixel(x),
                pixel(plot.top),
                pixel(plot.bottom)
            ));
            let width = 6.5 * name.chars().count().min(MOST_NAME * 2) as f64;
            let free = |begin: f64, end: f64| {
                let row = free_from.iter().position(|free_from| begin >= *free_from)?;
                (end <= plot.right + 8.0).then_some((row, begin))
            };
            let beside = free(x + 4.0, x + width).or_else(|| free(x - 2.0 - width, x));
            if let Some((row, begin)) = beside {
                svg.push_str(&format!(
                    "<text class=\"mark-name\" x=\"{}\" y=\"{}\">{short}</text>",
                    pixel(begin),
                    pixel(plot.top + 9.0 + BAND_ROW * row as f64)
                ));
                free_from[row] = begin + width + 4.0;
            }
        }
    }

    /// In which row above the plot the name of each band stands, so that none overlaps another;
    /// `None` where there is no room for it.
    fn band_rows(&self, right: f64) -> Vec<Option<usize>> {
        let mut free = [f64::MIN; MOST_BAND_ROWS];
        let place = |band: &Band| {
            let from = self.x.at(band.span.0, LEFT, right);
            let width = CHARACTER * band.name.chars().count().min(MOST_BAND_NAME) as f64;
            let row = free.iter().position(|free| from >= *free)?;
            (from + width <= WIDTH).then(|| free[row] = from + width + 6.0)?;
            Some(row)
        };
        self.bands.iter().map(place).collect()
    }

    fn bands(&self, plot: &Plot, rows: &[Option<usize>], svg: &mut String) {
        for (band, row) in self.bands.iter().zip(rows) {
            let from = self.x.at(band.span.0, plot.left, plot.right);
            let to = self.x.at(band.span.1, plot.left, plot.right).max(from + 1.5);
            let top = row.map_or(plot.top, |row| TOP + row as f64 * BAND_ROW);
            svg.push_str(&format!(
                "<g class=\"{6}\"><title>{0}</title><rect x=\"{1}\" y=\"{2}\" width=\"{3}\" \
                 height=\"{4}\"/><path d=\"M{1} {2}V{5}\"/>",
                shortened(&band.title, 200),
                pixel(from),
                pixel(top),
                pixel(to - from),
                pixel(plot.bottom - top),
                pixel(plot.bottom),
                band.class,
            ));
            if row.is_some() {
                svg.push_str(&format!(
                    "<text x=\"{}\" y=\"{}\">{}</text>",
                    pixel(from + 3.0),
                    pixel(top + 10.0),
                    shortened(&band.name, MOST_BAND_NAME)
                ));
            }
            svg.push_str("</g>");
        }
    }

    /// The names of lines, beside their ends, none over another.
    fn names(&self, plot: &Plot, svg: &mut String) {
        let named = self.series.iter().filter(|series| !series.name.is_empty());
        let mut names: Vec<(f64, &Series)> = named
            .filter_map(|series| Some((series.shape.name_height()?, series)))
            .map(|(y, series)| (self.y.at(y, plot.bottom, plot.top), series))
            .collect();
        names.sort_by(|one, other| one.0.total_cmp(&other.0));
        let wanted: Vec<f64> = names.iter().map(|(y, _)| *y).collect();
        for (y, (_, series)) in spread(&wanted, plot.top + 4.0, plot.bottom).iter().zip(&names) {
            svg.push_str(&format!(
                "<text class=\"name {}\" x=\"{}\" y=\"{}\" dy=\".34em\">{}</text>",
                series.class,
                pixel(plot.right + 6.0),
                pixel(*y),
                shortened(&series.name, MOST_NAME)
            ));
        }
    }
}

/// The title of a figure.
#[must_use]
pub(super) fn heading(title: &str, unit: &str) -> String {
    format!("<figcaption><b>{}</b> <span>{}</span></figcaption>", escaped(title), escaped(unit))
}

impl Shape {
    fn draw(&self, class: &str, place: impl Fn((f64, f64)) -> (f64, f64), svg: &mut String) {
        match self {
            Self::Line(points) => {
                let path = line(points.iter().map(|(x, y)| y.map(|y| place((*x, y)))));
                svg.push_str(&format!("<path class=\"line {class}\" d=\"{path}\"/>"));
            }
            Self::Area(points) => {
                let pixels = |(x, y): (f64, f64)| {
                    let (x, y) = place((x, y));
                    format!("{} {}", pixel(x), pixel(y))
                };
                for run in points.split(|(_, span)| span.is_none()).filter(|run| !run.is_empty()) {
                    let spans = || run.iter().filter_map(|(x, span)| Some((*x, (*span)?)));
                    let up = spans().map(|(x, (_, high))| pixels((x, high)));
                    let down = spans().rev().map(|(x, (low, _))| pixels((x, low)));
                    let path = up.chain(down).collect::<Vec<_>>().join("L");
                    svg.push_str(&format!("<path class=\"area {class}\" d=\"M{path}Z\"/>"));
                }
            }
            Self::Bars(bars) => {
                let mut path = String::new();
                for [from, to, low, high] in bars {
                    let ((left, bottom), (right, top)) =
                        (place((*from, *low)), place((*to, *high)));
                    // Bars that touch are told apart by a gap.
                    let width = (right - left) * 0.92;
                    if bottom - top > 0.02 {
                        path.push_str(&format!(
                            "M{} {}h{}v{}h{}z",
                            pixel(left),
                            pixel(top),
                            pixel(width),
                            pixel(bottom - top),
                            pixel(-width)
                        ));
                    }
                }
                svg.push_str(&format!("<path class=\"bars {class}\" d=\"{path}\"/>"));
            }
            Self::Points(points) => {
                svg.push_str(&format!("<g class=\"points {class}\">"));
                for point in points {
                    let (x, y) = place(*point);
                    let (x, y) = (pixel(x), pixel(y));
                    svg.push_str(&format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"3\"/>"));
                }
                svg.push_str("</g>");
            }
            Self::Whiskers(spans) => {
                let mut path = String::new();
                for (at, (low, high)) in spans {
                    let ((x, bottom), (_, top)) = (place((*at, *low)), place((*at, *high)));
                    let (x, bottom, top) = (pixel(x), pixel(bottom), pixel(top));
                    path.push_str(&format!("M{x} {bottom}V{top}"));
                }
                svg.push_str(&format!("<path class=\"whisker {class}\" d=\"{path}\"/>"));
            }
            Self::Labels(labels) => {
                // No name lies on a dot.
                let dots = labels.iter().map(|(x, y, _)| place((*x, *y)));
                let mut taken: Vec<[f64; 4]> =
                    dots.map(|(x, y)| [x - 3.0, y - 3.0, x + 3.0, y + 3.0]).collect();
                for (x, y, text) in labels {
                    let (x, y) = place((*x, *y));
                    let Some([left, top, ..]) = free_beside((x, y), text, &taken) else { continue };
                    let width = CHARACTER * text.chars().count().min(MOST_BAND_NAME) as f64;
                    taken.push([left, top, left + width, top + NAME_HEIGHT]);
                    svg.push_str(&format!(
                        "<text class=\"label {class}\" x=\"{}\" y=\"{}\">{}</text>",
                        pixel(left),
                        pixel(top + 11.0),
                        shortened(text, MOST_BAND_NAME)
                    ));
                }
            }
        }
    }

    /// Where its name stands: at its end, or at its mean where it has run dry by then.
    fn name_height(&self) -> Option<f64> {
        let heights: Vec<f64> = match self {
            Self::Line(points) => points.iter().filter_map(|(_, y)| *y).collect(),
            Self::Area(points) => points
                .iter()
                .filter_map(|(_, span)| span.map(|(low, high)| low.midpoint(high)))
                .collect(),
            Self::Bars(bars) => {
                bars.last().map(|[_, _, low, high]| low.midpoint(*high)).into_iter().collect()
            }
            Self::Points(points) => points.iter().map(|(_, y)| *y).collect(),
            Self::Whiskers(_) | Self::Labels(_) => Vec::new(),
        };
        let end = *heights.last()?;
        let mean = heights.iter().sum::<f64>() / heights.len() as f64;
        Some(if end < mean / 10.0 { mean } else { end })
    }
}

/// A box beside a point for its name, that overlaps no other one and stays in the chart: right of it
/// or left of it, above or below.
fn free_beside((x, y): (f64, f64), name: &str, taken: &[[f64; 4]]) -> Option<[f64; 4]> {
    let width = CHARACTER * name.chars().count().min(MOST_BAND_NAME) as f64;
    let (right, left) = (x + 6.0, x - 6.0 - width);
    let places = [(right, y - 14.0), (left, y - 14.0), (right, y + 1.0), (left, y + 1.0)];
    places.into_iter().map(|(left, top)| [left, top, left + width, top + NAME_HEIGHT]).find(|it| {
        let inside = it[0] >= LEFT && it[2] <= WIDTH - 4.0 && it[1] >= 0.0;
        let apart = |other: &[f64; 4]| {
            it[2] < other[0] || other[2] < it[0] || it[3] < other[1] || other[3] < it[1]
        };
        inside && taken.iter().all(apart)
    })
}

/// A path through points; a gap where there is none, a dot where a point stands alone.
fn line(points: impl Iterator<Item = Option<(f64, f64)>>) -> String {
    let mut path = String::new();
    let mut drawing = false;
    for point in points {
        match point {
            Some((x, y)) => {
                path.push(if drawing { 'L' } else { 'M' });
                path.push_str(&format!("{} {}", pixel(x), pixel(y)));
                if !drawing {
                    path.push_str("h0");
                }
                drawing = true;
            }
            None => drawing = false,
        }
    }
    path
}

/// Moves ascending heights apart, [`NAME_HEIGHT`] from one to the next, within `from` and `to` if
/// there is room.
fn spread(wanted: &[f64], from: f64, to: f64) -> Vec<f64> {
    let mut places: Vec<f64> = Vec::with_capacity(wanted.len());
    for y in wanted {
        let least = places.last().map_or(from, |last| last + NAME_HEIGHT);
        places.push(y.max(least));
    }
    let mut most = to;
    for place in places.iter_mut().rev() {
        *place = place.min(most);
        most = *place - NAME_HEIGHT;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_overlap() {
        assert_eq!(spread(&[10.0, 12.0, 50.0], 0.0, 100.0), [10.0, 24.0, 50.0]);
        assert_eq!(spread(&[99.0, 99.0, 100.0], 0.0, 100.0), [72.0, 86.0, 100.0]);
    }

    #[test]
    fn lines_have_gaps() {
        let points = [Some((0.0, 1.0)), Some((1.0, 1.0)), None, Some((3.0, 2.0))];
        assert_eq!(line(points.into_iter()), "M0 1h0L1 1M3 2h0");
    }
}
