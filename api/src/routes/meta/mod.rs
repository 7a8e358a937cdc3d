//! Connecting accounts through Meta's login: where it starts, where Meta sends the browser back to, and the choice of the
//! accounts. What Meta calls of its own accord (a person leaving, data to be deleted) is beside it.

mod callback;
mod choose;
mod removal;
mod signed;
mod start;

pub use callback::CallbackRoutes;
pub use choose::ChooseRoutes;
pub use removal::RemovalRoutes;
pub use start::StartRoutes;

use crate::app::App;
use crate::auth::{Session, browser};
use domain::connect::Binding;
use poem::Request;
use std::time::Duration;

/// How long a request waits for the jobs behind it.
const PATIENCE: Duration = Duration::from_secs(8);

/// Who is here, in which session and which browser.
fn binding(app: &App, session: &Session, request: &Request) -> Binding {
    Binding {
        organization: session.organization,
        user: session.signed_in.user.id,
        session: session.signed_in.session.id,
        browser: browser::read(request, app.secure),
        browser_needed: app.secure,
    }
}
