//! The permissions each product knows.
//! Names that stopped working are not among them, so the dialog refuses them as Meta does.

use crate::world::accounts::Login;

/// Without it an Instagram token can do nothing.
pub(crate) const INSTAGRAM_BASIC: &str = "instagram_business_basic";

const INSTAGRAM: [&str; 5] = [
    INSTAGRAM_BASIC,
    "instagram_business_manage_messages",
    "instagram_business_manage_comments",
    "instagram_business_content_publish",
    "instagram_business_manage_insights",
];

const FACEBOOK: [&str; 16] = [
    "public_profile",
    "email",
    "pages_show_list",
    "business_management",
    "pages_manage_metadata",
    "pages_messaging",
    "pages_read_engagement",
    "pages_read_user_content",
    "pages_manage_posts",
    "pages_manage_engagement",
    "pages_utility_messaging",
    "instagram_basic",
    "instagram_manage_messages",
    "instagram_manage_comments",
    "instagram_manage_insights",
    "instagram_content_publish",
];

/// All names of a product.
pub(crate) fn known(product: Login) -> &'static [&'static str] {
    match product {
        Login::Instagram => &INSTAGRAM,
        Login::Facebook => &FACEBOOK,
    }
}

/// A list as it comes in a URL: by commas or by spaces.
pub(crate) fn split(text: &str) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    for name in text.split([',', ' ']).map(str::trim).filter(|name| !name.is_empty()) {
        if !list.iter().any(|known| known == name) {
            list.push(name.to_owned());
        }
    }
    list
}

/// Granted by Facebook without being asked for.
pub(crate) const PUBLIC_PROFILE: &str = "public_profile";
