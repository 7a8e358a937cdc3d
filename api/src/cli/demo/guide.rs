//! What a person reads once the demo is ready: where everything is, who is there, and lines to copy that send a message as a
//! customer and show what became of it, connect an account, and refresh a token.

use super::facts::{AccountFacts, ChoiceFacts, Facts, ShopFacts};
use std::fmt::{Result, Write as _};

/// The guide as text.
pub(super) fn text(facts: &Facts) -> String {
    let mut text = String::new();
    // Writing into a string never fails.
    let _infallible = write(&mut text, facts);
    text
}

fn write(out: &mut String, facts: &Facts) -> Result {
    let Facts { api, docs, page, directory, .. } = facts;
    writeln!(out, "Retail Assist is running, with a local Meta beside it; nothing leaves this machine.")?;
    writeln!(out, "Ctrl-C ends it; its data is made anew at each start.\n")?;
    writeln!(out, "  Service     {api}")?;
    writeln!(out, "  Reference   {docs}")?;
    writeln!(out, "  Local Meta  {page}   (write as a customer here, and watch the replies come)")?;
    writeln!(out, "  Files       {directory}\n")?;
    for shop in &facts.shops {
        who(out, shop)?;
    }
    if let Some((shop, account)) = facts.shops.iter().find_map(|shop| Some((shop, shop.accounts.first()?))) {
        lines(out, facts, shop, account)?;
    }
    let open = facts.shops.iter().find_map(|shop| {
        let choice = shop.to_connect.iter().find(|one| one.platform == "instagram" && !one.personal)?;
        Some((shop, choice))
    });
    if let Some((shop, choice)) = open {
        connecting(out, facts, shop, choice)?;
    }
    refreshing(out, facts)
}

fn who(out: &mut String, shop: &ShopFacts) -> Result {
    writeln!(out, "{} (plan {}): sign in as {} with {}", shop.name, shop.plan, shop.email, shop.password)?;
    for account in &shop.accounts {
        let customers: Vec<_> = account.customers.iter().map(|one| format!("{} {}", one.name, one.id)).collect();
        let replies = if account.reply.is_some() { "answers by itself" } else { "does not answer by itself" };
        let AccountFacts { platform, account_id, .. } = account;
        writeln!(out, "  {platform:<10} {account_id:<18} {replies:<26} customers: {}", customers.join(", "))?;
    }
    for choice in &shop.to_connect {
        let ChoiceFacts { platform, account_id, name, .. } = choice;
        let name = choice.username.map_or_else(|| (*name).to_owned(), |username| format!("@{username}"));
        let how = match (choice.personal, *platform) {
            (true, _) => "not connected; a personal account, which will be refused".to_owned(),
            (_, "facebook") => format!("not connected; log in as {}", shop.person),
            _ => format!("not connected; log in as {name}"),
        };
        writeln!(out, "  {platform:<10} {account_id:<18} {name:<26} {how}")?;
    }
    writeln!(out)
}

fn lines(out: &mut String, facts: &Facts, shop: &ShopFacts, account: &AccountFacts) -> Result {
    let Some(customer) = account.customers.first() else { return Ok(()) };
    let Facts { api, sandbox, directory, operator_key, .. } = facts;
    let (to, from, name) = (account.account_id, customer.id, customer.name);
    let jar = format!("'{directory}/cookies'");
    writeln!(out, "Write to {} as {name}:", shop.name)?;
    writeln!(
        out,
        "  curl -s -d '{{\"accountId\":\"{to}\",\"customerId\":\"{from}\",\"text\":\"Do you have it in blue?\"}}' {sandbox}/sandbox/messages"
    )?;
    writeln!(out, "What {name} sees, the reply included:")?;
    writeln!(out, "  curl -s '{sandbox}/sandbox/thread?accountId={to}&customerId={from}'")?;
    writeln!(out, "Sign in for {}:", shop.name)?;
    writeln!(
        out,
        "  curl -s -c {jar} -H 'Content-Type: application/json' -d '{{\"email\":\"{}\",\"password\":\"{}\"}}' {api}/api/auth/login",
        shop.email, shop.password
    )?;
    writeln!(out, "Its conversations:")?;
    writeln!(out, "  curl -s -b {jar} {api}/api/conversations")?;
    writeln!(out, "The messages of the newest one:")?;
    writeln!(
        out,
        "  curl -s -b {jar} {api}/api/conversations/$(curl -s -b {jar} '{api}/api/conversations?limit=1' | grep -o 'cnv_[0-9a-f]*' | head -n 1)/messages"
    )?;
    writeln!(out, "The jobs that did it, as an operator:")?;
    writeln!(out, "  curl -s -H 'Authorization: Bearer {operator_key}' {api}/api/admin/jobs")
}

