// The watching page: the picture by WHEP, the figures by asking again and again.

const STATS_MS = 250; // a cut shows within two seconds, and noticing it takes one and a half
const RETRY_MS = 2000;
const GATHER_MS = 2000;

const STATES = {
  waiting: "Waiting for a caller",
  live: "In a call",
  reconnecting: "Reconnecting…",
  ended: "The call has ended; waiting for the next one",
  trouble: "The receiver does not answer",
  refused: "This link does not let you watch",
};

// The link that the receiver printed ends in #token=…; where it needs none, there is none.
const token = new URLSearchParams(location.hash.slice(1)).get("token");
const ticket = token ? { Authorization: `Bearer ${token}` } : {};
addEventListener("hashchange", () => location.reload());

const byId = (id) => document.getElementById(id);
const video = byId("picture");

// A receiver of several calls serves this page once for each, in a folder with the room's number.
const room = location.pathname.match(/\/(\d+)\/$/)?.[1];
if (room) document.title = byId("title").textContent = `HeadCall, room ${room}`;

let watching = null; // the WHEP resource to leave when the page goes
let hasPicture = false;
let hasSound = false;

// --- the picture ---------------------------------------------------------------------------

async function watch() {
  const connection = new RTCPeerConnection();
  const ended = new Promise((resolve) => {
    connection.addEventListener("connectionstatechange", () => {
      if (["failed", "closed", "disconnected"].includes(connection.connectionState)) resolve();
    });
  });
  try {
    const shown = new MediaStream();
    connection.addEventListener("track", ({ track, receiver }) => {
      if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0; // show at once
      shown.addTrack(track);
      video.srcObject = shown;
    });
    for (const kind of ["video", "audio"]) connection.addTransceiver(kind, { direction: "recvonly" });
    await connection.setLocalDescription(await connection.createOffer());
    await gathered(connection);
    await connection.setRemoteDescription({ type: "answer", sdp: await exchange(connection) });
    await ended;
  } finally {
    connection.close();
    hasPicture = false;
  }
}

function gathered(connection) {
  return new Promise((resolve) => {
    const check = () => connection.iceGatheringState === "complete" && resolve();
    connection.addEventListener("icegatheringstatechange", check);
    setTimeout(resolve, GATHER_MS); // a lame interface must not hold up the others
    check();
  });
}

async function exchange(connection) {
  const response = await fetch("whep", {
    method: "POST",
    headers: { ...ticket, "Content-Type": "application/sdp" },
    body: connection.localDescription.sdp,
  });
  const text = await response.text();
  if (response.status !== 201) throw new Error(text.trim());
  watching = response.headers.get("Location");
  return text;
}

function leave() {
  if (watching) fetch(watching, { method: "DELETE", keepalive: true }).catch(() => {});
  watching = null;
}

async function keepWatching() {
  const usual = byId("empty").textContent;
  for (;;) {
    try {
      byId("empty").textContent = usual;
      await watch();
    } catch (error) {
      byId("empty").textContent = error.message;
    }
    leave();
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

// --- the sound -----------------------------------------------------------------------------

// Browsers play nothing aloud before a click.
function showSound(there) {
  const button = byId("sound");
  if (hasSound !== there) [hasSound, button.hidden] = [there, !there];
  button.textContent = video.muted ? "Turn the sound on" : "Turn the sound off";
}

byId("sound").addEventListener("click", () => {
  video.muted = !video.muted;
  video.play().catch(() => {});
  showSound(hasSound);
});

// --- the figures ---------------------------------------------------------------------------

const show = (id, value, digits = 0) => {
  byId(id).textContent = typeof value === "number" ? value.toFixed(digits) : "–";
};

function showState(name) {
  const state = byId("state");
  // Writing the same text again would make a screen reader say it every second.
  if (state.textContent === STATES[name]) return;
  state.dataset.state = name;
  state.textContent = STATES[name];
}

function showStats(stats) {
  showState(stats.state);
  const live = stats.state === "live";
  show("fps", live ? stats.fps : null, 1);
  show("payload", live ? stats.payload_kbps : null, 1);
  show("wire", live ? stats.wire_kbps : null, 1);
  show("latency", live ? stats.latency_ms : null);
  show("loss", live ? stats.loss * 100 : null, 1);
  show("shown", stats.frames_shown);
  byId("preset").textContent = stats.preset;
  byId("engine").textContent = stats.engine;
  byId("frame").classList.toggle("silent", stats.state === "reconnecting");
  const visible = hasPicture && stats.state !== "waiting"; // never an earlier caller's last picture
  byId("empty").hidden = visible;
  video.classList.toggle("off", !visible);
  showSound(stats.sound);
  showReference(stats.reference);
}

function showReference(tag) {
  const image = byId("reference");
  if (image.dataset.tag === tag) return;
  image.dataset.tag = tag;
  image.hidden = !tag;
  byId("no-reference").hidden = Boolean(tag);
  URL.revokeObjectURL(image.src);
  image.removeAttribute("src");
  if (tag) loadReference(image, tag);
}

// An <img> cannot show a ticket by itself.
async function loadReference(image, tag) {
  const response = await fetch(`reference.jpg?${tag}`, { headers: ticket });
  const picture = await response.blob();
  if (response.ok && image.dataset.tag === tag) image.src = URL.createObjectURL(picture);
}

async function keepStats() {
  for (;;) {
    try {
      const response = await fetch("stats", { headers: ticket });
      if (response.status === 401) showState("refused");
      else showStats(await response.json());
    } catch {
      showState("trouble");
    }
    await new Promise((resolve) => setTimeout(resolve, STATS_MS));
  }
}

video.addEventListener("playing", () => { hasPicture = true; });
video.addEventListener("emptied", () => { hasPicture = false; });
addEventListener("pagehide", leave);
keepWatching();
keepStats();
