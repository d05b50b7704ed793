//! Signatures of other formats, SSH and OpenPGP, judged by the programs that git itself would ask: `ssh-keygen` and
//! `gpg`. Only for keys that a policy lists; what is listed nowhere costs no process.
//!
//! Neither proves when it was made: the signer writes the time, and could write any.
//!
//! The programs see nothing of the user's: `ssh-keygen` a file of keys that is written here, `gpg` a home of its own with
//! the keys of one file. Nothing goes through a shell, and each has its time.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use super::finding::ForeignSigner;
use crate::format::ssh_signature::{SshSignature, SshSignatureError};
use crate::verify::{Reason, Refusal};

/// How long one signature may take: an RSA key of 16384 bits takes a tenth of a second.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long `gpg` may take to read the keyring.
const IMPORT_PATIENCE: Duration = Duration::from_secs(60);
/// Nothing that these programs say is longer; what is more is not read.
const MAX_OUTPUT: u64 = 64 * 1024;

const BEGIN_SSH: &[u8] = b"-----BEGIN SSH SIGNATURE-----";
const BEGIN_PGP: &[u8] = b"-----BEGIN PGP SIGNATURE-----";
/// What stands for the signer in the file of keys, which has one line.
const PRINCIPAL: &str = "signer";

/// The keys of other formats that count, and where `gpg` finds the whole of them.
#[derive(Debug, Default)]
pub struct ForeignKeys {
    ssh: BTreeSet<String>,
    pgp: BTreeSet<String>,
    keyring: Option<PathBuf>,
    home: OnceLock<Result<tempfile::TempDir, Refusal>>,
}

impl ForeignKeys {
    /// `ssh`: keys without their comments. `pgp`: fingerprints of primary keys, in upper case. `keyring`: a file of
    /// public keys, as `gpg --export` writes it.
    #[must_use]
    pub fn new(ssh: BTreeSet<String>, pgp: BTreeSet<String>, keyring: Option<PathBuf>) -> Self {
        ForeignKeys { ssh, pgp, keyring, home: OnceLock::new() }
    }

    /// Who made the signature in `armour` over `payload`.
    ///
    /// # Errors
    /// No listed key did, or the program cannot be asked.
    pub fn check(&self, armour: &[u8], payload: &[u8]) -> Result<ForeignSigner, Refusal> {
        if armour.starts_with(BEGIN_SSH) {
            self.check_ssh(armour, payload).map(ForeignSigner::Ssh)
        } else if armour.starts_with(BEGIN_PGP) {
            self.check_pgp(armour, payload).map(ForeignSigner::Pgp)
        } else {
            Err(Refusal::new(Reason::ArmourMalformed, "the signature is of a format that git no longer writes"))
        }
    }

    fn check_ssh(&self, armour: &[u8], payload: &[u8]) -> Result<String, Refusal> {
        if self.ssh.is_empty() {
            return Err(Refusal::new(Reason::FormatNotListed, "signed by an SSH key, and the policy lists none"));
        }
        let claimed = SshSignature::parse(armour).map_err(|error| {
            let reason = match error {
                SshSignatureError::Armour => Reason::ArmourMalformed,
                SshSignatureError::Malformed => Reason::SignatureMalformed,
                SshSignatureError::Certificate => Reason::FormatNotListed,
            };
            Refusal::new(reason, error.to_string())
        })?;
        if claimed.namespace != "git" {
            let detail = format!("the SSH signature was made for {:?}, not for git", claimed.namespace);
            return Err(Refusal::new(Reason::ForeignSignatureInvalid, detail));
        }
        if !self.ssh.contains(&claimed.key) {
            let detail = format!("signed by the SSH key {}, which the policy does not list", claimed.key);
            return Err(Refusal::new(Reason::SignerUnknown, detail));
        }
        let place = Place::new(armour, payload)?;
        let keys = place.file("keys", format!("{PRINCIPAL} namespaces=\"git\" {}\n", claimed.key).as_bytes())?;
        let mut program = program("ssh-keygen");
        program.args(["-Y", "verify", "-n", "git", "-I", PRINCIPAL, "-f"]).arg(keys).arg("-s").arg(&place.signature);
        let answer = ask(program, Some(&place.payload), PATIENCE)?;
        if answer.status.success() {
            Ok(claimed.key)
        } else {
            let detail = "ssh-keygen says that the SSH signature does not hold";
            Err(Refusal::new(Reason::ForeignSignatureInvalid, detail))
        }
    }

