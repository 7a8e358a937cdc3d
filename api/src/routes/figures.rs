//! The figures, as Prometheus reads them.

use super::Tag;
use crate::app::App;
use crate::problem::Problem;
use crate::telemetry::metrics;
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::payload::PlainText;
use std::sync::Arc;

/// The routes of this file.
#[derive(Clone, Copy, Debug)]
pub struct FigureRoutes;

#[OpenApi(tag = "Tag::Health")]
impl FigureRoutes {
    /// Counters and gauges in Prometheus' text format.
    #[oai(path = "/metrics", method = "get", operation_id = "metrics")]
    async fn metrics(&self, app: Data<&Arc<App>>) -> Result<PlainText<String>, Problem> {
        if let Err(error) = metrics::refresh(&app.ctx).await {
            // Counters are worth having just when the database is not.
            tracing::warn!(%error, "the ledger's figures could not be read");
        }
        Ok(PlainText(app.figures.render()))
    }
}
