"""Reads the file of an offline run with W&B's own messages: its framing is LevelDB's log format."""

import json
import struct

from wandb.proto.wandb_internal_pb2 import Record

BLOCK = 32768
FILE_HEADER = 7
FRAME = struct.Struct("<IHB")
"""Checksum, length and part of each frame; part 1 is whole, 2 to 4 are first, middle, last."""


def messages(content):
    """The messages of a .wandb file."""
    at = FILE_HEADER
    message = b""
    while at + FRAME.size <= len(content):
        if BLOCK - at % BLOCK < FRAME.size:
            at += BLOCK - at % BLOCK
            continue
        _, length, part = FRAME.unpack_from(content, at)
        message += content[at + FRAME.size : at + FRAME.size + length]
        at += FRAME.size + length
        if part in (1, 4):
            yield Record.FromString(message)
            message = b""


def offline_run(path):
    """The name of a run, its configuration, and the rows of its history."""
    name = None
    config = {}
    rows = []
    for message in messages(path.read_bytes()):
        if message.WhichOneof("record_type") == "run":
            name = message.run.display_name
            config |= {item.key: json.loads(item.value_json) for item in message.run.config.update}
        elif message.WhichOneof("record_type") == "history":
            items = message.history.item
            rows.append({_key(item): json.loads(item.value_json) for item in items})
    return name, config, rows


def _key(item):
    return item.key or "/".join(item.nested_key)