    fn check_pgp(&self, armour: &[u8], payload: &[u8]) -> Result<String, Refusal> {
        if self.pgp.is_empty() {
            return Err(Refusal::new(Reason::FormatNotListed, "signed by an OpenPGP key, and the policy lists none"));
        }
        let home = self.home.get_or_init(|| self.home()).as_ref().map_err(Clone::clone)?;
        let place = Place::new(armour, payload)?;
        let mut at = None;
        // A key that has expired since made good signatures before. The program goes by today's clock, and a verdict must
        // not: the second time it is asked as of the day of the signature, which nothing proves, as all of OpenPGP.
        for _ in 0..2 {
            let mut program = gpg(home.path());
            if let Some(seconds) = at {
                program.arg(format!("--faked-system-time={seconds}!")).arg("--ignore-time-conflict");
            }
            program.args(["--status-fd", "1", "--verify"]).arg(&place.signature).arg(&place.payload);
            let answer = ask(program, None, PATIENCE)?;
            match PgpAnswer::of(&String::from_utf8_lossy(&answer.stdout), answer.status.success()) {
                PgpAnswer::Good(primary) if self.pgp.contains(&primary) => return Ok(primary),
                PgpAnswer::Good(primary) => {
                    let detail = format!("signed by the OpenPGP key {primary}, which the policy does not list");
                    return Err(Refusal::new(Reason::SignerUnknown, detail));
                }
                PgpAnswer::Expired(seconds) if at.is_none() => at = Some(seconds),
                PgpAnswer::Expired(_) => break,
                PgpAnswer::NoKey(key) => {
                    let detail = format!("signed by the OpenPGP key {key}, which is not in gitseal.pgpKeyring");
                    return Err(Refusal::new(Reason::SignerUnknown, detail));
                }
                PgpAnswer::Bad => {
                    let detail = "gpg says that the OpenPGP signature does not hold";
                    return Err(Refusal::new(Reason::ForeignSignatureInvalid, detail));
                }
            }
        }
        let detail = "the OpenPGP key had expired when the signature was made";
        Err(Refusal::new(Reason::ForeignSignatureInvalid, detail))
    }

    /// A home for `gpg` with the keys of the keyring; for as long as this value lives.
    fn home(&self) -> Result<tempfile::TempDir, Refusal> {
        let Some(keyring) = &self.keyring else {
            let detail = "the policy lists OpenPGP keys, and gitseal.pgpKeyring names no file that has them";
            return Err(Refusal::new(Reason::ForeignProgramFailed, detail));
        };
        let home = temporary()?;
        let mut program = gpg(home.path());
        program.arg("--import").arg(keyring);
        let answer = ask(program, None, IMPORT_PATIENCE)?;
        if answer.status.success() {
            Ok(home)
        } else {
            let detail = format!("gpg cannot read the keys in {}", keyring.display());
            Err(Refusal::new(Reason::ForeignProgramFailed, detail))
        }
    }
}

/// What `gpg` says on its status lines (GnuPG: doc/DETAILS).
#[derive(Debug, PartialEq, Eq)]
enum PgpAnswer {
    /// Good, by the primary key with this fingerprint.
    Good(String),
    /// Good, by a key that has expired; when it was made, as the signature says.
    Expired(u64),
    /// The key is not there.
    NoKey(String),
    /// Anything else.
    Bad,
}

