//! Walking a history: from the tips down, youngest first, until nothing is left that the hidden commits do not reach.
//!
//! Over raw objects alone. Being hidden is handed on from child to parent and nothing else makes a commit hidden, so
//! none is left out that does not lie behind a hidden one, whatever its dates say. Dates, which committers write
//! themselves, only decide in which order it is walked and when it may end: one that lies can make a commit belong that
//! should not, never the other way round.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use gix::ObjectId;
use gix::objs::Kind;
use jiff::Timestamp;

use super::selection::Selection;
use super::{RepoError, Repository};
use crate::format::git::commit_links;

/// No walk meets more commits: the largest public histories have a few millions, and each costs some 150 bytes here.
const MAX_COMMITS: usize = 16_000_000;
/// How far a walk goes on behind hidden commits, or behind those that are too old, when all that is left looks settled:
/// for clocks that went backwards. git has 5.
const SLOP: usize = 256;
/// How far it goes on when there was a commit so old that all others are younger: 1970 is a common date.
const MAX_SLOP: usize = 20_000;

impl Repository {
    /// The commits of `selection`, parents before their children, older ones first where that leaves a choice.
    ///
    /// `stop` is asked of each that is not hidden, once, children mostly first: where it says yes, neither the commit
    /// belongs nor is its way down followed. What lies behind it and is also reached by another way belongs all the same.
    ///
    /// A commit that is missing, or cannot be read as one, is among them: whoever judges it will say so.
    ///
    /// # Errors
    /// An object cannot be read although it is there, or there are too many.
    pub fn walk(&self, selection: &Selection, stop: &mut dyn FnMut(&str) -> bool) -> Result<Vec<String>, RepoError> {
        let ids = |names: &[String]| names.iter().map(|name| self.id(name)).collect::<Result<Vec<_>, _>>();
        let mut walk = Walk::new(self);
        walk.first_parent = selection.first_parent;
        walk.run(&ids(&selection.tips)?, &ids(&selection.hidden)?, selection.since, stop)?;
        Ok(walk.in_order(|node| {
            let is_meant = !selection.merges_only || node.is_merge;
            let is_young = selection.since.is_none_or(|since| node.seconds >= since.as_second());
            node.is_opaque || (is_meant && is_young)
        }))
    }
}

/// A walk, and what it has met.
pub(super) struct Walk<'r> {
    repository: &'r Repository,
    first_parent: bool,
    /// Where it began.
    tips: Vec<u32>,
    nodes: Vec<Node>,
    by_id: HashMap<ObjectId, u32>,
    /// What is to be looked at next: the youngest, and of two the one met first.
    queue: BinaryHeap<(i64, Reverse<u32>)>,
    /// How many in the queue are not hidden.
    open: usize,
    buffer: Vec<u8>,
}

/// A commit that was met.
struct Node {
    id: ObjectId,
    /// The parents that were met, by their places in the list.
    parents: Vec<u32>,
    /// Those that were not, which follow.
    unmet: Vec<ObjectId>,
    seconds: i64,
    state: State,
    is_hidden: bool,
    is_merge: bool,
    /// Missing, or no commit.
    is_opaque: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Queued,
    /// It belongs unless it is hidden, and its parents were met.
    Walked,
    /// It does not belong, and nor its parents on its account.
    Stopped,
}

impl<'r> Walk<'r> {
    pub(super) fn new(repository: &'r Repository) -> Self {
        Walk {
            repository,
            first_parent: false,
            tips: Vec::new(),
            nodes: Vec::new(),
            by_id: HashMap::new(),
            queue: BinaryHeap::new(),
            open: 0,
            buffer: Vec::new(),
        }
    }

