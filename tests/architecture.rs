//! The house rules of the source tree, read from the sources themselves.
//!
//! Floors: a file imports from lower floors and from its own folder, never up, never sideways. The world (environment,
//! configuration, terminal) is read in `cli`; time is an argument; one folder names the cryptographic libraries. Unit
//! tests at the end of a file are exempt from the import rules, not from the rest of the tree's.
//!
//! It works on text: comments, strings and `#[cfg(test)]` modules are blanked out first, then paths are looked for.
//! That is not a compiler, so each rule has a planted violation below that it must catch.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Which folders each folder may name, besides itself. A folder that is not listed may name nothing of ours.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("crypto", &[]),
    ("net", &[]),
    ("format", &["crypto"]),
    ("trust", &["format", "crypto"]),
    ("entity", &["format", "crypto"]),
    ("repo", &["format", "crypto"]),
    ("verify", &["trust", "entity", "format", "crypto"]),
    ("service", &["trust", "format", "crypto", "net"]),
    ("sandbox", &["trust", "format", "crypto"]),
    ("credential", &["verify", "service", "trust", "entity", "format", "crypto"]),
    ("policy", &["verify", "entity", "format", "crypto"]),
    ("sign", &["credential", "verify", "service", "entity", "trust", "format", "crypto"]),
    ("audit", &["policy", "verify", "service", "repo", "entity", "trust", "format", "crypto"]),
    ("agent", &["sign", "credential", "policy", "verify", "service", "entity", "trust", "format", "crypto", "net"]),
    (
        "cli",
        &[
            "agent",
            "sign",
            "audit",
            "credential",
            "policy",
            "verify",
            "service",
            "trust",
            "entity",
            "repo",
            "format",
            "crypto",
            "net",
        ],
    ),
];

/// The one file of `cli` that may name the sandbox.
const SANDBOX_DOOR: &str = "cli/commands/sandbox.rs";

const CRYPTO_CRATES: &[&str] = &[
    "aws_lc_rs",
    "aws_lc_sys",
    "ecdsa",
    "ed25519_dalek",
    "elliptic_curve",
    "openssl",
    "p256",
    "p384",
    "p521",
    "ring",
    "rsa",
    "sha1",
    "sha2",
    "webpki",
];
const ASN1_CRATES: &[&str] = &["cms", "const_oid", "der", "spki", "x509_cert"];
/// Floors whose functions are plain: no clock, no runtime, no sockets.
const PURE: &[&str] = &["crypto", "format", "trust", "entity", "verify", "policy"];
const NOBODYS_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "types", "models", "misc"];

/// A longer file holds more than one thought.
const LINES_MAX: usize = 700;

/// What may stand at the top of the repository.
const TOP_LEVEL: &[&str] = &[
    ".ci",
    ".gitattributes",
    ".gitignore",
    ".pre-commit-hooks.yaml",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "clippy.toml",
    "deny.toml",
    "man",
    "rustfmt.toml",
    "scripts",
    "src",
    "tests",
];

/// A source file: where it lies under `src/`, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// The folder it belongs to; `None` for `lib.rs` and `main.rs`.
    fn folder(&self) -> Option<&str> {
        self.path.split_once('/').map(|(folder, _)| folder)
    }

    /// Its module path: `format/git/mod.rs` and `format/git.rs` are both `format::git`.
    fn module(&self) -> Vec<&str> {
        let path = self.path.strip_suffix(".rs").unwrap_or(&self.path);
        path.strip_suffix("/mod").unwrap_or(path).split('/').filter(|part| !["lib", "main"].contains(part)).collect()
    }

    /// Production code alone: no comments, no strings, no unit tests.
    fn code(&self) -> String {
        without_tests(&without_text(&self.text))
    }
}

