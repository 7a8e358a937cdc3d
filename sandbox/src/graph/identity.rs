//! `/me`, and a token's own id in its place: an Instagram account, a Page or a person.
//! Instagram's answer has two shapes and several spellings, all of them seen and all of them switches.

use serde_json::{Value, json};

use crate::{
    config::Casing,
    oauth::{exchange::id, scopes},
    world::World,
};

use super::{
    access::{self, Bearer, Holder},
    call::Call,
    error::GraphError,
    fields::Fields,
    page,
};

/// Whether a call reads its own token's holder.
pub(crate) fn is_own(world: &World, call: &Call, who: &str) -> bool {
    let token = access::known_token(world, call);
    let holder = token.and_then(|token| match (token.account, token.person) {
        (Some(account), _) => Some(Holder::Account(account)),
        (None, person) => person.map(Holder::Person),
    });
    who == "me" || holder.is_some_and(|holder| access::names(world, holder, who))
}

/// `GET /me?fields=`
pub(crate) fn read(world: &mut World, call: &Call, who: &str) -> Result<Value, GraphError> {
    let bearer = access::bearer(world, call, who == "me")?;
    let fields = Fields::of(call)?;
    match bearer.holder {
        Holder::Account(account) if world.accounts.get(account).is_instagram() => {
            bearer.needs(world, scopes::INSTAGRAM_BASIC)?;
            Ok(instagram(world, account, &fields))
        }
        Holder::Account(account) => Ok(page::show(world, bearer, account, None, &fields.or(&["name"]))),
        Holder::Person(person) => Ok(self::person(world, bearer, person, &fields.or(&["name"]))),
        Holder::App(product) => Ok(json!({"id": world.app_id(product), "name": "Sandbox app"})),
    }
}

fn instagram(world: &World, account: usize, fields: &Fields) -> Value {
    let config = &world.config;
    let account = world.accounts.get(account);
    let named = !config.identity_without_name;
    let numbers = config.instagram_ids_as_numbers.unwrap_or(false);
    let shown = fields.pick(json!({
        "id": id(account.app_scoped_id.as_ref().unwrap_or(&account.id), numbers), "user_id": id(&account.id, numbers),
        "username": account.username, "name": named.then_some(&account.name),
        "account_type": spelled(account.account_type, config.account_type_casing),
        "profile_picture_url": account.picture.as_ref().filter(|_| named),
        "followers_count": 42, "follows_count": 7, "media_count": 12,
    }));
    if config.instagram_data_envelope { json!({"data": [shown]}) } else { shown }
}

fn spelled(kind: &str, casing: Casing) -> String {
    match casing {
        Casing::As => kind.to_owned(),
        Casing::Lower => kind.to_ascii_lowercase(),
        Casing::Title => {
            let word = |word: &str| format!("{}{}", &word[..1], word[1..].to_ascii_lowercase());
            kind.split('_').map(word).collect::<Vec<_>>().join("_")
        }
    }
}

fn person(world: &World, bearer: Bearer, person: usize, fields: &Fields) -> Value {
    let person = &world.managers[person];
    let (first, last) = person.name.split_once(' ').unwrap_or((&person.name, ""));
    let email = bearer.has(world, "email").then(|| format!("{}@example.test", person.app_scoped_id));
    fields.pick(json!({
        "id": person.app_scoped_id, "name": person.name, "first_name": first, "last_name": last, "email": email,
    }))
}