    pub(super) fn run(
        &mut self,
        tips: &[ObjectId],
        hidden: &[ObjectId],
        since: Option<Timestamp>,
        stop: &mut dyn FnMut(&str) -> bool,
    ) -> Result<(), RepoError> {
        for id in hidden {
            let at = self.enter(*id)?;
            self.hide(at)?;
        }
        for id in tips {
            let at = match self.enter(*id) {
                Err(RepoError::Missing { .. }) => self.meet(*id)?,
                entered => entered?,
            };
            self.tips.push(at);
        }
        let since = since.map(Timestamp::as_second);
        let mut oldest = i64::MAX;
        let (mut slop, mut extra) = (SLOP, MAX_SLOP);
        while let Some((seconds, Reverse(at))) = self.queue.pop() {
            let at = at as usize;
            let is_too_old = since.is_some_and(|since| seconds < since);
            if self.open == 0 || is_too_old {
                let may_matter = self.open == 0 && seconds >= oldest;
                slop = if may_matter { SLOP } else { slop.saturating_sub(1) };
                extra -= 1;
                if slop == 0 || extra == 0 {
                    break;
                }
            } else {
                (slop, extra) = (SLOP, MAX_SLOP);
            }
            if self.nodes[at].is_hidden {
                self.nodes[at].state = State::Walked;
                self.expand(at, usize::MAX)?;
                self.hide_parents(at)?;
                continue;
            }
            self.open -= 1;
            if stop(&self.nodes[at].id.to_string()) {
                self.nodes[at].state = State::Stopped;
                continue;
            }
            self.nodes[at].state = State::Walked;
            if !self.nodes[at].is_opaque {
                oldest = oldest.min(seconds);
            }
            self.expand(at, if self.first_parent { 1 } else { usize::MAX })?;
        }
        Ok(())
    }

    /// Meet the commit that `id` names or that a tag of that name leads to.
    fn enter(&mut self, id: ObjectId) -> Result<u32, RepoError> {
        if self.by_id.contains_key(&id) {
            return self.meet(id);
        }
        match self.repository.read(&id, &mut self.buffer)? {
            Kind::Commit => {
                let links = self.links_in_buffer();
                self.add(id, links)
            }
            _ => {
                let commit = self.repository.peel(id)?;
                self.meet(commit)
            }
        }
    }

    /// The place of a commit, which is read and queued if it was never met.
    fn meet(&mut self, id: ObjectId) -> Result<u32, RepoError> {
        if let Some(known) = self.by_id.get(&id) {
            return Ok(*known);
        }
        let links = match self.repository.read(&id, &mut self.buffer) {
            Ok(Kind::Commit) => self.links_in_buffer(),
            Ok(_) | Err(RepoError::Missing { .. } | RepoError::Misnamed { .. }) => None,
            Err(error) => return Err(error),
        };
        self.add(id, links)
    }

    /// The parents and the date of the commit that was read; `None` when it is not to be read as one.
    fn links_in_buffer(&self) -> Option<(Vec<ObjectId>, i64)> {
        let links = commit_links(&self.buffer).ok()?;
        // A parent with a name of the other hash function cannot be looked for.
        let id = |hex: &&[u8]| self.repository.id(std::str::from_utf8(hex).ok()?).ok();
        let parents: Option<Vec<ObjectId>> = links.parents.iter().map(id).collect();
        Some((parents?, links.seconds))
    }

    fn add(&mut self, id: ObjectId, links: Option<(Vec<ObjectId>, i64)>) -> Result<u32, RepoError> {
        if self.nodes.len() == MAX_COMMITS {
            return Err(RepoError::TooMany { what: "commits", limit: MAX_COMMITS });
        }
        let place = self.nodes.len() as u32;
        let is_opaque = links.is_none();
        // What is missing has no date: it is looked at last.
        let (unmet, seconds) = links.unwrap_or((Vec::new(), i64::MIN));
        let (state, is_merge) = (State::Queued, unmet.len() > 1);
        self.nodes.push(Node { id, parents: Vec::new(), unmet, seconds, state, is_hidden: false, is_merge, is_opaque });
        self.by_id.insert(id, place);
        self.queue.push((seconds, Reverse(place)));
        self.open += 1;
        Ok(place)
    }

