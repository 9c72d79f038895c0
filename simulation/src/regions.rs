//! Delays between regions of the world, measured between 33 regions of one cloud.

use std::sync::LazyLock;

use cross_shard_msg::{Duration, NodeId};

use crate::links::{Link, Links};

/// Delays and jitters by pair; the file says where they are from.
const MATRIX: &str = include_str!("../data/aws-regions.txt");

/// A region, such as `eu-central-1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(usize);

/// There is no such region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownRegion(pub String);

impl std::fmt::Display for UnknownRegion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known: Vec<&str> = Region::all().map(Region::name).collect();
        write!(f, "there is no region `{}`; there are {}", self.0, known.join(", "))
    }
}

impl std::error::Error for UnknownRegion {}

impl Region {
    /// The region of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Self, UnknownRegion> {
        let mut all = Self::all();
        all.find(|region| region.name() == name).ok_or_else(|| UnknownRegion(name.to_owned()))
    }

    /// All regions, by name.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..ROWS.len()).map(Self)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        ROWS.get(self.0).map_or("", |row| row.name)
    }

    /// The link from here to another region, or within this one.
    #[must_use]
    pub fn link_to(self, to: Self) -> Link {
        let link = ROWS.get(self.0).and_then(|row| row.links.get(to.0));
        link.copied().unwrap_or(Link { delay: Duration::ZERO, jitter: Duration::ZERO })
    }
}

impl Links {
    /// Gives all links between these nodes the delays between the regions that they are in.
    #[must_use]
    pub fn with_regions(mut self, nodes: &[(NodeId, Region)]) -> Self {
        for (from, here) in nodes {
            for (to, there) in nodes.iter().filter(|(to, _)| to != from) {
                self = self.with(*from, *to, here.link_to(*there));
            }
        }
        self
    }
}

/// One sender's links, by receiver.
struct Row {
    name: &'static str,
    links: Vec<Link>,
}

/// The matrix, read once.
static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let rows = MATRIX.lines().filter(|line| !line.starts_with('#'));
    rows.map(|row| {
        let mut cells = row.split(' ');
        let name = cells.next().unwrap_or_default();
        Row { name, links: cells.map(link).collect() }
    })
    .collect()
});

/// `delay/jitter`, in microseconds.
fn link(cell: &str) -> Link {
    let (delay, jitter) = cell.split_once('/').unwrap_or_default();
    let micros = |text: &str| Duration::from_micros(text.parse().unwrap_or_default());
    Link { delay: micros(delay), jitter: micros(jitter) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_has_a_delay() {
        assert_eq!(Region::all().count(), 33);
        for (from, to) in Region::all().flat_map(|a| Region::all().map(move |b| (a, b))) {
            let link = from.link_to(to);
            assert!(link.delay > Duration::ZERO && link.delay < Duration::from_millis(400));
        }
        let (paris, sydney) = (Region::named("eu-west-3"), Region::named("ap-southeast-2"));
        let far = paris.unwrap().link_to(sydney.unwrap()).delay;
        assert!(far > Duration::from_millis(100), "{far}");
        let unknown = Region::named("atlantis-1").unwrap_err().to_string();
        assert!(unknown.contains("`atlantis-1`") && unknown.contains("eu-west-3"), "{unknown}");
    }
}
