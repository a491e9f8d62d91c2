//! Descriptors to hold the network against, all with codes compared as its own are.
//!
//! | descriptor | is | a missing sense |
//! |---|---|---|
//! | [`Raw`] | what was sensed, each value standardised | at its mean |
//! | [`PatchNormalised`] | the grey image, normalised patch by patch (SeqSLAM, Milford & Wyeth 2012), beside standardised touch | left empty |
//! | [`Pca`] | principal components of both senses | the most probable components given the other (probabilistic PCA, Tipping & Bishop 1999) |
//! | [`Autoencoder`] joined | the code layer of a deep autoencoder of both senses | at its mean |
//! | [`Autoencoder`] apart | one with a pathway for each sense, taught to complete what is missing (Ngiam et al. 2011) | what it was taught |

mod autoencoder;
mod mlp;
mod patch;
mod pca;
mod raw;
mod standard;

pub use autoencoder::{Autoencoder, AutoencoderConfig};
pub use patch::{PatchConfig, PatchNormalised};
pub use pca::{Pca, PcaConfig};
pub use raw::Raw;
