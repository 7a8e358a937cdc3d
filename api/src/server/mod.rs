//! The HTTP server: an accept loop with limits on everything a stranger can send slowly or without end, and what every
//! request passes through on its way to its route.

mod accept;
mod body;
mod connection;
mod edge;
mod head;
mod headers;
mod paths;
mod phase;
mod shutdown;

pub use accept::{Limits, Server};
pub use phase::{Held, Line};
pub use shutdown::signalled;

use crate::app::App;
use crate::routes;
use poem::endpoint::{BoxEndpoint, make_sync};
use poem::web::Html;
use poem::{EndpointExt as _, IntoEndpoint as _, Response, Route};
use std::sync::Arc;

/// Everything this program answers.
pub fn endpoint(app: Arc<App>) -> BoxEndpoint<'static> {
    let service = routes::service();
    let (document, page) = (routes::document::exact(&service.spec()), service.swagger_ui_html());
    let paths = Arc::new(paths::Paths::of::<routes::Routes>());
    let json = move |_| Response::builder().content_type("application/json").body(document.clone());
    let routes = Route::new()
        .at("/api/openapi.json", make_sync(json))
        .at("/docs", make_sync(move |_| Html(page.clone())))
        .nest_no_strip("/", service.into_endpoint())
        .data(app);
    edge::Edge::new(routes, paths).boxed()
}
