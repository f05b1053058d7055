//! A curve as an SVG, drawn here: no script, no inline style, a sentence for whoever does not see it. Pure.

use askama::Template;
use tatau_model::Millis;

/// Size of the drawing in its own units; it scales with the page.
const WIDTH: i64 = 720;
const HEIGHT: i64 = 200;
/// Room for the numbers at the left, and for the hours below.
const LEFT: i64 = 84;
const BELOW: i64 = 30;
const ABOVE: i64 = 22;
/// Points that are drawn; more would lie on the same pixel.
const MOST_POINTS: usize = 240;
/// Two points further apart than this share of the span are not joined: nobody looked in between.
const GAP_PARTS: i64 = 24;

/// One moment and its value; `None` where there was none.
pub(crate) type Point = (Millis, Option<i64>);

/// What is drawn.
pub(crate) struct Curve<'a> {
    /// Oldest first.
    pub points: &'a [Point],
    pub from: Millis,
    pub to: Millis,
    /// Filled to the ground, which is then zero.
    pub area: bool,
    /// A value as text, for the axis.
    pub text: &'a dyn Fn(i64) -> String,
    /// What the curve shows.
    pub title: &'a str,
}

#[derive(Template)]
#[template(path = "pages/chart.svg", escape = "html")]
pub(crate) struct Svg {
    title: String,
    line: String,
    area: String,
    levels: Vec<(i64, String)>,
    left: i64,
    right: i64,
    width: i64,
    height: i64,
    text_y: i64,
    begin: String,
}

/// The drawing; `None` where there are no two points.
pub(crate) fn draw(curve: &Curve<'_>) -> Option<Svg> {
    let points = thin(curve.points, curve.from, curve.to);
    let values: Vec<i64> = points.iter().filter_map(|(_, value)| *value).collect();
    let (least, most) = (values.iter().min()?, values.iter().max()?);
    if values.len() < 2 {
        return None;
    }
    let (low, high) = range(*least, *most, curve.area);
    let ground = HEIGHT - BELOW;
    let x = |at: Millis| LEFT + scale(at.0 - curve.from.0, curve.to.0 - curve.from.0, WIDTH - LEFT);
    let y = |value: i64| ground - scale(value - low, high - low, ground - ABOVE);
    let gap = (curve.to.0 - curve.from.0) / GAP_PARTS;
    let runs = runs(&points, gap);
    let path = |run: &[(Millis, i64)]| {
        let step = |(n, (at, value)): (usize, &(Millis, i64))| {
            format!("{}{} {}", if n == 0 { "M" } else { "L" }, x(*at), y(*value))
        };
        run.iter().enumerate().map(step).collect::<String>()
    };
    let line: String = runs.iter().map(|run| path(run)).collect();
    let close = |run: &Vec<(Millis, i64)>| match (run.first(), run.last()) {
        (Some(first), Some(last)) => format!("{}L{} {ground}L{} {ground}Z", path(run), x(last.0), x(first.0)),
        _ => String::new(),
    };
    let area = if curve.area { runs.iter().map(close).collect() } else { String::new() };
    let last = values.last().copied().unwrap_or(*most);
    let text = curve.text;
    Some(Svg {
        title: format!(
            "{}: now {}, lowest {}, highest {}",
            curve.title,
            text(last),
            text(*least),
            text(*most)
        ),
        line,
        area,
        levels: [low, low + (high - low) / 2, high].map(|value| (y(value), text(value))).into(),
        left: LEFT,
        right: WIDTH,
        width: WIDTH,
        height: HEIGHT,
        text_y: HEIGHT - 4,
        begin: tatau_ui::words::ago(curve.from, curve.to),
    })
}

/// At most so many points, evenly spread in time: the last of each slot.
fn thin(points: &[Point], from: Millis, to: Millis) -> Vec<Point> {
    let span = (to.0 - from.0).max(1);
    let slot = |at: Millis| (at.0 - from.0).saturating_mul(MOST_POINTS as i64) / span;
    let mut kept: Vec<Point> = Vec::new();
    for point in points.iter().filter(|(at, _)| *at >= from && *at <= to) {
        match kept.last_mut() {
            Some(last) if slot(last.0) == slot(point.0) => *last = *point,
            _ => kept.push(*point),
        }
    }
    kept
}

/// The axis' ends: zero for an area, else a little beyond the values.
fn range(least: i64, most: i64, area: bool) -> (i64, i64) {
    if area {
        return (0, most.max(1));
    }
    let room = ((most - least) / 8).max(most / 50).max(1);
    ((least - room).max(0), most.saturating_add(room))
}

fn scale(part: i64, whole: i64, to: i64) -> i64 {
    let scaled = i128::from(part) * i128::from(to) / i128::from(whole.max(1));
    i64::try_from(scaled).unwrap_or(0)
}

/// Points that follow each other closely, as separate lines.
fn runs(points: &[Point], gap: i64) -> Vec<Vec<(Millis, i64)>> {
    let mut runs: Vec<Vec<(Millis, i64)>> = Vec::new();
    let mut before: Option<Millis> = None;
    for (at, value) in points {
        let Some(value) = value else {
            before = None;
            continue;
        };
        match runs.last_mut() {
            Some(run) if before.is_some_and(|then| at.0 - then.0 <= gap) => run.push((*at, *value)),
            _ => runs.push(vec![(*at, *value)]),
        }
        before = Some(*at);
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(points: &[Point], area: bool) -> String {
        let text = |value: i64| format!("<{value}>");
        draw(&Curve { points, from: Millis(0), to: Millis(2_400), area, text: &text, title: "Price & more" })
            .map(|svg| svg.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn a_curve_is_drawn_with_its_axis_and_its_sentence() {
        let svg = drawn(&[(Millis(0), Some(100)), (Millis(100), Some(200)), (Millis(200), Some(150))], false);
        assert!(
            svg.contains("Price &#38; more: now &#60;150&#62;, lowest &#60;100&#62;, highest &#60;200&#62;"),
            "{svg}"
        );
        assert!(svg.contains("M84 ") && svg.matches("M84 ").count() == 1, "{svg}");
        assert!(!svg.contains("style=") && !svg.contains("<script"));
    }

    #[test]
    fn gaps_are_not_bridged_and_too_little_is_nothing() {
        let points = [
            (Millis(0), Some(1)),
            (Millis(100), Some(2)),
            (Millis(200), None),
            (Millis(300), Some(3)),
            (Millis(2_000), Some(3)),
        ];
        assert_eq!(runs(&points, 100).len(), 3);
        assert_eq!(drawn(&[], true), "");
        assert_eq!(drawn(&[(Millis(5), Some(1))], true), "");
        assert!(drawn(&points, true).contains('Z'), "an area is closed");
    }

    #[test]
    fn many_points_are_thinned_and_huge_values_fit() {
        let many: Vec<Point> = (0..2_400).map(|n| (Millis(n), Some(i64::MAX / 2 + n))).collect();
        assert_eq!(thin(&many, Millis(0), Millis(2_400)).len(), MOST_POINTS);
        assert!(!drawn(&many, false).is_empty());
    }
}
