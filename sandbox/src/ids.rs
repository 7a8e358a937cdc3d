//! Ids and tokens that look like Meta's: three id spaces, most of them beyond what a double can hold.
//! They come from the seeded generator, so a test that fails can be run again with the same ones.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::{Rng, rngs::StdRng};

/// Counters behind the ids.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    next: u64,
}

impl Ids {
    fn number(&mut self, base: u64) -> String {
        self.next += 1;
        (base + self.next).to_string()
    }

    /// A professional Instagram account, as webhooks name it.
    pub(crate) fn instagram_account(&mut self) -> String {
        self.number(17_841_400_000_000_000)
    }

    /// The same account as the app's login sees it.
    pub(crate) fn app_scoped(&mut self) -> String {
        self.number(28_900_000_000_000_000)
    }

    pub(crate) fn page(&mut self) -> String {
        self.number(101_000_000_000_000)
    }

    /// A Facebook person, as the control interface knows them.
    pub(crate) fn manager(&mut self) -> String {
        self.number(100_080_000_000_000)
    }

    /// The same person as the app sees them.
    pub(crate) fn manager_scoped(&mut self) -> String {
        self.number(10_220_000_000_000_000)
    }

    /// A business portfolio.
    pub(crate) fn business(&mut self) -> String {
        self.number(520_000_000_000_000)
    }

    pub(crate) fn instagram_person(&mut self) -> String {
        self.number(900_000_000_000_000)
    }

    pub(crate) fn messenger_person(&mut self) -> String {
        self.number(7_000_000_000_000_000)
    }

    /// A message id; the counter in it keeps it unique whatever the seed.
    pub(crate) fn message(&mut self, rng: &mut StdRng, instagram: bool) -> String {
        self.next += 1;
        let mut bytes = [0_u8; 32];
        rng.fill_bytes(&mut bytes);
        bytes[..8].copy_from_slice(&self.next.to_be_bytes());
        let prefix = if instagram { "aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlE" } else { "m_" };
        format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// An authorization code; the counter in it keeps it unique whatever the seed.
    pub(crate) fn code(&mut self, rng: &mut StdRng) -> String {
        self.next += 1;
        let mut bytes = [0_u8; 72];
        rng.fill_bytes(&mut bytes);
        bytes[..8].copy_from_slice(&self.next.to_be_bytes());
        format!("AQ{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The name of a file; the counter in it keeps it unique whatever the seed.
    pub(crate) fn media(&mut self, rng: &mut StdRng) -> String {
        self.next += 1;
        let mut bytes = [0_u8; 12];
        rng.fill_bytes(&mut bytes);
        format!("{}_{}_n", self.next, URL_SAFE_NO_PAD.encode(bytes))
    }

    /// An access token; clients must not read anything into its first letters.
    pub(crate) fn token(&mut self, rng: &mut StdRng, instagram: bool) -> String {
        let mut bytes = [0_u8; 48];
        rng.fill_bytes(&mut bytes);
        let prefix = if instagram { "IGAA" } else { "EAA" };
        format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// What Meta support asks for.
pub(crate) fn trace(rng: &mut StdRng) -> String {
    let mut bytes = [0_u8; 9];
    rng.fill_bytes(&mut bytes);
    format!("A{}", URL_SAFE_NO_PAD.encode(bytes))
}
