//! One line of a push, `OLD NEW REF`, as git hands it to pre-receive and writes it into a push certificate
//! (githooks(5), gitprotocol-pack(5)).
//!
//! A line that git would not write is an error, since what it means to git is anybody's guess. Names of refs are UTF-8
//! here: a policy is text, and a name that is none could be matched by a pattern only by changing it first.

use std::fmt;

use super::git::ObjectFormat;

/// No push has more updates: the largest known repositories have some hundred thousand refs, and a mirror pushes all.
pub const MAX_UPDATES: usize = 500_000;
/// No ref name is longer, in bytes: what a packet line of git's protocol can hold beside the two ids.
const MAX_NAME_LEN: usize = 4096;

/// A ref that a push wants to move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefUpdate {
    /// Where it is; zeros when the push makes it.
    pub old: String,
    /// Where it shall be; zeros when the push deletes it.
    pub new: String,
    /// The full name, such as `refs/heads/main`.
    pub reference: String,
}

/// What an update does to the ref.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// There was none.
    Create,
    /// It goes from one object to another.
    Move,
    /// There will be none.
    Delete,
}

/// Why lines are no updates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefUpdateError {
    /// Not two ids and a name with one space between them.
    #[error("line {0} is not 'OLD NEW REF'")]
    Shape(usize),
    /// The two ids are not of one length, or none that git has.
    #[error("line {0} does not begin with two object ids of the same length")]
    Ids(usize),
    /// The name is not UTF-8, is no full name, or holds what git allows in none.
    #[error("line {0} names no ref")]
    Name(usize),
    /// From nothing to nothing.
    #[error("line {0} neither makes, moves nor deletes the ref")]
    Nothing(usize),
    /// The same ref again: which of the two counts would depend on who reads it.
    #[error("line {0} names a ref for the second time")]
    Twice(usize),
    /// More than [`MAX_UPDATES`].
    #[error("there are more than {MAX_UPDATES} updates")]
    TooMany,
    /// Ids of two hash functions in one push.
    #[error("line {0} has ids of another length than the lines before")]
    MixedFormats(usize),
    /// Something after the last newline.
    #[error("the last line does not end")]
    Unfinished,
}

impl RefUpdate {
    /// Read one line, without its newline; `number` is its own, for the error.
    ///
    /// # Errors
    /// [`RefUpdateError`] for everything but what git writes.
    pub fn parse(line: &[u8], number: usize) -> Result<Self, RefUpdateError> {
        let text = std::str::from_utf8(line).map_err(|_| RefUpdateError::Name(number))?;
        let mut parts = text.splitn(3, ' ');
        let (Some(old), Some(new), Some(reference)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(RefUpdateError::Shape(number));
        };
        let format = ObjectFormat::of_id(old.as_bytes());
        if format.is_none() || format != ObjectFormat::of_id(new.as_bytes()) {
            return Err(RefUpdateError::Ids(number));
        }
        if !is_full_ref_name(reference) {
            return Err(RefUpdateError::Name(number));
        }
        if is_zero(old) && is_zero(new) {
            return Err(RefUpdateError::Nothing(number));
        }
        Ok(RefUpdate { old: old.to_owned(), new: new.to_owned(), reference: reference.to_owned() })
    }

    /// Read lines, each with its newline; none at all is no error.
    ///
    /// # Errors
    /// [`RefUpdateError`] for the first line that is wrong, and where one ref is named twice.
    pub fn parse_lines(text: &[u8]) -> Result<Vec<Self>, RefUpdateError> {
        let mut updates = Vec::new();
        let mut names = std::collections::HashSet::new();
        let mut rest = text;
        while !rest.is_empty() {
            let number = updates.len() + 1;
            if number > MAX_UPDATES {
                return Err(RefUpdateError::TooMany);
            }
            let end = rest.iter().position(|c| *c == b'\n').ok_or(RefUpdateError::Unfinished)?;
            let update = RefUpdate::parse(&rest[..end], number)?;
            if updates.first().is_some_and(|first: &RefUpdate| first.old.len() != update.old.len()) {
                return Err(RefUpdateError::MixedFormats(number));
            }
            if !names.insert(update.reference.clone()) {
                return Err(RefUpdateError::Twice(number));
            }
            updates.push(update);
            rest = &rest[end + 1..];
        }
        Ok(updates)
    }

