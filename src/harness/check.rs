//! Whether a reader got what it should have: order, loss, duplicates, gaps.
//!
//! Checked before any timing is believed. Pure: it sees numbers, not sockets.

/// One reader's account of the events of a run, which are numbered from 1.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// A bit per number; the numbers of a run are dense, so this stays small.
    seen: Vec<u64>,
    highest: u64,
    delivered: u64,
    duplicated: u64,
    out_of_order: u64,
    gaps: u64,
    /// How many events the announced gaps account for; `None` once one of them could not say.
    announced: Option<u64>,
}

/// What came of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// New; its latency counts.
    First,
    /// Had before.
    Again,
}

/// A tally once all is over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Account {
    /// Events that should have come.
    pub expected: u64,
    /// Events that came, each counted once.
    pub delivered: u64,
    /// Expected and never received.
    pub lost: u64,
    /// Of those, how many an announced gap accounts for.
    pub lost_announced: u64,
    /// Received again.
    pub duplicated: u64,
    /// Received after a later one.
    pub out_of_order: u64,
    /// Announced gaps.
    pub gaps: u64,
}

impl Tally {
    /// A tally of a reader that has seen nothing yet.
    pub fn new() -> Self {
        Tally { announced: Some(0), ..Tally::default() }
    }

    /// Takes note of an event.
    pub fn event(&mut self, seq: u64) -> Receipt {
        let (word, bit) = ((seq / 64) as usize, 1_u64 << (seq % 64));
        if word >= self.seen.len() {
            self.seen.resize(word + 1, 0);
        }
        if self.seen[word] & bit != 0 {
            self.duplicated += 1;
            return Receipt::Again;
        }
        self.seen[word] |= bit;
        self.delivered += 1;
        if seq < self.highest {
            self.out_of_order += 1;
        }
        self.highest = self.highest.max(seq);
        Receipt::First
    }

    /// Takes note of an announced gap; `missed` is `None` where the server could not say how many.
    pub fn gap(&mut self, missed: Option<u64>) {
        self.gaps += 1;
        self.announced = self.announced.zip(missed).map(|(sum, missed)| sum + missed);
    }

    /// The highest number that was received, 0 where none was.
    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// How many were received, each counted once.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Whether every number up to `last` was received.
    pub fn has_all(&self, last: u64) -> bool {
        self.highest >= last && self.delivered >= last
    }

    /// The account, where the events from 1 to `last` should have come. Numbers beyond are counted as
    /// delivered and expected: they were published after all.
    pub fn account(&self, last: u64) -> Account {
        let expected = last.max(self.highest);
        let lost = expected - self.delivered;
        Account {
            expected,
            delivered: self.delivered,
            lost,
            lost_announced: if self.gaps == 0 { 0 } else { self.announced.map_or(lost, |sum| sum.min(lost)) },
            duplicated: self.duplicated,
            out_of_order: self.out_of_order,
            gaps: self.gaps,
        }
    }
}

impl std::ops::AddAssign for Account {
    fn add_assign(&mut self, other: Account) {
        self.expected += other.expected;
        self.delivered += other.delivered;
        self.lost += other.lost;
        self.lost_announced += other.lost_announced;
        self.duplicated += other.duplicated;
        self.out_of_order += other.out_of_order;
        self.gaps += other.gaps;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_faultless_reader_has_a_clean_account() {
        let mut tally = Tally::new();
        assert!((1..=200).all(|seq| tally.event(seq) == Receipt::First));
        let clean = Account { expected: 200, delivered: 200, ..Account::default() };
        assert_eq!(tally.account(200), clean);
        assert!(tally.has_all(200));
    }

    #[test]
    fn a_gap_accounts_for_what_it_announced_and_no_more() {
        let mut tally = Tally::new();
        tally.event(1);
        tally.gap(Some(2));
        tally.event(4);
        let account = tally.account(6);
        assert_eq!((account.lost, account.lost_announced, account.gaps), (4, 2, 1));
        tally.gap(None);
        assert_eq!(tally.account(6).lost_announced, 4, "a gap of unknown size covers what is missing");
    }

    proptest! {
        /// Against a model that keeps the whole history.
        #[test]
        fn counts_agree_with_the_history(history in proptest::collection::vec(1_u64..150, 0..200)) {
            let mut tally = Tally::new();
            for &seq in &history {
                tally.event(seq);
            }
            let distinct: std::collections::HashSet<_> = history.iter().copied().collect();
            let mut firsts = Vec::new();
            for seq in &history {
                if !firsts.contains(seq) {
                    firsts.push(*seq);
                }
            }
            let late = firsts.iter().enumerate().filter(|(at, seq)| firsts[..*at].iter().any(|earlier| earlier > seq)).count();
            let account = tally.account(150);
            prop_assert_eq!(account.delivered, distinct.len() as u64);
            prop_assert_eq!(account.lost, 150 - distinct.len() as u64);
            prop_assert_eq!(account.duplicated, (history.len() - distinct.len()) as u64);
            prop_assert_eq!(account.out_of_order, late as u64);
        }
    }
}
