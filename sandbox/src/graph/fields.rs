//! The `fields` parameter: names, each with modifiers and fields of its own in braces.
//! What cannot be read is refused, since Graph does that too and a client must not get less than it asked for.

use serde_json::{Map, Value};

use super::{call::Call, error::GraphError};

/// One wanted field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) fields: Fields,
    /// How many of a list.
    pub(crate) limit: Option<usize>,
}

/// A list of wanted fields; empty: what is usual.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fields(pub(crate) Vec<Field>);

impl Fields {
    /// The `fields` of a call.
    pub(crate) fn of(call: &Call) -> Result<Self, GraphError> {
        Self::parse(&call.text("fields").unwrap_or_default())
    }

    pub(crate) fn parse(text: &str) -> Result<Self, GraphError> {
        let mut rest = text.trim();
        let fields = list(&mut rest)?;
        if rest.is_empty() { Ok(fields) } else { Err(syntax(text, rest)) }
    }

    /// These fields, or the usual ones when none is named.
    pub(crate) fn or(self, usual: &[&str]) -> Self {
        if self.0.is_empty() {
            let field = |name: &&str| Field { name: (*name).to_owned(), fields: Self::default(), limit: None };
            return Self(usual.iter().map(field).collect());
        }
        self
    }

    /// Whether that one is wanted.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// What is wanted of that one.
    pub(crate) fn find(&self, name: &str) -> Option<&Field> {
        self.0.iter().find(|field| field.name == name)
    }

    /// The wanted ones of what there is; `id` always, and what is null never, as with Graph.
    pub(crate) fn pick(&self, all: Value) -> Value {
        let Value::Object(all) = all else { return all };
        let wanted = |key: &String| key == "id" || self.has(key);
        let picked: Map<_, _> = all.into_iter().filter(|(key, value)| wanted(key) && !value.is_null()).collect();
        Value::Object(picked)
    }
}

fn syntax(text: &str, rest: &str) -> GraphError {
    let at = text.len() - rest.len();
    GraphError::new(400, 2500, format!("Syntax error at character {at}: {text}"))
}

fn list(rest: &mut &str) -> Result<Fields, GraphError> {
    let mut fields = Vec::new();
    loop {
        let end = rest.find([',', '{', '}', '(', ')', '.']).unwrap_or(rest.len());
        let name = rest[..end].trim().to_owned();
        *rest = &rest[end..];
        let mut limit = None;
        while let Some(modifier) = rest.strip_prefix('.') {
            let (modifier, after) = modifier.split_once(')').ok_or_else(|| syntax(rest, rest))?;
            if let Some(number) = modifier.strip_prefix("limit(") {
                limit = Some(number.trim().parse().map_err(|_| syntax(rest, rest))?);
            }
            *rest = after;
        }
        let mut nested = Fields::default();
        if let Some(inner) = rest.strip_prefix('{') {
            *rest = inner;
            nested = list(rest)?;
            *rest = rest.strip_prefix('}').ok_or_else(|| syntax(rest, rest))?.trim_start();
        }
        if !name.is_empty() {
            fields.push(Field { name, fields: nested, limit });
        }
        match rest.strip_prefix(',') {
            Some(next) => *rest = next,
            None => return Ok(Fields(fields)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nested_fields_are_read() {
        let fields =
            Fields::parse("id, name,instagram_business_account{id,username},picture.width(80).limit(3){url}").unwrap();
        let names: Vec<_> = fields.0.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["id", "name", "instagram_business_account", "picture"]);
        assert_eq!(fields.0[2].fields.0.len(), 2);
        assert_eq!(fields.0[3].fields.0[0].name, "url");
        assert_eq!((fields.0[2].limit, fields.0[3].limit), (None, Some(3)));
        for bad in ["a.limit(x)", "id}", "a{b", "a{b}}", "a.limit(3", ")"] {
            assert!(Fields::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(fields.pick(json!({"id": 1, "name": null, "other": 2})), json!({"id": 1}));
    }
}