fn connecting(out: &mut String, facts: &Facts, shop: &ShopFacts, choice: &ChoiceFacts) -> Result {
    let Facts { api, docs, sandbox, directory, .. } = facts;
    let (name, id) = (shop.name, choice.account_id);
    let jar = format!("-b '{directory}/cookies' -c '{directory}/cookies'");
    writeln!(out, "\nConnect Instagram to {name}, line by line in one shell (the page for it comes later). Sign in:")?;
    writeln!(
        out,
        "  CSRF=$(curl -s {jar} -H 'Content-Type: application/json' -d '{{\"email\":\"{}\",\"password\":\"{}\"}}' {api}/api/auth/login | grep -o '\"csrfToken\":\"[^\"]*' | cut -d '\"' -f 4)",
        shop.email, shop.password
    )?;
    writeln!(out, "Start; this is the address of the consent page, which a browser shows:")?;
    writeln!(
        out,
        "  AUTH=$(curl -s {jar} {api}/api/meta/instagram/oauth | grep -o '\"authUrl\":\"[^\"]*' | cut -d '\"' -f 4); echo \"$AUTH\""
    )?;
    writeln!(out, "Allow it, as its button does, and come back; the address at the end has the handle, ig_token:")?;
    writeln!(
        out,
        "  BACK=$(curl -s -d '{{\"authUrl\":\"'\"$AUTH\"'\",\"accountId\":\"{id}\"}}' {sandbox}/sandbox/consent | grep -o '\"redirectTo\":\"[^\"#]*' | cut -d '\"' -f 4)"
    )?;
    writeln!(out, "  TO=$(curl -s {jar} -o /dev/null -w '%{{redirect_url}}' \"$BACK\"); echo \"$TO\"")?;
    writeln!(out, "  TOKEN=$(echo \"$TO\" | grep -o 'ig_token=[^&]*' | cut -d = -f 2)")?;
    writeln!(out, "What was found, and connecting it:")?;
    writeln!(out, "  curl -s {jar} -H \"X-Connect-Token: $TOKEN\" {api}/api/meta/pages")?;
    writeln!(
        out,
        "  curl -s {jar} -H \"X-CSRF-Token: $CSRF\" -H 'Content-Type: application/json' -d '{{\"token\":\"'\"$TOKEN\"'\",\"platform\":\"instagram\",\"selectedPageIds\":[\"{id}\"]}}' {api}/api/meta/pages"
    )?;
    writeln!(
        out,
        "To see the consent page: sign in with POST /api/auth/login on {docs}, run GET /api/meta/instagram/oauth there (or"
    )?;
    writeln!(
        out,
        "/api/meta/oauth for the Pages), and open its authUrl in the same browser. The address it ends at has the handle."
    )
}

fn refreshing(out: &mut String, facts: &Facts) -> Result {
    let Facts { api, operator_key, .. } = facts;
    writeln!(out, "\nThe token of the Blue Shop's Instagram account ends in five days; the daily refresh, now:")?;
    write!(
        out,
        "  curl -s -H 'Authorization: Bearer {operator_key}' -H 'Content-Type: application/json' -d '{{}}' {api}/api/admin/schedules/token.refresh_due/run-now"
    )
}

#[cfg(test)]
mod tests {
    use super::super::facts::CustomerFacts;
    use super::*;

    fn choice() -> ChoiceFacts {
        let (name, username, account_id) = ("Green", Some("green"), "19");
        ChoiceFacts { platform: "instagram", name, username, account_id, personal: false, customers: Vec::new() }
    }

    #[test]
    fn every_line_has_the_ids_it_needs() {
        let account = AccountFacts {
            platform: "instagram",
            name: "Blue Shop",
            account_id: "17",
            connection_id: "con_1".to_owned(),
            reply: Some("Hello"),
            customers: vec![CustomerFacts { id: "90", name: "Ada" }],
        };
        let facts = Facts {
            api: "http://127.0.0.1:1".to_owned(),
            docs: "http://127.0.0.1:1/docs".to_owned(),
            sandbox: "http://127.0.0.1:2".to_owned(),
            page: "http://127.0.0.1:2/sandbox".to_owned(),
            directory: "target/demo".to_owned(),
            verify_token: "v".to_owned(),
            operator_key: "ra_op_1".to_owned(),
            shops: vec![ShopFacts {
                name: "Blue Shop",
                plan: "pro",
                email: "a@b.example",
                password: "secret".to_owned(),
                person: "Bruno",
                accounts: vec![account],
                to_connect: vec![
                    ChoiceFacts { personal: true, account_id: "18", ..choice() },
                    ChoiceFacts { platform: "facebook", account_id: "10", username: None, ..choice() },
                    choice(),
                ],
            }],
        };
        let told = text(&facts);
        for part in [
            r#"'{"accountId":"17","customerId":"90","text":"Do you have it in blue?"}' http://127.0.0.1:2/sandbox/messages"#,
            r#"'{"email":"a@b.example","password":"secret"}' http://127.0.0.1:1/api/auth/login"#,
            "http://127.0.0.1:2/sandbox/thread?accountId=17&customerId=90",
            "Bearer ra_op_1",
            r#""authUrl":"'"$AUTH"'","accountId":"19"}' http://127.0.0.1:2/sandbox/consent"#,
            r#""token":"'"$TOKEN"'","platform":"instagram","selectedPageIds":["19"]}' http://127.0.0.1:1/api/meta/pages"#,
            "log in as @green",
            "log in as Bruno",
            "will be refused",
            "http://127.0.0.1:1/api/admin/schedules/token.refresh_due/run-now",
        ] {
            assert!(told.contains(part), "{part} is missing in:\n{told}");
        }
    }
}
