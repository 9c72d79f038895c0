//! A page in a headless Chromium: what it reports about itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Runs before the page's own script, and reports into the page when all is loaded.
const PROBE: &str = r#"<script>
(() => {
  const errors = [];
  addEventListener('error', (event) => errors.push(String(event.message)), true);
  document.addEventListener('securitypolicyviolation', (event) => errors.push(event.blockedURI));
  addEventListener('load', () => {
    const root = document.documentElement;
    const themes = [0, 1].map(() => {
      document.getElementById('theme').click();
      return root.dataset.theme + getComputedStyle(document.body).backgroundColor;
    });
    const tip = document.getElementById('tip');
    const silent = [];
    const charts = [...document.querySelectorAll('svg[data-at]')];
    for (const svg of charts) {
      const box = svg.getBoundingClientRect();
      const [left, right, top, bottom] = svg.dataset.plot.split(' ').map(Number);
      const scale = box.width / svg.viewBox.baseVal.width;
      svg.dispatchEvent(new PointerEvent('pointermove', {
        clientX: box.left + (left + right) / 2 * scale,
        clientY: box.top + (top + bottom) / 2 * scale,
      }));
      const told = [...tip.querySelectorAll('dd')].map((cell) => cell.textContent).join('|');
      const rows = [...svg.closest('figure').querySelectorAll('tbody tr')];
      const texts = rows.map((row) => [...row.cells].map((cell) => cell.textContent).join('|'));
      const shown = getComputedStyle(tip).display === 'block';
      if (!shown || !texts.includes(told)) silent.push(svg.getAttribute('aria-label'));
    }
    const figures = [...document.querySelectorAll('[data-key]')];
    const result = {
      errors,
      requests: performance.getEntriesByType('resource').map((entry) => entry.name),
      themes,
      charts: charts.length,
      silent,
      figures: figures.map((it) => [it.dataset.key, it.dataset.value, it.textContent]),
      wide: root.scrollWidth - root.clientWidth,
    };
    const out = document.createElement('pre');
    out.id = 'probe';
    out.textContent = JSON.stringify(result);
    document.body.append(out);
  });
})();
</script>"#;

/// The browser, if there is one.
pub fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let places = std::env::split_paths(&path).flat_map(|at| names.map(|name| at.join(name)));
    places.into_iter().find(|program| program.is_file())
}

/// What the probe found on the page at this width; nothing may be on the console.
pub fn visit(chromium: &Path, page: &Path, width: u32) -> Value {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new("timeout")
        .arg("120")
        .arg(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update"])
        .args(["--enable-logging=stderr", "--v=0", "--dump-dom"])
        .arg(format!("--window-size={width},900"))
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let console: Vec<&str> = told.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(console.is_empty(), "{console:?}");
    let page = String::from_utf8_lossy(&output.stdout).into_owned();
    let found =
        page.split("<pre id=\"probe\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    let found = found.unwrap_or_else(|| panic!("the page did not load:\n{told}"));
    let text = found.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&text).unwrap()
}

/// A copy of the page that reports about itself, beside it.
pub fn probed(page: &Path) -> PathBuf {
    let text = std::fs::read_to_string(page).unwrap();
    let probed = page.with_extension("probed.html");
    std::fs::write(&probed, text.replacen("<head>", &format!("<head>{PROBE}"), 1)).unwrap();
    probed
}

/// Looks at a page in wide and narrow windows, light and dark: no error, no request, every chart
/// answers the pointer with a row of its table, nothing is wider than the window. Returns its charts
/// and its numbers (key, value, text); `None` without a browser.
pub fn sound(page: &Path) -> Option<(u64, Vec<[String; 3]>)> {
    let Some(chromium) = chromium() else {
        eprintln!("SKIPPED the report in a browser: there is no chromium on this machine");
        return None;
    };
    let probed = probed(page);
    let mut seen = None;
    for width in [1280, 400] {
        let found = visit(&chromium, &probed, width);
        for nothing in ["errors", "requests", "silent"] {
            assert_eq!(found[nothing], serde_json::json!([]), "{nothing}");
        }
        assert_eq!(found["wide"], 0, "wider than a window of {width}");
        assert_ne!(found["themes"][0], found["themes"][1]);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let figures = found["figures"].as_array().unwrap().iter();
        let figures = figures.map(|it| [text(&it[0]), text(&it[1]), text(&it[2])]).collect();
        seen = Some((found["charts"].as_u64().unwrap(), figures));
    }
    seen
}
