"""The two agents of the demo: their certificates and their configurations."""

import os
from pathlib import Path

from running import REPOSITORY, Agent, free_port, run

BUILT = Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target").resolve() / "debug"
DOMAIN = "demo.passage.test"


def config_of(agent, uri, certs, channel):
    """The configuration of one agent, as deploy/examples explains it."""
    peer = {"source": "target", "target": "source"}[agent.side]
    return {
        "agent": {"name": f"demo-{agent.side}", "state_dir": str(agent.folder / "state")},
        "milvus": {"uri": uri},
        "channel": {
            **channel,
            "tls": {
                "cert": str(certs / f"agent-{agent.side}.pem"),
                "key": str(certs / f"agent-{agent.side}.key"),
                "peer_ca": str(certs / "ca.pem"),
            },
            "peers": [{"name": f"demo-{peer}", "id": f"spiffe://{DOMAIN}/passage/{peer}"}],
        },
        "admin": {"listen": f"unix:{agent.folder / 'admin.sock'}"},
        "metrics": {"listen": f"127.0.0.1:{free_port()}"},
        "scope": {"allow": ["*.*"]},
    }


def agents_for(folder, uris, more):
    """Both agents, configured; the source's dials the target's. `more` are further sections of the source's configuration."""
    certs, port = folder / "certs", free_port()
    run(BUILT / "agent-source", "certs", "pair", "--dir", certs, "--domain", DOMAIN)
    ways = {"source": {"dial": f"127.0.0.1:{port}"}, "target": {"listen": f"127.0.0.1:{port}"}}
    agents = {side: Agent(side, BUILT / f"agent-{side}", folder / side) for side in ways}
    for side, agent in agents.items():
        sections = config_of(agent, uris[side], certs, ways[side])
        agent.configure({**sections, **more} if side == "source" else sections)
    return agents["source"], agents["target"]
