//! What is in the agent's memory, read there as root reads it: the key while it is held, and no trace of it afterwards.
//!
//! No hook helps: the key is found by trying what lies in memory against the public key of a signature. It is looked for
//! as p256 keeps it, four limbs of 64 bits, the least significant first; traces are looked for in both orders, limb by
//! limb, at every address. So are the nonces of all signatures: whoever has one of them can compute the key.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead as _, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use gitseal::crypto::digest::{hex, unhex};
use gitseal::crypto::{EphemeralKey, Keypair as _};
use gitseal::entity::SignatureContent;
use gitseal::entity::cms::from_cms;
use gitseal::format::cms::SignedData;
use gitseal::format::git::decode_armour;
use gitseal::sandbox::Options;
use jiff::SignedDuration;
use p256::ecdsa::Signature;
use p256::elliptic_curve::PrimeField as _;
use p256::{FieldBytes, Scalar, SecretKey};
use serde_json::json;

use super::{ALICE, Bed, Ended, Talk, is_alive, is_root, kill, said, scope, skip, until};
use crate::lab::{gitseal, run};

const PAGE: usize = 4096;

/// All that a process can write to: heap, stacks, data; pages of zeros are left out.
struct Memory(Vec<Vec<u8>>);

impl Memory {
    fn of(pid: u32) -> Self {
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
        let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
        let mut pieces = Vec::new();
        for line in maps.lines() {
            let mut words = line.split_whitespace();
            let (range, modes) = (words.next().unwrap(), words.next().unwrap());
            if !modes.contains('w') {
                continue;
            }
            let (from, to) = range.split_once('-').unwrap();
            let [from, to] = [from, to].map(|text| u64::from_str_radix(text, 16).unwrap());
            let mut piece = Vec::new();
            let mut page = [0; PAGE];
            for at in (from..to).step_by(PAGE) {
                // What was unmapped meanwhile is gone.
                let is_there = memory.read_exact_at(&mut page, at).is_ok() && page != [0; PAGE];
                if is_there {
                    piece.extend_from_slice(&page);
                } else if !piece.is_empty() {
                    pieces.push(std::mem::take(&mut piece));
                }
            }
            pieces.push(piece);
        }
        assert!(pieces.iter().map(Vec::len).sum::<usize>() > 20 * PAGE, "that is not all");
        Memory(pieces)
    }

    /// The private key that belongs to a public one (SubjectPublicKeyInfo), if it is there.
    fn key(&self, spki: &[u8]) -> Option<SecretKey> {
        let public = &spki[spki.len() - 65..];
        let mut candidates: Vec<[u8; 32]> = Vec::new();
        let mut seen = HashSet::new();
        for piece in &self.0 {
            for at in (0..piece.len().saturating_sub(31)).step_by(8) {
                let window: &[u8; 32] = piece[at..at + 32].try_into().unwrap();
                if is_random(window) && seen.insert(*window) {
                    candidates.push(*window);
                }
            }
        }
        let half = candidates.len() / 2;
        let search = |some: &[[u8; 32]]| {
            some.iter().find_map(|window| {
                let reversed: Vec<u8> = window.iter().rev().copied().collect();
                [&reversed[..], window].into_iter().find_map(|bytes| {
                    let key = SecretKey::from_slice(bytes).ok()?;
                    (*key.public_key().to_sec1_bytes() == *public).then_some(key)
                })
            })
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(|| search(&candidates[half..]));
            search(&candidates[..half]).or_else(|| other.join().unwrap())
        })
    }

    /// How often a limb of one of `secrets` is there, in either order and at any address.
    fn traces(&self, secrets: &[Scalar]) -> usize {
        let words: HashSet<u64> = secrets.iter().flat_map(words).collect();
        // Most of memory is told from a limb by its first two bytes.
        let mut begins = vec![false; 1 << 16];
        words.iter().for_each(|word| begins[usize::from(*word as u16)] = true);
        let is_one = |eight: &&[u8]| {
            begins[usize::from(u16::from_le_bytes([eight[0], eight[1]]))]
                && words.contains(&u64::from_le_bytes((*eight).try_into().unwrap()))
        };
        self.0.iter().map(|piece| piece.windows(8).filter(is_one).count()).sum()
    }

    fn has(&self, bytes: &[u8]) -> bool {
        let finds = |piece: &Vec<u8>| {
            piece.iter().enumerate().any(|(at, first)| *first == bytes[0] && piece[at..].starts_with(bytes))
        };
        self.0.iter().any(finds)
    }
}

