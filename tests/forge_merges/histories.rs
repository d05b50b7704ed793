//! Random histories for git fast-import: edits, renames, moved folders, modes, links, modules, binary files, criss-cross.
//!
//! What is random is a seed's, so a failure comes again.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Pairs of commits to merge, as marks of the stream.
pub(super) struct Histories {
    pub(super) stream: Vec<u8>,
    pub(super) pairs: Vec<(usize, usize)>,
    random: Random,
    commits: usize,
}

type Tree = BTreeMap<String, (&'static str, Vec<u8>)>;

const MODULE: &str = "160000";
const LINK: &str = "120000";
const FOLDERS: [&str; 6] = ["", "a/", "a/b/", "c/", "d/e/", "a/x/"];
const NAMES: [&str; 7] = ["f", "g", "h", "i", "j", "k", "l"];

impl Histories {
    pub(super) fn new(seed: u64, count: usize) -> Self {
        let mut histories = Histories { stream: Vec::new(), pairs: Vec::new(), random: Random(seed), commits: 0 };
        for number in 0..count {
            let pair = histories.pair(number % 4 == 3);
            histories.pairs.push(pair);
        }
        histories
    }

    /// Two sides of one history, or of two merges that cross.
    fn pair(&mut self, criss_cross: bool) -> (usize, usize) {
        let base = self.tree();
        let root = self.commit(&base, &[]);
        let (ours, theirs) = (self.changed(&base), self.changed(&base));
        let pair = (self.commit(&ours, &[root]), self.commit(&theirs, &[root]));
        if !criss_cross {
            return pair;
        }
        let (ours, theirs) = (self.changed(&ours), self.changed(&theirs));
        (self.commit(&ours, &[pair.0, pair.1]), self.commit(&theirs, &[pair.1, pair.0]))
    }

    fn commit(&mut self, tree: &Tree, parents: &[usize]) -> usize {
        self.commits += 1;
        let mark = self.commits;
        let mut head = format!(
            "commit refs/heads/c{mark}\nmark :{mark}\ncommitter A <a@example.com> {} +0000\ndata 1\nx\n",
            1_700_000_000 + mark
        );
        for (index, parent) in parents.iter().enumerate() {
            writeln!(head, "{} :{parent}", if index == 0 { "from" } else { "merge" }).unwrap();
        }
        head.push_str("deleteall\n");
        self.stream.extend_from_slice(head.as_bytes());
        for (path, (mode, content)) in tree {
            if *mode == MODULE {
                self.stream.extend_from_slice(format!("M {mode} ").as_bytes());
                self.stream.extend_from_slice(content);
                self.stream.extend_from_slice(format!(" {path}\n").as_bytes());
            } else {
                self.stream.extend_from_slice(format!("M {mode} inline {path}\ndata {}\n", content.len()).as_bytes());
                self.stream.extend_from_slice(content);
                self.stream.push(b'\n');
            }
        }
        mark
    }

    fn tree(&mut self) -> Tree {
        let mut tree = Tree::new();
        for _ in 0..3 + self.random.below(11) {
            let path = self.path();
            let entry = match self.random.below(12) {
                0 => (LINK, self.link()),
                1 => (MODULE, self.module()),
                2 => ("100755", self.content()),
                _ => ("100644", self.content()),
            };
            put(&mut tree, path, entry);
        }
        tree
    }

    fn changed(&mut self, tree: &Tree) -> Tree {
        let mut tree = tree.clone();
        for _ in 0..1 + self.random.below(3) {
            self.change(&mut tree);
        }
        tree
    }

    fn change(&mut self, tree: &mut Tree) {
        let paths: Vec<String> = tree.keys().cloned().collect();
        let what = if paths.is_empty() { 0 } else { self.random.below(12) };
        if what < 2 {
            let (path, content) = (self.path(), self.content());
            return put(tree, path, ("100644", content));
        }
        let path = self.random.of(&paths).clone();
        let (mode, content) = tree[&path].clone();
        match what {
            2..=5 => {
                let content = match mode {
                    MODULE => self.module(),
                    LINK => self.link(),
                    _ => self.edited(&content),
                };
                tree.insert(path, (mode, content));
            }
            6 => drop(tree.remove(&path)),
            7 => match mode {
                "100644" => drop(tree.insert(path, ("100755", content))),
                "100755" => drop(tree.insert(path, (LINK, b"link".to_vec()))),
                LINK => drop(tree.insert(path, ("100644", b"was a link\n".to_vec()))),
                _ => {}
            },
            8..=10 => {
                tree.remove(&path);
                let edited = what == 8 && mode.starts_with("100");
                let content = if edited { self.edited(&content) } else { content };
                let to = self.path();
                put(tree, to, (mode, content));
            }
            _ => {
                let from = *self.random.of(&FOLDERS[1..]);
                let to = *self.random.of(&["n/", "o/p/", "c/", "m/"]);
                for path in paths.iter().filter(|path| path.starts_with(from)) {
                    let entry = tree.remove(path).unwrap();
                    put(tree, format!("{to}{}", &path[from.len()..]), entry);
                }
            }
        }
    }

    fn path(&mut self) -> String {
        format!("{}{}", self.random.of(&FOLDERS), self.random.of(&NAMES))
    }

    fn link(&mut self) -> Vec<u8> {
        format!("target{}", self.random.below(6)).into_bytes()
    }

    fn module(&mut self) -> Vec<u8> {
        format!("{:040x}", 1 + self.random.below(8)).into_bytes()
    }

    fn content(&mut self) -> Vec<u8> {
        match self.random.below(12) {
            0 => vec![],
            1 => (0..40).map(|_| self.random.below(256) as u8).chain([0]).collect(),
            kind => {
                let end = if kind == 2 { "\r\n" } else { "\n" };
                let lines = 3 + self.random.below(22);
                (0..lines).flat_map(|_| format!("line {}{end}", self.random.below(400)).into_bytes()).collect()
            }
        }
    }

    fn edited(&mut self, content: &[u8]) -> Vec<u8> {
        let mut lines: Vec<Vec<u8>> = content.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        for _ in 0..1 + self.random.below(2) {
            let at = self.random.below(lines.len());
            let new = format!("new {}", self.random.below(100)).into_bytes();
            match self.random.below(3) {
                0 => lines[at] = new,
                1 => lines.insert(at, new),
                _ if lines.len() > 1 => drop(lines.remove(at)),
                _ => {}
            }
        }
        lines.join(&b'\n')
    }
}

/// Put an entry where it stands in nobody's way.
fn put(tree: &mut Tree, path: String, entry: (&'static str, Vec<u8>)) {
    let under = |one: &str, other: &str| one.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'));
    if !tree.keys().any(|other| *other == path || under(other, &path) || under(&path, other)) {
        tree.insert(path, entry);
    }
}

/// Knuth's linear congruential generator.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}
