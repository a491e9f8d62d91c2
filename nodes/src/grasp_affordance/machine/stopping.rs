//! Stopping, and what is needed to go on.

use super::*;

impl Machine {
    /// The e-stop changed.
    pub fn e_stop(&mut self, pressed: bool, ctx: &mut Context<'_>) {
        self.senses.e_stop = pressed;
        if pressed {
            self.latch("e-stop", ctx);
        }
    }

    /// The services `stop` and `reset`.
    pub fn request(&mut self, service: &'static str, id: u64, ctx: &mut Context<'_>) {
        let (success, message) = match service {
            STOP => {
                self.latch("e-stop by the service 'stop'", ctx);
                (true, "stopped".to_owned())
            }
            _ if self.senses.e_stop => (false, "e-stop is pressed: release it first".to_owned()),
            _ => {
                self.latched = false;
                ctx.log(Level::Info, "reset: motion is allowed");
                (true, "motion is allowed".to_owned())
            }
        };
        ctx.respond(service, id, trigger::Response { success, message });
    }

    fn latch(&mut self, reason: &str, ctx: &mut Context<'_>) {
        self.latched = true;
        if self.task.is_some() {
            self.stop(reason, "stopped", GoalStatus::Aborted, ctx);
        }
    }

    /// The node is deactivated: it stops, and knows nothing of where things are. An e-stop stays.
    pub fn rest(&mut self, ctx: &mut Context<'_>) {
        let reason = "the node is deactivated";
        self.stop(reason, "stopped", GoalStatus::Aborted, ctx);
        self.senses.forget();
    }

    /// Why motion is not allowed.
    pub fn held(&self) -> Option<String> {
        match (self.senses.e_stop, self.latched) {
            (true, _) => Some("e-stop is pressed".to_owned()),
            (false, true) => Some("e-stop was pressed: call the service 'reset' first".to_owned()),
            (false, false) => None,
        }
    }

    /// `speed_scaling` changed.
    pub fn set_speed(&mut self, scaling: f64) {
        self.settings.speed_scaling = scaling;
    }

    /// Cancels every motion at once and ends the goal.
    pub(super) fn stop(
        &mut self,
        reason: impl Into<String>,
        outcome: &'static str,
        status: GoalStatus,
        ctx: &mut Context<'_>,
    ) {
        for (which, running) in self.running.iter_mut().enumerate() {
            if let Some(id) = running.take() {
                ctx.cancel_goal(CONTROLLERS[which], id);
            }
        }
        let verdict = Verdict {
            success: false,
            outcome,
            reason: reason.into(),
        };
        self.finish(verdict, status, ctx);
    }
}
