//! Nothing near a good signature is good: every byte of every good object is changed, and so is its structure.
//!
//! A mutant must be refused, or be the same: the same payload, signed by the same person at the same time with the same
//! line in the log. (An unsigned certificate beside the signer's may change without changing any of that.)
//!
//! The cutting and joining here follows git's documents (gitformat-signature, X.690, the protobuf encoding), not
//! gitseal's own parsers: a fault in those must not hide the mutants that it lets through.

use crate::corpus;
use crate::judge::Judge;
use crate::lab::Lab;
use base64ct::{Base64, Encoding};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How a byte is changed: its lowest bit (a digit, a flag), bit 5 (constructed or primitive, the case of a letter), its
/// highest (a length, a tag class).
const MASKS: [u8; 3] = [0x01, 0x20, 0x80];

/// As many threads as a small machine has cores.
const THREADS: usize = 2;

/// A signed object, taken apart: `head`, the signature, `tail`.
struct Signed {
    name: String,
    kind: &'static str,
    head: Vec<u8>,
    tail: Vec<u8>,
    header: &'static str,
    der: Vec<u8>,
}

impl Signed {
    fn cut(name: &str, kind: &'static str, raw: &[u8]) -> Self {
        let text = |bytes: &[u8]| bytes.iter().map(|&b| char::from(b)).collect::<String>();
        let (header, range) = signature_range(kind, raw);
        let armour = text(&raw[range.clone()]);
        let body =
            armour.lines().map(|line| line.trim_start_matches(header).trim()).filter(|line| !line.starts_with("-----"));
        let der = Base64::decode_vec(&body.collect::<String>()).unwrap();
        Self { name: name.into(), kind, head: raw[..range.start].into(), tail: raw[range.end..].into(), header, der }
    }

    fn with_armour(&self, armour: &str) -> Vec<u8> {
        let mut text = armour.to_owned();
        if !self.header.is_empty() {
            text = format!("{} {}\n", self.header, armour.strip_suffix('\n').unwrap_or(armour).replace('\n', "\n "));
        }
        [&self.head[..], text.as_bytes(), &self.tail].concat()
    }

    fn with_der(&self, der: &[u8]) -> Vec<u8> {
        self.with_armour(&armour(der))
    }

    fn raw(&self) -> Vec<u8> {
        self.with_der(&self.der)
    }
}

/// Where the signature stands in an object, with the header it stands in.
fn signature_range(kind: &str, raw: &[u8]) -> (&'static str, Range<usize>) {
    let find =
        |needle: &[u8], from: usize| raw[from..].windows(needle.len()).position(|w| w == needle).map(|at| at + from);
    if kind == "tag" {
        return ("", find(b"-----BEGIN SIGNED MESSAGE-----", 0).unwrap()..raw.len());
    }
    let blank = find(b"\n\n", 0).unwrap() + 1;
    let start = find(b"\ngpgsig", 0).filter(|&at| at < blank).unwrap() + 1;
    let header = if raw[start..].starts_with(b"gpgsig-sha256 ") { "gpgsig-sha256" } else { "gpgsig" };
    let mut end = start;
    while end == start || raw[end] == b' ' {
        end = find(b"\n", end).unwrap() + 1;
    }
    (header, start..end)
}

fn armour(der: &[u8]) -> String {
    let body = Base64::encode_string(der);
    let lines = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap());
    format!("-----BEGIN SIGNED MESSAGE-----\n{}\n-----END SIGNED MESSAGE-----\n", lines.collect::<Vec<_>>().join("\n"))
}

/// A DER value as a tree, for surgery.
#[derive(Clone)]
enum Der {
    Leaf(u8, Vec<u8>),
    Node(u8, Vec<Der>),
}

impl Der {
    fn parse(bytes: &[u8]) -> Self {
        let (value, rest) = Self::parse_one(bytes);
        assert!(rest.is_empty());
        value
    }

