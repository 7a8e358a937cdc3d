//! A Page and the Instagram account linked to it, as a token sees them.
//! What the token may not see is absent rather than refused, which is how Graph answers fields.

use serde_json::{Map, Value, json};

use crate::world::{World, accounts::Account, managers::Managed};

use super::{
    access::{Bearer, Holder},
    fields::Fields,
};

/// What is answered when no field is named, in lists.
pub(crate) const USUAL: [&str; 6] = ["access_token", "category", "category_list", "name", "id", "tasks"];

/// The wanted fields of a Page. `managed` is how the person behind a user token holds it.
pub(crate) fn show(
    world: &mut World,
    bearer: Bearer,
    page: usize,
    managed: Option<&Managed>,
    fields: &Fields,
) -> Value {
    let mut shown = Map::new();
    shown.insert("id".to_owned(), world.accounts.get(page).id.clone().into());
    for field in &fields.0 {
        let value = match field.name.as_str() {
            "access_token" => token(world, bearer, page, managed),
            "tasks" => managed.map(|managed| json!(managed.tasks)),
            "instagram_business_account" => {
                let linked = world.accounts.get(page).instagram.filter(|_| bearer.has(world, "instagram_basic"));
                linked.map(|linked| instagram(world.accounts.get(linked), &field.fields.clone().or(&["id"])))
            }
            "picture" => picture(world.accounts.get(page), &field.fields),
            name => plain(world.accounts.get(page), name),
        };
        if let Some(value) = value {
            shown.insert(field.name.clone(), value);
        }
    }
    Value::Object(shown)
}

fn token(world: &mut World, bearer: Bearer, page: usize, managed: Option<&Managed>) -> Option<Value> {
    let parent = bearer.token(world)?.clone();
    match bearer.holder {
        Holder::Account(own) => (own == page).then(|| parent.text.into()),
        Holder::Person(_) if managed?.without_token => None,
        Holder::Person(_) => Some(world.page_token(page, &parent).into()),
        Holder::App(_) => None,
    }
}

fn plain(account: &Account, name: &str) -> Option<Value> {
    match name {
        "name" => Some(account.name.clone().into()),
        "username" => account.username.clone().map(Value::from),
        "category" => Some("Business".into()),
        "category_list" => Some(json!([{"id": "2200", "name": "Business"}])),
        "link" => Some(format!("https://www.facebook.com/{}", account.id).into()),
        _ => None,
    }
}

fn picture(account: &Account, fields: &Fields) -> Option<Value> {
    let url = account.picture.as_ref()?;
    let all = json!({"height": 50, "width": 50, "is_silhouette": false, "url": url});
    let picked = if fields.0.is_empty() { all } else { fields.pick(all) };
    Some(json!({ "data": picked }))
}

/// The wanted fields of an Instagram account, as the Facebook host shows it.
pub(crate) fn instagram(account: &Account, fields: &Fields) -> Value {
    fields.pick(json!({
        "id": account.id, "username": account.username, "name": account.name,
        "profile_picture_url": account.picture, "followers_count": 42, "follows_count": 7, "media_count": 12,
    }))
}
