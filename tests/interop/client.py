"""What an integrator's first client does: discover, list, watch, and understand errors.

Uses nothing but grpcio and its reflection, health and status packages: every message type is
learned from the server. Usage: client.py TARGET   (HOST:PORT or unix:PATH)
"""

import sys

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

TIMEOUT = 30
INVENTORY = "vrm.v1.InventoryService"
ALARMS = "vrm.v1.AlarmService"


class Client:
    """Calls methods by name with message types from reflection."""

    def __init__(self, channel):
        self.channel = channel
        self.database = ProtoReflectionDescriptorDatabase(channel)
        self.pool = descriptor_pool.DescriptorPool(self.database)

    def message(self, name, /, **fields):
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(name))(**fields)

    def call(self, method, request, service=INVENTORY):
        descriptor = self.pool.FindServiceByName(service).methods_by_name[method]
        answer = message_factory.GetMessageClass(descriptor.output_type)
        kind = self.channel.unary_stream if descriptor.server_streaming else self.channel.unary_unary
        invoke = kind(
            f"/{service}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        return invoke(request, timeout=TIMEOUT)


def check(condition, what):
    if not condition:
        sys.exit(f"failed: {what}")
    print(f"ok: {what}")


def check_reflection(client):
    services = set(client.database.get_services())
    check(INVENTORY in services, "reflection lists the inventory")
    check("google.longrunning.Operations" not in services, "reflection lists only what is served")
    options = client.pool.FindFileByName("vrm/v1/inventory_service.proto")
    check(options.package == "vrm.v1", "reflection gives the files")


def check_health(channel):
    health = health_pb2_grpc.HealthStub(channel)
    serving = health_pb2.HealthCheckResponse.SERVING
    check(health.Check(health_pb2.HealthCheckRequest(service=""), timeout=TIMEOUT).status == serving, "health is serving")
    watch = health.Watch(health_pb2.HealthCheckRequest(service="nothing"), timeout=TIMEOUT)
    unknown = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    check(next(watch).status == unknown, "an unknown service is watched, not refused")
    watch.cancel()


def list_all(client):
    machines, token = [], ""
    while True:
        request = client.message("vrm.v1.ListVirtualMachinesRequest", page_size=2, page_token=token, view="VIEW_FULL")
        page = client.call("ListVirtualMachines", request)
        machines += page.virtual_machines
        token = page.next_page_token
        if not token:
            return machines, page.position


def check_list(client):
    machines, position = list_all(client)
    check(len(machines) == 4, "four machines on pages of two")
    check(len({machine.name for machine in machines}) == 4, "each once")
    check(all(machine.host.startswith("hosts/sim-") for machine in machines), "each on its host")
    return position


def check_watch(client, position):
    watch = client.call("WatchResources", client.message("vrm.v1.WatchResourcesRequest"))
    held, number = {}, 0
    for message in watch:
        number += 1
        check_silently(message.message_number == number, "message numbers have no gap")
        kind = message.WhichOneof("message")
        if number == 1:
            check(kind == "started" and message.started.snapshot_follows, "the stream begins with started")
        if kind == "change":
            resource = getattr(message.change, message.change.WhichOneof("resource"))
            held[resource.name] = resource.revision
        if kind == "sync_complete":
            check(message.sync_complete.object_count == len(held), "the snapshot is complete")
            position = message.position
            break
    watch.cancel()
    options = client.message("vrm.v1.StreamOptions", resume_after=position, once=True)
    resumed = client.call("WatchResources", client.message("vrm.v1.WatchResourcesRequest", options=options))
    kinds = [message.WhichOneof("message") for message in resumed]
    check(kinds[0] == "started" and kinds[-1] == "sync_complete", "a position resumes")
    check("lagged" not in kinds, "and nothing was missed")


def check_alarms(client):
    request = client.message("vrm.v1.ListAlarmsRequest", filter="alarm_type = hostMemoryEccUncorrected", view="VIEW_FULL")
    listed = client.call("ListAlarms", request, ALARMS)
    check(len(listed.alarms) == 1, "the reported alarm is on the list")
    alarm = listed.alarms[0]
    check(alarm.object == "hosts/sim-1" and alarm.history[0].transition == 1, "with its object and history")
    options = client.message("vrm.v1.StreamOptions", once=True)
    request = client.message("vrm.v1.WatchAlarmsRequest", filter="root = true", options=options)
    messages = list(client.call("WatchAlarms", request, ALARMS))
    names = [message.change.alarm.name for message in messages if message.WhichOneof("message") == "change"]
    check(alarm.name in names, "the stream's snapshot has it")
    check(messages[0].started.effective_options.delivery_mode == 2, "and tells every transition")
    options = client.message("vrm.v1.StreamOptions", resume_after=listed.position, heartbeat_interval={"seconds": 0})
    pulled = client.call("PullAlarmChanges", client.message("vrm.v1.PullAlarmChangesRequest", options=options), ALARMS)
    check(not pulled.continue_snapshot, "a poller goes on from the list's position")
    counts = client.call("SummarizeAlarms", client.message("vrm.v1.SummarizeAlarmsRequest"), ALARMS)
    check(counts.critical >= 1 and counts.total >= 1, "alarms are counted")
    types = client.call("ListAlarmTypes", client.message("vrm.v1.ListAlarmTypesRequest"), ALARMS)
    check(any(kind.alarm_type == "hostMemoryEccUncorrected" and kind.external for kind in types.alarm_types), "types are published")


def check_silently(condition, what):
    if not condition:
        sys.exit(f"failed: {what}")


def check_errors(client):
    try:
        client.call("GetHost", client.message("vrm.v1.GetHostRequest", name="hosts/nothing"))
        sys.exit("failed: a host that does not exist was found")
    except grpc.RpcError as error:
        check(error.code() == grpc.StatusCode.NOT_FOUND, "a missing host is NOT_FOUND")
        info = details(error, error_details_pb2.ErrorInfo)
        check((info.reason, info.domain) == ("HOST_NOT_FOUND", "vrm.v1"), "with its reason")
    try:
        client.call("ListHosts", client.message("vrm.v1.ListHostsRequest", filter="connection_state = lost AND"))
        sys.exit("failed: half a filter was taken")
    except grpc.RpcError as error:
        violation = details(error, error_details_pb2.BadRequest).field_violations[0]
        check(violation.field == "filter" and "at byte 27" in violation.description, "a bad filter says where")


def details(error, kind):
    found = kind()
    for detail in rpc_status.from_call(error).details:
        if detail.Unpack(found):
            return found
    sys.exit(f"failed: the error carries no {kind.DESCRIPTOR.name}")


def main():
    # Over a unix socket grpcio sends the percent-encoded path as authority, which the HTTP/2 library
    # of vrmd refuses as malformed (RST_STREAM, PROTOCOL_ERROR): name another one.
    options = [("grpc.default_authority", "localhost")]
    with grpc.insecure_channel(sys.argv[1], options=options) as channel:
        client = Client(channel)
        check_reflection(client)
        check_health(channel)
        check_watch(client, check_list(client))
        check_alarms(client)
        check_errors(client)
    print("all checks passed")


if __name__ == "__main__":
    main()
