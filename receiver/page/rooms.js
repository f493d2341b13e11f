// The list of rooms: the state of each, asked again and again.

const ASK_MS = 1000;

const STATES = {
  waiting: "Waiting for a caller",
  live: "In a call",
  reconnecting: "Reconnecting…",
  ended: "The call has ended",
};

// The link that the receiver printed ends in #token=…; where it needs none, there is none.
const token = new URLSearchParams(location.hash.slice(1)).get("token");
const ticket = token ? { Authorization: `Bearer ${token}` } : {};
addEventListener("hashchange", () => location.reload());

const byId = (id) => document.getElementById(id);

// Writing the same text again would make a screen reader say it every second.
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function showState(state, text) {
  byId("state").dataset.state = state;
  write(byId("state"), text);
}

function cardOf(number) {
  const known = byId(`room-${number}`);
  if (known) return known;
  const item = byId("room").content.firstElementChild.cloneNode(true);
  const card = item.querySelector(".card");
  card.id = `room-${number}`;
  card.querySelector("h2").textContent = `Room ${number}`;
  if (!token) card.href = `${number}/`; // this page's token opens no room
  byId("rooms").append(item);
  return card;
}

function showRoom({ room, state, fps, watchers }) {
  const card = cardOf(room);
  const badge = card.querySelector(".state");
  badge.dataset.state = state;
  write(badge, STATES[state]);
  const rate = state === "live" ? `${fps.toFixed(1)} pictures a second, ` : "";
  write(card.querySelector(".note"), `${rate}${watchers} watching`);
}

function showRooms(rooms) {
  rooms.forEach(showRoom);
  const busy = rooms.filter(({ state }) => state === "live" || state === "reconnecting").length;
  showState(busy ? "live" : "waiting", `${busy} of ${rooms.length} rooms in a call`);
  write(byId("preset"), rooms[0].preset);
  write(byId("engine"), rooms[0].engine);
}

async function keepAsking() {
  for (;;) {
    try {
      const response = await fetch("rooms", { headers: ticket });
      if (response.status === 401) showState("refused", "This link does not show the rooms");
      else showRooms(await response.json());
    } catch {
      showState("trouble", "The receiver does not answer");
    }
    await new Promise((resolve) => setTimeout(resolve, ASK_MS));
  }
}

write(byId("how"), token
  ? "Each room takes one caller, and is called and watched with the links printed for it."
  : `Each room takes one caller; to call the first: sender ${new URL("1", location.href)}`);
keepAsking();
