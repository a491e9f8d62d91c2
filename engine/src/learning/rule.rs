//! The choice of a learning rule, for networks that learn by interval.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::learning::bptt::{Bptt, Paths};
use crate::learning::eprop::{Adjoint, EpropConfig};
use crate::learning::erbp::Erbp;
use crate::learning::error_neurons::{ErrorNeuronParams, ErrorNeurons};
use crate::network::{Interval, Network, Weights};
use crate::real::Real;

/// A learning rule. All of them give something to descend; what descends, and what is
/// learnt, is the same for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// e-prop ([`super::eprop`]).
    #[default]
    Eprop,
    /// e-prop whose learning signal is carried by spikes ([`super::error_neurons`]).
    ErrorNeurons(ErrorNeuronParams),
    /// Event-driven random backpropagation ([`super::erbp`]), with error neurons.
    Erbp(ErrorNeuronParams),
    /// Backpropagation through time ([`super::bptt`]).
    Bptt(Paths),
}

impl Rule {
    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] names the first one that lies outside.
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::Eprop | Self::Bptt(_) => Ok(()),
            Self::ErrorNeurons(params) | Self::Erbp(params) => params.validate(),
        }
    }
}

/// A rule with its working memory.
#[derive(Clone, Debug)]
pub struct Learner<R> {
    error_neurons: Option<ErrorNeurons<R>>,
    method: Method<R>,
}

#[derive(Clone, Debug)]
enum Method<R> {
    Eprop(Adjoint<R>),
    Erbp(Erbp<R>),
    Bptt(Bptt<R>),
}

impl<R: Real> Learner<R> {
    /// Working memory for a network.
    pub fn new(network: &Network<R>, rule: Rule) -> Self {
        let (error_neurons, method) = match rule {
            Rule::Eprop => (None, Method::Eprop(Adjoint::new(network))),
            Rule::ErrorNeurons(params) => (Some(params), Method::Eprop(Adjoint::new(network))),
            Rule::Erbp(params) => (Some(params), Method::Erbp(Erbp::new(network))),
            Rule::Bptt(paths) => (None, Method::Bptt(Bptt::new(network, paths))),
        };
        Self {
            error_neurons: error_neurons.map(|params| ErrorNeurons::new(network, &params)),
            method,
        }
    }

    /// To be called where an interval begins.
    pub fn begin(&mut self) {
        if let Some(neurons) = &mut self.error_neurons {
            neurons.reset();
        }
    }

    /// To be called when the error of a tick is written: makes of it what reaches the neurons.
    pub fn signal(&mut self, error: &mut [R]) {
        if let Some(neurons) = &mut self.error_neurons {
            neurons.step(error);
        }
    }

    /// Adds what the rule descends in a recorded interval to `gradients`.
    pub fn accumulate(
        &mut self,
        network: &Network<R>,
        interval: &Interval<R>,
        config: &EpropConfig,
        gradients: &mut Weights<R>,
    ) {
        match &mut self.method {
            Method::Eprop(rule) => rule.accumulate(network, interval, config, gradients),
            Method::Erbp(rule) => rule.accumulate(network, interval, config, gradients),
            Method::Bptt(rule) => rule.accumulate(network, interval, config, gradients),
        }
    }
}
