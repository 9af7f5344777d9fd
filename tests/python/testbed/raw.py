"""The one place (with wire) that touches pymilvus: its generated messages, over a channel of our own.

The SDK's client caches schemas, rewrites errors, guesses limits and escapes badly; the messages do not.
Every method is one call of the service, checked for both kinds of status (numeric `code` since 2.3,
`error_code` before), with the database in the request and in the metadata, as the SDKs send it.
"""

import base64

import grpc
from pymilvus.grpc_gen import milvus_pb2_grpc

from .wire import (
    Refused,
    common,
    is_unimplemented,
    literal,
    mapping,
    milvus,
    open_channel,
    pairs,
    reason_of,
    schema,
    wait_for,
)

STRONG = common.ConsistencyLevel.Value("Strong")
NO_INDEX = (700, 25)
FINISHED = common.IndexState.Value("Finished")
__all__ = ["Refused", "Server", "common", "literal", "mapping", "milvus", "pairs", "reason_of", "schema"]


class Server:
    """One Milvus endpoint."""

    def __init__(self, uri, token=None, tls=None):
        self.uri = uri
        self._stub = milvus_pb2_grpc.MilvusServiceStub(open_channel(uri, tls))
        self._authorization = [("authorization", base64.b64encode(token.encode()).decode())] if token else []

    def call(self, method, request, db="default", seconds=120):
        """One unary call; raises Refused, or grpc.RpcError where the transport failed."""
        metadata = self._authorization + [("dbname", db)]
        if "db_name" in request.DESCRIPTOR.fields_by_name and not request.db_name and "Database" not in method:
            request.db_name = db
        reply = getattr(self._stub, method)(request, timeout=seconds, metadata=metadata)
        status = getattr(reply, "status", reply)
        if isinstance(status, common.Status) and (status.code or status.error_code):
            raise Refused(method, status)
        return reply

    def version(self):
        """The build tag, for example v2.3.5-lite."""
        return self.call("GetVersion", milvus.GetVersionRequest()).version

    def is_lite(self):
        """Whether this is Milvus Lite (the real servers' tags end in -lite too)."""
        return self.version().startswith("milvus_lite")

    def databases(self):
        """Names of all databases; only `default` where the server knows none."""
        try:
            return sorted(self.call("ListDatabases", milvus.ListDatabasesRequest()).db_names)
        except (Refused, grpc.RpcError) as error:
            if is_unimplemented(error):
                return ["default"]
            raise

    def database_properties(self, db):
        """Properties of a database, or None where the server cannot tell."""
        try:
            return mapping(self.call("DescribeDatabase", milvus.DescribeDatabaseRequest(db_name=db), db).properties)
        except (Refused, grpc.RpcError) as error:
            if is_unimplemented(error):
                return None
            raise

    def collections(self, db="default"):
        """Names of the collections of a database."""
        return sorted(self.call("ShowCollections", milvus.ShowCollectionsRequest(), db).collection_names)

    def describe(self, db, name):
        """The whole answer of DescribeCollection."""
        return self.call("DescribeCollection", milvus.DescribeCollectionRequest(collection_name=name), db)

    def partitions(self, db, name):
        """Partition names in order of their ids (Milvus Lite has none: then as answered)."""
        reply = self.call("ShowPartitions", milvus.ShowPartitionsRequest(collection_name=name), db)
        ids = reply.partitionIDs or range(len(reply.partition_names))
        return [partition for _, partition in sorted(zip(ids, reply.partition_names))]

    def indexes(self, db, name):
        """Index descriptions; none where there are none."""
        try:
            return list(
                self.call("DescribeIndex", milvus.DescribeIndexRequest(collection_name=name), db).index_descriptions
            )
        except Refused as error:
            if (
                error.code in NO_INDEX
                or error.legacy in NO_INDEX
                or "not exist" in error.reason
                or "not found" in error.reason
            ):
                return []
            raise

    def create_partition(self, db, name, partition):
        """CreatePartition."""
        self.call("CreatePartition", milvus.CreatePartitionRequest(collection_name=name, partition_name=partition), db)

    def drop_partition(self, db, name, partition):
        """DropPartition, released before: a loaded one is not dropped."""
        self.call(
            "ReleasePartitions",
            milvus.ReleasePartitionsRequest(collection_name=name, partition_names=[partition]),
            db,
        )
        self.call("DropPartition", milvus.DropPartitionRequest(collection_name=name, partition_name=partition), db)

    def create_database(self, db, **properties):
        """CreateDatabase."""
        self.call("CreateDatabase", milvus.CreateDatabaseRequest(db_name=db, properties=pairs(properties)))

    def aliases(self, db, name):
        """Aliases: from the description, and from ListAliases where it exists (Milvus Lite describes none)."""
        found = set(self.describe(db, name).aliases)
        try:
            found.update(self.call("ListAliases", milvus.ListAliasesRequest(collection_name=name), db).aliases)
        except (Refused, grpc.RpcError) as error:
            if not is_unimplemented(error):
                raise
        return sorted(found)

    def replicas(self, db, name):
        """How many replicas are loaded; None where the server cannot tell."""
        identity = self.describe(db, name).collectionID
        try:
            return len(
                self.call(
                    "GetReplicas", milvus.GetReplicasRequest(collection_name=name, collectionID=identity), db
                ).replicas
            )
        except (Refused, grpc.RpcError):
            return None

    def load_state(self, db, name, partitions=()):
        """NotExist, NotLoad, Loading or Loaded, lower case."""
        request = milvus.GetLoadStateRequest(collection_name=name, partition_names=partitions)
        state = self.call("GetLoadState", request, db).state
        return common.LoadState.Name(state).removeprefix("LoadState").lower()

    def query(self, db, name, expression, fields, partitions=(), limit=None, **parameters):
        """Query at strong consistency; returns the field data by name."""
        if limit is not None:
            parameters["limit"] = limit
        request = milvus.QueryRequest(
            collection_name=name,
            expr=expression,
            output_fields=fields,
            partition_names=partitions,
            guarantee_timestamp=0,
            consistency_level=STRONG,
            query_params=pairs(parameters),
        )
        reply = self.call("Query", request, db)
        return {column.field_name or "$meta": column for column in reply.fields_data}

    def count(self, db, name, expression="", partitions=()):
        """count(*), every duplicate counted; needs 2.3."""
        column = self.query(db, name, expression, ["count(*)"], partitions)["count(*)"]
        return column.scalars.long_data.data[0]

    def insert(self, db, name, columns, rows, partition=""):
        """Insert prepared columns; returns the MutationResult."""
        request = milvus.InsertRequest(
            collection_name=name, partition_name=partition, fields_data=columns, num_rows=rows
        )
        return self.call("Insert", request, db)

    def upsert(self, db, name, columns, rows, partition=""):
        """Upsert prepared columns; what a key has in another partition stays. Returns the MutationResult."""
        request = milvus.UpsertRequest(
            collection_name=name, partition_name=partition, fields_data=columns, num_rows=rows
        )
        return self.call("Upsert", request, db)

    def delete(self, db, name, expression, partition=""):
        """Delete by expression."""
        return self.call(
            "Delete", milvus.DeleteRequest(collection_name=name, partition_name=partition, expr=expression), db
        )

    def flush(self, db, name, seconds=120):
        """Flush and wait until every segment of this moment is flushed."""
        reply = self.call("Flush", milvus.FlushRequest(collection_names=[name]), db)
        segments = reply.coll_segIDs[name].data
        request = milvus.GetFlushStateRequest(
            segmentIDs=segments, flush_ts=reply.coll_flush_ts.get(name, 0), collection_name=name
        )
        wait_for(lambda: self.call("GetFlushState", request, db).flushed, f"flush of {name}", seconds)

    def create_index(self, db, name, field, parameters, index_name="", wait=True, seconds=300):
        """Create an index, and by default wait until it is built."""
        request = milvus.CreateIndexRequest(
            collection_name=name, field_name=field, index_name=index_name, extra_params=pairs(parameters)
        )
        self.call("CreateIndex", request, db)
        built = lambda: all(index.state == FINISHED for index in self.indexes(db, name) if index.field_name == field)
        if wait:
            wait_for(built, f"index on {name}.{field}", seconds)

    def load(self, db, name, replicas=1, seconds=300):
        """Load and wait until it may be queried."""
        self.call("LoadCollection", milvus.LoadCollectionRequest(collection_name=name, replica_number=replicas), db)
        wait_for(lambda: self.load_state(db, name) == "loaded", f"load of {name}", seconds)
