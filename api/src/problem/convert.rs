//! Turns errors of the layers below into problems: the database's, the rules', and those of the HTTP framework.
//! A parser's own words may quote what was sent, and what was sent may be a password: they are not passed on.

use super::{Code, Problem};
use crate::cursor::LIMIT_FORM;
use domain::api_keys::ApiKeyError;
use domain::compose::ComposeError;
use domain::connect::{FlowError, StateError};
use domain::connections::AutoReplyError;
use domain::db::is_unavailable;
use domain::leads::LeadError;
use domain::organizations::OrganizationError;
use domain::password::PasswordError;
use domain::plans::PlanRefusal;
use domain::scheduled::ScheduleError;
use domain::sessions::SessionError;
use domain::sign_in::SignInError;
use domain::templates::TemplateError;
use domain::users::UserError;
use poem::error::{MethodNotAllowedError, NotFoundError, ReadBodyError};
use poem_openapi::error::{
    AuthorizationError, ContentTypeError, ParseParamError, ParsePathError, ParseRequestPayloadError,
};
use sea_orm::DbErr;

impl From<DbErr> for Problem {
    fn from(error: DbErr) -> Self {
        if is_unavailable(&error) {
            tracing::warn!(%error, "the database is not available");
            return Self::new(Code::Unavailable).retry_after(1);
        }
        Self::internal(&error)
    }
}

impl From<PlanRefusal> for Problem {
    fn from(refusal: PlanRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            PlanRefusal::SubscriptionInactive => Self::with(Code::SubscriptionInactive, detail),
            PlanRefusal::PlanRequired { needed, .. } => Self::with(Code::PlanRequired, detail).required_plan(needed),
            PlanRefusal::PlanLimit { needed, .. } => Self::with(Code::PlanLimit, detail).required_plan(needed),
            PlanRefusal::FeatureRequired { needed, .. } => {
                Self::with(Code::FeatureRequired, detail).required_plan(needed)
            }
        }
    }
}

impl From<FlowError> for Problem {
    fn from(error: FlowError) -> Self {
        match error {
            FlowError::Plan(refusal) => refusal.into(),
            FlowError::State(StateError::Expired) => Self::new(Code::StateExpired),
            FlowError::State(StateError::Invalid) | FlowError::Overtaken => Self::new(Code::StateInvalid),
            FlowError::UnknownOrganization => Self::new(Code::NotFound),
            FlowError::Vault(error) => Self::internal(&error),
            FlowError::Db(error) => error.into(),
        }
    }
}

impl From<PasswordError> for Problem {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Length => Self::with(Code::InvalidRequest, error.to_string()),
            PasswordError::Busy => Self::with(Code::Unavailable, error.to_string()).retry_after(5),
            PasswordError::Internal => Self::internal(&error),
        }
    }
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Db(error) => error.into(),
            SessionError::Randomness => Self::internal(&error),
        }
    }
}

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Invalid => Self::new(Code::InvalidCredentials),
            SignInError::TooMany { retry_after_seconds } => {
                Self::new(Code::TooManyRequests).retry_after(retry_after_seconds)
            }
            SignInError::Password(error) => error.into(),
            SignInError::Db(error) => error.into(),
        }
    }
}

impl From<OrganizationError> for Problem {
    fn from(error: OrganizationError) -> Self {
        match error {
            OrganizationError::Name => Self::with(Code::InvalidRequest, error.to_string()),
            OrganizationError::Unknown => Self::new(Code::NotFound),
            OrganizationError::UnknownPlan => Self::internal(&error),
            OrganizationError::Db(error) => error.into(),
        }
    }
}

impl From<UserError> for Problem {
    fn from(error: UserError) -> Self {
        match error {
            UserError::Email => Self::with(Code::InvalidRequest, error.to_string()),
            UserError::EmailTaken => Self::new(Code::EmailTaken),
            UserError::Organization(error) => error.into(),
            UserError::Db(error) => error.into(),
        }
    }
}

impl From<ApiKeyError> for Problem {
    fn from(error: ApiKeyError) -> Self {
        match error {
            ApiKeyError::Db(error) => error.into(),
            ApiKeyError::Randomness => Self::internal(&error),
            other => Self::with(Code::InvalidRequest, other.to_string()),
        }
    }
}

impl From<AutoReplyError> for Problem {
    fn from(error: AutoReplyError) -> Self {
        let detail = error.to_string();
        match error {
            AutoReplyError::Unknown => Self::new(Code::NotFound),
            AutoReplyError::Feature { needed, .. } => Self::with(Code::FeatureRequired, detail).required_plan(needed),
            AutoReplyError::UnknownTemplate => Self::new(Code::UnknownTemplate),
            AutoReplyError::NoModel => Self::new(Code::AiNotConfigured),
            AutoReplyError::NoText
            | AutoReplyError::TwoTexts
            | AutoReplyError::Characters
            | AutoReplyError::Variable { .. }
            | AutoReplyError::TooLong(_)
            | AutoReplyError::Instructions
            | AutoReplyError::Pause => Self::with(Code::InvalidRequest, detail),
            AutoReplyError::Db(error) => error.into(),
        }
    }
}

impl From<ComposeError> for Problem {
    fn from(error: ComposeError) -> Self {
        let detail = error.to_string();
        match error {
            ComposeError::NotFound => Self::new(Code::NotFound),
            ComposeError::UnknownTemplate => Self::new(Code::UnknownTemplate),
            ComposeError::Plan(refusal) => refusal.into(),
            ComposeError::Unavailable(_) => Self::with(Code::ConnectionUnavailable, detail),
            ComposeError::WindowClosed(_) => Self::with(Code::WindowClosed, detail),
            ComposeError::TooLong => Self::with(Code::TextTooLong, detail),
            ComposeError::NotFailed(_) => Self::with(Code::NotFailed, detail),
            ComposeError::Empty | ComposeError::Characters | ComposeError::Address => {
                Self::with(Code::InvalidRequest, detail)
            }
            ComposeError::Db(error) => error.into(),
        }
    }
}

