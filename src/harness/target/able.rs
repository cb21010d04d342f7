//! What of an experiment a target can't do: left out of its plan, and said.

use super::{Described, Target};
use crate::harness::definition::{Client, Definition, Fault, Publisher, Subject};

/// Takes out of a definition what this target can't do; what was left out, in words, a sentence each.
pub fn leave_out_impossible(definition: &mut Definition, target: &Target) -> Vec<String> {
    let mut words = match target {
        Target::BuiltIn => return Vec::new(),
        Target::Url(_) => Vec::new(),
        Target::Described(described) => leave_out_unknown(definition, described),
    };
    if definition.clients.iter().any(|client| client.transport == Subject::Floor) {
        words.push("the bare TCP floor is left out: only the built-in server has one".to_owned());
    }
    let planned = |which: &dyn Fn(Fault) -> bool| {
        definition.conditions.iter().any(|conditions| conditions.faults().into_iter().any(which))
    };
    if planned(&Fault::kills) {
        words.push("restarts are left out: only the built-in server is ours to kill".to_owned());
    }
    if definition.conditions.iter().any(|conditions| conditions.bystanders.is_some()) {
        words.push("bystanders are left out: another server's clock is not ours".to_owned());
    }
    if planned(&|fault| fault == Fault::Stall) {
        words.push("stalls are left out: only the built-in server is ours to stop".to_owned());
    }
    let is_foreign = target.described().is_some();
    if is_foreign && planned(&|fault| fault == Fault::Disconnect) {
        words.push("`disconnect` is left out: only our own server has that endpoint".to_owned());
    }
    let beyond = |fault: &Fault| fault.needs_own_server() || (is_foreign && *fault == Fault::Disconnect);
    definition.clients.retain(|client| client.transport != Subject::Floor);
    for conditions in &mut definition.conditions {
        let had_faults = !conditions.faults().is_empty();
        conditions.fault.retain(|fault| !beyond(fault));
        conditions.timetable.take_if(|it| it.faults().iter().any(beyond));
        if had_faults && conditions.faults().is_empty() {
            conditions.rate.clear();
        }
        conditions.bystanders = None;
        let had_clients = !conditions.clients.is_empty();
        conditions.clients.retain(|name| definition.clients.iter().any(|client| client.name == *name));
        if had_clients && conditions.clients.is_empty() {
            // An empty list would mean all of them.
            conditions.readers.clear();
        }
    }
    words
}

/// The same for what only a server that speaks our endpoints can do.
fn leave_out_unknown(definition: &mut Definition, described: &Described) -> Vec<String> {
    let description = &described.description;
    let mut words = described.missing.clone();
    let publishes = definition.publisher == Publisher::Reader;
    let reason = |client: &Client| -> Option<String> {
        let Subject::Transport(transport) = client.transport else { return None };
        let why = if !description.transport.contains_key(&transport) {
            if described.missing.iter().any(|missing| missing.starts_with(transport.slug())) {
                return Some(String::new());
            }
            format!("its file has no [transport.{transport}]")
        } else if client.stalled || client.own_process || client.browser || client.without_retry {
            "such a client reads from our own server only".to_owned()
        } else if publishes {
            "only to our own server do readers publish".to_owned()
        } else if (client.quiet_limit_ms.is_some() || client.quiet_heartbeats.is_some())
            && description.heartbeat_ms.is_none()
        {
            "it gives a silent connection up, and the target's file tells of no heartbeat_ms".to_owned()
        } else {
            return None;
        };
        Some(format!("{} is left out: {why}", client.name))
    };
    let reasons: Vec<String> = definition.clients.iter().filter_map(&reason).collect();
    words.extend(reasons.into_iter().filter(|why| !why.is_empty()));
    definition.clients.retain(|client| reason(client).is_none());
    let mut anew = Vec::new();
    for client in &mut definition.clients {
        let Subject::Transport(transport) = client.transport else { continue };
        let resumes = description.transport.get(&transport).is_some_and(super::Way::resumes);
        if !resumes && client.resume != Some(false) {
            client.resume = Some(false);
            anew.push(client.name.clone());
        }
    }
    let has_faults = definition.conditions.iter().any(|conditions| !conditions.faults().is_empty());
    if has_faults && !anew.is_empty() {
        words.push(format!(
            "{} can't resume here: what is published while they are away is lost",
            anew.join(", ")
        ));
    }
    if definition.heartbeat_ms.take().is_some()
        || definition.conditions.iter().any(|conditions| !conditions.heartbeat_ms.is_empty())
    {
        words.push("heartbeats are as its own settings have them: only our own server is told".to_owned());
    }
    for conditions in &mut definition.conditions {
        conditions.heartbeat_ms.clear();
    }
    if let (Some(every_ms), Some(bytes)) = (description.publish.every_ms, description.publish.payload_bytes) {
        let rate = 1_000.0 / every_ms as f64;
        words.push(format!("it publishes by itself, {rate} events a second of {bytes} bytes, in every run"));
        if definition.conditions.iter().any(|conditions| conditions.step.is_some()) {
            words.push(
                "steps are left out: the rate of a server that publishes by itself can't be raised"
                    .to_owned(),
            );
        }
        for conditions in &mut definition.conditions {
            if conditions.step.is_some() {
                conditions.rate.clear();
            } else if conditions.rate.iter().any(|rate| *rate > 0.0) {
                conditions.rate = vec![rate];
                conditions.payload_bytes = vec![bytes];
            } else {
                conditions.rate.clear();
            }
        }
    }
    words
}
