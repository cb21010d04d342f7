//! What became of events that a reader was to get: lost, twice, out of order, or none of its own.

use std::{collections::HashMap, fmt};

/// What became of events that were to come in this order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) lost: usize,
    pub(super) twice: usize,
    pub(super) disordered: usize,
    /// Those that were not to come at all.
    pub(super) foreign: usize,
}

impl Account {
    /// By the data of the events that came; no two that were to come have the same.
    pub(super) fn of<'a>(expected: &[String], got: impl IntoIterator<Item = &'a str>) -> Self {
        let places: HashMap<&str, usize> = expected.iter().map(String::as_str).zip(0..).collect();
        let mut seen = vec![0; expected.len()];
        let (mut disordered, mut foreign, mut latest) = (0, 0, 0);
        for data in got {
            match places.get(data) {
                Some(&place) => {
                    seen[place] += 1;
                    disordered += usize::from(place < latest && seen[place] == 1);
                    latest = latest.max(place);
                }
                None => foreign += 1,
            }
        }
        let lost = seen.iter().filter(|&&times| times == 0).count();
        let twice = seen.iter().map(|&times: &usize| times.saturating_sub(1)).sum();
        Account { lost, twice, disordered, foreign }
    }

    pub(super) fn is_good(&self) -> bool {
        *self == Account { lost: 0, twice: 0, disordered: 0, foreign: 0 }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Account { lost, twice, disordered, foreign } = self;
        write!(f, "{lost} lost, {twice} twice")?;
        if *disordered > 0 {
            write!(f, ", {disordered} out of order")?;
        }
        if *foreign > 0 {
            write!(f, ", {foreign} that it had before or that nobody published")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_doubled_out_of_order_or_old_is_counted() {
        let expected: Vec<_> = ["1", "2", "3"].map(str::to_owned).into();
        let account = |got: &str| Account::of(&expected, got.split_terminator(' ')).to_string();
        assert_eq!(account("1 2 3"), "0 lost, 0 twice");
        assert_eq!(account("1 3"), "1 lost, 0 twice");
        assert_eq!(account("1 2 3 1"), "0 lost, 1 twice");
        assert_eq!(account("2 1 3"), "0 lost, 0 twice, 1 out of order");
        assert_eq!(account("0 1 2 3"), "0 lost, 0 twice, 1 that it had before or that nobody published");
    }
}
