//! Who a person is who has written to an account (fact sheet §6.5). Meta refuses it for many reasons that are nobody's fault,
//! so nothing may depend on it.

use reqwest::Method;
use secrecy::SecretString;

use super::Route;
use crate::client::MetaClient;
use crate::error::GraphError;
use crate::json::Fields;

/// What Meta tells of a person; each may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// The name they show.
    pub name: Option<String>,
    /// Instagram only, without `@`.
    pub username: Option<String>,
    /// An address that expires within days.
    pub picture_url: Option<String>,
}

impl MetaClient {
    /// The profile of a person, by IGSID or PSID.
    ///
    /// # Errors
    /// [`GraphError`], for `classify(Operation::ReadProfile, …)`.
    pub async fn profile(&self, route: Route, token: &SecretString, person: &str) -> Result<Profile, GraphError> {
        let fields = match route {
            Route::FacebookPage => "first_name,last_name,profile_pic",
            Route::InstagramLogin | Route::InstagramViaPage => "name,username,profile_pic",
        };
        let call = self.request(Method::GET, route.host(), person, token).query(&[("fields", fields)]);
        let answer = self.answer(call).await?;
        if let Some(error) = answer.error() {
            return Err(error);
        }
        let read = Fields::parse(&answer.body).map(|fields| profile(&fields));
        read.ok_or_else(|| answer.lacks("the answer is no profile"))
    }
}

fn profile(fields: &Fields<'_>) -> Profile {
    let text = |name: &str| fields.text(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let whole = [text("first_name"), text("last_name")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    Profile {
        name: text("name").or_else(|| Some(whole).filter(|name| !name.is_empty())),
        username: text("username"),
        picture_url: text("profile_pic").filter(|url| url.starts_with("https://") || url.starts_with("http://")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_product_tells() {
        let read = |body: &str| profile(&Fields::parse(body).unwrap());
        let instagram = read(r#"{"id":"9","name":"Ann Lee","username":"ann","profile_pic":"https://x.test/p.jpg"}"#);
        assert_eq!((instagram.name.as_deref(), instagram.username.as_deref()), (Some("Ann Lee"), Some("ann")));
        assert_eq!(instagram.picture_url.as_deref(), Some("https://x.test/p.jpg"));
        let messenger = read(r#"{"first_name":"Ann","last_name":"Lee","profile_pic":null,"id":"9"}"#);
        assert_eq!(messenger, Profile { name: Some("Ann Lee".to_owned()), ..Profile::default() });
        let nothing = read(r#"{"id":"9","name":" ","username":null,"profile_pic":"javascript:alert(1)"}"#);
        assert_eq!(nothing, Profile::default());
    }
}
