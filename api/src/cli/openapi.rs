//! Prints the OpenAPI document; needs no settings.

use super::output;
use crate::routes;

pub fn run() -> anyhow::Result<()> {
    Ok(output::text(&routes::document::exact(&routes::service().spec()))?)
}
