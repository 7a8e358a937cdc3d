//! How often each call of signing in, refreshing and subscribing arrived, and how often it was refused.
//! A call is counted when it arrives, so that one whose answer is lost is counted too.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::faults::Group;

/// What a call is, for counting it and for the faults that befall it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Op {
    CodeExchange,
    LongLived,
    Refresh,
    Identity,
    AccountList,
    Permissions,
    DebugToken,
    Subscribe,
    Unsubscribe,
    SubscriptionRead,
    Revoke,
}

impl Op {
    /// The name in the counters.
    fn name(self) -> &'static str {
        match self {
            Self::CodeExchange => "codeExchanges",
            Self::LongLived => "longLived",
            Self::Refresh => "refreshes",
            Self::Identity => "identityReads",
            Self::AccountList => "accountLists",
            Self::Permissions => "permissionReads",
            Self::DebugToken => "debugTokens",
            Self::Subscribe => "subscribes",
            Self::Unsubscribe => "unsubscribes",
            Self::SubscriptionRead => "subscriptionReads",
            Self::Revoke => "revocations",
        }
    }

    /// The faults that can befall it.
    pub(crate) fn group(self) -> Option<Group> {
        match self {
            Self::CodeExchange => Some(Group::CodeExchange),
            Self::LongLived => Some(Group::LongLived),
            Self::Refresh => Some(Group::Refresh),
            Self::Identity => Some(Group::Identity),
            Self::AccountList => Some(Group::AccountList),
            Self::Permissions => Some(Group::Permissions),
            Self::Subscribe => Some(Group::Subscribe),
            Self::Unsubscribe => Some(Group::Unsubscribe),
            Self::SubscriptionRead => Some(Group::SubscriptionRead),
            Self::DebugToken | Self::Revoke => None,
        }
    }

    const ALL: [Self; 11] = [
        Self::CodeExchange,
        Self::LongLived,
        Self::Refresh,
        Self::Identity,
        Self::AccountList,
        Self::Permissions,
        Self::DebugToken,
        Self::Subscribe,
        Self::Unsubscribe,
        Self::SubscriptionRead,
        Self::Revoke,
    ];
}

/// Totals since the start or the last reset.
#[derive(Debug, Default)]
pub(crate) struct OauthCounters {
    pub(crate) dialogs: u64,
    pub(crate) allowed: u64,
    pub(crate) denied: u64,
    pub(crate) codes_issued: u64,
    arrived: BTreeMap<Op, u64>,
    refused: BTreeMap<Op, u64>,
    by_account: BTreeMap<(Op, String), u64>,
}

impl OauthCounters {
    /// A call has arrived, for that account if it names one.
    pub(crate) fn arrive(&mut self, op: Op, account: Option<&str>) {
        *self.arrived.entry(op).or_default() += 1;
        if let Some(account) = account {
            *self.by_account.entry((op, account.to_owned())).or_default() += 1;
        }
    }

    pub(crate) fn refuse(&mut self, op: Op) {
        *self.refused.entry(op).or_default() += 1;
    }

    /// The totals as the control interface shows them.
    pub(crate) fn to_json(&self) -> Value {
        let mut shown = json!({
            "dialogs": self.dialogs, "allowed": self.allowed, "denied": self.denied, "codesIssued": self.codes_issued,
        });
        for op in Op::ALL {
            shown[op.name()] = self.arrived.get(&op).copied().unwrap_or_default().into();
        }
        for op in [Op::CodeExchange, Op::LongLived, Op::Refresh] {
            shown[format!("{}Refused", op.name())] = self.refused.get(&op).copied().unwrap_or_default().into();
        }
        shown
    }

    /// The calls of one kind by the account whose token made them.
    pub(crate) fn by_account(&self, op: Op) -> Value {
        let of_op = self.by_account.iter().filter(|((of, _), _)| *of == op);
        Value::Object(of_op.map(|((_, account), count)| (account.clone(), (*count).into())).collect::<Map<_, _>>())
    }
}
