//! The first words: do these two agents understand each other?

use model::{AgentName, Class, Fault, Incarnation, codes};

/// The version that this build speaks. Another major version is refused; a higher minor version only adds what may be ignored.
pub const PROTOCOL: Version = Version { major: 1, minor: 0 };

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// Differs where two agents can't understand each other.
    pub major: u32,
    /// Differs where one of them knows more.
    pub minor: u32,
}

/// What an agent does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Reads.
    Source,
    /// Writes and proves.
    Target,
}

/// What an agent says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The protocol's version.
    pub version: Version,
    /// The role.
    pub role: Role,
    /// The agent's name, from its configuration. It is told, not proven: trust goes by the certificate.
    pub agent: AgentName,
    /// The build.
    pub software: String,
    /// The process.
    pub incarnation: Incarnation,
    /// How many data lanes the dialling side opens; the listening side says what it accepts.
    pub data_lanes: u32,
}

/// What both sides may rely on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// What the peer said.
    pub peer: Hello,
    /// The lower of both minor versions.
    pub minor: u32,
}

/// Checks the peer's words against ours.
///
/// # Errors
/// A fault that is to be sent to the peer and told to the operator: another major version, or the same role on both sides.
pub fn agree(ours: &Hello, peer: Hello) -> Result<Agreed, Fault> {
    if ours.version.major != peer.version.major {
        return Err(Fault::new(
            codes::PROTOCOL_VERSION,
            Class::Operator,
            format!(
                "agent {} speaks protocol {}.{}, and agent {} speaks {}.{}",
                peer.agent,
                peer.version.major,
                peer.version.minor,
                ours.agent,
                ours.version.major,
                ours.version.minor
            ),
            "install the same release of Passage on both sides",
        ));
    }
    if ours.role == peer.role {
        return Err(Fault::new(
            codes::PROTOCOL_ROLE,
            Class::Operator,
            format!(
                "agents {} and {} are both the {:?} side",
                ours.agent, peer.agent, ours.role
            )
            .to_lowercase(),
            "run agent-source on one side and agent-target on the other",
        ));
    }
    let minor = ours.version.minor.min(peer.version.minor);
    Ok(Agreed { peer, minor })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(role: Role, major: u32, minor: u32) -> Hello {
        Hello {
            version: Version { major, minor },
            role,
            agent: "acme".parse().unwrap(),
            software: "0".into(),
            incarnation: Incarnation::new(1),
            data_lanes: 4,
        }
    }

    #[test]
    fn another_major_version_is_refused_by_name() {
        let refusal = agree(&hello(Role::Source, 1, 0), hello(Role::Target, 2, 0)).unwrap_err();
        assert_eq!(refusal.code, codes::PROTOCOL_VERSION);
        assert!(refusal.message.contains("2.0") && refusal.message.contains("1.0"));
    }

    #[test]
    fn a_newer_minor_version_is_spoken_with_as_with_an_older_one() {
        assert_eq!(
            agree(&hello(Role::Source, 1, 3), hello(Role::Target, 1, 1))
                .unwrap()
                .minor,
            1
        );
    }

    #[test]
    fn two_sources_refuse_each_other() {
        let refusal = agree(&hello(Role::Source, 1, 0), hello(Role::Source, 1, 0)).unwrap_err();
        assert_eq!(refusal.code, codes::PROTOCOL_ROLE);
    }
}