    /// What it does.
    #[must_use]
    pub fn change(&self) -> Change {
        match (is_zero(&self.old), is_zero(&self.new)) {
            (true, _) => Change::Create,
            (_, true) => Change::Delete,
            _ => Change::Move,
        }
    }
}

impl fmt::Display for RefUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.old, self.new, self.reference)
    }
}

/// Whether `id` is git's word for no object, in either length.
#[must_use]
pub fn is_zero(id: &str) -> bool {
    matches!(id.len(), 40 | 64) && id.bytes().all(|digit| digit == b'0')
}

/// The rules of git-check-ref-format(1) for a name under `refs/`, and a bound on its length.
#[must_use]
pub fn is_full_ref_name(name: &str) -> bool {
    let odd = |c: char| c.is_ascii_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\');
    let segment = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    name.len() <= MAX_NAME_LEN
        && name.strip_prefix("refs/").is_some_and(|rest| !rest.is_empty())
        && !name.contains(odd)
        && !name.contains("..")
        && !name.contains("@{")
        && !name.ends_with('.')
        && name.split('/').all(segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "1111111111111111111111111111111111111111";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    #[test]
    fn both_lengths_are_read_and_told_apart() {
        for len in [40, 64] {
            let (zero, id) = ("0".repeat(len), "a".repeat(len));
            let text = format!("{zero} {id} refs/heads/a\n{id} {zero} refs/heads/b\n{id} {id} refs/heads/\u{f6}\n");
            let updates = RefUpdate::parse_lines(text.as_bytes()).unwrap();
            let changes: Vec<Change> = updates.iter().map(RefUpdate::change).collect();
            assert_eq!(changes, [Change::Create, Change::Delete, Change::Move]);
            assert_eq!(updates.iter().map(|update| format!("{update}\n")).collect::<String>(), text);
        }
        assert_eq!(RefUpdate::parse_lines(b"").unwrap(), []);
        assert!(!is_zero("0") && !is_zero(&"0".repeat(41)));
    }

    #[test]
    fn what_git_would_not_write_fail() {
        let long = "x".repeat(MAX_NAME_LEN);
        for (line, error) in [
            (format!("{A} {ZERO}"), RefUpdateError::Shape(1)),
            (format!("{A}  {ZERO} refs/heads/a"), RefUpdateError::Ids(1)),
            (format!("{A} {} refs/heads/a", "1".repeat(64)), RefUpdateError::Ids(1)),
            (format!("{} {A} refs/heads/a", A.replace('1', "A")), RefUpdateError::Ids(1)),
            (format!("{} {A} refs/heads/a", &A[1..]), RefUpdateError::Ids(1)),
            (format!("{ZERO} {ZERO} refs/heads/a"), RefUpdateError::Nothing(1)),
            (format!("{A} {ZERO} refs/heads/{long}"), RefUpdateError::Name(1)),
        ] {
            assert_eq!(RefUpdate::parse(line.as_bytes(), 1), Err(error), "{line:?}");
        }
        for name in [
            "",
            "HEAD",
            "main",
            "refs/",
            "refs//a",
            "refs/heads/a b",
            "refs/heads/a\t",
            "refs/heads/..",
            "refs/.a",
            "refs/a.lock",
            "refs/a.lock/b",
            "refs/a/",
            "refs/a.",
            "refs/a@{1}",
            "refs/a*",
            "refs/a\u{7f}",
            "../refs/a",
            " refs/a",
            "refs/a\r",
        ] {
            let line = format!("{A} {A} {name}");
            assert_eq!(RefUpdate::parse(line.as_bytes(), 7), Err(RefUpdateError::Name(7)), "{name:?}");
        }
        assert_eq!(RefUpdate::parse(b"\xff", 1), Err(RefUpdateError::Name(1)));
    }

    #[test]
    fn lines_that_contradict_each_other_fail() {
        let read = |text: String| RefUpdate::parse_lines(text.as_bytes()).unwrap_err();
        let other = "2".repeat(64);
        assert_eq!(read(format!("{A} {A} refs/a")), RefUpdateError::Unfinished);
        assert_eq!(read(format!("{A} {A} refs/a\n{A} {ZERO} refs/a\n")), RefUpdateError::Twice(2));
        assert_eq!(read(format!("{A} {A} refs/a\n{other} {other} refs/b\n")), RefUpdateError::MixedFormats(2));
        assert_eq!(read(format!("{A} {A} refs/a\n\n")), RefUpdateError::Shape(2));
    }
}