impl From<TemplateError> for Problem {
    fn from(error: TemplateError) -> Self {
        let detail = error.to_string();
        match error {
            TemplateError::NotFound => Self::new(Code::NotFound),
            TemplateError::NameTaken => Self::with(Code::NameTaken, detail),
            TemplateError::InUse(_) | TemplateError::Waiting(_) => Self::with(Code::TemplateInUse, detail),
            TemplateError::TooMany => Self::with(Code::LimitReached, detail),
            TemplateError::Invalid(_) => Self::with(Code::InvalidRequest, detail),
            TemplateError::Db(error) => error.into(),
        }
    }
}

impl From<ScheduleError> for Problem {
    fn from(error: ScheduleError) -> Self {
        let detail = error.to_string();
        match error {
            ScheduleError::Compose(error) => error.into(),
            ScheduleError::NotFound => Self::new(Code::NotFound),
            ScheduleError::Over(_) => Self::with(Code::AlreadyOver, detail),
            ScheduleError::TooMany => Self::with(Code::LimitReached, detail),
            ScheduleError::Time(_) => Self::with(Code::InvalidRequest, detail),
            ScheduleError::Db(error) => error.into(),
        }
    }
}

impl From<LeadError> for Problem {
    fn from(error: LeadError) -> Self {
        let detail = error.to_string();
        match error {
            LeadError::Conversation(error) => error.into(),
            LeadError::NotFound => Self::new(Code::NotFound),
            LeadError::Exists(_) => Self::with(Code::LeadExists, detail),
            LeadError::Invalid(_) => Self::with(Code::InvalidRequest, detail),
            LeadError::Db(error) => error.into(),
        }
    }
}

/// The problem of an error that came up through the framework.
pub fn from_poem(error: &poem::Error) -> Problem {
    if let Some(problem) = error.downcast_ref::<Problem>() {
        return problem.clone();
    }
    if let Some(error) = error.downcast_ref::<ParseRequestPayloadError>() {
        return payload(&error.reason);
    }
    if let Some(ParseParamError { name, .. }) = error.downcast_ref() {
        if *name == "limit" {
            return Problem::with(Code::InvalidParameter, LIMIT_FORM);
        }
        return Problem::with(Code::InvalidParameter, format!("The parameter {name} is not of the kind it should be."));
    }
    if error.is::<ParsePathError>() || error.is::<poem::error::ParsePathError>() {
        return Problem::new(Code::NotFound);
    }
    if error.is::<ContentTypeError>() {
        return Problem::new(Code::UnsupportedMediaType);
    }
    if error.is::<AuthorizationError>() {
        return Problem::new(Code::Unauthenticated);
    }
    if error.is::<NotFoundError>() {
        return Problem::new(Code::NotFound);
    }
    if error.is::<MethodNotAllowedError>() {
        return Problem::new(Code::MethodNotAllowed);
    }
    if let Some(ReadBodyError::PayloadTooLarge) = error.downcast_ref() {
        return Problem::new(Code::PayloadTooLarge);
    }
    match error.status().as_u16() {
        404 => Problem::new(Code::NotFound),
        405 => Problem::new(Code::MethodNotAllowed),
        413 => Problem::new(Code::PayloadTooLarge),
        415 => Problem::new(Code::UnsupportedMediaType),
        400..=499 => Problem::new(Code::InvalidParameter),
        _ => Problem::internal(error),
    }
}

/// Syntax errors of JSON tell a line; everything else is about fields. An unknown field is named, for that is a name and
/// not a value.
fn payload(reason: &str) -> Problem {
    if let Some(name) = reason.split_once("unknown field `").and_then(|(_, rest)| rest.split_once('`')) {
        let shown: String = name.0.chars().filter(|c| c.is_alphanumeric() || matches!(c, '_' | '-')).take(40).collect();
        return Problem::with(Code::InvalidRequest, format!("The field \"{shown}\" is not known here."));
    }
    if reason.contains(" at line ") {
        return Problem::new(Code::InvalidJson);
    }
    Problem::new(Code::InvalidRequest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_payload(reason: &str) -> Problem {
        from_poem(&ParseRequestPayloadError { reason: reason.to_owned() }.into())
    }

    #[test]
    fn the_frameworks_errors_have_codes() {
        assert_eq!(from_poem(&NotFoundError.into()).code(), Code::NotFound);
        assert_eq!(from_poem(&MethodNotAllowedError.into()).code(), Code::MethodNotAllowed);
        assert_eq!(from_poem(&AuthorizationError.into()).code(), Code::Unauthenticated);
        assert_eq!(from_poem(&ContentTypeError::ExpectContentType.into()).code(), Code::UnsupportedMediaType);
        assert_eq!(from_poem(&ReadBodyError::PayloadTooLarge.into()).code(), Code::PayloadTooLarge);
        assert_eq!(of_payload("expected value at line 1 column 2").code(), Code::InvalidJson);
        assert_eq!(of_payload("unknown field `x`.").code(), Code::InvalidRequest);
        let unknown = poem::Error::from_string("geheim", http::StatusCode::BAD_GATEWAY);
        assert_eq!(from_poem(&unknown), Problem::new(Code::Internal));
    }

    #[test]
    fn what_was_sent_is_not_sent_back() {
        let shown = of_payload("Expected input type \"string\", found \"geheim\".").to_string();
        assert!(!shown.contains("geheim"), "{shown}");
    }
}
