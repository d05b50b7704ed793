//! The rules of a policy file.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;

use super::error::{Fault, PolicyFileError, excerpt};
use super::shape::{List, PathShape, RuleShape};
use super::{
    ANYONE, Lines, MAX_APPROVALS, MAX_CLOCK_TOLERANCE, MAX_PATHS, MAX_REFS, MAX_RULES, Names, bounded, check_commit_id,
    check_text, set, time,
};
use crate::policy::refs::RefPattern;
use crate::policy::rules::{CommitterRule, Evidence, Judged, PathRule, Right, Rule};

/// All rules, in order.
pub(super) fn read_all(
    shapes: &[Spanned<RuleShape>],
    names: &Names<'_>,
    lines: &Lines,
) -> Result<Vec<Rule>, PolicyFileError> {
    let mut rules = Vec::<Rule>::new();
    for (count, shape) in shapes.iter().enumerate() {
        bounded(count + 1, MAX_RULES, "rules").map_err(|fault| lines.error(shape, fault))?;
        let rule = read(shape, names, lines)?;
        if rules.iter().any(|earlier| earlier.name == rule.name) {
            return Err(PolicyFileError { line: rule.line, fault: Fault::RuleTwice(rule.name) });
        }
        rules.push(rule);
    }
    Ok(rules)
}

fn read(spanned: &Spanned<RuleShape>, names: &Names<'_>, lines: &Lines) -> Result<Rule, PolicyFileError> {
    let shape = spanned.get_ref();
    let refs = refs(&shape.refs, lines)?;
    if let Some(name) = &shape.name {
        check_text(name.get_ref()).map_err(|fault| lines.error(name, fault))?;
    }
    if let Some(since) = &shape.since {
        check_commit_id(since.get_ref()).map_err(|fault| lines.error(since, fault))?;
    }
    let (from, until) = (time(shape.from.as_ref(), lines)?, time(shape.until.as_ref(), lines)?);
    if let (Some(from), Some(until), Some(place)) = (from, until, &shape.until)
        && from >= until
    {
        return Err(lines.error(place, Fault::WindowEmpty));
    }
    Ok(Rule {
        name: match &shape.name {
            Some(name) => name.get_ref().clone(),
            None => refs[0].as_str().to_owned(),
        },
        line: lines.at(spanned),
        refs,
        judged: word(shape.judged.as_ref(), Judged::of_name, Judged::WORDS, lines)?.unwrap_or_default(),
        rights: rights(shape, names, lines)?,
        paths: paths(&shape.paths, names, lines)?,
        committer: word(shape.committer.as_ref(), CommitterRule::of_name, CommitterRule::WORDS, lines)?
            .unwrap_or_default(),
        require: evidence(shape.require.as_ref(), lines)?,
        covered_by_push: shape.covered_by_push,
        approvals: number(shape.approvals.as_ref(), "approvals", MAX_APPROVALS as u64, lines)?
            .map_or(1, |number| number as usize),
        since: shape.since.as_ref().map(|since| since.get_ref().clone()),
        from,
        until,
        clock_tolerance: number(
            shape.clock_tolerance.as_ref(),
            "clock-tolerance",
            u64::from(MAX_CLOCK_TOLERANCE),
            lines,
        )?
        .map(|number| number as u32),
    })
}

fn refs(list: &List, lines: &Lines) -> Result<Vec<RefPattern>, PolicyFileError> {
    set(list, lines, MAX_REFS)?;
    let read = |text: &Spanned<String>| {
        check_text(text.get_ref())
            .and_then(|()| RefPattern::parse(text.get_ref()).map_err(Fault::from))
            .map_err(|fault| lines.error(text, fault))
    };
    list.get_ref().iter().map(read).collect()
}

fn rights(
    shape: &RuleShape,
    names: &Names<'_>,
    lines: &Lines,
) -> Result<BTreeMap<Right, BTreeSet<String>>, PolicyFileError> {
    let mut rights = BTreeMap::new();
    for right in Right::ALL {
        let list = match right {
            Right::Commit => &shape.commit,
            Right::Merge => &shape.merge,
            Right::Tag => &shape.tag,
            Right::Push => &shape.push,
            Right::Create => &shape.create,
            Right::Force => &shape.force,
            Right::Delete => &shape.delete,
            Right::Policy => &shape.policy,
        };
        let Some(list) = list else { continue };
        let words: &[&str] = match right {
            Right::Create | Right::Force | Right::Delete => &[ANYONE],
            _ => &[],
        };
        // Left out, `merge` means whom `commit` names; this is how to say that nobody may merge.
        let nobody = right == Right::Merge && list.get_ref().is_empty();
        rights.insert(right, if nobody { BTreeSet::new() } else { names.list_or(list, words, lines)? });
    }
    Ok(rights)
}

fn paths(shapes: &[Spanned<PathShape>], names: &Names<'_>, lines: &Lines) -> Result<Vec<PathRule>, PolicyFileError> {
    let mut paths = Vec::new();
    let mut seen = BTreeSet::new();
    for (count, spanned) in shapes.iter().enumerate() {
        bounded(count + 1, MAX_PATHS, "paths in one rule").map_err(|fault| lines.error(spanned, fault))?;
        let PathShape { prefix, commit } = spanned.get_ref();
        let text = prefix.get_ref();
        let bare = text.strip_suffix('/').unwrap_or(text);
        let odd = |segment: &str| matches!(segment, "" | "." | "..");
        if check_text(text).is_err() || bare.split('/').any(odd) {
            return Err(lines.error(prefix, Fault::Prefix(excerpt(text))));
        }
        // Some file systems take `Docs` and `docs` for one: a path must not have two longest prefixes.
        if !seen.insert(bare.to_lowercase()) {
            return Err(lines.error(prefix, Fault::PrefixTwice(excerpt(text))));
        }
        paths.push(PathRule { line: lines.at(spanned), prefix: text.clone(), commit: names.list(commit, lines)? });
    }
    Ok(paths)
}

fn evidence(list: Option<&List>, lines: &Lines) -> Result<BTreeSet<Evidence>, PolicyFileError> {
    let Some(list) = list else { return Ok(BTreeSet::new()) };
    set(list, lines, Evidence::ALL.len())?;
    let of_name = |name: &str| Evidence::ALL.into_iter().find(|evidence| evidence.name() == name);
    let read = |text| word(Some(text), of_name, "log, stamp, push-certificate", lines);
    list.get_ref().iter().filter_map(|text| read(text).transpose()).collect()
}

fn word<T>(
    text: Option<&Spanned<String>>,
    of_name: impl Fn(&str) -> Option<T>,
    known: &'static str,
    lines: &Lines,
) -> Result<Option<T>, PolicyFileError> {
    let Some(text) = text else { return Ok(None) };
    let unknown = || lines.error(text, Fault::Word { found: excerpt(text.get_ref()), known });
    of_name(text.get_ref()).ok_or_else(unknown).map(Some)
}

/// A number from 1 to `to`.
fn number(
    value: Option<&Spanned<u64>>,
    what: &'static str,
    to: u64,
    lines: &Lines,
) -> Result<Option<u64>, PolicyFileError> {
    let Some(value) = value else { return Ok(None) };
    if !(1..=to).contains(value.get_ref()) {
        return Err(lines.error(value, Fault::Number { what, from: 1, to }));
    }
    Ok(Some(*value.get_ref()))
}
