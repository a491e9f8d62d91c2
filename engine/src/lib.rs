//! Spiking engine: neuron models, learning rules, encoders and the networks built from them.
