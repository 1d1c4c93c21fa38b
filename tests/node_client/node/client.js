// What somebody meets who calls mutua from Node, with the defaults of gRPC's library for it.
//
// node client.js PROTO_FOLDER ADDRESS COMMAND [ARGUMENT]; prints one object of JSON. Modules are
// found through NODE_PATH.
"use strict";

const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");
const protobuf = require("protobufjs");

const [folder, address, command, argument] = process.argv.slice(2);
const services = ["ingest_service", "query_service", "watch_service"];
const files = services.map((name) => `mutua/v1/${name}.proto`);
const options = { includeDirs: [folder], enums: String, arrays: true };
const { mutua } = grpc.loadPackageDefinition(loader.loadSync(files, options));
const { Status, ErrorInfo } = protobuf.parse(`
  syntax = "proto3";
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message ErrorInfo { string reason = 1; string domain = 2; }
`).root;

function connect(Service, options = {}) {
  return new Service(address, grpc.credentials.createInsecure(), options);
}

function call(stub, method, request) {
  return new Promise((resolve, reject) => {
    const deadline = Date.now() + 60_000;
    stub[method](request, { deadline }, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

// The code of a refusal, and the reason in its ErrorInfo.
function refusal(error) {
  const [details] = error.metadata.get("grpc-status-details-bin");
  const infos = details ? Status.decode(details).details : [];
  const info = infos.find((each) => each.typeUrl.endsWith("google.rpc.ErrorInfo"));
  return {
    code: grpc.status[error.code],
    reason: info ? ErrorInfo.decode(info.value).reason : "",
  };
}

// All pages of the exchanges of a programme: how many rows each has.
async function pages(programme) {
  const stub = connect(mutua.v1.QueryService);
  const rows = [];
  const request = { question: { programmeId: programme }, pageToken: "" };
  do {
    const page = await call(stub, "ListExchanges", request);
    rows.push(page.exchanges.length);
    request.pageToken = page.nextPageToken;
  } while (request.pageToken);
  return { rows };
}

// What a request of so many bytes is answered with, in one call and on a stream.
async function large(bytes) {
  const stub = connect(mutua.v1.IngestService);
  const note = { sealed: Buffer.alloc(Number(bytes)) };
  const request = { events: [{ exchangeRecorded: { exchange: { note } } }] };
  const single = await call(stub, "RecordEvents", request).then(() => ({ code: "OK" }), refusal);
  const stream = await new Promise((resolve) => {
    const groups = stub.RecordStream({ deadline: Date.now() + 60_000 });
    groups.on("data", () => resolve({ code: "OK" }));
    groups.on("error", (error) => resolve(refusal(error)));
    groups.write(request);
  });
  return { single, stream };
}

// Waits without a call, pinging, and tells in which states the connection was meanwhile.
async function idle(milliseconds) {
  const stub = connect(mutua.v1.QueryService, {
    "grpc.keepalive_time_ms": 1_200,
    "grpc.keepalive_timeout_ms": 1_000,
    "grpc.keepalive_permit_without_calls": 1,
  });
  const ask = () => call(stub, "GetStatus", { programmeId: "idle" });
  await ask();
  const channel = stub.getChannel();
  const states = [channel.getConnectivityState(false)];
  const end = Date.now() + Number(milliseconds);
  while (Date.now() < end) {
    const last = states[states.length - 1];
    await new Promise((resolve) => channel.watchConnectivityState(last, end, resolve));
    const state = channel.getConnectivityState(false);
    if (state !== last) states.push(state);
  }
  await ask();
  return { states: states.map((state) => grpc.connectivityState[state]) };
}

// Folds the balances of a programme, records an exchange once all are there, and comes back.
async function follow(programme) {
  const watch = connect(mutua.v1.WatchService);
  const ingest = connect(mutua.v1.IngestService);
  const given = {};
  const events = [];
  let resumeToken = "";

  // Reads a stream up to a message with this event.
  function readUntil(event, onSnapshot = () => {}) {
    return new Promise((resolve, reject) => {
      const stream = watch.WatchBalances({ question: { programmeId: programme }, resumeToken });
      stream.on("data", (message) => {
        events.push(message.event);
        for (const row of message.removedBalances) delete given[row.organizationId];
        for (const row of message.balances) given[row.organizationId] = row.given;
        resumeToken = message.resumeToken || resumeToken;
        if (message.event === "WATCH_EVENT_SNAPSHOT_COMPLETE") onSnapshot();
        if (message.event === event) {
          stream.cancel();
          resolve();
        }
      });
      stream.on("error", reject); // after a cancel it changes nothing
    });
  }

  const exchange = { giverIds: ["node"], receiverIds: ["a"], kind: "EXCHANGE_KIND_CALL" };
  const event = {
    eventId: require("node:crypto").randomUUID(),
    programmeId: programme,
    occurTime: { seconds: Math.floor(Date.now() / 1000) },
    exchangeRecorded: { exchange },
  };
  await readUntil("WATCH_EVENT_DELTA", () => call(ingest, "RecordEvents", { events: [event] }));
  await readUntil("WATCH_EVENT_PROGRESS");
  return { events, given };
}

({ pages, large, idle, follow })[command](argument).then(
  (found) => {
    console.log(JSON.stringify(found));
    process.exit(0);
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
