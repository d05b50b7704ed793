//! A push judged, and what a hook says of it to whoever pushes: one line a ref, and under it what is refused and what mends
//! it. git puts `remote:` before each line; nobody sees anything else of the server.

use std::io;

use crate::audit::Finding;
use crate::audit::push::{self, Gate, Pusher, RefFinding};
use crate::audit::receipts::{Receipts, ReceiptsError};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::report;
use crate::cli::streams::Streams;
use crate::format::ref_update::{Change, RefUpdate};
use crate::verify::Verdict;

/// Judge a push, say what is found, and keep receipts of what is good.
pub(super) fn judge(
    gate: &Gate<'_>,
    updates: &[RefUpdate],
    receipts: Result<Receipts, ReceiptsError>,
    streams: &mut Streams,
) -> Result<Exit, CliError> {
    let mut receipts = receipts.unwrap_or_else(|error| {
        streams.warning(&error.to_string());
        Receipts::none()
    });
    let mut exit = Exit::Good;
    let pusher = push::judge(gate, updates, &mut receipts, &mut |found| {
        exit = exit.worse(Exit::from(found.verdict()));
        say(&found, streams);
    })?;
    if let Pusher::Unproven(refusal) = pusher {
        streams.note(&format!("gitseal: the push certificate does not count: {refusal}"));
    }
    keep(receipts, streams);
    Ok(exit)
}

/// A disk that takes nothing costs time at the next push, and is nobody's fault who pushes.
fn keep(receipts: Receipts, streams: &mut Streams) {
    match receipts.save() {
        Ok(()) => {}
        Err(ReceiptsError::Io { source, .. })
            if matches!(source.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied) => {}
        Err(error) => streams.warning(&error.to_string()),
    }
}

/// Say what was found about one ref.
fn say(found: &RefFinding, streams: &mut Streams) {
    streams.note(&summary(found));
    if let Some(denial) = &found.denial {
        say_refusal(denial, streams);
    }
    for refused in &found.refused {
        say_refusal(refused, streams);
    }
    if found.more > 0 {
        streams.note(&format!("  {} more are refused", found.more));
    }
    if found.lost.1 > 0 {
        let first = &found.lost.0;
        let rest = if found.lost.1 > first.len() { ", and older ones" } else { "" };
        streams.note(&format!(
            "  {} would lose {}: {}{rest}",
            found.update.reference,
            count(found.lost.1),
            first.join(", ")
        ));
    }
}

fn summary(found: &RefFinding) -> String {
    let reference = &found.update.reference;
    if !found.is_protected {
        return format!("gitseal: {reference} is not protected");
    }
    let refused = found.refused.len() + found.more;
    let judged = match found.judged {
        0 if found.update.change() == Change::Delete => "may be deleted".to_owned(),
        0 => "nothing new".to_owned(),
        judged => format!("{judged} judged"),
    };
    let what = match (found.verdict(), refused) {
        (Verdict::Good, _) => judged,
        (Verdict::Undecided, _) => format!("undecided, {judged}"),
        (_, 0) if found.judged == 0 => "refused".to_owned(),
        (_, 0) => format!("refused, {judged}"),
        (_, refused) => format!("refused, {judged}, {refused} of them bad"),
    };
    format!("gitseal: {reference}: {what}")
}

fn say_refusal(finding: &Finding, streams: &mut Streams) {
    let Some(refusal) = &finding.refusal else { return };
    let object = finding.object.as_deref().map(|id| format!("{id} ")).unwrap_or_default();
    let title = finding.title.as_deref().filter(|title| !title.is_empty());
    let title = title.map(|title| format!("{title:?} ")).unwrap_or_default();
    streams.note(&format!("gitseal: error: {object}{title}{} ({})", refusal.detail, refusal.reason.code()));
    let lines = report::denial(finding);
    if lines.is_empty()
        && let Some(hint) = refusal.reason.hint()
    {
        streams.note(&format!("  mend: {hint}"));
    }
    for line in lines {
        streams.note(&line);
    }
}

fn count(commits: usize) -> String {
    if commits == 1 { "1 commit".to_owned() } else { format!("{commits} commits") }
}
