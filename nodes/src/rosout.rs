//! `/rosout`: every node's log, as `rcl_interfaces/Log`. It has what a node writes itself
//! ([`crate::Context::log`]), and what the code that it calls says through `tracing` meanwhile,
//! which [`Ear`] hears: both are the node's [`Output::Log`], and go the same way.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::rcl_interfaces::Log;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::node::{Level, LogLine, Output};

/// Where logs are published.
pub const TOPIC: &str = "/rosout";
/// Lines that are kept of what is said during one input; more are counted.
const MOST: usize = 100;

/// A line of the log of a node, by its full name.
pub fn message(now_ns: i64, node: &str, line: &LogLine) -> Log {
    Log {
        stamp: Time::from_ns(now_ns),
        level: match line.level {
            Level::Debug => Log::DEBUG,
            Level::Info => Log::INFO,
            Level::Warn => Log::WARN,
            Level::Error => Log::ERROR,
        },
        // As rcl names a node's logger.
        name: node.trim_start_matches('/').replace('/', "."),
        msg: line.text.clone(),
        file: line.file.to_owned(),
        function: line.function.to_owned(),
        line: line.line,
    }
}

/// Whether an [`Ear`] was made: before that nobody says anything.
static LISTENS: AtomicBool = AtomicBool::new(false);

#[derive(Default)]
struct Heard {
    lines: Vec<LogLine>,
    more: usize,
}

thread_local! {
    /// What has been said since the node that this thread drives was given its input.
    static HEARD: RefCell<Option<Heard>> = const { RefCell::new(None) };
}

/// A node is given an input in this thread.
pub(crate) fn listen() {
    if LISTENS.load(Ordering::Relaxed) {
        HEARD.set(Some(Heard::default()));
    }
}

/// The node is done with its input: what was said meanwhile is said by it.
pub(crate) fn heard(outputs: &mut Vec<Output>) {
    let Some(Heard { lines, more }) = HEARD.take() else {
        return;
    };
    outputs.extend(lines.into_iter().map(Output::Log));
    if more > 0 {
        let text = format!("{more} more lines at once are left out");
        outputs.push(Output::Log(LogLine::new(Level::Warn, text)));
    }
}

/// A layer of `tracing` that hears what is said while a node is at work in the thread, and
/// at what level. What is said elsewhere is left to other layers.
#[derive(Debug)]
pub struct Ear(LevelFilter);

impl Ear {
    /// Hears this level and what is graver.
    pub fn new(least: Level) -> Self {
        LISTENS.store(true, Ordering::Relaxed);
        Ear(match least {
            Level::Debug => LevelFilter::DEBUG,
            Level::Info => LevelFilter::INFO,
            Level::Warn => LevelFilter::WARN,
            Level::Error => LevelFilter::ERROR,
        })
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Ear {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.is_span() || *metadata.level() <= self.0
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0)
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let said = event.metadata();
        let mut text = Text::default();
        event.record(&mut text);
        HEARD.with_borrow_mut(|heard| {
            let Some(heard) = heard else { return };
            if heard.lines.len() >= MOST {
                heard.more += 1;
                return;
            }
            // A span is named after its function (`#[instrument]`).
            let span = context.event_span(event).map(|span| span.name());
            heard.lines.push(LogLine {
                level: level(*said.level()),
                text: text.0,
                file: said.file().unwrap_or_default(),
                line: said.line().unwrap_or_default(),
                function: span.or(said.module_path()).unwrap_or_default(),
            });
        });
    }
}

fn level(level: tracing::Level) -> Level {
    match level {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        _ => Level::Debug,
    }
}

/// The message of an event, and after it its other fields.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => {
                self.0.insert_str(0, &format!("{value:?}"));
                Ok(())
            }
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;
    use crate::host::NodeSpec;
    use crate::interface::Interface;
    use crate::node::{self, Input, Node};
    use crate::slot::Slot;
    use tracing_subscriber::layer::SubscriberExt;

    /// A node that calls a library.
    struct Caller;

    mod library {
        #[tracing::instrument]
        pub fn work(number: u8) {
            tracing::warn!(part = "a", "it is {}", number);
            tracing::debug!("too fine");
        }
    }

    impl Node for Caller {
        fn interface(&self) -> &'static Interface {
            &Interface::EMPTY
        }

        fn handle(&mut self, input: Input, ctx: &mut node::Context<'_>) {
            if let Input::Timer { .. } = input {
                ctx.log(Level::Info, "itself");
                library::work(7);
                tracing::info!("outside of a function");
                (0..2 * MOST).for_each(|i| tracing::error!("{i}"));
            }
        }
    }

    #[test]
    fn what_a_library_says_is_said_by_the_node_that_calls_it() {
        let (_, mut instances) =
            Graph::build(&[NodeSpec::new("event_generator")]).unwrap_or_else(|e| panic!("{e}"));
        let mut slot = Slot::new(instances.remove(0), 0);
        slot.drive(Input::Start, 0, 0);
        slot.instance.node = Box::new(Caller);
        let heard = tracing_subscriber::registry().with(Ear::new(Level::Info));
        let outputs = tracing::subscriber::with_default(heard, || {
            tracing::error!("of no node");
            slot.drive(Input::Timer { name: "" }, 5, 5)
        });
        let lines: Vec<_> = outputs
            .iter()
            .filter_map(|o| match o {
                Output::Log(line) => Some(message(5, "/a/b", line)),
                _ => None,
            })
            .collect();
        let brief: Vec<_> = (lines.iter().take(3))
            .map(|l| (l.level, l.msg.as_str(), l.function.as_str()))
            .collect();
        let here = "saccade_nodes::rosout::tests";
        let expected = [
            (Log::INFO, "itself", ""),
            (Log::WARN, "it is 7 part=\"a\"", "work"),
            (Log::INFO, "outside of a function", here),
        ];
        assert_eq!(brief, expected);
        for line in &lines[..3] {
            assert!(
                line.file.ends_with("rosout.rs") && line.line > 100,
                "{line:?}"
            );
            assert_eq!((line.name.as_str(), line.stamp.nanosec), ("a.b", 5));
        }
        let last = &lines[lines.len() - 1];
        assert_eq!(lines.len(), 1 + MOST + 1);
        assert!(last.msg.starts_with("102 more lines"), "{}", last.msg);
        // Nobody listens any more.
        let outputs = slot.drive(Input::Start, 6, 6);
        assert!(
            !outputs
                .iter()
                .any(|o| matches!(o, Output::Log(l) if l.level == Level::Error))
        );
    }
}
