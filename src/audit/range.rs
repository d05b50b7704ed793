//! Judging many commits: worker threads that share one judge, findings in the order of the commits.
//!
//! Each worker takes every n-th block of the list and hands its findings over in order, through a channel that holds few:
//! so the blocks come together in order by themselves, and no more is in memory than the channels hold, however long the
//! list is and however slow whoever takes the findings.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::finding::Finding;
use super::object::Judge;
use crate::format::git::{CommitHeader, ObjectKind, commit_header};
use crate::repo::{RepoError, Repository};
use crate::verify::{Reason, Refusal};

/// How many commits a worker judges before it hands them over: a thread that wakes for each would cost as much again as
/// a signature that is known.
const BLOCK: usize = 16;
/// How many blocks a worker may be ahead.
const BLOCKS_AHEAD: usize = 8;
/// More workers than this wait for each other's memory.
const MAX_WORKERS: usize = 64;

/// A commit, or a tag, judged by its signature alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The name that was asked for.
    pub id: String,
    /// What was found.
    pub finding: Finding,
    /// The head of the commit; `None` when it is missing or malformed, which the finding says too, and for a tag.
    pub header: Option<CommitHeader>,
    /// How long the object is, in bytes; 0 when it is missing.
    pub raw_len: usize,
}

/// Judge the objects named `ids` and hand each to `on`, in that order. What is missing, no commit, or not what its name
/// stands for is a finding.
///
/// # Errors
/// What `on` says, at once; or an object cannot be read although it is there.
pub fn judge_all<E: From<RepoError>>(
    repository: &Repository,
    judge: &Judge<'_>,
    ids: &[String],
    on: &mut dyn FnMut(Judged) -> Result<(), E>,
) -> Result<(), E> {
    let blocks: Vec<&[String]> = ids.chunks(BLOCK).collect();
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let workers = processors.min(MAX_WORKERS).min(blocks.len());
    if workers <= 1 {
        for id in ids {
            on(judge_one(repository, judge, id)?)?;
        }
        return Ok(());
    }
    thread::scope(|scope| {
        let mut results: Vec<Receiver<Block>> = Vec::new();
        for worker in 0..workers {
            let (sender, receiver) = sync_channel(BLOCKS_AHEAD);
            let (repository, mine) = (repository.clone(), blocks.iter().skip(worker).step_by(workers));
            scope.spawn(move || work(&repository, judge, mine.copied(), &sender));
            results.push(receiver);
        }
        for at in 0..blocks.len() {
            // A worker ends early only after an error, which is taken before.
            let block = results[at % workers].recv().expect("a worker hands over each of its blocks");
            for judged in block? {
                on(judged)?;
            }
        }
        Ok(())
    })
}

type Block = Result<Vec<Judged>, RepoError>;

fn work<'a>(
    repository: &Repository,
    judge: &Judge<'_>,
    blocks: impl Iterator<Item = &'a [String]>,
    sender: &SyncSender<Block>,
) {
    for ids in blocks {
        let block: Block = ids.iter().map(|id| judge_one(repository, judge, id)).collect();
        let failed = block.is_err();
        // Nobody takes it any more once there is an error.
        if sender.send(block).is_err() || failed {
            return;
        }
    }
}

/// Judge the object named `id`.
///
/// # Errors
/// It cannot be read although it is there.
pub fn judge_one(repository: &Repository, judge: &Judge<'_>, id: &str) -> Result<Judged, RepoError> {
    let refused = |reason, detail| {
        let finding = Finding::refused(Some(id.to_owned()), None, Refusal::new(reason, detail));
        Ok(Judged { id: id.to_owned(), finding, header: None, raw_len: 0 })
    };
    let object = match repository.raw_object_by_id(id) {
        Ok(object) => object,
        Err(RepoError::Missing { .. }) => {
            let detail = format!("it is not in this repository; '{}' brings it", repository.completing_command());
            return refused(Reason::ObjectMissing, detail);
        }
        Err(error @ RepoError::Misnamed { .. }) => return refused(Reason::ObjectIdMismatch, error.to_string()),
        Err(error @ RepoError::Kind { .. }) => return refused(Reason::ObjectMalformed, error.to_string()),
        Err(error) => return Err(error),
    };
    let mut finding = judge.stored(&object, &[]);
    let raw_len = object.bytes.len();
    if object.kind == ObjectKind::Tag {
        return Ok(Judged { id: id.to_owned(), finding, header: None, raw_len });
    }
    let header = match commit_header(&object.bytes) {
        Ok(header) => Some(header),
        Err(error) => {
            // Whoever goes by who committed it, and when, must not meet a good commit without either.
            let refusal = Refusal::new(Reason::ObjectMalformed, error.to_string());
            finding = Finding::refused(Some(object.id), Some(object.kind), refusal);
            None
        }
    };
    finding.title = header.as_ref().map(|header| header.title.clone());
    Ok(Judged { id: id.to_owned(), finding, header, raw_len })
}