/// Everything that is wrong with these sources, one line each.
fn violations(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    let mut edges = BTreeMap::<String, BTreeSet<String>>::new();
    let folders: BTreeSet<&str> = sources.iter().filter_map(Source::folder).collect();
    for source in sources {
        let code = source.code();
        check_shape(source, &mut found);
        check_imports(source, &code, &folders, &mut edges, &mut found);
        check_libraries(source, &code, &mut found);
        check_world(source, &code, &mut found);
    }
    found.extend(circle(&edges).map(|folders| format!("circle: {}", folders.join(" -> "))));
    found
}

fn check_shape(source: &Source, found: &mut Vec<String>) {
    let path = &source.path;
    if !source.text.starts_with("//! ") {
        found.push(format!("{path}: does not open with a `//!` sentence"));
    }
    let lines = source.text.lines().count();
    if lines > LINES_MAX {
        found.push(format!("{path}: {lines} lines, more than {LINES_MAX}"));
    }
    for name in path.trim_end_matches(".rs").split('/') {
        if NOBODYS_NAMES.contains(&name) {
            found.push(format!("{path}: `{name}` is a name for nobody"));
        }
    }
}

fn check_imports(
    source: &Source,
    code: &str,
    folders: &BTreeSet<&str>,
    edges: &mut BTreeMap<String, BTreeSet<String>>,
    found: &mut Vec<String>,
) {
    let path = &source.path;
    let Some(own) = source.folder() else { return };
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(folder, _)| *folder == own) else {
        found.push(format!("{path}: the folder `{own}` has no floor"));
        return;
    };
    for named in named_folders(&source.module(), code) {
        if named == own || !(folders.contains(named.as_str()) || MAY_IMPORT.iter().any(|(f, _)| *f == named)) {
            continue;
        }
        edges.entry(own.into()).or_default().insert(named.clone());
        let through_the_door = named == "sandbox" && path == SANDBOX_DOOR;
        if !allowed.contains(&named.as_str()) && !through_the_door {
            found.push(format!("{path}: `{own}` may not import `{named}`"));
        }
    }
}

fn check_libraries(source: &Source, code: &str, found: &mut Vec<String>) {
    let path = &source.path;
    let folder = source.folder().unwrap_or("");
    for library in CRYPTO_CRATES {
        if folder != "crypto" && names_crate(code, library) {
            found.push(format!("{path}: names the crypto library `{library}` outside crypto/"));
        }
    }
    for library in ASN1_CRATES {
        if !["crypto", "format"].contains(&folder) && names_crate(code, library) {
            found.push(format!("{path}: names the ASN.1 library `{library}` outside format/ and crypto/"));
        }
    }
}

fn check_world(source: &Source, code: &str, found: &mut Vec<String>) {
    let path = &source.path;
    let folder = source.folder().unwrap_or("");
    let words = |list: &[&'static str]| list.iter().find(|word| has_word(code, word)).copied();
    if folder != "cli" && path != "main.rs" {
        if let Some(word) = words(&["println!", "eprintln!", "print!", "eprint!", "dbg!", "stdout()", "stderr()"]) {
            found.push(format!("{path}: prints (`{word}`) outside cli/"));
        }
        let reads = [
            "env::var(",
            "env::var_os(",
            "env::vars(",
            "env::vars_os(",
            "env::args(",
            "env::args_os(",
            "env::current_dir(",
            "env::home_dir(",
            "env::set_var(",
            "env::remove_var(",
            "stdin()",
            "directories::",
            "ProjectDirs::",
            "BaseDirs::",
        ];
        if let Some(word) = words(&reads) {
            found.push(format!("{path}: reads the world (`{word}`) outside cli/"));
        }
    }
    if PURE.contains(&folder) {
        if let Some(word) = words(&["Timestamp::now(", "SystemTime::now(", "Instant::now(", "Zoned::now("]) {
            found.push(format!("{path}: reads the clock (`{word}`); time is an argument"));
        }
        if let Some(word) = words(&["async fn", "async move", "tokio::", "reqwest::", "std::net::Tcp", "std::fs::"]) {
            found.push(format!("{path}: `{word}` on a floor of plain functions"));
        }
    }
}

/// The folders that the code names through `crate::`, `gitseal::` or a chain of `super::` that leaves its own.
fn named_folders(module: &[&str], code: &str) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for root in ["crate::", "gitseal::"] {
        for (at, _) in code.match_indices(root) {
            if !code[..at].ends_with(is_word) {
                named.extend(first_segments(&code[at + root.len()..]));
            }
        }
    }
    for (at, _) in code.match_indices("super::") {
        if code[..at].ends_with("super::") || code[..at].ends_with(is_word) {
            continue;
        }
        let mut rest = &code[at..];
        let mut up = 0;
        while let Some(after) = rest.strip_prefix("super::") {
            rest = after;
            up += 1;
        }
        if up >= module.len() {
            named.extend(first_segments(rest));
        }
    }
    named
}

