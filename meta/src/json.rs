//! Tolerant access to JSON objects, one key at a time and without a schema.
//! Derived types fail whole on one odd field (a number for a string, a duplicate key, a null); what Meta sends is odd.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// One JSON object whose values are not parsed yet. A key that comes twice counts with its last value that is not null.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a> {
    entries: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Fields<'a> {
    /// Reads the keys of an object; `None` when the text is anything else.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(crate) fn of(raw: &'a RawValue) -> Option<Self> {
        Self::parse(raw.get())
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(key, _)| key.as_ref())
    }

    /// The value of a key; null counts as absent.
    pub(crate) fn get(&self, key: &str) -> Option<&'a RawValue> {
        let found = self.entries.iter().rev().filter(|(name, _)| name == key);
        found.map(|(_, raw)| *raw).find(|raw| raw.get() != "null")
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// An object under this key.
    pub(crate) fn object(&self, key: &str) -> Option<Fields<'a>> {
        self.get(key).and_then(Fields::of)
    }

    /// Text under this key: a string that is not empty, or the digits of a number.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.get(key).and_then(text)
    }

    /// An id under this key. Ids exceed 2^53 and come as strings or bare numbers, so the digits are kept as text.
    pub(crate) fn id(&self, key: &str) -> Option<String> {
        self.text(key)
    }

    /// True for `true`, `"true"` and `1`.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.get(key).is_some_and(|raw| matches!(raw.get(), "true" | "\"true\"" | "1"))
    }

    /// An integer, also when written as a string or with a fraction.
    pub(crate) fn integer(&self, key: &str) -> Option<i64> {
        let text = self.text(key)?;
        text.parse().ok().or_else(|| whole(text.parse().ok()?))
    }

    /// Everything under this key; `Null` when absent or nested deeper than serde_json follows (128 levels).
    pub(crate) fn value(&self, key: &str) -> Value {
        self.get(key).map_or(Value::Null, value)
    }
}

/// The elements of an array, not parsed yet; `None` when the value is not an array.
pub(crate) fn elements(raw: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(raw.get()).ok()
}

/// The first object of the list under `data`: some answers come so, and flat at other times.
pub(crate) fn first<'a>(fields: &Fields<'a>) -> Option<Fields<'a>> {
    elements(fields.get("data")?)?.first().and_then(|raw| Fields::of(raw))
}

pub(crate) fn text(raw: &RawValue) -> Option<String> {
    let json = raw.get();
    match json.as_bytes().first()? {
        b'"' => serde_json::from_str::<String>(json).ok().filter(|text| !text.is_empty()),
        b'-' | b'0'..=b'9' => Some(json.to_owned()),
        _ => None,
    }
}

pub(crate) fn value(raw: &RawValue) -> Value {
    serde_json::from_str(raw.get()).unwrap_or(Value::Null)
}

/// The integer part of a number in the range where a double still counts in ones.
pub(crate) fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.abs() <= EXACT).then_some(number as i64)
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::with_capacity(8);
                while let Some((Key(key), raw)) = map.next_entry()? {
                    entries.push((key, raw));
                }
                Ok(Fields { entries })
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// A key, borrowed from the text unless it contains an escape.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(key)))
            }

            fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_types_are_read_as_what_they_mean() {
        let fields = Fields::parse(
            r#" {"id":17841405793187218999,"t":"a","n":12,"e":"","z":null,"o":{"k":1},"\u0061b":"esc","f":1.79e12,"s":"42","b":"true"} "#,
        )
        .unwrap();
        assert_eq!(fields.id("id").as_deref(), Some("17841405793187218999"));
        assert_eq!(fields.text("n").as_deref(), Some("12"));
        assert_eq!((fields.text("e"), fields.text("z"), fields.text("o")), (None, None, None));
        assert_eq!(fields.text("ab").as_deref(), Some("esc"));
        assert_eq!((fields.integer("f"), fields.integer("s")), (Some(1_790_000_000_000), Some(42)));
        assert!(fields.flag("b") && !fields.flag("t") && !fields.has("z") && !fields.has("none"));
        assert_eq!(fields.object("o").unwrap().integer("k"), Some(1));
        assert_eq!(fields.value("o"), serde_json::json!({"k": 1}));
    }

    #[test]
    fn a_key_that_comes_twice_counts_once() {
        let fields = Fields::parse(r#"{"a":1,"a":2,"b":3,"b":null}"#).unwrap();
        assert_eq!((fields.integer("a"), fields.integer("b")), (Some(2), Some(3)));
    }

    #[test]
    fn what_is_no_object_is_none() {
        for text in ["", "[]", "1", "\"a\"", "null", "{", "{}x", "{\"a\"}"] {
            assert!(Fields::parse(text).is_none(), "{text}");
        }
        assert!(Fields::parse("{}").is_some());
    }

    #[test]
    fn deep_nesting_costs_only_the_value() {
        let deep = format!("{{\"a\":{}{},\"b\":1}}", "[".repeat(5000), "]".repeat(5000));
        let fields = Fields::parse(&deep).unwrap();
        assert_eq!((fields.value("a"), fields.integer("b")), (Value::Null, Some(1)));
    }
}