    fn parse_one(bytes: &[u8]) -> (Self, &[u8]) {
        let (tag, first) = (bytes[0], usize::from(bytes[1]));
        let (start, length) = match first {
            0..0x80 => (2, first),
            _ => {
                let count = first - 0x80;
                (2 + count, bytes[2..2 + count].iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte)))
            }
        };
        let (mut body, rest) = bytes[start..].split_at(length);
        if tag & 0x20 == 0 {
            return (Self::Leaf(tag, body.into()), rest);
        }
        let mut children = Vec::new();
        while !body.is_empty() {
            let (child, after) = Self::parse_one(body);
            children.push(child);
            body = after;
        }
        (Self::Node(tag, children), rest)
    }

    fn encode(&self) -> Vec<u8> {
        let (tag, body) = match self {
            Self::Leaf(tag, body) => (tag, body.clone()),
            Self::Node(tag, children) => (tag, children.iter().flat_map(Self::encode).collect()),
        };
        let length = match body.len() {
            n @ 0..0x80 => vec![n as u8],
            n @ 0x80..0x100 => vec![0x81, n as u8],
            n => vec![0x82, (n >> 8) as u8, n as u8],
        };
        [&[*tag][..], &length, &body].concat()
    }

    fn children(&mut self) -> &mut Vec<Self> {
        match self {
            Self::Node(_, children) => children,
            Self::Leaf(..) => panic!("a leaf has no children"),
        }
    }

    /// The children of SignedData (RFC 5652, 5.1): version, digest algorithms, content, certificates, signer infos.
    fn signed_data(&mut self) -> &mut Vec<Self> {
        self.children()[1].children()[0].children()
    }

    /// The children of the one SignerInfo (5.3): version, sid, digest algorithm, signed attributes, signature algorithm,
    /// signature, unsigned attributes.
    fn signer_info(&mut self) -> &mut Vec<Self> {
        self.signed_data().last_mut().unwrap().children()[0].children()
    }

    /// The bytes of the embedded log entry, a protobuf in an OCTET STRING.
    fn log_entry(&mut self) -> Option<&mut Vec<u8>> {
        let attributes = self.signer_info().get_mut(6)?.children();
        attributes.iter_mut().find_map(|attribute| match &mut attribute.children()[1].children()[0] {
            Self::Leaf(0x04, bytes) => Some(bytes),
            _ => None,
        })
    }
}

/// A change, by name, and what came of it.
struct Mutant {
    change: String,
    raw: Vec<u8>,
    /// Whether the payload is what was signed: then it may be good, if it is the same in all that is reported.
    same_payload: bool,
}

/// One byte of the signature, in DER.
fn signature_bytes(signed: &Signed, depth: Depth) -> impl Iterator<Item = Mutant> {
    (0..signed.der.len()).flat_map(move |at| {
        depth.masks(at).iter().map(move |mask| {
            let mut der = signed.der.clone();
            der[at] ^= mask;
            Mutant { change: format!("der[{at}] ^ {mask:#04x}"), raw: signed.with_der(&der), same_payload: true }
        })
    })
}

/// One byte of the object as git stores it: headers, message, and the letters of the armour.
fn object_bytes(signed: &Signed, depth: Depth) -> impl Iterator<Item = Mutant> {
    let raw = signed.raw();
    let armour = signed.head.len()..raw.len() - signed.tail.len();
    (0..raw.len()).flat_map(move |at| {
        let (raw, same_payload) = (raw.clone(), armour.contains(&at));
        depth.masks(at).iter().map(move |mask| {
            let mut raw = raw.clone();
            raw[at] ^= mask;
            Mutant { change: format!("object[{at}] ^ {mask:#04x}"), raw, same_payload }
        })
    })
}

/// The signature, and the object, cut short at every length.
fn truncated(signed: &Signed) -> impl Iterator<Item = Mutant> {
    let raw = signed.raw();
    let in_der = (0..signed.der.len()).map(|length| Mutant {
        change: format!("der[..{length}]"),
        raw: signed.with_der(&signed.der[..length]),
        same_payload: true,
    });
    let in_object = (0..raw.len()).map(move |length| Mutant {
        change: format!("object[..{length}]"),
        raw: raw[..length].into(),
        same_payload: false,
    });
    in_der.chain(in_object)
}