/// `a::b` gives `a`; `{a::b, c}` gives `a` and `c`.
fn first_segments(rest: &str) -> Vec<String> {
    let word = |text: &str| text.trim().chars().take_while(|&c| is_word(c)).collect::<String>();
    let Some(group) = rest.strip_prefix('{') else { return vec![word(rest)] };
    let mut depth = 0;
    let mut start = 0;
    let mut segments = Vec::new();
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                segments.push(word(&group[start..at]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                segments.push(word(&group[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    segments
}

/// Whether the code names this crate, rather than a module of ours with the same name.
fn names_crate(code: &str, name: &str) -> bool {
    let (mut ours, mut theirs) = (false, false);
    for statement in code.split("use ").skip(1) {
        let statement = statement.split(';').next().unwrap_or("");
        let root = statement.trim_start().trim_start_matches("::");
        if root.strip_prefix(name).is_some_and(|rest| !rest.starts_with(is_word)) {
            theirs = true;
        } else if has_word(statement, name) {
            ours = true;
        }
    }
    let ours = ours || has_word(code, &format!("mod {name}"));
    let path = format!("{name}::");
    let inline = code.match_indices(&path).any(|(at, _)| {
        let before = &code[..at];
        let absolute = before.ends_with("::") && !before.trim_end_matches("::").ends_with(|c| is_word(c) || c == '>');
        absolute || (!ours && !before.ends_with("::") && !before.ends_with(is_word))
    });
    theirs || inline
}

/// Whether the text holds this word, with no word character directly before (or, for a bare word, after) it.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let after = &text[at + word.len()..];
        let goes_on = word.ends_with(is_word) && after.starts_with(is_word);
        !text[..at].ends_with(is_word) && !goes_on
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Blanks out comments, string and character literals, so that words in prose count for nothing.
fn without_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skip = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("r#") && rest.trim_start_matches(['r', '#']).starts_with('"') {
            let hashes = rest[1..].chars().take_while(|&c| c == '#').count();
            let close = format!("\"{}", "#".repeat(hashes));
            let open = 2 + hashes;
            rest[open..].find(&close).map_or(rest.len(), |end| open + end + close.len())
        } else if c == '"' {
            string_end(rest)
        } else if c == '\'' {
            char_end(rest)
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        out.extend(rest[..skip].chars().filter(|&c| c == '\n'));
        out.push(' ');
        rest = &rest[skip..];
    }
    out
}

fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character literal; of a lifetime, only its quote.
fn char_end(text: &str) -> usize {
    let body = &text[1..];
    if let Some(escaped) = body.strip_prefix('\\') {
        return escaped.find('\'').map_or(text.len(), |end| end + 3).max(4);
    }
    let first = body.chars().next().map_or(0, char::len_utf8);
    if body[first..].starts_with('\'') { first + 2 } else { 1 }
}

/// Drops `#[cfg(test)] mod .. { .. }`.
fn without_tests(code: &str) -> String {
    let mut out = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        out.push_str(&rest[..at]);
        let item = &rest[at..];
        let end_of_item = item.find(['{', ';']).unwrap_or(item.len());
        let end = if item[end_of_item..].starts_with('{') {
            end_of_item + block_end(&item[end_of_item..])
        } else {
            end_of_item
        };
        rest = &item[end..];
    }
    out + rest
}

fn block_end(text: &str) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// A circle among folders, if there is one.
fn circle(edges: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn walk(
        at: &str,
        edges: &BTreeMap<String, BTreeSet<String>>,
        path: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> bool {
        if let Some(start) = path.iter().position(|seen| seen == at) {
            path.drain(..start);
            path.push(at.into());
            return true;
        }
        if done.contains(at) {
            return false;
        }
        path.push(at.into());
        if edges.get(at).is_some_and(|next| next.iter().any(|next| walk(next, edges, path, done))) {
            return true;
        }
        path.pop();
        done.insert(at.into());
        false
    }
    let (mut path, mut done) = (Vec::new(), BTreeSet::new());
    edges.keys().any(|folder| walk(folder, edges, &mut path, &mut done)).then_some(path)
}

fn read_tree(folder: &Path, under: &str, sources: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{under}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            read_tree(&path, &format!("{name}/"), sources);
        } else if name.ends_with(".rs") {
            sources.push(Source { path: name, text: std::fs::read_to_string(&path).unwrap() });
        }
    }
}

#[test]
fn the_sources_keep_the_house_rules() {
    let mut sources = Vec::new();
    read_tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut sources);
    assert!(sources.len() > 10, "the sources were not found");
    let found = violations(&sources);
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn the_top_level_holds_nothing_else() {
    let listed = std::process::Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("git runs");
    if !listed.status.success() {
        return; // not a clone: a packed crate has no history to ask
    }
    for file in String::from_utf8(listed.stdout).unwrap().split_terminator('\0') {
        let top = file.split('/').next().unwrap();
        assert!(TOP_LEVEL.contains(&top), "`{top}` does not belong at the top of the repository");
    }
}

/// Asserts that these sources, and only for this reason, are refused.
#[track_caller]
fn caught(sources: &[(&str, &str)], expected: &str) {
    let sources: Vec<Source> = sources.iter().map(|(path, text)| Source::new(path, text)).collect();
    let found = violations(&sources);
    assert!(found.iter().any(|line| line.contains(expected)), "not caught: {expected}; found {found:?}");
}

#[track_caller]
fn allowed(path: &str, text: &str) {
    let found = violations(&[Source::new(path, text)]);
    assert!(found.is_empty(), "refused: {found:?}");
}

#[test]
fn an_import_that_goes_up_fail() {
    caught(&[("format/pem.rs", "//! P.\nuse crate::verify::Verifier;\n")], "`format` may not import `verify`");
    caught(&[("format/pem.rs", "//! P.\nuse crate::{crypto::hex, audit};\n")], "`format` may not import `audit`");
    caught(&[("crypto/key.rs", "//! K.\nfn f() { crate::net::get() }\n")], "`crypto` may not import `net`");
    caught(&[("verify/mod.rs", "//! V.\nuse super::cli::Settings;\n")], "`verify` may not import `cli`");
    caught(&[("verify/chain.rs", "//! V.\nuse super::super::sign::x;\n")], "`verify` may not import `sign`");
    caught(&[("format/pem.rs", "//! P.\npub use crate :: x;\nuse gitseal::sign;\n")], "`format` may not import `sign`");
}

#[test]
fn an_import_that_goes_sideways_fail() {
    caught(&[("entity/cms.rs", "//! C.\nuse crate::trust::Root;\n")], "`entity` may not import `trust`");
    caught(&[("service/tsa.rs", "//! T.\nuse crate::verify::x;\n")], "`service` may not import `verify`");
    caught(&[("sandbox/ca.rs", "//! C.\nuse crate::net::Client;\n")], "`sandbox` may not import `net`");
}

#[test]
fn an_unknown_folder_fail() {
    caught(&[("stuff/a.rs", "//! A.\n")], "the folder `stuff` has no floor");
}

#[test]
fn a_circle_fail() {
    let a = ("trust/a.rs", "//! A.\nuse crate::format::x;\n");
    let b = ("format/b.rs", "//! B.\nuse crate::trust::y;\n");
    caught(&[a, b], "circle: format -> trust -> format");
}

#[test]
fn the_sandbox_named_elsewhere_fail() {
    caught(&[("cli/settings.rs", "//! S.\nuse crate::sandbox::Serve;\n")], "`cli` may not import `sandbox`");
    allowed(SANDBOX_DOOR, "//! S.\nuse crate::sandbox::Serve;\n");
    allowed("verify/x.rs", "//! S.\n#[cfg(test)]\nmod tests { use crate::sandbox::Ca; }\n");
}

#[test]
fn a_crypto_library_outside_crypto_fail() {
    caught(&[("format/cms.rs", "//! C.\nuse p256::ecdsa::Signature;\n")], "crypto library `p256` outside");
    caught(&[("net/tls.rs", "//! T.\nfn f() { ::aws_lc_rs::x() }\n")], "crypto library `aws_lc_rs` outside");
    caught(&[("entity/cms.rs", "//! C.\nuse der::Decode;\n")], "ASN.1 library `der` outside");
    caught(&[("entity/cms.rs", "//! C.\nfn f() { cms::content_info::x() }\n")], "ASN.1 library `cms` outside");
    allowed("format/cms.rs", "//! C.\nuse der::Decode;\nuse cms::signed_data::SignedData;\n");
    allowed("crypto/key.rs", "//! K.\nuse p256::ecdsa::SigningKey;\n");
    allowed("entity/x.rs", "//! C.\nuse crate::format::cms;\nfn f() { cms::parse() }\n");
    allowed("net/tls.rs", "//! T.\nfn f() { rustls::crypto::aws_lc_rs::default_provider() }\n");
}

#[test]
fn printing_outside_cli_fail() {
    caught(&[("sign/git.rs", "//! G.\nfn f() { eprintln!(\"x\"); }\n")], "prints (`eprintln!`)");
    caught(&[("audit/x.rs", "//! G.\nfn f() { std::io::stdout().write(b\"x\"); }\n")], "prints (`stdout()`)");
    allowed("cli/x.rs", "//! G.\nfn f() { println!(\"x\"); }\n");
    allowed("sign/x.rs", "//! G.\n// println!(\nfn f<'a>() -> &'a str { \"println!(\\\"x\\\")\" }\n");
    allowed("sign/x.rs", "//! G.\nfn f() { r#\"print!(\"x\")\"#; }\n");
}

#[test]
fn the_world_outside_cli_fail() {
    caught(&[("trust/x.rs", "//! T.\nfn f() { std::env::var(\"HOME\"); }\n")], "reads the world (`env::var(`)");
    caught(&[("service/x.rs", "//! T.\nuse directories::ProjectDirs;\n")], "reads the world (`directories::`)");
    caught(&[("sign/x.rs", "//! T.\nfn f() { std::io::stdin().lock(); }\n")], "reads the world (`stdin()`)");
    allowed("sandbox/x.rs", "//! T.\nconst VERSION: &str = env!(\"CARGO_PKG_VERSION\");\n");
}

#[test]
fn a_clock_or_a_runtime_on_a_plain_floor_fail() {
    caught(&[("verify/x.rs", "//! V.\nfn f() { Timestamp::now() }\n")], "reads the clock");
    caught(&[("trust/x.rs", "//! V.\nasync fn f() {}\n")], "on a floor of plain functions");
    caught(&[("policy/x.rs", "//! V.\nuse tokio::sync::Mutex;\n")], "on a floor of plain functions");
}

#[test]
fn a_file_of_the_wrong_shape_fail() {
    caught(&[("format/x.rs", "use crate::crypto;\n")], "does not open with a `//!` sentence");
    caught(&[("format/util.rs", "//! U.\n")], "`util` is a name for nobody");
    caught(&[("format/common/x.rs", "//! U.\n")], "`common` is a name for nobody");
    let long = format!("//! L.\n{}", "\n".repeat(LINES_MAX));
    caught(&[("format/x.rs", &long)], "more than 700");
}
