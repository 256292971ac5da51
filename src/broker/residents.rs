//! The users that `hearth up` makes for its own processes: known to them and to the broker, for one run.

use broker::{Resident, random_password};
use serde_json::{Value as Json, json};

use crate::failure::{Failure, Outcome};

/// The variable in which a broker is told of them. It is no setting: nobody writes it by hand.
pub(crate) const VARIABLE: &str = "HEARTH_RESIDENTS";

/// Users with one password, which only processes of one home have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Residents {
    password: String,
    users: Vec<(String, &'static str)>,
}

impl Residents {
    pub(crate) fn new() -> Outcome<Self> {
        let password = random_password().ok_or_else(|| {
            Failure::failed("the system gives no random numbers, so there is no password")
        })?;
        Ok(Self { password, users: Vec::new() })
    }

    /// One more of them; gives its name and password.
    pub(crate) fn add(&mut self, name: String, role: &'static str) -> (String, String) {
        self.users.push((name.clone(), role));
        (name, self.password.clone())
    }

    /// The value of the variable.
    pub(crate) fn told(&self) -> String {
        json!({"password": self.password, "users": self.users}).to_string()
    }
}

/// Those that this process was told of.
pub(crate) fn given() -> Vec<Resident> {
    std::env::var(VARIABLE).map_or_else(|_| Vec::new(), |text| parse(&text))
}

fn parse(text: &str) -> Vec<Resident> {
    let told: Json = serde_json::from_str(text).unwrap_or_default();
    let Some(password) = told["password"].as_str() else { return Vec::new() };
    let users = told["users"].as_array().into_iter().flatten();
    let resident = |user: &Json| {
        let (name, role) = (user[0].as_str()?, user[1].as_str()?);
        Some(Resident { name: name.into(), role: role.into(), password: password.into() })
    };
    users.filter_map(resident).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_hears_of_all_of_them() {
        let mut residents = Residents::new().expect("random numbers");
        let (name, password) = residents.add("hall/lamp".to_owned(), "simulated");
        let heard = parse(&residents.told());
        assert_eq!((heard[0].name.as_str(), heard[0].role.as_str()), (name.as_str(), "simulated"));
        assert!(heard[0].password == password && password.len() >= 32);
        assert!(parse("").is_empty() && parse("{}").is_empty());
    }
}
