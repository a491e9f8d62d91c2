//! Who is connected with whom.

use rand::RngExt;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result, check, check_count};

/// Synapses a projection may have.
pub const MAX_SYNAPSES: usize = 1 << 28;

/// Which neurons of two populations are connected. Each pair at most once, but for
/// [`Rule::Pairs`], which is taken as it is. A neuron is connected with itself only by
/// `Pairs` and `OneToOne`.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// All with all.
    AllToAll,
    /// The first with the first, and so on; both populations have one size.
    OneToOne,
    /// Each pair with this probability.
    Random(f64),
    /// Each postsynaptic neuron with this many random presynaptic ones.
    FixedIn(usize),
    /// Each presynaptic neuron with this many random postsynaptic ones.
    FixedOut(usize),
    /// These pairs of (presynaptic, postsynaptic).
    Pairs(Vec<(u32, u32)>),
}

impl Rule {
    /// The pairs, ordered by the presynaptic neuron (`Pairs`: as given). `recurrent`:
    /// both populations are the same one.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the rule does not fit populations of these sizes.
    pub fn pairs(
        &self,
        n_pre: usize,
        n_post: usize,
        recurrent: bool,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<(u32, u32)>> {
        check_count(
            "n_pre * n_post",
            n_pre.saturating_mul(n_post),
            0,
            MAX_SYNAPSES,
        )?;
        let partners = |n: usize| if recurrent { n.saturating_sub(1) } else { n };
        let apart = |&(i, j): &(u32, u32)| !(recurrent && i == j);
        let (pre, post) = (0..n_pre as u32, 0..n_post as u32);
        match self {
            Self::AllToAll => {
                let all = pre.flat_map(|i| post.clone().map(move |j| (i, j)));
                Ok(all.filter(apart).collect())
            }
            Self::OneToOne if n_pre == n_post => Ok(pre.zip(post).collect()),
            Self::OneToOne => Err(Error::Parameter {
                name: "one-to-one".to_owned(),
                value: format!("{n_pre} to {n_post} neurons"),
                range: "between populations of one size".to_owned(),
            }),
            Self::Random(p) => {
                check("random", *p, 0.0, 1.0)?;
                let all = pre.flat_map(|i| post.clone().map(move |j| (i, j)));
                Ok(all.filter(apart).filter(|_| rng.random_bool(*p)).collect())
            }
            Self::FixedIn(degree) => {
                check_count("fixed in-degree", *degree, 0, partners(n_pre))?;
                let chosen = |j: u32| draw(n_pre, *degree, j, recurrent, rng);
                let mut pairs: Vec<(u32, u32)> = post
                    .map(chosen)
                    .enumerate()
                    .flat_map(|(j, sources)| sources.into_iter().map(move |i| (i, j as u32)))
                    .collect();
                pairs.sort_unstable();
                Ok(pairs)
            }
            Self::FixedOut(degree) => {
                check_count("fixed out-degree", *degree, 0, partners(n_post))?;
                let chosen = |i: u32| draw(n_post, *degree, i, recurrent, rng);
                Ok(pre
                    .map(chosen)
                    .enumerate()
                    .flat_map(|(i, targets)| targets.into_iter().map(move |j| (i as u32, j)))
                    .collect())
            }
            Self::Pairs(pairs) => {
                for &(i, j) in pairs {
                    check_count("pairs: presynaptic neuron", i as usize, 0, n_pre.max(1) - 1)?;
                    check_count(
                        "pairs: postsynaptic neuron",
                        j as usize,
                        0,
                        n_post.max(1) - 1,
                    )?;
                }
                check_count("pairs", pairs.len(), 0, MAX_SYNAPSES)?;
                Ok(pairs.clone())
            }
        }
    }
}

/// `degree` different ones of `n`, ascending, without `me` where it could be chosen.
fn draw(n: usize, degree: usize, me: u32, recurrent: bool, rng: &mut ChaCha8Rng) -> Vec<u32> {
    let among = n - usize::from(recurrent && n > 0);
    let mut chosen: Vec<u32> = sample(rng, among, degree)
        .into_iter()
        .map(|i| i as u32 + u32::from(recurrent && i as u32 >= me))
        .collect();
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn pairs(rule: &Rule, n_pre: usize, n_post: usize, recurrent: bool) -> Vec<(u32, u32)> {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        rule.pairs(n_pre, n_post, recurrent, &mut rng).unwrap()
    }

    /// Pairs are different, and none is a self-connection; in and out degrees.
    fn degrees(pairs: &[(u32, u32)], n_pre: usize, n_post: usize) -> (Vec<usize>, Vec<usize>) {
        let different: std::collections::BTreeSet<_> = pairs.iter().collect();
        assert_eq!(different.len(), pairs.len());
        let (mut into, mut out) = (vec![0; n_post], vec![0; n_pre]);
        for &(i, j) in pairs {
            out[i as usize] += 1;
            into[j as usize] += 1;
        }
        (into, out)
    }

    #[test]
    fn small_ones_by_hand() {
        assert_eq!(
            pairs(&Rule::AllToAll, 2, 2, false),
            [(0, 0), (0, 1), (1, 0), (1, 1)]
        );
        assert_eq!(pairs(&Rule::AllToAll, 2, 2, true), [(0, 1), (1, 0)]);
        assert_eq!(pairs(&Rule::OneToOne, 2, 2, true), [(0, 0), (1, 1)]);
        let given = vec![(1, 0), (0, 2), (1, 0)];
        assert_eq!(pairs(&Rule::Pairs(given.clone()), 2, 3, false), given);
        assert_eq!(pairs(&Rule::Random(1.0), 2, 2, true), [(0, 1), (1, 0)]);
        assert!(pairs(&Rule::Random(0.0), 9, 9, false).is_empty());
    }

    #[test]
    fn degrees_are_fixed_and_partners_different() {
        for recurrent in [false, true] {
            let drawn = pairs(&Rule::FixedIn(7), 30, 30, recurrent);
            let (into, out) = degrees(&drawn, 30, 30);
            assert!(into.iter().all(|&k| k == 7) && out.iter().any(|&k| k != 7));
            assert_eq!(drawn.iter().filter(|(i, j)| i == j).count() > 0, !recurrent);
            let (into, out) = degrees(&pairs(&Rule::FixedOut(7), 30, 30, recurrent), 30, 30);
            assert!(out.iter().all(|&k| k == 7) && into.iter().any(|&k| k != 7));
        }
        // As many as there can be: all but oneself.
        let (into, _) = degrees(&pairs(&Rule::FixedIn(29), 30, 30, true), 30, 30);
        assert_eq!(into, [29; 30]);
    }

    /// 10 000 pairs at 0.2: 2000, with a standard deviation of 40.
    #[test]
    fn a_probability_is_kept() {
        let drawn = pairs(&Rule::Random(0.2), 100, 100, false).len();
        assert!((1800..2200).contains(&drawn), "{drawn}");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for (rule, says) in [
            (Rule::OneToOne, "one-to-one is 3 to 4 neurons"),
            (Rule::FixedIn(4), "fixed in-degree is 4"),
            (Rule::FixedOut(5), "fixed out-degree is 5"),
            (Rule::Random(f64::NAN), "random is NaN"),
            (Rule::Pairs(vec![(3, 0)]), "presynaptic neuron is 3"),
            (Rule::Pairs(vec![(0, 4)]), "postsynaptic neuron is 4"),
        ] {
            let text = rule.pairs(3, 4, false, &mut rng).unwrap_err().to_string();
            assert!(text.contains(says), "{text}");
        }
        let absurd = Rule::AllToAll.pairs(usize::MAX, 2, false, &mut rng);
        assert!(absurd.is_err());
    }
}
