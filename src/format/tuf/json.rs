//! JSON as TUF signs it: what a role's key signs is the canonical form of a document, not the bytes that travelled.
//!
//! OLPC canonical JSON (wiki.laptop.org, "Canonical JSON"; TUF specification section 4.2.1): object members in order, no
//! spaces, and in strings only `"` and `\` escaped. A newline stands for itself, unlike in RFC 8785. A document that two
//! readers could take for two different ones is refused: a member twice, a number with a fraction.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// No object has more members and no array more items: the largest known repositories list 20,000 targets in a role.
const MAX_ITEMS: usize = 100_000;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true`, `false`
    Boolean(bool),
    /// A number without fraction and exponent.
    Integer(i128),
    /// A text.
    String(String),
    /// A list.
    Array(Vec<Json>),
    /// Members, in the order of their names' code points.
    Object(BTreeMap<String, Json>),
}

impl Json {
    /// Read one document; nothing may follow it. serde_json bounds the depth at 128.
    ///
    /// # Errors
    /// It is not JSON, or it has no canonical form.
    pub fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// The canonical form.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Json::Null => out.extend_from_slice(b"null"),
            Json::Boolean(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Json::Integer(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Json::String(text) => quote(text, out),
            Json::Array(items) => {
                out.push(b'[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    item.write(out);
                }
                out.push(b']');
            }
            Json::Object(members) => {
                out.push(b'{');
                for (at, (name, value)) in members.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    quote(name, out);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }
}

fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without fractions")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Integer(value.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = array.next_element()? {
            if items.len() == MAX_ITEMS {
                return Err(A::Error::custom(format_args!("an array has more than {MAX_ITEMS} items")));
            }
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Json, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = object.next_entry::<String, Json>()? {
            if members.len() == MAX_ITEMS {
                return Err(A::Error::custom(format_args!("an object has more than {MAX_ITEMS} members")));
            }
            if let Some(twice) = members.insert(name.clone(), value) {
                drop(twice);
                return Err(A::Error::custom(format_args!("the member {name:?} is there twice")));
            }
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        String::from_utf8(Json::parse(text.as_bytes()).unwrap().canonical()).unwrap()
    }

    #[test]
    fn the_form_is_that_of_olpc() {
        assert_eq!(
            canonical("{ \"b\" : [1, true, null, -7], \"a\": \"line\\n\\\"quoted\\\" \\\\ \\u00e9 \\u007f\" }"),
            "{\"a\":\"line\n\\\"quoted\\\" \\\\ é \u{7f}\",\"b\":[1,true,null,-7]}"
        );
        assert_eq!(canonical("18446744073709551615"), "18446744073709551615");
        assert_eq!(canonical("{\"\u{ff61}\":1,\"\u{1f600}\":2,\"Z\":3,\"a\":4}"), "{\"Z\":3,\"a\":4,\"｡\":1,\"😀\":2}");
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused_fail() {
        for (text, why) in [
            (r#"{"a":1,"b":2,"a":1}"#, "is there twice"),
            (r#"{"a":{"b":1,"b":1}}"#, "is there twice"),
            ("1.0", "JSON without fractions"),
            ("1e3", "JSON without fractions"),
            ("18446744073709551616", "JSON without fractions"),
            ("{} {}", "trailing characters"),
            ("\"\\ud800\"", "hex escape"),
        ] {
            let error = Json::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        let deep = "[".repeat(1000) + &"]".repeat(1000);
        assert!(Json::parse(deep.as_bytes()).unwrap_err().to_string().contains("recursion"));
    }
}
