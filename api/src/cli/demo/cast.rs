//! Who is in the demo: four shops, the people behind them, their accounts and their customers. Ids are fixed, so that command
//! lines of one demo fit the next.

use domain::connections::Platform;

/// An organization with its user.
pub(super) struct Shop {
    pub name: &'static str,
    pub plan: &'static str,
    pub email: &'static str,
    /// Who manages its Pages at Facebook.
    pub person: Person,
    /// Connected before the demo begins.
    pub accounts: &'static [Account],
    /// There to be connected by whoever tries the demo.
    pub open: &'static [Account],
}

/// Somebody with a Facebook login.
pub(super) struct Person {
    pub id: &'static str,
    pub name: &'static str,
}

/// An account at Meta.
pub(super) struct Account {
    pub platform: Platform,
    pub id: &'static str,
    pub name: &'static str,
    pub username: Option<&'static str>,
    /// Not a professional account: Instagram lets no app read its messages.
    pub personal: bool,
    /// How many days ago its token was issued, where that is not today; it ends sixty days after that.
    pub token_days: Option<i64>,
    /// The text of the automatic reply, where it is on.
    pub reply: Option<&'static str>,
    /// What the model that writes the reply is to know; the text is then for when it has no words.
    pub instructions: Option<&'static str>,
    pub customers: &'static [Customer],
}

/// Id, name and user name.
pub(super) type Customer = (&'static str, &'static str, &'static str);

const fn instagram(id: &'static str, name: &'static str, username: &'static str) -> Account {
    let (platform, username) = (Platform::Instagram, Some(username));
    Account {
        platform,
        id,
        name,
        username,
        personal: false,
        token_days: None,
        reply: None,
        instructions: None,
        customers: &[],
    }
}

const fn page(id: &'static str, name: &'static str) -> Account {
    let (platform, username) = (Platform::Facebook, None);
    Account {
        platform,
        id,
        name,
        username,
        personal: false,
        token_days: None,
        reply: None,
        instructions: None,
        customers: &[],
    }
}

/// Everybody.
pub(super) const SHOPS: [Shop; 4] = [
    Shop {
        name: "Blue Shop",
        plan: "pro",
        email: "owner@blue-shop.example",
        person: Person { id: "100080000000101", name: "Bruno Blue" },
        accounts: &[
            Account {
                // Old enough to be refreshed, and close enough to its end to need it.
                token_days: Some(55),
                reply: Some("Thank you for writing to {{account.name}}! We will answer within the hour."),
                customers: &[("900000000000101", "Ada", "ada"), ("900000000000102", "Ben", "ben")],
                ..instagram("17841400000000101", "Blue Shop", "blueshop")
            },
            Account {
                reply: Some("Hello, this is {{account.name}}. A person will answer you soon."),
                customers: &[("7000000000000101", "Cleo", "cleo")],
                ..page("101000000000101", "Blue Shop on Facebook")
            },
        ],
        open: &[],
    },
    Shop {
        name: "Corner Store",
        plan: "starter",
        email: "owner@corner-store.example",
        person: Person { id: "100080000000102", name: "Cora Corner" },
        accounts: &[Account {
            customers: &[("7000000000000102", "Dan", "dan")],
            ..page("101000000000102", "Corner Store")
        }],
        open: &[],
    },
    Shop {
        name: "Atelier",
        plan: "team",
        email: "owner@atelier.example",
        person: Person { id: "100080000000104", name: "Ada Atelier" },
        accounts: &[
            Account {
                reply: Some("Thank you, {{contact.firstName|dear customer}}. A person will answer you soon."),
                instructions: Some(
                    "We make lamps to order, in two weeks. We are open from Monday to Friday, nine to six.",
                ),
                customers: &[("900000000000104", "Gina Green", "gina"), ("900000000000105", "Hal", "hal")],
                ..instagram("17841400000000106", "Atelier", "atelier")
            },
            Account {
                customers: &[("7000000000000104", "Ida", "ida")],
                ..page("101000000000106", "Atelier on Facebook")
            },
        ],
        open: &[],
    },
    Shop {
        name: "Garden Shop",
        plan: "pro",
        email: "owner@garden-shop.example",
        person: Person { id: "100080000000103", name: "Greta Garden" },
        accounts: &[],
        // The plan has three places: Instagram and two of the Pages fill it.
        open: &[
            Account {
                customers: &[("900000000000103", "Eve", "eve")],
                ..instagram("17841400000000103", "Garden Shop", "gardenshop")
            },
            Account { personal: true, ..instagram("17841400000000104", "Greta Garden", "greta.at.home") },
            Account {
                customers: &[("7000000000000103", "Finn", "finn")],
                ..page("101000000000103", "Garden Shop on Facebook")
            },
            page("101000000000104", "Garden Shop Café"),
            page("101000000000105", "Garden Shop Workshop"),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn nobody_is_there_twice() {
        let all = || SHOPS.iter().flat_map(|shop| shop.accounts.iter().chain(shop.open));
        let customers = all().flat_map(|account| account.customers.iter().map(|(id, ..)| *id));
        let people = SHOPS.iter().map(|shop| shop.person.id);
        let ids: Vec<_> = all().map(|account| account.id).chain(customers).chain(people).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    }
}
