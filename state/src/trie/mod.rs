//! An incremental Merkle-Patricia trie (Ethereum's), kept in an arena.
//!
//! A branch and the extension above it are one node. Leaves and branches store a whole path from the
//! root, so that splitting and collapsing change no path, only the depth at which a node begins,
//! which every walk knows. A branch stores its children's references beside their links: hashing it
//! reads no child, and a reference that is not there marks what must be hashed anew.
//!
//! Values are hashed through a [`LeafEncoder`], so a leaf may hold an index instead of the value.

mod encode;
mod key;
pub mod ordered;
mod prove;
pub mod verify;

pub use encode::LeafEncoder;
use encode::{Buffers, NodeRef};
pub use key::TrieKey;
use key::first_difference;

/// A trie from [`TrieKey`] to `V`.
#[derive(Clone, Debug)]
pub struct Trie<V> {
    leaves: Vec<Leaf<V>>,
    branches: Vec<Branch>,
    free_leaves: Vec<u32>,
    free_branches: Vec<u32>,
    /// The root node under no nibble; its reference is unset while anything is dirty.
    root: Option<Child>,
    buffers: Buffers,
}

impl<V> Default for Trie<V> {
    fn default() -> Self {
        Self {
            leaves: Vec::new(),
            branches: Vec::new(),
            free_leaves: Vec::new(),
            free_branches: Vec::new(),
            root: None,
            buffers: Buffers::default(),
        }
    }
}

impl<V: Copy> Trie<V> {
    /// The value at `key`.
    pub fn get(&self, key: &TrieKey) -> Option<V> {
        let mut node = self.root.as_ref()?.node;
        loop {
            match node.kind() {
                Kind::Leaf(leaf) => {
                    let leaf = &self.leaves[leaf];
                    return (leaf.key == *key).then_some(leaf.value);
                }
                Kind::Branch(branch) => {
                    let branch = &self.branches[branch];
                    if key.len() < branch.depth() {
                        return None;
                    }
                    // Whether the path above agrees is settled at the leaf, by the whole key.
                    node = match branch.position_below(key) {
                        Position::Terminal => branch.terminal?,
                        Position::Child(_, position) => branch.children[position.ok()?].node,
                    };
                }
            }
        }
    }

    /// Sets the value at `key` and returns the one that was there. The path to it is hashed anew at
    /// the next [`Trie::root`], whether or not the value differs.
    pub fn insert(&mut self, key: TrieKey, value: V) -> Option<V> {
        if self.root.is_none() {
            let node = self.new_leaf(key, value);
            self.root = Some(Child::new(0, node));
            return None;
        }
        let mut link = Link::Root;
        loop {
            let node = self.enter(link)?;
            match node.kind() {
                Kind::Leaf(index) => {
                    let leaf = &mut self.leaves[index];
                    if leaf.key == key {
                        return Some(std::mem::replace(&mut leaf.value, value));
                    }
                    let depth = first_difference(leaf.key.padded(), key.padded())
                        .min(leaf.key.len())
                        .min(key.len());
                    self.split(link, node, depth, key, value);
                    return None;
                }
                Kind::Branch(index) => {
                    let branch = &self.branches[index];
                    let common = first_difference(&branch.path, key.padded()).min(key.len());
                    if common < branch.depth() {
                        self.split(link, node, common, key, value);
                        return None;
                    }
                    match branch.position_below(&key) {
                        Position::Terminal => match branch.terminal.map(NodeId::kind) {
                            Some(Kind::Leaf(leaf)) => {
                                let old = std::mem::replace(&mut self.leaves[leaf].value, value);
                                return Some(old);
                            }
                            _ => {
                                let leaf = self.new_leaf(key, value);
                                self.branches[index].terminal = Some(leaf);
                                return None;
                            }
                        },
                        Position::Child(_, Ok(position)) => {
                            link = Link::Child(index as u32, position as u8);
                        }
                        Position::Child(nibble, Err(position)) => {
                            let leaf = self.new_leaf(key, value);
                            let children = &mut self.branches[index].children;
                            children.reserve_exact(1);
                            children.insert(position, Child::new(nibble, leaf));
                            return None;
                        }
                    }
                }
            }
        }
    }

