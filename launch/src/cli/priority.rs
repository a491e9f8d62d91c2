//! Real-time scheduling, where the system permits it.

use super::CliError;
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// How threads are scheduled.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Scheduling {
    /// Run before all ordinary programs, at this priority of SCHED_FIFO (root, or a limit
    /// `rtprio` that allows it)
    #[arg(long, value_name = "1..99", value_parser = clap::value_parser!(u8).range(1..=99))]
    realtime_priority: Option<u8>,
}

impl Scheduling {
    /// Schedules this thread, and those that it starts from now on, which inherit it.
    ///
    /// # Errors
    /// The system does not permit it.
    pub fn apply(self) -> Result<(), CliError> {
        let Some(priority) = self.realtime_priority else {
            return Ok(());
        };
        let told = |why: &dyn std::fmt::Debug| {
            CliError::failed(format!(
                "--realtime-priority {priority}: the system refuses ({why:?}); run as root, raise \
                 the limit `rtprio` of this user, or leave the option out"
            ))
        };
        let value = ThreadPriorityValue::try_from(priority).map_err(|why| told(&why))?;
        set_thread_priority_and_policy(
            thread_native_id(),
            ThreadPriority::Crossplatform(value),
            ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo),
        )
        .map_err(|why| told(&why))
    }
}
