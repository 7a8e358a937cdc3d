//! What a person granted at Facebook Login, where permissions can be declined one by one (fact sheet §3.4).
//! Instagram Login tells it in the answer to the code.

use secrecy::SecretString;

use crate::client::{Host, MetaClient};
use crate::error::GraphError;

impl MetaClient {
    /// The names of the permissions that were granted.
    ///
    /// # Errors
    /// [`GraphError`], for `classify(Operation::ReadPermissions, …)`.
    pub async fn granted_permissions(&self, token: &SecretString) -> Result<Vec<String>, GraphError> {
        let named = self
            .list(Host::FacebookGraph, "me/permissions", token, &[], |fields| {
                Some((fields.text("permission")?, fields.text("status")?))
            })
            .await?;
        Ok(named.into_iter().filter(|(_, status)| status == "granted").map(|(name, _)| name).collect())
    }
}