impl PgpAnswer {
    /// There must be one signature and one verdict: git before 2.20 took the first of several, and a signature of two
    /// packets by two people would say two things.
    fn of(output: &str, is_success: bool) -> Self {
        let words = output.lines().filter_map(|line| line.strip_prefix("[GNUPG:] "));
        let lines: Vec<Vec<&str>> = words.map(|line| line.split(' ').collect()).collect();
        let count = |word: &str| lines.iter().filter(|line| line[0] == word).count();
        let one_of = |word: &str| lines.iter().find(|line| line[0] == word);
        if count("NEWSIG") != 1 {
            return PgpAnswer::Bad;
        }
        let verdicts = ["GOODSIG", "BADSIG", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG"];
        if verdicts.iter().map(|word| count(word)).sum::<usize>() != 1 {
            return PgpAnswer::Bad;
        }
        if let (1, Some(line)) = (count("ERRSIG"), one_of("NO_PUBKEY")) {
            return line.get(1).map_or(PgpAnswer::Bad, |key| PgpAnswer::NoKey((*key).to_owned()));
        }
        let Some(valid) = one_of("VALIDSIG").filter(|_| count("VALIDSIG") == 1) else { return PgpAnswer::Bad };
        // FPR DATE TIMESTAMP EXPIRES VERSION RESERVED PUBKEY HASH CLASS PRIMARY
        let (Some(made), Some(class), Some(primary)) = (valid.get(3), valid.get(9), valid.get(10)) else {
            return PgpAnswer::Bad;
        };
        let is_fingerprint = matches!(primary.len(), 40 | 64) && primary.bytes().all(|c| c.is_ascii_hexdigit());
        // A binary document: text signatures would let line endings vary.
        if !is_fingerprint || *class != "00" {
            return PgpAnswer::Bad;
        }
        if count("GOODSIG") == 1 && is_success {
            PgpAnswer::Good(primary.to_ascii_uppercase())
        } else if count("EXPKEYSIG") == 1 {
            made.parse().map_or(PgpAnswer::Bad, PgpAnswer::Expired)
        } else {
            PgpAnswer::Bad
        }
    }
}

/// A directory of our own with the signature and what is signed.
struct Place {
    directory: tempfile::TempDir,
    signature: PathBuf,
    payload: PathBuf,
}

impl Place {
    fn new(armour: &[u8], payload: &[u8]) -> Result<Self, Refusal> {
        let directory = temporary()?;
        let (signature, signed) = (directory.path().join("signature"), directory.path().join("payload"));
        let place = Place { directory, signature, payload: signed };
        place.file("signature", armour)?;
        place.file("payload", payload)?;
        Ok(place)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, Refusal> {
        let path = self.directory.path().join(name);
        fs::write(&path, bytes).map_err(|error| no_place(&error))?;
        Ok(path)
    }
}

/// Readable by us alone, gone with the value.
fn temporary() -> Result<tempfile::TempDir, Refusal> {
    tempfile::Builder::new().prefix("gitseal").tempdir().map_err(|error| no_place(&error))
}

fn no_place(error: &io::Error) -> Refusal {
    Refusal::new(Reason::ForeignProgramFailed, format!("cannot write a temporary file: {error}"))
}

/// A program of `PATH`, with nothing of ours that could lead it elsewhere.
fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    command.env("LC_ALL", "C").env_remove("GNUPGHOME").env_remove("SSH_AUTH_SOCK").stderr(Stdio::null());
    command
}

fn gpg(home: &Path) -> Command {
    let mut command = program("gpg");
    command.arg("--homedir").arg(home).args([
        "--no-options",
        "--batch",
        "--no-tty",
        "--no-autostart",
        "--disable-dirmngr",
        "--no-auto-key-retrieve",
        "--no-auto-check-trustdb",
        "--trust-model=always",
        "--lock-multiple",
    ]);
    command
}

/// What a program said, and how it ended.
struct Answer {
    status: ExitStatus,
    stdout: Vec<u8>,
}

fn ask(mut command: Command, stdin: Option<&Path>, patience: Duration) -> Result<Answer, Refusal> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |detail: String| Refusal::new(Reason::ForeignProgramFailed, detail);
    let stdin = match stdin {
        Some(path) => fs::File::open(path).map_err(|error| no_place(&error))?.into(),
        None => Stdio::null(),
    };
    let spawned = command.stdin(stdin).stdout(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|error| failed(format!("cannot run {name}: {error}")))?;
    let stdout = child.stdout.take();
    thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut said = Vec::new();
            // The rest is left in the pipe; whoever writes more than that is ended by the clock.
            stdout.map(|stdout| stdout.take(MAX_OUTPUT).read_to_end(&mut said));
            said
        });
        let status = wait(&mut child, patience);
        if status.is_none() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let stdout = reader.join().unwrap_or_default();
        let status = status.ok_or_else(|| failed(format!("{name} did not end in {} s", patience.as_secs())))?;
        // Ended by a signal: it has said nothing about the signature.
        if status.code().is_none() {
            return Err(failed(format!("{name} was ended: {status}")));
        }
        Ok(Answer { status, stdout })
    })
}

