//! What a test asks at the end: how much was received, accepted, refused, delivered.
//! Replies per DM are derived from the list of DMs, so their definition stands in one place.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    World,
    oauth_counters::{OauthCounters, Op},
};

/// Totals since the start or the last reset.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sends_received: u64,
    pub(crate) sends_accepted: u64,
    pub(crate) sends_refused: BTreeMap<String, u64>,
    pub(crate) sender_actions: u64,
    pub(crate) answers_lost: u64,
    pub(crate) messages_in: u64,
    pub(crate) owner_messages: u64,
    pub(crate) echoes: u64,
    pub(crate) duplicates: u64,
    pub(crate) webhooks_queued: u64,
    pub(crate) webhooks_delivered: u64,
    pub(crate) webhooks_failed: u64,
    pub(crate) webhooks_dropped: u64,
    pub(crate) conversation_reads: u64,
    pub(crate) conversation_reads_refused: u64,
    pub(crate) profile_reads: u64,
    pub(crate) media_reads: u64,
    pub(crate) held: u64,
    pub(crate) oauth: OauthCounters,
}

impl Counters {
    pub(crate) fn refused(&mut self, code: String) {
        *self.sends_refused.entry(code).or_default() += 1;
    }
}

impl World {
    /// The counters as the control interface shows them.
    pub(crate) fn counters_json(&self, detail: bool) -> Value {
        let counters = &self.counters;
        let mut histogram: BTreeMap<u64, u64> = BTreeMap::new();
        for dm in &self.inbound {
            *histogram.entry(dm.replies).or_default() += 1;
        }
        let more: u64 = histogram.range(2..).map(|(_, count)| count).sum();
        let mut replies = json!({
            "withoutReply": histogram.get(&0).copied().unwrap_or_default(), "withMoreThanOne": more,
            "max": histogram.keys().next_back().copied().unwrap_or_default(),
            "histogram": histogram,
        });
        if detail {
            replies["items"] = self
                .inbound
                .iter()
                .map(|dm| {
                    let (account, person) = self.accounts.at(dm.place);
                    json!({"mid": dm.mid, "accountId": account.id, "customerId": person.id, "replies": dm.replies})
                })
                .collect();
        }
        let most = self.accounts.all().iter().flat_map(|account| &account.people);
        let mut shown = json!({
            "oauth": counters.oauth.to_json(),
            "sendsReceived": counters.sends_received,
            "sendsAccepted": counters.sends_accepted,
            "sendsRefused": {"total": counters.sends_refused.values().sum::<u64>(), "byCode": counters.sends_refused},
            "senderActions": counters.sender_actions,
            "answersLost": counters.answers_lost,
            "messagesIn": counters.messages_in,
            "ownerMessages": counters.owner_messages,
            "echoes": counters.echoes,
            "duplicates": counters.duplicates,
            "webhooksQueued": counters.webhooks_queued,
            "webhooksDelivered": counters.webhooks_delivered,
            "webhooksFailed": counters.webhooks_failed,
            "webhooksPending": self.queue.pending() + self.bots.pending(),
            "webhooksDropped": counters.webhooks_dropped,
            "conversationReads": counters.conversation_reads,
            "conversationReadsRefused": counters.conversation_reads_refused,
            "profileReads": counters.profile_reads,
            "mediaReads": counters.media_reads,
            "aiCalls": self.model.calls,
            "faultsFired": self.faults.fired(),
            "held": counters.held,
            "repliesByInbound": replies,
            "maxSendsPerCustomer": most.map(|person| person.sent.len()).max().unwrap_or_default(),
        });
        if detail {
            shown["refreshesByAccount"] = counters.oauth.by_account(Op::Refresh);
            shown["subscribesByAccount"] = counters.oauth.by_account(Op::Subscribe);
            shown["unsubscribesByAccount"] = counters.oauth.by_account(Op::Unsubscribe);
        }
        shown
    }
}
