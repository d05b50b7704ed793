//! What commands print on stdout: lines for people, JSON for programs. Nothing a terminal might act on gets there.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use super::error::CliError;
use super::streams::neutral;

/// Print one line; control characters in it are spelled out.
///
/// # Errors
/// stdout does not take it.
pub fn line(text: &str) -> Result<(), CliError> {
    write(format!("{}\n", neutral(text)).as_bytes())
}

/// Print `value` as indented JSON in ASCII.
///
/// # Errors
/// stdout does not take it.
pub fn json<T: Serialize>(value: &T) -> Result<(), CliError> {
    let mut text = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut text, Ascii { pretty: PrettyFormatter::new() });
    value.serialize(&mut serializer).map_err(|error| CliError::io("write JSON", error.into()))?;
    text.push(b'\n');
    write(&text)
}

fn write(bytes: &[u8]) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| CliError::io("write to stdout", error))
}

/// Indented JSON in which every character beyond printable ASCII is escaped: terminals act on some of those too.
struct Ascii {
    pretty: PrettyFormatter<'static>,
}

impl Formatter for Ascii {
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
        self.pretty.begin_array(writer)
    }
    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_array(writer)
    }
    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.pretty.begin_array_value(writer, first)
    }
    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_array_value(writer)
    }
    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.begin_object(writer)
    }
    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_object(writer)
    }
    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.pretty.begin_object_key(writer, first)
    }
    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.begin_object_value(writer)
    }
    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_ascii_and_says_the_same() {
        let value = "j\u{f6}rg \x1b \u{9b} \u{202e} \u{1f600} \"q\" \\";
        let mut text = Vec::new();
        let mut serializer = Serializer::with_formatter(&mut text, Ascii { pretty: PrettyFormatter::new() });
        [value].serialize(&mut serializer).unwrap();
        assert!(text.is_ascii() && !text.contains(&0x1b));
        assert_eq!(serde_json::from_slice::<Vec<String>>(&text).unwrap(), [value]);
    }
}