/// Things added: headers twice, carriage returns, bytes after the end.
fn added(signed: &Signed) -> Vec<Mutant> {
    let raw = signed.raw();
    let mut mutants = Vec::new();
    let mut add = |change: String, raw: Vec<u8>, same_payload| mutants.push(Mutant { change, raw, same_payload });
    let mut start = 0;
    while let Some(length) = raw[start..].iter().position(|&b| b == b'\n') {
        let end = start + length + 1;
        let in_armour = start >= signed.head.len() && end <= raw.len() - signed.tail.len();
        let line = &raw[start..end];
        add(format!("line at {start} twice"), [&raw[..end], line, &raw[end..]].concat(), in_armour);
        add(format!("line at {start} dropped"), [&raw[..start], &raw[end..]].concat(), in_armour);
        add(format!("CR at {}", end - 1), [&raw[..end - 1], b"\r\n", &raw[end..]].concat(), in_armour);
        add(format!("space at {}", end - 1), [&raw[..end - 1], b" \n", &raw[end..]].concat(), in_armour);
        start = end;
    }
    for (what, trailing) in [("newline", "\n"), ("text", "x\n"), ("NUL", "\0")] {
        add(format!("{what} after the object"), [&raw, trailing.as_bytes()].concat(), signed.kind == "tag");
        add(format!("{what} after the armour"), signed.with_armour(&(armour(&signed.der) + trailing)), true);
    }
    add("the armour twice".into(), signed.with_armour(&armour(&signed.der).repeat(2)), true);
    add("a byte after the CMS".into(), signed.with_der(&[&signed.der[..], &[0]].concat()), true);
    add("the CMS twice".into(), signed.with_der(&signed.der.repeat(2)), true);
    add("lower case in the armour".into(), signed.with_armour(&armour(&signed.der).replace("SIGNED", "Signed")), true);
    add("another label".into(), signed.with_armour(&armour(&signed.der).replace("SIGNED MESSAGE", "CMS")), true);
    mutants
}

/// Parts of the CMS dropped, doubled, or shifted in time.
fn rearranged(signed: &Signed) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    let mut add = |change: String, edit: &dyn Fn(&mut Der)| {
        let mut der = Der::parse(&signed.der);
        edit(&mut der);
        mutants.push(Mutant { change, raw: signed.with_der(&der.encode()), same_payload: true });
    };
    for part in 0..5 {
        add(format!("SignedData without part {part}"), &|der| drop(der.signed_data().remove(part)));
    }
    for part in 0..7 {
        add(format!("SignerInfo without part {part}"), &|der| drop(der.signer_info().remove(part)));
    }
    add("the signer twice".into(), &|der| double(der.signed_data().last_mut().unwrap().children()));
    add("no certificate".into(), &|der| der.signed_data()[3].children().clear());
    for attributes in [3, 6] {
        add(format!("attributes {attributes} empty"), &|der| der.signer_info()[attributes].children().clear());
        add(format!("an attribute of {attributes} twice"), &|der| double(der.signer_info()[attributes].children()));
        add(format!("a value of {attributes} twice"), &|der| {
            double(der.signer_info()[attributes].children()[0].children()[1].children());
        });
    }
    let unsigned = |der: &mut Der, attribute: usize| match der.signer_info().get_mut(6) {
        Some(attributes) => std::mem::take(attributes.children()[attribute].children()[1].children()),
        None => Vec::new(),
    };
    for attribute in 0..unsigned_count(signed) {
        let count = unsigned(&mut Der::parse(&signed.der), attribute).len();
        let mut with = |change: &str, edit: &dyn Fn(&mut Vec<Der>)| {
            add(format!("values of unsigned attribute {attribute} {change}"), &|der| {
                let mut values = unsigned(der, attribute);
                edit(&mut values);
                *der.signer_info()[6].children()[attribute].children()[1].children() = values;
            });
        };
        with("in reverse", &|values| values.reverse());
        for value in 0..count {
            with(&format!("without {value}"), &|values| drop(values.remove(value)));
            with(&format!("with {value} twice"), &|values| values.insert(value, values[value].clone()));
            with(&format!("with nothing but {value}"), &|values| *values = vec![values[value].clone(); count]);
        }
    }
    for shift in [-1, 1, -600, 600, -86_400, 86_400, i64::MIN, i64::MAX] {
        add(format!("integrated time {shift:+}"), &|der| {
            if let Some(entry) = der.log_entry() {
                shift_varint(entry, 4, shift);
            }
        });
    }
    for field in [1, 7, 9] {
        add(format!("log index {field:+}"), &|der| {
            if let Some(entry) = der.log_entry() {
                shift_varint(entry, 1, field);
            }
        });
    }
    mutants
}