    /// Removes `key` and returns its value.
    pub fn remove(&mut self, key: &TrieKey) -> Option<V> {
        let value = self.get(key)?;
        let mut above = Link::Root;
        let mut link = Link::Root;
        loop {
            match self.enter(link)?.kind() {
                Kind::Leaf(leaf) => {
                    self.free_leaves.push(leaf as u32);
                    match link {
                        Link::Root => self.root = None,
                        Link::Child(branch, position) => {
                            let children = &mut self.branches[branch as usize].children;
                            children.remove(usize::from(position));
                            self.collapse(above, branch);
                        }
                    }
                    return Some(value);
                }
                Kind::Branch(index) => match self.branches[index].position_below(key) {
                    Position::Terminal => {
                        if let Some(leaf) = self.branches[index].terminal.take() {
                            self.free_leaves.push(leaf.index());
                        }
                        self.collapse(link, index as u32);
                        return Some(value);
                    }
                    Position::Child(_, position) => {
                        above = link;
                        link = Link::Child(index as u32, position.ok()? as u8);
                    }
                },
            }
        }
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.leaves.len() - self.free_leaves.len()
    }

    /// True without any key.
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Keys and values in ascending order of keys.
    pub fn entries(&self) -> Vec<(TrieKey, V)> {
        let mut entries = Vec::with_capacity(self.len());
        let mut pending: Vec<NodeId> = self.root.iter().map(|root| root.node).collect();
        while let Some(node) = pending.pop() {
            match node.kind() {
                Kind::Leaf(leaf) => entries.push((self.leaves[leaf].key, self.leaves[leaf].value)),
                Kind::Branch(branch) => {
                    let branch = &self.branches[branch];
                    pending.extend(branch.children.iter().rev().map(|child| child.node));
                    pending.extend(branch.terminal);
                }
            }
        }
        entries
    }

    /// The node that `link` leads to; its reference is unset, because the caller changes it.
    fn enter(&mut self, link: Link) -> Option<NodeId> {
        let child = match link {
            Link::Root => self.root.as_mut()?,
            Link::Child(branch, position) => {
                &mut self.branches[branch as usize].children[usize::from(position)]
            }
        };
        child.reference = NodeRef::UNSET;
        Some(child.node)
    }

    fn point(&mut self, link: Link, node: NodeId) {
        let child = match link {
            Link::Root => self.root.get_or_insert(Child::new(0, node)),
            Link::Child(branch, position) => {
                &mut self.branches[branch as usize].children[usize::from(position)]
            }
        };
        child.node = node;
        child.reference = NodeRef::UNSET;
    }

    /// Puts a branch at `depth` over `node`, and a new leaf beside `node`.
    fn split(&mut self, link: Link, node: NodeId, depth: usize, key: TrieKey, value: V) {
        let leaf = self.new_leaf(key, value);
        let mut branch = Branch {
            path: *key.padded(),
            depth: depth as u8,
            children: Vec::with_capacity(2),
            terminal: None,
        };
        for node in [node, leaf] {
            let (path, end) = match node.kind() {
                Kind::Leaf(leaf) => {
                    (self.leaves[leaf].key.padded(), self.leaves[leaf].key.len() == depth)
                }
                Kind::Branch(below) => (&self.branches[below].path, false),
            };
            if end {
                branch.terminal = Some(node);
            } else {
                let child = Child::new(key::nibble(path, depth), node);
                let at = branch.children.partition_point(|c| c.nibble < child.nibble);
                branch.children.insert(at, child);
            }
        }
        let id = match self.free_branches.pop() {
            Some(free) => {
                self.branches[free as usize] = branch;
                NodeId::branch(free as usize)
            }
            None => {
                self.branches.push(branch);
                NodeId::branch(self.branches.len() - 1)
            }
        };
        self.point(link, id);
    }

