//! What commands print on stdout: lines for people, JSON for programs. Nothing a terminal might act on gets there.

use std::io::{self, IsTerminal as _, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

use super::error::CliError;
use super::streams::{PLAIN, RED, YELLOW, colour_wanted, neutral};

/// Print one line; control characters in it are spelled out.
///
/// # Errors
/// stdout does not take it.
pub fn line(text: &str) -> Result<(), CliError> {
    write(format!("{}\n", neutral(text)).as_bytes())
}

/// Print one line after a label such as `error`, which is in colour on a terminal.
///
/// # Errors
/// stdout does not take it.
pub fn labelled(label: &str, text: &str) -> Result<(), CliError> {
    let colour = if label == "error" { RED } else { YELLOW };
    let text = neutral(text);
    if colour_wanted(io::stdout().is_terminal()) {
        write(format!("{colour}{label}:{PLAIN} {text}\n").as_bytes())
    } else {
        write(format!("{label}: {text}\n").as_bytes())
    }
}

/// Print `value` as indented JSON in ASCII.
///
/// # Errors
/// stdout does not take it.
pub fn json<T: Serialize>(value: &T) -> Result<(), CliError> {
    write(&ascii_json(value, PrettyFormatter::new())?)
}

/// Print `value` as one line of JSON in ASCII.
///
/// # Errors
/// stdout does not take it.
pub fn json_line<T: Serialize>(value: &T) -> Result<(), CliError> {
    write(&json_bytes(value)?)
}

/// `value` as one line of JSON in ASCII, for a file.
///
/// # Errors
/// It has no form in JSON.
pub fn json_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, CliError> {
    ascii_json(value, CompactFormatter)
}

fn ascii_json<T: Serialize>(value: &T, formatter: impl Formatter) -> Result<Vec<u8>, CliError> {
    let mut text = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut text, Ascii(formatter));
    value.serialize(&mut serializer).map_err(|error| CliError::io("write JSON", error.into()))?;
    text.push(b'\n');
    Ok(text)
}

/// Print bytes as they are: a signature, a document.
///
/// # Errors
/// stdout does not take them.
pub fn bytes(bytes: &[u8]) -> Result<(), CliError> {
    write(bytes)
}

fn write(bytes: &[u8]) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => CliError::OutputClosed,
        _ => CliError::io("write to stdout", error),
    })
}

/// JSON in which every character beyond printable ASCII is escaped: terminals act on some of those too.
struct Ascii<F>(F);

impl<F: Formatter> Formatter for Ascii<F> {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut units = [0; 2];
        for character in fragment.chars() {
            if character.is_ascii() && !character.is_control() {
                writer.write_all(&[character as u8])?;
            } else {
                for unit in character.encode_utf16(&mut units) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_ascii_and_says_the_same() {
        let value = "j\u{f6}rg \x1b \u{9b} \u{202e} \u{1f600} \"q\" \\";
        let text = ascii_json(&[value], CompactFormatter).unwrap();
        assert!(text.is_ascii() && !text.contains(&0x1b));
        assert_eq!(serde_json::from_slice::<Vec<String>>(&text).unwrap(), [value]);
    }
}
