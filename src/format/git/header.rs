//! What stands at the head of commits and tags: who, when, on top of what (git: gitformat-commit).
//!
//! For history and policy, which ask about commits that nobody signed, too. Whether an object is exactly as git writes
//! it, to the end of its headers, [`Object::parse`](super::Object::parse) says; here what follows the committer is left
//! alone.

use super::{MAX_HEADERS, ObjectError, ObjectFormat};

/// A title is cut there, in characters: a line of a terminal holds less, and a message may be one line of 30 MiB.
pub const MAX_TITLE_LEN: usize = 200;

/// The head of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitHeader {
    /// The tree, by name.
    pub tree: String,
    /// The parents, by name, in order.
    pub parents: Vec<String>,
    /// Who wrote it.
    pub author: Person,
    /// Who committed it.
    pub committer: Person,
    /// The first line of the message, made UTF-8: somebody's text, to be shown with care.
    pub title: String,
}

/// Who did something, and when, by their own clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name.
    pub name: Vec<u8>,
    /// The mail address.
    pub email: Vec<u8>,
    /// Seconds since 1970.
    pub seconds: i64,
}

/// The head of an annotated tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagHeader {
    /// What is tagged, by name.
    pub target: String,
    /// What the tag says its target is: `commit`, `tree`, `blob` or `tag`.
    pub target_kind: String,
    /// The tag's own name.
    pub name: String,
    /// The first line of the message, made UTF-8.
    pub title: String,
}

/// What a walk through history needs of a commit, read as leniently as git does: a commit whose committer is malformed
/// has parents all the same, and whoever does not follow them does not see what stands behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitLinks<'a> {
    /// The parents, in hexadecimal.
    pub parents: Vec<&'a [u8]>,
    /// When it was committed, in seconds since 1970; 0 where it does not say.
    pub seconds: i64,
}

/// The head of a raw commit.
///
/// # Errors
/// [`ObjectError`] when the lines up to the committer are not as git writes them.
pub fn commit_header(raw: &[u8]) -> Result<CommitHeader, ObjectError> {
    let mut lines = Lines { rest: raw };
    let tree = lines.id(b"tree ")?;
    let parents = lines.parents()?.into_iter().map(text).collect();
    let author = lines.person(b"author ")?;
    let committer = lines.person(b"committer ")?;
    Ok(CommitHeader { tree: text(tree), parents, author, committer, title: title(raw) })
}

/// The parents and the date of a raw commit.
///
/// # Errors
/// [`ObjectError`] when it does not begin with a tree, or has more parents than an object may have headers.
pub fn commit_links(raw: &[u8]) -> Result<CommitLinks<'_>, ObjectError> {
    let mut lines = Lines { rest: raw };
    lines.id(b"tree ")?;
    let parents = lines.parents()?;
    // An author line of git's earliest years may be anything.
    let _author = lines.next();
    let seconds = lines.person(b"committer ").map(|committer| committer.seconds).unwrap_or_default();
    Ok(CommitLinks { parents, seconds })
}

/// The head of a raw tag.
///
/// # Errors
/// [`ObjectError`] when its first three lines are not as git writes them.
pub fn tag_header(raw: &[u8]) -> Result<TagHeader, ObjectError> {
    let mut lines = Lines { rest: raw };
    let target = lines.id(b"object ")?;
    let kind = lines.value(b"type ")?;
    if ![b"commit".as_slice(), b"tree", b"blob", b"tag"].contains(&kind) {
        return Err(ObjectError::Header("type".into()));
    }
    let name = std::str::from_utf8(lines.value(b"tag ")?).map_err(|_| ObjectError::Header("tag".into()))?;
    Ok(TagHeader { target: text(target), target_kind: text(kind), name: name.to_owned(), title: title(raw) })
}

/// The lines of an object's head.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    /// The next line without its newline; `None` at the end of the headers.
    fn next(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|c| *c == b'\n').filter(|end| *end > 0)?;
        let line = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Some(line)
    }

    /// The value of the next line, which must be `name`'s; `name` ends in its space.
    fn value(&mut self, name: &[u8]) -> Result<&'a [u8], ObjectError> {
        let line = self.next().and_then(|line| line.strip_prefix(name));
        line.ok_or_else(|| ObjectError::Header(text(&name[..name.len() - 1])))
    }

    fn id(&mut self, name: &[u8]) -> Result<&'a [u8], ObjectError> {
        let id = self.value(name)?;
        ObjectFormat::of_id(id).map(|_| id).ok_or_else(|| ObjectError::Header(text(&name[..name.len() - 1])))
    }

    fn parents(&mut self) -> Result<Vec<&'a [u8]>, ObjectError> {
        let mut parents = Vec::new();
        while self.rest.starts_with(b"parent ") {
            if parents.len() == MAX_HEADERS {
                return Err(ObjectError::TooLarge);
            }
            parents.push(self.id(b"parent ")?);
        }
        Ok(parents)
    }

    /// `NAME <EMAIL> SECONDS ZONE`; a second pair of brackets would let two readers see two people.
    fn person(&mut self, header: &[u8]) -> Result<Person, ObjectError> {
        let line = self.value(header)?;
        person(line).ok_or_else(|| ObjectError::Header(text(&header[..header.len() - 1])))
    }
}

