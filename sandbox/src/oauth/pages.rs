//! The pages of the dialogs as HTML: plain forms, no script, ids that a browser test can hold on to.
//! Whatever comes from outside is escaped here, for the same browser also holds the program under test.

use std::fmt::Write;

use crate::{
    graph::call::Call,
    world::{World, accounts::Login},
};

use super::{decide, request::Asked, scopes};

const FRAME: &str = include_str!("frame.html");

/// Parameters of the dialog that the form carries along.
const CARRIED: [&str; 6] = ["client_id", "redirect_uri", "response_type", "scope", "config_id", "state"];

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

fn frame(product: Login, title: &str, body: &str) -> String {
    let name = match product {
        Login::Instagram => "instagram",
        Login::Facebook => "facebook",
    };
    FRAME.replace("{{product}}", name).replace("{{title}}", title).replace("{{body}}", body)
}

/// What a person sees when a program asks for the wrong things.
pub(crate) fn error(message: &str) -> String {
    let body = format!(
        "<h1>Something is wrong with this app</h1><p id=\"error\" role=\"alert\">{}</p>\
         <p class=\"muted\">Nothing was sent back to it.</p>",
        escape(message)
    );
    frame(Login::Facebook, "Error", &body)
}

/// The dialog itself.
pub(crate) fn consent(world: &World, call: &Call, asked: &Asked) -> String {
    let mut body = String::new();
    for name in CARRIED {
        if let Some(value) = call.text(name) {
            push(&mut body, format_args!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(&value)));
        }
    }
    let ready = match asked.product {
        Login::Facebook => facebook(world, call, &mut body),
        Login::Instagram => instagram(world, &mut body),
    };
    permissions(asked, &mut body);
    let target = reqwest::Url::parse(&asked.redirect_uri).ok().and_then(|url| url.host_str().map(str::to_owned));
    let disabled = if ready { "" } else { " disabled" };
    let page = format!(
        "<h1>Retail Assist wants to connect</h1><p class=\"muted\">You will be sent back to {}.</p>\
         <form method=\"post\" action=\"{}\">{body}<div class=\"buttons\">\
         <button id=\"deny\" name=\"decision\" value=\"deny\">Cancel</button>\
         <button id=\"allow\" name=\"decision\" value=\"allow\"{disabled}>Allow</button></div></form>",
        escape(&target.unwrap_or_default()),
        escape(&call.full_path),
    );
    frame(asked.product, "Connect", &page)
}

fn push(body: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = body.write_fmt(text);
}

fn option(body: &mut String, value: &str, text: &str, chosen: bool) {
    let selected = if chosen { " selected" } else { "" };
    push(body, format_args!("<option value=\"{}\"{selected}>{}</option>", escape(value), escape(text)));
}

fn facebook(world: &World, call: &Call, body: &mut String) -> bool {
    let asked_for = call.text("person").and_then(|id| world.manager(&id));
    let person = asked_for.unwrap_or(0);
    body.push_str("<label for=\"person\">Continue as</label><div class=\"row\"><select id=\"person\" name=\"person\">");
    for (index, manager) in world.managers.iter().enumerate() {
        option(body, &manager.id, &manager.name, index == person);
    }
    body.push_str("</select>");
    if world.managers.len() > 1 {
        body.push_str("<button id=\"switch\" name=\"decision\" value=\"switch\">Show their Pages</button>");
    }
    let Some(manager) = world.managers.get(person) else { return false };
    push(body, format_args!("</div><input type=\"hidden\" name=\"shown\" value=\"{}\">", escape(&manager.id)));
    body.push_str("<fieldset id=\"accounts\"><legend>Which Pages?</legend>");
    let managed = world.managed(person);
    if managed.is_empty() {
        body.push_str("<p class=\"muted\">This person manages no Page.</p>");
    }
    for managed in managed {
        let page = world.accounts.get(managed.page);
        let linked = page.instagram.and_then(|linked| world.accounts.get(linked).username.clone());
        let also = linked.map(|name| format!(" <small>with @{}</small>", escape(&name))).unwrap_or_default();
        let id = escape(&page.id);
        push(
            body,
            format_args!(
                "<label class=\"box\"><input type=\"checkbox\" id=\"account-{id}\" name=\"accounts\" value=\"{id}\" \
                 checked> <span>{}{also}</span></label>",
                escape(&page.name)
            ),
        );
    }
    body.push_str("</fieldset>");
    true
}

fn instagram(world: &World, body: &mut String) -> bool {
    let accounts = decide::instagram_accounts(world);
    if accounts.is_empty() {
        body.push_str("<p id=\"empty\">There is no Instagram account here yet. Make one on the sandbox's page.</p>");
        return false;
    }
    body.push_str("<label for=\"account\">Log in as</label><select id=\"account\" name=\"account\">");
    for (number, index) in accounts.into_iter().enumerate() {
        let account = world.accounts.get(index);
        let shown = account.username.as_ref().map_or_else(|| account.name.clone(), |name| format!("@{name}"));
        option(body, &account.id, &shown, number == 0);
    }
    body.push_str("</select>");
    true
}

fn permissions(asked: &Asked, body: &mut String) {
    body.push_str("<fieldset id=\"scopes\"><legend>What may it do?</legend>");
    if asked.all_or_nothing {
        body.push_str("<p class=\"muted\">All of these, or nothing:</p><ul>");
        for scope in &asked.scopes {
            push(body, format_args!("<li id=\"scope-{0}\"><code>{0}</code></li>", escape(scope)));
        }
        body.push_str("</ul></fieldset>");
        return;
    }
    for scope in &asked.scopes {
        let fixed = if scope == scopes::INSTAGRAM_BASIC { " disabled" } else { "" };
        push(
            body,
            format_args!(
                "<label class=\"box\"><input type=\"checkbox\" id=\"scope-{0}\" name=\"scopes\" value=\"{0}\" \
                 checked{fixed}> <code>{0}</code></label>",
                escape(scope)
            ),
        );
    }
    body.push_str("</fieldset>");
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_from_outside_is_markup() {
        assert_eq!(super::escape("<a href='x'>&\""), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;");
        assert!(super::error("<script>").contains("&lt;script&gt;"));
    }
}