    /// Meet the parents, or as many that `limit` have been met.
    fn expand(&mut self, at: usize, limit: usize) -> Result<(), RepoError> {
        let mut unmet = std::mem::take(&mut self.nodes[at].unmet);
        let count = limit.saturating_sub(self.nodes[at].parents.len()).min(unmet.len());
        let later = unmet.split_off(count);
        for id in unmet {
            let parent = self.meet(id)?;
            self.nodes[at].parents.push(parent);
        }
        self.nodes[at].unmet = later;
        Ok(())
    }

    /// Make a commit hidden, and everything behind it that was looked at.
    fn hide(&mut self, at: u32) -> Result<(), RepoError> {
        let mut pending = vec![at];
        while let Some(at) = pending.pop() {
            let node = &mut self.nodes[at as usize];
            if node.is_hidden {
                continue;
            }
            node.is_hidden = true;
            match node.state {
                State::Queued => self.open -= 1,
                State::Walked | State::Stopped => {
                    self.expand(at as usize, usize::MAX)?;
                    pending.extend(&self.nodes[at as usize].parents);
                }
            }
        }
        Ok(())
    }

    fn hide_parents(&mut self, at: usize) -> Result<(), RepoError> {
        for parent in self.nodes[at].parents.clone() {
            self.hide(parent)?;
        }
        Ok(())
    }

    fn belongs(&self, at: u32) -> bool {
        let node = &self.nodes[at as usize];
        node.state == State::Walked && !node.is_hidden
    }

    /// The hidden commits that were met from one that is not; the tips themselves if they are hidden.
    pub(super) fn boundary(&self) -> Vec<String> {
        let ours = (0..self.nodes.len()).map(|at| at as u32).filter(|at| self.belongs(*at));
        let mut met: Vec<u32> = ours.flat_map(|at| self.nodes[at as usize].parents.iter().copied()).collect();
        met.extend(&self.tips);
        met.sort_unstable();
        met.dedup();
        met.retain(|at| self.nodes[*at as usize].is_hidden);
        met.iter().map(|at| self.nodes[*at as usize].id.to_string()).collect()
    }

