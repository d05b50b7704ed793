//! Words of a shell, for commands that people paste. What stands in them was chosen by strangers, so every byte that a
//! shell or a terminal might act on is made harmless, and the word still means the same bytes.

use std::fmt::Write as _;

use super::streams::neutral;

/// `word` in quotes: plain ones (POSIX section 2.2.2), or `$'...'` (section 2.2.4 since 2024; bash, zsh, ksh) where it
/// holds what a terminal would not show as it is.
#[must_use]
pub fn quote(word: &[u8]) -> String {
    match std::str::from_utf8(word) {
        Ok(text) if neutral(text) == text => format!("'{}'", text.replace('\'', r"'\''")),
        _ => escaped(word),
    }
}

fn escaped(word: &[u8]) -> String {
    let mut quoted = String::from("$'");
    for byte in word {
        match byte {
            b'\\' | b'\'' => quoted.extend(['\\', char::from(*byte)]),
            b'\n' => quoted.push_str("\\n"),
            b' '..=b'~' => quoted.push(char::from(*byte)),
            // Three octal digits end by themselves; a hexadecimal escape would swallow what follows.
            _ => write!(quoted, "\\{byte:03o}").expect("a string takes everything"),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        let words: [&[u8]; 9] = [
            b"",
            b"plain",
            b"it's",
            b"$(touch x); `y` \"z\" \\ * ~ !",
            b"-n",
            b"a\nb\x1b[2J\x07",
            b"\xff\xfe1",
            "j\u{f6}rg \u{202e}".as_bytes(),
            b"\x011'\\",
        ];
        for word in words {
            let quoted = quote(word);
            assert_eq!(neutral(&quoted), quoted);
            let script = format!("printf %s {quoted}");
            let output = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
            assert_eq!(output.stdout, word, "{quoted}");
        }
    }
}
