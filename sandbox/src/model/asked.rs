//! What a model was asked, checked as strictly as a real server checks it.
//! A client that sends nonsense must learn it here and not from the first real bill.

use serde_json::Value;

use super::{refused::Refused, words};

/// A request in order.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) model: String,
    /// All of it, as it came.
    pub(crate) body: Value,
}

impl Asked {
    /// Reads a body and refuses what a real server would.
    pub(crate) fn read(body: &[u8]) -> Result<Self, Refused> {
        let unreadable = || {
            let text = "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your \
                        HTTP library correctly. The API expects a JSON payload.)";
            Refused::invalid("", None, text)
        };
        let body: Value = serde_json::from_slice(body).ok().filter(Value::is_object).ok_or_else(unreadable)?;
        let model = match &body["model"] {
            Value::Null => return Err(Refused::invalid("", None, "you must provide a model parameter")),
            Value::String(model) if !model.trim().is_empty() => model.clone(),
            other => return Err(wrong_type("model", "a string that is not empty", other)),
        };
        if body["stream"] == true {
            return Err(Refused::invalid("stream", Some("unsupported_value"), "This stand-in does not stream."));
        }
        match &body["messages"] {
            Value::Null => {
                let text = "Missing required parameter: 'messages'.";
                return Err(Refused::invalid("messages", Some("missing_required_parameter"), text));
            }
            Value::Array(messages) if messages.is_empty() => {
                let text = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty \
                            array instead.";
                return Err(Refused::invalid("messages", Some("empty_array"), text));
            }
            Value::Array(messages) => {
                messages.iter().enumerate().try_for_each(|(index, message)| check(index, message))?;
            }
            other => return Err(wrong_type("messages", "an array of objects", other)),
        }
        Ok(Self { model, body })
    }

    fn messages(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> {
        let messages = self.body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        messages.iter().filter_map(|message| Some((message["role"].as_str()?, message["content"].as_str()?)))
    }

    /// What the person said last.
    pub(crate) fn last_user(&self) -> Option<&str> {
        self.messages().rev().find(|(role, _)| *role == "user").map(|(_, content)| content)
    }

    /// About as many tokens as a real model would count.
    pub(crate) fn tokens(&self) -> usize {
        self.messages().map(|(_, content)| words::tokens(content) + 4).sum()
    }
}

fn check(index: usize, message: &Value) -> Result<(), Refused> {
    let at = format!("messages[{index}]");
    if !message.is_object() {
        return Err(wrong_type(&at, "an object", message));
    }
    match message["role"].as_str() {
        Some("system" | "user" | "assistant") => {}
        Some(other) => {
            let text = format!("Invalid value: '{other}'. Supported values are: 'system', 'assistant', and 'user'.");
            return Err(Refused::invalid(&format!("{at}.role"), Some("invalid_value"), text));
        }
        None => {
            return Err(wrong_type(
                &format!("{at}.role"),
                "one of 'system', 'assistant', and 'user'",
                &message["role"],
            ));
        }
    }
    match &message["content"] {
        Value::String(_) => Ok(()),
        other => Err(wrong_type(&format!("{at}.content"), "a string", other)),
    }
}

fn wrong_type(param: &str, expected: &str, got: &Value) -> Refused {
    let got = match got {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    let text = format!("Invalid type for '{param}': expected {expected}, but got {got} instead.");
    Refused::invalid(param, Some("invalid_type"), text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_user_turn_is_found() {
        let body = json!({"model": "m", "messages": [
            {"role": "system", "content": "be kind"}, {"role": "user", "content": "one"},
            {"role": "user", "content": "two"}, {"role": "assistant", "content": "three"},
        ]});
        let asked = Asked::read(body.to_string().as_bytes()).unwrap();
        assert_eq!((asked.model.as_str(), asked.last_user()), ("m", Some("two")));
        assert!(asked.tokens() > 16);
    }
}