fn person(line: &[u8]) -> Option<Person> {
    let open = line.iter().position(|c| *c == b'<')?;
    let close = open + line[open..].iter().position(|c| *c == b'>')?;
    let (seconds, zone) = std::str::from_utf8(line[close + 1..].strip_prefix(b" ")?).ok()?.split_once(' ')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    if !is_number(seconds) || !zone.strip_prefix(['+', '-']).is_some_and(is_number) {
        return None;
    }
    let email = &line[open + 1..close];
    if email.contains(&b'<') {
        return None;
    }
    let name = &line[..open];
    Some(Person {
        name: name.strip_suffix(b" ").unwrap_or(name).to_vec(),
        email: email.to_vec(),
        seconds: seconds.parse().ok()?,
    })
}

/// The first line of the message that holds anything.
fn title(raw: &[u8]) -> String {
    let body = raw.windows(2).position(|pair| pair == b"\n\n").map_or(&b""[..], |at| &raw[at + 2..]);
    let line = body.split(|c| *c == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    // A character is four bytes long at most.
    let line = &line[..line.len().min(4 * MAX_TITLE_LEN)];
    String::from_utf8_lossy(line).trim().chars().take(MAX_TITLE_LEN).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    const PARENT: &str = "1111111111111111111111111111111111111111";

    fn commit(committer: &str, rest: &str) -> String {
        format!("tree {TREE}\nparent {PARENT}\nauthor A <a@x> 1 +0000\ncommitter {committer}\n{rest}")
    }

    #[test]
    fn a_commit_tells_who_and_on_top_of_what() {
        let raw = commit("Bo B. <b@x> 1767225600 -0130", "gpgsig x\n y\n\n\n Title \nmore\n");
        let header = commit_header(raw.as_bytes()).unwrap();
        assert_eq!((header.tree.as_str(), header.parents.as_slice()), (TREE, [PARENT.to_owned()].as_slice()));
        let Person { name, email, seconds } = header.committer;
        assert_eq!((name.as_slice(), email.as_slice(), seconds), (&b"Bo B."[..], &b"b@x"[..], 1_767_225_600));
        assert_eq!((header.author.seconds, header.title.as_str()), (1, "Title"));
        let nobody = commit_header(commit("<> 0 +0000", "").as_bytes()).unwrap();
        assert_eq!((nobody.committer.name.len(), nobody.committer.email.len(), nobody.title.as_str()), (0, 0, ""));
    }

    #[test]
    fn a_title_is_cut_and_made_utf_8() {
        let mut raw = commit("B <b@x> 1 +0000", "\n").into_bytes();
        raw.extend_from_slice(b"caf\xe9 ");
        raw.extend_from_slice("\u{20ac}".repeat(1000).as_bytes());
        let title = commit_header(&raw).unwrap().title;
        assert!(title.starts_with("caf\u{fffd} \u{20ac}"), "{title}");
        assert!(title.chars().count() <= MAX_TITLE_LEN);
    }

    #[test]
    fn two_readers_see_one_person_fail() {
        for bad in [
            "B <b@x> <c@x> 1 +0000",
            "B <<b@x> 1 +0000",
            "B b@x 1 +0000",
            "B <b@x>1 +0000",
            "B <b@x> 1",
            "B <b@x> -1 +0000",
            "B <b@x> 1 0000",
            "B <b@x> 99999999999999999999 +0000",
            "B <b@x> 1 +0000 ",
        ] {
            assert_eq!(
                commit_header(commit(bad, "\n").as_bytes()),
                Err(ObjectError::Header("committer".into())),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_malformed_committer_hides_no_parent() {
        for committer in ["", "x", "B <b@x> soon +0000"] {
            let raw = commit(committer, "\n");
            let links = commit_links(raw.as_bytes()).unwrap();
            assert_eq!((links.parents.as_slice(), links.seconds), ([PARENT.as_bytes()].as_slice(), 0), "{committer}");
        }
        let only_parents = format!("tree {TREE}\nparent {PARENT}\n");
        assert_eq!(commit_links(only_parents.as_bytes()).unwrap().parents.len(), 1);
        let many = format!("tree {TREE}\n") + &format!("parent {PARENT}\n").repeat(MAX_HEADERS + 1);
        assert_eq!(commit_links(many.as_bytes()), Err(ObjectError::TooLarge));
        assert!(commit_links(b"").is_err() && commit_links(b"object x\n").is_err());
    }

    #[test]
    fn a_tag_tells_what_it_is_on() {
        let raw = format!("object {PARENT}\ntype commit\ntag v1\ntagger A <a@x> 1 +0000\n\nRelease\n");
        let header = tag_header(raw.as_bytes()).unwrap();
        assert_eq!((header.target.as_str(), header.target_kind.as_str()), (PARENT, "commit"));
        assert_eq!((header.name.as_str(), header.title.as_str()), ("v1", "Release"));
        for bad in
            [format!("object {PARENT}\ntype Commit\ntag v\n"), format!("object {PARENT}\ntag v\n"), "object 1\n".into()]
        {
            assert!(tag_header(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
