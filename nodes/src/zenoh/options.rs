//! Which domain is joined, and with which session of Zenoh.

use std::path::PathBuf;

use super::ZenohError;
use crate::dds::Distribution;
use crate::ros::NetworkError;

/// How a run joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// ROS domain, 0 to 232.
    pub domain: u16,
    /// Whose types are spoken of: Humble has no hashes of them.
    pub distribution: Distribution,
    /// File with a session's configuration; `None`: as `rmw_zenoh_cpp` has it.
    pub config: Option<PathBuf>,
    /// Keys of the configuration, and their values in JSON5.
    pub overrides: Vec<(String, String)>,
    /// How often a router is looked for, a second apart, before nodes begin; 0: they begin
    /// without, and find it when it comes.
    pub router_attempts: u32,
}

impl Options {
    /// What the environment says, as `rmw_zenoh_cpp` reads it: `ROS_DOMAIN_ID`, `ROS_DISTRO`
    /// (without it: as Jazzy), `ZENOH_SESSION_CONFIG_URI`, `ZENOH_CONFIG_OVERRIDE` and
    /// `ZENOH_ROUTER_CHECK_ATTEMPTS`. Other than there, nodes do not wait for a router for
    /// ever where the last is 0 or not set.
    ///
    /// # Errors
    /// A variable that says what it cannot.
    pub fn from_env() -> Result<Self, NetworkError> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, NetworkError> {
        let variable = |name: &'static str| variable(name).filter(|value| !value.is_empty());
        let domain = crate::dds::options::domain(&variable)?;
        let distribution = variable("ROS_DISTRO");
        let distribution = distribution.as_deref().map(Distribution::named);
        let config = variable("ZENOH_SESSION_CONFIG_URI");
        let overrides = variable("ZENOH_CONFIG_OVERRIDE");
        let attempts = variable("ZENOH_ROUTER_CHECK_ATTEMPTS");
        Ok(Self {
            domain,
            distribution: distribution.unwrap_or(Distribution::Jazzy),
            config: config.map(PathBuf::from),
            overrides: overrides.map_or(Ok(Vec::new()), |o| pairs(&o))?,
            router_attempts: attempts.map_or(Ok(0), |a| router_attempts(&a))?,
        })
    }
}

/// `key=value` and so on, with `;` between them.
fn pairs(text: &str) -> Result<Vec<(String, String)>, ZenohError> {
    let parts = text.split(';').map(str::trim).filter(|p| !p.is_empty());
    let pairs = parts.map(|part| match part.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(ZenohError::Environment {
            name: "ZENOH_CONFIG_OVERRIDE",
            value: part.to_owned(),
            why: "expected `key/of/configuration=value`, with `;` between several".to_owned(),
        }),
    });
    pairs.collect()
}

fn router_attempts(text: &str) -> Result<u32, ZenohError> {
    let number = text.trim().parse::<i32>();
    let number = number.map_err(|_| ZenohError::Environment {
        name: "ZENOH_ROUTER_CHECK_ATTEMPTS",
        value: text.to_owned(),
        why: "expected a whole number".to_owned(),
    })?;
    Ok(u32::try_from(number).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(variables: &[(&str, &str)]) -> Result<Options, NetworkError> {
        let value = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Options::from_variables(value)
    }

    #[test]
    fn what_the_environment_says() {
        let none = options(&[]).expect("nothing is wrong");
        assert_eq!((none.domain, none.router_attempts), (0, 0));
        assert_eq!(none.distribution, Distribution::Jazzy);
        let all = options(&[
            ("ROS_DOMAIN_ID", "7"),
            ("ROS_DISTRO", "humble"),
            ("ZENOH_SESSION_CONFIG_URI", "session.json5"),
            ("ZENOH_CONFIG_OVERRIDE", "mode=\"client\"; a/b = [1,2] ;"),
            ("ZENOH_ROUTER_CHECK_ATTEMPTS", "3"),
        ]);
        let all = all.expect("nothing is wrong");
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            all,
            Options {
                domain: 7,
                distribution: Distribution::Humble,
                config: Some("session.json5".into()),
                overrides: vec![pair("mode", "\"client\""), pair("a/b", "[1,2]")],
                router_attempts: 3,
            }
        );
        let without = options(&[("ZENOH_ROUTER_CHECK_ATTEMPTS", "-1")]);
        assert_eq!(without.expect("can be").router_attempts, 0);
    }

    #[test]
    fn nonsense_names_the_variable() {
        for (name, value) in [
            ("ROS_DOMAIN_ID", "233"),
            ("ZENOH_CONFIG_OVERRIDE", "mode"),
            ("ZENOH_CONFIG_OVERRIDE", "=1"),
            ("ZENOH_ROUTER_CHECK_ATTEMPTS", "often"),
        ] {
            let text = options(&[(name, value)])
                .expect_err("cannot be")
                .to_string();
            assert!(text.contains(name) && text.contains(value), "{text}");
        }
    }
}
