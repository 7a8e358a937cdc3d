//! Query and body of a control request.
//! Syntax errors are 400, shapes that do not fit are 422, with the place named.

use poem::{Request, http::header};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};

use crate::{
    graph::call::pairs,
    world::{World, people::Place},
};

use super::error::ControlError;

/// What a request brings.
#[derive(Debug)]
pub(crate) struct Input {
    query: Map<String, Value>,
    body: Vec<u8>,
    /// Where the caller thinks we are: `http://127.0.0.1:PORT`.
    origin: String,
}

impl Input {
    pub(crate) fn new(request: &Request, body: &[u8]) -> Self {
        let query = pairs(request.original_uri().query().unwrap_or_default());
        let origin = format!("http://{}", request.header(header::HOST).unwrap_or("127.0.0.1"));
        Self { query, body: body.to_vec(), origin }
    }

    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).and_then(Value::as_str)
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str, ControlError> {
        self.query(name).ok_or_else(|| ControlError::invalid(&format!("the query parameter {name} is missing")))
    }

    /// A number of the query.
    pub(crate) fn number(&self, name: &str, default: usize) -> Result<usize, ControlError> {
        match self.query(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| ControlError::invalid(&format!("the query parameter {name} must be a whole number"))),
        }
    }

    /// The body; an empty one counts as `{}`.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ControlError> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        // Syntax first: what is not JSON should be told as that, not as a field that does not fit.
        serde_json::from_slice::<IgnoredAny>(body).map_err(|error| ControlError::bad_json(&error.to_string()))?;
        serde_json::from_slice(body).map_err(|error| ControlError::invalid(&error.to_string()))
    }
}

/// The account with that id.
pub(crate) fn account(world: &World, id: &str) -> Result<usize, ControlError> {
    world.accounts.find(id).ok_or_else(|| ControlError::unknown_account(id))
}

/// The customer with that id at that account.
pub(crate) fn place(world: &World, account_id: &str, customer_id: &str) -> Result<Place, ControlError> {
    let account = account(world, account_id)?;
    let person = world.accounts.get(account).person(customer_id);
    let person = person.ok_or_else(|| ControlError::unknown_customer(customer_id))?;
    Ok(Place { account, person })
}

/// The same, but whoever is not there yet becomes a customer.
pub(crate) fn place_or_new(world: &mut World, account_id: &str, customer_id: &str) -> Result<Place, ControlError> {
    let account = account(world, account_id)?;
    if customer_id.is_empty() || customer_id.len() > 128 {
        return Err(ControlError::invalid("customerId must have 1 to 128 characters"));
    }
    let person = world.accounts.get_mut(account).person_or_new(customer_id);
    Ok(Place { account, person })
}
