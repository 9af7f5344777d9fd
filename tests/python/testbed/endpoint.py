"""The flags that name an endpoint, and the endpoint that they name."""


def connect(flags, prefix=""):
    """The endpoint that --uri, --token and --tls-… name (with a prefix: --source-uri …)."""
    from . import raw

    value = lambda name: getattr(flags, prefix + name)
    tls = {
        "ca": value("tls_ca"),
        "client_cert": value("tls_client_cert"),
        "client_key": value("tls_client_key"),
        "server_name": value("tls_server_name"),
    }
    return raw.Server(value("uri"), value("token"), tls)


def add_endpoint(parser, prefix="", required=True):
    """Flags that name an endpoint."""
    parser.add_argument(f"--{prefix}uri", required=required, help="http://host:port or https://host:port")
    parser.add_argument(f"--{prefix}token", help="user:password")
    for name in ("ca", "client-cert", "client-key", "server-name"):
        parser.add_argument(f"--{prefix}tls-{name}")


def add_collection(parser):
    """Flags that name a collection of an endpoint."""
    add_endpoint(parser)
    parser.add_argument("--db", default="default")
    parser.add_argument("--collection", required=True)
