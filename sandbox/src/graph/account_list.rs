//! The Pages a person has granted: `/me/accounts`, the portfolios that hold them, and a Page by its id.
//! Cursors are opaque, and an answer may be empty although more come, as with Meta.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::world::{World, managers::Managed};

use super::{
    access::{self, Bearer, Holder},
    call::Call,
    error::GraphError,
    fields::Fields,
    page,
};

/// Graph's largest page.
const MOST: usize = 100;
const PORTFOLIO: &str = "business_management";

/// Where a list goes on, and how many empty answers have been given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cursor {
    offset: usize,
    empty: usize,
}

impl Cursor {
    fn text(self) -> String {
        URL_SAFE_NO_PAD.encode(format!("QVFI:{}:{}", self.offset, self.empty))
    }

    fn parse(text: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (offset, empty) = text.strip_prefix("QVFI:")?.split_once(':')?;
        Some(Self { offset: offset.parse().ok()?, empty: empty.parse().ok()? })
    }
}

fn person(world: &World, call: &Call, who: &str) -> Result<(Bearer, usize), GraphError> {
    let bearer = access::bearer(world, call, who == "me")?;
    match bearer.holder {
        Holder::Person(person) if access::names(world, bearer.holder, who) => Ok((bearer, person)),
        Holder::Person(_) => Err(GraphError::no_such_object(who)),
        Holder::Account(_) | Holder::App(_) => {
            let text = "(#100) Tried accessing nonexisting field (accounts) on node type (Page)";
            Err(GraphError::invalid(text))
        }
    }
}

fn in_portfolio(world: &World, managed: &Managed) -> bool {
    managed.portfolio_only || managed.client_page || world.config.accounts_need_business_management
}

/// `GET /me/accounts`
pub(crate) fn accounts(world: &mut World, call: &Call, who: &str, version: &str) -> Result<Value, GraphError> {
    let (bearer, person) = person(world, call, who)?;
    if !bearer.has(world, "pages_show_list") {
        return Ok(json!({"data": []}));
    }
    let portfolio = bearer.has(world, PORTFOLIO);
    let pages: Vec<Managed> =
        world.granted(person).into_iter().filter(|page| portfolio || !in_portfolio(world, page)).collect();
    let path = format!("{}/accounts", world.managers[person].app_scoped_id);
    list(world, call, bearer, &pages, &call.address_of(version, &path))
}

/// One answer of a list of Pages, and the way to the next.
fn list(world: &mut World, call: &Call, bearer: Bearer, pages: &[Managed], address: &str) -> Result<Value, GraphError> {
    let fields = Fields::of(call)?.or(&page::USUAL);
    let limit = match call.text("limit") {
        Some(text) => text.parse().map_err(|_| GraphError::invalid("(#100) Param limit must be an integer"))?,
        None => world.config.accounts_per_page,
    };
    let limit = limit.clamp(1, MOST);
    let at = match call.text("after").filter(|text| !text.is_empty()) {
        Some(text) => Cursor::parse(&text).ok_or_else(|| GraphError::invalid("(#100) Invalid cursors values"))?,
        None => Cursor { offset: 0, empty: 0 },
    };
    let gap = at.offset > 0 && at.offset < pages.len() && at.empty < world.config.empty_account_pages;
    let wanted: &[Managed] = if gap { &[] } else { pages.get(at.offset..).unwrap_or_default() };
    let data: Vec<Value> = wanted
        .iter()
        .take(limit)
        .map(|managed| page::show(world, bearer, managed.page, Some(managed), &fields))
        .collect();
    if pages.is_empty() {
        return Ok(json!({"data": []}));
    }
    let end = Cursor { offset: at.offset + data.len(), empty: at.empty + usize::from(gap) };
    let mut answer = json!({"data": data, "paging": {"cursors": {"before": at.text(), "after": end.text()}}});
    if end.offset < pages.len() {
        answer["paging"]["next"] = call.next_page(address, limit, &end.text()).into();
    }
    Ok(answer)
}

/// `GET /me/businesses`
pub(crate) fn businesses(world: &World, call: &Call, who: &str) -> Result<Value, GraphError> {
    let (bearer, person) = person(world, call, who)?;
    bearer.needs(world, PORTFOLIO)?;
    let held = world.managed(person).iter().any(|page| in_portfolio(world, page));
    let person = &world.managers[person];
    let business = json!({"id": person.business_id, "name": format!("Portfolio of {}", person.name)});
    Ok(json!({"data": if held { vec![business] } else { Vec::new() }}))
}

/// `GET /{business}/owned_pages` and `/client_pages`
pub(crate) fn of_business(
    world: &mut World,
    call: &Call,
    who: &str,
    edge: &str,
    version: &str,
) -> Result<Value, GraphError> {
    let (bearer, person) = person(world, call, "me")?;
    if world.managers[person].business_id != who {
        return Err(GraphError::no_such_object(who));
    }
    bearer.needs(world, PORTFOLIO)?;
    let clients = edge == "client_pages";
    let pages: Vec<Managed> = world
        .granted(person)
        .into_iter()
        .filter(|page| in_portfolio(world, page) && page.client_page == clients)
        .collect();
    list(world, call, bearer, &pages, &call.address_of(version, &format!("{who}/{edge}")))
}

/// `GET /{id}` of a Page or a linked Instagram account with a user token; none: it is neither, or not granted.
pub(crate) fn by_id(world: &mut World, bearer: Bearer, who: &str, fields: &Fields) -> Option<Value> {
    let Holder::Person(person) = bearer.holder else { return None };
    let index = world.accounts.find(who)?;
    let page = if world.accounts.get(index).is_instagram() { world.accounts.get(index).page? } else { index };
    let managed = world.granted(person).into_iter().find(|managed| managed.page == page)?;
    if page == index {
        return Some(page::show(world, bearer, page, Some(&managed), &fields.clone().or(&["name"])));
    }
    bearer.has(world, "instagram_basic").then(|| page::instagram(world.accounts.get(index), fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back() {
        let cursor = Cursor { offset: 25, empty: 2 };
        assert_eq!(Cursor::parse(&cursor.text()), Some(cursor));
        assert_eq!(Cursor::parse("nonsense"), None);
    }
}
