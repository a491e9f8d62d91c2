//! What the main thread does while the nodes are at work: shows and records what they tell.

use super::{Shared, Worker, lock};
use crate::diagnostics;
use crate::graph::HOST;
use crate::host::{HostError, RunOptions};
use crate::node::{Input, LogLine};
use crate::payload::Payload;
use crate::recording::Recorder;
use crossbeam_channel::Receiver;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

/// What is told to the observer and the recorder.
pub(super) enum Witnessed {
    Message {
        topic: usize,
        node: usize,
        now_ns: i64,
        sequence: u32,
        payload: Payload,
    },
    Exchange {
        from: usize,
        now_ns: i64,
        sequence: u32,
        input: Input,
    },
    Input {
        node: usize,
        now_ns: i64,
        tick: u64,
        sequence: u32,
        input: Input,
    },
    Log {
        node: usize,
        now_ns: i64,
        line: LogLine,
    },
    Diagnostics {
        now_ns: i64,
        payload: Payload,
    },
}

/// The main thread's part: shows and records what the nodes do until the end.
pub(super) fn witness_run(
    shared: &Shared,
    events: Receiver<Witnessed>,
    threads: &[JoinHandle<Worker>],
    mut recorder: Option<Recorder>,
    mut options: RunOptions,
    changes: &mut Vec<(i64, usize, Input)>,
    begun_ns: i64,
) -> Result<(), HostError> {
    let end_ns = options
        .duration_ns
        .map_or(i64::MAX, |d| begun_ns.saturating_add(d));
    let stop = Arc::clone(&options.stop);
    let mut witness = |what: Witnessed| -> Result<(), HostError> {
        show(shared, &mut options, &what);
        match &mut recorder {
            Some(recorder) => record(recorder, what),
            None => Ok(()),
        }
    };
    // Without a node that has panicked, the others must not go on.
    let goes_on = || {
        lock(&shared.ended).is_none()
            && shared.wall.now_ns() < end_ns
            && !stop.load(Ordering::Relaxed)
            && !threads.iter().any(JoinHandle::is_finished)
    };
    while goes_on() {
        let since_ns = shared.wall.now_ns() - begun_ns;
        while let Some((_, to, input)) = changes.pop_if(|c| c.0 <= since_ns) {
            let now_ns = shared.time_of(to).unwrap_or(0);
            shared.request(HOST, to, input, now_ns);
        }
        if let Ok(what) = events.recv_timeout(Duration::from_millis(20)) {
            witness(what)?;
        }
    }
    shared.stop();
    // The nodes finish what they are at and tell of it, however long it takes.
    loop {
        let all_told = threads.iter().all(JoinHandle::is_finished);
        while let Ok(what) = events.try_recv() {
            witness(what)?;
        }
        if all_told {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    recorder.map_or(Ok(()), Recorder::finish)
}

fn show(shared: &Shared, options: &mut RunOptions, what: &Witnessed) {
    match what {
        Witnessed::Message {
            topic,
            node,
            now_ns,
            payload,
            ..
        } => {
            let topic = &shared.graph.topics[*topic].name;
            let node = (shared.graph.names.get(*node)).map_or("(outside)", String::as_str);
            options.observer.message(*now_ns, node, topic, payload);
        }
        Witnessed::Log { node, now_ns, line } => {
            let name = &shared.graph.names[*node];
            options.observer.log(*now_ns, name, line.level, &line.text);
        }
        Witnessed::Diagnostics { now_ns, payload } => {
            options
                .observer
                .message(*now_ns, "/host", diagnostics::TOPIC, payload);
        }
        Witnessed::Exchange { .. } | Witnessed::Input { .. } => {}
    }
}

fn record(recorder: &mut Recorder, what: Witnessed) -> Result<(), HostError> {
    match what {
        Witnessed::Message {
            topic,
            now_ns,
            sequence,
            payload,
            ..
        } => recorder.message(topic, now_ns, sequence, &payload),
        Witnessed::Exchange {
            from,
            now_ns,
            sequence,
            input,
        } => recorder.exchange(from, now_ns, &input, sequence),
        Witnessed::Input {
            node,
            now_ns,
            tick,
            sequence,
            input,
        } => recorder.input(node, now_ns, tick, &input, sequence),
        Witnessed::Log { node, now_ns, line } => {
            let name = recorder.name(node);
            recorder.log(now_ns, &name, &line)
        }
        Witnessed::Diagnostics { now_ns, payload } => recorder.diagnostics(now_ns, &payload),
    }
}
