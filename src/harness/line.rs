//! What a reader in another process says that it saw: the lines of `experiment watch --json`, and the notes of a
//! page, which are of the same form.

use std::{ops::ControlFlow, time::Duration};

use serde::Deserialize;

use crate::{
    client::{Cause, Observation, Observer},
    clock::Timestamp,
    event::Gap,
};

/// Something that it saw.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Line {
    Connecting {
        attempt: u32,
    },
    Open,
    Event {
        id: Option<String>,
        r#type: String,
        data: String,
    },
    Gap(Gap),
    Closed {
        cause: String,
    },
    Retrying {
        after_ms: u64,
    },
    /// It will not come back. A process says that by its own end.
    Ended {
        cause: String,
    },
}

impl Line {
    /// Tells it to an observer. `cause` says what kind of cause the words of a closing are.
    pub(super) fn tell(
        self,
        at: Timestamp,
        observer: &mut dyn Observer,
        cause: fn(String) -> Cause,
    ) -> ControlFlow<()> {
        match self {
            Line::Connecting { attempt } => observer.observe(at, &Observation::Connecting { attempt }),
            Line::Open => observer.observe(at, &Observation::Open),
            Line::Event { id, r#type, data } => {
                observer.observe(at, &Observation::Event { id: id.as_deref(), kind: &r#type, data: &data })
            }
            Line::Gap(gap) => observer.observe(at, &Observation::Gap(gap)),
            Line::Closed { cause: words } => {
                observer.observe(at, &Observation::Closed { cause: cause(words) })
            }
            Line::Retrying { after_ms } => {
                observer.observe(at, &Observation::Retrying { after: Duration::from_millis(after_ms) })
            }
            Line::Ended { .. } => ControlFlow::Continue(()),
        }
    }
}
