//! git's tree objects (git: gitformat-pack has their bytes, `git fsck` their rules).
//!
//! A tree with a name twice, or out of order, shows different files to different readers: it is refused.

use super::{ObjectError, ObjectFormat};

/// One line of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry<'a> {
    /// What it is.
    pub kind: EntryKind,
    /// Its name, without a slash.
    pub name: &'a [u8],
    /// The object's name, as bytes.
    pub id: &'a [u8],
}

/// What a line of a tree stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// Another tree.
    Tree,
    /// A file that may not be run.
    File,
    /// A file that may be run.
    Executable,
    /// A symbolic link.
    Link,
    /// A commit of a submodule.
    Submodule,
}

impl EntryKind {
    fn of_mode(mode: &[u8]) -> Option<Self> {
        match mode {
            // Some early writers put a zero before it.
            b"40000" | b"040000" => Some(EntryKind::Tree),
            // git writes the first alone, and reads the second as it; trees of its first weeks have it.
            b"100644" | b"100664" => Some(EntryKind::File),
            b"100755" => Some(EntryKind::Executable),
            b"120000" => Some(EntryKind::Link),
            b"160000" => Some(EntryKind::Submodule),
            _ => None,
        }
    }
}

/// The lines of a raw tree.
///
/// # Errors
/// [`ObjectError::Tree`] when it is not as git writes it.
pub fn tree_entries(format: ObjectFormat, raw: &[u8]) -> Result<Vec<TreeEntry<'_>>, ObjectError> {
    let id_len = match format {
        ObjectFormat::Sha1 => 20,
        ObjectFormat::Sha256 => 32,
    };
    let mut entries: Vec<TreeEntry<'_>> = Vec::new();
    let mut rest = raw;
    while !rest.is_empty() {
        let (entry, after) = next(rest, id_len).ok_or(ObjectError::Tree)?;
        if entries.last().is_some_and(|last| !follows(last, &entry)) {
            return Err(ObjectError::Tree);
        }
        entries.push(entry);
        rest = after;
    }
    // `a` and `a/` may stand apart, with `a.b` between them.
    let mut names: Vec<&[u8]> = entries.iter().map(|entry| entry.name).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(ObjectError::Tree);
    }
    Ok(entries)
}

fn next(rest: &[u8], id_len: usize) -> Option<(TreeEntry<'_>, &[u8])> {
    let space = rest.iter().take(7).position(|c| *c == b' ')?;
    let kind = EntryKind::of_mode(&rest[..space])?;
    let rest = &rest[space + 1..];
    let end = rest.iter().position(|c| *c == 0)?;
    let name = &rest[..end];
    if name.contains(&b'/') || matches!(name, b"" | b"." | b"..") {
        return None;
    }
    let id = rest.get(end + 1..end + 1 + id_len)?;
    Some((TreeEntry { kind, name, id }, &rest[end + 1 + id_len..]))
}

/// git's order: by bytes, a tree as if its name ended in a slash.
fn follows(before: &TreeEntry<'_>, after: &TreeEntry<'_>) -> bool {
    let slash = |entry: &TreeEntry<'_>| if entry.kind == EntryKind::Tree { &b"/"[..] } else { b"" };
    before.name.iter().chain(slash(before)).lt(after.name.iter().chain(slash(after)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(mode: &str, name: &str) -> Vec<u8> {
        [mode.as_bytes(), b" ", name.as_bytes(), b"\0", &[7; 20]].concat()
    }

    fn parse(raw: &[u8]) -> Result<Vec<(EntryKind, String)>, ObjectError> {
        let entries = tree_entries(ObjectFormat::Sha1, raw)?;
        Ok(entries.iter().map(|entry| (entry.kind, String::from_utf8_lossy(entry.name).into_owned())).collect())
    }

    #[test]
    fn every_kind_of_line_is_known() {
        let raw =
            [line("100644", "a.b"), line("40000", "a"), line("100755", "c"), line("120000", "d"), line("160000", "e")]
                .concat();
        let names: Vec<String> = parse(&raw).unwrap().into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["a.b", "a", "c", "d", "e"]);
        assert_eq!(parse(b"").unwrap(), []);
    }

    #[test]
    fn a_tree_that_two_readers_see_differently_is_refused_fail() {
        let file = |name| line("100644", name);
        let tree = |name| line("40000", name);
        for bad in [
            [file("b"), file("a")].concat(),
            [file("a"), file("a")].concat(),
            [file("a"), file("a.b"), tree("a")].concat(),
            file("a/b"),
            file(""),
            file(".."),
            line("100600", "a"),
            line("", "a"),
            file("a")[..20].to_vec(),
            b"100644 a".to_vec(),
        ] {
            assert_eq!(parse(&bad), Err(ObjectError::Tree), "{}", String::from_utf8_lossy(&bad));
        }
    }
}
