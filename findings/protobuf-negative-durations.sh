#!/bin/sh
# A negative duration does not survive Python's protobuf libraries other than Google's own.
#
# Versions: betterproto2 0.10.0, betterproto2_compiler 0.10.1, proto-plus 1.29.0, protarrow 0.16.0,
#   protobuf 7.36.2, pyarrow 26.0.1 (as of November 2026).
# Run: -0.5 s and -90.25 s in a field of type google.protobuf.Duration, written by each, read by protobuf.
# Expected: seconds and nanos of one sign, as duration.proto asks for: {-90, -250000000}.
# Seen: betterproto2 is one second off: it writes -0.5 s as +0.5 s, and of -90.25 s a message that
#   protobuf takes for -89.25 s and does not turn into JSON ("Sign mismatch"). Nor can it read "-0.500s".
#   proto-plus and protarrow write {-1, 500000000} and {-91, 750000000}: protobuf for Python reads the right
#   amount, refuses the JSON, and other languages may refuse the message. Whole seconds are right in all.
#   Beside it: proto-plus makes 1969-12-31T23:59:59.750Z the same time one second later.
# Bites: differences between what giver and receiver recorded of one exchange, and corrections by a
#   difference. The sign of the small ones is lost, so that mistakes add up instead of cancelling out.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check betterproto2==0.10.0 \
  betterproto2_compiler==0.10.1 proto-plus==1.29.0 protarrow==0.16.0 protobuf==7.36.2 \
  pyarrow==26.0.1 grpcio-tools==1.85.1
cd "$folder"
mkdir own better
cat >lag.proto <<'PROTO'
syntax = "proto3";
package lag;
import "google/protobuf/duration.proto";
message Lag { google.protobuf.Duration of = 1; }
PROTO
PATH="$folder/venv/bin:$PATH" venv/bin/python -m grpc_tools.protoc -I. \
  --python_out=own --python_betterproto2_out=better lag.proto 2>/dev/null
venv/bin/python - <<'PYTHON'
import sys
from datetime import datetime, timedelta, timezone

sys.path[:0] = ["own", "."]
import proto
import protarrow
from better.lag import Lag as BetterLag
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToJson, SerializeToJsonError
from google.protobuf.timestamp_pb2 import Timestamp
from lag_pb2 import Lag


class PlusLag(proto.Message):
    of = proto.Field(Duration, number=1)
    at = proto.Field(Timestamp, number=2)


def read(message):
    read = message if isinstance(message, Lag) else Lag.FromString(bytes(message))
    try:
        text = MessageToJson(read, indent=None)
    except SerializeToJsonError as error:
        text = str(error).rpartition(": ")[2]
    return read.of.seconds, read.of.nanos, read.of.ToTimedelta().total_seconds(), text


def plus(value):
    return PlusLag.serialize(PlusLag(of=value))


def arrow(value):
    message = Lag()
    message.of.FromTimedelta(value)
    assert read(message)[2] == value.total_seconds() and "s" in read(message)[3]
    return protarrow.table_to_messages(protarrow.messages_to_table([message], Lag), Lag)[0]


refused = "Sign mismatch.."
for seconds, better, others in (
    (-90, (-90, 0, -90.0, '{"of": "-90s"}'), (-90, 0, -90.0, '{"of": "-90s"}')),
    (-0.5, (0, 500000000, 0.5, '{"of": "0.500s"}'), (-1, 500000000, -0.5, refused)),
    (-90.25, (-90, 750000000, -89.25, refused), (-91, 750000000, -90.25, refused)),
):
    value = timedelta(seconds=seconds)
    seen = read(BetterLag(of=value)), read(plus(value)), read(arrow(value))
    print(seconds, *seen)
    assert seen == (better, others, others)
try:
    BetterLag.from_json('{"of": "-0.500s"}')
except ValueError as error:
    print(error)
else:
    raise AssertionError("betterproto2 reads it by now")
at = datetime(1969, 12, 31, 23, 59, 59, 750000, timezone.utc)
print(at, PlusLag(at=at).at)
assert PlusLag(at=at).at - at == timedelta(seconds=1)
PYTHON
