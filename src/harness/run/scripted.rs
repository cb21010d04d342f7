//! A record without a run: from readers that a test feeds with what it likes.

use std::sync::Arc;

use super::{
    account::{self, Measured},
    ordeal::Cut,
    story::Story,
};
use crate::{
    clock::Timestamp,
    harness::{
        definition::{Definition, Fault},
        plan::{Form, Plan},
        publisher::{Published, Sent},
        reader::{Latencies, Reader, Timing},
        record::{Cost, Record},
    },
    link::Totals,
};

/// The record that a run leaves in which the readers of the definition's first client saw what they saw,
/// and `last` events were published. A run with a `cut` promises nothing; any other has to be faultless.
pub(crate) fn record(
    definition: &Definition,
    readers: &[Reader],
    latencies: &Latencies,
    last: u64,
    cut: Option<Timestamp>,
) -> Record {
    let plan = Plan::new(definition, Form::Quick, Some(1), 1);
    let group = &plan.steps[0][0];
    let start = Timestamp::from_nanos(0);
    let story = Story {
        last,
        start,
        cuts: cut
            .map(|at| Cut { fault: Fault::Close, at, mended: at, spent: Vec::new() })
            .into_iter()
            .collect(),
        end: start,
        counts: Vec::new(),
        memory: None,
        published: Published::default(),
        sent: Sent::default(),
        taken: Vec::new(),
        wake_late: None,
        climb: None,
        doubts: Vec::new(),
        _guards: Vec::new(),
    };
    let notes: Vec<_> = readers.iter().map(|reader| Arc::clone(&reader.notes)).collect();
    account::record(&Measured {
        definition,
        group,
        client: &group.clients[0],
        started: start,
        notes: &notes,
        latencies,
        opening: Totals::NOTHING,
        steady: Totals::NOTHING,
        steady_s: 1.0,
        pages: &[],
        bytes: Totals::NOTHING,
        cost: Cost::default(),
        story: &story,
        bystanders: &[],
        timing: &Timing::new(),
    })
}
