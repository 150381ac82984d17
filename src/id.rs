//! Every identifier of the product, and the seed that mints the random ones.
//!
//! The two kinds must not be mixed up. Keys ([`EventKey`], [`SeriesKey`]) are derived from the
//! event, so that a redelivery finds the first try. Minted ids ([`RunId`], [`IncidentId`]) come
//! from the injected [`Seed`], so that a scenario gives the same run twice.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// Source of everything random in a run: run id, fence nonce, jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// Returns a seed that differs from run to run.
    pub fn random() -> Self {
        Seed(fastrand::u64(..))
    }

    /// Returns an independent seed for a named purpose, so that one more draw here moves nothing there.
    #[must_use]
    pub fn for_purpose(&self, purpose: &str) -> Self {
        // FNV-1a, 64 bit: a fixed mixing of the name, not a security measure.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ self.0;
        for byte in purpose.bytes() {
            hash ^= u64::from(byte);
            hash = hash.wrapping_mul(0x0000_0100_0000_01b3);
        }
        Seed(fastrand::Rng::with_seed(hash).u64(..))
    }

    /// Returns a generator that yields the same sequence for the same seed.
    pub fn generator(&self) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.0)
    }

    /// Returns `digits` random hexadecimal digits.
    pub fn hex(&self, digits: usize) -> String {
        let mut generator = self.generator();
        (0..digits).filter_map(|_| char::from_digit(generator.u32(0..16), 16)).collect()
    }
}

macro_rules! text_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Returns the identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// Names one run of the agent: six hexadecimal digits, as the card's footer prints them.
    RunId
}
text_id! {
    /// Names one incident; runs over linked alarms share it.
    IncidentId
}
text_id! {
    /// Identity of one state change: ARN, contributor, state and time. A redelivered event has the same key.
    EventKey
}
text_id! {
    /// Identity of one alarmed series: ARN and contributor. Cool-down and threads go by it.
    SeriesKey
}
text_id! {
    /// Names a piece of evidence: `M3` (metric), `L1` (log lines), `C2` (change), `F1` (derived fact),
    /// `A1` (alarm). What a specialist fetched carries its role: `logs.L2`.
    EvidenceId
}

impl RunId {
    /// Mints the run's id from its seed.
    pub fn mint(seed: Seed) -> Self {
        RunId(seed.for_purpose("run id").hex(6))
    }
}

impl IncidentId {
    /// Mints the incident's id from the run's seed.
    pub fn mint(seed: Seed) -> Self {
        IncidentId(seed.for_purpose("incident id").hex(10))
    }
}

impl SeriesKey {
    /// Derives the key from the alarm's ARN (its name where the event has none) and contributor.
    pub fn new(alarm: &str, contributor: Option<&str>) -> Self {
        SeriesKey(match contributor {
            Some(contributor) => format!("{alarm}|{contributor}"),
            None => alarm.to_owned(),
        })
    }
}

impl SeriesKey {
    /// Derives the key under which the incidents of a resource are remembered, whichever of its alarms told them.
    pub fn of_resource(account: &str, region: &str, namespace: &str, name: &str) -> Self {
        SeriesKey(format!("resource {account} {region} {namespace} {name}"))
    }

    /// Returns the key for alarms that are told at certain places only: those told elsewhere have another one.
    #[must_use]
    pub fn told_at(&self, places: &str) -> Self {
        SeriesKey(format!("{self} told at {places}"))
    }
}

impl EventKey {
    /// Tells whether this is a change of the series to ALARM, and not a run that a person asked for.
    pub fn is_alarm_of(&self, series: &SeriesKey) -> bool {
        let rest = self.0.strip_prefix(series.as_str()).and_then(|rest| rest.strip_prefix("|ALARM|"));
        // A contributor's series begins with its alarm's.
        rest.is_some_and(|changed_at| !changed_at.contains('|'))
    }

    /// Returns the series of which this is a change to ALARM; `None` of every other key.
    pub fn series_of_alarm(&self) -> Option<SeriesKey> {
        let (series, changed_at) = self.0.rsplit_once("|ALARM|")?;
        (!changed_at.contains('|')).then(|| SeriesKey(series.to_owned()))
    }

    /// Returns when the state changed; `None` of a run that a person asked for.
    pub fn changed_at(&self) -> Option<Timestamp> {
        self.0.rsplit('|').next()?.parse().ok()
    }

    /// Returns the key of a run that a person asked for: it is of its own, however often the same alarm is asked about.
    pub fn of_request(series: &SeriesKey, run: &RunId) -> Self {
        EventKey(format!("{series}|asked for by name|{run}"))
    }

    /// Derives the key from the series, the new state and the time of the change.
    pub fn new(series: &SeriesKey, state: &str, changed_at: Timestamp) -> Self {
        EventKey(format!("{series}|{state}|{changed_at}"))
    }
}

impl EvidenceId {
    /// Returns the id with the given letter and one-based number.
    pub fn new(letter: char, number: usize) -> Self {
        EvidenceId(format!("{letter}{number}"))
    }

    /// Returns the id of evidence that a specialist fetched itself.
    pub fn of_role(role: &str, letter: char, number: usize) -> Self {
        EvidenceId(format!("{role}.{letter}{number}"))
    }

    /// Reads an id as a model or a person wrote it; surrounding brackets and blanks are ignored.
    pub fn parse(text: &str) -> Self {
        EvidenceId(text.trim().trim_matches(['[', ']', '{', '}']).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_mints_the_same_ids_and_purposes_differ() {
        assert_eq!(RunId::mint(Seed(7)), RunId::mint(Seed(7)));
        assert_ne!(RunId::mint(Seed(7)), RunId::mint(Seed(8)));
        assert_ne!(Seed(7).for_purpose("a"), Seed(7).for_purpose("b"));
        assert_eq!(RunId::mint(Seed(7)).as_str().len(), 6);
    }

    #[test]
    fn the_event_key_tells_contributors_and_states_apart() {
        let at = Timestamp::UNIX_EPOCH;
        let plain = SeriesKey::new("arn", None);
        let team = SeriesKey::new("arn", Some("a1"));
        assert_ne!(EventKey::new(&plain, "ALARM", at), EventKey::new(&team, "ALARM", at));
        assert_ne!(EventKey::new(&plain, "ALARM", at), EventKey::new(&plain, "OK", at));
    }
}
