// Where the API is, each environment's `config.json` says; deploy-site writes it.
const { apiBaseurl } = await (await fetch("config.json")).json();
const url = `${apiBaseurl}/bookings`;

async function show() {
  const { environment, bookings } = await (await fetch(url)).json();
  document.getElementById("environment").textContent = environment;
  const items = bookings.map(({ name }) => {
    const item = document.createElement("li");
    item.textContent = name;
    return item;
  });
  document.getElementById("bookings").replaceChildren(...items);
}

document.getElementById("book").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = new FormData(event.target).get("name");
  const headers = { "content-type": "application/json" };
  await fetch(url, { method: "POST", headers, body: JSON.stringify({ name }) });
  event.target.reset();
  await show();
});

await show();