/// How a process ends, if it does in time.
fn wait(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let until = Instant::now() + patience;
    let mut pause = Duration::from_micros(500);
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if Instant::now() >= until {
            return None;
        }
        thread::sleep(pause);
        pause = (pause * 3 / 2).min(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIMARY: &str = "968479A1AFF927E37D1A566BB5690EEEBB952194";

    fn valid(class: &str) -> String {
        format!("[GNUPG:] VALIDSIG {PRIMARY} 2026-01-02 1767312000 0 4 0 22 8 {class} {PRIMARY}\n")
    }

    #[test]
    fn one_good_signature_is_good() {
        let output = format!("[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG X A\n{}", valid("00"));
        assert_eq!(PgpAnswer::of(&output, true), PgpAnswer::Good(PRIMARY.to_owned()));
        let expired = format!("[GNUPG:] NEWSIG\n[GNUPG:] EXPKEYSIG X A\n{}", valid("00"));
        assert_eq!(PgpAnswer::of(&expired, true), PgpAnswer::Expired(1_767_312_000));
        let unknown = "[GNUPG:] NEWSIG\n[GNUPG:] ERRSIG AB 1 8 00 1 9 -\n[GNUPG:] NO_PUBKEY AB\n";
        assert_eq!(PgpAnswer::of(unknown, false), PgpAnswer::NoKey("AB".to_owned()));
    }

    #[test]
    fn two_signatures_or_none_are_bad_fail() {
        let good = format!("[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG X A\n{}", valid("00"));
        for (output, is_success) in [
            (String::new(), true),
            (good.clone(), false),
            (good.repeat(2), true),
            (format!("{good}[GNUPG:] NEWSIG\n[GNUPG:] ERRSIG AB\n[GNUPG:] NO_PUBKEY AB\n"), true),
            (format!("{good}{}", valid("00")), true),
            (format!("{good}[GNUPG:] BADSIG X\n"), true),
            (format!("[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG X A\n{}", valid("01")), true),
            ("[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG X A\n".to_owned(), true),
            (format!("[GNUPG:] NEWSIG\n[GNUPG:] REVKEYSIG X A\n{}", valid("00")), true),
            // A name that looks like a status line has no place where lines begin.
            (format!("x[GNUPG:] NEWSIG\nx[GNUPG:] GOODSIG X A\n{}", valid("00")), true),
            ("[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG X\n[GNUPG:] VALIDSIG A B\n".to_owned(), true),
        ] {
            assert_eq!(PgpAnswer::of(&output, is_success), PgpAnswer::Bad, "{output}");
        }
    }

    #[test]
    fn a_program_that_hangs_or_is_missing_decides_nothing_fail() {
        let mut sleeper = program("sleep");
        sleeper.arg("30");
        let refused = ask(sleeper, None, Duration::from_millis(50)).err().unwrap();
        assert_eq!(refused.reason, Reason::ForeignProgramFailed);
        let missing = ask(program("gitseal-no-such-program"), None, PATIENCE).err().unwrap();
        assert_eq!(missing.reason, Reason::ForeignProgramFailed);
    }
}
