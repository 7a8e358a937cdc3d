//! The two platforms, as requests name them.

use domain::connections::Platform;
use poem_openapi::Enum;

/// Where an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename = "Platform", rename_all = "lowercase")]
pub(super) enum ShownPlatform {
    Instagram,
    Facebook,
}

impl From<ShownPlatform> for Platform {
    fn from(shown: ShownPlatform) -> Self {
        match shown {
            ShownPlatform::Instagram => Self::Instagram,
            ShownPlatform::Facebook => Self::Facebook,
        }
    }
}