/// How many unsigned attributes there are.
fn unsigned_count(signed: &Signed) -> usize {
    Der::parse(&signed.der).signer_info().get_mut(6).map_or(0, |attributes| attributes.children().len())
}

fn double(parts: &mut Vec<Der>) {
    parts.extend(parts.first().cloned());
}

/// Adds to a varint field of a protobuf message.
fn shift_varint(message: &mut Vec<u8>, field: u8, shift: i64) {
    let varint = |bytes: &[u8]| {
        let length = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
        (bytes[..length].iter().rev().fold(0_u64, |sum, byte| sum << 7 | u64::from(byte & 0x7f)), length)
    };
    let mut at = 0;
    while at < message.len() {
        let (tag, start) = (message[at], at + 1);
        let (value, length) = varint(&message[start..]);
        if tag == field << 3 {
            let mut value = value.wrapping_add_signed(shift);
            let mut encoded = Vec::new();
            while value >= 0x80 {
                encoded.push(value as u8 | 0x80);
                value >>= 7;
            }
            encoded.push(value as u8);
            message.splice(start..start + length, encoded);
            return;
        }
        at = start + length + if tag & 7 == 2 { value as usize } else { 0 };
    }
}

/// The parts of one signature in another: every splice that has ever fooled a verifier.
fn swapped(signed: &Signed, other: &Signed) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    let name = &other.name;
    mutants.push(Mutant {
        change: format!("the whole signature of {name}"),
        raw: signed.with_der(&other.der),
        same_payload: true,
    });
    let mut add = |what: &str, edit: &dyn Fn(&mut Der, &mut Der)| {
        let (mut der, mut theirs) = (Der::parse(&signed.der), Der::parse(&other.der));
        edit(&mut der, &mut theirs);
        let change = format!("{what} of {name}");
        mutants.push(Mutant { change, raw: signed.with_der(&der.encode()), same_payload: true });
    };
    add("certificates", &|der, theirs| der.signed_data()[3] = theirs.signed_data()[3].clone());
    add("signer info", &|der, theirs| *der.signer_info() = theirs.signer_info().clone());
    for (part, what) in [(1, "signer id"), (3, "signed attributes"), (5, "signature value"), (6, "unsigned attributes")]
    {
        add(what, &|der, theirs| der.signer_info()[part] = theirs.signer_info()[part].clone());
    }
    add("signed attributes and signature value", &|der, theirs| {
        for part in [3, 5] {
            der.signer_info()[part] = theirs.signer_info()[part].clone();
        }
    });
    add("certificates, signer id and unsigned attributes", &|der, theirs| {
        der.signed_data()[3] = theirs.signed_data()[3].clone();
        for part in [1, 6] {
            der.signer_info()[part] = theirs.signer_info()[part].clone();
        }
    });
    mutants
}

/// What was tried, and what should not have happened.
#[derive(Default)]
struct Tally {
    tried: AtomicUsize,
    /// Mutants that say the same as the original, by the kind of change.
    same: AtomicUsize,
    wrong: Mutex<Vec<String>>,
}