    /// Replaces a branch with one entry by that entry.
    fn collapse(&mut self, link: Link, index: u32) {
        let branch = &mut self.branches[index as usize];
        let only = match (branch.children.as_slice(), branch.terminal) {
            ([child], None) => child.node,
            ([], Some(leaf)) => leaf,
            _ => return,
        };
        branch.children = Vec::new();
        branch.terminal = None;
        self.free_branches.push(index);
        self.point(link, only);
    }

    fn new_leaf(&mut self, key: TrieKey, value: V) -> NodeId {
        let leaf = Leaf { key, value };
        match self.free_leaves.pop() {
            Some(free) => {
                self.leaves[free as usize] = leaf;
                NodeId::leaf(free as usize)
            }
            None => {
                self.leaves.push(leaf);
                NodeId::leaf(self.leaves.len() - 1)
            }
        }
    }
}

#[derive(Clone, Debug)]
struct Leaf<V> {
    key: TrieKey,
    value: V,
}

/// A branch together with the extension above it, if its depth is below where it begins.
#[derive(Clone, Debug)]
struct Branch {
    /// The path of some leaf below (perhaps removed since); its first `depth` nibbles are shared by
    /// all of them.
    path: [u8; 32],
    depth: u8,
    /// In order of nibbles.
    children: Vec<Child>,
    /// The leaf whose key ends here; only in tries with keys of different lengths.
    terminal: Option<NodeId>,
}

impl Branch {
    fn depth(&self) -> usize {
        usize::from(self.depth)
    }

    /// Where `key`, which is at least `depth` long, goes on below this branch.
    fn position_below(&self, key: &TrieKey) -> Position {
        if key.len() == self.depth() {
            return Position::Terminal;
        }
        let nibble = key.nibble(self.depth());
        if self.children.len() == 16 {
            return Position::Child(nibble, Ok(usize::from(nibble)));
        }
        let position = self.children.iter().position(|c| c.nibble >= nibble);
        let position = match position {
            Some(at) if self.children[at].nibble == nibble => Ok(at),
            Some(at) => Err(at),
            None => Err(self.children.len()),
        };
        Position::Child(nibble, position)
    }
}

enum Position {
    Terminal,
    /// The nibble, and where its child is or would be.
    Child(u8, Result<usize, usize>),
}

#[derive(Clone, Debug)]
struct Child {
    reference: NodeRef,
    nibble: u8,
    node: NodeId,
}

impl Child {
    fn new(nibble: u8, node: NodeId) -> Self {
        Self { reference: NodeRef::UNSET, nibble, node }
    }
}

/// The place that points to a node.
#[derive(Clone, Copy)]
enum Link {
    Root,
    /// Branch and position among its children.
    Child(u32, u8),
}

/// Index of a leaf or a branch; the top bit tells which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct NodeId(u32);

enum Kind {
    Leaf(usize),
    Branch(usize),
}

impl NodeId {
    const LEAF: u32 = 1 << 31;

    fn leaf(index: usize) -> Self {
        assert!(index < Self::LEAF as usize, "a trie holds < 2^31 leaves");
        Self(index as u32 | Self::LEAF)
    }

    fn branch(index: usize) -> Self {
        assert!(index < Self::LEAF as usize, "a trie holds < 2^31 branches");
        Self(index as u32)
    }

    fn index(self) -> u32 {
        self.0 & !Self::LEAF
    }

    fn kind(self) -> Kind {
        if self.0 & Self::LEAF == 0 {
            Kind::Branch(self.0 as usize)
        } else {
            Kind::Leaf(self.index() as usize)
        }
    }
}
