//! JSON arrays of bounded length: refused at the first item too many, before the rest is read.
//!
//! Checking the length afterwards would be too late: `["","","", ..]` takes eight times its own size in memory.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

/// At most `N` items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bounded<T, const N: usize>(pub(super) Vec<T>);

impl<T, const N: usize> Default for Bounded<T, N> {
    fn default() -> Self {
        Bounded(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for Bounded<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Items::<T, N>(PhantomData)).map(Bounded)
    }
}

impl<T: Serialize, const N: usize> Serialize for Bounded<T, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

struct Items<T, const N: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for Items<T, N> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of at most {N} items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Vec<T>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = array.next_element()? {
            if items.len() == N {
                return Err(A::Error::custom(format_args!("an array has more than {N} items")));
            }
            items.push(item);
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_item_too_many_ends_the_reading() {
        let read = |json: &str| serde_json::from_str::<Bounded<u8, 2>>(json);
        assert_eq!(read("[1,2]").unwrap().0, [1, 2]);
        // What follows is not even JSON.
        assert!(read("[1,2,3,?").unwrap_err().to_string().contains("more than 2 items"));
        assert!(read("{}").unwrap_err().to_string().contains("an array of at most 2 items"));
    }
}
