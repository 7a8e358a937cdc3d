//! Signing in: the dialogs a person clicks, and what becomes of their consent: codes, tokens, refreshes.
//! The two products share the steps and differ in every detail, so each step is a file with both in it.

pub(crate) mod callbacks;
pub(crate) mod codes;
pub(crate) mod decide;
pub(crate) mod dialog;
pub(crate) mod exchange;
pub(crate) mod issue;
pub(crate) mod pages;
pub(crate) mod refresh;
pub(crate) mod request;
pub(crate) mod scopes;
