//! Making and showing certificates.

use clap::{Args, Subcommand};
use model::AgentName;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum CertsSub {
    /// Make a private CA: a certificate to give to the other side, and a key that stays where it is
    Ca {
        #[command(flatten)]
        placing: Placing,
        /// The name in the certificate
        #[arg(long, default_value = "Passage CA")]
        name: String,
        /// How many days it is valid
        #[arg(long, default_value_t = channel::certs::AUTHORITY_DAYS, value_parser = clap::value_parser!(u32).range(1..=36_500))]
        days: u32,
    },
    /// Make an agent's certificate, signed by the CA in the same directory
    #[command(after_long_help = LEAF_EXAMPLES)]
    Leaf {
        #[command(flatten)]
        placing: Placing,
        /// The name of the files, and in the certificate
        #[arg(long, default_value = "{agent}")]
        name: AgentName,
        /// The agent's identity, for the other side's channel.peers
        #[arg(long, value_name = "URI", required_unless_present = "hosts")]
        spiffe: Option<String>,
        /// A DNS name or IP address of the agent, which channel.peers can name, too; may be given several times
        #[arg(long = "host", value_name = "HOST")]
        hosts: Vec<String>,
        /// How many days it is valid
        #[arg(long, default_value_t = channel::certs::LEAF_DAYS, value_parser = clap::value_parser!(u32).range(1..=36_500))]
        days: u32,
    },
    /// Renew an agent's certificate that the CA in the same directory signed: it keeps its names, its uses and its key
    #[command(after_long_help = RENEW_EXAMPLES)]
    Renew {
        /// The directory of the CA and of what it signs
        #[arg(long, value_name = "DIR", default_value = "certs")]
        dir: PathBuf,
        /// The name of the files
        #[arg(long, default_value = "{agent}")]
        name: AgentName,
        /// How many days it is valid; as many as the former one where it is not said
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=36_500))]
        days: Option<u32>,
        /// Make a new key, too
        #[arg(long)]
        new_key: bool,
    },
    /// Make everything that two agents need to trust each other: a CA, and a certificate for each agent
    #[command(after_long_help = PAIR_EXAMPLES)]
    Pair {
        #[command(flatten)]
        placing: Placing,
        /// The domain in the agents' identities: spiffe://DOMAIN/passage/source and /target
        #[arg(long)]
        domain: String,
    },
    /// Show a certificate: its names, its fingerprint, and until when it is valid
    Show {
        /// A PEM file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// Where the files go.
#[derive(Debug, Args)]
pub(crate) struct Placing {
    /// The directory of the CA and of what it signs; made if it is missing
    #[arg(long, value_name = "DIR", default_value = "certs")]
    pub(crate) dir: PathBuf,
    /// Replace files that exist
    #[arg(long)]
    pub(crate) replace: bool,
}

const LEAF_EXAMPLES: &str = "\
Examples:
  {agent} certs leaf --spiffe spiffe://acme.example/passage/{side}
  {agent} certs leaf --spiffe spiffe://acme.example/passage/{side} --host passage.acme.example --days 90";

const RENEW_EXAMPLES: &str = "\
The agent's private key is not needed: it may lie on the agent's machine alone. Put the new certificate into the place of the former one there. A
running agent takes it up within ten seconds, or at once when it is asked to (systemctl reload, SIGHUP); links that are up go on. With --new-key
two files are replaced, and an agent that looks between them goes on with what it had.

Examples:
  {agent} certs renew --dir certs
  {agent} certs renew --dir certs --name {agent} --days 90 --new-key";

const PAIR_EXAMPLES: &str = "\
Where neither side should hold the other's key, let each side make its own with `certs ca` and `certs leaf`.

Example:
  {agent} certs pair --dir certs --domain example.org";
