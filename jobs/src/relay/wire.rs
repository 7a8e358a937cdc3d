//! What travels between processes: who tells, and the ids of what has changed. Small enough for Postgres' `NOTIFY`.

use domain::feed::{Noted, Outgoing, What};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Changes of one packet. Postgres takes less than 8,000 bytes.
const CHANGES: usize = 40;

/// One note from one process to all others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Packet {
    from: Uuid,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    changed: Vec<(Uuid, What)>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    spilled: bool,
}

impl Packet {
    /// A note that says nothing, by which a listener finds out whether it hears.
    pub(super) fn beacon(from: Uuid) -> Self {
        Self { from, changed: Vec::new(), spilled: false }
    }

    /// As many as it takes.
    pub(super) fn of(from: Uuid, outgoing: &Outgoing) -> Vec<Self> {
        match outgoing {
            Outgoing::Spilled => vec![Self { spilled: true, ..Self::beacon(from) }],
            Outgoing::Changes(noted) => {
                let all: Vec<_> = noted.clone().into_iter().collect();
                all.chunks(CHANGES).map(|some| Self { changed: some.to_vec(), ..Self::beacon(from) }).collect()
            }
        }
    }

    pub(super) fn text(&self) -> String {
        // Ids and numbers: nothing in it can fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(super) fn is_from(&self, process: Uuid) -> bool {
        self.from == process
    }

    pub(super) fn content(self) -> Outgoing {
        if self.spilled {
            return Outgoing::Spilled;
        }
        let mut noted = Noted::default();
        self.changed.into_iter().for_each(|(organization, what)| noted.add(organization, what));
        Outgoing::Changes(noted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_fit_and_say_what_was_noted() {
        let mut noted = Noted::default();
        for n in 0..1_000 {
            let id = Uuid::from_u128(u128::MAX - n);
            noted.add(id, What::Message { conversation: id, id });
            noted.add(id, What::Receipts { conversation: id, since: i64::MIN });
            noted.add(id, What::Connection(id));
        }
        let outgoing = Outgoing::Changes(noted.clone());
        let packets = Packet::of(Uuid::max(), &outgoing);
        assert_eq!(packets.len(), 75);
        let mut heard = Noted::default();
        for packet in packets {
            let text = packet.text();
            assert!(text.len() < 8_000, "{}", text.len());
            let Outgoing::Changes(some) = Packet::parse(&text).unwrap().content() else { panic!("spilled") };
            heard.merge(some);
        }
        assert_eq!(heard, noted);
    }

    #[test]
    fn nothing_and_too_much_can_be_said() {
        let me = Uuid::from_u128(1);
        let beacon = Packet::parse(&Packet::beacon(me).text()).unwrap();
        assert!(beacon.is_from(me) && beacon.content() == Outgoing::Changes(Noted::default()));
        let [packet] = Packet::of(me, &Outgoing::Spilled).try_into().unwrap();
        assert_eq!(Packet::parse(&packet.text()).unwrap().content(), Outgoing::Spilled);
        assert!(Packet::parse("{\"from\":\"x\"}").is_none() && Packet::parse("").is_none());
    }
}
