//! `hearth user EVENT…`

use clap::Args;
use devices::user::User;
use serde_json::json;
use wire::Site;

use crate::cli::Globals;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::output::{self, out};
use crate::run::{Act, Things, act};

const EXAMPLES: &str = "\
Examples:
  hearth user \"DOOR OPEN PS\"                 PS: the presence sensor sees someone
  hearth user \"DOOR OPEN\" \"MOTION ACTIVE\"    one after the other
  hearth user \"TEMPERATURE 21.5\"

Events: BULB ON|OFF, OUTLET ON|OFF, DOOR OPEN|CLOSE [PS], MOTION ACTIVE|INACTIVE,
TEMPERATURE <number>. They act on the simulated devices of the settings, see `hearth device`.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct UserArgs {
    /// What the user does
    #[arg(required = true, value_name = "EVENT", value_parser = act)]
    events: Vec<Act>,
}

pub(crate) async fn user(globals: &Globals, args: UserArgs) -> Outcome {
    let settings = globals.settings(vec![])?;
    let things = Things::of(&settings).map_err(Failure::usage)?;
    let client = Client::connect(&settings).await?;
    let site = Site::new(settings.site.as_str()).map_err(Failure::usage)?;
    let mut user = User::new(client.requester().clone(), site).with_retry(client.patience());
    for event in args.events {
        let place = things.place(event.kind).map_err(Failure::usage)?;
        let presence = event.presence.then_some(true);
        let answer = user
            .act(&place.zone, &place.device, &event.state, presence)
            .await
            .map_err(|error| Failure::no_answer(format!("{}: {error}", event.text)))?;
        if globals.json {
            output::json(&json!({"event": event.text, "answer": answer.to_json()}));
        } else {
            let (seq, owner) = (answer.get("seq"), answer.get("owner"));
            out!("{}: {place} reported it, seq {seq}, gateway {owner}", event.text);
        }
    }
    client.close().await;
    Ok(())
}