    /// What belongs and is `wanted`: parents before children, then by date, then by name.
    fn in_order(&self, wanted: impl Fn(&Node) -> bool) -> Vec<String> {
        let count = self.nodes.len();
        let mut children: Vec<Vec<u32>> = vec![Vec::new(); count];
        let mut waiting_for: Vec<u32> = vec![0; count];
        let mut ready = BinaryHeap::new();
        let key = |at: u32| Reverse((self.nodes[at as usize].seconds, self.nodes[at as usize].id, at));
        for at in (0..count as u32).filter(|at| self.belongs(*at)) {
            let mut parents = self.nodes[at as usize].parents.clone();
            parents.sort_unstable();
            parents.dedup();
            for parent in parents.into_iter().filter(|parent| self.belongs(*parent)) {
                children[parent as usize].push(at);
                waiting_for[at as usize] += 1;
            }
            if waiting_for[at as usize] == 0 {
                ready.push(key(at));
            }
        }
        let mut ordered = Vec::new();
        while let Some(Reverse((_, id, at))) = ready.pop() {
            if wanted(&self.nodes[at as usize]) {
                ordered.push(id.to_string());
            }
            for child in &children[at as usize] {
                waiting_for[*child as usize] -= 1;
                if waiting_for[*child as usize] == 0 {
                    ready.push(key(*child));
                }
            }
        }
        ordered
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;
    use std::io::Write as _;
    use std::path::Path;
    use std::process::{Command, Stdio};

    use super::*;

    fn git(at: &Path, arguments: &[&str], input: &str) -> String {
        let mut child = Command::new("git")
            .arg("-C")
            .arg(at)
            .args(arguments)
            .envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null")])
            .envs([("GIT_AUTHOR_NAME", "A"), ("GIT_AUTHOR_EMAIL", "a@x")])
            .envs([("GIT_COMMITTER_NAME", "A"), ("GIT_COMMITTER_EMAIL", "a@x")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git {arguments:?}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// A repository with a history given as parents and dates.
    struct History {
        directory: tempfile::TempDir,
        ids: Vec<String>,
        parents: Vec<Vec<usize>>,
    }

    impl History {
        fn new(format: &str, commits: &[(&[usize], i64)]) -> Self {
            let directory = tempfile::tempdir().unwrap();
            git(directory.path(), &["init", "--quiet", "--bare", "--object-format", format], "");
            let mut stream = String::new();
            for (at, (parents, date)) in commits.iter().enumerate() {
                write!(stream, "commit refs/heads/c{at}\nmark :{}\n", at + 1).unwrap();
                write!(stream, "committer A <a@x> {date} +0000\ndata <<END\n{at}\nEND\n").unwrap();
                for (number, parent) in parents.iter().enumerate() {
                    let verb = if number == 0 { "from" } else { "merge" };
                    writeln!(stream, "{verb} :{}", parent + 1).unwrap();
                }
                stream.push('\n');
            }
            git(directory.path(), &["fast-import", "--quiet"], &stream);
            let names = (0..commits.len()).map(|at| format!("refs/heads/c{at}\n")).collect::<String>();
            let ids = git(directory.path(), &["cat-file", "--batch-check=%(objectname)"], &names);
            let ids = ids.lines().map(str::to_owned).collect();
            History { directory, ids, parents: commits.iter().map(|(parents, _)| parents.to_vec()).collect() }
        }

        fn repository(&self) -> Repository {
            Repository::open_isolated_test_only(self.directory.path())
        }

        fn selection(&self, tips: &[usize], hidden: &[usize]) -> Selection {
            let ids = |numbers: &[usize]| numbers.iter().map(|at| self.ids[*at].clone()).collect();
            Selection { tips: ids(tips), hidden: ids(hidden), ..Selection::default() }
        }

        fn numbers(&self, ids: &[String]) -> Vec<usize> {
            ids.iter().map(|id| self.ids.iter().position(|known| known == id).unwrap()).collect()
        }

        fn walked(&self, selection: &Selection) -> Vec<usize> {
            self.numbers(&self.repository().walk(selection, &mut |_| false).unwrap())
        }

        fn reached(&self, from: &[usize]) -> BTreeSet<usize> {
            let mut reached = BTreeSet::new();
            let mut pending = from.to_vec();
            while let Some(at) = pending.pop() {
                if reached.insert(at) {
                    pending.extend(&self.parents[at]);
                }
            }
            reached
        }
    }

    /// A line of four, a side branch from 1, and their merge: 0-1-2-3-6, 1-4-5-6.
    fn forked(format: &str) -> History {
        History::new(format, &[(&[], 10), (&[0], 20), (&[1], 30), (&[2], 40), (&[1], 35), (&[4], 45), (&[3, 5], 50)])
    }

    #[test]
    fn parents_come_before_children_in_both_hash_functions() {
        for format in ["sha1", "sha256"] {
            let history = forked(format);
            assert_eq!(history.walked(&history.selection(&[6], &[])), [0, 1, 2, 4, 3, 5, 6]);
            assert_eq!(history.walked(&history.selection(&[6], &[3])), [4, 5, 6]);
            assert_eq!(history.walked(&history.selection(&[3, 5], &[2])), [4, 3, 5]);
            assert!(history.walked(&history.selection(&[2], &[6])).is_empty());
        }
    }

    #[test]
    fn first_parents_merges_and_dates_narrow_it() {
        let history = forked("sha1");
        let all = history.selection(&[6], &[0]);
        assert_eq!(history.walked(&Selection { first_parent: true, ..all.clone() }), [1, 2, 3, 6]);
        assert_eq!(history.walked(&Selection { merges_only: true, ..all.clone() }), [6]);
        let since = Timestamp::from_second(40).unwrap();
        assert_eq!(history.walked(&Selection { since: Some(since), ..all }), [3, 5, 6]);
    }

    #[test]
    fn what_stops_a_walk_hides_nothing_that_is_reached_otherwise() {
        let history = forked("sha1");
        let repository = history.repository();
        let stop = |at: usize| {
            let selection = history.selection(&[6], &[]);
            history.numbers(&repository.walk(&selection, &mut |id| id == history.ids[at]).unwrap())
        };
        assert_eq!(stop(3), [0, 1, 4, 5, 6]);
        assert_eq!(stop(1), [2, 4, 3, 5, 6]);
        assert!(stop(6).is_empty());
    }

    #[test]
    fn ranges_mean_what_git_says_they_mean() {
        let history = forked("sha1");
        let repository = history.repository();
        for revisions in [
            &["c3..c6"][..],
            &["c6", "^c3"],
            &["c3...c5"],
            &["c5...c3"],
            &["c1...c3"],
            &["c6^!"],
            &["c6^@"],
            &["c6^-"],
            &["c6^-2"],
            &["c0..c2", "c4..c5"],
            &["c3..c3"],
            &["c6~1..c6^0"],
        ] {
            let revisions: Vec<String> = revisions.iter().map(|text| (*text).to_owned()).collect();
            let selection = repository.select(&revisions).unwrap();
            let ours: BTreeSet<String> = repository.walk(&selection, &mut |_| false).unwrap().into_iter().collect();
            let mut arguments = vec!["rev-list"];
            arguments.extend(revisions.iter().map(String::as_str));
            let gits = git(history.directory.path(), &arguments, "");
            assert_eq!(ours, gits.lines().map(str::to_owned).collect(), "{revisions:?}");
        }
        for bad in ["c3..nowhere", "..", "^", "^-", "c0^-", "c6^{tree}..c6", "-x..c1", "--all"] {
            assert!(repository.select(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }

    #[test]
    fn full_names_need_no_reference() {
        let history = forked("sha1");
        let range = format!("{}..{}", history.ids[3], history.ids[6]);
        let selection = history.repository().select(&[range]).unwrap();
        assert_eq!(history.walked(&selection), [4, 5, 6]);
    }

    #[test]
    fn a_tag_leads_to_its_commit() {
        let history = forked("sha1");
        let at = history.directory.path();
        git(at, &["tag", "-a", "-m", "x", "v1", "c3"], "");
        git(at, &["tag", "-a", "-m", "x", "v2", "v1"], "");
        let selection = history.repository().select(&["v2..c6".to_owned()]).unwrap();
        assert_eq!(history.walked(&selection), [4, 5, 6]);
        let tag = git(at, &["rev-parse", "v2"], "");
        let by_tag = Selection { hidden: vec![tag], ..history.selection(&[6], &[]) };
        assert_eq!(history.walked(&by_tag), [4, 5, 6]);
    }

    #[test]
    fn clocks_decide_nothing() {
        // Any history, any dates: exactly what the tips reach and the hidden do not, parents first.
        let mut seed = 1_u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        for _ in 0..6 {
            let count = 40;
            let mut commits: Vec<(Vec<usize>, i64)> = Vec::new();
            for at in 0..count {
                let mut parents: Vec<usize> = (0..random(4)).filter(|_| at > 0).map(|_| random(at.max(1))).collect();
                parents.sort_unstable();
                parents.dedup();
                commits.push((parents, random(1000) as i64));
            }
            let borrowed: Vec<(&[usize], i64)> = commits.iter().map(|(parents, date)| (&parents[..], *date)).collect();
            let history = History::new("sha1", &borrowed);
            for _ in 0..12 {
                let (tips, hidden) = ([random(count), random(count)], [random(count), random(count)]);
                let walked = history.walked(&history.selection(&tips, &hidden));
                let expected: BTreeSet<usize> =
                    history.reached(&tips).difference(&history.reached(&hidden)).copied().collect();
                assert_eq!(walked.iter().copied().collect::<BTreeSet<_>>(), expected, "{tips:?} {hidden:?}");
                for (place, at) in walked.iter().enumerate() {
                    assert!(history.parents[*at].iter().all(|parent| !walked[place..].contains(parent)));
                }
            }
        }
    }

    #[test]
    fn a_date_of_1970_brings_nothing_old_back() {
        // The new commit is older than all that is hidden, by its own clock.
        let mut commits: Vec<(Vec<usize>, i64)> = vec![(vec![], 1_000_000)];
        commits.extend((1..600).map(|at| (vec![at - 1], 1_000_000 + at as i64)));
        commits.push((vec![300], 0));
        let borrowed: Vec<(&[usize], i64)> = commits.iter().map(|(parents, date)| (&parents[..], *date)).collect();
        let history = History::new("sha1", &borrowed);
        assert_eq!(history.walked(&history.selection(&[600], &[599])), [600]);
    }

    #[test]
    fn what_is_missing_is_in_the_list_fail() {
        let history = forked("sha1");
        let clone = tempfile::tempdir().unwrap();
        let source = format!("file://{}", history.directory.path().display());
        let arguments = ["clone", "--quiet", "--bare", "--depth=2", "--branch=c3", source.as_str(), "."];
        git(clone.path(), &arguments, "");
        let shallow = Repository::open_isolated_test_only(clone.path());
        let selection = history.selection(&[3], &[]);
        let walked = history.numbers(&shallow.walk(&selection, &mut |_| false).unwrap());
        assert_eq!(walked, [1, 2, 3], "the clone has 2 and 3; 1 is known by name alone");
        assert_eq!(shallow.completing_command(), "git fetch --unshallow");
    }

    #[test]
    fn grafts_and_replacements_change_no_history() {
        let history = forked("sha1");
        let at = history.directory.path();
        git(at, &["replace", &history.ids[5], &history.ids[0]], "");
        std::fs::create_dir_all(at.join("info")).unwrap();
        std::fs::write(at.join("info/grafts"), format!("{}\n", history.ids[6])).unwrap();
        assert_eq!(history.walked(&history.selection(&[6], &[3])), [4, 5, 6]);
        let disregarded = history.repository().disregarded().unwrap();
        assert_eq!((disregarded.replace_refs, disregarded.grafts), (1, true));
    }

    #[test]
    fn the_objects_of_a_push_are_seen_in_its_quarantine() {
        let history = forked("sha1");
        let at = history.directory.path();
        let quarantine = tempfile::tempdir().unwrap();
        let tree = git(at, &["rev-parse", "c6^{tree}"], "");
        let output = Command::new("git")
            .arg("-C")
            .arg(at)
            .args(["-c", "user.name=A", "-c", "user.email=a@x", "commit-tree", "-p", "c6", "-m", "new", &tree])
            .env("GIT_OBJECT_DIRECTORY", quarantine.path())
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", at.join("objects"))
            .output()
            .unwrap();
        let new = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        let selection =
            Selection { tips: vec![new.clone()], hidden: vec![history.ids[3].clone()], ..Selection::default() };
        let without = history.repository();
        assert!(matches!(without.raw_object_by_id(&new), Err(RepoError::Missing { .. })));

        let environment = |name: &str| match name {
            "GIT_OBJECT_DIRECTORY" => Some(quarantine.path().into()),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES" => Some(at.join("objects").into()),
            _ => None,
        };
        let shared = gix::ThreadSafeRepository::open_opts(at, gix::open::Options::isolated()).unwrap();
        let within = Repository::without_replacements(&shared, &environment).unwrap();
        let walked = within.walk(&selection, &mut |_| false).unwrap();
        assert_eq!(walked.last(), Some(&new));
        assert_eq!(history.numbers(&walked[..3]), [4, 5, 6]);
    }
}
