//! What the payload of a job holds that serves one message.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payload {
    pub message_id: Uuid,
}