impl Tally {
    fn try_one(&self, judge: &Judge, signed: &Signed, original: &str, mutant: &Mutant) {
        self.tried.fetch_add(1, Ordering::Relaxed);
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| judge.good(signed.kind, &mutant.raw)));
        let wrong = match told {
            Ok(None) => return,
            Ok(Some(story)) if mutant.same_payload && story == original => {
                self.same.fetch_add(1, Ordering::Relaxed);
                return;
            }
            Ok(Some(story)) => format!("good: {story}"),
            Err(_) => "panicked".into(),
        };
        self.wrong.lock().unwrap().push(format!("{}: {}: {wrong}", signed.name, mutant.change));
    }

    fn report(self, what: &str) {
        let (tried, same) = (self.tried.into_inner(), self.same.into_inner());
        println!(
            "{what}: {tried} mutants tried, {same} of them the same signature in other bytes, none good otherwise"
        );
        let wrong = self.wrong.into_inner().unwrap();
        assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    }
}

/// How much is tried.
#[derive(Clone, Copy, PartialEq)]
enum Depth {
    /// Every byte of one object in ten, once; parts of the neighbours in every object. Under a minute.
    Sample,
    /// Every byte of every object with every mask, parts of every other. `GITSEAL_MUTATE=every`, as CI does.
    Every,
}

impl Depth {
    fn asked() -> Self {
        if std::env::var("GITSEAL_MUTATE").as_deref() == Ok("every") { Self::Every } else { Self::Sample }
    }

    fn masks(self, at: usize) -> &'static [u8] {
        let one = at % MASKS.len();
        if self == Self::Every { &MASKS } else { &MASKS[one..=one] }
    }

    /// In a sample, of which objects each byte is changed, and how many neighbours lend their parts.
    const STEP: usize = 10;
    const NEIGHBOURS: usize = 4;
}

/// The mutants of one of the objects.
fn mutants(objects: &[Signed], number: usize, depth: Depth) -> Box<dyn Iterator<Item = Mutant> + '_> {
    let signed = &objects[number];
    let neighbours = if depth == Depth::Every { objects.len() } else { Depth::NEIGHBOURS };
    let others = objects.iter().cycle().skip(number + 1).take(neighbours.min(objects.len()));
    let swaps = others.filter(|other| other.der != signed.der).flat_map(|other| swapped(signed, other));
    let parts = swaps.chain(rearranged(signed)).chain(added(signed));
    if depth == Depth::Sample && !number.is_multiple_of(Depth::STEP) && objects.len() > Depth::STEP {
        return Box::new(parts);
    }
    Box::new(parts.chain(truncated(signed)).chain(signature_bytes(signed, depth)).chain(object_bytes(signed, depth)))
}

/// Every mutant of every object, on as many threads as are useful.
fn mutate(judge: &Judge, objects: &[Signed], what: &str) {
    let (depth, tally, next) = (Depth::asked(), Tally::default(), AtomicUsize::new(0));
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(signed) = objects.get(number) else { return };
            let raw = signed.raw();
            let original = judge.good(signed.kind, &raw).unwrap_or_else(|| panic!("{} is not good", signed.name));
            for mutant in mutants(objects, number, depth).filter(|mutant| mutant.raw != raw) {
                tally.try_one(judge, signed, &original, &mutant);
            }
        }
    };
    std::thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(work))));
    tally.report(what);
}

#[test]
fn no_mutant_of_a_real_signature_is_good() {
    let Some(cases) = corpus::cases() else { return };
    let good = cases.iter().filter(|case| case.expected().verdict == "good");
    let objects: Vec<Signed> = good.map(|case| Signed::cut(&case.id, case.kind, &case.raw)).collect();
    mutate(&Judge::production(), &objects, "54 real objects");
}

/// What the corpus lacks: Rekor v2, RFC 3161 stamps, and repositories whose object names are SHA-256.
#[test]
fn no_mutant_of_a_sandbox_signature_is_good() {
    let lab = Lab::new();
    let objects = sandbox_objects(&lab);
    mutate(&Judge::sandbox(&lab), &objects, "sandbox objects: v1, v2, stamped, tag, SHA-256");
}

