//! What a dialog is asked for, checked as Meta checks it before a person sees anything.
//! What is wrong here never reaches the redirect address: it stands on an error page.

use crate::{
    graph::call::{Call, Host},
    world::{World, accounts::Login},
};

use super::{exchange, scopes};

/// A dialog that can be shown.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) product: Login,
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
    pub(crate) scopes: Vec<String>,
    /// Login for Business: everything or nothing.
    pub(crate) all_or_nothing: bool,
}

/// The error page's sentence.
#[derive(Debug)]
pub(crate) struct Wrong(pub(crate) String);

/// Whose dialog a path is.
pub(crate) fn product_of(host: Host, path: &[&str]) -> Option<Login> {
    match (host, path) {
        (Host::FacebookWeb | Host::Any, ["dialog", "oauth"]) => Some(Login::Facebook),
        (Host::InstagramWeb | Host::InstagramApi | Host::Any, ["oauth", "authorize"]) => Some(Login::Instagram),
        _ => None,
    }
}

/// Checks a dialog's parameters.
pub(crate) fn check(world: &World, call: &Call, product: Login) -> Result<Asked, Wrong> {
    let instagram = product == Login::Instagram;
    let wrong = |facebook_says: &str, instagram_says: &str| {
        Wrong(if instagram { instagram_says } else { facebook_says }.to_owned())
    };
    if call.text("client_id").as_deref() != Some(world.app_id(product)) {
        let text = "Invalid App ID: The provided app ID does not look like a valid app ID.";
        return Err(wrong(text, "Invalid platform app"));
    }
    let redirect_uri = call.text("redirect_uri").unwrap_or_default();
    if !exchange::registered(world, product, &redirect_uri) {
        let text = "URL Blocked: This redirect failed because the redirect URI is not whitelisted in the app's client \
                    OAuth settings.";
        return Err(wrong(text, "Invalid redirect_uri"));
    }
    if call.text("response_type").as_deref() != Some("code") {
        let text = "Invalid response_type: it is missing, or not code.";
        return Err(wrong(text, "Invalid response_type"));
    }
    let configured = !instagram && call.text("config_id").is_some_and(|id| !id.is_empty());
    let asked = if configured {
        world.config.login_for_business_scopes.clone()
    } else {
        scopes::split(&call.text("scope").unwrap_or_default())
    };
    let known = scopes::known(product);
    let unknown: Vec<&str> = asked.iter().map(String::as_str).filter(|name| !known.contains(name)).collect();
    if asked.is_empty() || !unknown.is_empty() {
        let list = unknown.join(", ");
        let text = format!(
            "Invalid Scopes: {list}. This message is only shown to developers. Users of your app will ignore these \
             permissions if present."
        );
        return Err(wrong(&text, &format!("Invalid scope: [{list}]")));
    }
    Ok(Asked {
        product,
        redirect_uri,
        state: call.text("state"),
        scopes: asked,
        all_or_nothing: !instagram && (configured || world.config.login_for_business),
    })
}
