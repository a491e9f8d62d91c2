"""EIEIO and SCP by SpiNNMan, the library below SpiNNFrontEndCommon and sPyNNaker.

Argument: a JSON file with a list of messages, their fields and their bytes as we wrote
them. Prints a JSON list: the bytes as the library writes these fields, and the fields as
it reads our bytes (null where it has no reader, or reads wrongly what is right).
"""

import json
import sys

from spinnman.messages.eieio import (
    EIEIOPrefix, EIEIOType, read_eieio_command_message, read_eieio_data_message)
from spinnman.messages.eieio import command_messages as commands
from spinnman.messages.eieio.data_messages import (
    EIEIODataHeader, EIEIODataMessage, KeyDataElement, KeyPayloadDataElement)
from spinnman.messages.scp.impl import IPTagSet


def build(fields):
    header = EIEIODataHeader(
        EIEIOType(fields["type"]), tag=fields["tag"], prefix=fields["prefix"],
        prefix_type=EIEIOPrefix(int(fields["upper"])),
        payload_base=fields["payload_base"], is_time=fields["time"])
    message = EIEIODataMessage(header)
    for key, payload in fields["elements"]:
        message.add_element(
            KeyDataElement(key) if payload is None
            else KeyPayloadDataElement(key, payload, fields["time"]))
    return message


def data(fields, ours):
    read = read_eieio_data_message(ours, 0)
    head = read.eieio_header
    elements = []
    while read.is_next_element:
        element = read.next_element
        elements.append([element.key, getattr(element, "payload", None)])
    return build(fields).bytestring, {
        "type": head.eieio_type.value, "tag": head.tag, "prefix": head.prefix,
        "upper": head.prefix_type == EIEIOPrefix.UPPER_HALF_WORD,
        "payload_base": head.payload_base, "time": head.is_time, "read": elements}


def plain(make):
    """A command with nothing in it: the class of what is read tells."""
    def command(_fields, ours):
        message = make()
        read = read_eieio_command_message(ours, 0)
        return message.bytestring, {"command": read.eieio_header.command}
    return command


def database(fields, _ours):
    # Its reader refuses a path (SpiNNMan issue 424); clients read it themselves.
    return commands.NotificationProtocolDatabaseLocation(
        fields["path"]).bytestring, None


def request_buffers(fields, ours):
    names = ("x", "y", "p", "region_id", "sequence_no", "space_available")
    message = commands.SpinnakerRequestBuffers(*(fields[name] for name in names))
    read = read_eieio_command_message(ours, 0)
    return message.bytestring, {name: getattr(read, name) for name in names}


def sequenced_data(fields, _ours):
    # Its reader takes the region and sequence numbers for the header.
    return commands.HostSendSequencedData(
        fields["region_id"], fields["sequence_no"],
        build(fields["message"])).bytestring, None


def request_read(fields, ours):
    n = len(fields["channel"])
    message = commands.SpinnakerRequestReadData(
        fields["x"], fields["y"], fields["p"], fields["region_id"],
        fields["sequence_no"], n, fields["channel"], fields["start_address"],
        fields["space"])
    read = read_eieio_command_message(ours, 0)
    return message.bytestring, {
        "x": read.x, "y": read.y, "p": read.p, "sequence_no": read.sequence_no,
        "channel": [read.channel(i) for i in range(read.n_requests)],
        "region_id": [read.region_id(i) for i in range(read.n_requests)],
        "start_address": [read.start_address(i) for i in range(read.n_requests)],
        "space": [read.space_to_be_read(i) for i in range(read.n_requests)]}


def data_read(fields, ours):
    n = len(fields["channel"])
    message = commands.HostDataRead(
        n, fields["sequence_no"], fields["channel"], fields["region_id"],
        fields["space"])
    read = read_eieio_command_message(ours, 0)
    return message.bytestring, {
        "sequence_no": read.sequence_no,
        "channel": [read.channel(i) for i in range(read.n_requests)],
        "region_id": [read.region_id(i) for i in range(read.n_requests)],
        "space": [read.space_read(i) for i in range(read.n_requests)]}


def data_read_ack(fields, _ours):
    return commands.HostDataReadAck(fields["sequence_no"]).bytestring, None


def ip_tag_set(fields, ours):
    """Our answer to the library's request; it raises where that is no "ok"."""
    request = IPTagSet(
        fields["x"], fields["y"], [0, 0, 0, 0], 0, fields["tag"], strip=True,
        use_sender=True)
    request.sdp_header.update_for_send(fields["x"], fields["y"])
    request.get_scp_response().read_bytestring(ours, 2)
    return b"\0\0" + request.bytestring, None


READERS = {
    "data": data,
    "padding": plain(commands.PaddingRequest),
    "event_stop": plain(commands.EventStopRequest),
    "stop_requests": plain(commands.StopRequests),
    "start_requests": plain(commands.StartRequests),
    "stop_pause": plain(commands.NotificationProtocolPauseStop),
    "start_resume": plain(commands.NotificationProtocolStartResume),
    "database": database,
    "request_buffers": request_buffers,
    "sequenced_data": sequenced_data,
    "request_read": request_read,
    "data_read": data_read,
    "data_read_ack": data_read_ack,
    "ip_tag_set": ip_tag_set,
}

with open(sys.argv[1], encoding="utf-8") as file:
    messages = json.load(file)
answers = []
for message in messages:
    written, read = READERS[message["is"]](
        message["fields"], bytes.fromhex(message["hex"]))
    answers.append({"hex": written.hex(), "read": read})
print(json.dumps(answers))
