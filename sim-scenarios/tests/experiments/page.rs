//! What must hold of every page: well-formed, nothing from elsewhere, the numbers of data files.

use std::path::Path;

use crate::browser_support::sound;

/// Checks a page, without and with a browser. `number` is what the data file has at a key, as text;
/// there are at least so many numbers and charts.
pub fn checked(
    path: &Path,
    number: impl Fn(&str) -> Option<String>,
    least_numbers: usize,
    least_charts: usize,
) -> String {
    let page = std::fs::read_to_string(path).unwrap();
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let tree = roxmltree::Document::parse_with_options(&page, options)
        .unwrap_or_else(|error| panic!("{}: not well-formed: {error}", path.display()));
    let (mut numbers, mut charts) = (0, 0);
    for node in tree.descendants().filter(roxmltree::Node::is_element) {
        for attribute in ["src", "href"] {
            let elsewhere = node.attribute(attribute).unwrap_or_default();
            let is_here = elsewhere.is_empty() || elsewhere.starts_with(['#']);
            assert!(is_here || elsewhere.starts_with("data:"), "{attribute}=\"{elsewhere}\"");
        }
        if let Some(key) = node.attribute("data-key") {
            let found = number(key).unwrap_or_else(|| panic!("the files have no {key}"));
            let shown = node.attribute("data-value").unwrap_or_default();
            assert!(are_equal(shown, &found), "{key}: {shown}, but the files say {found}");
            numbers += 1;
        }
        charts += usize::from(node.attribute("data-at").is_some());
    }
    assert!(numbers >= least_numbers, "{numbers} numbers");
    assert!(charts >= least_charts, "{charts} charts");
    assert!(!page.contains("NaN") && !page.contains(">inf"), "a number that is none");
    if let Some((shown, figures)) = sound(path) {
        assert_eq!((shown as usize, figures.len()), (charts, numbers));
    }
    page
}

/// Readers of JSON may get the last bit of a long number wrong.
fn are_equal(one: &str, other: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    let close = |(one, other): (f64, f64)| (one - other).abs() <= 1e-12 * one.abs();
    one == other || number(one).zip(number(other)).is_some_and(close)
}
