//! Which broker has a topic.

use super::connection::Connection;
use super::error::Error;
use super::seat::Seat;
use proto::pulsar::base_command::Body;
use proto::pulsar::{Lookup, LookupAnswer, lookup_answer};
use runtime::config::HostPort;

/// How many brokers are asked, one after the other.
const MOST_BROKERS: u32 = 8;

/// What a broker answers.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    broker: HostPort,
    /// Whether that one has the topic; else it is to be asked.
    has_topic: bool,
    /// Whether it must be reached through the configured address.
    is_behind_proxy: bool,
    /// What the next one is to be told: whether it is the one that decides.
    authoritative: bool,
}

/// Connects to the broker that has a topic.
pub(super) async fn connect(seat: &Seat, topic: &str) -> Result<Connection, Error> {
    let mut at = seat.address.clone();
    let mut connection = Connection::open(seat, &at, None).await?;
    let mut authoritative = false;
    for _ in 0..MOST_BROKERS {
        let named = ask(&mut connection, topic, authoritative, seat.tls.is_some()).await?;
        if named.is_behind_proxy {
            connection = Connection::open(seat, &seat.address, Some(&named.broker)).await?;
        } else if named.broker != at {
            connection = Connection::open(seat, &named.broker, None).await?;
        }
        if named.has_topic {
            return Ok(connection);
        }
        (at, authoritative) = (named.broker, named.authoritative);
    }
    Err(Error::Redirects(MOST_BROKERS))
}

async fn ask(
    connection: &mut Connection,
    topic: &str,
    authoritative: bool,
    has_tls: bool,
) -> Result<Named, Error> {
    let question = |request_id| {
        Body::Lookup(Lookup {
            topic: topic.to_owned(),
            request_id,
            authoritative: Some(authoritative),
        })
    };
    match connection.ask(question).await? {
        Body::LookupAnswer(answer) => named(answer, has_tls),
        _ => Err(Error::Unasked("another answer than a broker".to_owned())),
    }
}

fn named(answer: LookupAnswer, has_tls: bool) -> Result<Named, Error> {
    let has_topic = match answer.kind.map(lookup_answer::Kind::try_from) {
        Some(Ok(lookup_answer::Kind::Connect)) => true,
        Some(Ok(lookup_answer::Kind::Redirect)) => false,
        _ => {
            return Err(Error::Refused {
                number: answer.error.unwrap_or_default(),
                message: answer.message.unwrap_or_default(),
            });
        }
    };
    let (url, scheme) = if has_tls {
        (answer.broker_url_tls.as_deref(), "pulsar+ssl://")
    } else {
        (answer.broker_url.as_deref(), "pulsar://")
    };
    let broker = url.and_then(|url| url.strip_prefix(scheme)).and_then(parse);
    let nowhere = || {
        let tls = if has_tls { "with" } else { "without" };
        Error::Unasked(format!(
            "no address {tls} TLS of the broker that has the topic"
        ))
    };
    Ok(Named {
        broker: broker.ok_or_else(nowhere)?,
        has_topic,
        is_behind_proxy: answer.proxy_through_service_url.unwrap_or_default(),
        authoritative: answer.authoritative.unwrap_or_default(),
    })
}

fn parse(address: &str) -> Option<HostPort> {
    let (host, port) = address.trim_end_matches('/').rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then_some(())?;
    Some(HostPort {
        host: host.to_owned(),
        port: port.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: i32) -> LookupAnswer {
        LookupAnswer {
            broker_url: Some("pulsar://broker-1:6650".to_owned()),
            broker_url_tls: Some("pulsar+ssl://[::1]:6651/".to_owned()),
            kind: Some(kind),
            ..LookupAnswer::default()
        }
    }

    #[test]
    fn a_broker_is_taken_by_the_address_that_fits_the_connection() {
        let plain = named(answer(1), false).unwrap();
        assert_eq!(plain.broker.to_string(), "broker-1:6650");
        assert!(plain.has_topic && !plain.is_behind_proxy);
        let secured = named(answer(0), true).unwrap();
        assert_eq!((&*secured.broker.host, secured.broker.port), ("::1", 6651));
        assert!(!secured.has_topic);
    }

    #[test]
    fn an_answer_without_a_broker_is_none() {
        let mut without = answer(1);
        without.broker_url_tls = None;
        let told = named(without, true).unwrap_err().to_string();
        assert!(told.contains("no address with TLS"), "{told}");
        for kind in [2, 77] {
            assert!(matches!(
                named(answer(kind), false),
                Err(Error::Refused { .. })
            ));
        }
    }
}