/// Of 32 random bytes less than one in a billion has so few different ones, and pointers, counts and text have fewer.
fn is_random(window: &[u8; 32]) -> bool {
    let mut seen = [0_u64; 4];
    for byte in window {
        seen[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }
    seen.iter().map(|part| part.count_ones()).sum::<u32>() >= 21
}

/// The limbs of a scalar as a little-endian processor reads them, from its own form and from the one that is written.
fn words(scalar: &Scalar) -> Vec<u64> {
    let written = scalar.to_repr();
    let limbs = written.chunks(8).map(|limb| u64::from_be_bytes(limb.try_into().unwrap()));
    limbs.flat_map(|limb| [limb, limb.swap_bytes()]).collect()
}

/// The nonce of a signature by `key`, and its inverse, which signing computes.
fn nonce(key: &SecretKey, armour: &[u8]) -> [Scalar; 2] {
    let (der, _) = decode_armour(armour).unwrap();
    let entity = from_cms(&SignedData::parse(&der).unwrap()).unwrap();
    let gitseal::entity::Artifact::Bytes(attributes) = &entity.artifact else { panic!("no attributes") };
    let SignatureContent::Message(signature) = &entity.signature else { panic!("no signature") };
    nonce_of(key, attributes, signature)
}

fn nonce_of(key: &SecretKey, message: &[u8], signature: &[u8]) -> [Scalar; 2] {
    let (r, s) = Signature::from_der(signature).unwrap().split_scalars();
    let digest = gitseal::crypto::sha256(message);
    let z = Scalar::from_repr(FieldBytes::from(digest)).expect("all but one digest in four billion");
    let nonce = s.invert().unwrap() * (z + *r * *key.to_nonzero_scalar());
    let inverse: Scalar = nonce.invert().unwrap();
    [nonce, inverse]
}

fn may_read_memory() -> bool {
    if !is_root() {
        skip("reading the agent's memory takes root: nobody else may");
    }
    is_root()
}

#[test]
fn a_key_is_in_the_agent_while_it_is_held_and_nowhere_afterwards() {
    if !may_read_memory() {
        return;
    }
    let bed = Bed::new();
    bed.lab.allow_forwarding("public");
    let first = bed.signs();
    let pid = bed.pid();
    let held = Memory::of(pid);
    let key = held.key(first.spki_der()).expect("what the agent signs with is in its memory");
    let scalar = *key.to_nonzero_scalar();
    assert!(held.traces(&[scalar]) >= 4, "whoever finds a key finds its limbs");

    // Dozens of signatures, and the nonces that made them.
    let mut secrets = vec![scalar];
    let digest = "00".repeat(32);
    let payloads: Vec<_> = (0..64).map(|_| json!({"digest": digest})).collect();
    let context = json!({"kind": "other"});
    let request = json!({"sign": {"scope": scope(), "payloads": payloads, "context": context}});
    let answer = Talk::greeted(&bed.forward_socket()).ask(&request);
    let signed = answer["signed"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let nonces: Vec<Scalar> =
        signed.iter().flat_map(|one| nonce(&key, one["armour"].as_str().unwrap().as_bytes())).collect();
    assert_eq!(nonces.len(), 128);
    let memory = Memory::of(pid);
    assert_eq!(memory.traces(&nonces), 0, "nonces of signatures that are made");
    // Four limbs where it is kept, and nowhere else.
    assert_eq!(memory.traces(&[scalar]), 4, "copies of the key beside the one that is kept");
    secrets.extend(nonces);

    assert!(said(&bed.gitseal(&["agent", "forget"])).contains("1 credential is wiped"));
    let memory = Memory::of(pid);
    assert_eq!(memory.traces(&secrets), 0, "after forget");
    assert!(memory.key(first.spki_der()).is_none());

    // The next login, and SIGUSR1.
    let second = bed.signs();
    assert_ne!(first, second);
    let memory = Memory::of(pid);
    let key = memory.key(second.spki_der()).expect("the new key");
    assert_eq!(memory.traces(&secrets), 0, "after another login");
    secrets = vec![*key.to_nonzero_scalar()];
    kill("USR1", pid);
    until("it has forgotten", || said(&bed.gitseal(&["agent", "status"])).contains("holds nothing"));
    assert_eq!(Memory::of(pid).traces(&secrets), 0, "after SIGUSR1");

    bed.signs();
    assert!(bed.gitseal(&["agent", "stop"]).status.success());
    until("the process is gone", || !is_alive(pid));
    assert_eq!(std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default(), "", "and its memory with it");
}

#[test]
fn a_key_that_is_over_is_wiped_without_being_asked_for() {
    if !may_read_memory() {
        return;
    }
    let bed = Bed::with(Options { certificate_lifetime: SignedDuration::from_secs(6), ..Options::default() });
    let certificate = bed.signs();
    let pid = bed.pid();
    let key = Memory::of(pid).key(certificate.spki_der()).expect("it is held");
    // Nobody speaks to it meanwhile.
    let secrets = [*key.to_nonzero_scalar()];
    until("it is wiped", || Memory::of(pid).traces(&secrets) == 0);
    assert!(jiff::Timestamp::now() < certificate.not_after() + SignedDuration::from_secs(6));
}

#[test]
fn a_token_is_gone_once_it_is_exchanged() {
    if !may_read_memory() {
        return;
    }
    let bed = Bed::new();
    bed.signs();
    let pid = bed.pid();
    let memory = Memory::of(pid);
    assert!(memory.has(ALICE.as_bytes()), "whom it holds a credential of is in its memory");
    let signature = bed.token.rsplit('.').next().unwrap();
    for part in [&signature[..24], &signature[signature.len() - 24..]] {
        assert!(!memory.has(part.as_bytes()), "a part of the token's signature is");
    }
}

/// Make a key, sign with it, tell what may be told, drop the key at a word, and stay.
#[test]
#[ignore = "the process that the test below looks into, started by it"]
fn child() {
    let key = EphemeralKey::generate();
    let signature = key.sign(MESSAGE);
    let told = [key.public_key().spki_der(), &signature].map(hex).join(" ");
    let wait = || std::io::stdin().read(&mut [0; 1]).unwrap();
    println!("told {told}");
    wait();
    drop(key);
    println!("dropped");
    wait();
}

const MESSAGE: &[u8] = b"message";

/// In the agent much goes on after a signature that would cover its traces. Here nothing does, so that what is left on
/// the stack is still there when it is looked at.
#[test]
fn a_signature_leaves_nothing_on_the_stack() {
    if !may_read_memory() {
        return;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--quiet", "--ignored", "--exact", "--nocapture", "agent::memory::child"]);
    let mut child = Ended(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    let mut keyboard = child.0.stdin.take().unwrap();
    let mut lines = std::io::BufReader::new(child.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let told = lines.find_map(|line| line.split_once("told ").map(|(_, told)| told.to_owned())).unwrap();
    let [spki, signature] = told.split(' ').map(|part| unhex(part).unwrap()).collect::<Vec<_>>().try_into().unwrap();
    let memory = Memory::of(child.0.id());
    let key = memory.key(&spki).expect("it is held");
    let scalar = *key.to_nonzero_scalar();
    assert_eq!(memory.traces(&[scalar]), 4, "of the key, beside the one that is kept");
    assert_eq!(memory.traces(&nonce_of(&key, MESSAGE, &signature)), 0, "of the nonce");
    keyboard.write_all(b"x").unwrap();
    assert!(lines.any(|line| line.ends_with("dropped")));
    assert_eq!(Memory::of(child.0.id()).traces(&[scalar]), 0, "of the key, once it is dropped");
}

/// A passphrase goes the same way as a token, and is only kept as a hash.
#[test]
fn a_passphrase_is_gone_once_it_is_hashed() {
    if !may_read_memory() {
        return;
    }
    let bed = Bed::new();
    let pid = bed.start();
    // With a character that JSON writes in another way.
    let passphrase = "correct \"horse\" battery staple";
    let mut talk = Talk::greeted(&bed.socket());
    assert!(talk.ask(&json!({"lock": {"passphrase": passphrase}})).get("done").is_some());
    drop(talk);
    let memory = Memory::of(pid);
    assert!(memory.has(b"GITSEAL_AGENT_DIR"), "its environment is in its memory");
    assert!(!memory.has(b"battery staple"));
    let answer = Talk::greeted(&bed.socket()).ask(&json!({"unlock": {"passphrase": passphrase}}));
    assert!(answer.get("done").is_some(), "{answer}");
    assert!(!Memory::of(pid).has(b"battery staple"));
}

/// A home of the user nobody, and the program where nobody may run it.
pub(super) struct Nobody {
    folder: tempfile::TempDir,
}

impl Nobody {
    pub(super) const UID: u32 = 65534;

    pub(super) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("gitseal-nobody").tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::copy(gitseal(), folder.path().join("gitseal")).unwrap();
        let home = folder.path().join("home");
        std::fs::create_dir(&home).unwrap();
        std::os::unix::fs::chown(&home, Some(Self::UID), Some(Self::UID)).unwrap();
        Nobody { folder }
    }

    pub(super) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Shell text in nobody's name, whose gitseal is `$GITSEAL`.
    pub(super) fn shell(&self, text: &str) -> String {
        let uid = Self::UID.to_string();
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &uid, "--regid", &uid, "--clear-groups", "setsid", "bash", "-c", text]);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.home()).current_dir(self.home());
        command.env("GITSEAL", self.folder.path().join("gitseal")).env("GITSEAL_AGENT_DIR", self.home().join("agent"));
        said(&run(command))
    }
}

impl Drop for Nobody {
    fn drop(&mut self) {
        self.shell("\"$GITSEAL\" agent stop");
    }
}

#[test]
fn the_agent_keeps_its_memory_to_itself_and_out_of_core_files() {
    if !is_root() || Command::new("setpriv").arg("--version").output().is_err() {
        return skip("being another user takes root and setpriv");
    }
    let nobody = Nobody::new();
    // The control: a process like any other is open to its user, and leaves a core file if it may.
    let said =
        nobody.shell("sleep 60 & sleep 0.2; head -c 4 /proc/$!/environ | wc -c; stat -c %u /proc/$!/environ; kill $!");
    assert_eq!(said.split_whitespace().collect::<Vec<_>>(), ["4", "65534"]);
    let control = nobody.shell("ulimit -c unlimited; mkdir dumps; cd dumps; bash -c 'kill -ABRT $$'; ls");
    let leaves_cores = control.lines().any(|line| line.starts_with("core"));

    let pid = nobody.shell(
        "ulimit -c unlimited; \"$GITSEAL\" agent start >/dev/null; \"$GITSEAL\" agent status --json | grep -o '\"pid\":[0-9]*'",
    );
    let pid: u32 = pid.trim().rsplit(':').next().unwrap().parse().unwrap_or_else(|_| panic!("{pid}"));
    for file in ["mem", "environ", "maps"] {
        // Whom the kernel names as the owner of these is who may trace it.
        assert_eq!(std::fs::metadata(format!("/proc/{pid}/{file}")).unwrap().uid(), 0, "{file}");
        let read = nobody.shell(&format!("head -c 1 /proc/{pid}/{file}"));
        assert!(read.contains("Permission denied"), "{file}: {read}");
    }
    let traced = nobody.shell(&format!("readlink /proc/{pid}/exe || ls -l /proc/{pid}/fd"));
    assert!(traced.contains("Permission denied"), "{traced}");
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{core}");

    kill("ABRT", pid);
    until("it has ended", || !is_alive(pid));
    std::thread::sleep(Duration::from_millis(100));
    let cores = |folder: &Path| {
        let names = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
        names.filter(|name| name.to_string_lossy().starts_with("core")).count()
    };
    assert_eq!([cores(Path::new("/")), cores(&nobody.home()), cores(&nobody.home().join("agent"))], [0; 3]);
    if !leaves_cores {
        skip(&format!(
            "this machine writes no core files where a process works, so that none is there says little: {control}"
        ));
    }
}
