// Reads `count` events after a cursor in every way that other people's programs have, and prints what
// each saw as JSON: {"<name>": [{"id", "type", "data"}, …]}.
//
//     node read.mjs BASE CHANNEL CURSOR COUNT

import { EventSource } from "eventsource";
import WebSocket from "ws";

const [base, channel, cursor, countText] = process.argv.slice(2);
const count = Number(countText);
const url = (transport) => `${base}/channels/${channel}/${transport}?after=${cursor}`;

function eventSource() {
  return new Promise((resolve, reject) => {
    const events = [];
    const source = new EventSource(url("sse"));
    const take = (event) => {
      events.push({ id: event.lastEventId, type: event.type, data: event.data });
      if (events.length === count) {
        source.close();
        resolve(events);
      }
    };
    source.onmessage = take;
    source.addEventListener("tick", take);
    source.onerror = (error) => reject(new Error(`eventsource: ${error.message}`));
  });
}

function webSocket() {
  return new Promise((resolve, reject) => {
    const events = [];
    const socket = new WebSocket(url("websocket").replace("http:", "ws:"));
    socket.on("message", (text) => {
      const message = JSON.parse(text);
      if (!message.data && message.data !== "") return; // the cursor at the beginning
      events.push(message);
      if (events.length === count) {
        socket.close();
        resolve(events);
      }
    });
    socket.on("error", reject);
  });
}

async function poll(transport) {
  const answer = await fetch(url(transport));
  if (!answer.ok) throw new Error(`${transport}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()).events;
}

const seen = {
  "npm eventsource": await eventSource(),
  "npm ws": await webSocket(),
  "fetch, short poll": await poll("short-poll"),
  "fetch, long poll": await poll("long-poll"),
};
console.log(JSON.stringify(seen));
