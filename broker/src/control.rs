//! What an administrator asks of the broker on `hearth/<site>/broker/sessions`, and the answers, in JSON.
//!
//! - `{}` lists the sessions by client id, [`PAGE`] at a time; `{"after": id}` goes on behind one.
//! - `{"end": id}` ends one, with its connection.
//!
//! Who may ask is a matter of rights: whoever may publish to that topic.

use broker_core::{Core, Moment, SessionView};
use serde_json::{Value as Json, json};

/// Sessions in one answer. 500: about 200 bytes each, beside their client ids.
const PAGE: usize = 500;
/// Bytes of an answer's client ids. 128 KiB: JSON may write a byte as six, and every answer stays below 1 MiB.
const IDS: usize = 128 * 1024;

/// Answers everything that the last step brought; tells whether that was anything.
pub(crate) fn answer_all(core: &mut Core, now: Moment) -> bool {
    let requests = std::mem::take(&mut core.effects().requests);
    let any = !requests.is_empty();
    for request in requests {
        let asked = read(&request.payload);
        let (mut answer, named) = match &asked {
            Ok(asked) => (answer(core, now, asked), asked["reply_to"].as_str()),
            Err(why) => (refusal(why), None),
        };
        if let Ok(asked) = &asked
            && !asked["id"].is_null()
        {
            answer["id"] = asked["id"].clone();
        }
        core.answer(now, &request, named, answer.to_string().into());
    }
    any
}

/// No payload asks for everything.
fn read(payload: &[u8]) -> Result<Json, String> {
    if payload.is_empty() {
        return Ok(json!({}));
    }
    match serde_json::from_slice::<Json>(payload) {
        Ok(asked) if asked.is_object() => Ok(asked),
        Ok(_) => Err("a request is a JSON object, such as {} or {\"end\": \"client id\"}".into()),
        Err(error) => Err(format!("a request is a JSON object: {error}")),
    }
}

fn answer(core: &mut Core, now: Moment, asked: &Json) -> Json {
    match (&asked["end"], &asked["after"]) {
        (Json::Null, Json::Null) => page(core, now, ""),
        (Json::Null, Json::String(after)) => page(core, now, after),
        (Json::String(client), Json::Null) if core.end_session(now, client) => {
            tracing::warn!(?client, "an administrator has ended this client's session");
            json!({"status": "ok", "ended": client})
        }
        (Json::String(client), Json::Null) => {
            refusal(&format!("no session has the client id {client:?}"))
        }
        _ => refusal("\"end\" and \"after\" are client ids, and only one of them can be given"),
    }
}

fn page(core: &Core, now: Moment, after: &str) -> Json {
    let mut sessions = core.sessions(now, after, PAGE + 1);
    let mut bytes = 0;
    let fits = sessions.iter().take(PAGE).enumerate().take_while(|(number, session)| {
        bytes += session.client.len();
        // The first one always does, or nobody would get behind it.
        *number == 0 || bytes <= IDS
    });
    let count = fits.count();
    let more = sessions.len() > count;
    sessions.truncate(count);
    let sessions: Vec<_> = sessions.iter().map(entry).collect();
    json!({"status": "ok", "sessions": sessions, "more": more})
}

fn entry(session: &SessionView) -> Json {
    json!({
        "client": session.client,
        "user": session.user,
        "connected": session.away.is_none(),
        "away_seconds": session.away,
        "expiry_seconds": session.expiry,
        "queued": session.queued,
        "queued_bytes": session.queued_bytes,
        "subscriptions": session.subscriptions,
    })
}

fn refusal(why: &str) -> Json {
    json!({"status": "error", "error": why})
}
