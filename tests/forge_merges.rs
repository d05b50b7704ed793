//! What stands behind a forge's merge button, made by git itself with a second name, and made again.
//!
//! The oracle is git with a work tree: `git merge`, `git merge --squash`, `git rebase`, `git cherry-pick`. Each way to
//! put something into such a commit that nobody signed has its case, and differs from a good one in that alone.

use std::ffi::OsString;
use std::path::PathBuf;

use gitseal::audit::recompute::{Head, Known, NotReproduced, Recomputed, Recomputer};
use gitseal::repo::Repository;
use gitseal::repo::merge::{MergeError, Merged, Merger};
use gitseal::verify::Reason;

mod histories;

use crate::lab::{Lab, run};
use histories::Histories;

/// `main` with a file of each kind; `topic` with two commits on it; `main` one commit further; `other`, a branch that
/// nobody looked at.
const HISTORY: &str = "
git init -q -b main repo && cd repo
seq 30 >numbers && printf 'a\\0b' >binary && ln -s numbers link && echo 'exit 0' >tool && chmod +x tool
mkdir module
git add . && git update-index --add --cacheinfo 160000,1111111111111111111111111111111111111111,module
git commit -q -m base && git tag base
git checkout -q -b topic
sed -i 's/^3$/three/' numbers && git commit -q -a -m 'spell three' && git tag t1
git mv numbers figures && echo new >added && git add . && git commit -q -m 'rename numbers' -m 'with a body' && git tag t2
git checkout -q -b other base && echo other >other && git add . && git commit -q -m other
git checkout -q main && sed -i 's/^28$/twenty-eight/' numbers && git commit -q -a -m 'spell 28' && git tag m
forge() { GIT_COMMITTER_NAME=GitHub GIT_COMMITTER_EMAIL=noreply@github.com \"$@\"; }
";

/// A repository, and what the shell printed while it was made: one commit a line.
struct Made {
    lab: Lab,
    printed: Vec<String>,
}

impl Made {
    /// [`HISTORY`], and then `more`.
    #[track_caller]
    fn with(more: &str) -> Self {
        let lab = Lab::new();
        let script = lab.temp().join("history");
        std::fs::write(&script, format!("set -euo pipefail\n{HISTORY}\n{more}\n")).unwrap();
        let mut command = lab.command("bash");
        let output = run({
            command.arg(script);
            command
        });
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
        Made { lab, printed }
    }

    fn path(&self) -> PathBuf {
        self.lab.home().join("repo")
    }

    #[track_caller]
    fn git(&self, arguments: &[&str]) -> String {
        let mut command = self.lab.command("git");
        command.current_dir(self.path()).args(arguments);
        let output = run(command);
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    fn id(&self, revision: &str) -> String {
        self.git(&["rev-parse", revision])
    }

    /// Make `revision` again, where everything has passed but `other` and what was printed, and the target is `main`
    /// before.
    fn recompute(&self, revision: &str) -> Result<Recomputed, NotReproduced> {
        self.recompute_where(revision, &["base", "t1", "t2", "m"], &["refs/heads/topic"])
    }

    fn recompute_where(&self, revision: &str, passed: &[&str], heads: &[&str]) -> Result<Recomputed, NotReproduced> {
        let repository = Repository::discover(&self.path(), &environment).unwrap();
        let raw = repository.raw_object(&self.id(revision)).unwrap().bytes;
        let head = |name: &&str| Head { name: (*name).to_owned(), id: self.id(name) };
        let recomputer = Recomputer::new(
            &repository,
            Merger::new(&repository, &environment).unwrap(),
            heads.iter().map(head).collect(),
        );
        let passed: Vec<String> = passed.iter().map(|name| self.id(name)).collect();
        let target = [self.id("base"), self.id("m")];
        // Further commits of the same rebase are on the line that is judged.
        let on_target = |id: &str| target.contains(&id.to_owned()) || self.printed.contains(&id.to_owned());
        let known = Known { passed: &|id| passed.contains(&id.to_owned()), on_target: &on_target };
        recomputer.recompute(&raw, known)
    }
}

fn environment(name: &str) -> Option<OsString> {
    (name == "PATH").then(|| std::env::var_os("PATH")).flatten()
}

/// The merge button.
const MERGE: &str = "forge git merge -q --no-ff -m 'Merge pull request #7 from alice/topic' topic";

#[test]
fn a_merge_is_made_again() {
    let made = Made::with(MERGE);
    assert_eq!(made.recompute("main").unwrap(), Recomputed::Merge);
    assert_eq!(made.git(&["log", "-1", "--format=%cn", "main"]), "GitHub");
}

#[test]
fn a_merge_with_one_more_byte_is_refused() {
    let made = Made::with(&format!("{MERGE}\nprintf x >>figures && forge git commit -q -a --amend --no-edit"));
    let error = made.recompute("main").unwrap_err();
    assert!(matches!(error, NotReproduced::Differs { .. }), "{error}");
    assert_eq!(error.reason(), Reason::MergeNotReproduced);
    assert!(error.to_string().contains(&made.id("main^{tree}")));
}

#[test]
fn nothing_else_may_be_different_in_a_merge() {
    for change in [
        "chmod -x tool && git add -u",
        "chmod +x figures && git add -u",
        "echo more >more && git add more",
        "git rm -q binary",
        "ln -sf added link && git add -u",
        "git update-index --cacheinfo 160000,2222222222222222222222222222222222222222,module",
        "printf 'a\\0c' >binary && git add -u",
        "mkdir d && git mv added d/added",
    ] {
        let made = Made::with(&format!("{MERGE}\n{change}\nforge git commit -q --amend --no-edit"));
        let result = made.recompute("main");
        assert!(matches!(result, Err(NotReproduced::Differs { .. })), "{change}: {result:?}");
    }
}

#[test]
fn the_branch_that_was_merged_into_comes_first() {
    let made = Made::with("git checkout -q topic && forge git merge -q --no-ff -m 'merge main' main");
    assert_eq!(made.git(&["diff", "topic^{tree}", &format!("{}^{{tree}}", merged_by_hand(&made))]), "");
    let error = made.recompute_where("topic", &["base", "t1", "t2", "m"], &[]).unwrap_err();
    assert!(matches!(&error, NotReproduced::ParentOrder(parent) if *parent == made.id("t2")), "{error}");
}

/// The same merge the other way round.
fn merged_by_hand(made: &Made) -> String {
    made.git(&["commit-tree", "-m", "x", &format!("{}^{{tree}}", made.id("topic"))])
}

#[test]
fn both_parents_must_have_passed() {
    let made = Made::with(MERGE);
    let error = made.recompute_where("main", &["base", "m"], &[]).unwrap_err();
    assert!(matches!(&error, NotReproduced::ParentNotPassed(parent) if *parent == made.id("t2")), "{error}");
    let error = made.recompute_where("main", &["t1", "t2"], &[]).unwrap_err();
    assert!(matches!(&error, NotReproduced::ParentNotPassed(parent) if *parent == made.id("m")), "{error}");
}

#[test]
fn a_resolved_conflict_is_somebodys_decision() {
    let made = Made::with(
        "sed -i 's/^3$/drei/' numbers && git commit -q -a --amend --no-edit && git tag -f m >/dev/null
         forge git merge -q -m merge topic >/dev/null || { git checkout -q --ours . ; git add -A && forge git commit -q -m merge; }",
    );
    assert!(matches!(made.recompute("main"), Err(NotReproduced::Conflict)));
}

#[test]
fn first_commits_and_octopuses_are_never_a_forges() {
    let made =
        Made::with("forge git commit-tree -m x -p m -p t2 -p other 'm^{tree}'; forge git commit-tree -m x 'm^{tree}'");
    assert!(matches!(made.recompute(&made.printed[0]), Err(NotReproduced::Parents(3))));
    assert!(matches!(made.recompute(&made.printed[1]), Err(NotReproduced::Parents(0))));
}

/// The squash button.
const SQUASH: &str = "git merge -q --squash topic >/dev/null && forge git commit -q -m 'Topic (#7)'";

#[test]
fn a_squash_is_made_again() {
    let made = Made::with(SQUASH);
    let head = Head { name: "refs/heads/topic".into(), id: made.id("t2") };
    assert_eq!(made.recompute("main").unwrap(), Recomputed::Squash(head));
}

#[test]
fn a_squash_with_one_more_byte_is_refused() {
    let made = Made::with(&format!("{SQUASH}\nprintf x >>figures && forge git commit -q -a --amend --no-edit"));
    let error = made.recompute("main").unwrap_err();
    assert!(matches!(error, NotReproduced::NoSource { heads: 1 }), "{error}");
    assert_eq!(error.reason(), Reason::MergeNotReproduced);
}

#[test]
fn a_squash_of_an_unverified_head_is_refused() {
    let made = Made::with("git merge -q --squash other >/dev/null && forge git commit -q -m 'Other (#8)'");
    let passed = ["base", "t1", "t2", "m"];
    let unverified = made.recompute_where("main", &passed, &["refs/heads/topic", "refs/heads/other"]).unwrap_err();
    assert!(matches!(unverified, NotReproduced::NoSource { heads: 1 }), "{unverified}");
    let verified = made.recompute_where("main", &["m", "other"], &["refs/heads/other"]).unwrap();
    assert!(matches!(verified, Recomputed::Squash(head) if head.name == "refs/heads/other"));
}

#[test]
fn the_head_that_the_message_names_is_tried_first() {
    let made = Made::with(&format!(
        "{SQUASH}\nfor n in $(seq 150); do git update-ref refs/pull/1$n/head base; done
         git update-ref refs/pull/7/head topic && for n in $(seq 150); do git commit-tree -m $n -p base 'base^{{tree}}'; done >ids
         paste -d' ' <(seq 1000 1149) ids | while read n id; do git update-ref refs/pull/$n/head $id; done",
    ));
    let names = made.git(&["for-each-ref", "--format=%(refname)", "refs/pull"]);
    let names: Vec<&str> = names.lines().collect();
    let passed: Vec<&str> = names.iter().copied().chain(["m"]).collect();
    let squash = made.recompute_where("main", &passed, &names).unwrap();
    assert!(matches!(squash, Recomputed::Squash(head) if head.name == "refs/pull/7/head"));
}

#[test]
fn an_empty_commit_is_a_squash_of_nothing() {
    let made = Made::with("forge git commit -q --allow-empty -m 'approved by all'");
    let merged = made.recompute_where("main", &["base", "m", "t2"], &["refs/tags/base", "refs/tags/t2"]);
    assert!(matches!(merged, Err(NotReproduced::Empty)), "{merged:?}");
}

/// The rebase button.
const REBASE: &str = "git checkout -q -b rebased topic && forge git rebase -q main && git rev-parse rebased~1 rebased";

#[test]
fn rebased_commits_are_made_again() {
    let made = Made::with(REBASE);
    let passed = ["base", "t1", "t2", "m", "rebased~1"];
    for (rebased, source) in [("rebased~1", "t1"), ("rebased", "t2")] {
        let recomputed = made.recompute_where(rebased, &passed, &["refs/heads/topic"]).unwrap();
        assert_eq!(recomputed, Recomputed::Rebase(made.id(source)));
    }
    // The commit before it has not passed.
    let error = made.recompute("rebased").unwrap_err();
    assert!(matches!(error, NotReproduced::ParentNotPassed(_)), "{error}");
}

#[test]
fn a_rebased_commit_keeps_its_content_message_and_author() {
    for change in [
        "printf x >>numbers && forge git commit -q -a --amend --no-edit",
        "forge git commit -q --amend -m 'spell threee'",
        "forge git commit -q --amend --no-edit --author 'Mallory <mallory@example.com>'",
        "forge git commit -q --amend --no-edit --date '2001-01-01T00:00:00Z'",
    ] {
        let made = Made::with(&format!("{REBASE} >/dev/null && git checkout -q rebased~1\n{change}\ngit tag changed"));
        let result = made.recompute("changed");
        assert!(matches!(result, Err(NotReproduced::NoSource { heads: 1 })), "{change}: {result:?}");
    }
}

#[test]
fn a_commit_that_was_moved_must_have_passed() {
    let made = Made::with(REBASE);
    let error = made.recompute_where("rebased~1", &["base", "m"], &["refs/heads/topic"]).unwrap_err();
    assert!(matches!(error, NotReproduced::NoSource { heads: 0 }), "{error}");
}

#[test]
fn a_missing_object_leaves_it_undecided() {
    let made = Made::with(MERGE);
    let blob = made.id("base:numbers");
    std::fs::remove_file(made.path().join(".git/objects").join(&blob[..2]).join(&blob[2..])).unwrap();
    let error = made.recompute("main").unwrap_err();
    assert_eq!(error.reason(), Reason::ObjectMissing, "{error}");
    assert!(matches!(error, NotReproduced::Merge(MergeError::Failed(_))), "{error}");
}

/// Whoever can write the tree, the configuration or the refs cannot have a say in the merge, let alone run something.
#[test]
fn surroundings_have_no_say() {
    let made = Made::with(&format!(
        "{MERGE}
         git config merge.evil.driver 'touch ../evil; true' && git config merge.default evil
         git config merge.renames false && git config core.attributesFile $PWD/attributes
         git config --global merge.evil.driver 'touch ../evil; true'
         echo '* merge=evil filter=evil' | tee attributes .gitattributes .git/info/attributes >/dev/null
         git config filter.evil.smudge 'touch ../evil' && git config filter.evil.clean 'touch ../evil'
         git replace base $(git commit-tree -m x 'other^{{tree}}')
         echo $(git rev-parse m) $(git rev-parse other) >.git/info/grafts
         git rev-parse m >.git/shallow"
    ));
    assert_eq!(made.recompute("main").unwrap(), Recomputed::Merge);
    assert!(!made.lab.home().join("evil").exists());
    // And with the attributes in the very trees: git on a server does not read them there.
    let made = Made::with(&format!(
        "git checkout -q topic && echo 'numbers merge=binary' >.gitattributes && git add . && git commit -q --amend --no-edit
         git tag -f t2 >/dev/null && git checkout -q main\n{MERGE}"
    ));
    assert_eq!(made.recompute("main").unwrap(), Recomputed::Merge);
}

#[test]
fn nothing_is_written_into_the_repository() {
    let made = Made::with(&format!("{MERGE}\ngit checkout -q --detach\ngit gc -q --prune=now"));
    let before = made.git(&["count-objects", "-v"]);
    let repository = Repository::discover(&made.path(), &environment).unwrap();
    let merger = Merger::new(&repository, &environment).unwrap();
    let merged = merger.merge(&made.id("m"), &made.id("t1")).unwrap();
    let Merged::Tree(tree) = merged else { panic!("{merged:?}") };
    assert_eq!(made.git(&["count-objects", "-v"]), before);
    let mut command = made.lab.command("git");
    command.current_dir(made.path()).args(["cat-file", "-e", &tree]);
    assert!(!run(command).status.success(), "the tree is in the repository");
}

#[test]
fn what_is_no_id_is_never_given_to_git() {
    let made = Made::with("");
    let repository = Repository::discover(&made.path(), &environment).unwrap();
    let merger = Merger::new(&repository, &environment).unwrap();
    for id in ["--help", "HEAD", "", &"1".repeat(64), &"g".repeat(40)] {
        assert!(matches!(merger.merge(id, &made.id("m")), Err(MergeError::Id(_))), "{id}");
        assert!(matches!(merger.pick(&made.id("m"), id, &made.id("m")), Err(MergeError::Id(_))), "{id}");
    }
    let nothing = |_: &str| None;
    let elsewhere = Merger::new(&repository, &nothing).unwrap().merge(&made.id("m"), &made.id("t1"));
    // Without a PATH the system's own places are searched.
    assert!(matches!(elsewhere, Ok(_) | Err(MergeError::Git(_))));
}

#[test]
fn what_was_decided_by_hand_is_told_by_path() {
    let made = Made::with(&format!(
        "{MERGE}
         echo evil >>added && git mv tool d-tool && mkdir d && echo x >'d/ä b' && git add . && git commit -q --amend --no-edit
         git tag evil && git checkout -q m && git commit -q --amend -m conflict && sed -i 's/^3$/drei/' numbers
         git commit -q -a --amend --no-edit && git merge -q topic >/dev/null || git checkout -q --theirs .
         git add -A && git commit -q -m resolved && git tag resolved
         forge git commit-tree -m x -p m -p t2 -p other 'm^{{tree}}'"
    ));
    let repository = Repository::discover(&made.path(), &environment).unwrap();
    let recomputer = Recomputer::new(&repository, Merger::new(&repository, &environment).unwrap(), Vec::new());
    let by_hand = |revision: &str| {
        let parents = made.git(&["log", "-1", "--format=%P", revision]);
        let parents: Vec<String> = parents.split_whitespace().map(str::to_owned).collect();
        recomputer.hand_made(&parents, &made.id(&format!("{revision}^{{tree}}"))).unwrap()
    };
    assert_eq!(by_hand("evil"), ["added", "d-tool", "d/ä b", "tool"]);
    assert_eq!(by_hand("resolved"), ["figures"]);
    assert_eq!(by_hand("t2"), ["added", "figures", "numbers"]);
    assert_eq!(by_hand("base"), ["binary", "link", "module", "numbers", "tool"]);
    assert_eq!(by_hand(made.printed.last().unwrap()), Vec::<String>::new());
    assert_eq!(by_hand("main"), by_hand("evil"));
    let clean = Made::with(MERGE);
    let merger = Merger::new(&Repository::discover(&clean.path(), &environment).unwrap(), &environment).unwrap();
    let parents = [clean.id("m"), clean.id("t2")];
    assert_eq!(merger.decided_by_hand(&parents, &clean.id("main^{tree}")).unwrap(), Vec::<String>::new());
}

/// A push on trial: its objects are in a quarantine, whatever that is called.
#[test]
fn objects_on_trial_are_seen() {
    let made = Made::with(MERGE);
    let name = "in: \"coming\" \\n";
    let (objects, trial) = (made.path().join(".git/objects"), made.lab.home().join(name));
    std::fs::rename(&objects, &trial).unwrap();
    std::fs::create_dir(&objects).unwrap();
    let repository = Repository::discover(&made.path(), &environment).unwrap();
    let on_trial = |name: &str| match name {
        "GIT_OBJECT_DIRECTORY" => Some(trial.clone().into_os_string()),
        _ => environment(name),
    };
    let ids = |name: &str| std::fs::read_to_string(made.path().join(".git/refs/tags").join(name)).unwrap();
    let (m, t2) = (ids("m"), ids("t2"));
    let (m, t2) = (m.trim_end(), t2.trim_end());
    let merger = Merger::new(&repository, &on_trial).unwrap();
    assert!(matches!(merger.merge(m, t2), Ok(Merged::Tree(_))));
    let without = Merger::new(&repository, &environment).unwrap().merge(m, t2);
    assert!(matches!(without, Err(MergeError::Failed(_))), "{without:?}");
}

#[test]
fn histories_with_the_longer_ids_are_made_again() {
    let made = Made::with("cd .. && git init -q -b main --object-format=sha256 long && cd long
        seq 9 >n && git add . && git commit -q -m base && git checkout -q -b t && sed -i s/2/x/ n && git commit -q -a -m t
        git checkout -q main && sed -i s/9/y/ n && git commit -q -a -m m && git merge -q --no-ff -m merge t >/dev/null
        git rev-parse main^1 main^2 'main^{tree}' 'main~1^{tree}' 't^{tree}' 't~1^{tree}'");
    let repository = Repository::discover(&made.lab.home().join("long"), &environment).unwrap();
    let merger = Merger::new(&repository, &environment).unwrap();
    let [ours, theirs, tree, onto, picked, base] = made.printed.as_slice() else { panic!("{:?}", made.printed) };
    assert_eq!(merger.merge(ours, theirs).unwrap(), Merged::Tree(tree.clone()));
    assert_eq!(merger.pick(base, onto, picked).unwrap(), Merged::Tree(tree.clone()));
}

/// Random histories: what comes out here is what `git merge` and `git cherry-pick` make in a work tree.
#[test]
fn random_histories_merge_as_git_merges_them() {
    let lab = Lab::new();
    let histories = Histories::new(1, 60);
    std::fs::write(lab.home().join("stream"), &histories.stream).unwrap();
    let pairs: Vec<String> = histories.pairs.iter().map(|(ours, theirs)| format!("c{ours} c{theirs}\n")).collect();
    std::fs::write(lab.home().join("pairs"), pairs.concat()).unwrap();
    let mut command = lab.command("bash");
    command.args(["-c", AS_GIT_DOES]);
    let output = run(command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let repository = Repository::discover(&lab.home().join("random"), &environment).unwrap();
    let merger = Merger::new(&repository, &environment).unwrap();
    let (mut clean, mut conflicts) = (0, 0);
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let merged = match words.as_slice() {
            ["merge", ours, theirs, _] => merger.merge(ours, theirs),
            ["pick", base, onto, picked, _] => merger.pick(base, onto, picked),
            _ => panic!("{line}"),
        };
        let expected = match *words.last().unwrap() {
            "conflict" => Merged::Conflict,
            tree => Merged::Tree(tree.to_owned()),
        };
        assert_eq!(merged.unwrap(), expected, "{line}");
        *if expected == Merged::Conflict { &mut conflicts } else { &mut clean } += 1;
    }
    assert!(clean > 50 && conflicts > 20, "{clean} clean, {conflicts} conflicts");
}

/// Merges each pair in a work tree, and picks the second of each onto the first.
const AS_GIT_DOES: &str = "
set -euo pipefail
git init -q random && git -C random fast-import --quiet <stream && cd random
at() { git checkout -q -f --detach $1 && git clean -q -f -d -x; }
tree() { git rev-parse \"$1^{tree}\"; }
while read ours theirs; do
    at $ours
    if git merge -q -m x $theirs >/dev/null 2>&1; then result=$(tree HEAD); else result=conflict; fi
    echo merge $(git rev-parse $ours $theirs) $result
    git reset -q --hard
    at $ours
    if git cherry-pick --allow-empty --keep-redundant-commits -m1 $theirs >/dev/null 2>&1 ||
        git cherry-pick --allow-empty --keep-redundant-commits $theirs >/dev/null 2>&1
    then result=$(tree HEAD); else result=conflict; fi
    echo pick $(tree $theirs^1) $(tree $ours) $(tree $theirs) $result
    git reset -q --hard
done <../pairs
";