/// Several entries and stamps, all of them demanded: nothing of them may be missing, moved, or there twice.
#[test]
fn no_mutant_of_a_signature_with_two_operators_is_good() {
    let lab = Lab::new();
    lab.shell(
        "cd ~; gitseal init --global >/dev/null; git init -q two; cd two
        export GITSEAL_TRUSTED_ROOT=$GITSEAL_SANDBOX_DIR/trusted_root_two_operators.json
        export GITSEAL_SIGNING_CONFIG=$GITSEAL_SANDBOX_DIR/signing_config_two_operators.json
        for name in one two; do
            git commit -q -S --allow-empty -m $name; git cat-file commit HEAD >$name
        done",
    );
    let cut = |name: &str| Signed::cut(name, "commit", &std::fs::read(lab.home().join("two").join(name)).unwrap());
    mutate(&Judge::two_operators(&lab), &["one", "two"].map(cut), "sandbox objects with two operators");
}

/// A few of each kind once more through git itself, which reads status lines and nothing else.
#[test]
fn no_mutant_gets_a_goodsig_line_through_git() {
    let lab = Lab::new();
    let signed = sandbox_objects(&lab).remove(0);
    let nth = |mutants: Vec<Mutant>, step: usize| mutants.into_iter().step_by(step).collect::<Vec<_>>();
    let mut mutants = rearranged(&signed);
    mutants.extend(nth(added(&signed), 4));
    mutants.extend(nth(truncated(&signed).collect(), 331));
    mutants.extend(nth(signature_bytes(&signed, Depth::Sample).collect(), 113));
    mutants.extend(nth(object_bytes(&signed, Depth::Sample).collect(), 97));
    let folder = lab.home().join("mutants");
    std::fs::create_dir(&folder).unwrap();
    for (number, mutant) in mutants.iter().enumerate() {
        std::fs::write(folder.join(format!("{number}")), &mutant.raw).unwrap();
    }
    let judged = lab.shell(
        "cd commits; for file in ~/mutants/*; do
            id=$(git hash-object -t commit -w --literally $file) || continue
            git verify-commit --raw $id >told 2>&1 && status=0 || status=$?
            echo $(basename $file) $status $(grep -c '^.GNUPG:. GOODSIG' told) $(git log -1 --no-walk --format=%G? $id 2>&1)
        done",
    );
    let original = lab.shell("cd commits; git log -1 --format=%G? | cat");
    assert_eq!(original.trim(), "U", "the original is good, and trusted by nobody");
    let wrong: Vec<_> = judged
        .lines()
        .filter(|line| !matches!(line.split(' ').collect::<Vec<_>>()[..], [_, "1" | "128", "0", ..]))
        .collect();
    let told = wrong.iter().map(|line| {
        let number: usize = line.split(' ').next().unwrap().parse().unwrap();
        format!("{}: {line}", mutants[number].change)
    });
    assert!(wrong.is_empty(), "{}", told.collect::<Vec<_>>().join("\n"));
    println!("{} mutants through git verify-commit: no GOODSIG, no exit 0", judged.lines().count());
}

/// Objects that this sandbox made: their names say what they are. All lie in the repositories `commits` and `sha256`.
fn sandbox_objects(lab: &Lab) -> Vec<Signed> {
    lab.shell(
        "cd ~; gitseal init --global >/dev/null
        git init -q commits; git init -q --object-format=sha256 sha256; mkdir objects
        export GIT_DIR=commits/.git
        git commit -q -S --allow-empty -m stamped; git cat-file commit HEAD >objects/commit.v1
        git tag -s tag -m tag; git cat-file tag tag >objects/tag.v1
        export GITSEAL_SIGNING_CONFIG=$GITSEAL_SANDBOX_DIR/signing_config_rekor_v2.json
        git commit -q -S --allow-empty -m two; git cat-file commit HEAD >objects/commit.v2
        git tag -s two -m two; git cat-file tag two >objects/tag.v2
        export GIT_DIR=sha256/.git
        git commit -q -S --allow-empty -m sha256; git cat-file commit HEAD >objects/commit.sha256
        git --git-dir commits/.git update-ref HEAD HEAD~1",
    );
    let mut objects = Vec::new();
    for entry in std::fs::read_dir(lab.home().join("objects")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let kind = if name.starts_with("tag") { "tag" } else { "commit" };
        objects.push(Signed::cut(name, kind, &std::fs::read(&path).unwrap()));
    }
    objects.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(objects.len(), 5);
    objects
}
