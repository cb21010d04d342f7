//! How many readers there is room for: each takes a file descriptor here, and one of the server's.

use super::{definition::Definition, plan::Form};
use crate::server;

/// Descriptors of either side that are no readers': our own requests', files'.
const RESERVE: usize = 64;

/// The most readers that one run may have here. Raises this process's limit of open files as far as it may; the
/// servers that it starts are given the same.
pub fn most_readers() -> usize {
    server::max_connections().saturating_sub(RESERVE).max(1)
}

/// Takes out of a definition what more readers than `most` would be needed for; what was left out of this form, in
/// words.
pub fn leave_out_too_many(definition: &mut Definition, form: Form, most: usize) -> Option<String> {
    let mut many = Vec::new();
    for conditions in &mut definition.conditions {
        let is_planned = form == Form::Full || !conditions.full_only;
        conditions.readers.retain(|&readers| {
            let fit = readers as usize <= most;
            many.extend((!fit && is_planned).then_some(readers));
            fit
        });
    }
    many.sort_unstable();
    many.dedup();
    let list = many.iter().map(u32::to_string).collect::<Vec<_>>().join(" and ");
    (!many.is_empty()).then(|| {
        format!(
            "{list} readers are left out: there is room for {most} under this system's limit of open files; raise the \
             hard one (`ulimit -Hn`)"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFINITION: &str = "question = '?'\nwhy = '?'\nclient = [{ name = 'a', transport = 'sse' }]\n\
        conditions = [{ rate = [1], readers = [1, 500] }, { rate = [1], readers = [900, 500], full_only = true }]\n\
        quick = { repetitions = 1, warm_up_s = 0, measure_s = 1 }\n\
        full = { repetitions = 1, warm_up_s = 0, measure_s = 1 }";

    #[test]
    fn readers_for_whom_there_is_no_room_are_left_out_and_said() {
        let definition = Definition::parse("x", "x", DEFINITION).expect("a definition");
        let leave_out = |form, most| {
            let mut definition = definition.clone();
            let words = leave_out_too_many(&mut definition, form, most);
            (definition.conditions.into_iter().map(|it| it.readers).collect::<Vec<_>>(), words)
        };
        assert_eq!(leave_out(Form::Full, 900), (vec![vec![1, 500], vec![900, 500]], None));
        let (readers, words) = leave_out(Form::Full, 499);
        assert_eq!(readers, [vec![1], vec![]]);
        assert!(words.is_some_and(|words| {
            words.starts_with("500 and 900 readers are left out: there is room for 499")
        }));
        let (readers, words) = leave_out(Form::Quick, 600);
        assert_eq!(
            (readers, words),
            (vec![vec![1, 500], vec![500]], None),
            "the quick form has no more than 500"
        );
    }
}
