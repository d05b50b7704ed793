//! Every value that is set for a setting: where, and whether it counts. One place decides that, for those who only want
//! the result and for those who want to see how it came about.

use super::table::{Kind, Rule, Setting};
use crate::repo::config::{Config, Environment, Origin, Scope, parse_boolean};

/// What sets a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place<'a> {
    /// An environment variable.
    Variable(&'static str),
    /// A key of git configuration.
    Key {
        /// `gitsign` or `gitseal`.
        section: &'static str,
        /// The name in it.
        key: &'static str,
        /// In which scope.
        scope: Scope,
        /// In which file.
        origin: Origin<'a>,
    },
}

impl Place<'_> {
    /// The variable, or the whole key.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Place::Variable(name) => (*name).to_owned(),
            Place::Key { section, key, .. } => format!("{section}.{key}"),
        }
    }
}

/// What a value amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It counts; of a list several do.
    Counts,
    /// Another one has precedence, or an empty one after it in a list.
    Overridden,
    /// It stands in a repository's own configuration, which may not set this, or not to this.
    RepositoryMayNot,
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetValue<'a> {
    /// What sets it.
    pub place: Place<'a>,
    /// The text; `None` for a key without `=`.
    pub text: Option<Vec<u8>>,
    /// What it amounts to.
    pub standing: Standing,
}

/// All values of `setting`, by rising precedence.
#[must_use]
pub fn values_of<'a>(setting: &Setting, config: &'a Config, environment: Environment<'_>) -> Vec<SetValue<'a>> {
    let mut values = Vec::new();
    for (section, key) in [("gitsign", setting.gitsign), ("gitseal", setting.gitseal)] {
        let Some(key) = key else { continue };
        for value in config.values(section, key) {
            let before = values.iter().rfind(|before: &&SetValue<'_>| before.standing == Standing::Counts);
            let before = before.map(|before| before.text.as_deref());
            let barred = value.scope == Scope::Repository && !repository_may(setting, value.text.as_deref(), before);
            values.push(SetValue {
                place: Place::Key { section, key, scope: value.scope, origin: value.origin },
                text: value.text,
                standing: if barred { Standing::RepositoryMayNot } else { Standing::Counts },
            });
        }
    }
    for variable in setting.environment {
        if let Some(value) = environment(variable) {
            let text = Some(value.into_encoded_bytes());
            values.push(SetValue { place: Place::Variable(variable), text, standing: Standing::Counts });
        }
    }
    let first = first_that_counts(setting, &values);
    for value in values.iter_mut().take(first).filter(|value| value.standing == Standing::Counts) {
        value.standing = Standing::Overridden;
    }
    values
}

/// A variable replaces what the files say, even a list. In files a list grows until an empty value.
fn first_that_counts(setting: &Setting, values: &[SetValue<'_>]) -> usize {
    let last = |wanted: &dyn Fn(&SetValue<'_>) -> bool| {
        values.iter().rposition(|value| value.standing == Standing::Counts && wanted(value))
    };
    let is_variable = |value: &SetValue<'_>| matches!(value.place, Place::Variable(_));
    let is_empty = |value: &SetValue<'_>| value.text.as_deref() == Some(b"");
    match (last(&is_variable), setting.kind) {
        (Some(variable), _) => variable,
        (None, Kind::List) => last(&is_empty).unwrap_or(0),
        (None, _) => last(&|_| true).unwrap_or(0),
    }
}

/// Decimal digits and nothing else.
pub(super) fn parse_count(text: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(text).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Which of `words` it is; a boolean is the first or the last of them.
pub(super) fn parse_level(words: &[&str], text: Option<&[u8]>) -> Option<usize> {
    let word = text.and_then(|text| words.iter().position(|word| word.as_bytes() == text));
    word.or_else(|| parse_boolean(text).map(|on| if on { words.len() - 1 } else { 0 }))
}

/// Whether a repository may set `setting` to `value`, where the user has set it to `before`, or nobody has set it. A key
/// without `=` has no text, and is set all the same.
fn repository_may(setting: &Setting, value: Option<&[u8]>, before: Option<Option<&[u8]>>) -> bool {
    match setting.rule {
        Rule::Anywhere => true,
        Rule::UserOnly => false,
        Rule::RepositoryMayTighten(to) => value == Some(to.as_bytes()),
        Rule::RepositoryMayRaise => {
            let amount = |text: Option<&[u8]>| match setting.kind {
                Kind::Level(words) => parse_level(words, text),
                _ => text.and_then(parse_count),
            };
            amount(value).is_some_and(|wanted| wanted >= before.and_then(amount).unwrap_or(0))
        }
    }
}
