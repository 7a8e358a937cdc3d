//! Graph lists that come in pages. A page may be empty and yet not the last one: only a missing `next` ends a list (§3.1).
//! The address in `next` holds the token and names a host, so only its cursor is taken from it.

use reqwest::{Method, Url};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::client::{Host, MetaClient};
use crate::error::{Cause, GraphError};
use crate::json::{self, Fields};

/// Pages of one list that are read at most; each has up to a hundred elements.
const MAX_PAGES: usize = 200;

/// Where a page goes on: what Meta's `next` adds to the call, without secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(Vec<(String, String)>);

impl MetaClient {
    /// Every element of a list that `read` can read.
    pub(crate) async fn list<T>(
        &self,
        host: Host,
        path: &str,
        token: &SecretString,
        parameters: &[(&str, &str)],
        read: impl Fn(&Fields<'_>) -> Option<T>,
    ) -> Result<Vec<T>, GraphError> {
        let (mut found, mut cursor) = (Vec::new(), Cursor::default());
        for _ in 0..MAX_PAGES {
            let (page, next) = self.list_page(host, path, token, parameters, &cursor, &read).await?;
            found.extend(page);
            match next {
                Some(next) => cursor = next,
                None => return Ok(found),
            }
        }
        Err(GraphError::new(Cause::NotJson, None, "the list does not end"))
    }

    /// One page of a list, and where it goes on.
    pub(crate) async fn list_page<T>(
        &self,
        host: Host,
        path: &str,
        token: &SecretString,
        parameters: &[(&str, &str)],
        cursor: &Cursor,
        read: impl Fn(&Fields<'_>) -> Option<T>,
    ) -> Result<(Vec<T>, Option<Cursor>), GraphError> {
        let call = self.request(Method::GET, host, path, token).query(parameters).query(&cursor.0);
        let answer = self.answer(call).await?;
        if let Some(error) = answer.error() {
            return Err(error);
        }
        let fields = Fields::parse(&answer.body).unwrap_or_default();
        let Some(elements) = fields.get("data").and_then(json::elements) else {
            return Err(answer.lacks("the answer has no list"));
        };
        let found = elements.into_iter().filter_map(|raw| read(&Fields::of(raw)?)).collect();
        let paging = fields.object("paging").unwrap_or_default();
        let Some(next) = paging.text("next") else {
            return Ok((found, None));
        };
        let after = paging.object("cursors").and_then(|cursors| cursors.text("after"));
        let moved = Cursor(position(&next, after, parameters));
        if moved.0.is_empty() || moved == *cursor {
            return Err(GraphError::new(Cause::NotJson, Some(answer.status), "the list's next page is the same one"));
        }
        Ok((found, Some(moved)))
    }
}

/// What `next` adds to the call: the cursor, whatever Meta names it. Parameters of ours and secrets are left out.
fn position(next: &str, after: Option<String>, ours: &[(&str, &str)]) -> Vec<(String, String)> {
    const SECRET: [&str; 3] = ["access_token", "appsecret_proof", "appsecret_time"];
    let foreign = |key: &str| !SECRET.contains(&key) && !ours.iter().any(|(name, _)| *name == key);
    let pairs: Vec<(String, String)> = Url::parse(next)
        .map(|url| url.query_pairs().filter(|(key, _)| foreign(key)).map(|(k, v)| (k.into(), v.into())).collect())
        .unwrap_or_default();
    match (pairs.is_empty(), after) {
        (true, Some(after)) => vec![("after".to_owned(), after)],
        _ => pairs,
    }
}
